use std::process::Command;

use crate::harness::{BINARY, Folder};

#[test]
fn help_names_every_option_and_default() {
    let outcome = Folder::empty().run(&["--help"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    for text in [
        "--input <FILE>",
        "[default: raw_data.csv]",
        "--output <FILE>",
        "[default: clean_data.csv]",
        "--null_values <A,B,..>",
    ] {
        assert!(
            outcome.stdout.contains(text),
            "{text} in {}",
            outcome.stdout
        );
    }
}

#[test]
fn version_is_that_of_the_package() {
    let outcome = Folder::empty().run(&["--version"]);
    let version = format!("data_cleaning {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (outcome.code, outcome.stdout, outcome.stderr.as_str()),
        (Some(0), version, "")
    );
}

#[test]
fn wrong_usage_ends_with_2() {
    for (arguments, message) in [
        (
            &["--inptu", "x"][..],
            "error: unexpected argument '--inptu' found",
        ),
        (
            &["raw_data.csv"],
            "error: unexpected argument 'raw_data.csv' found",
        ),
        (
            &["--input"],
            "error: a value is required for '--input <FILE>'",
        ),
    ] {
        let folder = Folder::with("a\n1\n");
        let outcome = folder.run(arguments);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(outcome.stderr.starts_with(message), "{}", outcome.stderr);
        assert_eq!(folder.names(), ["raw_data.csv"]);
    }
}

#[test]
fn a_summary_that_cannot_be_written_is_no_failure() {
    let folder = Folder::with("a\n1\n");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(BINARY);
    let status = command
        .current_dir(folder.path(""))
        .stderr(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(folder.read("clean_data.csv"), "a\n1\n");
}
