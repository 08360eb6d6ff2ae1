//! What is told of a run, to people and to other programs.

pub mod report;
pub mod summary;

use std::env;
use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::clean::Cleaned;
use crate::cli::Wanted;
use crate::console::{printable, say};
use crate::files::output::Target;
use crate::tell::report::Report;
use crate::tell::summary::Summary;

/// The variable that names the file to add the figures of a run to.
const METRICS: &str = "PIPELINE_METRICS";

/// Gives the figures to whoever wants them.
pub fn tell(wanted: &Wanted, cleaned: &Cleaned, started: Instant) -> Result<()> {
    let findings = &cleaned.findings;
    let report = Report {
        input: &wanted.input,
        output: &wanted.output,
        names: &findings.names,
        nulls: &findings.nulls,
        counts: &findings.counts,
        bytes_read: cleaned.bytes_read,
        bytes_written: cleaned.bytes_written,
        seconds: started.elapsed().as_secs_f64(),
    };
    let summary = Summary {
        output: &wanted.output,
        names: &findings.names,
        counts: &findings.counts,
        table: stderr().is_terminal(),
        blamed: summary::blamed(findings),
        chosen: wanted.rules.columns.is_some(),
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
    let Some(path) = &wanted.report else {
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
