//! Downloads one file, whole or not at all.
//!
//! The main path is [`fetch::fetch`].

mod cli;
#[cfg(feature = "cloud")]
mod cloud;
mod decompress;
mod download;
mod fetch;
mod headers;
mod html;
mod http;
mod leftovers;
mod local;
mod metrics;
mod output;
mod partial;
mod progress;
mod record;
mod remote;
mod retry;
mod source;
mod version;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::cli::Arguments;
use crate::leftovers::Leftovers;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let leftovers = Leftovers::default();
    let fetched = leftovers
        .watch_signals()
        .and_then(|()| fetch::fetch(&arguments, &leftovers));
    match fetched {
        Ok(fetched) => {
            let time = started.elapsed();
            metrics::append(fetched.bytes(), time);
            say(&format!(
                "data_download: {}",
                fetched.summary(&arguments, time)
            ));
            ExitCode::SUCCESS
        }
        Err(error) => {
            let note = leftovers.settle();
            say(&with_causes(&error));
            if let Some(note) = note {
                say(&format!("data_download: {note}"));
            }
            ExitCode::FAILURE
        }
    }
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
