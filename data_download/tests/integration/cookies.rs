//! Cookies that servers set on the way to the file.

use std::io::{Read, Write};

use crate::program::Folder;
use crate::server::{Server, answer, cut, file, range, value, with_head};

/// Many a login sets one and leads back to where it was asked for.
#[test]
fn a_cookie_comes_back_to_its_host() {
    let server = Server::talking(|head, stream| {
        let sent = match value(head, "cookie") {
            Some("session=one") => answer("200 OK", "a,b\n"),
            _ => with_head(
                "302 Found",
                "Location: /x.csv\r\nSet-Cookie: session=one",
                "",
            ),
        };
        stream.write_all(&sent).ok();
    });
    let folder = Folder::new();
    let url = server.url("/x.csv");
    for _ in 0..2 {
        folder
            .download(&["--data_url", &url])
            .succeeded(4, "raw_data.csv");
    }
    // Of one run alone.
    let cookies = server.requests().into_iter();
    let cookies: Vec<_> = cookies
        .map(|head| value(&head, "cookie").is_some())
        .collect();
    assert_eq!(cookies, [false, true, false, true]);
    assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
}

#[test]
fn a_cookie_does_not_go_to_another_host() {
    let other = Server::answering(|_| answer("200 OK", "a,b\n"));
    let there = format!("http://localhost:{}/x.csv", other.address().port());
    let server = Server::answering(move |_| {
        let headers = format!("Location: {there}\r\nSet-Cookie: session=one");
        with_head("302 Found", &headers, "")
    });
    let folder = Folder::new();
    let cookie = ["--header", "Cookie: mine=1"];
    folder
        .download(&[&["--data_url", &server.url("/")], &cookie[..]].concat())
        .succeeded(4, "raw_data.csv");
    assert_eq!(value(&server.requests()[0], "cookie"), Some("mine=1"));
    assert_eq!(value(&other.requests()[0], "cookie"), None);
}

/// The next attempt is the same visitor.
#[test]
fn a_cookie_is_there_for_the_next_attempt() {
    let server = Server::talking(|head, stream| {
        let tag = "\"v1\"\r\nSet-Cookie: session=one";
        let whole = file(head, b"a,b,c\n", tag);
        let sent = match range(head) {
            None => cut(&whole, 3),
            Some(start) => {
                let part = format!("Content-Range: bytes {start}-5/6\r\nContent-Length: 3");
                with_head("206 Partial Content", &part, b",c\n")
            }
        };
        stream.write_all(&sent).ok();
    });
    let folder = Folder::new();
    let ended = folder.download(&["--data_url", &server.url("/"), "--retry_delay", "1ms"]);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert_eq!(folder.read("raw_data.csv"), b"a,b,c\n");
    assert_eq!(value(&server.requests()[1], "cookie"), Some("session=one"));
}

/// A server that takes no second request from a connection, without saying so.
#[test]
fn a_connection_that_was_closed_costs_no_attempt() {
    let server = Server::serving(|path, stream| {
        if path == "/old" {
            let redirect = "HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(redirect.as_bytes()).unwrap();
            // Until it is asked again, or left.
            stream.read_exact(&mut [0]).ok();
        } else {
            stream.write_all(&answer("200 OK", "a,b\n")).ok();
        }
    });
    let folder = Folder::new();
    folder
        .download(&["--data_url", &server.url("/old"), "--retries", "0"])
        .succeeded(4, "raw_data.csv");
    assert_eq!(server.requests().len(), 2);
}
