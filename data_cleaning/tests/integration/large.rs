use std::fs;
use std::process::Command;

use crate::harness::{BINARY, Folder, writable};

#[test]
fn one_field_of_60_megabytes() {
    let long = "x\n,\"\"".repeat(12_000_000);
    let raw = format!("a,b\n1,2\n\"{long}\",3\n\"{long}\",\n4,5\n");
    let kept = format!("a,b\n1,2\n\"{long}\",3\n4,5\n");
    let folder = Folder::with(&raw);
    let summary = "data_cleaning: 4 rows read, 1 dropped, 3 kept -> ";
    folder
        .run(&[])
        .assert_success(&format!("{summary}clean_data.csv\n  nulls: b 1"));
    assert!(folder.read("clean_data.csv") == kept);
    if !cfg!(feature = "tables") {
        return;
    }
    folder
        .run(&["--output", "clean.parquet"])
        .assert_success(&format!("{summary}clean.parquet\n  nulls: b 1"));
    let back = ["--input", "clean.parquet", "--output", "back.csv"];
    assert_eq!(folder.run(&back).code, Some(0));
    assert!(folder.read("back.csv") == kept);
}

#[test]
fn a_record_that_is_too_long_is_refused_by_its_line() {
    let folder = Folder::with(format!("a,b\n1,2\n\"{},2\n", "x,\n\"\"".repeat(14_000_000)));
    folder.run(&[]).assert_failure(
        "cannot read `raw_data.csv`: line 3: the record that begins here is longer than 64 MiB; is \
         its quote closed?",
    );
    // What is wrong in its middle says more.
    folder.write(
        "raw_data.csv",
        format!("a,b\n1,2\n5\" pipe,1\n{}", "3,4\n".repeat(20_000_000)),
    );
    let outcome = folder.run(&[]);
    let error = "error: cannot read `raw_data.csv`: line 3: a quote in a field that does not begin";
    assert!(outcome.stderr.starts_with(error), "{}", outcome.stderr);
    assert_eq!(folder.names(), ["raw_data.csv"]);
}

#[test]
fn memory_does_not_depend_on_the_size_of_the_file() {
    let folder = Folder::with(format!("a,b\n{}", "x,\"1,\n2\"\n".repeat(10_000_000)));
    let outcome = folder.run_command(Command::new("bash").args([
        "-c",
        "ulimit -d 65536; exec \"$0\"",
        BINARY,
    ]));
    outcome.assert_success(
        "data_cleaning: 10000000 rows read, 0 dropped, 10000000 kept -> clean_data.csv",
    );
    let same = fs::read(folder.path("clean_data.csv")).unwrap()
        == fs::read(folder.path("raw_data.csv")).unwrap();
    assert!(same);
}

#[test]
fn two_thousand_columns() {
    let names: Vec<String> = (0..2_000).map(|column| format!("c{column}")).collect();
    let mut raw = names.join(",") + "\n";
    let mut kept = raw.clone();
    for row in 0..200 {
        let value = |column: usize| {
            if column == 10 * row && row % 4 == 1 {
                ""
            } else {
                "12"
            }
        };
        let values: Vec<&str> = (0..2_000).map(value).collect();
        raw += &(values.join(",") + "\n");
        if row % 4 != 1 {
            kept += &(values.join(",") + "\n");
        }
    }
    let folder = Folder::with(&raw);
    let dropped = "200 rows read, 50 dropped, 150 kept";
    for output in writable(&["clean.csv", "clean.parquet", "clean.arrow", "clean.ndjson"]) {
        let outcome = folder.run(&["--output", output, "--infer_types"]);
        assert!(outcome.stderr.contains(dropped), "{}", outcome.stderr);
        let back = folder.run(&["--input", output, "--output", "back.csv"]);
        assert!(
            back.stderr.contains("150 rows read, 0 dropped"),
            "{}",
            back.stderr
        );
        assert!(folder.read("back.csv") == kept, "{output}");
        // The table itself drops the same rows.
        folder.run(&["--output", output, "--how", "all"]);
        let back = folder.run(&["--input", output, "--output", "back.csv"]);
        assert!(back.stderr.contains(dropped), "{}", back.stderr);
        assert!(folder.read("back.csv") == kept, "{output}");
    }
}
