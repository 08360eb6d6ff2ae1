use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::program::{Folder, PROGRAM};
use crate::server::{Server, with_head};

/// A server that sends 5 of 10 bytes, tells so, and goes on when the sender is used or dropped.
fn pausing_server() -> (Server, Receiver<()>, Sender<()>) {
    let (halfway, at_half) = channel();
    let (go_on, told) = channel();
    let told = Mutex::new(told);
    let server = Server::serving(move |_, stream| {
        let half = with_head("200 OK", "Content-Length: 10", "12345");
        stream.write_all(&half).unwrap();
        halfway.send(()).unwrap();
        told.lock().unwrap().recv().ok();
        stream.write_all(b"67890").ok();
    });
    (server, at_half, go_on)
}

#[test]
fn a_signal_leaves_nothing_behind() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = Folder::new();
        folder.write("raw_data.csv", "old");
        let (server, at_half, _go_on) = pausing_server();
        let mut command = folder.command(PROGRAM);
        command.args(["--data_url", &server.url("/")]);
        let child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();

        at_half.recv().unwrap();
        assert_eq!(
            folder.names().len(),
            2,
            "the partial file lies beside the output"
        );
        let pid = i32::try_from(child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();

        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(signal as i32));
        assert_eq!((output.stdout, output.stderr), (Vec::new(), Vec::new()));
        assert_eq!(folder.read("raw_data.csv"), b"old");
        assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
    }
}

#[test]
fn shows_progress_on_a_terminal() {
    let pty = openpty(None, None).unwrap();
    let terminal = File::from(pty.slave);

    let folder = Folder::new();
    let (server, _at_half, go_on) = pausing_server();
    let mut command = folder.command(PROGRAM);
    command
        .env("TERM", "xterm")
        .args(["--data_url", &server.url("/")]);
    let mut child = command.stderr(Stdio::from(terminal)).spawn().unwrap();
    // The command keeps the terminal open, and its end is the end of what can be read.
    drop(command);

    let mut screen = File::from(pty.master);
    let mut shown = String::new();
    while !shown.contains("5 B of 10 B [") {
        let mut some = [0; 4096];
        let length = screen.read(&mut some).expect("progress before the end");
        shown.push_str(&String::from_utf8_lossy(&some[..length]));
    }
    go_on.send(()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(folder.read("raw_data.csv"), b"1234567890");
}
