//! What is printed on standard output: the answer to what was asked for. Foreign text passes a filter here.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};

use process::log;
use process::printable::{self, printable};
use process::redact::redact;
use serde::Serialize;

/// How wide the terminal is; where there is none, as wide as one always was.
pub(crate) fn columns() -> usize {
    let stdout = io::stdout();
    let size = stdout
        .is_terminal()
        .then(|| rustix::termios::tcgetwinsize(&stdout));
    match size {
        Some(Ok(size)) if size.ws_col > 0 => size.ws_col.into(),
        _ => 80,
    }
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
