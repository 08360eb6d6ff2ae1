use std::fs;
use std::process::Command;

use crate::harness::{BINARY, Folder, clean};

const RAW: &str = "a,b,c\n1,2,3\n1,,3\n,,\n1,2,NA\n";

#[test]
fn columns_how_and_min_valid_say_which_rows_go() {
    for (arguments, kept) in [
        (&[][..], "1,2,3\n"),
        (&["--how", "all"], "1,2,3\n1,,3\n1,2,NA\n"),
        (&["--columns", "a"], "1,2,3\n1,,3\n1,2,NA\n"),
        (&["--columns", "b,c"], "1,2,3\n"),
        (
            &["--columns", "b,c", "--how", "all"],
            "1,2,3\n1,,3\n1,2,NA\n",
        ),
        (&["--columns", ""], "1,2,3\n"),
        (&["--min_valid", "2"], "1,2,3\n1,,3\n1,2,NA\n"),
        (&["--min_valid", "0"], "1,2,3\n1,,3\n,,\n1,2,NA\n"),
        (&["--columns", "b,c", "--min-valid", "2"], "1,2,3\n"),
        (&["--min_valid", "4"], ""),
    ] {
        let (cleaned, summary) = clean(RAW, arguments);
        assert_eq!(cleaned, format!("a,b,c\n{kept}"), "{arguments:?}");
        // The nulls of all columns are told, whichever count.
        assert!(summary.ends_with("\n  nulls: a 1, b 2, c 2\n"), "{summary}");
    }
}

#[test]
fn a_column_that_is_not_there_is_refused() {
    let folder = Folder::with(RAW);
    folder.run(&["--columns", "a,x"]).assert_failure(
        "cannot read `raw_data.csv`: there is no column `x`, expected one of `a`, `b`, `c`",
    );
    assert_eq!(folder.names(), ["raw_data.csv"]);
}

#[test]
fn how_and_min_valid_exclude_each_other() {
    let outcome = Folder::with(RAW).run(&["--how", "all", "--min_valid", "1"]);
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stderr.contains("cannot be used with"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_report_does_not_take_the_place_of_the_data() {
    for (arguments, option) in [
        (&["--report", "raw_data.csv"][..], "input"),
        (&["--report", "./raw_data.csv"], "input"),
        (&["--report", "clean_data.csv"], "output"),
        (&["--report", "link"], "input"),
        (&["--report", "-", "--output", "-"], "output"),
    ] {
        let folder = Folder::with(RAW);
        std::os::unix::fs::symlink("raw_data.csv", folder.path("link")).unwrap();
        let outcome = folder.run(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
        let message = format!("`--report` names what `--{option}` does, expected another file");
        assert!(outcome.stderr.contains(&message), "{}", outcome.stderr);
        assert_eq!(folder.read("raw_data.csv"), RAW);
    }
}

#[test]
fn another_delimiter() {
    for (argument, character) in [(";", ';'), ("\\t", '\t'), ("|", '|')] {
        let raw = RAW.replace(',', &character.to_string());
        let expected = "a,b,c\n1,2,3\n".replace(',', &character.to_string());
        assert_eq!(clean(&raw, &["--delimiter", argument]).0, expected);
    }
    assert_eq!(Folder::with(RAW).run(&["--delimiter", "\""]).code, Some(2));
}

#[test]
fn ragged_rows_may_be_dropped() {
    let (cleaned, summary) = clean("a,b\n1\n1,2\n,2,3\n,4\n5,6,7\n", &["--on_ragged", "drop"]);
    assert_eq!(cleaned, "a,b\n1,2\n");
    assert_eq!(
        summary,
        "data_cleaning: 5 rows read, 4 dropped (3 ragged), 1 kept -> clean_data.csv\n  \
         nulls: a 1\n"
    );
}

#[test]
fn report_and_metrics_have_the_figures() {
    let folder = Folder::with(RAW);
    folder.write("metrics", "earlier 1\n");
    let outcome = folder.run_command(Command::new("bash").args([
        "-c",
        "PIPELINE_METRICS=metrics exec \"$0\" --report report.json",
        BINARY,
    ]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);

    let report: serde_json::Value = serde_json::from_str(&folder.read("report.json")).unwrap();
    assert_eq!(
        (
            &report["rows_read"],
            &report["rows_kept"],
            &report["rows_dropped"]
        ),
        (&4.into(), &1.into(), &3.into())
    );
    assert_eq!(
        (&report["bytes_read"], &report["bytes_written"]),
        (&27.into(), &12.into())
    );
    assert_eq!(
        report["columns"][2]["null_values"].to_string(),
        r#"{"":1,"NA":1}"#
    );
    assert!(report["seconds"].as_f64().unwrap() > 0.0);

    let metrics = folder.read("metrics");
    let (seconds, others): (Vec<&str>, Vec<&str>) = metrics
        .lines()
        .partition(|line| line.starts_with("seconds "));
    assert_eq!(seconds.len(), 1);
    assert_eq!(
        others,
        [
            "earlier 1",
            "bytes_read 27",
            "bytes_written 12",
            "rows_read 4",
            "rows_dropped 3",
            "rows_kept 1",
            "nulls.a 1",
            "nulls.b 2",
            "nulls.c 2"
        ]
    );
}

#[test]
fn figures_that_cannot_be_written() {
    let folder = Folder::with(RAW);
    let outcome = folder.run_command(Command::new("bash").args([
        "-c",
        "PIPELINE_METRICS=no/metrics exec \"$0\"",
        BINARY,
    ]));
    assert_eq!(outcome.code, Some(0));
    let warning = "warning: cannot write the metrics to `no/metrics`: ";
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);

    let outcome = folder.run(&["--report", "no/report.json"]);
    assert_eq!(outcome.code, Some(1));
    let error = "error: cannot write `no/report.json`: there is no folder `no`";
    assert!(outcome.stderr.contains(error), "{}", outcome.stderr);
}

#[test]
fn packed_csv_is_not_written() {
    let folder = Folder::with(RAW);
    folder.run(&["--output", "x.csv.gz"]).assert_failure(
        "cannot write `x.csv.gz`: a compressed file can be read but not written, expected a name \
         without `.gz`",
    );
    assert_eq!(folder.names(), ["raw_data.csv"]);
}

#[test]
fn packed_csv_is_read() {
    let folder = Folder::empty();
    let mut gzip = Vec::new();
    for member in ["a,b\n1,", "2\n3,\n"] {
        let mut encoder =
            flate2::read::GzEncoder::new(member.as_bytes(), flate2::Compression::fast());
        std::io::Read::read_to_end(&mut encoder, &mut gzip).unwrap();
    }
    let zstd = zstd::encode_all(&b"a,b\n1,2\n3,\n"[..], 1).unwrap();
    for packed in [&gzip, &zstd] {
        folder.write("raw_data.csv", packed);
        folder.run(&[]).assert_success(
            "data_cleaning: 2 rows read, 1 dropped, 1 kept -> clean_data.csv\n  nulls: b 1",
        );
        assert_eq!(folder.read("clean_data.csv"), "a,b\n1,2\n");
        folder.write("raw_data.csv", &packed[..packed.len() - 3]);
        let outcome = folder.run(&[]);
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert!(
            outcome
                .stderr
                .starts_with("error: cannot read `raw_data.csv`: ")
        );
        fs::remove_file(folder.path("clean_data.csv")).unwrap();
    }
}

#[test]
fn zstd_that_begins_with_a_frame_to_be_skipped_is_read() {
    // As `pzstd` writes it: the length of the next frame in a frame of its own.
    let frame = zstd::encode_all(&b"v\n1\n2\nNA\n"[..], 1).unwrap();
    let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
    let packed = [b"\x50\x2a\x4d\x18\x04\0\0\0", &length[..], &frame].concat();
    let folder = Folder::with(packed);
    folder.run(&[]).assert_success(
        "data_cleaning: 3 rows read, 1 dropped, 2 kept -> clean_data.csv\n  nulls: v 1",
    );
    assert_eq!(folder.read("clean_data.csv"), "v\n1\n2\n");
}
