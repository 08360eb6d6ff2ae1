//! What surrounds a run: a full disk behind our output, no current folder, no PATH, limits of the system.

#![cfg(target_os = "linux")]

use crate::harness::Folder;

/// A pipeline of one step.
fn step(command: &str) -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo\nenv_manager: local");
    folder.step(
        "s",
        &format!("command: |\n  {}", command.replace('\n', "\n  ")),
    );
    folder
}

fn full() -> std::fs::File {
    std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
}

#[test]
fn a_full_disk_behind_our_output_is_told() {
    // `yes` would go on for ever.
    let folder = step("yes");
    let ended = folder.orchestrator(&["--steps", "s"]).stdout(full()).run();
    ended.ends(1);
    let said = ended.stderr();
    let expected = "error: step `s` was killed by SIGPIPE after [TIME]\n  \
                    caused by: cannot write to standard output: No space left on device (os error 28)\n";
    assert!(said.contains(expected), "{said}");
    assert_eq!(said.matches("No space left").count(), 1, "{said}");
}

#[test]
fn a_step_whose_output_is_lost_has_not_succeeded() {
    let folder = step("echo lost");
    folder.step("t", "command: touch ../ran");
    let ended = folder
        .orchestrator(&["--steps", "s,t"])
        .stdout(full())
        .run();
    let said = "error: step `s` succeeded, but cannot write to standard output: No space left on device (os error 28)\n";
    ended.says(said).ends(1);
    assert_eq!(folder.log("s"), "lost\n");
    assert!(!folder.exists("ran"));
}

#[test]
fn what_we_print_ourselves_is_told_when_it_is_lost() {
    let folder = step("true");
    let told = "error: cannot write to standard output: No space left on device (os error 28)\n";
    for arguments in [
        ["--list"].as_slice(),
        &["--help"],
        &["--version"],
        &["--dry-run", "--steps", "s"],
        &["--dry-run", "--steps", "s", "--format", "json"],
        &["--list", "--format", "json"],
        &["--completions", "bash"],
    ] {
        let ended = folder.orchestrator(arguments).stdout(full()).run();
        ended.fails(1, told);
    }
}

#[test]
fn a_full_disk_behind_our_stderr_stops_nothing() {
    let folder = step("echo out");
    let run = folder.orchestrator(&["--steps", "s"]).stderr(full());
    run.run().succeeds("out\n");
}
