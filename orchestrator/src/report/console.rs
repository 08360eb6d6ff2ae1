//! What reaches the terminal. Foreign text passes a filter here; that nobody listens to what is told on
//! stderr is no reason to stop.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde::Serialize;

use crate::log;
use crate::printable::{self, one_line, printable};
use crate::redact::redact;

/// Tells in a line how far the run is.
pub(crate) fn say(text: &str) {
    writeln!(io::stderr(), "{}", one_line(&redact(text))).ok();
}

/// Tells what went wrong with a step while the others go on, by the lines of an error's report.
pub(crate) fn report(lines: &str) {
    write!(io::stderr(), "{}", redact(lines)).ok();
}

/// How long something may take before it is told.
const LONG: Duration = Duration::from_secs(2);

/// Does what may take long, and tells what is waited for when it does.
pub(crate) fn while_waiting<T>(text: &str, work: impl FnOnce() -> T) -> T {
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

/// Tells what went wrong without being a reason to stop.
pub(crate) fn warn(text: &str) {
    say(&format!("warning: {text}"));
}

/// Prints text on stdout.
pub(crate) fn print(text: &str) -> io::Result<()> {
    print_bytes(printable(&redact(text)).as_bytes())
}

/// Prints a value as one line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(value)?;
    print_bytes((printable::json(&redact(&text)) + "\n").as_bytes())
}

/// Prints; that the reader has seen enough, as in `--list | head`, is no failure.
pub(crate) fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints a log. To a file or pipe it is as it was printed, byte for byte.
pub(crate) fn print_log(source: impl Read) -> io::Result<()> {
    let stdout = io::stdout();
    let is_terminal = stdout.is_terminal();
    match log::print(source, &mut stdout.lock(), is_terminal) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}
