//! What a run says on standard error, and nothing else writes there. Foreign text passes a filter here.
//! That nobody listens is no reason to stop.

use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::printable::one_line;
use crate::redact::redact;

/// Tells in a line how far the run is, with secrets hidden and foreign characters as escapes.
pub fn say(text: &str) {
    write(&format!("{}\n", one_line(&redact(text))));
}

/// Tells what went wrong with a step while the others go on, by the lines of an error's report, which
/// [`text::line`](crate::text::line) has made fit for a terminal. Secrets are hidden.
pub fn report(lines: &str) {
    write(&redact(lines));
}

/// In one piece, as steps may print on the same output.
fn write(text: &str) {
    io::stderr().write_all(text.as_bytes()).ok();
}

/// How long something may take before it is told.
const LONG: Duration = Duration::from_secs(2);

/// Does what may take long, and says `text` once when it takes more than two seconds.
pub fn while_waiting<T>(text: &str, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        scope.spawn(move || {
            if is_done.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
                say(text);
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// Tells, with `warning: ` before it, what went wrong without being a reason to stop.
pub fn warn(text: &str) {
    say(&format!("warning: {text}"));
}
