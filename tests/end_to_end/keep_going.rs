//! What happens after a step that was allowed to fail.

use crate::harness::Folder;

const DEFINITION: &str = "
name: demo
env_manager: local
steps:
  a: {allow_failure: true}
  b:
  c: {allow_failure: true}
  d:
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
    folder.step("b", &format!("command: touch ../b_ran; {b}"));
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
         [3/4] c: left out, as it needs what `a` did not make\n\
         [4/4] d: left out, as it needs what `c` did not make\n\
         error: 3 of 4 steps did not finish: `a`, `c`, `d`\n"
    );
    assert!(folder.exists("b_ran") && !folder.exists("c.txt") && !folder.exists("d_ran"));
}

#[test]
fn a_step_that_is_not_allowed_to_fail_stops_the_run() {
    let folder = pipeline("exit 3", "exit 4");
    folder
        .orchestrator(&["--keep-going"])
        .run()
        .says("error: step `a` failed with exit code 3 after")
        .says("[2/4] b: running\nerror: step `b` failed with exit code 4 after")
        .ends(1);
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
    folder.file("MLproject", DEFINITION.replacen("true", "maybe", 1));
    folder.orchestrator(&[]).run().fails(
        1,
        "error: MLproject:5: `steps.a.allow_failure` should be true or false\n",
    );
}
