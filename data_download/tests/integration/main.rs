//! Runs the real program against real files and a server that may misbehave.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is the failure of a test"
)]

mod http;
mod local;
mod output;
mod program;
mod server;
mod source;
mod terminal;
