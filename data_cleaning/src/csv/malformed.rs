//! What is said of a file that is not well-formed.

use anyhow::{Error, anyhow};

pub(crate) const CARRIAGE_RETURN: &str = "a carriage return without a line feed, expected lines \
                                          that end with LF or with CR and LF";

pub(crate) const QUOTE_INSIDE: &str = "a quote in a field that does not begin with one, expected \
                                       the field within quotes and its own quotes doubled";

pub(crate) const TEXT_AFTER_QUOTE: &str =
    "text after a closing quote, expected the delimiter or the end of the line";

pub(crate) const NUL: &str = "a NUL byte in the header, which no text has; is it a CSV file?";

/// The quote that opens on this line is not closed by the end of the file.
pub(crate) fn unclosed(line: u64) -> Error {
    anyhow!("line {line}: the quote is never closed")
}

/// The record that begins on this line has not as many fields as the header.
pub(crate) fn ragged(line: u64, columns: usize, fields: usize) -> Error {
    anyhow!(
        "line {line}: expected {columns} {} as in the header, found {fields}",
        if columns == 1 { "field" } else { "fields" }
    )
}
