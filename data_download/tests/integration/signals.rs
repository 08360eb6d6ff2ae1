//! Signals that the caller ignores, and streams that nobody reads.

use std::fs::{File, metadata};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::yield_now;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::program::{Ended, Folder, PROGRAM};
use crate::server::{Server, with_head};

/// A server that sends 5 of 10 bytes and the rest when the sender is used.
fn pausing_server() -> (Server, Sender<()>) {
    let (go_on, told): (_, Receiver<()>) = channel();
    let told = Mutex::new(told);
    let server = Server::serving(move |_, stream| {
        let half = with_head("200 OK", "Content-Length: 10", "12345");
        stream.write_all(&half).unwrap();
        told.lock().unwrap().recv().ok();
        stream.write_all(b"67890").ok();
    });
    (server, go_on)
}

/// Starts a download by a shell that says `before` first, and waits until half of it is there.
fn half_done(folder: &Folder, before: &str, url: &str) -> Child {
    let script = format!(r#"{before}; exec "$0" "$@""#);
    let mut bash = folder.command("/bin/bash");
    bash.args(["-c", &script, PROGRAM, "--data_url", url]);
    let child = bash.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    let partial = folder.path("raw_data.csv.partial");
    while metadata(&partial).map_or(0, |file| file.len()) < 5 {
        yield_now();
    }
    child
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

/// As `nohup` does, and a script for SIGINT of what it runs in the background.
#[test]
#[cfg(target_os = "linux")]
fn a_signal_that_the_caller_ignores_stays_ignored() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let folder = Folder::new();
        let (server, go_on) = pausing_server();
        let ignored = format!("trap '' {}", signal as i32);
        let child = half_done(&folder, &ignored, &server.url("/"));
        send(&child, signal);
        go_on.send(()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(folder.read("raw_data.csv"), b"1234567890");
        assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
    }
}

/// Ignoring one of them says nothing about the others.
#[test]
fn the_other_signals_still_count() {
    let cases = [
        ("trap '' INT HUP", Signal::SIGTERM),
        ("trap '' TERM", Signal::SIGINT),
        ("true", Signal::SIGHUP),
    ];
    for (ignored, signal) in cases {
        let folder = Folder::new();
        let (server, _go_on) = pausing_server();
        let child = half_done(&folder, ignored, &server.url("/"));
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(signal as i32));
        assert!(!folder.path("raw_data.csv").exists());
    }
}

/// A script ignores SIGINT for what it runs in the background, as POSIX says.
#[test]
#[cfg(target_os = "linux")]
fn what_a_script_runs_in_the_background_is_not_interrupted() {
    use std::os::unix::process::CommandExt;
    let folder = Folder::new();
    let (server, go_on) = pausing_server();
    let mut bash = folder.command("/bin/bash");
    let script = r#""$0" "$@" & wait $!"#;
    bash.args(["-c", script, PROGRAM, "--data_url", &server.url("/")]);
    let child = bash
        .process_group(0)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let partial = folder.path("raw_data.csv.partial");
    while metadata(&partial).map_or(0, |file| file.len()) < 5 {
        yield_now();
    }
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::killpg(group, Signal::SIGINT).unwrap();
    go_on.send(()).unwrap();
    // It holds the other end until it ends, whatever became of the shell.
    let output = child.wait_with_output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("10 bytes in "),
        "{output:?}"
    );
    assert_eq!(folder.read("raw_data.csv"), b"1234567890");
}

#[test]
#[cfg(target_os = "linux")]
fn help_that_cannot_be_written_is_an_error() {
    let folder = Folder::new();
    let mut command = folder.command("/bin/bash");
    let full = Ended::of(command.args(["-c", r#""$0" --help > /dev/full"#, PROGRAM]));
    full.failed("error: cannot write to standard output: No space left on device (os error 28)");
    for option in ["--help", "--version"] {
        let mut command = folder.command(PROGRAM);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.arg(option).stdout(Stdio::from(writer));
        assert!(command.status().unwrap().success(), "{option}");
    }
}

/// What the limit of file size stops is told, also where it is not the data.
#[test]
fn a_limit_of_file_size_is_told_for_what_is_unpacked() {
    let folder = Folder::new();
    let packed = zstd::encode_all(&vec![b'x'; 100_000][..], 1).unwrap();
    folder.write("x.zst", packed);
    let mut bash = folder.command("/bin/bash");
    let script = r#"ulimit -f 1; exec "$0" --data_url x.zst --decompress"#;
    let ended = Ended::of(bash.args(["-c", script, PROGRAM]));
    ended.failed(
        "error: cannot download `x.zst`: cannot write `raw_data.csv`: File too large (os error 27)",
    );
    assert_eq!(folder.names(), ["x.zst".to_owned()].into());
}

#[test]
fn a_metrics_pipe_that_nobody_reads_is_not_waited_for() {
    let folder = Folder::new();
    folder.write("x.csv", "a,b\n");
    let pipe = folder.path("metrics");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut command = folder.command(PROGRAM);
    command.env("PIPELINE_METRICS", &pipe);
    let ended = Ended::of(command.args(["--data_url", "x.csv"]));
    ended.failed_with(0, "warning: cannot write the metrics to `");
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");

    // One that somebody reads gets them.
    let reader = File::options().read(true).write(true).open(&pipe).unwrap();
    let ended = Ended::of(command.args(["--output", "again.csv"]));
    ended.succeeded(4, "again.csv");
    let mut figures = [0; 8];
    std::io::Read::read_exact(&mut &reader, &mut figures).unwrap();
    assert_eq!(&figures, b"bytes 4\n");
}
