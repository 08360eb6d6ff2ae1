//! What is typed on our terminal, for a step that runs on a terminal of its own.
//!
//! The step leads the session of a pseudo-terminal, so that whatever asks at `/dev/tty` (sudo, ssh,
//! git) can be answered. Our own terminal passes each byte on as it is typed, and leaves echo and
//! editing to the other one; but Ctrl-C, Ctrl-\ and Ctrl-Z still mean us, as we pass on what they do.
//! In the background nothing is read: it is the shell's then.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use rustix::termios::{
    self, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios,
};

use crate::supervisor::tree::Process;

/// The modes of a terminal before anything of it was typed for a step.
#[derive(Debug, Clone)]
pub struct Modes(Termios);

impl Modes {
    /// Those of a terminal; none if it is no terminal.
    pub fn of(terminal: BorrowedFd) -> Option<Modes> {
        termios::tcgetattr(terminal).ok().map(Modes)
    }

    /// Gives them back to a terminal that has those for typing, and to no other: meanwhile it may be the
    /// shell's again.
    pub fn restore(&self, terminal: BorrowedFd) {
        let now = termios::tcgetattr(terminal);
        if now.is_ok_and(|now| is_same(&now, &self.for_typing())) {
            termios::tcsetattr(terminal, OptionalActions::Now, &self.0).ok();
        }
    }

    /// Every byte as it is typed, but for those that are signals.
    fn for_typing(&self) -> Termios {
        let mut modes = self.0.clone();
        modes
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN);
        modes
            .input_modes
            .remove(InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        modes
    }
}

fn is_same(left: &Termios, right: &Termios) -> bool {
    (left.input_modes, left.local_modes) == (right.input_modes, right.local_modes)
}

/// What is typed on our terminal, on its way to a step. For a process that leads a session, which has
/// the step's terminal from here on.
#[derive(Debug)]
pub(crate) struct Typing {
    /// Ours.
    terminal: OwnedFd,
    modes: Modes,
    /// The step's.
    of_step: OwnedFd,
    /// Its place in our terminal's foreground is that of the step.
    orchestrator: Option<Pid>,
    is_paused: Mutex<bool>,
}

impl Typing {
    pub(crate) fn new(terminal: OwnedFd, of_step: OwnedFd) -> io::Result<Typing> {
        rustix::process::ioctl_tiocsctty(&of_step)?;
        let modes = Modes(termios::tcgetattr(&terminal)?);
        let mut modes_of_step = modes.0.clone();
        modes_of_step.output_modes.remove(OutputModes::OPOST);
        termios::tcsetattr(&of_step, OptionalActions::Now, &modes_of_step)?;
        let typing = Typing {
            terminal,
            modes,
            of_step,
            orchestrator: rustix::process::getppid(),
            is_paused: Mutex::new(false),
        };
        typing.is_ours();
        Ok(typing)
    }

    /// Our terminal, to be read from.
    pub(crate) fn terminal(&self) -> BorrowedFd<'_> {
        self.terminal.as_fd()
    }

    /// Whether what is typed now is for the step; if so, it comes byte by byte.
    pub(crate) fn is_ours(&self) -> bool {
        let is_paused = self.is_paused();
        let is_ours = !*is_paused && self.orchestrator.is_some_and(is_in_foreground);
        if is_ours {
            let modes = self.modes.for_typing();
            let now = termios::tcgetattr(&self.terminal);
            if now.is_ok_and(|now| !is_same(&now, &modes)) {
                termios::tcsetattr(&self.terminal, OptionalActions::Now, &modes).ok();
            }
        }
        is_ours
    }

    /// Takes nothing any more, and gives our terminal its modes back.
    pub(crate) fn pause(&self) {
        *self.is_paused() = true;
        self.modes.restore(self.terminal());
    }

    pub(crate) fn go_on(&self) {
        *self.is_paused() = false;
        self.is_ours();
        self.follow_size();
    }

    /// Lets a group of processes read from the step's terminal, even if one has tried already, which
    /// then was stopped.
    pub(crate) fn give_to(&self, group: Pid) {
        termios::tcsetpgrp(&self.of_step, group).ok();
        rustix::process::kill_process_group(group, Signal::CONT).ok();
    }

    /// Gives the step's terminal the size that ours has now.
    pub(crate) fn follow_size(&self) {
        if let Ok(size) = termios::tcgetwinsize(&self.terminal) {
            termios::tcsetwinsize(&self.of_step, size).ok();
        }
    }

    fn is_paused(&self) -> MutexGuard<'_, bool> {
        self.is_paused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a process may read what is typed on its terminal. Only Linux tells of another session's.
fn is_in_foreground(pid: Pid) -> bool {
    let process = Process::read(pid.as_raw_nonzero().get());
    process.is_some_and(|process| process.is_in_foreground())
}

/// Whether a step can have what is typed: there is a terminal to type on, and to see what is asked.
pub(crate) fn is_typed() -> bool {
    let (stdin, stdout, stderr) = (
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    );
    let is_seen = termios::isatty(stdout) || termios::isatty(stderr);
    // Fails for one that is not that of our session.
    cfg!(target_os = "linux") && is_seen && termios::tcgetpgrp(stdin).is_ok()
}

/// Gives our terminal its modes back, if it is ours to be changed.
pub(crate) fn restore(modes: &Modes) {
    let stdin = rustix::stdio::stdin();
    if termios::tcgetpgrp(stdin).is_ok_and(|group| group == rustix::process::getpgrp()) {
        modes.restore(stdin);
    }
}

/// Both ends of a pseudo-terminal that passes bytes on unchanged: the terminal behind it does the rest.
pub(crate) fn pseudo_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let source = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&source, FdFlags::CLOEXEC)?;
    rustix::pty::grantpt(&source)?;
    rustix::pty::unlockpt(&source)?;
    let name = rustix::pty::ptsname(&source, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let sink = rustix::fs::open(name, flags, Mode::empty())?;
    let mut modes = termios::tcgetattr(&sink)?;
    modes.output_modes.remove(OutputModes::OPOST);
    modes.local_modes.remove(LocalModes::ECHO);
    termios::tcsetattr(&sink, OptionalActions::Now, &modes)?;
    Ok((source, sink))
}
