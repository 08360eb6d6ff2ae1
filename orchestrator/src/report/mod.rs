//! Values and events to text.

mod client;
pub(crate) mod console;
pub(crate) mod failure;
pub(crate) mod graph;
pub(crate) mod list;
pub(crate) mod output;
pub(crate) mod plan;
