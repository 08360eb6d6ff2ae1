//! What a server is asked for, what it answers, and how that can go wrong.

use std::time::Duration;

use anyhow::Error;

use crate::remote::body::Body;
use crate::remote::version::Version;

/// What a cut download can go on from.
pub struct Resume<'a> {
    /// Number of bytes that are there.
    pub offset: u64,
    pub version: &'a Version,
}

/// What a server is asked for.
pub struct Ask<'a> {
    /// Only the rest, if it is of this version.
    pub resume: Option<Resume<'a>>,
    /// Nothing, if this is still the version.
    pub unless: Option<&'a Version>,
}

/// What it answers.
pub enum Answer {
    Unchanged,
    Bytes(Box<Incoming>),
}

/// Bytes that are about to come.
pub struct Incoming {
    /// Where in the file they belong: 0, or where it was asked to go on.
    pub start: u64,
    pub version: Version,
    pub content_type: Option<String>,
    pub body: Body,
}

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
