//! Every way a run can fail: the data, the message, the hint and the exit code.
//!
//! Messages are lower case, name the user's things in backticks and say what was expected.

use std::io;
use std::path::PathBuf;

use mlproject::paths::shown;

use crate::definition::error::ProjectError;
use crate::download::DownloadError;
use crate::environment::{self, MakeError};
use crate::lock::LockError;
use crate::plan::{Problem, ProblemKind};
use crate::run::outcome::{Cause, Failure};
use crate::text::{line, names, plural, signal_name};
use crate::tracking::error::TrackingError;

/// Why the orchestrator did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Usage(Box<clap::Error>),
    /// The pipeline's own MLproject cannot be used.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The plan has problems; nothing was run.
    #[error("{}", plural(.0.len(), "problem"))]
    Plan(Vec<Problem>),
    /// The step's shell could not be started.
    #[error("step `{step}` could not be started")]
    Start {
        step: String,
        command: String,
        cwd: PathBuf,
        source: io::Error,
    },
    /// The step ran, and did not succeed.
    #[error(transparent)]
    Failed(Box<Failure>),
    /// Steps that were allowed to fail did, or could not run without those; the others succeeded.
    #[error("{} of {} did not finish: {}", .failed.len(), plural(*.count, "step"), names(.failed))]
    Incomplete { failed: Vec<String>, count: usize },
    /// Another run has locked the pipeline's folder, or it cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file for the step's output could not be made.
    #[error("cannot keep the output of the steps")]
    Log(#[source] io::Error),
    /// Environments could not be made; no step was run.
    #[error("{} could not be made; nothing was run", plural(.0.len(), "environment"))]
    Environments(Vec<environment::Failure>),
    /// We were asked to stop by a signal before the first step.
    #[error("stopped by {} while environments were made", signal_name(*.0))]
    InterruptedMaking(i32),
    /// The folder of environments cannot be used.
    #[error("cannot use the folder of environments {}", shown(.folder))]
    Store { folder: PathBuf, source: io::Error },
    /// A remote value of a `path` parameter could not be fetched.
    #[error("step `{step}`: cannot download `{uri}`")]
    Download {
        step: String,
        uri: String,
        source: DownloadError,
    },
    /// The run cannot be recorded, or its records not be read.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// Our own output could not be written.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// Relative paths lead nowhere.
    #[error("cannot find the current folder, which may have been removed")]
    CurrentFolder(#[source] io::Error),
    /// What asks us to stop would not be heard.
    #[error("cannot watch for signals")]
    Signals(#[source] io::Error),
}

impl Error {
    pub(crate) fn usage(error: clap::Error) -> Error {
        Error::Usage(Box::new(error))
    }

    /// 0, 1 and 2 as `mlflow run` has them: 1 for whatever goes wrong, 2 for the command line; and what
    /// shells report for a program that was stopped by a signal.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::Tracking(TrackingError::TwoExperiments) => 2,
            Error::Failed(failure) => match failure.cause {
                Cause::Interruption(signal) => u8::try_from(128 + signal).unwrap_or(1),
                _ => 1,
            },
            Error::InterruptedMaking(signal) => u8::try_from(128 + signal).unwrap_or(1),
            _ => 1,
        }
    }

    /// Whether this is about one step, so that others may still succeed.
    pub(crate) fn is_of_step(&self) -> bool {
        match self {
            Error::Failed(failure) => !failure.is_interruption(),
            Error::Start { .. } | Error::Download { .. } => true,
            _ => false,
        }
    }

    /// The whole message, ending in a newline: what went wrong, why, and the way out.
    pub(crate) fn report(&self) -> String {
        let mut text = String::new();
        if let Error::Plan(problems) = self {
            report_problems(&mut text, problems);
            return text;
        }
        line(&mut text, format_args!("error: {self}"));
        match self {
            Error::Start { command, cwd, .. } => {
                line(&mut text, format_args!("  command: {command}"));
                line(&mut text, format_args!("  folder: {}", cwd.display()));
            }
            Error::Failed(failure) => failure.report(&mut text),
            Error::Environments(failures) => report_failures(&mut text, failures),
            _ => {}
        }
        report_causes(&mut text, std::error::Error::source(self), "");
        if let Some(hint) = self.hint() {
            line(&mut text, format_args!("hint: {hint}"));
        }
        text
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Project(error) => error.hint(),
            Error::CurrentFolder(_) => {
                Some("go to another folder, or name the pipeline's with `-C /its/folder`".into())
            }
            Error::Tracking(error) => error.hint(),
            Error::Failed(failure) => failure.hint(),
            Error::Environments(failures)
                if failures
                    .iter()
                    .any(|it| matches!(it.error, MakeError::Write { .. })) =>
            {
                Some("`--env-root DIR` names another folder for environments".into())
            }
            Error::Start { source, .. }
                if source.kind() == io::ErrorKind::ArgumentListTooLong =>
            {
                Some("the command and all variables together are too long (`getconf ARG_MAX`), or one variable is".into())
            }
            Error::Lock(LockError::Held { .. }) => {
                Some("wait for its end with `--wait`, or run in a copy of the folder".into())
            }
            _ => None,
        }
    }
}

fn report_failures(text: &mut String, failures: &[environment::Failure]) {
    for failure in failures {
        let steps = names(&failure.steps);
        let (name, error) = (&failure.name, &failure.error);
        line(text, format_args!("  {name}, for {steps}: {error}"));
        report_causes(text, std::error::Error::source(error), "  ");
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

fn report_problems(text: &mut String, problems: &[Problem]) {
    line(
        text,
        format_args!(
            "error: {}; nothing was run",
            plural(problems.len(), "problem")
        ),
    );
    for problem in problems {
        let place = problem
            .place
            .as_ref()
            .map(|place| format!(" ({place})"))
            .unwrap_or_default();
        match &problem.step {
            Some(step) => line(
                text,
                format_args!("  step `{step}`: {}{place}", problem.kind),
            ),
            None => line(text, format_args!("  {}{place}", problem.kind)),
        }
        // Other messages hold their cause.
        if let ProblemKind::Project(_) | ProblemKind::Environment(_) = &problem.kind {
            report_causes(text, std::error::Error::source(&problem.kind), "    ");
        }
        if let Some(hint) = problem.kind.hint() {
            line(text, format_args!("    hint: {hint}"));
        }
    }
}

fn report_causes(text: &mut String, mut cause: Option<&dyn std::error::Error>, indent: &str) {
    while let Some(error) = cause {
        line(text, format_args!("{indent}  caused by: {error}"));
        cause = error.source();
    }
}
