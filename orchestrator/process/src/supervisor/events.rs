//! What a supervisor waits for.

use std::collections::VecDeque;
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use crate::control;
use crate::signals;

/// What the supervisor is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A child has ended, or several.
    Child,
    /// By the orchestrator: the number of a signal that is to reach the step.
    Told(i32),
    /// SIGINT, SIGTERM or SIGHUP, that somebody sent to this process itself.
    Signal(i32),
    /// The orchestrator has died; told once.
    Orphaned,
    /// All output has been passed on.
    Copied,
}

/// Waits for them, in one thread.
#[derive(Debug)]
pub struct Events {
    signals: SignalDelivery<UnixStream, SignalOnly>,
    is_orphaned: bool,
    /// Closed when all output has been passed on.
    tee: Option<PipeReader>,
    /// Those that have come, and were not asked for yet.
    arrived: VecDeque<Event>,
    /// Whether the last that was said about it is that the step should stand still.
    pub is_suspended: bool,
}

impl Events {
    /// From here on signals arrive here, and do not end this process.
    pub fn watch() -> io::Result<Events> {
        let (reader, writer) = UnixStream::pair()?;
        let mut watched = signals::heeded(&[SIGINT, SIGTERM, SIGHUP]);
        watched.push(SIGCHLD);
        Ok(Events {
            signals: SignalDelivery::with_pipe(reader, writer, SignalOnly, watched)?,
            is_orphaned: false,
            tee: None,
            arrived: VecDeque::new(),
            is_suspended: false,
        })
    }

    /// Has the end of the tee told, which closes the pipe's other end.
    pub fn watch_tee(&mut self, tee: PipeReader) {
        self.tee = Some(tee);
    }

    /// Waits for the next event; none when the deadline has passed before it, and without a deadline as
    /// long as it takes.
    pub fn next(&mut self, deadline: Option<Instant>) -> Option<Event> {
        loop {
            if let Some(event) = self.arrived.pop_front() {
                return Some(event);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match self.wait(left.map(|left| Timespec::try_from(left).unwrap_or_default())) {
                Ok(()) if left.is_some_and(|left| left.is_zero()) && self.arrived.is_empty() => {
                    return None;
                }
                Ok(()) | Err(Errno::INTR) => {}
                // Cannot happen but for want of memory.
                Err(_) => return None,
            }
        }
    }

    fn wait(&mut self, time: Option<Timespec>) -> Result<(), Errno> {
        let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut polled = vec![readable(self.signals.get_read().as_fd())];
        if !self.is_orphaned {
            polled.push(readable(control::socket()));
        }
        let tee = self.tee.as_ref().map(AsFd::as_fd);
        polled.extend(tee.map(readable));
        poll(&mut polled, time.as_ref())?;
        let is_ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut is_ready = is_ready.into_iter();
        if is_ready.next() == Some(true) {
            let signals = self.signals.pending().map(|signal| match signal {
                SIGCHLD => Event::Child,
                signal => Event::Signal(signal),
            });
            self.arrived.extend(signals);
        }
        if !self.is_orphaned && is_ready.next() == Some(true) {
            self.hear();
        }
        if is_ready.next() == Some(true) {
            self.tee = None;
            self.arrived.push_back(Event::Copied);
        }
        Ok(())
    }

    /// Takes what the orchestrator says.
    fn hear(&mut self) {
        let Some(signals) = control::signals() else {
            self.is_orphaned = true;
            self.arrived.push_back(Event::Orphaned);
            return;
        };
        for signal in signals {
            match signal {
                SIGTSTP => self.is_suspended = true,
                SIGCONT => self.is_suspended = false,
                _ => {}
            }
            self.arrived.push_back(Event::Told(signal));
        }
    }
}
