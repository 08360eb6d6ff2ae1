//! Runs the real program against real files and a server that may misbehave.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is the failure of a test"
)]

mod access;
#[cfg(feature = "cloud")]
mod cloud;
mod concurrent;
mod content;
mod cookies;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod endless;
mod escapes;
mod faults;
mod headers;
mod http;
mod if_changed;
mod imports;
mod killed;
mod local;
mod metrics;
mod output;
mod planted;
mod program;
mod proxies;
mod readme;
mod resume;
mod server;
mod signals;
mod source;
mod standard;
mod terminal;
mod tls;
