//! The first record of a CSV file: the names of its columns.

use std::io::{self, Write};

use anyhow::{Result, bail, ensure};

use crate::csv::field::undouble;
use crate::csv::malformed::{CARRIAGE_RETURN, NUL, QUOTE_INSIDE, TEXT_AFTER_QUOTE, unclosed};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The longest header that is read, in bytes: it stays in memory.
const LONGEST: usize = 64 << 20;

/// The header of a file and what stands before it.
#[derive(Debug, PartialEq)]
pub(crate) struct Header {
    /// Whether the file begins with a byte order mark.
    pub(crate) bom: bool,
    /// The header as it stands in the file, with the end of its line.
    pub(crate) text: Vec<u8>,
    /// Where the first record after it begins, in bytes from the start of the file.
    pub(crate) end: usize,
    /// The lines up to there.
    pub(crate) lines: u64,
    pub(crate) names: Vec<Vec<u8>>,
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
    pub(crate) fn read(bytes: &[u8], delimiter: u8, ended: bool) -> Result<Option<Self>> {
        if bytes.len() < BOM.len() && !ended {
            return Ok(None);
        }
        let bom = bytes.starts_with(BOM);
        let mut start = if bom { BOM.len() } else { 0 };
        let mut lines = 0;
        // Blank lines before the header.
        loop {
            match &bytes[start..] {
                [b'\n', ..] => start += 1,
                [b'\r', b'\n', ..] => start += 2,
                [] | [b'\r'] if !ended => return Ok(None),
                [] => bail!("it is empty, expected a header line"),
                _ => break,
            }
            lines += 1;
        }
        let Some(length) = length(&bytes[start..], delimiter, ended, &mut lines)? else {
            ensure!(
                bytes.len() < LONGEST,
                "line 1: the header is longer than {} MiB",
                LONGEST >> 20
            );
            return Ok(None);
        };
        let text = &bytes[start..start + length];
        Ok(Some(Self {
            bom,
            text: text.into(),
            end: start + length,
            lines,
            names: names(text, delimiter),
        }))
    }

    /// The names as text; what is not UTF-8 in them is shown as `\u{fffd}`.
    pub(crate) fn labels(&self) -> Vec<String> {
        let label = |name: &Vec<u8>| String::from_utf8_lossy(name).into_owned();
        self.names.iter().map(label).collect()
    }

    /// Writes what stands in the file, without blank lines.
    pub(crate) fn write(&self, target: &mut impl Write) -> io::Result<()> {
        target.write_all(if self.bom { BOM } else { b"" })?;
        target.write_all(&self.text)
    }
}

/// The bytes of the record that `bytes` begins with, and of the end of its line.
fn length(bytes: &[u8], delimiter: u8, ended: bool, lines: &mut u64) -> Result<Option<usize>> {
    use State::{CarriageReturn, FieldStart, QuoteInQuotes, Quoted, Unquoted};

    let mut state = FieldStart;
    let mut quote_line = 0;
    for (place, &byte) in bytes.iter().enumerate() {
        let line = *lines + 1;
        *lines += u64::from(byte == b'\n');
        state = match (state, byte) {
            (_, 0) => bail!("line {line}: {NUL}"),
            (Quoted, b'"') => QuoteInQuotes,
            (Quoted, _) | (QuoteInQuotes, b'"') => Quoted,
            (_, b'\n') => return Ok(Some(place + 1)),
            (CarriageReturn, _) => bail!("line {line}: {CARRIAGE_RETURN}"),
            (_, b'\r') => CarriageReturn,
            (_, byte) if byte == delimiter => FieldStart,
            (FieldStart, b'"') => {
                quote_line = line;
                Quoted
            }
            (QuoteInQuotes, _) => bail!("line {line}: {TEXT_AFTER_QUOTE}"),
            (_, b'"') => bail!("line {line}: {QUOTE_INSIDE}"),
            _ => Unquoted,
        };
    }
    match state {
        _ if !ended => {
            // Counted again when there are more bytes.
            *lines = 0;
            Ok(None)
        }
        Quoted => Err(unclosed(quote_line)),
        CarriageReturn => bail!("line {}: {CARRIAGE_RETURN}", *lines + 1),
        _ => Ok(Some(bytes.len())),
    }
}

/// The names in a well-formed header.
fn names(text: &[u8], delimiter: u8) -> Vec<Vec<u8>> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let mut quoted = false;
    let fields = text.split(|byte| {
        quoted ^= *byte == b'"';
        *byte == delimiter && !quoted
    });
    fields
        .map(|field| match field {
            [b'"', inner @ .., b'"'] => undouble(inner).into_owned(),
            _ => field.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_bytes_never_change_what_was_found() {
        let file: &[u8] = b"\xef\xbb\xbf\r\n\n\"a\r\n\"\"b\"\"\",\"\",c c\r\n1,2,3\n";
        let header = Header::read(file, b',', true).unwrap().unwrap();
        assert_eq!(header.end, file.len() - 6);
        assert_eq!(
            header,
            Header {
                bom: true,
                text: b"\"a\r\n\"\"b\"\"\",\"\",c c\r\n".into(),
                end: file.len() - 6,
                lines: 4,
                names: vec![b"a\r\n\"b\"".into(), b"".into(), b"c c".into()],
            }
        );
        for length in 0..=file.len() {
            let found = Header::read(&file[..length], b',', false).unwrap();
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
            let header = Header::read(file.as_bytes(), b';', true).unwrap().unwrap();
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
            ("\n\"a\n", unclosed(2).to_string()),
            ("a\"", format!("line 1: {QUOTE_INSIDE}")),
            ("\"a\n\"b", format!("line 2: {TEXT_AFTER_QUOTE}")),
            ("\n\na\rb", format!("line 3: {CARRIAGE_RETURN}")),
            ("a\0", format!("line 1: {NUL}")),
            ("a\r", format!("line 1: {CARRIAGE_RETURN}")),
            ("\r", format!("line 1: {CARRIAGE_RETURN}")),
        ] {
            let error = Header::read(file.as_bytes(), b',', true).expect_err(file);
            assert_eq!(error.to_string(), message, "{file:?}");
        }
    }
}
