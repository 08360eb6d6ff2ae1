//! The command line.

use std::env;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::Error;
use clap::{Parser, ValueEnum};

use crate::format::Format;
use crate::null_values::NullValues;
use crate::printable::{printable, printable_lines};
use crate::rules::{Required, Rules};

/// Delete the rows of a table that hold a null and leave all others as they were
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// File to read: CSV, also packed by gzip or zstd, Parquet, Arrow or NDJSON
    #[arg(long, value_name = "FILE", default_value = "raw_data.csv")]
    pub(crate) input: PathBuf,

    /// File to write
    #[arg(long, value_name = "FILE", default_value = "clean_data.csv")]
    pub(crate) output: PathBuf,

    /// Format of the input [default: by the end of its name, else CSV]
    #[arg(long = "input_format", alias = "input-format", value_name = "FORMAT")]
    pub(crate) input_format: Option<Format>,

    /// Format of the output [default: by the end of its name, else CSV]
    #[arg(long = "output_format", alias = "output-format", value_name = "FORMAT")]
    pub(crate) output_format: Option<Format>,

    /// Values that mean null, besides the empty one [default: those of pandas in CSV, else none]
    #[arg(
        long = "null_values",
        alias = "null-values",
        value_name = "A,B,..",
        value_delimiter = ',',
        // Markers such as -999 are common.
        allow_hyphen_values = true
    )]
    null_values: Option<Vec<String>>,

    /// Columns whose nulls count [default: all]
    #[arg(
        long,
        value_name = "A,B,..",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    columns: Vec<String>,

    /// Delete a row with a null in any of these columns, or only one with nulls in all of them
    #[arg(long, value_enum, default_value_t = How::Any)]
    how: How,

    /// Delete a row with fewer values in these columns, instead of --how
    #[arg(
        long = "min_valid",
        alias = "min-valid",
        value_name = "N",
        conflicts_with = "how"
    )]
    min_valid: Option<usize>,

    /// Character between the fields of a CSV file; `\t` is the tab
    #[arg(long, value_name = "C", default_value = ",", value_parser = delimiter, allow_hyphen_values = true)]
    pub(crate) delimiter: u8,

    /// What to do with a row that has more or fewer fields than the header
    #[arg(
        long = "on_ragged",
        alias = "on-ragged",
        value_enum,
        default_value_t = OnRagged::Error
    )]
    pub(crate) on_ragged: OnRagged,

    /// Give the columns of a CSV file that becomes Parquet, Arrow or NDJSON the types of their values
    #[arg(
        long = "infer_types",
        alias = "infer-types",
        num_args = 0..=1,
        default_missing_value = "true",
        default_value = "false"
    )]
    pub(crate) infer_types: bool,

    /// JSON file to write the figures of the run to
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum How {
    Any,
    All,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum OnRagged {
    Error,
    Drop,
}

impl Arguments {
    /// The null values that were given, if any were.
    pub(crate) fn null_values(&self) -> Option<NullValues> {
        self.null_values.clone().map(NullValues::new)
    }

    /// The values that mean null in a CSV file.
    pub(crate) fn csv_nulls(&self) -> NullValues {
        self.null_values().unwrap_or_else(NullValues::pandas)
    }

    pub(crate) fn rules(&self) -> Rules {
        // `--columns ''` is how an MLproject says that nothing was given.
        let given = self.columns.iter().any(|name| !name.is_empty());
        Rules {
            columns: given.then(|| self.columns.clone()),
            required: match (self.min_valid, self.how) {
                (Some(values), _) => Required::AtLeast(values),
                (None, How::Any) => Required::All,
                (None, How::All) => Required::One,
            },
        }
    }
}

/// Shows the help that was asked for, or what is wrong with the arguments.
pub(crate) fn usage(error: &Error) -> ExitCode {
    let mut text = error.render().to_string();
    // What was typed is shown with all its characters, line ends too.
    for argument in env::args_os() {
        let argument = argument.to_string_lossy();
        let value = argument.split_once('=').map_or("", |(_, value)| value);
        for typed in [&argument, value]
            .into_iter()
            .filter(|typed| typed.contains('\n'))
        {
            text = text.replace(typed, &printable(typed));
        }
    }
    if error.use_stderr() {
        crate::say(text.trim_end());
    } else {
        stdout().write_all(printable_lines(&text).as_bytes()).ok();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [b'"' | b'\r' | b'\n'] => Err("it has a meaning of its own in CSV".into()),
        [character] if character.is_ascii() => Ok(*character),
        _ => Err("expected one ASCII character".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Arguments {
        Arguments::parse_from([&["data_cleaning"], arguments].concat())
    }

    #[test]
    fn rules_are_those_of_pandas() {
        for (arguments, columns, required) in [
            (&[][..], None, Required::All),
            (&["--columns", ""], None, Required::All),
            (
                &["--columns", "a,-b", "--how", "all"],
                Some(vec!["a", "-b"]),
                Required::One,
            ),
            (
                &["--columns", "a", "--columns=", "--min_valid", "0"],
                Some(vec!["a", ""]),
                Required::AtLeast(0),
            ),
        ] {
            let columns = columns.map(|columns| columns.into_iter().map(str::to_owned).collect());
            assert_eq!(parse(arguments).rules(), Rules { columns, required });
        }
    }

    #[test]
    fn a_delimiter_is_one_character() {
        for (text, byte) in [(",", b','), ("\\t", b'\t'), ("\t", b'\t'), ("-", b'-')] {
            assert_eq!(parse(&["--delimiter", text]).delimiter, byte);
        }
        for text in ["", ",,", "\"", "\n", "§", "\\n"] {
            assert!(delimiter(text).is_err(), "{text:?}");
        }
    }
}
