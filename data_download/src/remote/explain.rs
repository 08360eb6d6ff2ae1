//! Errors of the network in words.

use std::time::Duration;

use anyhow::{Error, anyhow};
use rustls::InvalidMessage;

use crate::limits::Limits;

/// Puts an error of reqwest into words.
pub fn explained(error: reqwest::Error, limits: Limits) -> Error {
    let seconds = |limit: Duration| limit.as_secs_f64();
    if speaks_no_tls(&error) {
        return anyhow!("the server does not speak TLS there, expected an http URL");
    }
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => anyhow!("no connection after {} s", seconds(limits.connect)),
        (true, false) => anyhow!("no data for {} s", seconds(limits.idle)),
        (false, true) => innermost(error).context("cannot connect"),
        (false, false) => innermost(error),
    }
}

/// Whether another attempt would end the same: it changes neither who the other side is nor what it speaks.
pub fn is_final(error: &reqwest::Error) -> bool {
    error.is_builder()
        || speaks_no_tls(error)
        || cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
        || matches!(tls_error(error), Some(rustls::Error::InvalidCertificate(_)))
}

/// Only the last reason of the chain: the outer ones are general, and may hold the URL with its
/// credentials.
fn innermost(error: reqwest::Error) -> Error {
    let error = Error::from(error.without_url());
    anyhow!(error.root_cause().to_string())
}

fn speaks_no_tls(error: &reqwest::Error) -> bool {
    let no_tls = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
    tls_error(error) == Some(&no_tls)
}

/// What TLS has to say about it.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    cause(error)
}

/// The first error of this type among the causes.
fn cause<E: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        // An io::Error does not name what it wraps as its source, but the source of that.
        let wrapped = error.downcast_ref::<std::io::Error>();
        let wrapped = wrapped.and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

/// Puts an error of an object store into words. Only the last reason of the chain: the outer ones name hosts and repeat themselves.
#[cfg(feature = "cloud")]
pub fn stored(error: object_store::Error) -> Error {
    if let object_store::Error::NotFound { path, .. } = &error {
        return anyhow!("there is no `{path}` in the store");
    }
    anyhow!(Error::from(error).root_cause().to_string())
}
