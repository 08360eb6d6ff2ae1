//! What surrounds a run: a full disk behind our output, no current folder, no PATH, limits of the system.

#![cfg(target_os = "linux")]

use crate::harness::{Folder, orchestrator};

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

/// Runs a shell's words in a folder that is removed first.
fn nowhere(folder: &Folder, words: &str) -> crate::harness::Ended {
    let script = format!("mkdir gone && cd gone && rmdir ../gone && {words}");
    folder.program_in_path("bash", &["-c", &script]).run()
}

#[test]
fn without_a_current_folder_another_can_be_named() {
    let folder = step("echo ran");
    let path = folder.path();
    let words = format!("orchestrator -C {} --steps s", path.display());
    nowhere(&folder, &words).succeeds("ran\n");
    let words = format!("orchestrator -C {} --list", path.display());
    assert!(nowhere(&folder, &words).stdout().contains('s'));
}

#[test]
fn without_a_current_folder_that_is_told() {
    let folder = step("echo ran");
    let told = "error: cannot find the current folder, which may have been removed\n  \
                caused by: No such file or directory (os error 2)\n\
                hint: go to another folder, or name the pipeline's with `-C /its/folder`\n";
    for words in [
        "orchestrator --steps s",
        "orchestrator -C .. --list",
        "orchestrator --list",
    ] {
        nowhere(&folder, words).fails(1, told);
    }
}

#[test]
fn without_a_path_programs_are_found_where_the_system_has_them() {
    let folder = step("echo ran\necho $0");
    let program = orchestrator();
    let words = format!("exec env -u PATH {} --steps s", program.display());
    folder
        .program_in_path("bash", &["-c", &words])
        .run()
        .succeeds("ran\nbash\n");
}

#[test]
fn no_program_of_ours_is_taken_from_the_current_folder() {
    for path in [
        ":/usr/bin:/bin",
        "/usr/bin:/bin:",
        ".:/usr/bin:/bin",
        "s:/usr/bin::/bin",
    ] {
        let folder = step("echo ran");
        for name in ["bash", "s/bash"] {
            folder.file(
                name,
                "#!/bin/sh\ntouch \"$(dirname \"$0\")/taken\"; exit 1\n",
            );
            let status = std::process::Command::new("chmod")
                .args(["+x", name])
                .current_dir(folder.path())
                .status();
            assert!(status.unwrap().success());
        }
        let words = format!("PATH={path} exec {} --steps s", orchestrator().display());
        folder
            .program_in_path("/bin/bash", &["-c", &words])
            .run()
            .succeeds("ran\n");
        assert!(
            !folder.exists("taken") && !folder.exists("s/taken"),
            "{path}"
        );
    }
}

#[test]
fn an_empty_path_has_no_bash() {
    let folder = step("echo ran");
    let words = format!("PATH= exec {} --steps s", orchestrator().display());
    let ended = folder.program_in_path("/bin/bash", &["-c", &words]).run();
    ended.says("caused by: there is no `bash` on PATH").ends(1);
}

#[test]
fn binary_output_is_kept_byte_for_byte() {
    // What is no text only later on, what has returns and escapes, and what looks like a sequence.
    let samples: [&[u8]; 4] = [
        b"10%\r20%\r\x1b[1mdone\x1b[0m\r\n\0\xff\x1b[2K\r",
        b"%PDF-1.4\r%\xe2\xe3\xcf\xd3\r\nno NUL at all\r",
        b"\x1b]never ended",
        b"\xff\xfe\r\r\r\n",
    ];
    for (number, sample) in samples.iter().enumerate() {
        let folder = step("cat ../sample");
        folder.file("sample", sample);
        let ended = folder.orchestrator(&["--steps", "s"]).run();
        ended.ends(0);
        let script = "cmp sample mlruns/0/*/artifacts/s.log";
        let ended = folder.program_in_path("bash", &["-c", script]).run();
        assert_eq!(ended.stdout(), "", "sample {number}");
    }
    let folder = step("head -c 1000000 /dev/urandom | tee ../sample");
    let script =
        "orchestrator --steps s > got; cmp got sample && cmp got mlruns/0/*/artifacts/s.log";
    folder
        .program_in_path("bash", &["-c", script])
        .run()
        .succeeds("");
}

#[test]
fn a_command_that_the_system_does_not_take_is_told_in_the_plan() {
    // The system counts the byte that ends it.
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    let fill = |length: usize| format!("command: 'true {}'", "x".repeat(length - "true ".len()));
    folder.step("s", &fill(131_071));
    folder
        .orchestrator(&["--steps", "s", "--check"])
        .run()
        .ends(0);
    folder.orchestrator(&["--steps", "s"]).run().ends(0);
    folder.step("s", &fill(131_072));
    let told = "error: 1 problem; nothing was run\n  \
                step `s`: the command has 131072 bytes, and the system takes at most 131071 (s/MLproject:3)\n    \
                hint: hand long values over in a file, or put the command in a script\n";
    folder
        .orchestrator(&["--steps", "s", "--check"])
        .run()
        .fails(1, told);
    folder.orchestrator(&["--steps", "s"]).run().fails(1, told);
    // Values count as they are filled in.
    folder.step("s", "parameters: {v: str}\ncommand: 'true {v}'");
    let value = "v".repeat(70_000);
    let twice = format!("command: 'true {{v}} {{v}}'\nparameters: {{v: {value}}}");
    folder.step("t", &twice);
    folder
        .orchestrator(&["--steps", "s", "--v", &value, "--check"])
        .run()
        .ends(0);
    let ended = folder
        .orchestrator(&["--steps", "t", "--v", &value, "--check"])
        .run();
    ended.says("step `t`: the command has 140006 bytes").ends(1);
}
