use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::program::{Ended, Folder, PROGRAM};
use crate::server::{Server, answer};

/// Expects that writing to `output` fails before any request is sent.
#[track_caller]
fn assert_output_refused(folder: &Folder, output: &str, stderr: &str) {
    let server = Server::answering(|_| answer("200 OK", "a,b\n"));
    let before = folder.names();
    folder
        .download(&["--data_url", &server.url("/"), "--output", output])
        .failed(stderr);
    assert_eq!(folder.names(), before);
    assert!(server.requests().is_empty());
}

/// Runs the program by a bash script that says `exec "$0" "$@"` at its end.
fn by_bash(folder: &Folder, script: &str, url: &str) -> Ended {
    let mut bash = folder.command("/bin/bash");
    Ended::of(bash.args(["-c", script, PROGRAM, "--data_url", url]))
}

#[test]
fn refuses_a_missing_folder() {
    let expected = "error: cannot create a file in folder `missing`: \
 No such file or directory (os error 2)";
    assert_output_refused(&Folder::new(), "missing/raw_data.csv", expected);
}

#[test]
fn refuses_a_folder_that_is_a_file() {
    let folder = Folder::new();
    folder.write("file", "");
    let expected = "error: cannot create a file in folder `file`: \
 Not a directory (os error 20)";
    assert_output_refused(&folder, "file/raw_data.csv", expected);
}

/// Not even root may create a file in sysfs.
#[test]
#[cfg(target_os = "linux")]
fn refuses_a_folder_without_permission() {
    let expected = "error: cannot create a file in folder `/sys`: \
 Permission denied (os error 13)";
    assert_output_refused(&Folder::new(), "/sys/raw_data.csv", expected);
}

#[test]
fn refuses_an_output_that_is_a_folder() {
    let folder = Folder::new();
    fs::create_dir(folder.path("data")).unwrap();
    for output in ["data", ".", "..", "/", "new/"] {
        let expected = format!("error: output `{output}` is a folder, expected the name of a file");
        assert_output_refused(&folder, output, &expected);
    }
}

/// A rename would replace it by a file. A socket stands for `/dev/null` here: should this ever
/// break, a test that runs as root must not take the machine's own device away.
#[test]
fn refuses_an_output_that_is_not_a_file() {
    let folder = Folder::new();
    let _socket = UnixListener::bind(folder.path("socket")).unwrap();
    let expected = "error: output `socket` is not a regular file";
    assert_output_refused(&folder, "socket", expected);
}

#[test]
fn a_limit_of_file_size_is_told_and_leaves_the_old_file() {
    let folder = Folder::new();
    folder.write("raw_data.csv", "old");
    let server = Server::answering(|_| answer("200 OK", "x".repeat(100_000)));
    let url = server.url("/");
    let too_large = io::Error::from_raw_os_error(nix::errno::Errno::EFBIG as i32);

    for limit in ["ulimit -f 1", r#"ulimit -f 1; trap "" XFSZ"#] {
        let script = format!(r#"{limit}; exec "$0" "$@""#);
        by_bash(&folder, &script, &url).failed(&format!(
            "error: cannot download `{url}`: cannot write `raw_data.csv`: \
 {too_large}"
        ));
        assert_eq!(folder.read("raw_data.csv"), b"old");
        assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
    }
}

/// With a fraction of it as memory.
#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_file() {
    use std::io::Write;

    use crate::server::with_head;
    const BLOCK: usize = 1 << 20;
    const BLOCKS: usize = 100;
    let server = Server::serving(|_, stream| {
        let head = format!("Content-Length: {}", BLOCKS * BLOCK);
        stream.write_all(&with_head("200 OK", &head, "")).ok();
        let block = vec![b'x'; BLOCK];
        for _ in 0..BLOCKS {
            stream.write_all(&block).ok();
        }
    });
    let folder = Folder::new();
    let limited = r#"ulimit -d 32768; exec "$0" "$@""#;
    by_bash(&folder, limited, &server.url("/")).succeeded(BLOCKS * BLOCK, "raw_data.csv");
    assert_eq!(folder.read("raw_data.csv").len(), BLOCKS * BLOCK);
}

#[test]
fn a_new_file_has_the_permissions_of_any_new_file() {
    for (umask, mode) in [("022", 0o644), ("027", 0o640)] {
        let folder = Folder::new();
        let source = folder.write("source.csv", "a,b\n");
        let script = format!(r#"umask {umask}; exec "$0" "$@""#);
        by_bash(&folder, &script, source.to_str().unwrap()).succeeded(4, "raw_data.csv");
        let permissions = fs::metadata(folder.path("raw_data.csv"))
            .unwrap()
            .permissions();
        assert_eq!(permissions.mode() & 0o777, mode);
    }
}

#[test]
fn an_output_that_is_a_link_stays_one() {
    let folder = Folder::new();
    folder.write("source.csv", "a,b\n");
    folder.write("real.csv", "old");
    symlink("real.csv", folder.path("raw_data.csv")).unwrap();
    folder
        .download(&["--data_url", "source.csv"])
        .succeeded(4, "raw_data.csv");
    assert!(folder.path("raw_data.csv").is_symlink());
    assert_eq!(folder.read("real.csv"), b"a,b\n");
}

#[test]
fn refuses_an_output_that_is_a_link_to_nothing() {
    let folder = Folder::new();
    symlink("missing.csv", folder.path("link")).unwrap();
    let expected = "error: cannot follow the link `link`: \
 No such file or directory (os error 2)";
    assert_output_refused(&folder, "link", expected);
    assert!(folder.path("link").is_symlink());
}

#[test]
fn succeeds_when_nobody_reads_the_summary() {
    let folder = Folder::new();
    folder.write("source.csv", "a,b\n");
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut command = folder.command(PROGRAM);
    command
        .args(["--data_url", "source.csv"])
        .stderr(Stdio::from(writer));
    assert!(command.status().unwrap().success());
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
}

/// The file behind it holds more than the download.
#[test]
fn what_stands_for_an_open_file_is_not_replaced() {
    let folder = Folder::new();
    folder.write("in.csv", "a,b\n");
    std::os::unix::fs::symlink("/dev/stdout", folder.path("link")).unwrap();
    for output in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"] {
        let program = env!("CARGO_BIN_EXE_data_download");
        let line = format!(
            "exec >> my.log; echo before; {program} --data_url in.csv --output {output}; echo code $?"
        );
        let mut shell = folder.command("bash");
        shell.args(["-c", &line]);
        Ended::of(&mut shell).said(&format!(
            "error: output `{output}` stands for an open file, which a download would replace; \
             expected the name of a file, or `-` for standard output"
        ));
        assert_eq!(folder.read("my.log"), b"before\ncode 1\n");
        std::fs::remove_file(folder.path("my.log")).unwrap();
    }
}
