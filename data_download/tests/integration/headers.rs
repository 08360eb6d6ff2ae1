//! Headers and logins: sent where they belong, and shown nowhere.

use crate::program::{Ended, Folder, PROGRAM};
use crate::server::{Server, answer, value, with_head};

fn download(folder: &Folder, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = folder.command(PROGRAM);
    command.envs(variables.iter().copied());
    Ended::of(command.args(arguments))
}

#[test]
fn sends_headers_and_shows_none() {
    let server = Server::answering(|_| answer("403 Forbidden", ""));
    let (folder, url) = (Folder::new(), server.url("/x.csv"));
    let variables = [(
        "HEADERS",
        "Authorization: Bearer s3cret1\nX-Other: s3cret2\n",
    )];
    let arguments = [
        "--data_url",
        &url,
        "--header",
        "X-Api-Key: s3cret3",
        "--header",
        "User-Agent: me",
        "--header",
        "",
        "--header_from",
        "HEADERS",
        "--header_from",
        "",
    ];
    let ended = download(&folder, &variables, &arguments);
    assert_eq!(ended.code(), Some(1));
    assert!(!ended.stderr().contains("s3cret"), "{}", ended.stderr());
    let [head] = server.requests().try_into().unwrap();
    assert_eq!(value(&head, "authorization"), Some("bearer s3cret1"));
    assert_eq!(value(&head, "x-other"), Some("s3cret2"));
    assert_eq!(value(&head, "x-api-key"), Some("s3cret3"));
    assert_eq!(value(&head, "user-agent"), Some("me"));
}

#[test]
fn refuses_headers_without_showing_them() {
    let server = Server::answering(|_| answer("200 OK", "a,b\n"));
    let (folder, url) = (Folder::new(), server.url("/x.csv"));
    let refused = |option: &str, text: &str, expected: &str| {
        let variables = [("HEADERS", "s3cret")];
        let arguments = ["--data_url", &url, option, text];
        download(&folder, &variables, &arguments).failed(expected);
    };
    refused(
        "--header",
        "s3cret",
        "error: --header number 1 is not of the form `Name: value`",
    );
    refused(
        "--header",
        "Range: bytes=1-2",
        "error: --header number 1 is a `range`, which data_download sets itself",
    );
    refused(
        "--header_from",
        "HEADERS",
        "error: environment variable `HEADERS` is not of the form `Name: value`",
    );
    refused(
        "--header_from",
        "MISSING",
        "error: environment variable `MISSING` of --header_from is not set to a text",
    );
    assert!(server.requests().is_empty());
    assert!(folder.names().is_empty());
}

/// Another port is another server. What the user gave is not for it, nor for where it leads back.
#[test]
fn a_redirect_to_another_host_gets_no_credentials() {
    let other = Server::answering(|_| answer("200 OK", "a,b\n"));
    let target = other.url("/x.csv");
    let server = Server::answering(move |path| match path {
        "/start" => with_head("302 Found", "Location: /here", ""),
        _ => with_head("307 Temporary Redirect", &format!("Location: {target}"), ""),
    });
    let folder = Folder::new();
    let url = format!("http://user:s3cret@{}/start", server.address());
    let given = ["Cookie: s3cret", "X-Api-Key: s3cret", "Accept: text/csv"];
    let mut arguments = vec!["--data_url", &url];
    for header in given {
        arguments.extend(["--header", header]);
    }
    folder.download(&arguments).succeeded(4, "raw_data.csv");

    for head in server.requests() {
        assert_eq!(value(&head, "cookie"), Some("s3cret"));
        assert_eq!(value(&head, "x-api-key"), Some("s3cret"));
        assert!(value(&head, "authorization").is_some(), "{head}");
    }
    assert_eq!(server.requests().len(), 2);
    let [head] = other.requests().try_into().unwrap();
    assert!(
        !head.contains("s3cret") && !head.contains("authorization"),
        "{head}"
    );
}

#[test]
fn logs_in_as_netrc_says() {
    let server = Server::answering(|_| answer("200 OK", "a,b\n"));
    let (folder, url) = (Folder::new(), server.url("/x.csv"));
    folder.write("netrc", "machine 127.0.0.1 login user password s3cret\n");
    let sent = "Basic dXNlcjpzM2NyZXQ=".to_lowercase();
    let home = folder.path("");
    let at_home = [("HOME", home.to_str().unwrap())];
    download(&folder, &[("NETRC", "netrc")], &["--data_url", &url]).succeeded(4, "raw_data.csv");
    std::fs::rename(folder.path("netrc"), folder.path(".netrc")).unwrap();
    download(&folder, &at_home, &["--data_url", &url]).succeeded(4, "raw_data.csv");
    for head in server.requests() {
        assert_eq!(value(&head, "authorization"), Some(sent.as_str()));
    }

    // What the user gives for this one download counts more.
    let given = ["--data_url", &url, "--header", "Authorization: mine"];
    download(&folder, &at_home, &given).succeeded(4, "raw_data.csv");
    let requests = server.requests();
    assert_eq!(value(&requests[2], "authorization"), Some("mine"));

    // And another machine's login is not sent.
    folder.write(".netrc", "machine example.com login user password s3cret\n");
    download(&folder, &at_home, &["--data_url", &url]).succeeded(4, "raw_data.csv");
    assert_eq!(value(&server.requests()[3], "authorization"), None);
}

/// As to a host for logins; but by another port, the host that the user named is another place.
#[test]
fn a_redirect_gets_the_login_in_its_own_name() {
    for (host, login) in [("localhost", Some("basic dtpw")), ("127.0.0.1", None)] {
        let other = Server::answering(|_| answer("200 OK", "a,b\n"));
        let location = format!("Location: http://{host}:{}/x.csv", other.address().port());
        let server = Server::answering(move |_| with_head("302 Found", &location, ""));
        let (folder, url) = (Folder::new(), server.url("/x.csv"));
        folder.write(
            "netrc",
            "machine 127.0.0.1 login a password b\nmachine localhost login u password p\n",
        );
        download(&folder, &[("NETRC", "netrc")], &["--data_url", &url])
            .succeeded(4, "raw_data.csv");
        let [head] = other.requests().try_into().unwrap();
        assert_eq!(value(&head, "authorization"), login, "{head}");
    }
}

/// As a host does that has people log in at another one.
#[test]
fn the_own_host_gets_its_login_again_when_another_leads_back() {
    let other = Server::answering(|path| {
        let back = path.trim_start_matches("/?");
        with_head("302 Found", &format!("Location: http://{back}/done"), "")
    });
    let place = other.address().port();
    let server = Server::talking(move |head, stream| {
        let host = value(head, "host").unwrap();
        let to_other = format!("Location: http://localhost:{place}/?{host}");
        let text = match head.split(' ').nth(1) {
            Some("/done") => answer("200 OK", "a,b\n"),
            _ => with_head("302 Found", &to_other, ""),
        };
        std::io::Write::write_all(stream, &text).unwrap();
    });
    let (folder, url) = (Folder::new(), server.url("/x.csv"));
    folder.write("netrc", "machine 127.0.0.1 login a password b\n");
    download(&folder, &[("NETRC", "netrc")], &["--data_url", &url]).succeeded(4, "raw_data.csv");
    for head in server.requests() {
        assert_eq!(value(&head, "authorization"), Some("basic ytpi"), "{head}");
    }
    assert_eq!(value(&other.requests()[0], "authorization"), None);
}
