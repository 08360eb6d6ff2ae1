//! Downloads one file, whole or not at all.
//!
//! The main path is [`run`]: where from, where to, transfer, put into place.

mod http;
mod local;
mod partial;
mod progress;
mod signals;
mod source;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use clap::builder::NonEmptyStringValueParser;

use crate::partial::Partial;
use crate::source::Source;

/// Download one file, whole or not at all
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What to download: an http, https or file URL, or the path of a local file
    #[arg(
        long = "data_url",
        alias = "data-url",
        value_name = "URL",
        value_parser = NonEmptyStringValueParser::new()
    )]
    data_url: String,

    /// File to write; an existing one is replaced only by a complete download
    #[arg(long, value_name = "FILE", default_value = "raw_data.csv")]
    output: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(summary) => {
            say(&format!("data_download: {summary}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

/// Transfers the file and returns the summary.
fn run(arguments: &Arguments) -> Result<String> {
    let started = Instant::now();
    let source = Source::parse(&arguments.data_url)?;
    // Before any request: an output that cannot be written should not cost a transfer.
    let mut partial = Partial::create(&arguments.output)?;
    signals::remove_when_terminated(partial.path())?;

    let bytes = match source {
        Source::Http(url) => http::download(&url, &mut partial)?,
        Source::Local(path) => local::copy(&path, &mut partial)?,
    };
    partial.put_into_place()?;

    let seconds = started.elapsed().as_secs_f64();
    let output = arguments.output.display();
    Ok(format!("{bytes} bytes in {seconds:.2} s -> {output}"))
}

fn with_causes(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        write!(text, "\n  caused by: {cause}").expect("writing to a String does not fail");
    }
    text
}

/// Prints to stderr; unlike `eprintln!` it does not panic when nobody listens any more.
fn say(line: &str) {
    writeln!(io::stderr(), "{line}").ok();
}
