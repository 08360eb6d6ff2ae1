//! Deletes the rows of a CSV file that hold a null.
//!
//! `clean` tells the whole way from file to file; start reading there.

mod clean;
mod engine;
mod null_values;
mod summary;
mod survey;
mod target;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::clean::clean;
use crate::null_values::NullValues;

/// Delete the rows of a CSV file that hold a null and leave all others as they were
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// CSV file to read
    #[arg(long, value_name = "FILE", default_value = "raw_data.csv")]
    input: PathBuf,

    /// CSV file to write
    #[arg(long, value_name = "FILE", default_value = "clean_data.csv")]
    output: PathBuf,

    /// Values that mean null, besides the empty field [default: those of pandas]
    #[arg(
        long = "null_values",
        alias = "null-values",
        value_name = "A,B,..",
        value_delimiter = ',',
        // Markers such as -999 are common.
        allow_hyphen_values = true
    )]
    null_values: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let nulls = arguments
        .null_values
        .map_or_else(NullValues::pandas, NullValues::new);
    let (text, code) = match clean(&arguments.input, &arguments.output, &nulls) {
        Ok(summary) => (summary.to_string(), ExitCode::SUCCESS),
        Err(error) => (format!("error: {error:#}"), ExitCode::FAILURE),
    };
    // A closed stderr must not change how the run ended, as the panic of `eprintln!` would.
    writeln!(std::io::stderr(), "{text}").ok();
    code
}
