//! Why a run failed.

use std::io;
use std::path::PathBuf;

use mlproject::paths::shown;
use plan::ProblemKind;
use process::text::{names, plural, signal_name};
use source::download::DownloadError;
use tracking::TrackingError;

use super::outcome::Failure;

/// Why a run of a plan did not come to its end, or not to a good one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
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
    /// The step succeeded without making what it declares as an output.
    #[error("step `{step}` succeeded, but its output `{name}` does not exist: {}", shown(.path))]
    MissingOutput {
        step: String,
        name: String,
        path: PathBuf,
        log: PathBuf,
    },
    /// Steps that ran beside each other failed, the first one first.
    #[error("{} failed", plural(.0.len(), "step"))]
    Several(Vec<RunError>),
    /// Steps that ran beside each other were stopped by a signal to us.
    #[error("stopped by {} while steps {} were running", signal_name(*.signal), names(.steps))]
    InterruptedSteps { signal: i32, steps: Vec<String> },
    /// We were asked to stop while a step that had failed waited to be tried again.
    #[error("stopped by {} while step `{step}` waited for its next try", signal_name(*.signal))]
    InterruptedWaiting { signal: i32, step: String },
    /// Steps failed, or could not run without those; the others succeeded.
    #[error("{} of {} did not finish: {}", .failed.len(), plural(*.count, "step"), names(.failed))]
    Incomplete { failed: Vec<String>, count: usize },
    /// The file for the step's output could not be made.
    #[error("cannot keep the output of the steps")]
    Log(#[source] io::Error),
    /// The folder that the nodes of a cluster have to see could not be made.
    #[error(
        "cannot make a folder in `mlruns/.attempts`, where a cluster's nodes tell how steps end"
    )]
    Attempts(#[source] io::Error),
    /// Environments could not be made; no step was run.
    #[error("{} could not be made; nothing was run", plural(.0.len(), "environment"))]
    Environments(Vec<environment::Failure>),
    /// We were asked to stop by a signal before the first step.
    #[error("stopped by {} while environments were made", signal_name(*.0))]
    InterruptedMaking(i32),
    /// A remote value of a `path` parameter could not be fetched.
    #[error("step `{step}`: cannot download `{uri}`")]
    Download {
        step: String,
        uri: String,
        source: DownloadError,
    },
    /// The file with a part of the config could not be written.
    #[error("step `{step}`: cannot write the value of parameter `{name}` to {}", shown(.path))]
    Part {
        step: String,
        name: String,
        path: PathBuf,
        source: io::Error,
    },
    /// A step takes values of a run that nobody knows.
    #[error(
        "step `{step}` takes values of the run of step `{of}`, and no run of that which ended well is known"
    )]
    NoRun { step: String, of: String },
    /// A value of an earlier run is none that a step can have.
    #[error("step `{step}`: {problem}")]
    Value {
        step: String,
        problem: Box<ProblemKind>,
    },
    /// The run cannot be recorded.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// What asks us to stop would not be heard.
    #[error("cannot watch for signals")]
    Signals(#[source] io::Error),
}

impl RunError {
    /// All failures as one, if there are any. Steps that one signal has stopped are told together.
    pub(super) fn of_all(errors: Vec<RunError>) -> Option<RunError> {
        let stopped = errors.iter().filter_map(|error| match error {
            RunError::Failed(failure) => Some((failure.signal()?, failure.step.clone())),
            _ => None,
        });
        let (signals, steps): (Vec<i32>, Vec<String>) = stopped.unzip();
        let mut errors = errors;
        if let ([_, _, ..], [signal, ..]) = (steps.as_slice(), signals.as_slice()) {
            errors.retain(
                |error| !matches!(error, RunError::Failed(failure) if failure.signal().is_some()),
            );
            let signal = *signal;
            errors.push(RunError::InterruptedSteps { signal, steps });
        }
        match errors.len() {
            0 | 1 => errors.pop(),
            _ => Some(RunError::Several(errors)),
        }
    }

    /// The signal that stopped the run.
    pub(crate) fn signal(&self) -> Option<i32> {
        match self {
            RunError::Failed(failure) => failure.signal(),
            RunError::InterruptedMaking(signal)
            | RunError::InterruptedSteps { signal, .. }
            | RunError::InterruptedWaiting { signal, .. } => Some(*signal),
            RunError::Several(errors) => errors.iter().find_map(RunError::signal),
            _ => None,
        }
    }

    /// Whether the same step may succeed when it is tried again.
    pub(super) fn may_pass(&self) -> bool {
        self.is_of_step() && !matches!(self, RunError::Start { .. })
    }

    /// Whether this is about one step, so that others may still succeed.
    pub(super) fn is_of_step(&self) -> bool {
        match self {
            RunError::Failed(failure) => failure.signal().is_none(),
            RunError::Start { .. }
            | RunError::MissingOutput { .. }
            | RunError::Download { .. }
            | RunError::Part { .. }
            | RunError::NoRun { .. }
            | RunError::Value { .. } => true,
            _ => false,
        }
    }
}
