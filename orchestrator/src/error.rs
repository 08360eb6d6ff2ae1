//! Every way a run can fail: the data, the message, the hint and the exit code.
//!
//! Messages are lower case, name the user's things in backticks and say what was expected.

use std::io;
use std::path::PathBuf;

use init::InitError;
use mlproject::paths::shown;
use mlproject::pyyaml;

use crate::report::{excerpt, failure};
use crate::run::error::RunError;
use plan::definition::error::ProjectError;
use plan::{Problem, ProblemKind};
use process::lock::LockError;
use process::text::{line, plural};
use tracking::TrackingError;

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
    /// The run failed.
    #[error(transparent)]
    Run(RunError),
    /// Another run has locked the pipeline's folder, or it cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The folder of environments cannot be used.
    #[error("cannot use the folder of environments {}", shown(.folder))]
    Store { folder: PathBuf, source: io::Error },
    /// No first definition can be made of what is there.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The definition cannot be written; what was there is there.
    #[error("cannot write `{}`, and nothing was written", shown(.path))]
    Unwritten { path: PathBuf, source: io::Error },
    /// The run cannot be recorded, or its records not be read.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// The report cannot be written where it was asked for; nothing was run.
    #[error("cannot write the report to {}; nothing was run", shown(.file))]
    Report { file: PathBuf, source: io::Error },
    /// Our own output could not be written.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// Relative paths lead nowhere.
    #[error("cannot find the current folder, which may have been removed")]
    CurrentFolder(#[source] io::Error),
}

impl From<RunError> for Error {
    /// What is wrong with tracking is so whoever finds it.
    fn from(error: RunError) -> Error {
        match error {
            RunError::Tracking(error) => Error::Tracking(error),
            error => Error::Run(error),
        }
    }
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
            Error::Plan(problems) if problems.iter().any(is_usage) => 2,
            Error::Run(error) => match error.signal() {
                Some(signal) => u8::try_from(128 + signal).unwrap_or(1),
                None => 1,
            },
            _ => 1,
        }
    }

    /// The whole message, ending in a newline: what went wrong, why, and the way out.
    pub(crate) fn report(&self) -> String {
        let mut text = String::new();
        match self {
            Error::Run(error) => return failure::text(error),
            Error::Plan(problems) => report_problems(&mut text, problems),
            error => {
                line(&mut text, format_args!("error: {error}"));
                excerpt::add(&mut text, error.yaml(), "");
                failure::causes(&mut text, std::error::Error::source(self), "");
                if let Some(hint) = self.hint() {
                    line(&mut text, format_args!("hint: {hint}"));
                }
            }
        }
        text
    }

    /// What is wrong with the YAML of a file, if that is it.
    fn yaml(&self) -> Option<&pyyaml::Error> {
        match self {
            Error::Project(error) => error.yaml(),
            Error::Init(InitError::Project(error)) => error.yaml(),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Project(error) => error.hint(),
            Error::CurrentFolder(_) => {
                Some("go to another folder, or name the pipeline's with `-C /its/folder`".into())
            }
            Error::Tracking(error) => error.hint(),
            Error::Lock(error) => error.hint().map(str::to_owned),
            Error::Report { .. } => {
                Some("`--report FILE` names a file in a folder that is there".into())
            }
            _ => None,
        }
    }
}

/// Whether what is wrong is the command line.
fn is_usage(problem: &Problem) -> bool {
    matches!(&problem.kind, ProblemKind::Tracking(error) if matches!(**error, TrackingError::TwoExperiments))
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
        excerpt::add(text, problem.kind.yaml(), "  ");
        // Other messages hold their cause.
        if let ProblemKind::Project(_)
        | ProblemKind::Environment(_)
        | ProblemKind::Tracking(_)
        | ProblemKind::Lock(_) = &problem.kind
        {
            failure::causes(text, std::error::Error::source(&problem.kind), "    ");
        }
        if let Some(hint) = problem.kind.hint() {
            line(text, format_args!("    hint: {hint}"));
        }
    }
}
