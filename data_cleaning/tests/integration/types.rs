//! Files of other programs with types that polars does not have, or takes for others.
//!
//! They are made by `tests/golden/types/make.py`; the right values are those that pyarrow reads.

use std::fs::File;
use std::path::Path;

use polars::prelude::{
    ArrowDataType, ArrowSchema, ArrowTimeUnit, DataFrame, DataType, IntoColumn, IpcReader,
    IpcWriter, NamedFrom, ParquetReader, SerReader, SerWriter, Series, df,
};
use polars_arrow::array::ArrayRef;
use polars_arrow::datatypes::ExtensionType;
use polars_arrow::io::ipc::read::{FileReader, read_file_metadata};
use polars_parquet::parquet::schema::Repetition;
use polars_parquet::read::read_metadata;

use crate::harness::Folder;

/// A folder with one of the files, as `raw.parquet`.
fn folder(name: &str) -> Folder {
    folder_with(&format!("{name}.parquet"), "raw.parquet")
}

fn folder_with(file: &str, name: &str) -> Folder {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/types");
    let folder = Folder::empty();
    folder.write(name, std::fs::read(files.join(file)).unwrap());
    folder
}

/// The columns of an Arrow file, and its only record batch.
fn read_arrow(folder: &Folder, name: &str) -> (ArrowSchema, Vec<ArrayRef>) {
    let mut file = File::open(folder.path(name)).unwrap();
    let metadata = read_file_metadata(&mut file).unwrap();
    let fields = metadata.schema.as_ref().clone();
    let mut batches = FileReader::new(file, metadata, None, None);
    let batch = batches.next().unwrap().unwrap();
    assert!(batches.next().is_none());
    (fields, batch.into_arrays())
}

fn run(folder: &Folder, input: &str, output: &str) {
    let outcome = folder.run(&["--input", input, "--output", output]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
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
        "open,shop\n1970-01-01T00:00:01.000,a\n1970-01-01T00:00:01.234,b\n\
         1970-01-01T00:00:00.000,d\n",
    );
    let folder = folder("nested_seconds");
    let outcome = folder.run(&["--input", "raw.parquet", "--output", "x.ndjson"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let text = folder.read("x.ndjson");
    assert!(text.starts_with("{\"open\":[\"09:00:00"), "{text}");
    assert!(text.contains("[\"00:00:40"), "{text}");
}

#[test]
fn types_of_arrow_stay() {
    let folder = folder_with("kept.arrow", "raw.arrow");
    let (fields, columns) = read_arrow(&folder, "raw.arrow");
    assert_eq!(fields.len(), 30);
    run(&folder, "raw.arrow", "clean.arrow");
    let (found, values) = read_arrow(&folder, "clean.arrow");
    assert_eq!(found, fields);
    // The last row has nothing but an `id`.
    for ((name, _), (found, column)) in fields.iter().zip(values.iter().zip(&columns)) {
        assert_eq!(*found, column.sliced(0, 3), "{name}");
    }

    // By way of Parquet, too, but for what that has not.
    run(&folder, "raw.arrow", "clean.parquet");
    run(&folder, "clean.parquet", "back.arrow");
    let (found, values) = read_arrow(&folder, "back.arrow");
    let mut others = Vec::new();
    for (((name, origin), (_, field)), (found, column)) in fields
        .iter()
        .zip(found.iter())
        .zip(values.iter().zip(&columns))
    {
        if field == origin {
            assert_eq!(*found, column.sliced(0, 3), "{name}");
        } else {
            others.push((name.as_str(), field.dtype.clone()));
        }
    }
    let milliseconds = ArrowTimeUnit::Millisecond;
    assert_eq!(
        others,
        [
            ("time_s", ArrowDataType::Time32(milliseconds)),
            ("at_s", ArrowDataType::Timestamp(milliseconds, None)),
            ("date64", ArrowDataType::Date32),
        ]
    );
}

#[test]
fn types_of_parquet_stay() {
    let folder = folder("kept");
    run(&folder, "raw.parquet", "clean.parquet");
    let metadata = ["raw.parquet", "clean.parquet"].map(|name| {
        let mut file = File::open(folder.path(name)).unwrap();
        read_metadata(&mut file).unwrap()
    });
    let [raw, clean] = &metadata;
    for (raw, clean) in raw.schema().fields().iter().zip(clean.schema().fields()) {
        // Of decimal numbers polars stores few digits in fewer bytes, which means the same.
        if !raw.name().starts_with("decimal") {
            assert_eq!(clean, raw);
        }
    }
    assert_eq!(clean.key_value_metadata(), raw.key_value_metadata());

    // The values are those of the same table in Arrow.
    let other = folder_with("kept.arrow", "raw.arrow");
    let (_, columns) = read_arrow(&other, "raw.arrow");
    run(&folder, "clean.parquet", "clean.arrow");
    let (fields, values) = read_arrow(&folder, "clean.arrow");
    let mut equal = 0;
    for ((name, _), (found, column)) in fields.iter().zip(values.iter().zip(&columns)) {
        if found.dtype() == column.dtype() {
            assert_eq!(*found, column.sliced(0, 3), "{name}");
            equal += 1;
        }
    }
    assert_eq!(equal, 27);
}

#[test]
fn a_parquet_file_may_say_nothing_of_arrow() {
    let folder = folder("plain");
    run(&folder, "raw.parquet", "clean.parquet");
    run(&folder, "clean.parquet", "clean.arrow");
    let (fields, values) = read_arrow(&folder, "clean.arrow");
    let own = |name: &str, inner| {
        ArrowDataType::Extension(Box::new(ExtensionType {
            name: name.into(),
            inner,
            metadata: None,
        }))
    };
    let types: Vec<ArrowDataType> = fields.iter_values().map(|f| f.dtype.clone()).collect();
    let utc = Some("UTC".into());
    assert_eq!(
        types[..3],
        [
            ArrowDataType::Float16,
            own("arrow.uuid", ArrowDataType::FixedSizeBinary(16)),
            own("arrow.json", ArrowDataType::Utf8),
        ]
    );
    let ArrowDataType::List(inner) = &types[3] else {
        panic!("{:?}", types[3]);
    };
    assert_eq!(inner.dtype, ArrowDataType::Utf8);
    assert_eq!(
        types[4],
        ArrowDataType::Timestamp(ArrowTimeUnit::Microsecond, utc)
    );
    // What is no number is a null in a column of 16 bits, too.
    assert!(values.iter().all(|values| values.len() == 1));
}

#[test]
fn the_text_of_types_is_that_of_pyarrow() {
    let folder = folder("half");
    run(&folder, "raw.parquet", "clean.csv");
    assert_eq!(folder.read("clean.csv"), "open,shop\n0.5,a\n1.0,c\n2.0,d\n");
}

#[test]
fn what_would_not_stay_is_refused_by_its_column() {
    for (file, reason) in [
        ("map.parquet", "map, which would become a list"),
        (
            "ordered.parquet",
            "ordered dictionary, whose order would be lost",
        ),
        (
            "digits.parquet",
            "decimal(60, 2), of which no more than 38 digits are read",
        ),
        ("view.parquet", "list_view, which is not read"),
        ("view.arrow", "list_view, which is not read"),
        ("in_list.arrow", "large_list_view, which is not read"),
        ("runs.arrow", "run_end_encoded, which is not read"),
        ("tens.arrow", "decimal128(5, -2), which is not read"),
        ("wide.arrow", "decimal256(20, 2), which is not read"),
        ("months.arrow", "interval, which is not read"),
        ("union.arrow", "union, which is not read"),
        (
            "pair.parquet",
            "fixed_size_binary[2] within another, which cannot be written",
        ),
    ] {
        let raw = if file.ends_with("arrow") {
            "raw.arrow"
        } else {
            "raw.parquet"
        };
        let folder = folder_with(file, raw);
        let error = format!(
            "cannot read `{raw}`: the column `open` is of type {reason}; expected a file without it, \
             or with another type of it"
        );
        folder
            .run(&["--input", raw, "--output", "clean.parquet"])
            .assert_failure(&error);
        if file != "pair.parquet" {
            folder
                .run(&["--input", raw, "--output", "clean.arrow"])
                .assert_failure(&error);
        }
        assert!(!folder.path("clean.parquet").exists() && !folder.path("clean.arrow").exists());
    }
    folder_with("moment.arrow", "raw.arrow")
        .run(&["--input", "raw.arrow"])
        .assert_failure(
            "cannot read `raw.arrow`: the column `open` is of type date64 and has a time of day, \
             expected whole days",
        );
    let outcome = folder_with("short.arrow", "raw.arrow").run(&["--input", "raw.arrow"]);
    assert_eq!(outcome.code, Some(1));
    let error = "error: cannot read `raw.arrow`: the column `open` is of type string_view, which is not \
                 read from every packed file; expected the file written without compression, or \
                 another type of it";
    assert!(outcome.stderr.starts_with(error), "{}", outcome.stderr);
    // In text there is nothing to be lost.
    let folder = folder("ordered");
    run(&folder, "raw.parquet", "clean.csv");
    assert_eq!(folder.read("clean.csv"), "open,shop\nx,a\nw,b\nx,d\n");
    // And bytes have none.
    let folder = folder_with("uuid.parquet", "raw.parquet");
    folder.run(&["--input", "raw.parquet"]).assert_failure(
        "cannot write `clean_data.csv`: the column `open` is of type binary, which CSV cannot hold, \
         expected Parquet or Arrow for it",
    );
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
