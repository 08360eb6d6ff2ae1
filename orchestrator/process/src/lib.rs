//! One command: started under a supervisor, watched, and ended with all that it started.
//!
//! [`run`] is for the command of a step, [`ask`] and [`ask_server`] for a tool with an answer. A program
//! that uses this crate calls [`supervisor::Errand::from_arguments`] first thing in its `main`, as the
//! supervisor is that program once more, and watches for signals by an [`Interruption`]. Beside it stands
//! what every start and every message of it needs: programs on PATH, locks, logs, text of strangers.

#![warn(missing_docs)]

mod bracket;
mod command;
pub mod console;
mod control;
pub mod files;
pub mod git;
pub mod host;
mod interruption;
mod label;
pub mod lock;
pub mod log;
pub mod printable;
pub mod redact;
mod screen;
pub mod signals;
pub mod styled;
pub mod supervisor;
mod tee;
mod terminal;
pub mod text;
mod transcript;
mod write;

pub use bracket::Bracket;
pub use command::{Ended, Job, Launch, Question, ask, ask_server, capture, run, run_logged};
pub use control::{Report, Unwritten};
pub use interruption::Interruption;
pub use label::Label;
