//! The process between us and a step: it ends every process of the step, and reports the step's end
//! as its own.
//!
//! The orchestrator starts itself once more for each step, in this role. The supervisor leads a
//! session of its own and adopts whatever the step leaves behind. It is told to stop by SIGINT,
//! SIGTERM or SIGHUP from the orchestrator, or by the kernel when the orchestrator has died, even
//! by SIGKILL; it passes the signal on to all processes below it, and kills what is left after a
//! grace period, or at once when it is told a second time. The step's output passes through this
//! process (`relay.rs`), so that all of it is kept also when the orchestrator has died.
//!
//! Processes below are found in `/proc` on Linux, also those that made themselves a session or group
//! of their own. On other systems the step's process group is all that is reached.

use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::elsewhere::Elsewhere;
use crate::notice::warn;
use crate::relay::Relay;

/// The first argument of a process in this role; the pid of its parent, the grace period in
/// milliseconds, the file of the step's log and the command line for `bash -c` follow; and for a step
/// that runs elsewhere the two command lines of [`Elsewhere`].
pub(crate) const ROLE: &str = "--supervise";

/// By this signal the kernel tells that the orchestrator has died, once for each of its threads.
const ORPHANED: i32 = SIGUSR1;

/// How often what survived SIGKILL so far, for instance by being born meanwhile, is killed again.
const KILL_AGAIN: Duration = Duration::from_millis(20);

/// The exit code of a shell that cannot execute a program, for when the shell itself cannot start.
const CANNOT_START: u8 = 126;

/// What the supervisor is told of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Signal(i32),
    /// All output has been passed on.
    Relayed,
}

/// Runs a command line to its end and to that of all its processes; does not return if it was killed
/// by a signal, which then kills this process, too.
pub(crate) fn supervise(
    parent: u32,
    grace: Duration,
    log: &Path,
    command: &str,
    elsewhere: Option<&Elsewhere>,
) -> ExitCode {
    let (sender, events) = match prepare(parent) {
        Ok(prepared) => prepared,
        Err(error) => return cannot_start(&error),
    };
    if let Some(code) = elsewhere.and_then(|elsewhere| elsewhere.set_up(&events)) {
        return ExitCode::from(code);
    }
    let mut supervision = match start(grace, log, command, sender) {
        Ok(supervision) => supervision,
        Err(error) => return cannot_start(&error),
    };
    let status = supervision.run(&events);
    let has_succeeded = status.exit_status() == Some(0);
    if let Some(elsewhere) = elsewhere.filter(|_| supervision.is_told || !has_succeeded) {
        elsewhere.clean_up();
    }
    end_as(status)
}

fn cannot_start(error: &io::Error) -> ExitCode {
    eprintln!("error: cannot start bash: {error}");
    ExitCode::from(CANNOT_START)
}

/// Starts the command line, and the relay of its output.
fn start(
    grace: Duration,
    log: &Path,
    command: &str,
    sender: Sender<Event>,
) -> io::Result<Supervision> {
    let log = File::options().append(true).open(log)?;
    let (relay, stdout, stderr) = Relay::new(log)?;
    let shell = Command::new("bash")
        .args(["-c", command])
        .stdout(stdout)
        .stderr(stderr)
        // A group of its own, so that the step may signal its group without hitting us.
        .process_group(0)
        .spawn()?;
    let (over, is_over) = io::pipe().map(|(reader, writer)| (writer, reader))?;
    std::thread::Builder::new().spawn(move || {
        if let Err(error) = relay.run(&is_over) {
            warn(&format!("cannot pass the output on: {error}"));
        }
        sender.send(Event::Relayed).ok();
    })?;
    let step = i32::try_from(shell.id()).ok().and_then(Pid::from_raw);
    Ok(Supervision {
        step: step.expect("a child has a pid"),
        grace,
        stopping: None,
        is_told: false,
        status: None,
        over: Some(over),
        is_relayed: false,
    })
}

/// Takes the role; from here on signals arrive at the receiver.
fn prepare(parent: u32) -> io::Result<(Sender<Event>, Receiver<Event>)> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD, ORPHANED])?;
    // Fails for the leader of a process group; then there already is a group of our own.
    rustix::process::setsid().ok();
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        rustix::process::set_parent_process_death_signal(Signal::from_named_raw(ORPHANED))?;
    }
    let (sender, receiver) = mpsc::channel();
    // The orchestrator may have died before the kernel was told to tell.
    let is_orphan = rustix::process::getppid()
        .is_none_or(|pid| pid.as_raw_nonzero().get().unsigned_abs() != parent);
    if is_orphan {
        sender
            .send(Event::Signal(ORPHANED))
            .expect("the receiver is still here");
    }
    let told = sender.clone();
    std::thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            if told.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok((sender, receiver))
}

struct Supervision {
    step: Pid,
    grace: Duration,
    /// When the patience with processes that were told to stop ends.
    stopping: Option<Instant>,
    /// Whether it was we who were told to stop, and not only what the step left behind.
    is_told: bool,
    status: Option<WaitStatus>,
    /// Closed when the last process has ended.
    over: Option<PipeWriter>,
    is_relayed: bool,
}

impl Supervision {
    fn run(&mut self, events: &Receiver<Event>) -> WaitStatus {
        loop {
            match self.next(events) {
                Some(Event::Signal(SIGCHLD)) => {}
                Some(Event::Relayed) => self.is_relayed = true,
                Some(Event::Signal(ORPHANED)) if self.is_told => {}
                Some(Event::Signal(signal)) if !self.is_told => {
                    self.is_told = true;
                    self.stop(if signal == ORPHANED { SIGTERM } else { signal });
                }
                // Told again, or out of patience.
                Some(Event::Signal(_)) | None => {
                    self.signal_all(Signal::KILL, |_| false);
                    self.stopping = Some(Instant::now() + KILL_AGAIN);
                }
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

    /// The next event; none when the time to stop by itself is over.
    fn next(&self, events: &Receiver<Event>) -> Option<Event> {
        let Some(deadline) = self.stopping else {
            return events.recv().ok();
        };
        events
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .ok()
    }

    /// Waits until the output that is left has been passed on.
    ///
    /// Whoever reads it may have paused: then this ends by a signal, or after one more grace period
    /// when we were told to stop.
    fn finish(&mut self, events: &Receiver<Event>) {
        self.over = None;
        self.stopping = self.is_told.then(|| Instant::now() + self.grace);
        while !self.is_relayed {
            match self.next(events) {
                Some(Event::Signal(SIGCHLD | ORPHANED)) => {}
                Some(Event::Relayed) => self.is_relayed = true,
                Some(Event::Signal(_)) | None => return,
            }
        }
    }

    fn stop(&mut self, signal: i32) {
        let signal = Signal::from_named_raw(signal).unwrap_or(Signal::TERM);
        self.signal_all(signal, is_supervisor);
        // A stopped process acts on no other signal.
        self.signal_all(Signal::CONT, is_supervisor);
        self.stopping = Some(Instant::now() + self.grace);
    }

    /// Takes the status of every process that has ended, of which the step's own is kept, and tells
    /// whether none is left. Orphans below are children of ours on Linux, so that it knows without a
    /// look at them all.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.step => self.status = Some(status),
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return cfg!(target_os = "linux") || self.processes(|_| false).is_empty(),
            }
        }
    }

    /// Signals all processes below, but not those that are `spared`, and none below these.
    fn signal_all(&self, signal: Signal, is_spared: impl Fn(i32) -> bool) {
        for pid in self.processes(is_spared) {
            // It may be gone by now.
            if cfg!(target_os = "linux") {
                rustix::process::kill_process(pid, signal).ok();
            } else {
                rustix::process::kill_process_group(pid, signal).ok();
            }
        }
    }

    /// All living processes below this one.
    #[cfg(target_os = "linux")]
    #[expect(clippy::unused_self, reason = "other systems need the step's group")]
    fn processes(&self, is_spared: impl Fn(i32) -> bool) -> Vec<Pid> {
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let all: Vec<(i32, i32, bool)> = names
            .filter_map(|name| parent_of(name.parse().ok()?))
            .collect();
        let mut below = vec![rustix::process::getpid().as_raw_nonzero().get()];
        let mut next = 0;
        while let Some(&parent) = below.get(next) {
            below.extend(
                all.iter()
                    .filter(|(_, of, _)| *of == parent)
                    .map(|(pid, _, _)| *pid)
                    .filter(|pid| !is_spared(*pid)),
            );
            next += 1;
        }
        let is_alive = |pid: &i32| {
            all.iter()
                .any(|(known, _, is_alive)| known == pid && *is_alive)
        };
        below
            .into_iter()
            .skip(1)
            .filter(is_alive)
            .filter_map(Pid::from_raw)
            .collect()
    }

    /// The step itself stands for its group.
    #[cfg(not(target_os = "linux"))]
    fn processes(&self, _is_spared: impl Fn(i32) -> bool) -> Vec<Pid> {
        let is_alive = rustix::process::test_kill_process_group(self.step).is_ok();
        is_alive.then_some(self.step).into_iter().collect()
    }
}

/// Whether a process is a supervisor, as in a pipeline that is a step of ours.
///
/// It is told to stop by its own orchestrator, which we do tell. Told by both it would kill at once,
/// and its step would hear of everything twice.
fn is_supervisor(pid: i32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).nth(1) == Some(ROLE.as_bytes())
}

/// A process, its parent, and whether it has not ended yet, from `/proc/PID/stat`.
#[cfg(target_os = "linux")]
fn parent_of(pid: i32) -> Option<(i32, i32, bool)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name comes second, in parentheses, and may hold anything.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut rest = std::str::from_utf8(&stat[end + 1..])
        .ok()?
        .split_whitespace();
    let state = rest.next()?;
    Some((
        pid,
        rest.next()?.parse().ok()?,
        !["Z", "X"].contains(&state),
    ))
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
