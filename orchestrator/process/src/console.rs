//! What a run says on standard error, and nothing else writes there. Foreign text passes a filter here.
//! That nobody listens is no reason to stop.

use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{FileType, fstat};
use rustix::termios;

use crate::control::Target;
use crate::redact::redact;
use crate::screen;
use crate::styled::{Line, Style, is_coloured};

/// How wide a terminal is that does not say so, in columns.
const COLUMNS: usize = 80;

/// How often the line at the bottom is made anew, as times stand in it.
const TICK: Duration = Duration::from_secs(1);

/// Makes the line at the bottom, of at most so many columns.
type Compose = Box<dyn Fn(usize) -> Line + Send>;

static BOTTOM: Mutex<Option<Compose>> = Mutex::new(None);

/// Tells in a line how far the run is, with secrets hidden and foreign characters as escapes.
pub fn say(text: &str) {
    tell(&Line::new().and(text));
}

/// Tells a line that has colours where they are seen.
pub fn tell(line: &Line) {
    write(&(line.shown(is_coloured(Target::Stderr)) + "\n"));
}

/// Tells what went wrong with a step while the others go on, by the lines of an error's report, which
/// [`text::line`](crate::text::line) has made fit for a terminal. Secrets are hidden.
pub fn report(lines: &str) {
    let lines = redact(lines);
    if !is_coloured(Target::Stderr) {
        return write(&lines);
    }
    let shown: String = lines.split_inclusive('\n').map(with_colour).collect();
    write(&shown);
}

/// Tells, with `warning: ` before it, what went wrong without being a reason to stop.
pub fn warn(text: &str) {
    tell(
        &Line::new()
            .with(Style::Odd, "warning:")
            .and(&format!(" {text}")),
    );
}

/// A line of a report with its first word in colour. What a stranger said is indented there.
fn with_colour(line: &str) -> String {
    let words = [
        ("error:", Style::Bad),
        ("warning:", Style::Odd),
        ("hint:", Style::Busy),
    ];
    let found = words.iter().find(|(word, _)| line.starts_with(word));
    found.map_or_else(
        || line.to_owned(),
        |(word, style)| style.paint(word, true) + &line[word.len()..],
    )
}

/// In one piece, as steps may print on the same output.
fn write(lines: &str) {
    let Some(screen) = screen::of_process() else {
        io::stderr().write_all(lines.as_bytes()).ok();
        return;
    };
    let bottom = bottom();
    screen.say(lines.as_bytes(), bottom.as_ref().map(composed));
}

/// From here on the terminal, if there is one, is shared with steps, so that what is said begins a line.
pub fn share_terminal() {
    screen::open();
}

/// Whether whoever sees what we say has also seen all that a step has printed on our outputs.
pub fn is_seen_whole() -> bool {
    termios::isatty(Target::Stdout.fd()) && termios::isatty(Target::Stderr.fd())
}

/// How many columns the terminal has that we speak on; none if it is no terminal.
pub fn columns() -> Option<usize> {
    screen::of_process()?;
    let size = termios::tcgetwinsize(Target::Stderr.fd()).ok()?;
    Some(match size.ws_col {
        0 => COLUMNS,
        columns => usize::from(columns),
    })
}

/// A line at the bottom of the terminal, until this is dropped.
#[derive(Debug)]
pub struct Bottom {
    /// Its end is that of the clock.
    _clock: Sender<()>,
}

/// Shows a line below all that is printed, made anew each second and with all that is said. None where
/// it would be in the way: without a terminal, and where stdout goes to another program, which may well
/// write to the same terminal.
pub fn show_at_bottom(compose: impl Fn(usize) -> Line + Send + 'static) -> Option<Bottom> {
    screen::of_process()?;
    let stdout = fstat(Target::Stdout.fd()).ok()?;
    let kind = FileType::from_raw_mode(stdout.st_mode);
    if !matches!(kind, FileType::CharacterDevice | FileType::RegularFile) {
        return None;
    }
    *bottom() = Some(Box::new(compose));
    let (clock, is_over) = mpsc::channel();
    let tick = move || {
        while is_over.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            refresh();
        }
    };
    std::thread::Builder::new().spawn(tick).ok()?;
    Some(Bottom { _clock: clock })
}

impl Drop for Bottom {
    fn drop(&mut self) {
        let mut bottom = bottom();
        *bottom = None;
        if let Some(screen) = screen::of_process() {
            screen.say(b"", Some(Vec::new()));
        }
    }
}

/// Makes the line at the bottom anew, as after a change of the terminal's size.
pub(crate) fn refresh() {
    let bottom = bottom();
    if let (Some(screen), Some(compose)) = (screen::of_process(), &*bottom) {
        screen.say(b"", Some(composed(compose)));
    }
}

/// Takes the line at the bottom away for as long as something lasts in which this process stands still.
pub(crate) fn without_bottom(stand_still: impl FnOnce()) {
    let guard = screen::patiently(|| BOTTOM.try_lock().ok());
    if let (Some(_), Some(screen)) = (&guard, screen::of_process()) {
        screen.hide();
    }
    stand_still();
    drop(guard);
    refresh();
}

/// Takes the line at the bottom away for good, as when this process ends.
pub(crate) fn clear() {
    screen::of_process().inspect(|screen| screen.hide());
}

fn composed(compose: &Compose) -> Vec<u8> {
    // In the background the terminal is the shell's.
    let foreground = termios::tcgetpgrp(Target::Stderr.fd());
    if foreground.is_ok_and(|group| group != rustix::process::getpgrp()) {
        return Vec::new();
    }
    // A terminal may go on in the next line when the last column is full.
    let columns = columns().unwrap_or(COLUMNS) - 1;
    let line = compose(columns).cut(columns);
    line.shown(is_coloured(Target::Stderr)).into_bytes()
}

fn bottom() -> MutexGuard<'static, Option<Compose>> {
    // A line that could not be made leaves nothing half-done.
    BOTTOM.lock().unwrap_or_else(PoisonError::into_inner)
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
