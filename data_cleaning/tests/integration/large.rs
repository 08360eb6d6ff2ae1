use std::fs;
use std::process::Command;

use crate::harness::{BINARY, Folder, writable};

#[test]
fn one_field_of_100_megabytes() {
    let long = "x\n,\"\"".repeat(20_000_000);
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
fn a_long_field_is_not_held_in_memory() {
    let raw = format!("a,b\n\"{}\",2\n", "x,\n\"\"".repeat(40_000_000));
    let folder = Folder::with(&raw);
    let outcome = folder.run_command(Command::new("bash").args([
        "-c",
        "ulimit -d 65536; exec \"$0\"",
        BINARY,
    ]));
    outcome.assert_success("data_cleaning: 1 row read, 0 dropped, 1 kept -> clean_data.csv");
    assert!(fs::read(folder.path("clean_data.csv")).unwrap() == raw.as_bytes());
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
