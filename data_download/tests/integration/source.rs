use crate::program::Folder;

#[test]
fn refuses_other_schemes() {
    for scheme in ["ftp", "mailto"] {
        let expected = format!(
            "error: unsupported URL scheme `{scheme}`, \
             expected http, https, file or the path of a file"
        );
        Folder::new().assert_refused(&format!("{scheme}://user:s3cret@host/x"), &expected);
    }
}

#[test]
#[cfg(not(feature = "cloud"))]
fn tells_what_object_stores_need() {
    for scheme in ["s3", "gs", "az"] {
        let expected = format!(
            "error: `{scheme}` URLs need a data_download that was built with `--features cloud`"
        );
        Folder::new().assert_refused(&format!("{scheme}://user:s3cret@host/x"), &expected);
    }
}

#[test]
fn tells_a_forgotten_scheme() {
    for text in ["localhost:8000/x.csv", "example.com:80"] {
        let expected =
            format!("error: `{text}` has no scheme, expected `http://{text}` or `https://{text}`");
        Folder::new().assert_refused(text, &expected);
    }
    // What may hold a secret is not shown.
    Folder::new().assert_refused(
        "user:1234@host/x",
        "error: unsupported URL scheme `user`, expected http, https, file or the path of a file",
    );
}

#[test]
fn refuses_text_that_is_not_a_url() {
    let cases = [
        ("http://", "error: `http://` is not a URL: empty host"),
        (
            "https://user:s3/cret@host:port/x?token=t",
            "error: `***@host:port/x?***` is not a URL: invalid port number",
        ),
        (
            "1http://u:s3cret@host/x",
            "error: `***@host/x` is not a URL",
        ),
        (
            "http:u:s3cret@ho st/#token=t",
            "error: `***@ho st/#***` is not a URL: invalid international domain name",
        ),
    ];
    for (text, expected) in cases {
        Folder::new().assert_refused(text, expected);
    }
}

#[test]
fn a_missing_or_empty_url_is_a_usage_error() {
    let folder = Folder::new();
    for arguments in [&[][..], &["--data_url", ""], &["--data_url"]] {
        folder
            .download(arguments)
            .failed_with(2, "--data_url <URL>");
    }
    assert!(folder.names().is_empty());
}

#[test]
fn tells_what_an_option_expects() {
    let cases = [
        (
            "--retries",
            "-1",
            "'--retries <N>': expected a number of attempts",
        ),
        (
            "--max_bytes",
            "10k",
            "'--max_bytes <N>': expected a number of bytes",
        ),
        (
            "--idle_timeout",
            "0",
            "'--idle_timeout <DURATION>': expected more than 0",
        ),
        (
            "--connect_timeout",
            "soon",
            "'--connect_timeout <DURATION>': expected a duration such as",
        ),
    ];
    let folder = Folder::new();
    for (name, value, expected) in cases {
        let ended = folder.download(&["--data_url", "x.csv", name, value]);
        ended.failed_with(2, &format!("error: invalid value '{value}' for {expected}"));
    }
    assert!(folder.names().is_empty());
}

/// As every step's.
#[test]
fn options_are_taken_with_hyphens_too() {
    let folder = Folder::new();
    folder.write("in.csv", "a,b\n");
    folder
        .download(&["--data-url", "in.csv", "--max-bytes", "4", "--if-changed"])
        .succeeded(4, "raw_data.csv");
    folder
        .download(&["--data-url", "in.csv", "--max-bytes", "3"])
        .failed_with(1, "3 bytes");
}
