//! Values and events to text.

pub(crate) mod console;
pub(crate) mod list;
mod plan;
