//! Files of other programs with types that polars does not have, or takes for others.
//!
//! They are made by `tests/golden/types/make.py`; the right values are those that pyarrow reads.

use std::fs::File;
use std::path::Path;

use polars::prelude::{
    DataFrame, DataType, IntoColumn, IpcReader, IpcWriter, NamedFrom, ParquetReader, SerReader,
    SerWriter, Series, df,
};
use polars_parquet::parquet::schema::Repetition;
use polars_parquet::read::read_metadata;

use crate::harness::Folder;

/// A folder with one of the files, as `raw.parquet`.
fn folder(name: &str) -> Folder {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/types");
    let folder = Folder::empty();
    let bytes = std::fs::read(files.join(format!("{name}.parquet"))).unwrap();
    folder.write("raw.parquet", bytes);
    folder
}

/// What stays of one of the files, in a file of CSV.
#[track_caller]
fn assert_csv(name: &str, expected: &str) {
    let folder = folder(name);
    folder.run(&["--input", "raw.parquet"]).assert_success(
        "data_cleaning: 4 rows read, 1 dropped, 3 kept -> clean_data.csv\n  nulls: open 1",
    );
    assert_eq!(folder.read("clean_data.csv"), expected);
    // By way of another format they are the same.
    for way in ["x.parquet", "x.arrow"] {
        let outcome = folder.run(&["--input", "raw.parquet", "--output", way]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let outcome = folder.run(&["--input", way, "--output", "again.csv"]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert_eq!(folder.read("again.csv"), expected, "{way}");
    }
}

#[test]
fn what_is_stored_in_another_unit_is_read_right() {
    assert_csv(
        "seconds",
        "open,shop\n09:00:00.000000000,a\n10:00:00.000000000,b\n00:00:40.000000000,d\n",
    );
    assert_csv(
        "days",
        "open,shop\n1970-01-01,a\n1970-01-02,b\n2024-02-29,d\n",
    );
    assert_csv(
        "coerced",
        "open,shop\n1970-01-01T00:00:01.000000000,a\n1970-01-01T00:00:01.234000000,b\n\
         1970-01-01T00:00:00.000000000,d\n",
    );
    let folder = folder("nested_seconds");
    let outcome = folder.run(&["--input", "raw.parquet", "--output", "x.ndjson"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let text = folder.read("x.ndjson");
    assert!(text.starts_with("{\"open\":[\"09:00:00"), "{text}");
    assert!(text.contains("[\"00:00:40"), "{text}");
}

#[test]
fn what_would_not_stay_is_refused_by_its_column() {
    for (name, reason) in [
        (
            "uuid",
            "16 bytes each, as a UUID, which would become bytes of any number",
        ),
        ("map", "maps, which would become lists"),
        (
            "ordered",
            "categories in an order of their own, which would be lost",
        ),
        ("half", "numbers of 16 bits, which are not read"),
    ] {
        let folder = folder(name);
        for output in ["clean.parquet", "clean.arrow"] {
            folder
                .run(&["--input", "raw.parquet", "--output", output])
                .assert_failure(&format!(
                    "cannot read `raw.parquet`: the column `open` holds {reason}; expected a file \
                     without it, or with another type of it"
                ));
        }
        assert_eq!(folder.names(), ["raw.parquet"]);
    }
    // In text there is nothing to be lost.
    let folder = folder("ordered");
    let outcome = folder.run(&["--input", "raw.parquet"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(folder.read("clean_data.csv"), "open,shop\nx,a\nw,b\nx,d\n");
}

#[test]
fn a_column_that_can_hold_no_null_stays_one() {
    let folder = folder("required");
    let outcome = folder.run(&["--input", "raw.parquet", "--output", "clean.parquet"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let mut file = File::open(folder.path("clean.parquet")).unwrap();
    let metadata = read_metadata(&mut file).unwrap();
    let columns = metadata.schema().fields().iter();
    let repetitions: Vec<Repetition> = columns.map(|c| c.get_field_info().repetition).collect();
    assert_eq!(repetitions, [Repetition::Required, Repetition::Optional]);
    let table = ParquetReader::new(file).finish().unwrap();
    assert!(table.equals(&df!("a" => [1_i64, 3], "b" => ["x", "z"]).unwrap()));
}

#[test]
fn what_is_said_about_a_table_stays() {
    let folder = folder("about");
    let mut input = "raw.parquet";
    for output in ["one.parquet", "two.arrow", "three.arrow", "four.parquet"] {
        let outcome = folder.run(&["--input", input, "--output", output]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        input = output;
    }
    for output in ["one.parquet", "four.parquet"] {
        let mut file = File::open(folder.path(output)).unwrap();
        let metadata = read_metadata(&mut file).unwrap();
        let mut entries: Vec<(String, String)> = metadata
            .key_value_metadata()
            .iter()
            .flatten()
            .filter(|entry| entry.key != "ARROW:schema")
            .map(|entry| (entry.key.clone(), entry.value.clone().unwrap()))
            .collect();
        entries.sort();
        let expected = [
            ("geo", "{\"version\": \"1.1.0\"}"),
            ("pandas", "{\"index_columns\": [\"__index_level_0__\"]}"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(entries, expected);
        let table = ParquetReader::new(file).finish().unwrap();
        assert_eq!(table.height(), 1);
    }
}

#[test]
fn null_values_may_be_numbers() {
    let folder = Folder::empty();
    let mut table = df!(
        "i" => [-999_i64, 1, 2, 3], "f" => [1.0, -999.0, 2.5, 3.0], "s" => [0.5_f32, 1.5, 0.1, 2.0],
        "u" => [1_u8, 2, 3, 4],
    )
    .unwrap();
    let decimals = Series::new("d".into(), [1.0, 2.0, 3.0, 9.99]);
    let decimals = decimals.cast(&DataType::Decimal(5, 2)).unwrap();
    table.with_column(decimals.into_column()).unwrap();
    let file = File::create(folder.path("raw.arrow")).unwrap();
    IpcWriter::new(file).finish(&mut table).unwrap();
    let run = |values: &str| -> (String, DataFrame) {
        let files = ["--input", "raw.arrow", "--output", "clean.arrow"];
        let outcome = folder.run(&[&files[..], &["--null_values", values]].concat());
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let file = File::open(folder.path("clean.arrow")).unwrap();
        (outcome.stderr, IpcReader::new(file).finish().unwrap())
    };
    for (values, nulls, kept) in [
        ("-999", "i 1, f 1", vec![2, 3]),
        ("-999.0", "i 1, f 1", vec![2, 3]),
        ("0.1", "s 1", vec![0, 1, 3]),
        ("4,9.99", "u 1, d 1", vec![0, 1, 2]),
    ] {
        let (summary, found) = run(values);
        assert!(
            summary.ends_with(&format!("  nulls: {nulls}\n")),
            "{values}: {summary}"
        );
        let rows = kept.into_iter().map(|row| table.slice(row, 1));
        let expected = rows.reduce(|all, row| all.vstack(&row).unwrap()).unwrap();
        assert!(found.equals(&expected), "{values}: {found:?}");
    }
}
