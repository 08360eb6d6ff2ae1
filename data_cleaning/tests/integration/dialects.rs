//! Files that are written in other ways than the common one.

use std::process::Command;

use crate::harness::{BINARY, Folder, clean};

#[track_caller]
fn assert_kept(raw: impl AsRef<[u8]>, arguments: &[&str], kept: &str) {
    assert_eq!(clean(raw, arguments).0, kept, "{arguments:?}");
}

#[test]
fn without_a_header_the_first_line_is_a_row() {
    let raw = "1,\n2,x\n\n,y\n";
    let (cleaned, summary) = clean(raw, &["--no_header"]);
    assert_eq!(cleaned, "2,x\n");
    assert_eq!(
        summary,
        "data_cleaning: 3 rows read, 2 dropped, 1 kept -> clean_data.csv\n  nulls: 1 1, 2 1\n"
    );
    assert_kept(raw, &["--no_header", "--columns", "1"], "1,\n2,x\n");
    assert_kept("\u{feff}1,2\n", &["--no-header"], "\u{feff}1,2\n");
    assert_kept("1", &["--no_header"], "1");
}

#[test]
fn lines_before_the_header_are_passed_over() {
    let raw = "a \"comment\nmade, by, hand\n\na,b\n1,2\n3,\n";
    assert_kept(raw, &["--skip_lines", "2"], "a,b\n1,2\n");
    assert_kept(raw, &["--skip_lines", "3", "--no_header"], "a,b\n1,2\n");
    Folder::with(raw)
        .run(&["--skip_lines", "9"])
        .assert_failure("cannot read `raw_data.csv`: it has no more lines than the 9 that `--skip_lines` passes over");
    Folder::with(format!("{raw}4\n"))
        .run(&["--skip_lines", "2"])
        .assert_failure(
            "cannot read `raw_data.csv`: line 7: expected 2 fields as in the header, found 1; \
             `--on_ragged drop` deletes such rows, `--on_ragged null` takes missing fields for null",
        );
}

/// As in the UCI Adult data; pandas drops the same with `skipinitialspace` and `na_values='?'`.
#[test]
fn blanks_around_a_value_may_not_count() {
    let raw = "a,b\n1, x \n2, NA\n3,  \n4,\" NaN \"\n5, ?\n6,\tN/A\t\n7,? \n8,N A\n";
    assert_kept(raw, &[], raw);
    assert_kept(
        raw,
        &["--trim", "--add_null_values", "?"],
        "a,b\n1, x \n8,N A\n",
    );
    assert_kept(
        "a\tb\n1\t 2\n \t3\n",
        &["--trim", "--delimiter", "\\t"],
        "a\tb\n1\t 2\n",
    );
    // The file may end behind a blank, wherever that lies in a block.
    for length in 1..140 {
        let row = format!("{},x\n", "y".repeat(length));
        assert_kept(
            format!("a,b\n{row}1, "),
            &["--trim"],
            &format!("a,b\n{row}"),
        );
    }
}

/// As in a file whose header, or whose rows, end in a delimiter.
#[test]
fn missing_fields_may_be_null() {
    let raw = "a,b,c\n1,2,3\n4,5\n6,7,8,\n9,10,11,,\"\"\n,\n";
    let (cleaned, summary) = clean(raw, &["--on_ragged", "null"]);
    assert_eq!(cleaned, "a,b,c\n1,2,3\n6,7,8,\n9,10,11,,\"\"\n");
    assert_eq!(
        summary,
        "data_cleaning: 5 rows read, 2 dropped, 3 kept -> clean_data.csv\n  \
         nulls: a 1, b 1, c 2\n"
    );
    assert_kept(
        "a,b,\n1,2\n3,\n",
        &["--on_ragged", "null", "--columns", "!"],
        "a,b,\n1,2\n",
    );
    Folder::with("a,b\n1,2\n1,2,3\n")
        .run(&["--on_ragged", "null"])
        .assert_failure(
            "cannot read `raw_data.csv`: line 3: expected 2 fields as in the header, found 3, and \
             those too many are not empty; `--on_ragged drop` deletes such rows",
        );
}

#[test]
fn quotes_may_be_text_or_others() {
    let raw = "a,b\n12\" pipe,x\n\"y,\nNA,1\n";
    assert_kept(raw, &["--quote", "none"], "a,b\n12\" pipe,x\n");
    assert_kept(
        raw,
        &["--quote=none", "--columns", "a"],
        "a,b\n12\" pipe,x\n\"y,\n",
    );
    let raw = "a,b\n12\" pipe,\"x,\n\"\"\"\n5\",\n";
    assert_kept(
        raw,
        &["--on_quote", "text"],
        "a,b\n12\" pipe,\"x,\n\"\"\"\n",
    );
    let raw = "a,b\n'x,''\n',1\n'NA',2\n\",3\n";
    assert_kept(raw, &["--quote", "'"], "a,b\n'x,''\n',1\n\",3\n");
}

#[test]
fn null_values_may_be_added_and_hold_commas() {
    let raw = "a,b\n1,NA\n2,?\n3,\"x,y\"\n4,z\n";
    assert_kept(raw, &["--add_null_values", "?,\"x,y\""], "a,b\n4,z\n");
    assert_kept(raw, &["--null_values", "\"x,y\""], "a,b\n1,NA\n2,?\n4,z\n");
    assert_kept(
        "\"a,b\",c\n,1\n2,\n",
        &["--columns", "\"a,b\""],
        "\"a,b\",c\n2,\n",
    );
}

#[test]
fn columns_may_be_left_out_and_the_hint_says_so() {
    let raw = "a,notes\n1,\n2,\n,\n";
    let (cleaned, summary) = clean(raw, &[]);
    assert_eq!(cleaned, "a,notes\n");
    assert_eq!(
        summary,
        "data_cleaning: 3 rows read, 3 dropped, 0 kept -> clean_data.csv\n  nulls: a 1, notes 3\n  \
         hint: no row stays, as column `notes` is null in every row; `--columns '!notes'` leaves it \
         out\n"
    );
    assert_kept(raw, &["--columns", "!notes"], "a,notes\n1,\n2,\n");
}

#[test]
fn another_delimiter_than_expected_is_told() {
    let folder = Folder::with("a;b\n1;2\n3;\n");
    folder.run(&[]).assert_failure(
        "cannot read `raw_data.csv`: the first line is one field, with `;` in it; `--delimiter ';'` \
         takes it apart, and `--delimiter ','` keeps it as one column",
    );
    assert_kept("a;b\n1;2\n3;\n", &["--delimiter", ","], "a;b\n1;2\n3;\n");
    assert_kept("\"a;b\"\n1;2\n", &[], "\"a;b\"\n1;2\n");
    // What the name says.
    folder.write("raw.tsv", "a\tb\n1\t2\n3\t\n");
    folder
        .run(&["--input", "raw.tsv", "--output", "clean.tsv"])
        .assert_success("data_cleaning: 2 rows read, 1 dropped, 1 kept -> clean.tsv\n  nulls: b 1");
    assert_eq!(folder.read("clean.tsv"), "a\tb\n1\t2\n");
    let outcome = folder.run(&["--output", "x.tsv"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    folder.write("raw.tsv", "a,b\n1,2\n");
    let outcome = folder.run(&["--input", "raw.tsv"]);
    assert!(
        outcome.stderr.contains("`--delimiter ','` takes it apart"),
        "{}",
        outcome.stderr
    );
}

/// Runs the binary with this as its standard input.
fn piped(folder: &Folder, text: &str, arguments: &str) -> crate::harness::Outcome {
    let script = format!("printf '{text}' | \"$0\" {arguments}");
    folder.run_command(Command::new("bash").args(["-c", &script, BINARY]))
}

#[test]
fn a_dash_is_standard_input_or_output() {
    let folder = Folder::empty();
    let outcome = piped(&folder, "a,b\\n1,2\\n3,\\n", "--input - --output -");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(0), "a,b\n1,2\n")
    );
    assert_eq!(
        outcome.stderr,
        "data_cleaning: 2 rows read, 1 dropped, 1 kept -> standard output\n  nulls: b 1\n"
    );
    assert!(folder.names().is_empty());
    // What others have read of it before is not read again.
    folder.write("raw", "first\na,b\n1,2\n3,\n");
    let script = "(read -r line; \"$0\" --input - --output -; echo \"$line\") < raw > all";
    let outcome = folder.run_command(Command::new("bash").args(["-c", script, BINARY]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(folder.read("all"), "a,b\n1,2\nfirst\n");
    let outcome = piped(&folder, "a,b\\n1\\n", "--input - --output -");
    assert!(
        outcome
            .stderr
            .starts_with("error: cannot read `-`: line 2: expected 2 fields"),
        "{}",
        outcome.stderr
    );
    let outcome = folder.run_command(Command::new("bash").args([
        "-c",
        "\"$0\" --input raw --skip_lines 1 --output - > /dev/full",
        BINARY,
    ]));
    assert_eq!(outcome.code, Some(1));
    let error = "error: cannot write `-`: No space left on device";
    assert!(outcome.stderr.starts_with(error), "{}", outcome.stderr);
}

/// A caller can pass every option every time.
#[test]
fn an_empty_value_is_as_good_as_none() {
    let options = [
        "input",
        "output",
        "input_format",
        "output_format",
        "add_null_values",
        "columns",
        "how",
        "min_valid",
        "delimiter",
        "quote",
        "on_quote",
        "on_ragged",
        "no_header",
        "skip_lines",
        "trim",
        "infer_types",
        "report",
    ];
    let arguments: Vec<String> = options
        .iter()
        .map(|option| format!("--{option}="))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_kept("a,b\n1,2\n3,\n", &arguments, "a,b\n1,2\n");
}

#[test]
fn options_that_would_do_nothing_are_wrong_usage() {
    let folder = Folder::empty();
    folder.write("x.ndjson", "{\"a\":1}\n");
    for arguments in [
        ["--on_ragged", "drop"],
        ["--infer_types", "true"],
        ["--trim", "true"],
        ["--delimiter", ";"],
    ] {
        let input = ["--input", "x.ndjson", "--output", "y.ndjson"];
        let outcome = folder.run(&[&input[..], &arguments].concat());
        assert_eq!(outcome.code, Some(2), "{arguments:?}");
        assert!(
            outcome
                .stderr
                .contains("which is for CSV, and the input is NDJSON"),
            "{}",
            outcome.stderr
        );
    }
    assert_eq!(folder.names(), ["x.ndjson"]);
}

#[cfg(feature = "tables")]
#[test]
fn dialects_count_on_the_way_to_a_table() {
    let folder = Folder::with("made by hand\n1;x;2\n 3;NA ;\n4;5\" y\n7;8;9;\n");
    let arguments = [
        "--skip_lines",
        "1",
        "--no_header",
        "--delimiter",
        ";",
        "--on_ragged",
        "null",
        "--on_quote",
        "text",
        "--trim",
        "--output",
        "x.ndjson",
        "--min_valid",
        "1",
        "--infer_types",
    ];
    let outcome = folder.run(&arguments);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(
        folder.read("x.ndjson"),
        "{\"1\":\"1\",\"2\":\"x\",\"3\":2}\n{\"1\":\" 3\",\"2\":null,\"3\":null}\n\
         {\"1\":\"4\",\"2\":\"5\\\" y\",\"3\":null}\n{\"1\":\"7\",\"2\":\"8\",\"3\":9}\n"
    );
}
