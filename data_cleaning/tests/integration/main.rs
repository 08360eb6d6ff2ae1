//! Runs the real binary on real files and looks at all that it leaves behind.
//!
//! `values`: what is kept is kept as it was. `nulls`: what is dropped. `malformed`: input that is
//! refused. `files`: where input and output may lie. `options`: what they change.
//! `command_line`: help, usage, exit codes.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it must be"
)]

mod command_line;
mod files;
mod harness;
mod malformed;
mod nulls;
mod options;
mod values;
