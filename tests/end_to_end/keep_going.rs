//! What happens after a step that has failed: by itself, with `--keep-going`, and where it may fail.

use crate::harness::Folder;

const DEFINITION: &str = "
name: demo
env_manager: local
steps: [a, b, c, d]
";

/// `b` needs nothing; `c` reads what `a` writes, `d` what `c` writes.
fn pipeline(a: &str, b: &str) -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", DEFINITION);
    let file = |name, default| format!("{name}: {{default: ../{default}}}");
    let (out, made, end) = (
        file("out", "a.txt"),
        file("made", "c.txt"),
        file("out", "a.txt"),
    );
    folder.step(
        "a",
        &format!("parameters: {{{out}}}\noutputs: [out]\ncommand: {a}"),
    );
    folder.step("b", &format!("inputs: []\ncommand: touch ../b_ran; {b}"));
    folder.step(
        "c",
        &format!(
            "parameters: {{{end}, {made}}}\ninputs: [out]\noutputs: [made]\ncommand: touch {{made}}"
        ),
    );
    folder.step(
        "d",
        &format!("parameters: {{{made}}}\ninputs: [made]\ncommand: touch ../d_ran"),
    );
    folder
}

#[test]
fn without_the_option_every_failure_stops() {
    let folder = pipeline("exit 3", "true");
    folder
        .orchestrator(&[])
        .run()
        .says("error: step `a` failed with exit code 3 after")
        .ends(1);
    assert!(!folder.exists("b_ran"));
}

#[test]
fn steps_that_do_not_need_the_failed_one_run() {
    let folder = pipeline("echo so; exit 3", "true");
    // What is left of an earlier run is not taken for what this one makes.
    folder.file("a.txt", "old");
    let ended = folder.orchestrator(&["--keep-going"]).run();
    ended.ends(1);
    assert_eq!(
        ended.stderr(),
        "[1/4] a: running\n\
         error: step `a` failed with exit code 3 after [TIME]\n  command: echo so; exit 3\n  \
         log: mlruns/0/[RUN]/artifacts/a.log\n  last line:\n    so\n\
         [2/4] b: running\n[2/4] b: finished in [TIME]\n\
         [3/4] c: left out, because `a` did not finish and this step needs its output\n\
         [4/4] d: left out, because `c` did not finish and this step needs its output\n\
         error: 3 of 4 steps did not finish: `a`, `c`, `d`\n"
    );
    assert!(folder.exists("b_ran") && !folder.exists("c.txt") && !folder.exists("d_ran"));
}

#[test]
fn every_failure_is_told_when_it_happens() {
    let folder = pipeline("exit 3", "exit 4");
    folder
        .orchestrator(&["--keep-going"])
        .run()
        .says("error: step `a` failed with exit code 3 after")
        .says("[2/4] b: running\nerror: step `b` failed with exit code 4 after")
        .says("error: 4 of 4 steps did not finish: `a`, `b`, `c`, `d`\n")
        .ends(1);
}

/// A step behind which nothing stands but by its place runs all the same.
#[test]
fn a_place_in_the_order_is_no_need() {
    let folder = pipeline("exit 3", "true");
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {a: , fence: , after: {needs: [a]}}",
    );
    folder.step("fence", "command: touch ../fence_ran");
    folder.step("after", "command: touch ../after_ran");
    folder
        .orchestrator(&["--keep-going"])
        .run()
        .says("[3/3] after: left out, because `a` did not finish and this step needs its output\n")
        .ends(1);
    assert!(folder.exists("fence_ran") && !folder.exists("after_ran"));
}

#[test]
fn a_step_that_may_fail_neither_stops_nor_fails_the_run() {
    let folder = pipeline("exit 3", "true");
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {a: {allow_failure: true}, b: , c: , d: }",
    );
    let ended = folder.orchestrator(&[]).run();
    ended.ends(0);
    assert_eq!(
        ended.stderr(),
        "[1/4] a: running\n\
         warning: step `a` failed with exit code 3 after [TIME]\n  command: exit 3\n  \
         log: mlruns/0/[RUN]/artifacts/a.log\n  it printed nothing\n\
         [2/4] b: running\n[2/4] b: finished in [TIME]\n\
         [3/4] c: left out, because `a` did not finish and this step needs its output\n\
         [4/4] d: left out, because `c` did not finish and this step needs its output\n\
         demo: 1 step finished in [TIME], without `a`, `c`, `d`, which may fail\n"
    );
    let runs = crate::tracking::runs(&folder.path().join("mlflow.db"));
    let ends: Vec<_> = runs
        .iter()
        .map(|run| (run.name.as_str(), run.status.as_str()))
        .collect();
    assert_eq!(
        ends,
        [("demo", "FINISHED"), ("a", "FAILED"), ("b", "FINISHED")]
    );
}

#[test]
fn nothing_to_keep_going_after() {
    let folder = pipeline("touch {out}", "true");
    folder
        .orchestrator(&["--keep-going"])
        .run()
        .says("demo: 4 steps finished in")
        .ends(0);
    assert!(folder.exists("d_ran"));
}

#[test]
fn a_signal_stops_the_run_all_the_same() {
    let folder = pipeline("touch ../up; sleep 1000", "true");
    let started = folder.orchestrator(&["--keep-going"]).start();
    crate::harness::wait_until("the step has started", || folder.exists("up"));
    started.signal("TERM");
    started.end().ends(143);
    assert!(!folder.exists("b_ran"));
}

#[test]
fn allow_failure_is_yes_or_no() {
    let folder = pipeline("true", "true");
    folder.file("MLproject", "steps:\n  a: {allow_failure: maybe}\n");
    folder.orchestrator(&[]).run().fails(
        1,
        "error: MLproject:2: `steps.a.allow_failure` should be true or false\n",
    );
}
