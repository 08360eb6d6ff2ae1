//! What is up to date and what is not, with real files and real repositories.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is the failure of a test"
)]

mod code;
mod content;
mod edits;
mod pipeline;
mod record;
mod speed;
mod values;
