use crate::harness::Folder;

/// Checks that the input is refused, that nothing is left behind and an older output still stands.
#[track_caller]
fn assert_refused(raw: impl AsRef<[u8]>, error: &str) {
    let error = format!("cannot read `raw_data.csv`: {error}");
    let folder = Folder::with(&raw);
    folder.run(&[]).assert_failure(&error);
    assert_eq!(folder.names(), ["raw_data.csv"]);

    folder.write("clean_data.csv", "a good one\n");
    folder.run(&[]).assert_failure(&error);
    assert_eq!(folder.names(), ["clean_data.csv", "raw_data.csv"]);
    assert_eq!(folder.read("clean_data.csv"), "a good one\n");
}

fn ragged(error: &str) -> String {
    format!(
        "{error}; `--on_ragged drop` deletes such rows, `--on_ragged null` takes missing fields for \
         null"
    )
}

#[test]
fn empty_file() {
    for raw in ["", "\n", "\r\n\n", "\u{feff}", "\u{feff}\n"] {
        assert_refused(raw, "it is empty, expected a header line");
    }
}

#[test]
fn short_row() {
    assert_refused(
        "a,b,c\n1,2,3\n1,2\n",
        &ragged("line 3: expected 3 fields as in the header, found 2"),
    );
}

#[test]
fn long_row() {
    assert_refused(
        "a,b\n1,2\n\n1,2,3\n",
        &ragged("line 4: expected 2 fields as in the header, found 3"),
    );
}

#[test]
fn a_ragged_row_is_named_by_its_first_line() {
    let raw = "\n\"a\nb\",c\n1,2\n\"x\ny\"\n";
    assert_refused(
        raw,
        &ragged("line 5: expected 2 fields as in the header, found 1"),
    );
}

#[test]
fn a_line_of_spaces_is_no_blank_line() {
    assert_refused(
        "a,b\n1,2\n  \n",
        &ragged("line 3: expected 2 fields as in the header, found 1"),
    );
}

#[test]
fn quote_never_closed() {
    assert_refused(
        "a,b\n1,2\n3,\"x\n4,5\n",
        "line 3: the quote is never closed; `--quote none` takes quotes for text",
    );
    assert_refused(
        "\"a,b\n1,2\n",
        "line 1: the quote is never closed; `--quote none` takes quotes for text",
    );
}

#[test]
fn quote_within_a_field_without_quotes() {
    assert_refused(
        "a,b\n5\" pipe,2\n",
        "line 2: a quote in a field that does not begin with one, expected the field within \
         quotes and its own quotes doubled; `--on_quote text` takes it for text",
    );
}

#[test]
fn text_after_a_closing_quote() {
    assert_refused(
        "a,b\n1,\"x\"y\n",
        "line 2: text after a closing quote, expected the delimiter or the end of the line",
    );
}

#[test]
fn what_is_no_csv_file_at_all() {
    assert_refused(
        b"PAR1\x15\x04",
        "it begins like a Parquet file; `--input_format parquet` reads it as one",
    );
    assert_refused(
        b"\xff\xfea\x00\n\x00",
        "it begins like text in UTF-16, expected UTF-8 or another encoding with the characters \
         of ASCII; `iconv -f UTF-16 -t UTF-8` converts it",
    );
}

#[test]
fn a_malformed_end_of_a_long_file() {
    let rows = "1,2\n".repeat(300_000);
    assert_refused(
        format!("a,b\n{rows}1\n"),
        &ragged("line 300002: expected 2 fields as in the header, found 1"),
    );
}

#[test]
fn carriage_returns_alone() {
    let error = |line| {
        format!(
            "line {line}: a carriage return without a line feed, expected lines that end with LF \
             or with CR and LF; `tr '\\r' '\\n'` makes such of a file of old"
        )
    };
    assert_refused("a,b\r1,2\r", &error(1));
    assert_refused("a,b\n1\r,2\n", &error(2));
}

#[test]
fn what_is_no_table_is_named() {
    assert_refused(
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
        "it begins like a pointer of Git LFS, which only stands for the file; `git lfs pull` \
         fetches it",
    );
    assert_refused(
        "<!doctype html>\n<p>a, b</p>\n",
        "it begins like an HTML or XML page, perhaps of a server that wanted a login, expected a \
         CSV file",
    );
    let packed = zstd::encode_all(&b"a\n1\n"[..], 1).unwrap();
    assert_refused(
        zstd::encode_all(&packed[..], 1).unwrap(),
        "it begins like a zstd file within another one; `zstd -dc` unpacks the outer one",
    );
    assert_refused(
        "{\"a\":1}\n",
        "it begins like NDJSON; `--input_format ndjson` reads it as that",
    );
    assert_refused(
        b"\x89PNG\0\0,\n",
        "line 1: a NUL byte in the header, which no text has; is it a CSV file?",
    );
}
