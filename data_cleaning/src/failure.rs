//! Why a file could not be cleaned.

use std::fmt::{self, Display, Formatter};

use anyhow::{Error, anyhow};

/// Which side a run failed at.
#[derive(Debug)]
pub enum Failure {
    /// The input is not as it must be, or cannot be read.
    Input(Error),
    /// What stays cannot be written.
    Output(Error),
}

/// What is wrong with a piece of a file.
#[derive(Debug, PartialEq)]
pub struct Malformed {
    /// The lines of the piece before the one that is malformed.
    pub lines: u64,
    pub fault: Fault,
}

/// The ways in which text is not well-formed.
#[derive(Debug, PartialEq)]
pub enum Fault {
    CarriageReturn,
    QuoteInside,
    TextAfterQuote,
    /// A quote that opens and is not closed by the end of the file.
    Unclosed,
    Nul,
    /// A record with more or fewer fields than the header.
    Ragged {
        expected: usize,
        found: usize,
    },
    /// A record with more fields than the header, which are not empty.
    Surplus {
        expected: usize,
        found: usize,
    },
    /// A record of more than so many bytes, which would not be held in memory.
    TooLong(usize),
    /// No JSON object, for this reason, found in this column.
    Json {
        column: usize,
        what: String,
    },
}

impl Malformed {
    pub fn new(lines: u64, fault: Fault) -> Self {
        Self { lines, fault }
    }

    /// The error in the words for the user, in a file that has so many lines before the piece.
    pub fn after(self, lines: u64) -> Error {
        let line = lines + self.lines + 1;
        match self.fault {
            Fault::Json { column, what } => {
                anyhow!("line {line}, column {column}: {what}; each line has to be a JSON object")
            }
            fault => anyhow!("line {line}: {fault}"),
        }
    }
}

impl Fault {
    /// Whether it is seen without the rest of the record.
    pub fn is_at_one_place(&self) -> bool {
        matches!(
            self,
            Self::CarriageReturn | Self::QuoteInside | Self::TextAfterQuote
        )
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::CarriageReturn => f.write_str(
                "a carriage return without a line feed, expected lines that end with LF or with \
                 CR and LF; `tr '\\r' '\\n'` makes such of a file of old",
            ),
            Self::QuoteInside => f.write_str(
                "a quote in a field that does not begin with one, expected the field within \
                 quotes and its own quotes doubled; `--on_quote text` takes it for text",
            ),
            Self::TextAfterQuote => f.write_str(
                "text after a closing quote, expected the delimiter or the end of the line",
            ),
            Self::Unclosed => {
                f.write_str("the quote is never closed; `--quote none` takes quotes for text")
            }
            Self::Nul => {
                f.write_str("a NUL byte in the header, which no text has; is it a CSV file?")
            }
            Self::Ragged { expected, found } => write!(
                f,
                "{}, found {found}; `--on_ragged drop` deletes such rows, `--on_ragged null` takes \
                 missing fields for null",
                fields(*expected)
            ),
            Self::Surplus { expected, found } => write!(
                f,
                "{}, found {found}, and those too many are not empty; `--on_ragged drop` deletes \
                 such rows",
                fields(*expected)
            ),
            Self::TooLong(bytes) => write!(
                f,
                "the record that begins here is longer than {} MiB; is its quote closed?",
                bytes >> 20
            ),
            Self::Json { what, .. } => f.write_str(what),
        }
    }
}

fn fields(expected: usize) -> String {
    let noun = if expected == 1 { "field" } else { "fields" };
    format!("expected {expected} {noun} as in the header")
}
