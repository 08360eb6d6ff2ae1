//! Runs the real binary on real files and looks at all that it leaves behind.
//!
//! `values`: what is kept is kept as it was. `nulls`: what is dropped. `malformed`: input that is
//! refused. `formats`: tables that are not CSV, and `types`:
//! what their columns hold. `files`: where input and output may lie.
//! `options`: what they change, and
//! `dialects`: other ways to write CSV. `ndjson`: lines that stay as they are. `command_line`: help, usage, exit codes. `terminal`: what is shown
//! on one, and `escapes`: what is not. `large`: long fields and many columns. `pipes`, `signals`,
//! `changed`: what comes from outside while it runs. `access`: who may read the output. `killed`,
//! `disk`: what is left when a run fails. `csv_alone`: what is said without the other formats.
//! `profiles`: how it is built, and `imports`: of which parts. `readme`: what is said of all this.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it must be"
)]

mod access;
#[cfg(target_os = "linux")]
mod changed;
mod command_line;
#[cfg(not(feature = "tables"))]
mod csv_alone;
mod dialects;
mod disk;
mod escapes;
mod files;
#[cfg(feature = "tables")]
mod formats;
mod harness;
mod imports;
mod killed;
mod large;
mod malformed;
mod ndjson;
mod nulls;
mod options;
#[cfg(target_os = "linux")]
mod pipes;
mod profiles;
mod readme;
mod signals;
mod terminal;
#[cfg(feature = "tables")]
mod types;
mod values;
