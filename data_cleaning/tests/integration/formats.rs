use std::fs::File;
use std::process::Command;

use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, IpcReader, IpcWriter, NamedFrom, ParquetReader,
    ParquetWriter, SerReader, SerWriter, Series, df,
};

use crate::harness::{BINARY, Folder};

const RAW: &str = "id,name,seen,007,ok,when,null\r\n\
                   1,\"a \"\"q\"\"\",0.5,007,true,2024-02-29,\r\n\
                   ,b,1,08,False,2024-03-01,\r\n\
                   3,\"x\ny, z\",NA,09,TRUE,1969-12-31,\r\n";

fn read(folder: &Folder, name: &str) -> DataFrame {
    let file = File::open(folder.path(name)).unwrap();
    if name.ends_with(".parquet") {
        ParquetReader::new(file).finish().unwrap()
    } else {
        IpcReader::new(file).finish().unwrap()
    }
}

fn write(folder: &Folder, name: &str, table: &mut DataFrame) {
    let file = File::create(folder.path(name)).unwrap();
    if name.ends_with(".parquet") {
        ParquetWriter::new(file).finish(table).unwrap();
    } else {
        IpcWriter::new(file).finish(table).unwrap();
    }
}

#[track_caller]
fn assert_equal(found: &DataFrame, expected: &DataFrame) {
    assert_eq!(found.schema(), expected.schema());
    assert!(found.equals_missing(expected), "{found:?} {expected:?}");
}

#[test]
fn columns_stay_text_unless_types_are_asked_for() {
    let text = df!(
        "id" => ["1", "3"], "name" => ["a \"q\"", "x\ny, z"], "seen" => [Some("0.5"), None],
        "007" => ["007", "09"], "ok" => ["true", "TRUE"], "when" => ["2024-02-29", "1969-12-31"],
        "null" => [None::<&str>, None],
    );
    let mut typed = df!(
        "id" => [1_i64, 3], "name" => ["a \"q\"", "x\ny, z"], "seen" => [Some(0.5), None],
        "007" => ["007", "09"], "ok" => [true, true], "when" => [19_782, -1],
        "null" => [None::<&str>, None],
    )
    .unwrap();
    let date = typed.column("when").unwrap().cast(&DataType::Date).unwrap();
    typed.replace("when", date).unwrap();
    for output in ["clean.parquet", "clean.arrow"] {
        let folder = Folder::with(RAW);
        let arguments = ["--output", output, "--columns", "id"];
        folder.run(&arguments).assert_success(&format!(
            "data_cleaning: 3 rows read, 1 dropped, 2 kept -> {output}\n  \
             nulls: id 1, seen 1, null 3"
        ));
        assert_equal(&read(&folder, output), text.as_ref().unwrap());
        for asked in [&["--infer_types"][..], &["--infer-types", "true"]] {
            let outcome = folder.run(&[&arguments[..], asked].concat());
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            assert_equal(&read(&folder, output), &typed);
        }
        assert_eq!(folder.names(), [output, "raw_data.csv"]);
    }
}

#[test]
fn ndjson_has_an_object_for_each_row() {
    let folder = Folder::with("a,b,c\n1,x,\n\"2\"\"\",,z\n");
    folder.run(&["--output", "clean.jsonl", "--how", "all"]);
    let rows = "{\"a\":\"1\",\"b\":\"x\",\"c\":null}\n{\"a\":\"2\\\"\",\"b\":null,\"c\":\"z\"}\n";
    assert_eq!(folder.read("clean.jsonl"), rows);

    let back = [
        "--input",
        "clean.jsonl",
        "--output",
        "back.csv",
        "--how",
        "all",
    ];
    folder.run(&back).assert_success(
        "data_cleaning: 2 rows read, 0 dropped, 2 kept -> back.csv\n  nulls: b 1, c 1",
    );
    assert_eq!(folder.read("back.csv"), "a,b,c\n1,x,\n\"2\"\"\",,z\n");
}

#[test]
fn every_pair_of_formats() {
    const NAMES: [&str; 4] = ["x.csv", "x.parquet", "x.arrow", "x.ndjson"];
    let folder = Folder::with("a,b\n1,\"x\n\"\n,y\n3,\"\"\"\"\n");
    for from in NAMES {
        folder.run(&["--output", from, "--how", "all"]);
        for to in NAMES {
            let to = format!("from_{from}_to_{to}");
            folder
                .run(&["--input", from, "--output", &to])
                .assert_success(&format!(
                    "data_cleaning: 3 rows read, 1 dropped, 2 kept -> {to}\n  nulls: a 1"
                ));
            folder.run(&["--input", &to, "--output", "back.csv"]);
            assert_eq!(
                folder.read("back.csv"),
                "a,b\n1,\"x\n\"\n3,\"\"\"\"\n",
                "{to}"
            );
        }
    }
    assert_eq!(folder.names().len(), 2 + 4 + 16);
}

#[test]
fn formats_may_be_named() {
    let folder = Folder::with("a\n1\n\n");
    for (argument, start) in [("parquet", "PAR1"), ("feather", "ARROW1"), ("jsonl", "{")] {
        let outcome = folder.run(&["--output", "table", "--output_format", argument]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let bytes = std::fs::read(folder.path("table")).unwrap();
        assert!(bytes.starts_with(start.as_bytes()), "{argument}");
        folder
            .run(&["--input", "table", "--input_format", argument])
            .assert_success("data_cleaning: 1 row read, 0 dropped, 1 kept -> clean_data.csv");
        assert_eq!(folder.read("clean_data.csv"), "a\n1\n");
    }
}

/// A table with nulls of all kinds; the first and the last row have none.
fn table() -> DataFrame {
    let columns: Vec<Column> = vec![
        Series::new("i".into(), [Some(1), None, Some(3), Some(4), Some(5)]).into_column(),
        Series::new("f".into(), [0.5, 1.5, f64::NAN, 3.5, -0.0]).into_column(),
        Series::new(
            "s".into(),
            [Some("a"), Some("b"), Some("c"), None, Some("NA")],
        )
        .into_column(),
    ];
    DataFrame::new_infer_height(columns).unwrap()
}

#[test]
fn nulls_of_a_table_are_its_nulls_and_what_is_no_number() {
    for input in ["table.parquet", "table.arrow"] {
        for (arguments, kept, nulls) in [
            (&[][..], &[0, 4][..], "i 1, f 1, s 1"),
            (&["--columns", "i,s"], &[0, 2, 4], "i 1, f 1, s 1"),
            (&["--how", "all"], &[0, 1, 2, 3, 4], "i 1, f 1, s 1"),
            (&["--min_valid", "3"], &[0, 4], "i 1, f 1, s 1"),
            (&["--null_values", "NA,b"], &[0], "i 1, f 1, s 3"),
            (&["--null_values", ""], &[0, 4], "i 1, f 1, s 1"),
        ] {
            let folder = Folder::empty();
            write(&folder, input, &mut table());
            let arguments = [&["--input", input, "--output", "out.parquet"], arguments].concat();
            folder.run(&arguments).assert_success(&format!(
                "data_cleaning: 5 rows read, {} dropped, {} kept -> out.parquet\n  nulls: {nulls}",
                5 - kept.len(),
                kept.len(),
            ));
            let rows: Vec<DataFrame> = kept.iter().map(|row| table().slice(*row, 1)).collect();
            let expected = rows
                .into_iter()
                .reduce(|all, row| all.vstack(&row).unwrap());
            assert_equal(&read(&folder, "out.parquet"), &expected.unwrap());
        }
    }
}

#[test]
fn a_table_may_be_cleaned_in_place() {
    let folder = Folder::empty();
    write(&folder, "table.parquet", &mut table());
    let arguments = ["--input", "table.parquet", "--output", "table.parquet"];
    assert_eq!(folder.run(&arguments).code, Some(0));
    assert_eq!(read(&folder, "table.parquet").height(), 2);
    assert_eq!(folder.names(), ["table.parquet"]);
}

#[test]
fn csv_is_written_so_that_it_reads_the_same() {
    let folder = Folder::empty();
    let mut table = df!(
        "a \"q\"" => [Some("x;y"), Some(""), None, Some("line\nend")],
        "b;" => ["1", "2", "3", " 4"],
    )
    .unwrap();
    write(&folder, "table.arrow", &mut table);
    let arguments = ["--input", "table.arrow", "--how", "all", "--delimiter", ";"];
    assert_eq!(folder.run(&arguments).code, Some(0));
    let text = "\"a \"\"q\"\"\";\"b;\"\n\"x;y\";1\n\"\";2\n;3\n\"line\nend\"; 4\n";
    assert_eq!(folder.read("clean_data.csv"), text);
    // A null in the only column is no blank line, which would be no row.
    write(
        &folder,
        "table.arrow",
        &mut df!("a" => [Some("x"), None]).unwrap(),
    );
    assert_eq!(
        folder
            .run(&["--input", "table.arrow", "--min_valid", "0"])
            .code,
        Some(0)
    );
    assert_eq!(folder.read("clean_data.csv"), "a\nx\n\"\"\n");
}

#[test]
fn options_of_csv_count_on_the_way_to_a_table() {
    let folder = Folder::with("a|b\n1|2\n3\n-9|4\n1|x|y\n|NA\n");
    let arguments = [
        "--output",
        "clean.parquet",
        "--delimiter",
        "|",
        "--on_ragged",
        "drop",
        "--null_values",
        "-9",
        "--report",
        "report.json",
        "--infer_types",
    ];
    folder.run(&arguments).assert_success(
        "data_cleaning: 5 rows read, 4 dropped (2 ragged), 1 kept -> clean.parquet\n  nulls: a 2",
    );
    let expected = df!("a" => [1_i64], "b" => [2_i64]).unwrap();
    assert_equal(&read(&folder, "clean.parquet"), &expected);
    let report: serde_json::Value = serde_json::from_str(&folder.read("report.json")).unwrap();
    assert_eq!(report["null_values"].to_string(), r#"{"":1,"-9":1}"#);
    assert_eq!(
        (&report["rows_ragged"], &report["bytes_read"]),
        (&2.into(), &25.into())
    );
    let size = std::fs::metadata(folder.path("clean.parquet"))
        .unwrap()
        .len();
    assert_eq!(report["bytes_written"], size);
}

#[test]
fn types_are_those_of_all_rows_that_stay() {
    // More than one portion of text before the value that decides.
    let rows = "1,2\n".repeat(2_500_000);
    for (last, dtype) in [
        ("3", DataType::Int64),
        ("3.5", DataType::Float64),
        ("x", DataType::String),
    ] {
        let folder = Folder::with(format!("a,b\nx,\n{rows}1,{last}\n"));
        let outcome = folder.run(&["--output", "clean.parquet", "--infer_types"]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let table = read(&folder, "clean.parquet");
        assert_eq!(table.height(), 2_500_001);
        let types: Vec<DataType> = table.columns().iter().map(|c| c.dtype().clone()).collect();
        assert_eq!(types, [DataType::Int64, dtype]);
    }
}

#[track_caller]
fn assert_refused(folder: &Folder, arguments: &[&str], error: &str) {
    let before = folder.names();
    folder.run(arguments).assert_failure(error);
    assert_eq!(folder.names(), before);
}

#[test]
fn what_the_output_cannot_hold_is_refused() {
    let folder = Folder::with("a,b,a\n1,2,3\n");
    assert_refused(
        &folder,
        &["--output", "x.parquet"],
        "cannot read `raw_data.csv`: there are several columns `a`, expected each name once as \
         Parquet needs it",
    );
    folder.write("raw_data.csv", b"a,b\n1,2\n3,\xe9t\xe9\n");
    for arguments in [
        &["--output", "x.ndjson"][..],
        &["--output", "x.arrow", "--infer_types"],
    ] {
        assert_refused(
            &folder,
            arguments,
            "cannot read `raw_data.csv`: line 3: the text is not UTF-8, expected it as the output \
             is not CSV; `iconv -f ENCODING -t UTF-8` converts it",
        );
    }
    let lists = Series::new("l\n".into(), [Series::new("".into(), [1, 2])]);
    let mut table = DataFrame::new_infer_height(vec![lists.into_column()]).unwrap();
    write(&folder, "table.parquet", &mut table);
    assert_refused(
        &folder,
        &["--input", "table.parquet"],
        "cannot write `clean_data.csv`: the column `l\\n` is of type list[i32], which CSV cannot \
         hold, expected Parquet or Arrow for it",
    );
    write(
        &folder,
        "table.parquet",
        &mut df!("x" => [1.0, f64::INFINITY]).unwrap(),
    );
    assert_refused(
        &folder,
        &["--input", "table.parquet", "--output", "x.ndjson"],
        "cannot write `x.ndjson`: the column `x` has an infinite number, which NDJSON cannot hold",
    );
}

#[test]
fn what_is_not_of_the_format_is_refused() {
    let folder = Folder::with("a,b\n1,2\n");
    for (format, error) in [
        ("parquet", "it does not begin with `PAR1` as Parquet does"),
        ("arrow", "it does not begin with `ARROW1` as Arrow does"),
        (
            "ndjson",
            "line 1, column 1: expected value; each line has to be a JSON object",
        ),
    ] {
        let error = format!("cannot read `raw_data.csv`: {error}");
        assert_refused(&folder, &["--input_format", format], &error);
        folder.write("empty", "");
        let outcome = folder.run(&["--input", "empty", "--input_format", format]);
        let error = "error: cannot read `empty`: it is empty, expected ";
        assert!(outcome.stderr.starts_with(error), "{}", outcome.stderr);
    }
    folder.write("x.ndjson", "{\"a\":1}\n\n{\"a\":\n");
    assert_refused(
        &folder,
        &["--input", "x.ndjson"],
        "cannot read `x.ndjson`: line 3, column 0: EOF while parsing a value; each line has to be \
         a JSON object",
    );
    folder.run(&["--output", "x.parquet"]);
    let whole = std::fs::read(folder.path("x.parquet")).unwrap();
    folder.write("cut.parquet", &whole[..whole.len() - 7]);
    let outcome = folder.run(&["--input", "cut.parquet", "--output", "y.csv"]);
    assert_eq!(outcome.code, Some(1));
    let error = "error: cannot read `cut.parquet`: ";
    assert!(outcome.stderr.starts_with(error), "{}", outcome.stderr);
    assert!(!folder.path("y.csv").exists());
}

#[test]
fn a_column_that_a_table_has_not() {
    let folder = Folder::empty();
    write(&folder, "table.arrow", &mut table());
    assert_refused(
        &folder,
        &["--input", "table.arrow", "--columns", "x"],
        "cannot read `table.arrow`: there is no column `x`, expected one of `i`, `f`, `s`",
    );
}

#[test]
fn a_pipe_is_read_once_and_from_its_start() {
    let folder = Folder::empty();
    let piped = |arguments: &str| {
        let script = format!("printf 'a,b\\n1,2\\n3,\\n' | \"$0\" --input /dev/stdin {arguments}");
        folder.run_command(Command::new("bash").args(["-c", &script, BINARY]))
    };
    piped("--output x.parquet")
        .assert_success("data_cleaning: 2 rows read, 1 dropped, 1 kept -> x.parquet\n  nulls: b 1");
    assert_equal(
        &read(&folder, "x.parquet"),
        &df!("a" => ["1"], "b" => ["2"]).unwrap(),
    );
    piped("--output y.parquet --infer_types")
        .assert_success("data_cleaning: 2 rows read, 1 dropped, 1 kept -> y.parquet\n  nulls: b 1");
    assert_equal(
        &read(&folder, "y.parquet"),
        &df!("a" => [1_i64], "b" => [2_i64]).unwrap(),
    );
    piped("--output z.parquet --input_format arrow")
        .assert_failure("cannot read `/dev/stdin`: it does not begin with `ARROW1` as Arrow does");
    assert_eq!(folder.names(), ["x.parquet", "y.parquet"]);
}

#[test]
fn packed_csv_becomes_a_table() {
    let folder = Folder::empty();
    folder.write(
        "raw.csv.zst",
        zstd::encode_all(&b"a,b\n1,2\n3,\n"[..], 1).unwrap(),
    );
    let arguments = [
        "--input",
        "raw.csv.zst",
        "--output",
        "x.arrow",
        "--infer_types",
    ];
    assert_eq!(folder.run(&arguments).code, Some(0));
    assert_equal(
        &read(&folder, "x.arrow"),
        &df!("a" => [1_i64], "b" => [2_i64]).unwrap(),
    );
}

#[test]
fn categories_and_nested_values_stay() {
    let folder = Folder::empty();
    let mut table = df!("c" => ["a", "b", "a"], "k" => [1, 2, 3]).unwrap();
    let categories = DataType::from_categories(polars::prelude::Categories::global());
    let column = table.column("c").unwrap().cast(&categories).unwrap();
    table.replace("c", column).unwrap();
    let lists: [Series; 3] = [vec![1, 2], vec![], vec![3]].map(|v| Series::new("".into(), v));
    table
        .with_column(Series::new("l".into(), lists).into_column())
        .unwrap();
    write(&folder, "in.parquet", &mut table);
    for output in ["out.parquet", "out.arrow"] {
        let outcome = folder.run(&["--input", "in.parquet", "--output", output]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
    assert_equal(&read(&folder, "out.parquet"), &table);
    let text = table.column("c").unwrap().cast(&DataType::String).unwrap();
    table.replace("c", text).unwrap();
    assert_equal(&read(&folder, "out.arrow"), &table);
}
