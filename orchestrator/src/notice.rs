//! What is told on stderr besides errors. That nobody listens any more is no reason to stop.

use std::io::{self, Write};

use crate::redact::redact;

/// Tells how far the run is.
pub(crate) fn say(text: &str) {
    writeln!(io::stderr(), "{}", redact(text)).ok();
}

/// Tells what went wrong without being a reason to stop.
pub(crate) fn warn(text: &str) {
    say(&format!("warning: {text}"));
}
