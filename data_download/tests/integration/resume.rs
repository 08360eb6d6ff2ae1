use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::program::{Folder, PROGRAM, bytes, sha256};
use crate::server::{Server, cut, file, range, with_head};

const BODY: usize = 100_000;

/// Cuts the whole file after 1000 bytes, and sends the rest well.
fn cutting(etag: &'static str) -> Server {
    let body = bytes(BODY);
    Server::talking(move |head, stream| {
        let whole = file(head, &body, etag);
        let sent = match range(head) {
            None => cut(&whole, 1000),
            Some(_) => whole,
        };
        stream.write_all(&sent).ok();
    })
}

fn honest(etag: &'static str) -> Server {
    Server::talking(move |head, stream| {
        stream.write_all(&file(head, &bytes(BODY), etag)).ok();
    })
}

const NOTE: &str = "data_download: 1000 of 100000 bytes are kept in `raw_data.csv.partial`, \
                    and the same command continues there\n";

fn left_by_a_cut() -> [String; 2] {
    ["raw_data.csv.partial", "raw_data.csv.partial.source"].map(str::to_owned)
}

/// Leaves 1000 bytes of `url` in the folder.
#[track_caller]
fn leave_partial(folder: &Folder, url: &str) {
    let ended = folder.download(&["--data_url", url, "--retries", "0"]);
    ended.failed_with(1, "connection closed after 1000 of 100000 bytes");
    assert!(ended.stderr().ends_with(NOTE), "{}", ended.stderr());
    assert_eq!(folder.names(), left_by_a_cut().into());
    assert_eq!(folder.read("raw_data.csv.partial"), bytes(BODY)[..1000]);
}

#[track_caller]
fn assert_whole(folder: &Folder) {
    assert_eq!(folder.read("raw_data.csv"), bytes(BODY));
    assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
}

#[test]
fn the_next_run_continues() {
    let (folder, server) = (Folder::new(), cutting("\"v1\""));
    let url = server.url("/x.csv");
    leave_partial(&folder, &url);
    let hash = sha256(&bytes(BODY));
    folder.download(&["--data_url", &url]).said(
        "data_download: 100000 bytes in X s, 1000 of them from an earlier run -> raw_data.csv",
    );
    assert_whole(&folder);

    // With a hash, which has to cover what was there before.
    let with_hash = ["--data_url", &url, "--sha256", &hash];
    let folder = Folder::new();
    let ended = folder.download(&[&with_hash[..], &["--retries", "0"]].concat());
    assert!(ended.stderr().ends_with(NOTE), "{}", ended.stderr());
    assert_eq!(folder.download(&with_hash).code(), Some(0));
    assert_whole(&folder);
}

/// As when it was killed between the last byte and the rename.
#[test]
fn a_whole_partial_file_is_confirmed_by_its_last_byte() {
    let (folder, server) = (Folder::new(), cutting("\"v1\""));
    let url = server.url("/x.csv");
    leave_partial(&folder, &url);
    folder.write("raw_data.csv.partial", bytes(BODY));
    assert_eq!(folder.download(&["--data_url", &url]).code(), Some(0));
    assert_whole(&folder);
    let requests = server.requests();
    assert_eq!(range(requests.last().unwrap()), Some(BODY - 1));
}

#[test]
fn a_file_that_changed_meanwhile_starts_over() {
    let folder = Folder::new();
    let etag = std::sync::Arc::new(Mutex::new("\"v1\""));
    let (seen, changed) = (std::sync::Arc::clone(&etag), bytes(BODY));
    let server = Server::talking(move |head, stream| {
        let etag = *seen.lock().unwrap();
        let whole = file(head, &changed, etag);
        let sent = if etag == "\"v1\"" {
            cut(&whole, 1000)
        } else {
            whole
        };
        stream.write_all(&sent).ok();
    });
    let url = server.url("/x.csv");
    leave_partial(&folder, &url);
    *etag.lock().unwrap() = "\"v2\"";
    folder
        .download(&["--data_url", &url])
        .succeeded(BODY, "raw_data.csv");
    assert_whole(&folder);
    let [_, second] = server.requests().try_into().unwrap();
    assert_eq!(range(&second), Some(1000));
}

#[test]
fn the_partial_file_of_another_request_is_not_continued() {
    let (folder, server) = (Folder::new(), cutting("\"v1\""));
    leave_partial(&folder, &server.url("/x.csv?page=1"));

    // It is left alone as long as there is nothing to put in its place.
    let none = Server::answering(|_| with_head("404 Not Found", "Content-Length: 0", ""));
    let ended = folder.download(&["--data_url", &none.url("/x.csv")]);
    ended.failed_with(1, "answered 404 Not Found");
    assert_eq!(folder.names(), left_by_a_cut().into());

    let other = honest("\"v1\"");
    folder
        .download(&["--data_url", &other.url("/x.csv?page=2")])
        .succeeded(BODY, "raw_data.csv");
    assert_whole(&folder);
    assert_eq!(range(&other.requests()[0]), None);
}

#[test]
fn what_nobody_knows_the_version_of_is_not_continued() {
    let (folder, server) = (Folder::new(), honest("\"v1\""));
    let url = server.url("/x.csv");
    let cases: [&[(&str, &[u8])]; 3] = [
        &[("raw_data.csv.partial", b"123")],
        &[
            ("raw_data.csv.partial", b"123"),
            (
                "raw_data.csv.partial.source",
                b"data_download 1\nrequest x\n",
            ),
        ],
        &[("raw_data.csv.partial.source", b"data_download 1\nend\n")],
    ];
    for files in cases {
        for (name, content) in files {
            folder.write(name, content);
        }
        folder
            .download(&["--data_url", &url])
            .succeeded(BODY, "raw_data.csv");
        assert_whole(&folder);
    }
    assert!(server.requests().iter().all(|head| range(head).is_none()));
}

/// After a power failure a file may have its length, but not its bytes.
#[test]
#[cfg(target_os = "linux")]
fn what_was_written_before_the_machine_started_is_not_continued() {
    let (folder, server) = (Folder::new(), cutting("\"v1\""));
    let url = server.url("/x.csv");
    leave_partial(&folder, &url);
    let record = String::from_utf8(folder.read("raw_data.csv.partial.source")).unwrap();
    let mark = record
        .lines()
        .find(|line| line.starts_with("mark "))
        .unwrap();
    folder.write(
        "raw_data.csv.partial.source",
        record.replace(mark, "mark earlier"),
    );
    folder
        .download(&["--data_url", &url, "--retries", "0"])
        .failed_with(1, "connection closed after 1000 of 100000 bytes");
    assert!(server.requests().iter().all(|head| range(head).is_none()));
}

#[test]
fn a_weak_tag_is_not_enough() {
    let (folder, server) = (Folder::new(), cutting("w/\"v1\""));
    let ended = folder.download(&[
        "--data_url",
        &server.url("/x.csv"),
        "--retries=1",
        "--retry_delay=0",
    ]);
    ended.failed_with(1, "in 2 attempts");
    assert!(!ended.stderr().contains("kept"), "{}", ended.stderr());
    assert!(folder.names().is_empty());
    assert!(server.requests().iter().all(|head| range(head).is_none()));
}

#[test]
fn a_date_will_do() {
    let (folder, body) = (Folder::new(), bytes(BODY));
    let date = "Mon, 02 Nov 2026 10:00:00 GMT";
    let server = Server::talking(move |head, stream| {
        let sent = match range(head) {
            None => {
                let head = format!("Last-Modified: {date}\r\nContent-Length: {BODY}");
                with_head("200 OK", &head, &body[..1000])
            }
            Some(start) => {
                let last = BODY - 1;
                let head = format!("Content-Range: bytes {start}-{last}/{BODY}");
                with_head("206 Partial Content", &head, &body[start..])
            }
        };
        stream.write_all(&sent).ok();
    });
    let url = server.url("/x.csv");
    let ended = folder.download(&["--data_url", &url, "--retry_delay", "0"]);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert_whole(&folder);
    let [_, second] = server.requests().try_into().unwrap();
    let condition = format!("if-range: {}", date.to_lowercase());
    assert!(second.contains(&condition), "{second}");
}

/// Somebody has changed the bytes between the runs, which only the hash tells.
#[test]
fn a_spoilt_partial_file_is_replaced() {
    let (folder, server) = (Folder::new(), cutting("\"v1\""));
    let (url, hash) = (server.url("/x.csv"), sha256(&bytes(BODY)));
    let arguments = ["--data_url", &url, "--sha256", &hash, "--retry_delay", "0"];
    let cut = [&arguments[..], &["--retries", "0"]].concat();
    assert_eq!(folder.download(&cut).code(), Some(1));
    folder.write("raw_data.csv.partial", [b'?'; 1000]);

    let ended = folder.download(&arguments);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert!(
        ended.stderr().contains("; starting over\n"),
        "{}",
        ended.stderr()
    );
    assert_whole(&folder);
}

#[test]
fn a_signal_keeps_what_can_be_continued() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = Folder::new();
        folder.write("raw_data.csv", "old");
        let (tell, told) = channel();
        let held = Mutex::new(Vec::new());
        let server = Server::talking(move |head, stream| {
            let whole = file(head, &bytes(BODY), "\"v1\"");
            if range(head).is_some() {
                stream.write_all(&whole).ok();
                return;
            }
            stream.write_all(&cut(&whole, 1000)).unwrap();
            held.lock().unwrap().push(stream.try_clone().unwrap());
            tell.send(()).unwrap();
        });
        let url = server.url("/x.csv");
        let mut command = folder.command(PROGRAM);
        command.args(["--data_url", &url]).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        told.recv().unwrap();
        let partial = folder.path("raw_data.csv.partial");
        while std::fs::metadata(&partial).map_or(0, |file| file.len()) < 1000 {
            std::thread::yield_now();
        }
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(signal as i32));
        let expected = NOTE.replace("data_download: ", "data_download: stopped; ");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
        assert_eq!(folder.read("raw_data.csv"), b"old");

        assert_eq!(folder.download(&["--data_url", &url]).code(), Some(0));
        assert_whole(&folder);
    }
}

#[test]
fn refuses_a_partial_file_that_is_none() {
    let folder = Folder::new();
    folder.write("precious", "x");
    std::os::unix::fs::symlink("precious", folder.path("raw_data.csv.partial")).unwrap();
    let server = honest("\"v1\"");
    folder
        .download(&["--data_url", &server.url("/x.csv")])
        .failed(
            "error: `raw_data.csv.partial` is not a regular file and is in the way, \
             remove it or choose another --output",
        );
    assert_eq!(folder.read("precious"), b"x");
    assert!(server.requests().is_empty());
}
