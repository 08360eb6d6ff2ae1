//! What a step runs elsewhere while a command here waits for it, such as a job of a cluster: no signal
//! reaches it, so that it is asked to end, and ended, by the lines of its bracket.

use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::bracket::{Bracket, PATIENCE, bash};

/// How often it is ended again: the first time may have come before it was there.
pub(super) const END_AGAIN: Duration = Duration::from_secs(1);

/// What runs elsewhere.
#[derive(Debug)]
pub(super) struct Remote {
    ask: String,
    end: String,
    /// The line that runs now. One that hangs is waited for, and its like not heaped up.
    line: Option<Pid>,
    /// When we began to end it.
    ending: Option<Instant>,
}

impl Remote {
    /// None for what runs here.
    pub(super) fn of(bracket: Option<&Bracket>) -> Option<Remote> {
        let bracket = bracket?;
        Some(Remote {
            ask: bracket.ask.clone()?,
            end: bracket.clean_up.clone(),
            line: None,
            ending: None,
        })
    }

    /// Asks it to end.
    pub(super) fn ask(&mut self) {
        self.line = run(&self.ask);
    }

    /// Ends it; tells whether to do so again. Else it has been tried for long enough, and nobody answers.
    pub(super) fn end(&mut self) -> bool {
        let since = *self.ending.get_or_insert_with(Instant::now);
        if since.elapsed() >= PATIENCE {
            return false;
        }
        if self.line.is_none() {
            self.line = run(&self.end);
        }
        true
    }

    /// A process below us has ended, possibly the line that runs.
    pub(super) fn reaped(&mut self, pid: Pid) {
        self.line = self.line.filter(|line| *line != pid);
    }
}

/// Starts a line; its end comes to the supervisor as that of every process below it.
fn run(line: &str) -> Option<Pid> {
    let child = bash(line)
        .stderr(std::process::Stdio::null())
        .spawn()
        .ok()?;
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}
