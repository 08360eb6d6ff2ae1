use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use crate::harness::{BINARY, Folder};

const RAW: &str = "a,b\n1,2\n3,\n";
const CLEAN: &str = "a,b\n1,2\n";

fn summary(output: &str) -> String {
    format!("data_cleaning: 2 rows read, 1 dropped, 1 kept -> {output}\n  nulls: b 1")
}

/// Runs the binary in a shell, after `setup`.
fn in_shell(setup: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("{setup}; exec \"$0\""), BINARY]);
    command
}

#[test]
fn input_is_missing() {
    let folder = Folder::empty();
    folder
        .run(&[])
        .assert_failure("cannot read `raw_data.csv`: No such file or directory (os error 2)");
    assert!(folder.names().is_empty());
}

#[test]
fn input_is_a_folder() {
    let folder = Folder::empty();
    folder
        .run(&["--input", "."])
        .assert_failure("cannot read `.`: it is a folder, expected a file");
    assert!(folder.names().is_empty());
}

#[test]
fn input_is_a_pipe() {
    let folder = Folder::empty();
    folder.run_command(Command::new("/usr/bin/mkfifo").arg("pipe"));
    // The shell opens the pipe for writing, and the binary for reading.
    let outcome = folder.run_command(Command::new("bash").args([
        "-c",
        "printf 'a,b\\n1,2\\n3,\\n' > pipe & exec \"$0\" --input pipe",
        BINARY,
    ]));
    outcome.assert_success(&summary("clean_data.csv"));
    assert_eq!(folder.read("clean_data.csv"), CLEAN);
    assert_eq!(folder.names(), ["clean_data.csv", "pipe"]);
}

#[test]
fn output_folder_is_missing() {
    let folder = Folder::with(RAW);
    folder
        .run(&["--output", "no/such/clean.csv"])
        .assert_failure("cannot write `no/such/clean.csv`: there is no folder `no/such`");
    folder
        .run(&["--output", "no/"])
        .assert_failure("cannot write `no/`: there is no such folder");
    assert_eq!(folder.names(), ["raw_data.csv"]);
}

#[test]
fn output_is_a_folder() {
    let folder = Folder::with(RAW);
    fs::create_dir(folder.path("out")).unwrap();
    folder
        .run(&["--output", "out"])
        .assert_failure("cannot write `out`: it is a folder, expected the name of a file");
    assert_eq!(fs::read_dir(folder.path("out")).unwrap().count(), 0);
    assert_eq!(folder.names(), ["out", "raw_data.csv"]);
}

#[test]
fn output_is_a_device() {
    let folder = Folder::with(RAW);
    folder
        .run(&["--output", "/dev/null"])
        .assert_failure("cannot write `/dev/null`: it is not a regular file");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn input_may_be_the_output() {
    let folder = Folder::with(RAW);
    folder
        .run(&["--output", "raw_data.csv"])
        .assert_success(&summary("raw_data.csv"));
    assert_eq!(folder.read("raw_data.csv"), CLEAN);
    assert_eq!(folder.names(), ["raw_data.csv"]);
}

#[test]
fn malformed_input_that_is_the_output_survives() {
    let folder = Folder::with("a,b\n1,2\n3\n");
    folder.run(&["--output", "raw_data.csv"]).assert_failure(
        "cannot read `raw_data.csv`: line 3: expected 2 fields as in the header, found 1; \
         `--on_ragged drop` deletes such rows, `--on_ragged null` takes missing fields for null",
    );
    assert_eq!(folder.read("raw_data.csv"), "a,b\n1,2\n3\n");
    assert_eq!(folder.names(), ["raw_data.csv"]);
}

#[test]
fn a_symbolic_link_is_followed() {
    let folder = Folder::with(RAW);
    symlink("raw_data.csv", folder.path("clean_data.csv")).unwrap();
    folder.run(&[]).assert_success(&summary("clean_data.csv"));
    assert_eq!(folder.read("raw_data.csv"), CLEAN);
    assert!(folder.path("clean_data.csv").is_symlink());
    assert_eq!(folder.names(), ["clean_data.csv", "raw_data.csv"]);
}

#[test]
fn a_hard_link_of_the_input_is_parted_from_it() {
    let folder = Folder::with(RAW);
    fs::hard_link(folder.path("raw_data.csv"), folder.path("clean_data.csv")).unwrap();
    folder.run(&[]).assert_success(&summary("clean_data.csv"));
    assert_eq!(folder.read("raw_data.csv"), RAW);
    assert_eq!(folder.read("clean_data.csv"), CLEAN);
}

#[test]
fn an_older_output_is_replaced() {
    let folder = Folder::with(RAW);
    folder.write(
        "clean_data.csv",
        "older and much longer than the new one\n".repeat(9),
    );
    folder.run(&[]).assert_success(&summary("clean_data.csv"));
    assert_eq!(folder.read("clean_data.csv"), CLEAN);
    assert_eq!(folder.names(), ["clean_data.csv", "raw_data.csv"]);
}

#[test]
fn output_has_the_permissions_of_a_new_file() {
    let folder = Folder::with(RAW);
    for (umask, mode) in [("022", 0o644), ("077", 0o600), ("002", 0o664)] {
        let outcome = folder.run_command(&mut in_shell(&format!("umask {umask}")));
        outcome.assert_success(&summary("clean_data.csv"));
        let metadata = fs::metadata(folder.path("clean_data.csv")).unwrap();
        assert_eq!(metadata.mode() & 0o7777, mode);
        fs::remove_file(folder.path("clean_data.csv")).unwrap();
    }
}

#[test]
fn names_are_neither_patterns_nor_addresses() {
    for name in [
        "[a]*?.csv",
        "http:x.csv",
        "./-",
        "naïve name.csv.gz",
        "a%20b",
    ] {
        let folder = Folder::empty();
        folder.write("a.csv", "wrong\n");
        folder.write(name, RAW);
        let output = format!("{name}.out");
        folder
            .run(&[&format!("--input={name}"), &format!("--output={output}")])
            .assert_success(&summary(&output));
        assert_eq!(folder.read(&output), CLEAN, "{name}");
    }
}

#[test]
fn disk_is_full() {
    // The limit on the size of a file is a full disk that needs no rights.
    let full = "ulimit -f 1; trap '' XFSZ";
    let folder = Folder::with(format!("a,b\n{}", "1,2\n".repeat(5_000)));
    folder.write("clean_data.csv", CLEAN);
    folder
        .run_command(&mut in_shell(full))
        .assert_failure("cannot write `clean_data.csv`: File too large (os error 27)");
    assert_eq!(folder.read("clean_data.csv"), CLEAN);
    assert_eq!(folder.names(), ["clean_data.csv", "raw_data.csv"]);
}

#[test]
fn disk_is_full_at_the_header() {
    let folder = Folder::with(format!("{}\n", "long".repeat(1_000)));
    folder
        .run_command(&mut in_shell("ulimit -f 1; trap '' XFSZ"))
        .assert_failure("cannot write `clean_data.csv`: File too large (os error 27)");
    assert_eq!(folder.names(), ["raw_data.csv"]);
}

#[test]
fn output_folder_is_read_only() {
    let folder = Folder::with(RAW);
    fs::create_dir(folder.path("out")).unwrap();
    fs::set_permissions(folder.path("out"), Permissions::from_mode(0o555)).unwrap();
    let outcome = folder.run(&["--output", "out/clean.csv"]);
    // Root may write there all the same.
    if outcome.code == Some(0) {
        assert_eq!(folder.read("out/clean.csv"), CLEAN);
    } else {
        assert!(
            outcome
                .stderr
                .contains("cannot write `out/clean.csv`: Permission denied")
        );
        assert_eq!(fs::read_dir(folder.path("out")).unwrap().count(), 0);
    }
}
