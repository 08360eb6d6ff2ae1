//! CSV as bytes: which records go is decided without taking the others apart.
//!
//! `filter` is the way from the input to the sink; it knows nothing of files. `units` reads the
//! input in pieces that several threads can work on, `scan` finds the records and their nulls in the
//! masks that `classify` makes of the bytes, and `copy` hands on what stays. `header` reads the first
//! record, and `field` the few fields that could be null values. `split` takes records apart for
//! formats other than CSV.

pub(crate) mod classes;
pub(crate) mod classify;
pub(crate) mod copy;
pub(crate) mod field;
pub(crate) mod filter;
pub(crate) mod header;
pub(crate) mod malformed;
pub(crate) mod scan;
#[cfg(feature = "tables")]
pub(crate) mod split;
pub(crate) mod units;

use anyhow::Error;

/// Why a file could not be filtered.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The input is not as it must be, or cannot be read.
    Input(Error),
    /// The sink cannot take what stays.
    Output(Error),
}
