//! Characters that a terminal obeys are shown, whoever they come from.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::program::{Ended, Folder, PROGRAM};
use crate::server::{Server, with_head};

/// A title, the clipboard, a bell, a new line that looks like one of ours, C1, and text that is
/// shown the other way round.
const EVIL: &str =
    "\x1b]0;t\x07\x1b]52;c;cHduZWRk\x07\r\nerror: x\x7f\u{9b}31m\u{202e}\u{2066}\u{2028}y";

/// How it is shown.
const SHOWN: &str = "\\u{1b}]0;t\\u{7}\\u{1b}]52;c;cHduZWRk\\u{7}\\u{d}\\u{a}error: x\\u{7f}\\u{9b}31m\\u{202e}\\u{2066}\\u{2028}y";

/// Expects that nothing of it reached the terminal, that it was shown `times` times, and that no
/// line begins with what it says.
#[track_caller]
fn assert_shown(ended: &Ended, times: usize) {
    let stderr = ended.stderr();
    assert_clean(stderr);
    assert_eq!(stderr.matches(SHOWN).count(), times, "{stderr}");
    assert!(!stderr.contains("\nerror: x"), "{stderr}");
}

#[track_caller]
fn assert_clean(text: &str) {
    let obeyed = |c: char| c.is_control() && c != '\n' || ('\u{200e}'..='\u{2069}').contains(&c);
    assert!(!text.contains(obeyed), "{text:?}");
}

#[test]
fn of_a_name_of_a_file() {
    let folder = Folder::new();
    folder.write(EVIL, "a,b\n");
    fs::create_dir(folder.path("folder")).unwrap();
    let output = format!("out{EVIL}");
    let missing = format!("missing{EVIL}");
    // The summary; the source; the output; both of a message; the folder of the output.
    let cases: [(&[&str], i32, usize); 6] = [
        (&["--data_url", EVIL, "--output", &output], 0, 1),
        (&["--data_url", &missing], 1, 1),
        (
            &["--data_url", EVIL, "--output", &format!("{EVIL}/x")],
            1,
            1,
        ),
        (&["--data_url", "folder", "--output", &output], 1, 0),
        (&["--data_url", EVIL, "--sha256", &"0".repeat(64)], 1, 1),
        (
            &["--data_url", "http://127.0.0.1:1/", "--ca_file", &missing],
            1,
            1,
        ),
    ];
    for (arguments, code, times) in cases {
        let ended = folder.download(arguments);
        assert_shown(&ended, times);
        assert_eq!(ended.code(), Some(code), "{}", ended.stderr());
    }
    // The file is named as it was asked for.
    assert_eq!(folder.read(&output), b"a,b\n");
}

#[test]
fn of_a_name_that_is_no_text() {
    let folder = Folder::new();
    let mut command = folder.command(PROGRAM);
    command.arg("--data_url").arg("x").arg("--output");
    command.arg(OsStr::from_bytes(b"a\x9b31m\xff\x1b/b"));
    let ended = Ended::of(&mut command);
    assert_clean(ended.stderr());
    assert_eq!(ended.code(), Some(1));
}

#[test]
fn of_an_option() {
    let folder = Folder::new();
    // The value; the option; what may be meant by it; a value too many; the help of clap.
    let cases: [(&[&str], usize); 6] = [
        (&["--data_url", "x", "--retries", EVIL], 1),
        (&["--data_url", "x", &format!("--retrie{EVIL}")], 1),
        (&[EVIL], 1),
        (&["--data_url", "x", &format!("--help={EVIL}")], 1),
        (&["--data_url", "x", "--if_changed", EVIL], 1),
        (&["--data_url", "x", "--", EVIL], 1),
    ];
    for (arguments, times) in cases {
        let ended = folder.download(arguments);
        assert_shown(&ended, times);
        assert_eq!(ended.code(), Some(2), "{}", ended.stderr());
    }
}

/// The name by which it was started is no concern of the help.
#[test]
fn of_the_program() {
    let folder = Folder::new();
    for arguments in [&["--help"][..], &["--wrong"]] {
        let mut command = Command::new(PROGRAM);
        command
            .arg0(format!("/bin/{EVIL}"))
            .current_dir(folder.path(""));
        let output = command.args(arguments).output().unwrap();
        assert_clean(&String::from_utf8(output.stdout).unwrap());
        assert_clean(&String::from_utf8(output.stderr).unwrap());
    }
}

#[test]
fn of_a_url() {
    let folder = Folder::new();
    let server = Server::answering(|_| with_head("404 Not Found", "Content-Length: 0", ""));
    let urls = [
        server.url(&format!("/{EVIL}?a={EVIL}&token=t")),
        format!("http://[{EVIL}"),
        format!("x{EVIL}://h/"),
        format!("file://{EVIL}/x"),
        format!("file:///{EVIL}"),
        format!("http://{EVIL}/"),
    ];
    for url in urls {
        let ended = folder.download(&["--data_url", &url, "--retries", "0"]);
        assert_clean(ended.stderr());
        assert!(!ended.stderr().contains("\nerror: x"), "{}", ended.stderr());
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr());
    }
}

#[test]
fn of_a_server() {
    let folder = Folder::new();
    let answers = [
        format!("HTTP/1.1 404 {EVIL}\r\n\r\n"),
        "HTTP/1.1 404 \x1b[31m\u{9b}\u{202e}\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 799 \x07\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nLocation: x\x1b]0;t\x07:y\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nLocation: ftp://\u{202e}/\t\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nLocation: mailto:\t\u{9b}31m%1b\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: \x1b[31m\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\n\x1b[31m: x\r\n\r\n".to_owned(),
        "HTTP/1.1 503 x\r\nRetry-After: \x1b[31m\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Type: text/html;\x1b[31m\r\nContent-Length: 6\r\n\r\n<\x1b[31m"
            .to_owned(),
        "\x1b[31m\x07 no http\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x1b[31m\r\n".to_owned(),
    ];
    for answer in answers {
        let shown = answer.clone();
        let server = Server::answering(move |_| answer.clone().into_bytes());
        let url = server.url("/x.csv");
        let ended = folder.download(&["--data_url", &url, "--retries=1", "--retry_delay=0"]);
        assert_clean(ended.stderr());
        assert_eq!(ended.code(), Some(1), "{shown:?}: {}", ended.stderr());
        assert!(!ended.stderr().contains("\nerror: x"), "{}", ended.stderr());
        assert!(folder.names().is_empty(), "{shown:?}: {:?}", folder.names());
    }
}

#[test]
fn of_the_environment() {
    let folder = Folder::new();
    folder.write("x.csv", "a,b\n");
    let server = Server::answering(|_| with_head("200 OK", "Content-Length: 4", "a,b\n"));
    folder.write(EVIL, "machine");
    let mut command = folder.command(PROGRAM);
    command.env("NETRC", folder.path(EVIL));
    let ended = Ended::of(command.args(["--data_url", &server.url("/")]));
    assert_shown(&ended, 1);

    let mut command = folder.command(PROGRAM);
    command.env("PIPELINE_METRICS", format!("missing/{EVIL}"));
    assert_shown(&Ended::of(command.args(["--data_url", "x.csv"])), 1);

    let ended = folder.download(&["--data_url", "http://h/", "--header_from", EVIL]);
    assert_shown(&ended, 1);
}

/// The names of the files beside the output, in the words that tell of them.
#[test]
fn of_what_is_kept() {
    let folder = Folder::new();
    let head = "ETag: \"v1\"\r\nContent-Length: 10";
    let server = Server::answering(move |_| with_head("200 OK", head, "12345"));
    let url = server.url("/");
    let arguments = ["--data_url", &url, "--output", EVIL, "--retries=0"];
    let ended = folder.download(&arguments);
    assert_shown(&ended, 1);
    assert_eq!(ended.code(), Some(1));
    assert_eq!(folder.read(&format!("{EVIL}.partial")), b"12345");
}
