//! Downloads one file, whole or not at all.
//!
//! `fetch` tells the whole way; start reading there. A library only for its own program, tests and fuzz
//! targets.

pub mod access;
pub mod cli;
pub mod content;
pub mod fetch;
pub mod files;
pub mod hash;
pub mod keep;
pub mod limits;
pub mod metrics;
pub mod output;
pub mod progress;
pub mod remote;
pub mod retry;
pub mod signals;
pub mod source;
pub mod terminal;
pub mod transfer;
pub mod unpack;
