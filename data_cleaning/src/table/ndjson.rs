//! NDJSON files, some lines at a time, and what polars does not say of them: the order of their
//! columns, and where they are none.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};

use anyhow::{Error, Result, anyhow};
use polars::io::ndjson::infer_schema;
use polars::prelude::{Schema, parse_ndjson};
use serde_json::{Map, Value};

use crate::table::scan::{Batch, Table};

/// The bytes that are read at once, unless a line is longer.
const LINES: u64 = 4 << 20;

/// An open NDJSON file.
pub(super) struct NdjsonFile {
    file: File,
    size: u64,
    schema: Schema,
    /// What was read and is no whole line yet.
    rest: Vec<u8>,
    read: u64,
}

impl NdjsonFile {
    pub(super) fn open(mut file: File) -> Result<Self> {
        let schema = schema(&mut file)?;
        file.rewind()?;
        Ok(Self {
            size: file.metadata()?.len(),
            file,
            schema,
            rest: Vec::new(),
            read: 0,
        })
    }

    /// Whole lines, or nothing after the last one.
    fn lines(&mut self) -> Result<Vec<u8>> {
        let mut lines = std::mem::take(&mut self.rest);
        loop {
            let before = lines.len();
            let read = (&self.file).take(LINES).read_to_end(&mut lines)?;
            self.read += read as u64;
            let ended = lines[before..].iter().rposition(|byte| *byte == b'\n');
            if let Some(end) = ended {
                self.rest = lines.split_off(before + end + 1);
            }
            if ended.is_some() || read == 0 {
                return Ok(lines);
            }
        }
    }
}

impl Table for NdjsonFile {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn next(&mut self) -> Result<Option<Batch>> {
        let lines = self.lines()?;
        if lines.is_empty() {
            return Ok(None);
        }
        // Polars would guess how many, and reserve memory for as many.
        let count = lines.split(|byte| *byte == b'\n').count();
        Ok(Some(Batch {
            rows: parse_ndjson(&lines, Some(count), &self.schema, false)?,
            read: self.read,
            all: self.size,
        }))
    }
}

/// The columns in the order in which they first come in the file, with the types of all rows.
fn schema(mut file: impl Read + Seek) -> Result<Schema> {
    let mut unordered = infer_schema(&mut BufReader::new(&mut file), None)?;
    file.rewind()?;
    let mut ordered = Schema::default();
    for_each_line(file, |_, line| {
        for name in serde_json::from_slice::<Map<String, Value>>(line)?.keys() {
            if let Some(dtype) = unordered.remove(name) {
                ordered.insert(name.as_str().into(), dtype);
            }
        }
        // Nearly always the first line has all of them.
        Ok(!unordered.is_empty())
    })?;
    Ok(ordered)
}

/// What is wrong with the first line that is no JSON object, if there is one.
pub(super) fn first_error(text: impl Read) -> Result<Option<Error>> {
    let mut found = None;
    for_each_line(text, |number, line| {
        if let Err(error) = serde_json::from_slice::<Map<String, Value>>(line) {
            let (text, column) = (error.to_string(), error.column());
            // It counts lines of its own.
            let what = text.split(" at line ").next().unwrap_or(&text);
            found = Some(anyhow!(
                "line {number}, column {column}: {what}; each line has to be a JSON object"
            ));
        }
        Ok(found.is_none())
    })?;
    Ok(found)
}

/// Gives the lines that are not blank to `each`, with their numbers, as long as it says so.
fn for_each_line(text: impl Read, mut each: impl FnMut(u64, &[u8]) -> Result<bool>) -> Result<()> {
    let mut text = BufReader::new(text);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let ended = text.read_until(b'\n', &mut line)? == 0;
        if ended || !(line.trim_ascii().is_empty() || each(number, &line)?) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_order_of_the_file() {
        let name = |number: usize| format!("\"c{}\"", number * 7 % 100);
        let object = |columns: &[usize]| {
            let pairs: Vec<String> = columns.iter().map(|c| format!("{}:1", name(*c))).collect();
            format!("{{{}}}\n", pairs.join(","))
        };
        let (first, all): (Vec<usize>, Vec<usize>) = ((0..60).collect(), (0..100).collect());
        let text = object(&first) + "\n" + &object(&all);
        let schema = schema(std::io::Cursor::new(text)).unwrap();
        let found: Vec<String> = schema
            .iter_names()
            .map(|name| format!("\"{name}\""))
            .collect();
        assert_eq!(found, all.into_iter().map(name).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_line_that_is_no_object_is_named() {
        for (text, expected) in [
            ("", None),
            ("{\"a\":1}\r\n\n{}", None),
            (
                "{\"a\":1}\n{\"a\":\n",
                Some("line 2, column 0: EOF while parsing a value"),
            ),
            (
                "\n\n[1]\nx",
                Some("line 3, column 0: invalid type: sequence"),
            ),
            ("{}\n{} {}\n", Some("line 2, column 4: trailing characters")),
            ("{\"a\":x}\n", Some("line 1, column 6: expected value")),
        ] {
            let found = first_error(text.as_bytes())
                .unwrap()
                .map(|error| error.to_string());
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            let (found, expected) = (found.unwrap_or_default(), expected.unwrap_or_default());
            assert!(found.starts_with(expected), "{found}");
        }
    }
}
