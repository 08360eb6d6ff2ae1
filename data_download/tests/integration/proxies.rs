//! The proxies that the environment names.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::program::{Ended, Folder, PROGRAM};
use crate::server::{Server, answer, value};

fn download(folder: &Folder, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = folder.command(PROGRAM);
    command.envs(variables.iter().copied());
    Ended::of(command.args(arguments))
}

#[test]
fn goes_through_a_proxy() {
    let proxy = Server::answering(|_| answer("200 OK", "a,b\n"));
    let (folder, address) = (Folder::new(), proxy.address());
    let variable = format!("http://user:s3cret@{address}");
    let url = "http://example.invalid/x.csv";
    download(&folder, &[("http_proxy", &variable)], &["--data_url", url])
        .succeeded(4, "raw_data.csv");
    let [head] = proxy.requests().try_into().unwrap();
    assert!(
        head.starts_with("get http://example.invalid/x.csv http/1.1\n"),
        "{head}"
    );
    assert!(value(&head, "proxy-authorization").is_some(), "{head}");

    let variables = [
        ("http_proxy", variable.as_str()),
        ("no_proxy", "example.invalid"),
    ];
    let arguments = ["--data_url", url, "--retries", "0"];
    let ended = download(&folder, &variables, &arguments);
    ended.failed_with(1, "cannot connect");
    assert!(!ended.stderr().contains("s3cret"), "{}", ended.stderr());
    assert_eq!(proxy.requests().len(), 1);
}

#[test]
fn no_proxy_may_be_everything() {
    let (proxy, server) = (
        Server::answering(|_| answer("502 Bad Gateway", "")),
        Server::answering(|_| answer("200 OK", "a,b\n")),
    );
    let (folder, address) = (Folder::new(), proxy.address().to_string());
    for exceptions in ["*", " * ", "example.com,*"] {
        let variables = [("http_proxy", address.as_str()), ("NO_PROXY", exceptions)];
        download(&folder, &variables, &["--data_url", &server.url("/")])
            .succeeded(4, "raw_data.csv");
    }
    assert!(proxy.requests().is_empty());
}

/// Not passed over: the way through a proxy may be the only one that is allowed.
#[test]
fn what_is_no_proxy_is_told() {
    let server = Server::answering(|_| answer("200 OK", "a,b\n"));
    let (folder, url) = (Folder::new(), server.url("/"));
    for value in ["http://", "ftp://u:s3cret@host", "host:port"] {
        let variables = [("http_proxy", value)];
        download(&folder, &variables, &["--data_url", &url]).failed(&format!(
            "error: cannot download `{url}`: `http_proxy` is not the URL of a proxy; expected one \
             such as http://host:3128 or socks5://host:1080, or nothing"
        ));
    }
    assert!(server.requests().is_empty());
    assert!(folder.names().is_empty());
}

/// A SOCKS proxy (RFC 1928) that hands each connection to where it is meant to go, whatever the
/// name of the host is.
fn socks_proxy(server: &Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = server.address();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let read = |count: usize| {
            let mut bytes = vec![0; count];
            (&client).read_exact(&mut bytes).unwrap();
            bytes
        };
        // Version 5, and ways to log in.
        let count = read(2)[1];
        read(count.into());
        (&client).write_all(&[5, 0]).unwrap();
        // Connect to a host by its name.
        assert_eq!(read(4), [5, 1, 0, 3]);
        let length = read(1)[0];
        assert_eq!(read(length.into()), b"example.invalid");
        read(2);
        (&client)
            .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .unwrap();
        let mut there = TcpStream::connect(server).unwrap();
        let mut back = (there.try_clone().unwrap(), client.try_clone().unwrap());
        let answers = thread::spawn(move || std::io::copy(&mut back.0, &mut back.1).ok());
        std::io::copy(&mut client, &mut there).ok();
        answers.join().unwrap();
    });
    address
}

#[test]
fn goes_through_a_socks_proxy() {
    let server = Server::answering(|_| answer("200 OK", "a,b\n"));
    let (folder, address) = (Folder::new(), socks_proxy(&server));
    let variable = format!("socks5h://{address}");
    let url = "http://example.invalid/x.csv";
    download(&folder, &[("ALL_PROXY", &variable)], &["--data_url", url])
        .succeeded(4, "raw_data.csv");
    let [head] = server.requests().try_into().unwrap();
    assert!(head.starts_with("get /x.csv http/1.1\n"), "{head}");
    assert_eq!(value(&head, "host"), Some("example.invalid"));
}
