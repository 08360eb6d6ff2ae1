//! A run: the lock, the plan, and who hears what happens.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mlproject::paths::absolute;
use plan::Plan;
use plan::definition::Pipeline;
use process::lock::Lock;

use crate::cli;
use crate::error::Error;
use crate::invocation::Invocation;
use crate::report::console::Console;
use crate::report::html::{self, Report};
use crate::run::event::{Event, Listener};
use crate::run::{execute, wait_for};

/// Runs what `plan` says. `arguments` are for the report, and `caller` is the folder that relative paths start
/// from.
pub(super) fn run(
    pipeline: &Pipeline,
    invocation: &Invocation,
    (arguments, caller): (&[OsString], &Path),
    plan: impl FnOnce() -> Result<Plan, Error>,
) -> Result<(), Error> {
    let request = &invocation.request;
    // The plan of one who waits is made of what the run before leaves behind.
    let waited = request
        .wait
        .then(|| wait_for(pipeline.root()))
        .transpose()?;
    let plan = plan()?;
    let lock = waited.map_or_else(|| Lock::take(&plan.root, false), Ok)?;
    let console = Arc::new(Console::new(&plan));
    let report = report_of(&plan, arguments, invocation.report.as_deref(), caller)?;
    let ran = execute(&plan, request, caller, &lock, &listener(&console, report));
    console.close();
    Ok(ran?)
}

/// The report of a run, which is written to `file`, too, if one is named.
fn report_of(
    plan: &Plan,
    arguments: &[OsString],
    file: Option<&Path>,
    caller: &Path,
) -> Result<Report, Error> {
    let file = file.map(|file| absolute(caller, file));
    let writable =
        |file: PathBuf| html::writable(&file).map_err(|source| Error::Report { file, source });
    let file = file.map(writable).transpose()?;
    Ok(Report::new(plan, cli::shown(arguments), file))
}

/// Who hears what happens in a run.
fn listener(console: &Arc<Console>, report: Report) -> Listener {
    let console = Arc::clone(console);
    Arc::new(move |event: Event| {
        console.tell(event);
        report.hear(event);
    })
}
