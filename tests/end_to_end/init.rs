//! `--init`: from a main.py to the definition, and what of the file may change.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;
use std::time::Instant;

use crate::harness::{Ended, Folder, orchestrator, repository};

const PROJECT: &str = "name: survey   # the yearly one\nenv_manager: local\n\nentry_points:\n  main:\n    command: python main.py\n";

const PROGRAM: &str = r#"import time
import mlflow

mlflow.run("prepare", parameters={"rows": 1000, "made": time.time()})
mlflow.run("train", env_manager="local", parameters={"seed": 7})
"#;

const SECTION: &str = "steps:\n  prepare:\n    parameters:\n      rows: 1000\n      # made: not understood, main.py line 4: time.time()\n  train:\n    parameters:\n      seed: 7\n";

/// What is told beside the change.
const TOLD: &str = "main.py:4: a comment, as it was not understood: step `prepare`, parameter `made`: `time.time()`
warning: `env_manager: local` of the pipeline now counts for what the program ran without one: `prepare`
";

fn survey() -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", PROJECT).file("main.py", PROGRAM);
    folder.step(
        "prepare",
        "parameters: {rows: int, made: {default: now}}\ncommand: echo prepare {rows} {made}",
    );
    folder.step(
        "train",
        "parameters: {seed: int}\ncommand: echo train {seed}",
    );
    folder
}

/// Runs it in an environment in which no other program can be found.
fn init(folder: &Folder, more: &[&str]) -> Ended {
    let program = orchestrator();
    let run = folder.program_in_path(program.to_str().unwrap(), &[&["--init"], more].concat());
    run.env("PATH", "/nowhere").run()
}

fn change() -> String {
    let added = format!("+{}\n", SECTION.trim_end().replace('\n', "\n+"));
    format!(
        "--- MLproject\n+++ MLproject\n@@ -1,6 +1,15 @@\n name: survey   # the yearly one\n env_manager: local\n \n{added}+\n \
         entry_points:\n   main:\n     command: python main.py\n"
    )
}

#[test]
fn the_change_is_shown_written_and_runs() {
    let folder = survey();
    let ended = init(&folder, &[]).succeeds(&change());
    assert_eq!(
        ended.stderr(),
        format!(
            "MLproject: 9 lines added\n{TOLD}next: put in what the comments lack, then `orchestrator --check` and `orchestrator`\n"
        )
    );
    let (before, after) = PROJECT.split_at(PROJECT.find("entry_points").unwrap());
    assert_eq!(
        folder.read("MLproject"),
        format!("{before}{SECTION}\n{after}")
    );
    assert_eq!(
        folder.files(),
        [
            "MLproject",
            "main.py",
            "prepare/MLproject",
            "train/MLproject"
        ]
    );
    folder
        .orchestrator(&[])
        .run()
        .succeeds("prepare 1000 now\ntrain 7\n");
}

#[test]
fn a_dry_run_only_shows() {
    let folder = survey();
    let ended = init(&folder, &["--dry-run"]).succeeds(&change());
    assert_eq!(
        ended.stderr(),
        format!(
            "MLproject: 9 lines to add; nothing was written\n{TOLD}next: `orchestrator --init` writes it\n"
        )
    );
    assert_eq!(folder.read("MLproject"), PROJECT);
    assert_eq!(folder.files().len(), 4);
}

#[test]
fn a_section_that_is_there_stays() {
    let folder = survey();
    init(&folder, &[]).ends(0);
    let written = folder.read("MLproject");
    init(&folder, &[]).fails(
        1,
        "error: MLproject:4: the section `steps:` is there already; edit it, or remove it and type `orchestrator --init` again\n",
    );
    assert_eq!(folder.read("MLproject"), written);
}

#[test]
fn the_mode_is_kept_and_a_link_is_not_followed() {
    let folder = survey();
    let path = folder.path().join("MLproject");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    init(&folder, &[]).ends(0);
    assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o640);

    let folder = survey();
    let path = folder.path().join("MLproject");
    let other = Folder::new();
    other.file("elsewhere", PROJECT);
    std::fs::remove_file(&path).unwrap();
    symlink(other.path().join("elsewhere"), &path).unwrap();
    let ended = init(&folder, &[]);
    ended.ends(1);
    ended.says(
        "error: cannot write `MLproject`, and nothing was written\n  caused by: it is a link\n",
    );
    assert_eq!(other.read("elsewhere"), PROJECT);
    assert!(path.is_symlink());
    assert_eq!(folder.files().len(), 4);
}

#[test]
fn every_other_byte_stays_also_ends_of_lines() {
    let folder = survey();
    let old = PROJECT.replace('\n', "\r\n");
    folder.file("MLproject", &old);
    init(&folder, &[]).succeeds(&change());
    let (before, after) = old.split_at(old.find("entry_points").unwrap());
    let section = SECTION.replace('\n', "\r\n");
    assert_eq!(
        folder.read("MLproject"),
        format!("{before}{section}\r\n{after}")
    );
}

#[test]
fn a_folder_without_an_mlproject_gets_a_small_one() {
    let folder = Folder::new();
    let shown = init(&folder, &["--dry-run"]);
    assert!(
        shown
            .stdout()
            .starts_with("--- /dev/null\n+++ MLproject\n@@ -0,0 +1,")
    );
    assert!(!folder.exists("MLproject"));
    let ended = init(&folder, &[]);
    ended.ends(0);
    assert_eq!(ended.stdout(), shown.stdout());
    assert!(ended.stderr().ends_with(
        "next: put in what the comments lack, then `orchestrator --check` and `orchestrator`\n"
    ));
    let text = folder.read("MLproject");
    assert!(text.contains("\nsteps:\n  # prepare:\n"), "{text}");

    // With steps in folders it is whole.
    let folder = Folder::new();
    folder.step("a", "command: echo ran");
    let ended = folder.orchestrator(&["--init"]).run();
    ended.ends(0);
    ended.says("next: `orchestrator --check`, then `orchestrator`\n");
    folder.orchestrator(&[]).run().succeeds("ran\n");
}

#[test]
fn a_program_without_an_mlproject_gets_one_that_runs_it() {
    let folder = survey();
    std::fs::remove_file(folder.path().join("MLproject")).unwrap();
    let name = folder.path().file_name().unwrap().to_owned();
    let name = name.to_string_lossy();
    // No pipeline says so for all.
    let section = SECTION.replace("train:\n", "train:\n    env_manager: local\n");
    let text =
        format!("name: {name}\n\n{section}\nentry_points:\n  main:\n    command: python main.py\n");
    let added = text.trim_end().replace('\n', "\n+");
    let shown = format!("--- /dev/null\n+++ MLproject\n@@ -0,0 +1,15 @@\n+{added}\n");
    init(&folder, &["--dry-run"]).succeeds(&shown);
    assert!(!folder.exists("MLproject"));
    init(&folder, &[])
        .succeeds(&shown)
        .says("MLproject: 15 lines added\nmain.py:4: a comment, as it was not understood");
    assert_eq!(folder.read("MLproject"), text);
    folder
        .orchestrator(&["--env-manager", "local"])
        .run()
        .succeeds("prepare 1000 now\ntrain 7\n");
}

#[test]
fn the_folder_that_is_named_counts() {
    let (folder, beside) = (survey(), Folder::new());
    let path = folder.path();
    let name = path.to_str().unwrap();
    let ended = beside.orchestrator(&["--init", "-C", name]).run();
    ended.ends(0);
    ended.says(&format!(
        "then `orchestrator -C {name} --check` and `orchestrator -C {name}`\n"
    ));
    assert!(folder.read("MLproject").contains(SECTION));
    assert!(beside.files().is_empty());
    let ended = beside.orchestrator(&["--init", "-C", "no/where"]).run();
    ended.fails(
        1,
        "error: there is no folder `no/where`\nhint: name the folder that holds the pipeline's MLproject: `-C DIR`\n",
    );
    assert!(!beside.exists("no"));
}

#[test]
fn what_makes_no_sense_beside_it_is_refused() {
    let folder = survey();
    for more in [
        &["--steps", "a"][..],
        &["-P", "a=1"],
        &["--list"],
        &["--check"],
        &["--format", "json"],
        &["--no-tracking"],
        &["--env-manager", "local"],
        &["--cached"],
        &["-j", "2"],
        &["--completions", "bash"],
        &["--rows", "1"],
        &["train"],
    ] {
        let ended = init(&folder, more);
        ended.ends(2);
        assert_eq!(ended.stdout(), "", "{more:?}");
    }
    assert_eq!(folder.read("MLproject"), PROJECT);
}

#[test]
fn what_has_no_steps_is_told() {
    let folder = Folder::new();
    folder.file("MLproject", PROJECT);
    let ended = init(&folder, &[]);
    ended.ends(1);
    ended
        .says("error: MLproject: found no steps: ")
        .says("`orchestrator` runs its `main` as it is\n");
    folder.file("main.py", "import mlflow\nmlflow.run(\n");
    init(&folder, &[]).says("error: main.py:").ends(1);
    assert_eq!(folder.read("MLproject"), PROJECT);
}

/// Every pipeline of the crate's own tests, by the program: what it writes is what is expected there.
#[test]
fn each_known_pipeline_is_written_as_expected() {
    let pipelines = repository().join("orchestrator/init/tests/pipelines");
    let mut count = 0;
    for entry in std::fs::read_dir(&pipelines).unwrap() {
        let source = entry.unwrap().path();
        let folder = Folder::new();
        let copied = Command::new("cp")
            .args(["-r", &format!("{}/.", source.display())])
            .arg(folder.path())
            .status();
        assert!(copied.unwrap().success());
        init(&folder, &[]).ends(0);
        assert_eq!(folder.read("MLproject"), folder.read("MLproject.expected"));
        count += 1;
    }
    assert_eq!(count, 8);
}

#[test]
fn it_takes_no_time() {
    let folder = survey();
    init(&folder, &["--dry-run"]).ends(0);
    let fastest = (0..10).map(|_| {
        let start = Instant::now();
        init(&folder, &["--dry-run"]).ends(0);
        start.elapsed()
    });
    let fastest = fastest.min().unwrap();
    assert!(fastest.as_millis() <= 50, "{fastest:?}");
}
