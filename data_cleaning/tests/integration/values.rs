use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::harness::{Folder, assert_cleaned, clean};

/// Rows without a null come out byte for byte.
#[track_caller]
fn assert_unchanged(raw: &str) {
    assert_cleaned(raw, raw);
}

#[test]
fn golden_file() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let raw = fs::read(golden.join("raw_data.csv")).unwrap();
    let (cleaned, summary) = clean(raw, &[]);
    assert_eq!(
        cleaned,
        fs::read_to_string(golden.join("clean_data.csv")).unwrap()
    );
    assert_eq!(
        summary,
        "data_cleaning: 12 rows read, 5 dropped, 7 kept -> clean_data.csv\n  \
         nulls: Age 2, Cabin 4, Embarked 1\n"
    );
}

#[test]
fn numbers_and_words_are_text() {
    assert_unchanged(
        "a,b,c\n007,1.50,22\n99999999999999999999999,TRUE,1e5\n-0,+1,0x1F\n2020-01-01,inf,1_000\n",
    );
}

#[test]
fn spaces_are_kept() {
    assert_unchanged("a,b\n x , y \n\t1,2\t\n , \n");
    assert_unchanged("a\n  \n1\n");
}

#[test]
fn text_within_quotes_is_kept() {
    assert_unchanged(
        "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n\"two\nlines\",\"\n\"\n\"\"\"\",\"a\r\nb\"\n",
    );
}

#[test]
fn needless_quotes_stay() {
    assert_unchanged("a,b\n\"1\",\"x y\"\n");
}

#[test]
fn bytes_that_are_not_utf8_stay() {
    let folder = Folder::with(b"caf\xe9,b\n\xff,\x80\n,2\n");
    folder.run(&[]).assert_success(
        "data_cleaning: 2 rows read, 1 dropped, 1 kept -> clean_data.csv\n  nulls: caf\u{fffd} 1",
    );
    let cleaned = fs::read(folder.path("clean_data.csv")).unwrap();
    assert_eq!(cleaned, b"caf\xe9,b\n\xff,\x80\n");
}

#[test]
fn any_character_is_kept() {
    assert_unchanged("ä,日本\n🚢,é\n\u{0},\u{7f}\n#,'\n;,\\\n{},$(x)\n");
}

#[test]
fn header_comes_out_as_it_went_in() {
    for header in [
        "a,a,a_duplicated_0",
        ",,x,",
        "\"b \"\"q\"\"\",\"c,d\",\"e\nf\"",
        "\"needless\", x ,\"\"",
        "1,2,3",
        "*,[a],?",
    ] {
        let columns = if header.starts_with(",,") {
            "1,2,3,4"
        } else {
            "1,2,3"
        };
        assert_unchanged(&format!("{header}\n{columns}\n"));
    }
}

#[test]
fn order_is_kept() {
    // More than one batch of the engine, so that batches could overtake each other.
    let mut raw = String::from("n,text\n");
    let mut expected = raw.clone();
    for n in 0..200_000 {
        let null = n % 3 == 0;
        let line = format!("{n},{}\n", if null { "" } else { "some words" });
        raw += &line;
        if !null {
            expected += &line;
        }
    }
    let (cleaned, summary) = clean(raw, &[]);
    assert!(cleaned == expected);
    assert_eq!(
        summary,
        "data_cleaning: 200000 rows read, 66667 dropped, 133333 kept -> clean_data.csv\n  \
         nulls: text 66667\n"
    );
}

#[test]
fn crlf_stays_crlf() {
    assert_unchanged("a,b\r\n1,2\r\n3,\"x\r\ny\"\r\n");
}

#[test]
fn mixed_line_ends_stay_mixed() {
    assert_unchanged("a,b\n1,2\r\n3,4\n");
    assert_unchanged("a,b\r\n1,2\n3,4\r\n");
}

#[test]
fn byte_order_mark_stays() {
    assert_unchanged("\u{feff}a,b\n1,2\n");
    assert_unchanged("\u{feff}\"a,b\",c\r\n1,2\r\n");
    assert_unchanged("\u{feff}a\n");
}

#[test]
fn a_final_newline_is_not_added() {
    assert_unchanged("a,b\n1,2\n3,4");
    assert_unchanged("a,b\r\n3,\"4\"");
    assert_cleaned("a,b\n1,2\n3,", "a,b\n1,2\n");
}

#[test]
fn header_only() {
    for (raw, expected) in [("a,b\n", "a,b\n"), ("a,b", "a,b"), ("a\r\n\r\n", "a\r\n")] {
        let (cleaned, summary) = clean(raw, &[]);
        assert_eq!(cleaned, expected);
        assert_eq!(
            summary,
            "data_cleaning: 0 rows read, 0 dropped, 0 kept -> clean_data.csv\n"
        );
    }
}

#[test]
fn two_thousand_columns() {
    let mut raw = String::new();
    for column in 0..2_000 {
        write!(raw, "{}c{column}", if column == 0 { "" } else { "," }).unwrap();
    }
    raw.push('\n');
    let mut expected = raw.clone();
    for row in 0..2_000 {
        // Every tenth row has one null, in another column each time.
        let null = (row % 10 == 0).then_some(row);
        let start = raw.len();
        for column in 0..2_000 {
            let value = if null == Some(column) { "" } else { "12" };
            write!(raw, "{}{value}", if column == 0 { "" } else { "," }).unwrap();
        }
        raw.push('\n');
        if null.is_none() {
            expected += &raw[start..];
        }
    }
    let (cleaned, summary) = clean(raw, &[]);
    assert!(cleaned == expected);
    assert_eq!(
        summary,
        "data_cleaning: 2000 rows read, 200 dropped, 1800 kept -> clean_data.csv\n  \
         nulls: c0 1, c10 1, c20 1, c30 1, c40 1, c50 1, c60 1, c70 1, c80 1, c90 1 \
         and 190 more columns\n"
    );
}

#[test]
fn large_fields() {
    let plain = "x".repeat(3 << 20);
    let quoted = format!("\"{}\"", "line, \"\"quoted\"\"\n".repeat(200_000));
    let raw = format!("a,b\n1,{plain}\n,{plain}\n{quoted},2\n3,4\n");
    let expected = format!("a,b\n1,{plain}\n{quoted},2\n3,4\n");
    let (cleaned, summary) = clean(raw, &[]);
    assert!(cleaned == expected);
    assert!(
        summary.starts_with("data_cleaning: 4 rows read, 1 dropped, 3 kept"),
        "{summary}"
    );
}

#[test]
fn a_second_cleaning_changes_nothing() {
    let folder = Folder::with("a,b\n\"1\",x\n,y\n\"p\"\"q\",\"r,s\"\n");
    folder.run(&[]).assert_success(
        "data_cleaning: 3 rows read, 1 dropped, 2 kept -> clean_data.csv\n  nulls: a 1",
    );
    folder
        .run(&["--input", "clean_data.csv", "--output", "again.csv"])
        .assert_success("data_cleaning: 2 rows read, 0 dropped, 2 kept -> again.csv");
    assert_eq!(folder.read("again.csv"), folder.read("clean_data.csv"));
}
