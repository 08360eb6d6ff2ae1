//! A first look at the whole file: is it well-formed, and what does it hold?
//!
//! Knows RFC 4180 and nothing of nulls or polars. It goes byte by byte and keeps no record, so that
//! it needs the same small memory for every file, however broken.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use anyhow::{Result, bail, ensure};

const BOM: &str = "\u{feff}";

const LONE_CARRIAGE_RETURN: &str = "a carriage return without a line feed, expected lines that \
                                    end with LF or with CR and LF";

/// What a well-formed CSV file holds.
#[derive(Debug, PartialEq)]
pub(crate) struct Survey {
    /// The byte order mark at the start of the file, or nothing.
    pub(crate) bom: &'static str,
    /// How the header ends: with LF, or with CR and LF.
    pub(crate) line_end: &'static str,
    pub(crate) columns: usize,
    /// The records after the header; a blank line is none.
    pub(crate) rows: u64,
    /// The lines that stand before the first row: the header, which may span several but counts
    /// as one, and the blank ones before and after it.
    pub(crate) lead: usize,
    /// The blank lines after the first row.
    pub(crate) blank: u64,
    header: Range<u64>,
}

impl Survey {
    /// Looks through the input to its end.
    pub(crate) fn of(mut input: impl Read) -> Result<Self> {
        let mut scanner = Scanner::new();
        let mut buffer = vec![0; 64 * 1024];
        let mut filled = 0;
        loop {
            let read = match input.read(&mut buffer[filled..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            };
            filled += read;
            let (valid, cut) = match str::from_utf8(&buffer[..filled]) {
                Ok(_) => (filled, false),
                Err(error) => (error.valid_up_to(), error.error_len().is_none()),
            };
            scanner.scan(&buffer[..valid])?;
            // A character cut by the end of the chunk is whole with the next chunk, if there is one.
            let whole = valid == filled || (cut && read > 0);
            ensure!(
                whole,
                "line {}: expected UTF-8, found other bytes",
                scanner.line
            );
            if read == 0 {
                return scanner.finish();
            }
            buffer.copy_within(valid..filled, 0);
            filled -= valid;
        }
    }

    /// The header as it stands in the file, without its line end.
    pub(crate) fn header(&self, file: &File) -> Result<String> {
        let length = usize::try_from(self.header.end - self.header.start)?;
        let mut header = vec![0; length];
        file.read_exact_at(&mut header, self.header.start)?;
        Ok(String::from_utf8(header)?)
    }
}

/// The names in the header of a well-formed file.
pub(crate) fn column_names(header: &str) -> Vec<String> {
    let mut quoted = false;
    let fields = header.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    fields.map(unquote).collect()
}

fn unquote(field: &str) -> String {
    match field
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(inner) => inner.replace("\"\"", "\""),
        None => field.to_owned(),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote within quotes: the last one of the field, or the first of a doubled one.
    QuoteInQuotes,
    /// After a carriage return, which must be the first half of a line end.
    CarriageReturn,
}

struct Scanner {
    state: State,
    offset: u64,
    line: u64,
    /// The line where the current record began.
    record_line: u64,
    /// The line where the last quoted field began.
    quote_line: u64,
    /// The fields of the current record so far; 0 until it has a byte.
    fields: usize,
    survey: Survey,
}

impl Scanner {
    fn new() -> Self {
        Self {
            state: State::FieldStart,
            offset: 0,
            line: 1,
            record_line: 1,
            quote_line: 1,
            fields: 0,
            survey: Survey {
                bom: "",
                line_end: "\n",
                columns: 0,
                rows: 0,
                lead: 0,
                blank: 0,
                header: 0..0,
            },
        }
    }

    /// Takes the next bytes, which begin and end between two characters.
    fn scan(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.offset == 0
            && let Some(rest) = bytes.strip_prefix(BOM.as_bytes())
        {
            self.survey.bom = BOM;
            self.offset = BOM.len() as u64;
            bytes = rest;
        }
        for &byte in bytes {
            self.state = self.step(byte)?;
            self.offset += 1;
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<State> {
        use State::{CarriageReturn, FieldStart, QuoteInQuotes, Quoted, Unquoted};

        if self.fields == 0 && !matches!(byte, b'\r' | b'\n') {
            self.start_record();
        }
        Ok(match (self.state, byte) {
            (Quoted, b'"') => QuoteInQuotes,
            (Quoted, b'\n') => {
                self.line += 1;
                Quoted
            }
            (Quoted, _) | (QuoteInQuotes, b'"') => Quoted,
            (_, b'\n') => {
                self.end_record()?;
                self.line += 1;
                FieldStart
            }
            (CarriageReturn, _) => bail!("line {}: {LONE_CARRIAGE_RETURN}", self.line),
            (_, b'\r') => CarriageReturn,
            (_, b',') => {
                self.fields += 1;
                FieldStart
            }
            (FieldStart, b'"') => {
                self.quote_line = self.line;
                Quoted
            }
            (QuoteInQuotes, _) => bail!(
                "line {}: text after a closing quote, expected a comma or the end of the line",
                self.line
            ),
            (_, b'"') => bail!(
                "line {}: a quote in a field that does not begin with one, expected the field \
                 within quotes and its own quotes doubled",
                self.line
            ),
            _ => Unquoted,
        })
    }

    fn start_record(&mut self) {
        self.fields = 1;
        self.record_line = self.line;
        if self.survey.columns == 0 {
            self.survey.header.start = self.offset;
        }
    }

    /// Counts what ends here: a row, the header or a blank line.
    fn end_record(&mut self) -> Result<()> {
        let survey = &mut self.survey;
        if self.fields == 0 {
            if survey.rows == 0 {
                survey.lead += 1;
            } else {
                survey.blank += 1;
            }
        } else if survey.columns == 0 {
            survey.columns = self.fields;
            survey.lead += 1;
            survey.header.end = self.offset;
            if self.state == State::CarriageReturn {
                survey.header.end -= 1;
                survey.line_end = "\r\n";
            }
        } else {
            ensure!(
                self.fields == survey.columns,
                "line {}: expected {} as in the header, found {}",
                self.record_line,
                fields(survey.columns),
                self.fields
            );
            survey.rows += 1;
        }
        self.fields = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<Survey> {
        match self.state {
            State::Quoted => bail!("line {}: the quote is never closed", self.quote_line),
            State::CarriageReturn => bail!("line {}: {LONE_CARRIAGE_RETURN}", self.line),
            // The last line may lack its end.
            _ if self.fields > 0 => self.end_record()?,
            _ => (),
        }
        ensure!(
            self.survey.columns > 0,
            "it is empty, expected a header line"
        );
        Ok(self.survey)
    }
}

fn fields(count: usize) -> String {
    format!("{count} {}", if count == 1 { "field" } else { "fields" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, so that every place in the text comes to lie at a boundary.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let size = self.1.min(buffer.len());
            self.0.read(&mut buffer[..size])
        }
    }

    /// The same answer however the bytes arrive.
    fn survey(input: &[u8]) -> Result<Survey, String> {
        let of = |size| Survey::of(Drip(input, size)).map_err(|error| error.to_string());
        let result = of(usize::MAX);
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(of(size), result, "{size} bytes at a time");
        }
        result
    }

    #[test]
    fn counts_rows_and_blank_lines() {
        let cases: [(&str, usize, u64, usize, u64); 9] = [
            ("a", 1, 0, 1, 0),
            ("a,b\n1,2\n3,4", 2, 2, 1, 0),
            ("a,b\r\n1,2\r\n", 2, 1, 1, 0),
            ("\n\na\n\n1\n\n\n2\n\n", 1, 2, 4, 3),
            ("\r\na\r\n\r\n1\r\n\r\n", 1, 1, 3, 1),
            ("a,b\n,\n\"\",\n", 2, 2, 1, 0),
            ("a\n\"\"\n \n", 1, 2, 1, 0),
            ("\"a\n\nb\",c\n\"x\r\n\"\"y\"\"\",\",\"\n", 2, 1, 1, 0),
            (",\n,\n", 2, 1, 1, 0),
        ];
        for (input, columns, rows, lead, blank) in cases {
            let found = survey(input.as_bytes()).expect(input);
            assert_eq!(
                (found.columns, found.rows, found.lead, found.blank),
                (columns, rows, lead, blank),
                "{input:?}"
            );
        }
    }

    #[test]
    fn finds_the_header() {
        for (input, bom, header, line_end) in [
            ("a,b", "", "a,b", "\n"),
            ("\r\n\na,b\r\n1,2\n", "", "a,b", "\r\n"),
            ("\u{feff}\"a\r\nü\",\n", "\u{feff}", "\"a\r\nü\",", "\n"),
        ] {
            let found = survey(input.as_bytes()).expect(input);
            let range = usize::try_from(found.header.start).expect("small")
                ..usize::try_from(found.header.end).expect("small");
            assert_eq!(
                (found.bom, &input[range], found.line_end),
                (bom, header, line_end)
            );
        }
    }

    #[test]
    fn names_what_is_malformed_and_where() {
        let cases: [(&[u8], &str); 17] = [
            (b"", "it is empty, expected a header line"),
            (b"\n\r\n\n", "it is empty, expected a header line"),
            (b"\xef\xbb\xbf", "it is empty, expected a header line"),
            (
                b"a,b\n1,2\n\n3\n",
                "line 4: expected 2 fields as in the header, found 1",
            ),
            (
                b"a,b\n\"x\n\n\",2,3\n",
                "line 2: expected 2 fields as in the header, found 3",
            ),
            (
                b"a\n1,",
                "line 2: expected 1 field as in the header, found 2",
            ),
            (
                b"a,b\n  \n",
                "line 2: expected 2 fields as in the header, found 1",
            ),
            (b"a\n\"x\n", "line 2: the quote is never closed"),
            (b"a\n\n\"x\"\"\n\n", "line 3: the quote is never closed"),
            (b"a\n5\" pipe\n", "line 2: a quote in a field that"),
            (b"a\n\"x\"y\n", "line 2: text after a closing quote"),
            (b"a\n\"x\n\" \n", "line 3: text after a closing quote"),
            (
                b"a,b\r1,2\r",
                "line 1: a carriage return without a line feed",
            ),
            (b"a,b\r", "line 1: a carriage return without a line feed"),
            (
                b"a,b\n1\r,2\n",
                "line 2: a carriage return without a line feed",
            ),
            (
                b"a\nb\nn\xe9e\n",
                "line 3: expected UTF-8, found other bytes",
            ),
            (b"a\n\xc3", "line 2: expected UTF-8, found other bytes"),
        ];
        for (input, message) in cases {
            let error = survey(input).expect_err(message);
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn reads_names_as_they_are_meant() {
        assert_eq!(column_names("a"), ["a"]);
        assert_eq!(column_names("a,, a ,a"), ["a", "", " a ", "a"]);
        assert_eq!(
            column_names("\"a,b\",\"\",\"say \"\"hi\"\"\n\",ü"),
            ["a,b", "", "say \"hi\"\n", "ü"]
        );
    }
}
