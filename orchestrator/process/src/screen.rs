//! The terminal that this program and the supervisors of its steps write to, with a line at its bottom
//! that tells what runs.
//!
//! That line is erased before anything else is written, and drawn again after it, where the cursor
//! stands at the beginning of an empty line: never over what a step has begun to print. All processes
//! that write share, in a file without a name, what is to be drawn and where the cursor stands; the
//! lock of that file makes what each of them does one thing.

use std::fs::File;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use crate::control::Target;
use crate::styled::is_capable;
use crate::write;

/// What this process shares with the others; none without a terminal.
static SCREEN: OnceLock<Screen> = OnceLock::new();

/// Erases the line at the bottom, on the first column of which the cursor stands. A terminal that was
/// made narrower may have broken it into several.
const ERASE: &[u8] = b"\r\x1b[J";

/// The size of what is shared, in bytes: flags, the length of the line, the line.
const SHARED: usize = 2048;

pub(crate) struct Screen {
    shared: File,
    /// The lock of a file is that of the whole process.
    turn: Mutex<()>,
    /// Whether both of our outputs are it.
    is_one: bool,
}

/// Where the cursor stands after something was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// At the beginning of a line.
    pub(crate) is_at_beginning: bool,
    /// And nothing is below it: no step has moved the cursor other than by printing.
    pub(crate) is_plain: bool,
}

impl Cursor {
    /// After whole lines.
    pub(crate) const AFTER_LINES: Cursor = Cursor {
        is_at_beginning: true,
        is_plain: true,
    };
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    cursor: Cursor,
    /// Whether the line is on the screen now.
    is_drawn: bool,
    /// Empty for none.
    line: Vec<u8>,
}

impl State {
    fn erase(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.is_drawn) {
            out.extend_from_slice(ERASE);
        }
    }

    fn draw(&mut self, out: &mut Vec<u8>) {
        let Cursor {
            is_at_beginning,
            is_plain,
        } = self.cursor;
        if is_at_beginning && is_plain && !self.line.is_empty() {
            out.extend_from_slice(&self.line);
            out.push(b'\r');
            self.is_drawn = true;
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let flags = u8::from(self.cursor.is_at_beginning)
            | u8::from(self.cursor.is_plain) << 1
            | u8::from(self.is_drawn) << 2;
        let length = u16::try_from(self.line.len()).unwrap_or(0).to_le_bytes();
        [&[flags, length[0], length[1]], self.line.as_slice()].concat()
    }

    /// From what is shared; that is empty at first.
    fn from_bytes(bytes: &[u8]) -> State {
        let [flags, low, high, rest @ ..] = bytes else {
            return State {
                cursor: Cursor::AFTER_LINES,
                is_drawn: false,
                line: Vec::new(),
            };
        };
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        State {
            cursor: Cursor {
                is_at_beginning: flags & 1 != 0,
                is_plain: flags & 2 != 0,
            },
            is_drawn: flags & 4 != 0,
            line: rest.get(..length).unwrap_or_default().to_vec(),
        }
    }
}

/// Tries something again for a short while: others may be writing, or never come to their end, as in the
/// background of a terminal that lets nobody write there.
pub(crate) fn patiently<T>(attempt: impl Fn() -> Option<T>) -> Option<T> {
    for _ in 0..20 {
        if let Some(done) = attempt() {
            return Some(done);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// That of this process, if it has one.
pub(crate) fn of_process() -> Option<&'static Screen> {
    SCREEN.get()
}

/// Makes one, if our standard error is a terminal that can do so.
pub(crate) fn open() {
    if is_capable(Target::Stderr)
        && let Ok(shared) = tempfile::tempfile()
    {
        take(shared.into());
    }
}

/// Takes part in that of the process that has started this one.
pub(crate) fn take(shared: OwnedFd) {
    let is_one = write::is_same(Target::Stdout.fd(), Target::Stderr.fd());
    SCREEN.get_or_init(|| Screen {
        shared: File::from(shared),
        turn: Mutex::default(),
        is_one,
    });
}

impl Screen {
    /// What another process needs to take part.
    pub(crate) fn shared(&self) -> BorrowedFd<'_> {
        self.shared.as_fd()
    }

    /// A new step: what the ones before it did to the screen no longer counts.
    pub(crate) fn begin_step(&self) {
        self.change(|state| state.cursor.is_plain = true).ok();
    }

    /// Passes on what a step prints, after which the cursor stands somewhere.
    pub(crate) fn pass_on(
        &self,
        target: Target,
        bytes: &[u8],
        cursor: Cursor,
    ) -> Result<(), Errno> {
        self.change(|state| {
            let (mut before, mut after) = (Vec::new(), Vec::new());
            state.erase(&mut before);
            state.cursor = cursor;
            state.draw(&mut after);
            if self.is_one || target == Target::Stderr {
                if before.is_empty() && after.is_empty() {
                    return write::all(target.fd(), bytes);
                }
                before.extend_from_slice(bytes);
                before.append(&mut after);
                return write::all(target.fd(), &before);
            }
            write::all(Target::Stderr.fd(), &before)?;
            write::all(target.fd(), bytes)?;
            write::all(Target::Stderr.fd(), &after)
        })?
    }

    /// Writes whole lines of ours, and below them a new line at the bottom, if there is one: an empty
    /// one takes it away.
    pub(crate) fn say(&self, lines: &[u8], bottom: Option<Vec<u8>>) {
        let said = self.change(|state| {
            let mut out = Vec::new();
            state.erase(&mut out);
            if !lines.is_empty() && !state.cursor.is_at_beginning {
                out.push(b'\n');
                state.cursor.is_at_beginning = true;
            }
            out.extend_from_slice(lines);
            if let Some(bottom) = bottom.filter(|bottom| bottom.len() <= SHARED - 3) {
                state.line = bottom;
            }
            state.draw(&mut out);
            write::all(Target::Stderr.fd(), &out).ok();
        });
        // Better without the line than not at all.
        if said.is_err() {
            write::all(Target::Stderr.fd(), lines).ok();
        }
    }

    /// Takes the line at the bottom away, unless somebody else goes on and on writing: for who must not
    /// wait long.
    pub(crate) fn hide(&self) {
        let Some(_turn) = patiently(|| self.turn.try_lock().ok()) else {
            return;
        };
        let alone = FlockOperation::NonBlockingLockExclusive;
        if patiently(|| fcntl_lock(&self.shared, alone).ok()).is_none() {
            return;
        }
        let hidden = self.changed(|state| {
            let mut out = Vec::new();
            state.erase(&mut out);
            state.line.clear();
            write::all(Target::Stderr.fd(), &out).ok();
        });
        hidden.ok();
        fcntl_lock(&self.shared, FlockOperation::Unlock).ok();
    }

    /// Does something with what is shared, while nobody else does.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T, Errno> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while let Err(error) = fcntl_lock(&self.shared, FlockOperation::LockExclusive) {
            if error != Errno::INTR {
                return Err(error);
            }
        }
        let changed = self.changed(change);
        // Also released when this process ends in the middle.
        fcntl_lock(&self.shared, FlockOperation::Unlock).ok();
        changed
    }

    fn changed<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T, Errno> {
        let mut bytes = [0; SHARED];
        let length = rustix::io::pread(&self.shared, &mut bytes, 0)?;
        let before = State::from_bytes(&bytes[..length]);
        let mut state = before.clone();
        let result = change(&mut state);
        if state != before {
            rustix::io::pwrite(&self.shared, &state.to_bytes(), 0)?;
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(is_at_beginning: bool, is_plain: bool, line: &str) -> State {
        State {
            cursor: Cursor {
                is_at_beginning,
                is_plain,
            },
            is_drawn: false,
            line: line.into(),
        }
    }

    #[test]
    fn a_state_survives_what_is_shared() {
        for (is_at_beginning, is_plain) in [(false, true), (true, false), (true, true)] {
            let mut state = state(is_at_beginning, is_plain, "a line");
            state.is_drawn = is_plain;
            // What is left of a longer one does not count.
            let bytes = [state.to_bytes(), b"rest".to_vec()].concat();
            assert_eq!(State::from_bytes(&bytes), state);
        }
        assert_eq!(State::from_bytes(b""), state(true, true, ""));
    }

    #[test]
    fn the_line_is_drawn_only_below_whole_lines_and_erased_only_when_drawn() {
        for (mut state, drawn) in [
            (state(true, true, "line"), "line\r"),
            (state(false, true, "line"), ""),
            (state(true, false, "line"), ""),
            (state(true, true, ""), ""),
        ] {
            let mut out = Vec::new();
            state.erase(&mut out);
            assert_eq!(out, b"");
            state.draw(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), drawn);
            let mut out = Vec::new();
            state.erase(&mut out);
            assert_eq!(out.is_empty(), drawn.is_empty());
            assert!(!state.is_drawn);
        }
    }
}
