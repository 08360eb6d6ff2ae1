//! Fuzz targets. For CSV: the byte route, in pieces of several sizes, against polars, the parser of the
//! `csv` crate and the tables that are made of its records. For NDJSON: the byte route, on every
//! classifier, against `serde_json`.
//!
//! To fuzz for a minute, with new inputs in the folder `found`:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir data_cleaning/fuzz csv found data_cleaning/fuzz/corpus/csv -- -max_total_time=60
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir data_cleaning/fuzz ndjson found -- -max_total_time=60
//! ```

use std::io::Cursor;
use std::sync::atomic::AtomicBool;

use data_cleaning::csv::classify::Kind;
use data_cleaning::ndjson::json::object;
use data_cleaning::ndjson::keys;
use data_cleaning::ndjson::scan::{Lines, first_keys};
use data_cleaning::ndjson::usual::classes;
use data_cleaning::pump::pump;
use data_cleaning::pump::units::{USUAL, Units};
use data_cleaning::rules::Verdict;
use serde_json::{Map, Value};

#[expect(dead_code, reason = "its own tests are not compiled here")]
#[path = "../tests/differential.rs"]
mod differential;

/// Checks that all who read the text find the same, unless it is refused.
pub fn compare(text: &[u8]) {
    differential::check(text).ok();
}

/// Checks that a line is taken or refused as `serde_json` does, and that its names are the same.
pub fn compare_json(line: &[u8]) {
    let Ok(text) = str::from_utf8(line) else {
        return;
    };
    // We take these for numbers, and nobody else has to.
    if text.contains("NaN") || text.contains("Infinity") || text.contains('\n') {
        return;
    }
    let mut names = Vec::new();
    let ours = object(line, |name, _| names.push(keys::text(name).into_owned()));
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(theirs) => {
            assert!(ours.is_ok(), "{text:?}");
            assert!(names.iter().all(|name| theirs.contains_key(name)), "{text:?}");
            compare_nulls(line, &theirs);
        }
        // What it makes a value of has to fit into one.
        Err(error) if ["out of range", "surrogate", "escape"].iter().any(|what| {
            error.to_string().contains(what)
        }) => (),
        Err(_) => assert!(ours.is_err(), "{text:?}"),
    }
}

/// Checks that the nulls of lines like this one are found, wherever in a unit.
fn compare_nulls(line: &[u8], theirs: &Map<String, Value>) {
    const LINES: usize = 3;

    let text = [line, b"\n"].concat().repeat(LINES);
    let keys = first_keys(line);
    let expected: Vec<bool> = keys.names().iter().map(|name| theirs[name].is_null()).collect();
    let (all, none) = ([text.as_slice(), &[]], expected.contains(&true));
    for classifier in Kind::available() {
        let lines = Lines {
            classifier,
            classes: classes(),
            keys: &keys,
            nulls: None,
            verdict: &Verdict::strict(),
            surprised: &AtomicBool::new(false),
        };
        let mut kept = Vec::new();
        let mut put = |bytes: &[u8]| {
            kept.extend_from_slice(bytes);
            Ok(())
        };
        let units = Units::new(Cursor::new(text.clone()), USUAL);
        for scanner in pump(&lines, units, 0, &mut put).expect("each line is well-formed") {
            let nulls = scanner.counts.columns.iter().map(|nulls| nulls.total() > 0);
            assert!(scanner.counts.rows == 0 || nulls.eq(expected.iter().copied()), "{line:?}");
        }
        assert_eq!(kept, all[usize::from(none)], "{line:?}");
    }
}
