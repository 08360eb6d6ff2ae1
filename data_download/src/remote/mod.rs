//! A file on a server: what can be asked of it, and how that can go wrong.

#[cfg(feature = "cloud")]
pub mod cloud;
pub mod cookies;
pub mod headers;
pub mod http;
pub mod netrc;
pub mod proxies;
pub mod reason;
pub mod version;

use std::time::Duration;

use anyhow::Error;
use bytes::Bytes;

use crate::keep::Resume;
#[cfg(feature = "cloud")]
use crate::remote::cloud::Cloud;
use crate::remote::http::Http;
use crate::remote::version::Version;

/// A file on a server.
pub enum Remote {
    Http(Box<Http>),
    #[cfg(feature = "cloud")]
    Cloud(Box<Cloud>),
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

/// A body that is being received.
pub enum Body {
    Http(http::Body),
    #[cfg(feature = "cloud")]
    Cloud(cloud::Body),
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

impl Remote {
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        match self {
            Remote::Http(http) => http.ask(ask).await,
            #[cfg(feature = "cloud")]
            Remote::Cloud(cloud) => cloud.ask(ask).await,
        }
    }
}

impl Body {
    /// The next bytes; none at the end of a whole body.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        match self {
            Body::Http(body) => body.chunk().await,
            #[cfg(feature = "cloud")]
            Body::Cloud(body) => body.chunk().await,
        }
    }
}

impl Failure {
    /// A failure that may be over soon.
    pub fn passing(error: Error) -> Failure {
        Failure::Retry { error, after: None }
    }
}
