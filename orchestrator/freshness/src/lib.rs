//! What a step's files were made from, and whether that still holds.
//!
//! [`begin`] remembers what a step is about to read, [`Begun::finish`] records it with what the step has
//! made, and [`judge()`] compares such a record with what is there now. Content counts, not times: a file
//! is read when its stat is another one, and a copy or a clone of a pipeline stays up to date.

#![warn(missing_docs)]

mod begun;
mod code;
mod content;
mod files;
mod hashing;
mod judge;
mod key;
mod listing;
mod names;
mod programs;
mod progress;
mod reason;
mod record;
mod settle;
mod subject;
mod tree;
mod values;

pub use begun::{Begun, Unrecorded, begin};
pub use code::{CodeError, check_code};
pub use files::{Caching, Files};
pub use judge::{Made, Verdict, judge, look};
pub use key::Keys;
pub use reason::{Reason, ReasonKind};
pub use record::last_run;
pub use subject::Subject;

/// A text that tells what these bytes are: 32 hexadecimal digits of their hash.
pub fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..32].to_owned()
}
