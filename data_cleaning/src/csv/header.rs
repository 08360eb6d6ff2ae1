//! The first record of a CSV file: the names of its columns.

use std::io::{self, Write};

use anyhow::{Result, bail, ensure};
use memchr::memchr;

use crate::csv::dialect::Dialect;
use crate::csv::field::{fields, meaning};
use crate::failure::{Fault, Malformed};
use crate::pump::units::LONGEST;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The header of a file and what stands before it.
#[derive(Debug, PartialEq)]
pub struct Header {
    /// Whether the file begins with a byte order mark.
    pub bom: bool,
    /// The first record as it stands in the file, with the end of its line.
    pub text: Vec<u8>,
    /// Whether that one is a row, in a file without names.
    pub is_row: bool,
    /// Where the first row begins, in bytes from the start of the file.
    pub end: usize,
    /// The lines up to there.
    pub lines: u64,
    pub names: Vec<Vec<u8>>,
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

impl Header {
    /// Reads it from the first bytes of a file; nothing if more of them are needed.
    ///
    /// `ended` says that these are all bytes of the file.
    pub fn read(bytes: &[u8], dialect: &Dialect, ended: bool) -> Result<Option<Self>> {
        if bytes.len() < BOM.len() && !ended {
            return Ok(None);
        }
        let bom = bytes.starts_with(BOM);
        let before = if bom { BOM.len() } else { 0 };
        let found = match skip(&bytes[before..], dialect, ended)? {
            Some((skipped, lines)) => {
                let rest = &bytes[before + skipped..];
                let length = length(rest, dialect, ended);
                let length = length.map_err(|malformed| malformed.after(lines))?;
                length.map(|(length, more)| (before + skipped, length, lines, more))
            }
            None => None,
        };
        let Some((start, length, lines, more)) = found else {
            let mebibytes = LONGEST >> 20;
            let short = bytes.len() < LONGEST;
            ensure!(short, "line 1: the header is longer than {mebibytes} MiB");
            return Ok(None);
        };
        let text = &bytes[start..start + length];
        let is_row = !dialect.has_header;
        let names = fields(text, dialect).into_iter().enumerate();
        let names = names.map(|(column, name)| {
            if is_row {
                (column + 1).to_string().into_bytes()
            } else {
                meaning(name, dialect).into_owned()
            }
        });
        Ok(Some(Self {
            bom,
            text: text.into(),
            is_row,
            end: start + if is_row { 0 } else { length },
            lines: lines + if is_row { 0 } else { more },
            names: names.collect(),
        }))
    }

    /// The names as text; what is not UTF-8 in them is shown as `\u{fffd}`.
    pub fn labels(&self) -> Vec<String> {
        let label = |name: &Vec<u8>| String::from_utf8_lossy(name).into_owned();
        self.names.iter().map(label).collect()
    }

    /// Writes what stands in the file before the first row, without blank lines.
    pub fn write(&self, target: &mut impl Write) -> io::Result<()> {
        target.write_all(if self.bom { BOM } else { b"" })?;
        target.write_all(if self.is_row { b"" } else { &self.text })
    }
}

/// The bytes before the first record, and their lines; nothing if more bytes are needed.
fn skip(bytes: &[u8], dialect: &Dialect, ended: bool) -> Result<Option<(usize, u64)>> {
    let (mut start, mut lines) = (0, 0);
    while lines < dialect.skip_lines {
        match memchr(b'\n', &bytes[start..]) {
            Some(end) => start += end + 1,
            None if !ended => return Ok(None),
            None => bail!(
                "it has no more lines than the {} that `--skip_lines` passes over",
                dialect.skip_lines
            ),
        }
        lines += 1;
    }
    // Blank lines are no records.
    loop {
        match &bytes[start..] {
            [b'\n', ..] => start += 1,
            [b'\r', b'\n', ..] => start += 2,
            [] | [b'\r'] if !ended => return Ok(None),
            [] => bail!("it is empty, expected a header line"),
            _ => return Ok(Some((start, lines))),
        }
        lines += 1;
    }
}

/// The bytes and lines of the record that `bytes` begins with; nothing if more bytes are needed.
fn length(bytes: &[u8], dialect: &Dialect, ended: bool) -> Result<Option<(usize, u64)>, Malformed> {
    use State::{CarriageReturn, FieldStart, QuoteInQuotes, Quoted, Unquoted};

    let (mut state, mut lines, mut quote_line) = (FieldStart, 0, 0);
    for (place, &byte) in bytes.iter().enumerate() {
        let quote = Some(byte) == dialect.quote;
        let malformed = |fault| Err(Malformed::new(lines, fault));
        state = match (state, byte) {
            (_, 0) => return malformed(Fault::Nul),
            (Quoted, _) if quote => QuoteInQuotes,
            (Quoted, _) => Quoted,
            (QuoteInQuotes, _) if quote => Quoted,
            (_, b'\n') => return Ok(Some((place + 1, lines + 1))),
            (CarriageReturn, _) => return malformed(Fault::CarriageReturn),
            (_, b'\r') => CarriageReturn,
            (_, byte) if byte == dialect.delimiter => FieldStart,
            (FieldStart, _) if quote => {
                quote_line = lines;
                Quoted
            }
            (QuoteInQuotes, _) => return malformed(Fault::TextAfterQuote),
            (_, _) if quote && !dialect.stray_quotes => return malformed(Fault::QuoteInside),
            _ => Unquoted,
        };
        lines += u64::from(byte == b'\n');
    }
    match state {
        _ if !ended => Ok(None),
        Quoted => Err(Malformed::new(quote_line, Fault::Unclosed)),
        CarriageReturn => Err(Malformed::new(lines, Fault::CarriageReturn)),
        _ => Ok(Some((bytes.len(), lines))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_bytes_never_change_what_was_found() {
        let file: &[u8] = b"\xef\xbb\xbf\r\n\n\"a\r\n\"\"b\"\"\",\"\",c c\r\n1,2,3\n";
        let header = Header::read(file, &Dialect::default(), true)
            .unwrap()
            .unwrap();
        assert_eq!(header.end, file.len() - 6);
        assert_eq!(
            header,
            Header {
                bom: true,
                text: b"\"a\r\n\"\"b\"\"\",\"\",c c\r\n".into(),
                is_row: false,
                end: file.len() - 6,
                lines: 4,
                names: vec![b"a\r\n\"b\"".into(), b"".into(), b"c c".into()],
            }
        );
        for length in 0..=file.len() {
            let found = Header::read(&file[..length], &Dialect::default(), false).unwrap();
            assert_eq!(found.is_some(), length >= header.end, "{length}");
            assert!(found.is_none_or(|found| found == header));
        }
    }

    #[test]
    fn a_header_may_be_all_there_is() {
        for (file, names) in [
            ("a", vec!["a"]),
            ("a;b\n", vec!["a", "b"]),
            (";\r\n", vec!["", ""]),
            ("a,b", vec!["a,b"]),
            (" a ;\"a\"", vec![" a ", "a"]),
            ("\"x;\ny\"", vec!["x;\ny"]),
        ] {
            let dialect = Dialect {
                delimiter: b';',
                ..Dialect::default()
            };
            let header = Header::read(file.as_bytes(), &dialect, true);
            let header = header.unwrap().unwrap();
            assert_eq!((header.text, header.end), (file.into(), file.len()));
            let names: Vec<Vec<u8>> = names.into_iter().map(Into::into).collect();
            assert_eq!(header.names, names, "{file:?}");
        }
    }

    #[test]
    fn says_what_is_malformed_and_where() {
        for (file, message) in [
            ("", "it is empty, expected a header line".to_owned()),
            (
                "\u{feff}\n\r\n",
                "it is empty, expected a header line".to_owned(),
            ),
            ("\n\"a\n", format!("line 2: {}", Fault::Unclosed)),
            ("a\"", format!("line 1: {}", Fault::QuoteInside)),
            ("\"a\n\"b", format!("line 2: {}", Fault::TextAfterQuote)),
            ("\n\na\rb", format!("line 3: {}", Fault::CarriageReturn)),
            ("a\0", format!("line 1: {}", Fault::Nul)),
            ("a\r", format!("line 1: {}", Fault::CarriageReturn)),
            ("\r", format!("line 1: {}", Fault::CarriageReturn)),
        ] {
            let error = Header::read(file.as_bytes(), &Dialect::default(), true).expect_err(file);
            assert_eq!(error.to_string(), message, "{file:?}");
        }
    }

    #[test]
    fn lines_may_be_passed_over_and_names_be_missing() {
        let file = b"\xef\xbb\xbfa \"comment\n\n\n1,\"x\ny\"\n";
        for (has_header, skip_lines, end, lines, names) in [
            (true, 2, file.len(), 5, ["1", "x\ny"]),
            (false, 2, file.len() - 8, 3, ["1", "2"]),
            (true, 3, file.len(), 5, ["1", "x\ny"]),
        ] {
            let dialect = Dialect {
                has_header,
                skip_lines,
                ..Dialect::default()
            };
            let header = Header::read(file, &dialect, true).unwrap().unwrap();
            assert_eq!((header.end, header.lines), (end, lines));
            assert_eq!(header.names, names.map(|name| name.as_bytes().to_vec()));
            let mut written = Vec::new();
            header.write(&mut written).unwrap();
            let rest = [&written, &file[header.end..]].concat();
            assert_eq!(rest, b"\xef\xbb\xbf1,\"x\ny\"\n");
        }
        let dialect = Dialect {
            skip_lines: 9,
            ..Dialect::default()
        };
        let error = Header::read(file, &dialect, true).unwrap_err();
        let expected = "it has no more lines than the 9 that `--skip_lines` passes over";
        assert_eq!(error.to_string(), expected);
    }
}
