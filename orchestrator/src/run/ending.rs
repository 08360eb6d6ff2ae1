//! How a run ended, in MLflow's words.

use std::os::unix::process::ExitStatusExt;

use process::redact::redact;
use tracking::{Ending, Status, signal_tag};

use super::error::RunError;
use super::outcome::Cause;

/// How a try of a step ended, for its record.
pub(super) fn of_step(result: &Result<(), RunError>) -> Ending {
    let Err(error) = result else {
        return Ending::new(Status::Finished, Vec::new());
    };
    let mut tags = vec![("pipeline.error".to_owned(), redact(&error.to_string()))];
    let status = match error {
        RunError::Failed(failure) => of_cause(failure.cause, &mut tags),
        error => match error.signal() {
            Some(signal) => {
                tags.push(signal_tag(signal));
                Status::Killed
            }
            None => Status::Failed,
        },
    };
    Ending::new(status, tags)
}

/// How a pipeline ended. It was stopped only by a signal to it; else one of its steps was.
pub(super) fn of_pipeline(result: &Result<(), RunError>) -> Ending {
    let ending = of_step(result);
    match result {
        Err(RunError::Failed(failure)) if failure.signal().is_none() => Ending {
            status: Status::Failed,
            ..ending
        },
        _ => ending,
    }
}

fn of_cause(cause: Cause, tags: &mut Vec<(String, String)>) -> Status {
    match cause {
        Cause::Status(status) | Cause::Supervisor(status) => {
            let code = status.code();
            let code = code.map(|code| ("pipeline.exit_code".to_owned(), code.to_string()));
            tags.extend(code.or_else(|| status.signal().map(signal_tag)));
            match status.signal() {
                Some(_) => Status::Killed,
                None => Status::Failed,
            }
        }
        Cause::Timeout(_) => Status::Killed,
        Cause::Unwritten(_) | Cause::Lost => Status::Failed,
        Cause::Interruption(signal) => {
            tags.push(signal_tag(signal));
            Status::Killed
        }
    }
}
