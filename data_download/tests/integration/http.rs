use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;

use crate::program::Folder;
use crate::server::{Server, answer, with_head};

#[test]
fn writes_the_body_as_it_was_sent() {
    let body: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let sent = body.clone();
    let server = Server::answering(move |_| answer("200 OK", &sent));
    let folder = Folder::new();

    let ended = folder.download(&["--data_url", &server.url("/t.csv"), "--output", "t.csv"]);

    ended.succeeded(3_000_000, "t.csv");
    assert_eq!(folder.read("t.csv"), body);
    assert_eq!(folder.names(), ["t.csv".to_owned()].into());
}

#[test]
fn asks_once_for_the_bytes_as_they_are() {
    let server = Server::answering(|_| answer("200 OK", "a,b\n"));
    let folder = Folder::new();

    let url = server.url("/some%20file.csv?page=1");
    folder
        .download(&["--data-url", &url])
        .succeeded(4, "raw_data.csv");

    let [request] = server.requests().try_into().unwrap();
    assert!(
        request.starts_with("get /some%20file.csv?page=1 http/1.1\n"),
        "{request}"
    );
    assert!(request.contains("\naccept-encoding: identity"), "{request}");
    assert!(
        request.contains("\nuser-agent: data_download/"),
        "{request}"
    );
}

#[test]
fn reads_chunked_and_empty_bodies() {
    let server = Server::answering(|path| match path {
        "/empty" => answer("200 OK", ""),
        _ => with_head(
            "200 OK",
            "Transfer-Encoding: chunked",
            "2\r\na,\r\n2\r\nb\n\r\n0\r\n\r\n",
        ),
    });
    let folder = Folder::new();
    folder
        .download(&["--data_url", &server.url("/")])
        .succeeded(4, "raw_data.csv");
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
    folder
        .download(&["--data_url", &server.url("/empty")])
        .succeeded(0, "raw_data.csv");
    assert_eq!(folder.read("raw_data.csv"), b"");
}

#[test]
fn refuses_every_status_but_200() {
    for status in [
        "404 Not Found",
        "500 Internal Server Error",
        "204 No Content",
        "206 Partial Content",
    ] {
        let server = Server::answering(move |_| answer(status, "<html>sorry</html>"));
        let url = server.url("/x.csv");
        let expected =
            format!("error: cannot download `{url}`: `{url}` answered {status}, expected 200 OK");
        Folder::new().assert_refused(&url, &expected);
    }
}

/// In the words of the server, but nothing that a terminal obeys, and no secret.
#[test]
fn tells_why_a_server_refuses() {
    let cases = [
        (
            "403 Forbidden",
            "Content-Type: application/json",
            "{\"message\":\n  \"no access for k3y, \u{1b}[31mask\"}",
            "; it says: {\"message\": \"no access for ***, \\u{1b}[31mask\"}",
        ),
        (
            "404 Not Found",
            "Content-Type: application/xml",
            "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>",
            "; it says: NoSuchKey",
        ),
        (
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Bearer",
            "",
            "; it asks for a login by Basic or Bearer, as netrc or --header_from has it",
        ),
        ("410 Gone", "Content-Encoding: br", "????", ""),
        ("410 Gone", "Content-Length: 1000", "cut", "; it says: cut"),
    ];
    for (status, header, body, expected) in cases {
        let server = Server::answering(move |_| with_head(status, header, body));
        let url = server.url("/x.csv?api_key=k3y");
        let shown = url.replace("k3y", "***");
        Folder::new().assert_refused(
            &url,
            &format!(
                "error: cannot download `{shown}`: `{shown}` answered {status}, expected 200 OK{expected}"
            ),
        );
    }
}

/// The text of an error may be endless, or never come.
#[test]
fn does_not_wait_for_the_text_of_an_error() {
    let held = Mutex::new(Vec::new());
    let server = Server::serving(move |path, stream| {
        stream
            .write_all(&with_head("404 Not Found", "X: y", ""))
            .unwrap();
        if path == "/endless" {
            while stream.write_all(b"all work and no play ").is_ok() {}
        }
        held.lock().unwrap().push(stream.try_clone().unwrap());
    });
    let folder = Folder::new();
    for (path, expected) in [("/silent", "200 OK\n"), ("/endless", "work an…\n")] {
        let ended = folder.download(&["--data_url", &server.url(path)]);
        assert!(ended.stderr().ends_with(expected), "{}", ended.stderr());
        assert_eq!(ended.code(), Some(1));
    }
}

#[test]
fn what_cannot_be_parsed_is_not_tried_again() {
    for answer in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    ] {
        let server = Server::answering(|_| answer.into());
        let folder = Folder::new();
        let ended = folder.download(&["--data_url", &server.url("/")]);
        assert!(
            !ended.stderr().contains("trying again"),
            "{}",
            ended.stderr()
        );
        assert_eq!((ended.code(), server.requests().len()), (Some(1), 1));
    }
}

#[test]
fn refuses_a_body_that_ends_early() {
    let cases = [
        (
            "Content-Length: 10",
            "12345",
            "connection closed after 5 of 10 bytes",
        ),
        (
            "Content-Length: 10",
            "",
            "connection closed after 0 of 10 bytes",
        ),
        (
            "Transfer-Encoding: chunked",
            "5\r\n12345\r\n5\r\n12",
            "connection closed after 7 bytes, before the end of the body",
        ),
    ];
    for (header, body, cause) in cases {
        let server = Server::answering(move |_| with_head("200 OK", header, body));
        let url = server.url("/x.csv");
        let expected = format!(
            "error: cannot download `{url}`: {cause}: \
 end of file before message length reached"
        );
        Folder::new().assert_refused(&url, &expected);
    }
}

#[test]
fn refuses_what_is_not_http() {
    let server = Server::answering(|_| b"SSH-2.0-OpenSSH\r\n".to_vec());
    let url = server.url("/");
    let expected = format!("error: cannot download `{url}`: invalid HTTP version parsed");
    Folder::new().assert_refused(&url, &expected);
}

#[test]
fn names_a_refused_connection() {
    // The port of an outgoing connection is taken, so that no other test can come to listen there.
    let server = Server::answering(|_| Vec::new());
    let held = TcpStream::connect(server.address()).unwrap();
    let url = format!("http://{}/x.csv", held.local_addr().unwrap());
    let expected = format!(
        "error: cannot download `{url}`: cannot connect: {}",
        std::io::Error::from_raw_os_error(nix::errno::Errno::ECONNREFUSED as i32)
    );
    Folder::new().assert_refused(&url, &expected);
}

#[test]
fn names_an_unknown_host() {
    let folder = Folder::new();
    let ended = folder.download(&[
        "--data_url",
        "http://nonexistent.invalid/x.csv",
        "--retries=0",
    ]);
    // The rest is the resolver's own text, which differs between machines.
    let expected = "error: cannot download `http://nonexistent.invalid/x.csv`: \
 cannot connect: \
 failed to lookup address information: ";
    ended.failed_with(1, expected);
    assert!(folder.names().is_empty());
}

#[test]
fn follows_redirects_without_telling_where_it_came_from() {
    let server = Server::answering(|path| match path {
        "/old?token=t" => with_head("302 Found", "Location: /new", ""),
        _ => answer("200 OK", "a,b\n"),
    });
    let folder = Folder::new();
    folder
        .download(&["--data_url", &server.url("/old?token=t")])
        .succeeded(4, "raw_data.csv");

    let [_, second] = server.requests().try_into().unwrap();
    assert!(second.starts_with("get /new http/1.1\n"), "{second}");
    assert!(!second.contains("referer"), "{second}");
}

#[test]
fn follows_a_location_that_is_not_percent_encoded() {
    let server = Server::answering(|path| match path {
        "/old" => with_head("302 Found", "Location: /gr\u{fc}n \u{e9}.csv", ""),
        _ => answer("200 OK", "a,b\n"),
    });
    let folder = Folder::new();
    folder
        .download(&["--data_url", &server.url("/old")])
        .succeeded(4, "raw_data.csv");
    let [_, second] = server.requests().try_into().unwrap();
    assert!(
        second.starts_with("get /gr%c3%bcn%20%c3%a9.csv http/1.1\n"),
        "{second}"
    );
}

#[test]
fn takes_headers_that_break_the_rules_a_little() {
    for header in [
        "X-Folded: one\r\n two\r\nContent-Length: 4",
        "X-Spaced : x\r\nContent-Length: 4",
    ] {
        let server = Server::answering(move |_| with_head("200 OK", header, "a,b\n"));
        let folder = Folder::new();
        folder
            .download(&["--data_url", &server.url("/x.csv")])
            .succeeded(4, "raw_data.csv");
        assert_eq!(server.requests().len(), 1, "{header}");
    }
}

#[test]
fn sends_credentials_and_shows_none() {
    let server = Server::answering(|path| match path {
        "/login?api_key=k3y&page=2" => {
            with_head("302 Found", "Location: /x?X-Amz-Signature=s1gn", "")
        }
        _ => answer("403 Forbidden", ""),
    });
    let address = server.address();
    let url = format!("http://user:s3cret@{address}/login?api_key=k3y&page=2#t0ken");
    let expected = format!(
        "error: cannot download `http://***@{address}/login?api_key=***&page=2`: \
 `http://{address}/x?X-Amz-Signature=***` answered 403 Forbidden, expected 200 OK"
    );
    Folder::new().assert_refused(&url, &expected);

    let [first, _] = server.requests().try_into().unwrap();
    let sent = "authorization: Basic dXNlcjpzM2NyZXQ=".to_lowercase();
    assert!(first.contains(&sent), "{first}");
}

#[test]
fn shows_no_credentials_of_a_redirect() {
    let server = Server::answering(|_| {
        with_head(
            "302 Found",
            "Location: ftp://user:s3cret@host/?token=t0ken",
            "",
        )
    });
    let url = server.url("/");
    let expected = format!(
        "error: cannot download `{url}`: `{url}` redirects to \
        `ftp://***@host/?token=***`, expected an http or https URL"
    );
    Folder::new().assert_refused(&url, &expected);
}

/// As in a small container. Plain http needs no certificate, and https says what is missing.
#[test]
#[cfg(target_os = "linux")]
fn plain_http_works_without_ca_certificates() {
    use crate::program::{Ended, PROGRAM};
    let server = Server::answering(|_| answer("200 OK", "a,b\n"));
    let folder = Folder::new();
    let download = |url: &str| {
        let mut command = folder.command(PROGRAM);
        command
            .env("SSL_CERT_FILE", "missing")
            .env("SSL_CERT_DIR", "missing");
        Ended::of(command.args(["--data_url", url]))
    };
    download(&server.url("/")).succeeded(4, "raw_data.csv");
    download("https://localhost/").failed(
        "error: cannot download `https://localhost/`: \
 cannot set up the http client: \
 unexpected error: No CA certificates were loaded from the system",
    );
}
