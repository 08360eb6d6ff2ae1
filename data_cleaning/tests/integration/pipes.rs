//! Pipes, devices and links in the place of files: never a silent wait, never a lost file.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::harness::{BINARY, Folder, writable};

const RAW: &str = "a,b\n1,2\n3,\n";

#[test]
fn waiting_for_a_pipe_is_told() {
    let folder = Folder::empty();
    folder.make_pipe("pipe\n");
    let mut child = folder.start("", &["--input", "pipe\n"]);
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let waiting = "data_cleaning: waiting for something to read from the pipe `pipe\\n`\n";
    assert_eq!(line, waiting);
    let pipe = OpenOptions::new().write(true).open(folder.path("pipe\n"));
    pipe.unwrap().write_all(RAW.as_bytes()).unwrap();
    line.clear();
    said.read_to_string(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
    assert_eq!(folder.read("clean_data.csv"), "a,b\n1,2\n");
}

#[test]
fn an_empty_pipe_is_an_empty_file() {
    let folder = Folder::empty();
    folder.make_pipe("pipe");
    let script = ": > pipe & exec \"$0\" --input pipe";
    let outcome = folder.run_command(Command::new("bash").args(["-c", script, BINARY]));
    let empty = "cannot read `pipe`: ";
    assert!(outcome.stderr.contains(empty), "{}", outcome.stderr);
    assert_eq!(
        (outcome.code, folder.names()),
        (Some(1), vec!["pipe".to_owned()])
    );
}

#[test]
fn metrics_for_a_pipe_that_nobody_reads_are_a_warning() {
    let folder = Folder::with(RAW);
    folder.make_pipe("metrics");
    let run = |metrics: &str| {
        let mut command = Command::new("bash");
        let script = format!("PIPELINE_METRICS={metrics} exec \"$0\"");
        folder.run_command(command.args(["-c", &script, BINARY]))
    };
    let outcome = run("metrics");
    assert_eq!(outcome.code, Some(0));
    let warning = "warning: cannot write the metrics to `metrics`: No such device or address";
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
    // Nothing is no file.
    let outcome = run("''");
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
}

#[test]
fn devices_are_read_as_what_they_give() {
    let folder = Folder::empty();
    for (device, error) in [("/dev/null", "it is empty"), ("/dev/zero", "")] {
        for output in writable(&["x.csv", "x.parquet"]) {
            let outcome = folder.run(&["--input", device, "--output", output]);
            let start = format!("error: cannot read `{device}`: {error}");
            assert!(outcome.stderr.starts_with(&start), "{}", outcome.stderr);
            assert_eq!(outcome.code, Some(1));
        }
    }
    assert!(folder.names().is_empty());
}

#[test]
fn what_is_no_file_is_never_replaced() {
    let folder = Folder::with(RAW);
    folder.make_pipe("pipe");
    symlink("nowhere", folder.path("link")).unwrap();
    symlink("loop", folder.path("loop")).unwrap();
    symlink("/dev/stdout", folder.path("out")).unwrap();
    let names = folder.names();
    for (output, error) in [
        ("pipe", "it is not a regular file"),
        ("/dev/full", "it is not a regular file"),
        (
            "link",
            "it is a symbolic link to a file that does not exist",
        ),
        (
            "loop",
            "it is a symbolic link to a file that does not exist",
        ),
    ] {
        folder
            .run(&["--output", output])
            .assert_failure(&format!("cannot write `{output}`: {error}"));
    }
    // What is written there by others goes on to be in the file.
    for output in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "out"] {
        let script = format!("( echo before; \"$0\" --output {output}; echo after ) > log");
        let outcome = folder.run_command(Command::new("bash").args(["-c", &script, BINARY]));
        assert_eq!(
            outcome.stderr,
            format!(
                "error: cannot write `{output}`: it stands for a file that is open already, \
                 expected the name of a file, or `-` for standard output\n"
            )
        );
        assert_eq!(folder.read("log"), "before\nafter\n");
        fs::remove_file(folder.path("log")).unwrap();
    }
    assert_eq!(folder.names(), names);
}
