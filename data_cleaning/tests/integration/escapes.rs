//! Text of others that must not give orders to a terminal.

use std::process::Command;

use crate::harness::{BINARY, Folder, Outcome};

/// Escape sequences by C0 and by C1, a bell, a line end, and a change of the direction of writing.
const EVIL: &str = "x\u{1b}]0;t\u{7}\u{9b}31m\ny\u{202e}z\u{2066}\u{7f}\u{2028}";
const HARMLESS: &str = "x\\u{1b}]0;t\\u{7}\\u{9b}31m\\ny\\u{202e}z\\u{2066}\\u{7f}\\u{2028}";

#[track_caller]
fn assert_harmless(outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        let order = text.chars().find(|c| {
            (c.is_control() && *c != '\n')
                || ('\u{2028}'..='\u{202e}').contains(c)
                || *c == '\u{2066}'
        });
        assert_eq!(order, None, "{text:?}");
    }
}

#[test]
fn paths_and_names_of_columns() {
    let folder = Folder::empty();
    folder.write(EVIL, format!("\"{EVIL}\",b\n1,2\n,3\n"));
    let output = format!("{EVIL}.csv");
    let outcome = folder.run(&[
        "--input",
        EVIL,
        "--output",
        &output,
        "--report",
        "report.json",
    ]);
    outcome.assert_success(&format!(
        "data_cleaning: 2 rows read, 1 dropped, 1 kept -> {HARMLESS}.csv\n  nulls: {HARMLESS} 1"
    ));
    // In the report it is what it is.
    let report: serde_json::Value = serde_json::from_str(&folder.read("report.json")).unwrap();
    assert_eq!(report["columns"][0]["name"], EVIL);
    assert_eq!(report["output"], output.as_str());

    folder
        .run(&["--input", EVIL, "--columns", EVIL, "--output", "no\u{1b}/x"])
        .assert_failure("cannot write `no\\u{1b}/x`: there is no folder `no\\u{1b}`");
    folder
        .run(&["--input", EVIL, "--columns", &format!("{EVIL}2")])
        .assert_failure(&format!(
            "cannot read `{HARMLESS}`: there is no column `{HARMLESS}2`, expected one of \
             `{HARMLESS}`, `b`"
        ));
    folder
        .run(&["--input", &output[1..]])
        .assert_failure(&format!(
            "cannot read `{}.csv`: No such file or directory (os error 2)",
            &HARMLESS[1..]
        ));
    folder
        .run(&["--input", EVIL, "--output", &format!("{EVIL}.gz")])
        .assert_failure(&format!(
            "cannot write `{HARMLESS}.gz`: a compressed file can be read but not written, expected \
             a name without `.gz`"
        ));
}

#[cfg(feature = "tables")]
#[test]
fn what_polars_says_of_names_and_values() {
    let folder = Folder::empty();
    let name = EVIL
        .replace('\n', "\\n")
        .replace(['\u{1b}', '\u{7}'], "\\u001b");
    folder.write(
        "x.ndjson",
        format!("{{\"{name}\":[1]}}\n{{\"{name}\":[2]}}\n"),
    );
    for arguments in [
        &["--input", "x.ndjson"][..],
        &["--input", "x.ndjson", "--columns", "\u{1b}"],
        &["--input", "x.ndjson", "--output", "x.parquet"],
    ] {
        assert_harmless(&folder.run(arguments));
    }
    for text in [
        "{\"a\":\u{1b}}\n",
        "[\"\u{9b}\u{202e}\"]\n",
        "{\"a\u{1b}\":1}\n",
    ] {
        folder.write("y.ndjson", text);
        let outcome = folder.run(&["--input", "y.ndjson"]);
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert_harmless(&outcome);
    }
    folder.write("raw_data.csv", format!("\"{EVIL}\",\"{EVIL}\"\n1,2\n"));
    let outcome = folder.run(&["--output", "x.parquet"]);
    assert!(outcome.stderr.contains(HARMLESS), "{}", outcome.stderr);
    assert_harmless(&outcome);
}

#[test]
fn what_was_typed() {
    let folder = Folder::with("a\n1\n");
    let equals = format!("--delimiter={EVIL}");
    let unknown = format!("--{EVIL}");
    for arguments in [
        &[unknown.as_str()][..],
        &[EVIL],
        &[&equals],
        &["--delimiter", EVIL],
        &["--min_valid", EVIL],
        &["--how", EVIL],
        &["--input_format", EVIL],
    ] {
        let outcome = folder.run(arguments);
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(HARMLESS), "{}", outcome.stderr);
        assert_harmless(&outcome);
    }
    // The help shows the name by which the program was called.
    for argument in ["--help", "--nonsense"] {
        let mut command = Command::new("bash");
        command.args([
            "-c",
            &format!("exec -a $'a\\e[1m\\x9b' \"$0\" {argument}"),
            BINARY,
        ]);
        assert_harmless(&folder.run_command(&mut command));
    }
    let mut command = Command::new("bash");
    let script = "PIPELINE_METRICS=$'no\\e[1m/x' exec \"$0\"";
    let outcome = folder.run_command(command.args(["-c", script, BINARY]));
    let warning = "warning: cannot write the metrics to `no\\u{1b}[1m/x`: No such file";
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
    assert_harmless(&outcome);
}
