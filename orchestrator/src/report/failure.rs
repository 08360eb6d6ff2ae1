//! A failed run in words: what went wrong, why, and the way out.

use std::io;

use environment::MakeError;
use mlproject::paths::shown;
use process::text::{line, names};

use super::client;
use crate::run::error::RunError;
use crate::run::outcome::{Cause, Failure};

/// The whole message, ending in a newline.
pub(crate) fn text(error: &RunError) -> String {
    match error {
        RunError::Several(errors) => errors.iter().map(text).collect(),
        error => told_as("error", error),
    }
}

/// The message of one failure, which begins with a word that says how bad it is.
pub(crate) fn told_as(begin: &str, error: &RunError) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("{begin}: {error}"));
    match error {
        RunError::Start { command, cwd, .. } => {
            line(&mut text, format_args!("  command: {command}"));
            line(&mut text, format_args!("  folder: {}", cwd.display()));
        }
        RunError::Failed(failure) => of_step(&mut text, failure),
        RunError::MissingOutput { log, .. } => {
            line(&mut text, format_args!("  log: {}", shown(log)));
        }
        RunError::Environments(failures) => of_environments(&mut text, failures),
        _ => {}
    }
    causes(&mut text, std::error::Error::source(error), "");
    if let Some(hint) = hint(error) {
        line(&mut text, format_args!("hint: {hint}"));
    }
    text
}

/// What caused an error, a line for each.
pub(crate) fn causes(text: &mut String, mut cause: Option<&dyn std::error::Error>, indent: &str) {
    while let Some(error) = cause {
        line(text, format_args!("{indent}  caused by: {error}"));
        cause = error.source();
    }
}

/// What helps to find out why a step failed.
fn of_step(text: &mut String, failure: &Failure) {
    let unwritten = failure
        .unwritten
        .filter(|_| !matches!(failure.cause, Cause::Unwritten(_)));
    if let Some(unwritten) = unwritten {
        line(text, format_args!("  caused by: {unwritten}"));
    }
    let is_interruption = failure.signal().is_some();
    if !is_interruption {
        line(text, format_args!("  command: {}", failure.command));
    }
    line(text, format_args!("  log: {}", shown(&failure.log)));
    if is_interruption || failure.was_seen {
        return;
    }
    match failure.last_lines.len() {
        0 => line(text, format_args!("  it printed nothing")),
        1 => line(text, format_args!("  last line:")),
        count => line(text, format_args!("  last {count} lines:")),
    }
    for last in &failure.last_lines {
        line(text, format_args!("    {last}"));
    }
}

fn of_environments(text: &mut String, failures: &[environment::Failure]) {
    for failure in failures {
        let steps = names(&failure.steps);
        let (name, error) = (&failure.name, &failure.error);
        line(text, format_args!("  {name}, for {steps}: {error}"));
        causes(text, std::error::Error::source(error), "  ");
        if let MakeError::Tool {
            last_lines, log, ..
        } = error
        {
            for said in last_lines.lines() {
                line(text, format_args!("    | {said}"));
            }
            line(text, format_args!("    log: {}", shown(log)));
        }
    }
}

/// What to type or look for next.
fn hint(error: &RunError) -> Option<String> {
    let hint = match error {
        RunError::Failed(failure) => match failure.code() {
            Some(126) => "126 is the shell's code for a program that could not be executed",
            Some(127) => {
                "127 is the shell's code for a program that was not found; is it installed and on PATH?"
            }
            _ if let Some(hint) = client::hint(&failure.last_lines) => hint,
            _ if failure.is_resumable => "`--cached` leaves out what is finished",
            _ => return None,
        },
        RunError::Environments(failures)
            if failures
                .iter()
                .any(|it| matches!(it.error, MakeError::Write { .. })) =>
        {
            "`--env-root DIR` names another folder for environments"
        }
        RunError::NoRun { step, of } => {
            return Some(format!(
                "`--until {step}` runs what it needs as well, `--from {of}` all from there on"
            ));
        }
        RunError::MissingOutput { name, .. } => {
            return Some(format!(
                "let the step write it, or take `{name}` out of `outputs:`"
            ));
        }
        RunError::Start { source, .. } if source.kind() == io::ErrorKind::ArgumentListTooLong => {
            "the command and all variables together are too long (`getconf ARG_MAX`), or one variable is"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
