//! A file on a server: what can be asked of it, and how that can go wrong.

use std::time::Duration;

use anyhow::Error;
use bytes::Bytes;

#[cfg(feature = "cloud")]
use crate::cloud::{self, Cloud};
use crate::http::{self, Http};
use crate::partial::Resume;
use crate::version::Version;

/// A file on a server.
pub(crate) enum Remote {
    Http(Box<Http>),
    #[cfg(feature = "cloud")]
    Cloud(Box<Cloud>),
}

/// What a server is asked for.
pub(crate) struct Ask<'a> {
    /// Only the rest, if it is of this version.
    pub(crate) resume: Option<Resume<'a>>,
    /// Nothing, if this is still the version.
    pub(crate) unless: Option<&'a Version>,
}

/// What it answers.
pub(crate) enum Answer {
    Unchanged,
    Bytes(Box<Incoming>),
}

/// Bytes that are about to come.
pub(crate) struct Incoming {
    /// Where in the file they belong: 0, or where it was asked to go on.
    pub(crate) start: u64,
    pub(crate) version: Version,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Body,
}

/// A body that is being received.
pub(crate) enum Body {
    Http(http::Body),
    #[cfg(feature = "cloud")]
    Cloud(cloud::Body),
}

/// Why there is no answer, or not all of it.
pub(crate) enum Failure {
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

impl Remote {
    pub(crate) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        match self {
            Remote::Http(http) => http.ask(ask).await,
            #[cfg(feature = "cloud")]
            Remote::Cloud(cloud) => cloud.ask(ask).await,
        }
    }
}

impl Body {
    /// The next bytes; none at the end of a whole body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        match self {
            Body::Http(body) => body.chunk().await,
            #[cfg(feature = "cloud")]
            Body::Cloud(body) => body.chunk().await,
        }
    }
}

impl Failure {
    /// A failure that may be over soon.
    pub(crate) fn passing(error: Error) -> Failure {
        Failure::Retry { error, after: None }
    }
}
