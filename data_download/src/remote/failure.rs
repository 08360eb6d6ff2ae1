//! How a request, and what it brings, can go wrong.

use std::time::Duration;

use anyhow::Error;

/// Why there is no file.
pub enum Failure {
    /// It would be the same the next time.
    Final(Error),
    /// It may work later, and not before `after`.
    Retry {
        error: Error,
        after: Option<Duration>,
    },
    /// The bytes are not to be kept: they would be the same the next time, and are refused.
    Refused(Error),
    /// What is there cannot be continued, for a reason that the user should know or for none.
    StartOver(Option<Error>),
}

impl Failure {
    /// A failure that may be over soon.
    pub fn passing(error: Error) -> Failure {
        Failure::Retry { error, after: None }
    }
}
