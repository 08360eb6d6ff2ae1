//! A server that fails in every way it can: the file is whole in the end, or the error is clear.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use crate::program::{Ended, Folder, PROGRAM, bytes, sha256};
use crate::server::{Server, answer, cut, file, range, value, with_head};

const BODY: usize = 300_000;

/// Serves the first requests by `fail`, one after the other, and all later ones well.
fn failing(times: usize, fail: impl Fn(&str, &mut TcpStream) + Send + 'static) -> Server {
    let count = AtomicUsize::new(0);
    let body = bytes(BODY);
    Server::talking(move |head, stream| {
        if count.fetch_add(1, Ordering::Relaxed) < times {
            fail(head, stream);
        } else {
            stream.write_all(&file(head, &body, "\"v1\"")).ok();
        }
    })
}

fn download(folder: &Folder, server: &Server, more: &[&str]) -> Ended {
    let hash = sha256(&bytes(BODY));
    let url = server.url("/x.csv");
    let mut command = folder.command(PROGRAM);
    command.args([
        "--data_url",
        &url,
        "--retry_delay",
        "1ms",
        "--sha256",
        &hash,
    ]);
    Ended::of(command.args(more))
}

/// Expects the whole file, and nothing beside it.
#[track_caller]
fn assert_whole(folder: &Folder, ended: &Ended) {
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert_eq!(folder.read("raw_data.csv"), bytes(BODY));
    assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
}

#[test]
fn survives_a_cut_at_every_tenth() {
    for tenth in 0..10 {
        let body = bytes(BODY);
        let at = BODY / 10 * tenth;
        let server = failing(1, move |head, stream| {
            let sent = cut(&file(head, &body, "\"v1\""), at);
            stream.write_all(&sent).ok();
        });
        let folder = Folder::new();
        assert_whole(&folder, &download(&folder, &server, &[]));
        let [_, second] = server.requests().try_into().unwrap();
        let expected = (at > 0).then_some(at);
        assert_eq!(range(&second), expected);
        let tag = value(&second, "if-range");
        assert_eq!(tag, expected.map(|_| "\"v1\""));
    }
}

/// Ten cuts on the way are no reason to give up when each attempt gets further.
#[test]
fn bytes_start_the_count_of_attempts_anew() {
    let body = bytes(BODY);
    let server = failing(10, move |head, stream| {
        let sent = cut(&file(head, &body, "\"v1\""), BODY / 20);
        stream.write_all(&sent).ok();
    });
    let folder = Folder::new();
    assert_whole(&folder, &download(&folder, &server, &["--retries", "1"]));
    assert_eq!(server.requests().len(), 11);
}

/// Without a tag the rest cannot be asked for, and all starts over, but not for ever.
#[test]
fn gives_up_when_it_never_gets_further() {
    let server = Server::answering(|_| with_head("200 OK", "Content-Length: 10", "12345"));
    let folder = Folder::new();
    let ended = download(&folder, &server, &["--retries", "2"]);
    let url = server.url("/x.csv");
    let cause = "connection closed after 5 of 10 bytes";
    let expected = format!(
        "error: cannot download `{url}` in 3 attempts: {cause}: \
 end of file before message length reached\n"
    );
    assert!(ended.stderr().ends_with(&expected), "{}", ended.stderr());
    let says_so = format!(
        "data_download: {cause}: end of file before message length reached; \
         trying again in 0.0 s\n"
    );
    assert_eq!(ended.stderr().matches(&says_so).count(), 2);
    assert_eq!(ended.code(), Some(1));
    assert!(server.requests().iter().all(|head| range(head).is_none()));
    assert!(folder.names().is_empty());
}

#[test]
fn starts_over_when_the_file_changed_between_attempts() {
    let old = bytes(BODY / 2);
    let server = failing(1, move |head, stream| {
        let sent = cut(&file(head, &old, "\"v0\""), 1000);
        stream.write_all(&sent).ok();
    });
    let folder = Folder::new();
    assert_whole(&folder, &download(&folder, &server, &[]));
    let [_, second] = server.requests().try_into().unwrap();
    assert_eq!(range(&second), Some(1000));
}

/// Parts that are not the one that is missing, from a server that does not know `If-Range`, too.
#[test]
fn starts_over_when_the_range_is_wrong() {
    let wrong = [
        (
            "206 Partial Content",
            "Content-Range: bytes 0-299999/300000",
        ),
        (
            "206 Partial Content",
            "Content-Range: bytes 999-299999/300000",
        ),
        (
            "206 Partial Content",
            "Content-Range: bytes 1000-299998/299999",
        ),
        (
            "206 Partial Content",
            "ETag: \"v2\"\r\nContent-Range: bytes 1000-299999/300000",
        ),
        (
            "206 Partial Content",
            "Content-Range: bytes 1000-1010/300000\r\nContent-Length: 5",
        ),
        ("206 Partial Content", "Content-Range: elephants"),
        (
            "206 Partial Content",
            "Content-Type: multipart/byteranges; boundary=b",
        ),
        ("416 Range Not Satisfiable", "Content-Range: bytes */300000"),
    ];
    for (status, header) in wrong {
        let body = bytes(BODY);
        let server = failing(2, move |head, stream| {
            let sent = match range(head) {
                None => cut(&file(head, &body, "\"v1\""), 1000),
                Some(_) => with_head(status, header, vec![b'?'; 1000]),
            };
            stream.write_all(&sent).ok();
        });
        let folder = Folder::new();
        assert_whole(&folder, &download(&folder, &server, &[]));
        let ranges: Vec<_> = server.requests().iter().map(|head| range(head)).collect();
        assert_eq!(ranges, [None, Some(1000), None], "{header}");
    }
}

/// A server may send less than it was asked for, if it says so.
#[test]
fn goes_on_after_a_shorter_part() {
    let body = bytes(BODY);
    let server = failing(2, move |head, stream| {
        let sent = match range(head) {
            None => cut(&file(head, &body, "\"v1\""), 1000),
            Some(start) => with_head(
                "206 Partial Content",
                &format!("Content-Length: 9\r\nContent-Range: bytes {start}-1008/300000"),
                &body[start..1009],
            ),
        };
        stream.write_all(&sent).ok();
    });
    let folder = Folder::new();
    assert_whole(&folder, &download(&folder, &server, &[]));
    let ranges: Vec<_> = server.requests().iter().map(|head| range(head)).collect();
    assert_eq!(ranges, [None, Some(1000), Some(1009)]);
}

#[test]
fn refuses_wrong_lengths() {
    let body = bytes(BODY);
    // Longer than announced: the rest belongs to nobody, and the hash tells.
    let longer = body.clone();
    let server = Server::answering(move |_| with_head("200 OK", "Content-Length: 9", &longer));
    let folder = Folder::new();
    let ended = download(&folder, &server, &[]);
    ended.failed_with(1, "has the SHA-256");
    assert!(folder.names().is_empty());

    let server = Server::answering(move |_| with_head("200 OK", "Content-Length: x", &body));
    let folder = Folder::new();
    let ended = download(&folder, &server, &["--retries", "0"]);
    ended.failed_with(1, "invalid content-length parsed");
    assert!(folder.names().is_empty());
}

#[test]
fn survives_bursts_of_refusals() {
    for status in [
        "503 Service Unavailable",
        "500 Internal Server Error",
        "429 Too Many Requests",
        "408 Request Timeout",
    ] {
        let server = failing(4, move |_, stream| {
            stream.write_all(&answer(status, "busy")).ok();
        });
        let folder = Folder::new();
        assert_whole(&folder, &download(&folder, &server, &[]));
        assert_eq!(server.requests().len(), 5);
    }
}

#[test]
fn does_not_ask_again_for_what_is_not_there() {
    for status in ["404 Not Found", "403 Forbidden", "410 Gone"] {
        let server = Server::answering(move |_| answer(status, ""));
        let folder = Folder::new();
        let ended = download(&folder, &server, &[]);
        let url = server.url("/x.csv");
        ended.failed(&format!(
            "error: cannot download `{url}`: `{url}` answered {status}, expected 200 OK"
        ));
        assert_eq!(server.requests().len(), 1);
        assert!(folder.names().is_empty());
    }
}

#[test]
fn counts_the_last_attempt_too() {
    let count = AtomicUsize::new(0);
    let server = Server::answering(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => answer("503 Service Unavailable", ""),
        _ => answer("404 Not Found", ""),
    });
    let folder = Folder::new();
    let ended = download(&folder, &server, &[]);
    ended.failed_with(1, "in 2 attempts: `");
    assert_eq!(server.requests().len(), 2);
    assert!(folder.names().is_empty());
}

#[test]
fn waits_as_long_as_the_server_asks() {
    let server = failing(1, |_, stream| {
        let sent = with_head("503 Service Unavailable", "Retry-After: 1", "");
        stream.write_all(&sent).ok();
    });
    let (folder, started) = (Folder::new(), Instant::now());
    let ended = download(&folder, &server, &[]);
    assert_whole(&folder, &ended);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert!(ended.stderr().contains("; trying again in 1.0 s\n"));

    let server = failing(1, |_, stream| {
        let sent = with_head("429 Too Many Requests", "Retry-After: 3600", "");
        stream.write_all(&sent).ok();
    });
    let ended = download(&Folder::new(), &server, &[]);
    let asked = "the server asks to wait 3600 s, and more than 600 s is too long";
    ended.failed_with(1, asked);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn survives_a_stall() {
    let body = bytes(BODY);
    // Kept open, and silent.
    let held = Mutex::new(Vec::new());
    let server = failing(1, move |head, stream| {
        let sent = cut(&file(head, &body, "\"v1\""), 1000);
        stream.write_all(&sent).ok();
        held.lock().unwrap().push(stream.try_clone().unwrap());
    });
    let folder = Folder::new();
    let ended = download(&folder, &server, &["--idle_timeout", "200ms"]);
    assert_whole(&folder, &ended);
    assert!(
        ended.stderr().contains("no data for 0.2 s"),
        "{}",
        ended.stderr()
    );
}

/// The limit is for silence, not for the whole.
#[test]
fn a_slow_server_may_take_its_time() {
    let body = bytes(BODY);
    let server = failing(1, move |head, stream| {
        for piece in file(head, &body, "\"v1\"").chunks(BODY / 20) {
            stream.write_all(piece).ok();
            thread::sleep(Duration::from_millis(50));
        }
    });
    let folder = Folder::new();
    let ended = download(
        &folder,
        &server,
        &["--idle_timeout", "700ms", "--retries", "0"],
    );
    assert_whole(&folder, &ended);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn survives_a_connection_reset() {
    let body = bytes(BODY);
    let server = failing(2, move |head, stream| {
        let sent = cut(&file(head, &body, "\"v1\""), 1000);
        stream.write_all(&sent).ok();
        // Closing now sends RST.
        let linger = nix::libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        setsockopt(stream, sockopt::Linger, &linger).unwrap();
    });
    let folder = Folder::new();
    assert_whole(&folder, &download(&folder, &server, &[]));
}

#[test]
fn a_redirect_loop_is_not_tried_again() {
    let server = Server::answering(|_| with_head("302 Found", "Location: /x.csv", ""));
    let folder = Folder::new();
    let ended = download(&folder, &server, &[]);
    let url = server.url("/x.csv");
    ended.failed(&format!(
        "error: cannot download `{url}`: more than 10 redirects, probably a loop"
    ));
    assert_eq!(server.requests().len(), 11);
    assert!(folder.names().is_empty());
}
