//! Answers that never come to their end cost neither time nor memory.

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use crate::program::{Ended, Folder, PROGRAM};
use crate::server::{Server, answer};

/// Sends `start`, then `again` until the client hangs up.
fn endless(start: &'static str, again: &'static str, pause: Duration) -> Server {
    Server::serving(move |_, stream: &mut TcpStream| {
        stream.write_all(start.as_bytes()).ok();
        while stream.write_all(again.as_bytes()).is_ok() {
            sleep(pause);
        }
    })
}

#[test]
fn no_part_of_an_answer_is_read_for_ever() {
    const OK: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
    let (now, slowly) = (Duration::ZERO, Duration::from_millis(50));
    let cases = [
        (OK, "X-Some: header\r\n", now, "message head is too large"),
        (
            "HTTP/1.1 200 OK\r\nX: ",
            "aaaaaaaa",
            now,
            "message head is too large",
        ),
        ("HTTP/1.1 200 OK\r\nX: ", "a", slowly, "no data for 1 s"),
        (
            "",
            "HTTP/1.1 100 Continue\r\n\r\n",
            slowly,
            "no data for 1 s",
        ),
    ];
    for (start, again, pause, expected) in cases {
        let server = endless(start, again, pause);
        let folder = Folder::new();
        let mut bash = folder.command("/bin/bash");
        let script = r#"ulimit -d 32768; exec "$0" "$@""#;
        bash.args(["-c", script, PROGRAM, "--data_url", &server.url("/")]);
        let ended = Ended::of(bash.args(["--retries=0", "--idle_timeout=1s"]));
        ended.failed_with(1, expected);
        assert!(folder.names().is_empty());
    }
}

#[test]
fn numbers_without_sense_in_retry_after_are_not_waited_for() {
    for after in ["99999999999", "18446744073709551616", "-1", "1e9", "\t"] {
        let refused = format!("503 Service Unavailable\r\nRetry-After: {after}");
        let server = Server::answering(move |_| answer(&refused, ""));
        let url = server.url("/");
        let folder = Folder::new();
        let ended = folder.download(&["--data_url", &url, "--retries=1", "--retry_delay=0"]);
        ended.failed_with(1, "answered 503 Service Unavailable");
        assert!(folder.names().is_empty());
    }
}
