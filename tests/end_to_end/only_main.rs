//! A project with nothing but `main` runs as under `mlflow run .`, and `main` of a pipeline when it is
//! named; steps as plain words.

use crate::harness::Folder;

/// The shape of MLflow's own example of a project.
const PROJECT: &str = "name: example
env_manager: local
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
      data: {type: path, default: data.csv}
    command: echo {alpha} $(basename {data}) $(basename $PWD) $(test -n \"$MLFLOW_RUN_ID\" && echo recorded)
  validate:
    parameters: {alpha: {type: float, default: 1}}
    command: echo validated {alpha}
";

fn project() -> Folder {
    let folder = Folder::new();
    folder.file("p/MLproject", PROJECT).file("p/data.csv", "");
    folder
}

#[test]
fn a_project_with_only_main_runs_in_every_spelling() {
    let folder = project();
    for arguments in [
        &[][..],
        &["--steps", "main"],
        &["--steps", "."],
        &["--steps", "all"],
        &["main"],
        &["."],
        &["../p"],
    ] {
        let ended = folder.orchestrator(arguments).inside("p").run();
        let ended = ended.succeeds("0.5 data.csv p recorded\n");
        ended
            .says("[1/1] main: running\n")
            .says("example: 1 step finished in");
    }
    assert!(folder.path().join("p/mlflow.db").exists());
    assert_eq!(folder.logs("main").len(), 7);
    folder
        .orchestrator(&["-C", "p", "--alpha", "2"])
        .run()
        .succeeds("2 data.csv p recorded\n");
    folder
        .orchestrator(&["-C", "p", "validate", "-P", "alpha=3"])
        .run()
        .succeeds("validated 3\n");
    // As `mlflow run -e validate .`.
    folder
        .orchestrator(&["-C", "p", "-e", "validate"])
        .run()
        .succeeds("validated 1\n");
    let failed = folder.orchestrator(&["-C", "p", "--alpha", "much"]).run();
    failed.says("parameter `alpha` is of type float").ends(1);
}

#[test]
fn main_is_listed_planned_and_completed_where_it_runs() {
    let folder = project();
    let run = |arguments: &[&str]| folder.orchestrator(arguments).inside("p").run();
    run(&["--list"])
        .prints("\nmain: example\n    entry point main, environment local\n")
        .ends(0);
    run(&["--dry-run"])
        .prints("main")
        .prints("echo 0.5")
        .ends(0);
    run(&["--check"]).succeeds("");
    run(&["--complete", ""]).succeeds("validate\nmain\nall\n");
}

#[test]
fn where_there_are_steps_main_runs_only_when_it_is_named_alone() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "env_manager: local\nsteps: [a, b]\nentry_points: {main: {command: echo main}}",
    );
    folder.step("a", "command: echo a");
    folder.step("b", "command: echo b");
    folder.orchestrator(&[]).run().succeeds("a\nb\n");
    folder.orchestrator(&["main"]).run().succeeds("main\n");
    folder
        .orchestrator(&["--steps", "."])
        .run()
        .succeeds("main\n");
    folder.orchestrator(&["a", "main"]).run().fails(
        1,
        "error: 1 problem; nothing was run\n  `main` is the pipeline itself and cannot be one of its own steps\n    hint: run it alone: `orchestrator main`\n",
    );
    // A step of that name is a step.
    folder.step("main", "command: echo step");
    folder.orchestrator(&["main"]).run().succeeds("step\n");
}

#[test]
fn main_that_starts_the_orchestrator_runs_the_steps_inside_of_its_run() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "env_manager: local\nsteps: [a]\nentry_points: {main: {command: echo main && orchestrator}}",
    );
    folder.step("a", "command: echo a");
    folder.orchestrator(&["main"]).run().succeeds("main\na\n");
}

#[test]
fn main_does_not_run_itself_again() {
    let folder = Folder::new();
    for command in [
        "orchestrator",
        "orchestrator main",
        "cd / && orchestrator -C $OLDPWD",
    ] {
        let text = format!(
            "env_manager: local\nentry_points: {{main: {{command: 'echo x >> runs && {command}'}}}}"
        );
        folder.file("MLproject", text).file("runs", "");
        let ended = folder.orchestrator(&[]).run();
        ended.ends(1);
        ended.says(
            "`main` of this pipeline is running, and would be run again by what it has started\n    hint: let the command of `main` name the steps",
        );
        assert_eq!(folder.read("runs"), "x\n", "{command}");
    }
    // Another entry point is none of its runs.
    folder.file(
        "MLproject",
        "env_manager: local\nentry_points: {main: {command: orchestrator other}, other: {command: echo other}}",
    );
    folder.orchestrator(&[]).run().succeeds("other\n");
}

#[test]
fn steps_are_named_as_plain_words() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local\nsteps: [a, b, c]");
    for step in ["a", "b", "c"] {
        folder.step(
            step,
            &format!("parameters: {{x: {{default: 1}}}}\ncommand: echo {step} {{x}}"),
        );
    }
    let run = |arguments: &[&str]| folder.orchestrator(arguments).run();
    run(&["c", "a"]).succeeds("a 1\nc 1\n");
    run(&["a,c"]).succeeds("a 1\nc 1\n");
    run(&["--x", "2", "b", "--no-tracking"]).succeeds("b 2\n");
    run(&["all"]).succeeds("a 1\nb 1\nc 1\n");
    for (arguments, text) in [
        (&["a", "--steps", "b"][..], "cannot be used with"),
        (&["a", "-P", "steps=b"], "the steps are given twice"),
        (&["a", "a"], "step `a` is named twice"),
        (&["all", "a"], "`all` stands alone"),
    ] {
        run(arguments).says(text).ends(2);
    }
    run(&["d"]).fails(
        1,
        "error: 1 problem; nothing was run\n  unknown step `d`\n    hint: known are `a`, `b`, `c`\n",
    );
}

#[test]
fn words_of_other_tools_lead_to_ours() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local\nsteps: [a]");
    folder.step("a", "command: echo a");
    for (words, ours) in [
        (&["run"][..], "`orchestrator` alone runs all steps"),
        (&["repro"], "`orchestrator --cached`"),
        (&["dag"], "`orchestrator --graph`"),
        (&["status"], "`orchestrator --cached --dry-run`"),
        (&["exp"], "`orchestrator --history`"),
        (&["params"], "`orchestrator --list`"),
        (&["version"], "`orchestrator --version`"),
        (&["x=1"], "a parameter is given as `-P x=1` or `--x`"),
    ] {
        let ended = folder.orchestrator(words).run();
        ended.ends(1);
        ended.says(&format!("unknown step `{}`\n    hint: {ours}", words[0]));
    }
    for (words, ours) in [
        (
            &["--resume"][..],
            "`--cached` leaves out what is up to date",
        ),
        (&["--targets", "a"], "name the steps: `orchestrator STEP`"),
        (&["--cores", "2"], "`-j N`"),
        (&["-n"], "`--dry-run`"),
        (&["-k"], "`--keep-going`"),
        (&["-R", "a"], "`--force=STEP`"),
        (&["-F"], "`--force` runs everything"),
        (&["--no-cache"], "`--cached=false`"),
        (&["--rerun-incomplete"], "`--cached`"),
        (&["-x"], "`-h` shows the options"),
        (&["--quiet"], "what steps print goes to standard output"),
    ] {
        let ended = folder.orchestrator(words).run();
        ended.ends(2);
        assert!(!ended.stderr().contains("similar"), "{}", ended.stderr());
        ended
            .says("unexpected argument")
            .says(&format!("tip: {ours}"));
    }
    // Unless the pipeline has such a step.
    folder.step("run", "command: echo run");
    folder.orchestrator(&["run"]).run().succeeds("run\n");
}
