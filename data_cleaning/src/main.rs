//! Deletes the rows of a table that hold a null.
//!
//! `clean` tells the whole way from file to file; start reading there.

mod access;
mod clean;
mod cli;
mod counts;
mod csv;
#[cfg(all(test, feature = "tables"))]
mod differential;
mod format;
mod input;
mod null_values;
mod printable;
mod progress;
mod report;
mod rules;
mod summary;
#[cfg(feature = "tables")]
mod table;
mod target;

use std::env;
use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use signal_hook::consts::SIGXFSZ;

use crate::clean::{Cleaned, clean};
use crate::cli::{Arguments, usage};
use crate::printable::{printable, printable_lines};
use crate::report::Report;
use crate::summary::Summary;
use crate::target::Target;

/// The variable that names the file to add the figures of a run to.
const METRICS: &str = "PIPELINE_METRICS";

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let result = limit_tells_itself()
        .and_then(|()| clean(&arguments))
        .and_then(|cleaned| tell(&arguments, &cleaned, started));
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    say(&printable(&format!("error: {error:#}")));
    ExitCode::FAILURE
}

/// Makes a limit on the size of files an error of writing, where the signal would end the program
/// without a word. No other signal is touched, so that those stay ignored that are.
fn limit_tells_itself() -> Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

/// Gives the figures to whoever wants them.
fn tell(arguments: &Arguments, cleaned: &Cleaned, started: Instant) -> Result<()> {
    let findings = &cleaned.findings;
    let report = Report {
        input: &arguments.input,
        output: &arguments.output,
        names: &findings.names,
        nulls: &findings.nulls,
        counts: &findings.counts,
        bytes_read: cleaned.bytes_read,
        bytes_written: cleaned.bytes_written,
        seconds: started.elapsed().as_secs_f64(),
    };
    let summary = Summary {
        output: &arguments.output,
        names: &findings.names,
        counts: &findings.counts,
        table: stderr().is_terminal(),
    };
    say(&summary.to_string());
    // The output is complete: that its figures are not recorded is no failure.
    if let Some(path) = env::var_os(METRICS).filter(|path| !path.is_empty())
        && let Err(error) = report.append_metrics(Path::new(&path))
    {
        let path = path.display();
        say(&printable(&format!(
            "warning: cannot write the metrics to `{path}`: {error}"
        )));
    }
    let Some(path) = &arguments.report else {
        return Ok(());
    };
    write_report(&report, path).with_context(|| format!("cannot write `{}`", path.display()))
}

fn write_report(report: &Report, path: &Path) -> Result<()> {
    let mut target = Target::create(path)?;
    writeln!(target, "{:#}", report.json())?;
    target.finish()?;
    Ok(())
}

/// Tells the user; a closed stderr must not change how the run ends, as the panic of `eprintln!`
/// would. Only here, and by the progress, something is written to the terminal.
pub(crate) fn say(text: &str) {
    writeln!(stderr(), "{}", printable_lines(text)).ok();
}
