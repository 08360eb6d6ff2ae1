//! Downloads one file, whole or not at all.
//!
//! `fetch` tells the whole way; start reading there. A library only for its own program, tests and fuzz
//! targets.

pub mod access;
pub mod cli;
#[cfg(feature = "cloud")]
pub mod cloud;
pub mod content;
pub mod cookies;
pub mod download;
pub mod fetch;
pub mod files;
pub mod headers;
pub mod http;
pub mod leftovers;
pub mod limits;
pub mod local;
pub mod metrics;
pub mod netrc;
pub mod output;
pub mod partial;
pub mod progress;
pub mod proxies;
pub mod reason;
pub mod record;
pub mod remote;
pub mod retry;
pub mod signals;
pub mod source;
pub mod terminal;
pub mod unpack;
pub mod version;
