//! A supervisor that was started, and the line to it.

use std::io;
use std::os::fd::BorrowedFd;
use std::process::ExitStatus;
use std::time::Duration;

use duct::unix::HandleExt;
use duct::{Expression, Handle};
use signal_hook::consts::SIGCONT;

use crate::control::{Control, Report};
use crate::supervisor::tree;

/// A supervisor that was started.
#[derive(Debug)]
pub struct Running {
    /// The process, as duct knows it.
    pub handle: Handle,
    /// Our end of the line to it.
    pub control: Control,
}

impl Running {
    /// Starts a supervisor and hands it what its step is to read, and what is shared of the terminal if
    /// it prints on that.
    pub fn start(
        supervisor: &Expression,
        stdin: BorrowedFd,
        screen: Option<BorrowedFd>,
    ) -> io::Result<Running> {
        let (control, end) = Control::new()?;
        let handle = supervisor.stdin_file(end).start()?;
        control.hand_over(stdin, screen)?;
        Ok(Running { handle, control })
    }

    /// Has a signal passed on to the step.
    pub fn tell(&self, signal: i32) {
        self.control.send(signal);
        // Somebody may have stopped it, and then it would hear nothing.
        self.handle.send_signal(SIGCONT).ok();
    }

    /// Waits for the end of the supervisor. One that was killed told nothing, and left its processes to
    /// us.
    pub fn wait(
        &self,
        grace: Duration,
        is_hurried: impl Fn() -> bool,
    ) -> io::Result<(ExitStatus, Option<Report>)> {
        let status = self.handle.wait()?.status;
        let report = self.control.report();
        if report.is_none() {
            tree::end_orphans(grace, is_hurried);
        }
        Ok((status, report))
    }
}
