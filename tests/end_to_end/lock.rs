//! One run at a time in a pipeline's folder.

use std::io::{BufRead, BufReader};

use crate::harness::{Ended, Folder, Started, wait_until};

/// A pipeline whose step `long` runs until there is a file `go`.
fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo\nenv_manager: local");
    folder.step(
        "long",
        "command: touch ../up; until [ -e ../go ]; do sleep 0.01; done; echo long >> ../order",
    );
    folder.step(
        "short",
        "parameters: {made: {default: ../order}}\ninputs: [made]\ncommand: echo short >> {made}",
    );
    folder
}

fn start_long(folder: &Folder) -> Started {
    let started = folder.orchestrator(&["--steps", "long"]).start();
    wait_until("the first run is going on", || folder.exists("up"));
    started
}

/// The message of a run that could not start, without its time.
#[track_caller]
fn refused(ended: &Ended, pid: u32) {
    ended.ends(1);
    let said = ended.stderr();
    let start = format!("error: this pipeline is already running (pid {pid}, since 20");
    let end = "Z)\nhint: wait for its end with `--wait`, or run in a copy of the folder\n";
    assert!(said.starts_with(&start) && said.ends_with(end), "{said}");
}

#[test]
fn a_second_run_in_the_folder_is_refused() {
    let folder = pipeline();
    let first = start_long(&folder);
    folder.file("order", "");
    refused(
        &folder.orchestrator(&["--steps", "short"]).run(),
        first.pid(),
    );
    // Also by another name of the folder.
    let (path, link) = (folder.path(), folder.path().join("link"));
    std::os::unix::fs::symlink(&path, link).unwrap();
    let by_link = folder.orchestrator(&["-C", "link", "--steps", "short"]);
    refused(&by_link.run(), first.pid());
    assert_eq!(folder.read("order"), "");
    for looking in ["--dry-run", "--check"] {
        let arguments = ["--steps", "short", looking];
        let told = folder.orchestrator(&arguments).run();
        told.says("  this pipeline is already running (pid ")
            .ends(1);
    }
    folder.orchestrator(&["--list"]).run().ends(0);
    folder.file("go", "");
    first.end().ends(0);
    folder
        .orchestrator(&["--steps", "short"])
        .run()
        .succeeds("");
    assert_eq!(folder.read("order"), "long\nshort\n");
}

#[test]
fn a_run_waits_for_the_end_of_the_first() {
    let folder = pipeline();
    let first = start_long(&folder);
    // What it needs is made by the first run: it is planned after that.
    let (reader, writer) = std::io::pipe().unwrap();
    let second = folder.orchestrator(&["--steps", "short", "--wait"]);
    let second = second.stderr(writer).start();
    let mut said = BufReader::new(reader).lines();
    let start = format!(
        "waiting for another run of this pipeline (pid {}, since 20",
        first.pid()
    );
    let line = said.next().unwrap().unwrap();
    assert!(line.starts_with(&start), "{line}");
    folder.file("go", "");
    first.end().ends(0);
    second.end().ends(0);
    assert_eq!(folder.read("order"), "long\nshort\n");
    // Nobody to wait for.
    let alone = folder.orchestrator(&["--steps", "short", "--wait"]).run();
    assert!(!alone.stderr().contains("waiting"));
    alone.ends(0);
}

#[test]
fn a_run_that_waits_can_be_stopped() {
    let folder = pipeline();
    let first = start_long(&folder);
    let (reader, writer) = std::io::pipe().unwrap();
    let second = folder.orchestrator(&["--steps", "short", "--wait"]);
    let second = second.stderr(writer).start();
    BufReader::new(reader).lines().next().unwrap().unwrap();
    second.signal("INT");
    second.end().dies_of(2);
    folder.file("go", "");
    first.end().ends(0);
    assert_eq!(folder.read("order"), "long\n");
}

#[cfg(target_os = "linux")]
#[test]
fn the_folder_is_locked_until_the_last_process_has_ended() {
    let folder = pipeline();
    folder.file("order", "");
    folder.step(
        "stubborn",
        "command: trap '' TERM; touch ../up; until [ -e ../go ]; do sleep 0.01; done; echo stubborn >> ../order",
    );
    let arguments = ["--steps", "stubborn", "--grace", "1h"];
    let killed = folder.orchestrator(&arguments).start();
    wait_until("the step has started", || folder.exists("up"));
    killed.signal("KILL");
    refused(
        &folder.orchestrator(&["--steps", "short"]).run(),
        killed.pid(),
    );
    folder.file("go", "");
    let waiting = ["--steps", "short", "--wait"];
    folder.orchestrator(&waiting).run().succeeds("");
    assert_eq!(folder.read("order"), "stubborn\nshort\n");
    killed.end().dies_of(9);
}

#[test]
fn a_lock_is_never_stale() {
    let folder = pipeline();
    folder.file("order", "");
    folder.file("mlruns/.orchestrator.lock", "pid 1, since long ago");
    folder
        .orchestrator(&["--steps", "short"])
        .run()
        .succeeds("");
}

#[test]
fn a_step_may_run_other_steps_of_its_own_pipeline() {
    let folder = pipeline();
    folder.file("order", "");
    folder.step("outer", "command: orchestrator -C .. --steps middle");
    folder.step("middle", "command: cd .. && orchestrator --steps short");
    folder
        .orchestrator(&["--steps", "outer"])
        .run()
        .succeeds("");
    assert_eq!(folder.read("order"), "short\n");
}

#[test]
fn other_folders_are_not_locked() {
    let (first, second) = (pipeline(), pipeline());
    let started = start_long(&first);
    second.file("order", "");
    second
        .orchestrator(&["--steps", "short"])
        .run()
        .succeeds("");
    first.file("go", "");
    started.end().ends(0);
}

#[test]
fn a_mistake_leaves_no_lock_behind() {
    let folder = pipeline();
    folder.orchestrator(&["--steps", "shrt"]).run().ends(1);
    assert!(!folder.exists("mlruns"));
}
