//! What a server is asked for, and what it answers.

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
