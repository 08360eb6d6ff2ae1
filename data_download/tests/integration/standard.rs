//! `-`, which stands for standard output.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use nix::pty::openpty;

use crate::program::{Ended, Folder, PROGRAM, bytes, sha256};
use crate::server::{Server, answer, cut, file, range};

/// A download to standard output, with an empty folder for temporary files.
fn command(folder: &Folder, url: &str, more: &[&str]) -> Command {
    let temporary = folder.path("temporary");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = folder.command(PROGRAM);
    command.env("TMPDIR", temporary);
    command.args(["--data_url", url, "--output", "-"]);
    command.args(more);
    command
}

/// Expects that nothing was made but what stood there.
#[track_caller]
fn assert_nothing_left(folder: &Folder, names: &[&str]) {
    let names = names.iter().map(|name| (*name).to_owned());
    assert_eq!(
        folder.names(),
        names.chain(["temporary".to_owned()]).collect()
    );
    assert_eq!(fs::read_dir(folder.path("temporary")).unwrap().count(), 0);
}

#[test]
fn gets_the_file_when_all_is_there() {
    let (folder, content) = (Folder::new(), bytes(300_000));
    let body = content.clone();
    let server = Server::talking(move |head, stream| {
        let whole = file(head, &body, "\"v1\"");
        let sent = match range(head) {
            None => cut(&whole, 1000),
            Some(_) => whole,
        };
        stream.write_all(&sent).ok();
    });
    let hash = sha256(&content);
    let options = ["--retry_delay", "1ms", "--sha256", &hash];
    let output = command(&folder, &server.url("/"), &options)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.ends_with(" s -> standard output\n"), "{told}");
    assert!(output.stdout == content);
    assert_eq!(range(&server.requests()[1]), Some(1000));
    assert_nothing_left(&folder, &[]);
}

#[test]
fn gets_what_was_unpacked() {
    let folder = Folder::new();
    let packed = zstd::encode_all(&b"a,b\n"[..], 1).unwrap();
    folder.write("x.zst", packed);
    let output = command(&folder, "x.zst", &["--decompress"])
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(0), &b"a,b\n"[..])
    );
    assert_nothing_left(&folder, &["x.zst"]);
}

/// Also behind what is there, as with `>>`.
#[test]
fn is_written_to_and_not_replaced() {
    let folder = Folder::new();
    folder.write("in.csv", "a,b\n");
    folder.write("log", "before\n");
    let log = File::options()
        .append(true)
        .open(folder.path("log"))
        .unwrap();
    let mut command = command(&folder, "in.csv", &[]);
    assert!(command.stdout(Stdio::from(log)).status().unwrap().success());
    assert_eq!(folder.read("log"), b"before\na,b\n");
    assert_nothing_left(&folder, &["in.csv", "log"]);
}

#[test]
fn gets_nothing_of_what_is_refused() {
    let folder = Folder::new();
    let server = Server::answering(|_| answer("200 OK", "a,b\n"));
    let (url, hash) = (server.url("/"), "0".repeat(64));
    let found = sha256(b"a,b\n");
    Ended::of(&mut command(&folder, &url, &["--sha256", &hash])).failed(&format!(
        "error: cannot download `{url}`: the file has the SHA-256 {found}, expected {hash}"
    ));
    assert_nothing_left(&folder, &[]);
}

#[test]
fn tells_when_it_takes_no_more() {
    let folder = Folder::new();
    folder.write("in.csv", "a,b\n");
    let ended = |output: Stdio| Ended::of_output(command(&folder, "in.csv", &[]).stdout(output));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    ended(Stdio::from(writer))
        .failed("error: cannot write to standard output: Broken pipe (os error 32)");
    #[cfg(target_os = "linux")]
    ended(Stdio::from(File::create("/dev/full").unwrap()))
        .failed("error: cannot write to standard output: No space left on device (os error 28)");
    assert_nothing_left(&folder, &["in.csv"]);
}

#[test]
fn a_folder_for_temporary_files_is_needed() {
    let folder = Folder::new();
    folder.write("in.csv", "a,b\n");
    let mut command = command(&folder, "in.csv", &[]);
    Ended::of(command.env("TMPDIR", "missing"))
        .failed_with(1, "error: cannot write a file in folder `missing`: ");
}

/// A stranger's file must not give orders to the terminal.
#[test]
fn a_terminal_gets_no_file() {
    let folder = Folder::new();
    folder.write("in.csv", "\x1b]0;t\x07\n");
    let pty = openpty(None, None).unwrap();
    let mut command = command(&folder, "in.csv", &[]);
    command
        .stdout(Stdio::from(pty.slave))
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut told = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    assert_eq!(
        told,
        "error: standard output is a terminal, which would obey what is in the file; \
         expected a file or a pipe, such as `--output - | less`\n"
    );
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn is_not_compared_with_the_last_time() {
    let folder = Folder::new();
    Ended::of(&mut command(&folder, "in.csv", &["--if_changed"])).failed_with(
        2,
        "error: `--if_changed` compares with the file of the last time, and `--output -` keeps none; \
         expected the name of a file",
    );
    // Given, but not asked for.
    folder.write("in.csv", "");
    Ended::of(&mut command(&folder, "in.csv", &["--if_changed", "false"]))
        .said("data_download: 0 bytes in X s -> standard output");
}

#[test]
fn a_file_of_that_name_needs_a_folder() {
    let folder = Folder::new();
    folder.write("in.csv", "a,b\n");
    folder
        .download(&["--data_url", "in.csv", "--output", "./-"])
        .succeeded(4, "./-");
    assert_eq!(folder.read("-"), b"a,b\n");
    folder
        .download(&["--data_url", "./-"])
        .succeeded(4, "raw_data.csv");
    folder.download(&["--data_url", "-"]).failed(
        "error: standard input cannot be downloaded; expected an http, https or file URL or the path \
         of a file, `./-` for one of that name",
    );
}
