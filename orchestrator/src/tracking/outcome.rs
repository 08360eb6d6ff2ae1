//! How a run ended, in MLflow's words.

use super::record::{self, Pairs, Status};
use crate::error::Error;
use crate::redact::redact;
use crate::run::outcome::Cause;

/// How a run ended, and what of it does not show in MLflow's status.
pub(super) fn outcome(result: &Result<(), Error>) -> (Status, Pairs) {
    use std::os::unix::process::ExitStatusExt;
    let Err(error) = result else {
        return (Status::Finished, Vec::new());
    };
    let mut tags = vec![("pipeline.error".to_owned(), redact(&error.to_string()))];
    let failure = match error {
        Error::Failed(failure) => failure,
        Error::InterruptedMaking(signal) => {
            tags.push(signal_tag(*signal));
            return (Status::Killed, record::tags(tags));
        }
        _ => return (Status::Failed, record::tags(tags)),
    };
    let status = match failure.cause {
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
        Cause::Unwritten(_) => Status::Failed,
        Cause::Interruption(signal) => {
            tags.push(signal_tag(signal));
            Status::Killed
        }
    };
    (status, record::tags(tags))
}

pub(super) fn signal_tag(signal: i32) -> (String, String) {
    let name = signal_hook::low_level::signal_name(signal);
    (
        "pipeline.signal".to_owned(),
        name.map_or_else(|| signal.to_string(), str::to_owned),
    )
}
