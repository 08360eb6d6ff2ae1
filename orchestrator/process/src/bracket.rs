//! What a step runs that is no process below us, such as a container: an engine starts it.

use std::ffi::OsString;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGCONT, SIGTERM, SIGTSTP, SIGWINCH};

use crate::host;
use crate::supervisor::events::{Event, Events};

/// How often a command is looked after.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long an engine may take to make or end something after we were told to stop.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What comes before and, if it does not end by itself, after a step's command; lines for `bash -c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bracket {
    /// Makes it before the command starts, so that there is something to remove. The first signal does
    /// not interrupt it: an engine that is left in the middle of it goes on, and then nobody removes the
    /// result. Empty if there is nothing to make.
    pub set_up: String,
    /// Ends and removes it; run when the command has failed or was told to stop.
    pub clean_up: String,
    /// Asks what runs elsewhere to end, where no signal to the command reaches it. Then the command, which
    /// only waits for it, gets no signal: it ends when that has ended. What does not heed is ended by
    /// `clean_up`.
    pub ask: Option<String>,
}

impl Bracket {
    /// As the last arguments of a supervisor.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = OsString> {
        let lines = [&self.set_up, &self.clean_up].into_iter().chain(&self.ask);
        lines.map(OsString::from)
    }

    /// From these arguments; none for anything else.
    pub(crate) fn from_arguments(arguments: &[OsString]) -> Option<Bracket> {
        let (set_up, clean_up, ask) = match arguments {
            [set_up, clean_up] => (set_up, clean_up, None),
            [set_up, clean_up, ask] => (set_up, clean_up, Some(ask.to_str()?.to_owned())),
            _ => return None,
        };
        Some(Bracket {
            set_up: set_up.to_str()?.to_owned(),
            clean_up: clean_up.to_str()?.to_owned(),
            ask,
        })
    }

    /// Has it made. An exit code says that the step's command is not to be started: nothing was made,
    /// or a signal came meanwhile (128 and its number, as a shell says it).
    pub fn set_up(&self, events: &mut Events) -> Option<u8> {
        if self.set_up.is_empty() {
            return None;
        }
        let Ok(child) = bash(&self.set_up).spawn() else {
            return Some(1);
        };
        let (status, signal) = attend(child, events);
        let code = status.and_then(|status| status.code());
        match (signal, code) {
            (None, Some(0)) => None,
            (Some(signal), _) => {
                self.clean_up();
                Some(u8::try_from(128 + signal).unwrap_or(1))
            }
            (None, code) => Some(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        }
    }

    /// Ends it, with patience for an engine that hangs; what goes wrong with it is not told.
    pub fn clean_up(&self) {
        let mut command = bash(&self.clean_up);
        let Ok(mut child) = command.stderr(Stdio::null()).spawn() else {
            return;
        };
        let deadline = Instant::now() + PATIENCE;
        while let Ok(None) = child.try_wait()
            && Instant::now() < deadline
        {
            std::thread::sleep(LOOK_AGAIN);
        }
        child.kill().ok();
    }
}

/// A command line that prints nothing but errors.
pub(crate) fn bash(line: &str) -> Command {
    let program = host::find("bash").unwrap_or_else(|| "bash".into());
    let mut command = Command::new(program);
    command.args(["-c", line]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Waits for the end of a process, and tells which signal came meanwhile. With a second signal, or
/// when the patience is over, it is killed.
fn attend(mut child: Child, events: &mut Events) -> (Option<ExitStatus>, Option<i32>) {
    let mut told: Option<(i32, Instant)> = None;
    loop {
        // Its end is an event, too.
        let event = events.next(Some(Instant::now() + LOOK_AGAIN));
        let signal = match event {
            Some(Event::Orphaned) => Some(SIGTERM),
            // An engine does not stand still; the step will.
            Some(Event::Told(SIGTSTP | SIGCONT | SIGWINCH) | Event::Child | Event::Copied)
            | None => None,
            Some(Event::Told(signal) | Event::Signal(signal)) => Some(signal),
        };
        match (signal, told) {
            (Some(signal), None) => told = Some((signal, Instant::now() + PATIENCE)),
            (Some(_), Some(_)) => drop(child.kill()),
            (None, Some((_, deadline))) if Instant::now() >= deadline => drop(child.kill()),
            (None, _) => {}
        }
        if let Ok(Some(status)) = child.try_wait() {
            return (Some(status), told.map(|(signal, _)| signal));
        }
    }
}
