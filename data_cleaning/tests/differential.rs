//! The byte route against two others that know nothing of it: polars, and the parser of the `csv`
//! crate. The tables that are made of its records have to hold the same.
//!
//! Texts are drawn at random from pieces that make trouble, with a fixed seed, and read in units
//! of several sizes, so that every place in them comes to lie at a boundary.

use std::io::Cursor;
use std::sync::Arc;

use anyhow::Result;
use data_cleaning::csv::Csv;
use data_cleaning::csv::classify::Kind;
use data_cleaning::csv::dialect::{Dialect, Ragged};
use data_cleaning::failure::Failure;
use data_cleaning::findings::Counts;
use data_cleaning::null_values::NullValues;
use data_cleaning::pump::Put;
use data_cleaning::rules::Verdict;
use data_cleaning::table::columns::Fields;
use data_cleaning::table::records::Records;
use data_cleaning::table::types::Type;
use polars::prelude::{CsvReadOptions, DataFrame, DataType, Field, Schema, SerReader};

/// The sizes of the units that are read at once.
const UNITS: [usize; 4] = [1, 7, 64, 97];

/// What came out: the header and the rows that stay, or the message.
type Outcome = Result<(Vec<u8>, Counts), String>;

fn dialect(ragged: Ragged) -> Dialect {
    Dialect {
        ragged,
        ..Dialect::default()
    }
}

fn open(text: &[u8], dialect: Dialect, unit: usize) -> Result<Csv> {
    Csv::open(Cursor::new(text.to_vec()), dialect, unit.max(1))
}

fn filter(text: &[u8], dialect: Dialect, unit: usize, classifier: Kind) -> Outcome {
    let mut csv = open(text, dialect, unit).map_err(|error| error.to_string())?;
    csv.classifier = classifier;
    let mut kept = Vec::new();
    csv.header.write(&mut kept).expect("memory takes it");
    let mut put = |bytes: &[u8]| {
        kept.extend_from_slice(bytes);
        Ok(())
    };
    let counts = filter_into(csv, &mut put)?;
    Ok((kept, counts))
}

fn filter_into(csv: Csv, put: &mut Put) -> Result<Counts, String> {
    csv.filter(&NullValues::pandas(), &Verdict::strict(), put)
        .map_err(|(Failure::Input(error) | Failure::Output(error))| error.to_string())
}

/// What the byte route says, which must not depend on how the bytes arrive, nor on the processor.
#[track_caller]
fn outcome_of(text: &[u8], dialect: Dialect) -> Outcome {
    let expected = filter(text, dialect, text.len(), Kind::Portable);
    for classifier in Kind::available() {
        for unit in UNITS {
            let found = filter(text, dialect, unit, classifier);
            let text = String::from_utf8_lossy(text);
            assert_eq!(found, expected, "{classifier:?}, {unit} bytes: {text:?}");
        }
    }
    expected
}

#[track_caller]
fn outcome(text: &[u8], drop_ragged: bool) -> Outcome {
    outcome_of(
        text,
        dialect(if drop_ragged {
            Ragged::Drop
        } else {
            Ragged::Error
        }),
    )
}

/// The records of a text, with all their fields, as the `csv` crate's parser reads them.
fn records(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut parser = csv_core::Reader::new();
    let (mut records, mut input) = (Vec::new(), text);
    let (mut fields, mut ends) = (vec![0; text.len() + 1], vec![0; text.len() + 2]);
    let (mut written, mut ended) = (0, 0);
    loop {
        let (result, read, wrote, more) =
            parser.read_record(input, &mut fields[written..], &mut ends[ended..]);
        input = &input[read..];
        written += wrote;
        ended += more;
        match result {
            csv_core::ReadRecordResult::InputEmpty => (),
            csv_core::ReadRecordResult::Record => {
                let mut start = 0;
                let record = ends[..ended].iter().map(|end| {
                    let field = fields[start..*end].to_vec();
                    start = *end;
                    field
                });
                records.push(record.collect());
                (written, ended) = (0, 0);
            }
            csv_core::ReadRecordResult::End => return records,
            full => panic!("{full:?}: there is room for all of the text"),
        }
    }
}

fn is_null(value: &[u8]) -> bool {
    NullValues::pandas().find(value).is_some()
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// A well-formed text; some rows have a field too many or too few.
fn well_formed(random: &mut Random, ragged: bool) -> String {
    #[rustfmt::skip]
    const FIELDS: [&str; 24] = [
        "", "", "a", "1", "12", "NA", "NaN", "nan", "N", "NAN", "-1.#IND", "1.5", " ", "\"\"",
        "\"NA\"", "\"x,y\"", "\"a\r\nb\"", "\"\n\"", "\"\"\"\"", "\"say \"\"NA\"\"\"", "ünï",
        "\"null\"", "\0", "some longer text that goes over the end of a block of 64 bytes",
    ];
    let columns = 1 + random.below(6);
    let rows = random.below(12);
    let mut text = String::from(random.pick(&["", "", "\u{feff}"]));
    for row in 0..=rows {
        if random.below(8) == 0 {
            text += random.pick(&["\n", "\r\n"]);
        }
        let mut fields = columns;
        if ragged && row > 0 && random.below(5) == 0 {
            fields = 1 + random.below(columns + 2);
        }
        for field in 0..fields {
            text += if field == 0 { "" } else { "," };
            // A lone empty field would be a blank line.
            let lone = fields == 1;
            let mut field = random.pick(&FIELDS);
            if row == 0 && field == "\0" {
                field = "";
            }
            text += if lone && field.is_empty() {
                "NULL"
            } else {
                field
            };
        }
        text += random.pick(&["\n", "\r\n"]);
    }
    if random.below(4) == 0 {
        let trimmed = text.trim_end_matches(['\r', '\n']).len();
        // What is trimmed must not have been the text within quotes, or a blank line.
        if text[trimmed..].len() <= 2 {
            text.truncate(trimmed);
        }
    }
    text
}

/// What has to stay of a well-formed text, told by the other parser.
fn expected(text: &[u8]) -> (Vec<Vec<Vec<u8>>>, u64, u64) {
    let mut records = records(text);
    let columns = records[0].len();
    let rows = records.len() as u64 - 1;
    let mut ragged = 0;
    let mut first = true;
    records.retain(|record| {
        if std::mem::take(&mut first) {
            return true;
        }
        ragged += u64::from(record.len() != columns);
        record.len() == columns && !record.iter().any(|value| is_null(value))
    });
    (records, rows, ragged)
}

/// The rows of a table of text.
fn rows_of(table: &DataFrame) -> Vec<Vec<Vec<u8>>> {
    let columns = table.columns().iter();
    let mut columns: Vec<_> = columns
        .map(|values| values.str().expect("all are text").iter())
        .collect();
    let rows = (0..table.height()).map(|_| {
        let row = columns.iter_mut().map(|values| values.next().flatten());
        row.map(|value| value.unwrap_or_default().as_bytes().to_vec())
            .collect::<Vec<_>>()
    });
    rows.collect()
}

/// The table that polars makes of the text.
fn read_by_polars(text: &str, columns: usize) -> DataFrame {
    let schema: Schema = (0..columns)
        .map(|column| Field::new(column.to_string().into(), DataType::String))
        .collect();
    CsvReadOptions::default()
        .with_has_header(true)
        .with_schema(Some(Arc::new(schema)))
        .into_reader_with_file_handle(Cursor::new(text.as_bytes()))
        .finish()
        .unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

/// The table that is made of the records that stay.
fn read_as_table(text: &str, columns: usize) -> DataFrame {
    let nulls = NullValues::pandas();
    let fields = Fields::new(dialect(Ragged::Drop), &nulls);
    let names: Vec<String> = (0..columns).map(|column| column.to_string()).collect();
    let mut table = None;
    let mut records = Records::new(|records| {
        table = Some(fields.table(records, &names, &vec![Type::Text; columns])?);
        Ok(())
    });
    let csv = open(text.as_bytes(), dialect(Ragged::Drop), text.len()).expect(text);
    filter_into(csv, &mut |bytes| records.put(bytes)).expect(text);
    records.finish().expect(text);
    table.expect("there is a last portion")
}

/// Checks that all who read the text find the same, unless it is refused.
pub(crate) fn check(text: &[u8]) -> Outcome {
    let (kept, counts) = outcome(text, true)?;
    let (expected, rows, ragged) = expected(text);
    let text = String::from_utf8_lossy(text);
    assert_eq!(records(&kept), expected, "{text:?}");
    assert_eq!((counts.rows, counts.ragged), (rows, ragged), "{text:?}");
    assert_eq!(counts.kept, expected.len() as u64 - 1, "{text:?}");
    if let Ok(kept) = str::from_utf8(&kept) {
        let columns = expected[0].len();
        let of_polars = rows_of(&read_by_polars(kept, columns));
        assert_eq!(of_polars, expected[1..], "{text:?}");
        let of_table = rows_of(&read_as_table(&text, columns));
        assert_eq!(of_table, expected[1..], "{text:?}");
    }
    Ok((kept, counts))
}

#[test]
fn other_parsers_agree() {
    let mut random = Random(7);
    let mut dropped = 0;
    for number in 0..20_000 {
        let text = well_formed(&mut random, true);
        // Polars takes its time.
        let (_, counts) = if number % 10 == 0 {
            check(text.as_bytes()).expect(&text)
        } else {
            outcome(text.as_bytes(), true).expect(&text)
        };
        let refused = outcome(text.as_bytes(), false).is_err();
        assert_eq!(refused, counts.ragged > 0, "{text:?}");
        dropped += counts.dropped();
    }
    assert!(dropped > 1_000, "{dropped}");
}

#[test]
fn other_parsers_agree_on_what_was_found_by_fuzzing() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/csv");
    let texts = std::fs::read_dir(corpus).expect("it is part of the repository");
    let accepted = texts.filter(|text| {
        let path = text.as_ref().expect("it can be listed").path();
        check(&std::fs::read(path).expect("it can be read")).is_ok()
    });
    assert_eq!(accepted.count(), 3);
}

#[test]
fn what_stays_is_bytes_of_the_input_in_order() {
    let mut random = Random(8);
    for _ in 0..5_000 {
        let text = well_formed(&mut random, true);
        let (kept, counts) = outcome(text.as_bytes(), true).expect(&text);
        // Without a null and a ragged row only the blank lines go.
        if counts.kept == counts.rows {
            let blank = text.contains("\n\n")
                || text.contains("\n\r\n")
                || text.starts_with(['\n', '\r', '\u{feff}']);
            assert!(blank || kept == text.as_bytes(), "{text:?}");
        }
        let mut rest = text.as_bytes();
        let lines = kept.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&kept);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let place = rest.windows(line.len()).position(|window| window == line);
            rest = &rest[place.expect(&text) + line.len()..];
        }
        // What was cleaned once is clean.
        let again = outcome(&kept, false).expect(&text);
        assert_eq!((again.0, again.1.dropped()), (kept, 0), "{text:?}");
    }
}

#[test]
fn whatever_comes_is_refused_or_read_as_others_do() {
    const PIECES: [&str; 12] = [
        ",",
        "\n",
        "\r\n",
        "\r",
        "\"",
        "\"\"",
        "a",
        "NA",
        "\"x\"",
        ",\"",
        "\",",
        "0123456789",
    ];
    let mut random = Random(9);
    let mut accepted = 0;
    for _ in 0..50_000 {
        let pieces = random.below(24);
        let text: String = (0..pieces).map(|_| random.pick(&PIECES)).collect();
        accepted += u32::from(check(text.as_bytes()).is_ok());
    }
    assert!(accepted > 1_000, "{accepted}");
}

#[test]
fn a_record_may_be_longer_than_a_unit() {
    let long = "x".repeat(300_000);
    for (end, stays) in [("1\n", true), ("\n", false), ("NA\n", false), ("NA", false)] {
        let text = format!("a,b\n1,2\n\"{long}\n\",{end}");
        let found = filter(text.as_bytes(), Dialect::default(), 4096, Kind::fastest());
        let (kept, counts) = found.expect(&text[..20]);
        assert_eq!(counts.kept, 1 + u64::from(stays));
        let expected = if stays { text.as_str() } else { "a,b\n1,2\n" };
        assert!(kept == expected.as_bytes(), "{end:?}");
    }
}

/// The records of a text, read byte by byte as the words of the README say.
fn slowly(text: &str, dialect: &Dialect) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut inside, mut closed) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let quote = dialect.quote == u8::try_from(character).ok();
        if inside && quote && characters.peek() == Some(&character) {
            field.push(character);
            characters.next();
        } else if inside {
            (inside, closed) = (!quote, quote);
            field.extend((!quote).then_some(character));
        } else if quote && field.is_empty() && !closed {
            inside = true;
        } else if u8::try_from(character) == Ok(dialect.delimiter) {
            record.push(std::mem::take(&mut field));
            closed = false;
        } else if character == '\n' {
            if !(record.is_empty() && field.is_empty() && !closed) {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            closed = false;
        } else {
            field.push(character);
        }
    }
    records
}

#[test]
fn every_dialect_is_read_as_it_is_said() {
    const PIECES: [&str; 16] = [
        ",",
        ",",
        "\n",
        "\n",
        "'",
        "a",
        "NA",
        " NA",
        "NA\t",
        " ",
        "'x'",
        "'NA'",
        "12' pipe",
        "''",
        "some longer text that goes over the end of a block of 64 bytes",
        ",'a,\nb',",
    ];
    let mut random = Random(10);
    let (mut dropped, mut kept) = (0, 0);
    for number in 0..40_000 {
        let dialect = Dialect {
            quote: (number % 3 > 0).then_some(b'\''),
            stray_quotes: true,
            has_header: false,
            trim: number % 2 == 0,
            ragged: Ragged::Null,
            ..Dialect::default()
        };
        let mut text = "a,b,c\n".to_owned();
        for _ in 0..random.below(20) {
            text += random.pick(&PIECES);
        }
        text += "\n";
        let Ok((_, counts)) = outcome_of(text.as_bytes(), dialect) else {
            continue;
        };
        let records = slowly(&text, &dialect);
        assert_eq!(counts.rows, records.len() as u64, "{text:?}");
        let null = |value: &str| {
            let value = if dialect.trim {
                value.trim_matches([' ', '\t'])
            } else {
                value
            };
            is_null(value.as_bytes())
        };
        let stay = records
            .iter()
            .filter(|record| record.len() >= 3 && !record[..3].iter().any(|value| null(value)));
        assert_eq!(counts.kept, stay.count() as u64, "{dialect:?} {text:?}");
        dropped += counts.dropped();
        kept += counts.kept;
    }
    assert!(dropped > 10_000 && kept > 10_000, "{dropped} {kept}");
}

#[test]
fn a_header_may_be_longer_than_a_unit() {
    let text = format!("a,{}\n1,2\n", "x".repeat(3_000));
    let (kept, _) = outcome(text.as_bytes(), false).expect("it is well-formed");
    assert_eq!(kept, text.as_bytes());
}

#[test]
fn the_line_of_an_error_does_not_depend_on_the_place_in_the_block() {
    for blank in 0..200 {
        let head = format!("a,b\n{}\"1\n\",2\n", "1,2\n".repeat(blank));
        let line = blank + 4;
        for (end, message) in [
            ("x", "expected 2 fields as in the header, found 1"),
            ("1,2,3\n", "expected 2 fields as in the header, found 3"),
            ("1,2\"\n", "a quote in a field"),
            ("1,\"2\"x\n", "text after a closing quote"),
            ("1,\"2\n", "the quote is never closed"),
            ("1\r,2\n", "a carriage return without"),
            ("1,2\r", "a carriage return without"),
        ] {
            let text = format!("{head}{end}");
            let error = outcome(text.as_bytes(), false).expect_err(&text);
            assert!(
                error.starts_with(&format!("line {line}: {message}")),
                "{error}: {text:?}"
            );
        }
    }
}
