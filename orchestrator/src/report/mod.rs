//! Values and events to text.

mod client;
mod columns;
pub(crate) mod console;
pub(crate) mod details;
pub(crate) mod excerpt;
pub(crate) mod failure;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod html;
pub(crate) mod list;
pub(crate) mod output;
pub(crate) mod plan;
mod progress;
