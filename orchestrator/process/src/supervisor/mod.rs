//! The process between us and a step: it ends every process of the step, and reports the step's end
//! as its own.
//!
//! The orchestrator starts itself once more for each step, in this role. The supervisor leads a
//! session of its own and adopts whatever the step leaves behind. It is told to stop by the
//! orchestrator (`control.rs`), also by its death, even by SIGKILL, or by a signal; it passes the signal
//! on to all processes below it, and kills what is left after a grace period, or at once when it is told
//! a second time. When the orchestrator is suspended, as by Ctrl-Z, so are these processes, and the
//! step's time stands still. The step's output passes through this process (`tee.rs`), so that all of
//! it is kept also when the orchestrator has died.
//!
//! Processes below are found in `/proc` on Linux (`tree.rs`). On other systems the step's process group
//! is all that is reached.
//!
//! A supervisor that is itself killed leaves its processes to the orchestrator, which ends them. Nobody
//! is left to do so when both are killed by SIGKILL: then the step lives on until it prints something.

mod errand;
pub mod events;
mod remote;
pub mod tree;

use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use rustix::termios::isatty;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGTERM, SIGTSTP, SIGWINCH};

use crate::console;
use crate::control::{self, Report, Unwritten};
use crate::host;
use crate::screen;
use crate::tee::Tee;
use crate::terminal::Typing;
use tree::is_supervisor;

pub use errand::Errand;
use events::{Event, Events};
use remote::{END_AGAIN, Remote};

/// How often what survived SIGKILL so far, for instance by being born meanwhile, is killed again.
const KILL_AGAIN: Duration = Duration::from_millis(20);

/// How long the helpers of `srun` may take to cancel its job when that has been killed.
const CANCELLING: Duration = Duration::from_secs(5);

/// How long processes may take to stand still by themselves, as an editor that tidies up its screen.
const STANDSTILL: Duration = Duration::from_millis(200);

/// The exit code of a shell that cannot execute a program, for when the shell itself cannot start.
const CANNOT_START: u8 = 126;

/// Runs a command line to its end and to that of all its processes, and gives the exit code of its shell;
/// does not return if that was killed by a signal, which then kills this process, too.
///
/// 126, as a shell says it, when nothing could be started; the reason is told on standard error.
pub fn supervise(errand: &Errand) -> ExitCode {
    let (report, end) = run(errand).unwrap_or_else(|error| {
        console::report(&format!("error: cannot start bash: {error}\n"));
        (Report::default(), End::Code(CANNOT_START))
    });
    control::report(report);
    match end {
        End::Code(code) => ExitCode::from(code),
        End::Status(status) => end_as(status),
    }
}

/// How a supervisor is to end.
enum End {
    Code(u8),
    /// As the step did.
    Status(WaitStatus),
}

fn run(errand: &Errand) -> io::Result<(Report, End)> {
    let (mut events, stdin) = prepare()?;
    if let Some(bracket) = &errand.bracket
        && let Some(code) = bracket.set_up(&mut events)
    {
        return Ok((Report::default(), End::Code(code)));
    }
    let mut supervision = start(errand, stdin, &mut events)?;
    let status = supervision.run(&mut events);
    let has_succeeded = status.exit_status() == Some(0);
    let is_told = !supervision.told_by.is_empty();
    if let Some(bracket) = &errand.bracket
        && (is_told || !has_succeeded)
    {
        bracket.clean_up();
    }
    Ok((supervision.report, End::Status(status)))
}

/// Takes the role, and the step's stdin.
fn prepare() -> io::Result<(Events, OwnedFd)> {
    let events = Events::watch()?;
    // Fails for the leader of a process group; then there already is a group of our own.
    rustix::process::setsid().ok();
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let (stdin, screen) = control::receive()?;
    if let Some(screen) = screen {
        screen::take(screen);
    }
    Ok((events, stdin))
}

/// Starts the command line, and the tee of its output.
fn start(errand: &Errand, stdin: OwnedFd, events: &mut Events) -> io::Result<Supervision> {
    let log = File::options().append(true).open(&errand.log)?;
    let (mut tee, stdout, stderr) = Tee::new(log, errand.label.as_ref())?;
    let terminal = [&stdout, &stderr].into_iter().find(|fd| isatty(fd));
    let (stdin, typing) = match terminal.filter(|_| errand.is_typed) {
        Some(terminal) => {
            let typing = Arc::new(Typing::new(stdin, terminal.try_clone()?)?);
            tee.forward(&typing);
            (terminal.try_clone()?, Some(typing))
        }
        None => (stdin, None),
    };
    let shell = Command::new(bash()?)
        .arg0("bash")
        .args(["-c", &errand.command])
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        // A group of its own, so that the step may signal its group without hitting us.
        .process_group(0)
        .spawn()?;
    let step = i32::try_from(shell.id()).ok().and_then(Pid::from_raw);
    let step = step.expect("a child has a pid");
    if let Some(typing) = &typing {
        typing.give_to(step);
    }
    let (is_over, over) = io::pipe()?;
    let (copied, is_copied) = io::pipe()?;
    events.watch_tee(copied);
    let tee = std::thread::Builder::new().spawn(move || {
        let unwritten = tee.run(&is_over);
        drop(is_copied);
        unwritten
    })?;
    Ok(Supervision {
        step,
        grace: errand.grace,
        timeout: errand.timeout.map(|timeout| Instant::now() + timeout),
        stopping: None,
        killing: None,
        remote: Remote::of(errand.bracket.as_ref()),
        suspended: None,
        told_by: Vec::new(),
        status: None,
        typing,
        tee: Some((over, tee)),
        is_copied: false,
        report: Report::default(),
    })
}

/// Not one of the folder that a step runs in, where an empty part of PATH leads.
fn bash() -> io::Result<PathBuf> {
    host::find("bash").ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// A step that is running.
struct Supervision {
    step: Pid,
    grace: Duration,
    /// When the step's time is over.
    timeout: Option<Instant>,
    /// When the patience with processes that were told to stop ends.
    stopping: Option<Instant>,
    /// Since when processes are killed, and the helpers of `srun` that are not yet.
    killing: Option<(Instant, Vec<i32>)>,
    /// What the step's command waits for, if that runs elsewhere.
    remote: Option<Remote>,
    suspended: Option<Suspension>,
    /// Who told us to stop; nobody when only what the step left behind is stopped.
    told_by: Vec<Source>,
    status: Option<WaitStatus>,
    /// What is typed, if the step gets it.
    typing: Option<Arc<Typing>>,
    /// Closed when the last process has ended; and then the end of the tee itself.
    tee: Option<(PipeWriter, JoinHandle<Option<Unwritten>>)>,
    is_copied: bool,
    report: Report,
}

/// A time in which the step stands still.
#[derive(Clone, Copy)]
struct Suspension {
    since: Instant,
    /// When those are stopped that did not do so by themselves.
    insist: Option<Instant>,
}

/// Who told us to stop. The same one again means at once; but a service manager tells every process
/// of ours once, so that we hear of it twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Orchestrator,
    Other,
}

impl Supervision {
    fn run(&mut self, events: &mut Events) -> WaitStatus {
        if events.is_suspended {
            self.suspend();
        }
        loop {
            match events.next(self.deadline()) {
                Some(Event::Told(SIGTSTP)) => self.suspend(),
                Some(Event::Told(SIGCONT)) => self.resume(),
                Some(Event::Told(SIGWINCH)) => {
                    self.typing.as_ref().inspect(|typing| typing.follow_size());
                }
                Some(Event::Told(signal)) => self.told(Source::Orchestrator, signal),
                Some(Event::Signal(signal)) => self.told(Source::Other, signal),
                Some(Event::Orphaned) => {
                    console::clear();
                    if self.told_by.is_empty() {
                        self.told(Source::Orchestrator, SIGTERM);
                    }
                }
                Some(Event::Copied) => self.is_copied = true,
                Some(Event::Child) => {}
                None => self.run_out(),
            }
            let is_over = self.reap();
            match self.status {
                Some(status) if is_over => {
                    self.finish(events);
                    return status;
                }
                // What a step leaves behind ends with it.
                Some(_) if self.stopping.is_none() => self.stop(SIGTERM),
                _ => {}
            }
        }
    }

    /// When something is to be done although nothing has happened.
    fn deadline(&self) -> Option<Instant> {
        match self.suspended {
            Some(suspended) => suspended.insist,
            None => self.stopping.or(self.timeout),
        }
    }

    /// Does what is to be done then.
    fn run_out(&mut self) {
        if let Some(suspended) = &mut self.suspended {
            suspended.insist = None;
            self.signal_all(Signal::STOP, |_| false);
        } else if self.stopping.is_some() {
            self.kill();
        } else {
            self.report.timed_out = true;
            self.told(Source::Orchestrator, SIGTERM);
        }
    }

    fn told(&mut self, source: Source, signal: i32) {
        let is_first = self.told_by.is_empty();
        if self.told_by.contains(&source) {
            return self.kill();
        }
        self.told_by.push(source);
        if is_first {
            self.stop(signal);
        }
    }

    fn stop(&mut self, signal: i32) {
        if let Some(remote) = self.running_remote() {
            remote.ask();
            self.stopping = Some(Instant::now() + self.grace);
            return;
        }
        let signal = Signal::from_named_raw(signal).unwrap_or(Signal::TERM);
        self.signal_all(signal, is_supervisor);
        // A stopped process acts on no other signal.
        self.resume();
        self.signal_all(Signal::CONT, is_supervisor);
        self.stopping = Some(Instant::now() + self.grace);
    }

    fn kill(&mut self) {
        self.suspended = None;
        if let Some(remote) = self.running_remote() {
            if remote.end() {
                self.stopping = Some(Instant::now() + END_AGAIN);
                return;
            }
            // Nobody answers. What waits for it may still reach it itself.
            self.remote = None;
            return self.stop(SIGTERM);
        }
        let (since, helpers) = self.killing.take().unwrap_or_else(|| {
            let below = tree::below(|_| false);
            (Instant::now(), tree::helpers_of_srun(&below))
        });
        let is_spared = |pid| since.elapsed() < CANCELLING && helpers.contains(&pid);
        self.signal_all(Signal::KILL, is_spared);
        self.killing = Some((since, helpers));
        self.stopping = Some(Instant::now() + KILL_AGAIN);
    }

    /// What runs elsewhere, as long as the command has not ended that waits for it.
    fn running_remote(&mut self) -> Option<&mut Remote> {
        self.remote.as_mut().filter(|_| self.status.is_none())
    }

    /// Has the step stand still, with its time; not what runs elsewhere.
    fn suspend(&mut self) {
        if self.suspended.is_some() || self.running_remote().is_some() {
            return;
        }
        let since = Instant::now();
        self.typing.as_ref().inspect(|typing| typing.pause());
        self.signal_all(Signal::TSTP, is_supervisor);
        self.suspended = Some(Suspension {
            since,
            insist: Some(since + STANDSTILL),
        });
    }

    fn resume(&mut self) {
        let Some(suspended) = self.suspended.take() else {
            return;
        };
        let pause = suspended.since.elapsed();
        for deadline in [&mut self.timeout, &mut self.stopping] {
            *deadline = deadline.map(|deadline| deadline + pause);
        }
        self.typing.as_ref().inspect(|typing| typing.go_on());
        self.signal_all(Signal::CONT, |_| false);
    }

    /// Waits until the output that is left has been passed on.
    ///
    /// Whoever reads it may have paused: then this ends by a signal, or after one more grace period
    /// when we were told to stop.
    fn finish(&mut self, events: &mut Events) {
        let Some((over, tee)) = self.tee.take() else {
            return;
        };
        drop(over);
        let is_told = !self.told_by.is_empty();
        let deadline = is_told.then(|| Instant::now() + self.grace);
        while !self.is_copied {
            match events.next(deadline) {
                Some(Event::Copied) => self.is_copied = true,
                Some(
                    Event::Child | Event::Orphaned | Event::Told(SIGTSTP | SIGCONT | SIGWINCH),
                ) => {}
                // Of the step's terminal, which is no more.
                Some(Event::Signal(SIGHUP)) if self.typing.is_some() => {}
                Some(Event::Signal(_) | Event::Told(_)) | None => return,
            }
        }
        self.report.unwritten = tee.join().ok().flatten();
        self.typing.as_ref().inspect(|typing| typing.pause());
    }

    /// Takes the status of every process that has ended, of which the step's own is kept, and tells
    /// whether none is left. Orphans below are children of ours on Linux, so that it knows without a
    /// look at them all.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.step => self.status = Some(status),
                Ok(Some((pid, _))) => {
                    if let Some(remote) = &mut self.remote {
                        remote.reaped(pid);
                    }
                }
                Ok(None) => return false,
                Err(_) => return self.is_empty(),
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[expect(clippy::unused_self, reason = "other systems need the step's group")]
    fn is_empty(&self) -> bool {
        true
    }

    #[cfg(not(target_os = "linux"))]
    fn is_empty(&self) -> bool {
        rustix::process::test_kill_process_group(self.step).is_err()
    }

    /// Signals all processes below, but not those that are `spared`, and none below these.
    #[cfg(target_os = "linux")]
    #[expect(clippy::unused_self, reason = "other systems need the step's group")]
    fn signal_all(&self, signal: Signal, is_spared: impl Fn(i32) -> bool) {
        for process in tree::below(is_spared) {
            process.signal(signal);
        }
    }

    /// The step itself stands for its group.
    #[cfg(not(target_os = "linux"))]
    fn signal_all(&self, signal: Signal, _is_spared: impl Fn(i32) -> bool) {
        rustix::process::kill_process_group(self.step, signal).ok();
    }
}

/// Ends this process as the step ended.
fn end_as(status: WaitStatus) -> ExitCode {
    if let Some(signal) = status.terminating_signal() {
        // The step has left its core already, if it may.
        rustix::process::setrlimit(
            rustix::process::Resource::Core,
            rustix::process::Rlimit {
                current: Some(0),
                maximum: Some(0),
            },
        )
        .ok();
        signal_hook::low_level::emulate_default_handler(signal).ok();
        let signal = Signal::from_named_raw(signal).unwrap_or(Signal::KILL);
        rustix::process::kill_process(rustix::process::getpid(), signal).ok();
    }
    let code = status.exit_status().unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
