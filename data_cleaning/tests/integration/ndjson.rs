//! NDJSON to NDJSON, which stays as it is.

use std::io::Write;
use std::process::Command;

use crate::harness::{BINARY, Folder, Outcome};

fn run(folder: &Folder, arguments: &[&str]) -> Outcome {
    let files = ["--input", "raw.ndjson", "--output", "clean.ndjson"];
    folder.run(&[&files[..], arguments].concat())
}

/// What stays, and the summary.
#[track_caller]
fn clean(raw: &str, arguments: &[&str]) -> (String, String) {
    let folder = Folder::empty();
    folder.write("raw.ndjson", raw);
    let outcome = run(&folder, arguments);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(folder.names(), ["clean.ndjson", "raw.ndjson"]);
    (folder.read("clean.ndjson"), outcome.stderr)
}

#[track_caller]
fn assert_kept(raw: &str, arguments: &[&str], kept: &str) {
    assert_eq!(clean(raw, arguments).0, kept, "{arguments:?}");
}

#[test]
fn a_line_that_stays_is_copied_byte_for_byte() {
    for raw in [
        "{\"id\":9007199254740993}\n{\"id\":0.5}\n",
        "{\"a\":1}\n{\"a\":\"x\"}\n",
        "{\"a\":1e-400,\"b\":[null,{\"c\":null}]}\r\n{\"b\":{},\"a\":1.50}",
        " { \"b\" : \"\\u00e9\\n\" ,\t\"a\":1.0 } \n{\"a\":true,\"b\":\"\"}\n",
        "\u{feff}{\"a\":1,\"a\":2}\n{\"a\":-Infinity}\n",
    ] {
        assert_kept(raw, &[], raw);
    }
}

/// pandas 3.1: `read_json(lines=True).dropna()`; polars 2.1: `read_ndjson().drop_nulls()`.
#[test]
fn nulls_are_null_and_nan_and_missing() {
    let raw = "{\"a\":1,\"b\":2}\n{\"a\":null,\"b\":2}\n{\"b\":2}\n\n{\"a\":NaN,\"b\":\"\"}\n{}\n";
    let (cleaned, summary) = clean(raw, &[]);
    assert_eq!(cleaned, "{\"a\":1,\"b\":2}\n");
    assert_eq!(
        summary,
        "data_cleaning: 5 rows read, 4 dropped, 1 kept -> clean.ndjson\n  nulls: a 4, b 1\n"
    );
    assert_kept(
        raw,
        &["--how", "all"],
        &raw.replace("\n\n", "\n").replace("{}\n", ""),
    );
    assert_kept(
        raw,
        &["--columns", "b"],
        &raw.replace("\n\n", "\n").replace("{}\n", ""),
    );
    // Of a name that comes twice, the last value counts.
    assert_kept(
        "{\"a\":null,\"a\":1}\n{\"a\":1,\"a\":null}\n",
        &[],
        "{\"a\":null,\"a\":1}\n",
    );
    // It is the same name however it is written.
    assert_kept(
        "{\"\\u0061\":1}\n{\"a\":2}\n",
        &[],
        "{\"\\u0061\":1}\n{\"a\":2}\n",
    );
}

#[test]
fn a_name_that_comes_late_is_missed_by_all_before() {
    let rows = "{\"a\":1}\n".repeat(300_000);
    let last = "{\"a\":2,\"b\":3}\n";
    let (cleaned, summary) = clean(&format!("{rows}{last}"), &[]);
    assert_eq!(cleaned, last);
    assert_eq!(
        summary,
        "data_cleaning: 300001 rows read, 300000 dropped, 1 kept -> clean.ndjson\n  nulls: b 300000\n"
    );
    let (cleaned, _) = clean(&format!("{rows}{last}"), &["--columns", "b"]);
    assert_eq!(cleaned, last);
    let (cleaned, _) = clean(&format!("{rows}{last}"), &["--columns", "!b"]);
    assert!(cleaned == format!("{rows}{last}"));
    let folder = Folder::empty();
    folder.write("raw.ndjson", format!("{rows}{last}"));
    run(&folder, &["--columns", "c"]).assert_failure(
        "cannot read `raw.ndjson`: there is no column `c`, expected one of `a`, `b`",
    );
    let arguments = [
        "--input",
        "raw.ndjson",
        "--output",
        "-",
        "--output_format",
        "ndjson",
    ];
    assert_eq!(folder.run(&arguments).stdout, last);
}

#[test]
fn null_values_are_texts_and_numbers() {
    let raw = "{\"a\":-999}\n{\"a\":-999.0}\n{\"a\":\"-999\"}\n{\"a\":\"\"}\n{\"a\":\"N\\u0041\"}\n{\"a\":999}\n";
    assert_kept(raw, &[], raw);
    assert_kept(raw, &["--null_values", "-999,NA"], "{\"a\":999}\n");
    assert_kept(
        raw,
        &["--add_null_values", "NA"],
        &raw.replace("{\"a\":\"\"}\n{\"a\":\"N\\u0041\"}\n", ""),
    );
}

#[test]
fn what_is_no_object_is_named_by_its_line() {
    let folder = Folder::empty();
    for (raw, error) in [
        ("", "it is empty, expected NDJSON"),
        ("\n \n", "it is empty, expected NDJSON"),
        (
            "{\"a\":1}\n\n{\"a\":\n",
            "line 3, column 6: expected a value, found the end of the line; each line has to be a \
             JSON object",
        ),
        (
            "[{\"a\":1}]\n",
            "line 1, column 1: expected a `{`; each line has to be a JSON object",
        ),
        (
            "{\"a\":1} {\"a\":2}\n",
            "line 1, column 9: text after the object; each line has to be a JSON object",
        ),
    ] {
        folder.write("raw.ndjson", raw);
        run(&folder, &[]).assert_failure(&format!("cannot read `raw.ndjson`: {error}"));
    }
    folder.write("raw.ndjson", b"{\"a\":1}\n{\"a\":\"\xe9\"}\n");
    run(&folder, &[]).assert_failure(
        "cannot read `raw.ndjson`: line 2, column 7: the text is not UTF-8; each line has to be a \
         JSON object",
    );
    assert_eq!(folder.names(), ["raw.ndjson"]);
}

#[test]
fn it_may_be_packed_or_come_from_a_pipe() {
    const RAW: &[u8] = b"{\"a\":1}\n{\"a\":null}\n{\"a\":2.50}\n";
    const CLEAN: &str = "{\"a\":1}\n{\"a\":2.50}\n";
    let folder = Folder::empty();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(RAW).unwrap();
    folder.write("raw.ndjson", RAW);
    folder.write("raw.ndjson.gz", gzip.finish().unwrap());
    folder.write("raw.jsonl.zst", zstd::encode_all(RAW, 1).unwrap());
    for name in ["raw.ndjson", "raw.ndjson.gz", "raw.jsonl.zst"] {
        folder
            .run(&["--input", name, "--output", "clean.ndjson"])
            .assert_success(
                "data_cleaning: 3 rows read, 1 dropped, 2 kept -> clean.ndjson\n  nulls: a 1",
            );
        assert_eq!(folder.read("clean.ndjson"), CLEAN);
        let formats = "--input_format ndjson --output_format ndjson";
        let script = format!("cat {name} | \"$0\" --input - --output - {formats}");
        let outcome = folder.run_command(Command::new("bash").args(["-c", &script, BINARY]));
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (Some(0), CLEAN),
            "{}",
            outcome.stderr
        );
        if cfg!(feature = "tables") {
            let script =
                format!("cat {name} | \"$0\" --input - --input_format ndjson --output x.csv");
            let outcome = folder.run_command(Command::new("bash").args(["-c", &script, BINARY]));
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            folder.run(&["--input", name, "--output", "y.csv"]);
            for name in ["x.csv", "y.csv"] {
                assert_eq!(folder.read(name), "a\n1.0\n2.5\n");
            }
        }
    }
}

#[test]
fn it_may_be_cleaned_in_place() {
    let folder = Folder::empty();
    folder.write("raw.ndjson", "{\"a\":1}\n{\"a\":null}\n");
    let outcome = folder.run(&["--input", "raw.ndjson", "--output", "raw.ndjson"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(folder.read("raw.ndjson"), "{\"a\":1}\n");
    assert_eq!(folder.names(), ["raw.ndjson"]);
}
