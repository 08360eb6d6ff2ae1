//! How a request can go wrong.

use std::time::Duration;

use anyhow::Error;

/// Why there is no answer, or not all of it.
pub enum Failure {
    /// It would be the same the next time.
    Final(Error),
    /// It may work later, and not before `after`.
    Retry {
        error: Error,
        after: Option<Duration>,
    },
    /// What is there cannot be continued.
    StartOver,
}

impl Failure {
    /// A failure that may be over soon.
    pub fn passing(error: Error) -> Failure {
        Failure::Retry { error, after: None }
    }
}
