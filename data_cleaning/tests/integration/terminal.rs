//! On a terminal, which `script` makes: it runs a command in one and copies what is shown there.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;

use crate::harness::{BINARY, Folder, writable};

/// Runs the binary in a terminal, gives each new state of the screen to `look`, and in the end all
/// that was shown.
fn shown(folder: &Folder, arguments: &str, mut look: impl FnMut(&str)) -> String {
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command"]);
    command.args([&format!("{BINARY} {arguments}"), "/dev/null"]);
    command.current_dir(folder.path("")).env("TERM", "xterm");
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut screen, mut bytes) = (child.stdout.take().unwrap(), Vec::new());
    let mut some = [0; 4096];
    loop {
        let length = screen.read(&mut some).unwrap();
        if length == 0 {
            break;
        }
        bytes.extend_from_slice(&some[..length]);
        look(&String::from_utf8_lossy(&bytes));
    }
    assert!(child.wait().unwrap().success());
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_terminal_shows_the_nulls_as_a_table() {
    let folder = Folder::with("Age,Cabin,Name\n1,,x\n2,,y\n,B2,z\n4,C,v\n");
    for output in writable(&["clean_data.csv", "clean.parquet"]) {
        let screen = shown(&folder, &format!("--output {output}"), |_| ());
        let expected = [
            &format!("data_cleaning: 4 rows read, 3 dropped, 1 kept -> {output}"),
            "  column  nulls   share",
            "  Age         1   25.0%  ██████",
            "  Cabin       2   50.0%  ████████████",
            "",
        ];
        // Nothing but that: a short run has no progress.
        assert_eq!(screen, expected.join("\r\n"));
    }
}

#[test]
fn a_long_run_shows_its_progress() {
    let folder = Folder::empty();
    folder.run_command(Command::new("/usr/bin/mkfifo").arg("pipe"));
    let path = folder.path("pipe");
    let (seen, asked) = channel();
    let writer = thread::spawn(move || {
        let mut pipe = OpenOptions::new().write(true).open(path).unwrap();
        pipe.write_all(b"a,b\n").unwrap();
        // As long as it takes until it is shown.
        while asked.try_recv() == Err(TryRecvError::Empty) {
            pipe.write_all(&b"1,\n".repeat(10_000)).unwrap();
        }
        pipe.write_all(b"1,2\n").unwrap();
    });
    let screen = shown(&folder, "--input pipe", |screen| {
        if screen.contains("iB/s") {
            seen.send(()).ok();
        }
    });
    writer.join().unwrap();
    assert!(screen.contains("iB, "), "{screen}");
    // It is gone before the table comes, and not in the way of it.
    let last = screen.rsplit("\u{1b}[2K").next().unwrap();
    let table = last.trim_start_matches(['\r']);
    assert!(table.starts_with("data_cleaning: "), "{last:?}");
    assert!(table.contains("\r\n  column  "), "{last:?}");
    assert_eq!(folder.read("clean_data.csv"), "a,b\n1,2\n");
}

#[cfg(feature = "tables")]
#[test]
fn the_progress_of_a_file_has_the_time_that_is_left() {
    // Packed it is small, and takes long enough to read.
    let rows = zstd::encode_all("1,\n".repeat(2 << 20).as_bytes(), 1).unwrap();
    let header = zstd::encode_all(&b"a,b\n"[..], 1).unwrap();
    let folder = Folder::with([header, rows.repeat(100)].concat());
    let size = std::fs::metadata(folder.path("raw_data.csv"))
        .unwrap()
        .len();
    let screen = shown(&folder, "--output clean.parquet", |_| ());
    for part in [" of ", "/s, ", " left"] {
        assert!(screen.contains(part), "{size}, {part}: {screen}");
    }
    assert!(
        screen.contains("100.0%  ████████████████████████\r\n"),
        "{screen}"
    );
}
