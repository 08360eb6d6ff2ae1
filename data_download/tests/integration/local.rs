use std::os::unix::fs::symlink;

use crate::program::Folder;

#[test]
fn copies_a_path() {
    let folder = Folder::new();
    let content = "a,b\n".repeat(200_000);
    folder.write("source.csv", &content);
    folder
        .download(&["--data_url", "source.csv"])
        .succeeded(800_000, "raw_data.csv");
    assert_eq!(folder.read("raw_data.csv"), content.as_bytes());
    assert_eq!(folder.read("source.csv"), content.as_bytes());
}

#[test]
fn copies_a_file_url() {
    let folder = Folder::new();
    let path = folder.write("ä b%.csv", "a,b\n");
    let encoded = path
        .to_str()
        .unwrap()
        .replace('%', "%25")
        .replace(' ', "%20")
        .replace('ä', "%C3%A4");
    for url in [
        format!("file://{encoded}"),
        format!("file://localhost{encoded}"),
    ] {
        folder
            .download(&["--data_url", &url, "--output", "out.csv"])
            .succeeded(4, "out.csv");
        assert_eq!(folder.read("out.csv"), b"a,b\n");
    }
}

#[test]
fn a_source_that_is_also_the_output_stays() {
    let folder = Folder::new();
    folder.write("raw_data.csv", "a,b\n");
    folder
        .download(&["--data_url", "./raw_data.csv"])
        .succeeded(4, "raw_data.csv");
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");

    symlink("raw_data.csv", folder.path("link.csv")).unwrap();
    folder
        .download(&["--data_url", "link.csv"])
        .succeeded(4, "raw_data.csv");
    assert_eq!(folder.read("link.csv"), b"a,b\n");
}

#[test]
fn names_a_missing_file() {
    let expected = |path: &str| {
        format!(
            "error: cannot open `{path}`: No such file or directory (os error 2); \
             expected an http, https or file URL or the path of a file"
        )
    };
    Folder::new().assert_refused("missing.csv", &expected("missing.csv"));
    Folder::new().assert_refused(
        "example.com/x.csv",
        &(expected("example.com/x.csv") + "; is it `https://example.com/x.csv`?"),
    );
    for path in ["data.d", "../data.d/x.csv", ".d/x.csv"] {
        Folder::new().assert_refused(path, &expected(path));
    }
    Folder::new().assert_refused("file:///no/such%20file", &expected("/no/such file"));
}

#[test]
fn refuses_a_folder() {
    Folder::new().assert_refused(".", "error: `.` is a folder, expected a file");
}

/// Some files of the system have no length and yet bytes.
#[test]
#[cfg(target_os = "linux")]
fn copies_a_file_that_says_it_is_empty() {
    let folder = Folder::new();
    let ended = folder.download(&["--data_url", "/proc/self/status"]);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert!(folder.read("raw_data.csv").starts_with(b"Name:\t"));
    folder.write("empty", "");
    folder
        .download(&["--data_url", "empty"])
        .succeeded(0, "raw_data.csv");
}

#[test]
fn copies_what_a_pipe_holds() {
    let folder = Folder::new();
    nix::unistd::mkfifo(&folder.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let pipe = folder.path("pipe");
    let writer = std::thread::spawn(move || std::fs::write(pipe, "a,b\n").unwrap());
    folder
        .download(&["--data_url", "pipe"])
        .succeeded(4, "raw_data.csv");
    writer.join().unwrap();
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
}
