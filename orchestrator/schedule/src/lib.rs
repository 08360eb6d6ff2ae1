//! Which step waits for which, in which order steps stand, and which starts next.
//!
//! Pure: it knows steps by their numbers, and of each the [`Files`] that it reads and writes. [`order()`]
//! arranges them, [`Graph`] holds who waits for whom, and a [`Scheduler`] says what to start while others
//! run. Nothing here is started, waited for or looked at.

#![warn(missing_docs)]

mod graph;
mod scheduler;
mod wires;

pub use graph::{Graph, Node, OrderError, order};
pub use scheduler::{Next, Scheduler};
pub use wires::{Files, NamedFile, Paths};
