//! Steps whose result is there already: they are left out, and the others say why they run.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Folder, Server, wait_until};
use crate::sources::git;
use crate::tracking::runs;

/// A file that `make` makes of rows, and one that `count` makes of that; each notes that it ran.
fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: [make, count]\n",
    );
    folder.step(
        "make",
        "parameters: {rows: {type: int, default: 2}, out: {default: ../out}}\noutputs: [out]\ncommand: |\n  echo make >> ../ran; sh make.sh {rows} > {out}",
    );
    folder.file("make/make.sh", "seq $1\n");
    folder.step(
        "count",
        "parameters: {out: {default: ../out}, number: {default: ../number}}\ninputs: [out]\noutputs: [number]\ncommand: |\n  echo count >> ../ran; wc -l < {out} > {number}",
    );
    folder
}

/// What a run says of each step, and which ran.
fn cached(folder: &Folder, arguments: &[&str]) -> (Vec<String>, Vec<String>) {
    let _ = fs::remove_file(folder.path().join("ran"));
    let ended = folder
        .orchestrator(&[&["--cached"], arguments].concat())
        .run();
    ended.ends(0);
    let said = ended.stderr();
    let told = said
        .lines()
        .filter(|line| line.starts_with('[') && !line.contains(": finished in"));
    let told = told.map(|line| {
        let line = line.split_once("] ").unwrap().1;
        let line = line.split(", made ").next().unwrap();
        line.to_owned()
    });
    let ran = if folder.exists("ran") {
        folder.read("ran")
    } else {
        String::new()
    };
    (told.collect(), ran.lines().map(str::to_owned).collect())
}

#[track_caller]
fn says(folder: &Folder, arguments: &[&str], told: &[&str], ran: &[&str]) {
    let (said, did) = cached(folder, arguments);
    assert_eq!(said, told);
    assert_eq!(did, ran);
}

const UP_TO_DATE: [&str; 2] = ["make: up to date", "count: up to date"];

#[test]
fn what_is_there_is_left_out_and_every_change_says_what_it_is() {
    let folder = pipeline();
    // A run without the option is recorded, too.
    folder.orchestrator(&[]).run().ends(0);
    says(&folder, &[], &UP_TO_DATE, &[]);
    says(
        &folder,
        &["--rows", "3"],
        &[
            "make: running: parameter `rows` is `3` (was `2`)",
            "count: running: its input out (../out) changed",
        ],
        &["make", "count"],
    );
    // The same lines in other words: the second step has nothing to do.
    folder.file("make/make.sh", "seq 1 $1\n");
    says(
        &folder,
        &["--rows", "3"],
        &["make: running: code changed: make.sh", "count: up to date"],
        &["make"],
    );
    folder.file("number", "by hand\n");
    says(
        &folder,
        &["--rows", "3"],
        &[
            "make: up to date",
            "count: running: its output ../number was changed by hand",
        ],
        &["count"],
    );
    assert_eq!(folder.read("number"), "3\n");
    folder.file("make/notes.txt", "");
    let told = "make: running: new file notes.txt in its folder (git-ignore it, or name the code with `code:`)";
    says(
        &folder,
        &["--rows", "3"],
        &[told, "count: up to date"],
        &["make"],
    );
    fs::remove_file(folder.path().join("out")).unwrap();
    says(
        &folder,
        &["--rows", "3"],
        &[
            "make: running: its output ../out is missing",
            "count: up to date",
        ],
        &["make"],
    );
    says(
        &folder,
        &["--rows", "3", "--force=count"],
        &["make: up to date", "count: running: was forced"],
        &["count"],
    );
    says(
        &folder,
        &["--rows", "3", "--force"],
        &["make: running: was forced", "count: running: was forced"],
        &["make", "count"],
    );
    says(
        &folder,
        &["--rows", "3", "-j", "8", "--no-tracking"],
        &UP_TO_DATE,
        &[],
    );
    says(
        &folder,
        &["--rows", "3", "--from", "count"],
        &["count: up to date"],
        &[],
    );
}

#[test]
fn a_run_says_how_many_were_left_out_and_the_records_name_who_made_them() {
    let folder = pipeline();
    folder
        .orchestrator(&["--cached"])
        .run()
        .says("[1/2] make: running: has not run before\n")
        .ends(0);
    let first = runs(&folder.path().join("mlflow.db"));
    let make = first.iter().find(|run| run.name == "make").unwrap();
    assert_eq!(make.tag("pipeline.cache_key").map(str::len), Some(32));
    folder.file("number", "");
    folder
        .orchestrator(&["--cached"])
        .run()
        .says("[1/2] make: up to date, made ")
        .says(&format!(" s ago by run {}\n", &make.id[..8]))
        .says("demo: 1 step finished in [TIME], 1 was up to date\n")
        .ends(0);
    folder
        .orchestrator(&["--cached"])
        .run()
        .says("demo: all 2 steps are up to date\n")
        .ends(0);
    let recorded = runs(&folder.path().join("mlflow.db"));
    let pipelines: Vec<_> = recorded.iter().filter(|run| run.name == "demo").collect();
    assert_eq!(pipelines[2].status, "FINISHED");
    assert_eq!(
        pipelines[2].tag("pipeline.reused.make"),
        Some(make.id.as_str())
    );
    assert_eq!(pipelines[0].tag("pipeline.reused.make"), None);
    // What was left out has no run of its own.
    assert_eq!(recorded.iter().filter(|run| run.name == "make").count(), 1);
}

#[test]
fn the_next_run_goes_on_where_one_failed() {
    let folder = pipeline();
    folder.file("make/make.sh", "seq $1\n");
    let count = folder.read("count/MLproject");
    folder.file(
        "count/MLproject",
        count.replace("wc -l", "false; exit 3; wc -l"),
    );
    let ended = folder.orchestrator(&[]).run();
    assert!(
        ended
            .stderr()
            .ends_with("hint: `--cached` leaves out what is finished\n"),
        "{}",
        ended.stderr()
    );
    ended.ends(1);
    folder.file("count/MLproject", count);
    says(
        &folder,
        &[],
        &["make: up to date", "count: running: has not run before"],
        &["count"],
    );
}

#[test]
fn the_definition_sets_the_default() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    let with = |definition: &str| {
        folder.file(
            "MLproject",
            format!("name: demo\nenv_manager: local\n{definition}\n"),
        );
        folder
    };
    let folder = with("cached: true\nsteps: [make, count]");
    folder
        .orchestrator(&[])
        .run()
        .says("demo: all 2 steps are up to date\n")
        .ends(0);
    folder
        .orchestrator(&["--cached=false"])
        .run()
        .says("[1/2] make: running\n")
        .ends(0);
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {make: {cached: false}, count: }\n",
    );
    says(
        &folder,
        &[],
        &["make: running", "count: up to date"],
        &["make"],
    );
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {make: , count: {cached: true}}\n",
    );
    folder
        .orchestrator(&[])
        .run()
        .says("[1/2] make: running\n")
        .says("[2/2] count: up to date, made")
        .ends(0);
    let count = folder.read("count/MLproject");
    folder.file(
        "count/MLproject",
        count.replace("    inputs:", "    cached: false\n    inputs:"),
    );
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\ncached: true\nsteps: [make, count]\n",
    );
    folder
        .orchestrator(&[])
        .run()
        .says("[1/2] make: up to date")
        .says("[2/2] count: running\n")
        .ends(0);
}

#[test]
fn code_elsewhere_counts_when_it_is_named() {
    let folder = pipeline();
    folder
        .file("common/tools.sh", "one\n")
        .file("make/notes/today.txt", "");
    let make = folder.read("make/MLproject");
    folder.orchestrator(&[]).run().ends(0);
    folder.file("common/tools.sh", "two\n");
    says(&folder, &[], &UP_TO_DATE, &[]);
    let named = "    code: [., ../common, \"!notes/**\"]\n    outputs:";
    folder.file("make/MLproject", make.replace("    outputs:", named));
    let (told, _) = cached(&folder, &[]);
    assert!(
        told[0].starts_with("make: running: new files ../common/tools.sh")
            || told[0].starts_with("make: running: code"),
        "{told:?}"
    );
    says(&folder, &[], &UP_TO_DATE, &[]);
    folder
        .file("make/notes/today.txt", "more")
        .file("make/notes/new.txt", "");
    says(&folder, &[], &UP_TO_DATE, &[]);
    folder.file("common/tools.sh", "three\n");
    says(
        &folder,
        &[],
        &[
            "make: running: code changed: ../common/tools.sh",
            "count: up to date",
        ],
        &["make"],
    );
    folder.file(
        "make/MLproject",
        make.replace("    outputs:", "    code: ['[']\n    outputs:"),
    );
    folder
        .orchestrator(&["--check"])
        .run()
        .says("`code:` has `[`, which is no pattern")
        .ends(1);
}

#[test]
fn variables_count_when_they_are_named() {
    let folder = pipeline();
    let make = folder.read("make/MLproject");
    folder.file(
        "make/MLproject",
        make.replace(
            "    outputs:",
            "    variables: [SEED, API_TOKEN]\n    outputs:",
        ),
    );
    let run = |seed: &str, token: &str| {
        folder
            .orchestrator(&["--cached"])
            .env("SEED", seed)
            .env("API_TOKEN", token)
            .run()
    };
    run("1", "hidden").ends(0);
    run("1", "hidden")
        .says("demo: all 2 steps are up to date\n")
        .ends(0);
    run("2", "hidden")
        .says("[1/2] make: running: variable `SEED` is `2` (was `1`)\n")
        .ends(0);
    run("2", "other")
        .says("[1/2] make: running: variable `API_TOKEN` changed\n")
        .ends(0);
    let records = fs::read_dir(folder.path().join("mlruns/.cached"))
        .unwrap()
        .flatten();
    for record in records {
        assert_eq!(
            record.metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        let text = fs::read_to_string(record.path()).unwrap();
        assert!(
            !text.contains("hidden") && !text.contains("other"),
            "{text}"
        );
    }
}

#[test]
fn an_edit_while_the_step_runs_runs_it_again() {
    let folder = pipeline();
    folder.file(
        "make/make.sh",
        "touch ../up; until [ -e ../go ]; do sleep 0.01; done; seq $1\n",
    );
    let started = folder.orchestrator(&[]).start();
    wait_until("the step runs", || folder.exists("up"));
    folder
        .file("make/make.sh", "seq $1 # edited\n")
        .file("go", "");
    started.end().ends(0);
    let (told, ran) = cached(&folder, &[]);
    assert!(told[0].starts_with("make: running: code "), "{told:?}");
    assert_eq!(ran, ["make"]);
    says(&folder, &[], &UP_TO_DATE, &[]);
}

#[test]
fn a_file_that_a_step_leaves_in_its_folder_is_named() {
    let folder = pipeline();
    folder.file("make/make.sh", "date >> left.txt; seq $1\n");
    folder.orchestrator(&[]).run().ends(0);
    let told = "make: running: new file left.txt in its folder (git-ignore it, or name the code with `code:`)";
    says(&folder, &[], &[told, "count: up to date"], &["make"]);
}

#[test]
fn what_was_killed_or_tried_again_is_no_result() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    folder.file(
        "make/make.sh",
        "touch ../up; until [ -e ../go ]; do sleep 0.01; done; seq $1\n",
    );
    let started = folder.orchestrator(&["--grace", "50ms"]).start();
    wait_until("the step runs", || folder.exists("up"));
    started.signal("KILL");
    started.end().dies_of(9);
    // As it was when the record of the first run was written.
    folder
        .file("make/make.sh", "seq $1\n")
        .file("out", "1\n2\n");
    says(
        &folder,
        &["--wait"],
        &["make: running: has not run before", "count: up to date"],
        &["make"],
    );
    // A failed try is no result, the one after it is.
    folder.file(
        "make/make.sh",
        "[ -e ../tried ] || { touch ../tried; exit 1; }; seq $1\n",
    );
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {make: {retries: 1, retry_delay: 1ms}, count: }\n",
    );
    folder.orchestrator(&[]).run().ends(0);
    says(&folder, &[], &UP_TO_DATE, &[]);
    folder
        .orchestrator(&["--timeout", "1ms", "--force", "--retries", "0"])
        .run()
        .ends(1);
    let (told, _) = cached(&folder, &[]);
    assert_eq!(told[0], "make: running: has not run before");
}

#[test]
fn a_step_behind_a_failed_one_is_not_left_out() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    folder.file("make/make.sh", "exit 3\n");
    folder
        .orchestrator(&["--cached", "--keep-going"])
        .run()
        .says("[1/2] make: running: code changed: make.sh\n")
        .says(
            "[2/2] count: left out, because `make` did not finish and this step needs its output\n",
        )
        .ends(1);
}

#[test]
fn the_dry_run_shows_what_would_run() {
    let folder = pipeline();
    folder
        .orchestrator(&["--cached", "--dry-run"])
        .run()
        .prints("   would run: has not run before\n")
        .ends(0);
    assert!(!folder.exists("mlruns"));
    folder.orchestrator(&[]).run().ends(0);
    let record = |name: &str| {
        let records = fs::read_dir(folder.path().join("mlruns/.cached"))
            .unwrap()
            .flatten();
        let found = records
            .map(|it| it.path())
            .find(|it| it.file_name().unwrap().to_str().unwrap().starts_with(name));
        fs::read(found.unwrap()).unwrap()
    };
    let before = record("make");
    folder
        .file("make/make.sh", "seq 1 $1\n")
        .file("make/more.sh", "");
    folder
        .orchestrator(&["--cached", "--dry-run", "--rows", "5"])
        .run()
        .prints(
            "1. make (main in [DIR]/make)\n   would run: parameter `rows` is `5` (was `2`)\n   would run: code changed: make.sh\n   would run: new file more.sh in its folder",
        )
        .prints("2. count (main in [DIR]/count)\n   depends on what `make` makes\n")
        .ends(0);
    let json = folder
        .orchestrator(&["--cached", "--dry-run", "--format", "json"])
        .run()
        .json();
    assert_eq!(json["steps"][0]["state"], "run");
    assert_eq!(json["steps"][0]["reasons"][0]["kind"], "code");
    assert_eq!(
        (&json["steps"][1]["state"], &json["steps"][1]["needs"]),
        (&"depends".into(), &serde_json::json!(["make"]))
    );
    assert_eq!(record("make"), before);
    folder.orchestrator(&["--cached"]).run().ends(0);
    let json = folder
        .orchestrator(&["--cached", "--dry-run", "--format", "json"])
        .run()
        .json();
    assert_eq!(json["steps"][0]["state"], "up_to_date");
    assert_eq!(json["steps"][0]["made_by"].as_str().map(str::len), Some(32));
}

#[test]
fn a_copy_elsewhere_is_up_to_date() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    let other = Folder::new();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(folder.path().join("."))
        .arg(other.path())
        .status();
    assert!(copied.unwrap().success());
    says(&other, &[], &UP_TO_DATE, &[]);
}

#[test]
fn records_of_strangers_are_only_data() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    let records = || {
        fs::read_dir(folder.path().join("mlruns/.cached"))
            .unwrap()
            .flatten()
            .map(|it| it.path())
    };
    for content in [
        &b""[..],
        b"{",
        b"[]",
        b"null",
        b"{\"version\":999}",
        b"\xff\xfe",
    ] {
        records().for_each(|path| fs::write(path, content).unwrap());
        let (told, ran) = cached(&folder, &[]);
        assert_eq!(
            told,
            [
                "make: running: has not run before",
                "count: running: has not run before"
            ]
        );
        assert_eq!(ran, ["make", "count"]);
    }
    // What is printed of them is safe, and a link is not followed.
    for path in records() {
        let text = fs::read_to_string(&path).unwrap();
        let id = runs(&folder.path().join("mlflow.db"))
            .into_iter()
            .map(|run| run.id)
            .find(|id| text.contains(id.as_str()));
        fs::write(&path, text.replace(&id.unwrap(), "\\u001b[31m")).unwrap();
    }
    let ended = folder.orchestrator(&["--cached"]).run();
    assert!(!ended.stderr().contains('\u{1b}'), "{}", ended.stderr());
    let planted = folder.path().join("elsewhere.json");
    let path = records().next().unwrap();
    fs::rename(&path, &planted).unwrap();
    std::os::unix::fs::symlink(&planted, &path).unwrap();
    let kept = fs::read(&planted).unwrap();
    folder.orchestrator(&["--cached", "--force"]).run().ends(0);
    assert_eq!(fs::read(&planted).unwrap(), kept);
}

#[test]
fn a_download_counts_by_its_address() {
    let server = Server::new("a\nb\n");
    let folder = Folder::new();
    folder.file("MLproject", "name: demo\nenv_manager: local\nsteps: [s]\n");
    folder.step(
        "s",
        "parameters: {data: path, out: {default: ../out}}\noutputs: [out]\ncommand: echo s >> ../ran; cat {data} > {out}",
    );
    let url = server.url("data.csv");
    says(
        &folder,
        &["--data", &url],
        &["s: running: has not run before"],
        &["s"],
    );
    says(&folder, &["--data", &url], &["s: up to date"], &[]);
    let other = server.url("other.csv");
    let (told, ran) = cached(&folder, &["--data", &other]);
    assert_eq!(
        told,
        [format!(
            "s: running: parameter `data` is `{other}` (was `{url}`)"
        )]
    );
    assert_eq!(ran, ["s"]);
}

#[test]
fn a_step_without_outputs_or_that_reads_what_it_writes_always_runs() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: [none, both]\n",
    );
    folder.file("state", "0");
    folder.step("none", "command: 'true'");
    folder.step(
        "both",
        "parameters: {state: {default: ../state}}\ninputs: [state]\noutputs: [state]\ncommand: echo x >> {state}",
    );
    for _ in 0..2 {
        says(
            &folder,
            &[],
            &[
                "none: running: has no declared outputs",
                "both: running: reads what it writes",
            ],
            &[],
        );
    }
}

#[test]
fn without_a_place_for_records_nothing_is_left_out_and_that_is_said() {
    // Root may write everywhere, so the place is taken.
    let folder = pipeline();
    folder.file("mlruns/.cached", "a file");
    folder
        .orchestrator(&["--no-tracking"])
        .run()
        .says("[2/2] count: finished in")
        .ends(0);
    folder
        .orchestrator(&["--cached", "--no-tracking"])
        .run()
        .says("warning: step `make` will run again: `mlruns/.cached` cannot be written: ")
        .ends(0);
    assert_eq!(folder.read("mlruns/.cached"), "a file");
}

#[test]
fn what_is_forced_must_be_selected() {
    let folder = pipeline();
    folder
        .orchestrator(&["--force=mkae", "--check"])
        .run()
        .says("unknown step `mkae`\n    hint: did you mean `make`? known are `make`, `count`\n")
        .ends(1);
}

#[test]
fn of_a_project_from_git_the_commit_counts() {
    let folder = Folder::new();
    folder.step(
        "work/s",
        "parameters: {out: {default: /dev/null}}\noutputs: [out]\ncommand: cat data > {out}",
    );
    folder.file("work/s/data", "one\n");
    git(
        &folder,
        "work",
        &["init", "--quiet", "--initial-branch=trunk"],
    );
    let commit = || {
        git(&folder, "work", &["add", "."]);
        git(&folder, "work", &["commit", "--quiet", "-m", "next"]);
        git(&folder, "work", &["rev-parse", "HEAD"])
    };
    let first = commit();
    folder.file(
        "MLproject",
        format!(
            "env_manager: local\nsteps: {{s: {{project: \"file://{}/work#s\", version: trunk, parameters: {{out: out}}}}}}\n",
            folder.path().display()
        ),
    );
    let run = || {
        let run = folder.orchestrator(&["--cached", "--no-tracking"]);
        run.env("XDG_CACHE_HOME", folder.path().join("cache")).run()
    };
    run().says("[1/1] s: running: has not run before\n").ends(0);
    run().says("[1/1] s: up to date, made").ends(0);
    // A commit that changes nothing of the step is another one all the same.
    folder.file("work/other", "");
    let second = commit();
    run()
        .says(&format!(
            "[1/1] s: running: code changed: commit {second} (was {first})\n"
        ))
        .ends(0);
    assert_eq!(folder.read("out"), "one\n");
}
