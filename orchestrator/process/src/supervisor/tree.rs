//! The processes below one, found in `/proc`, also those that made themselves a session or group of
//! their own.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::errand::ROLE;

/// A process as `/proc/PID/stat` describes it.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    parent: i32,
    group: i32,
    /// The number of its session's leader.
    pub session: i32,
    /// The group in the foreground of its terminal.
    foreground: i32,
    is_alive: bool,
    is_srun: bool,
}

impl Process {
    /// Describes a process, if there is one of that number and the system has `/proc`.
    pub fn read(pid: i32) -> Option<Process> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        // The name comes second, in parentheses, and may hold anything.
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let begin = stat.iter().position(|byte| *byte == b'(')?;
        let mut rest = std::str::from_utf8(&stat[end + 1..])
            .ok()?
            .split_whitespace();
        let state = rest.next()?;
        let mut number = || rest.next()?.parse().ok();
        let (parent, group, session) = (number()?, number()?, number()?);
        let _terminal = number()?;
        Some(Process {
            pid,
            parent,
            group,
            session,
            foreground: number()?,
            is_alive: !["Z", "X"].contains(&state),
            is_srun: stat.get(begin + 1..end) == Some(b"srun"),
        })
    }

    /// Whether it may read what is typed on its terminal.
    pub fn is_in_foreground(&self) -> bool {
        self.group == self.foreground
    }

    /// Sends it a signal; it may be gone by now.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            rustix::process::kill_process(pid, signal).ok();
        }
    }
}

/// All living processes below this one, but not those that are `spared`, and none below these. None on
/// a system without `/proc`.
pub fn below(is_spared: impl Fn(i32) -> bool) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let all: Vec<Process> = names
        .filter_map(|name| Process::read(name.parse().ok()?))
        .collect();
    let mut found: Vec<Process> = Vec::new();
    let mut parent = rustix::process::getpid().as_raw_nonzero().get();
    let mut next = 0;
    loop {
        let children = all.iter().filter(|process| process.parent == parent);
        found.extend(children.filter(|child| !is_spared(child.pid)));
        let Some(process) = found.get(next) else {
            break;
        };
        parent = process.pid;
        next += 1;
    }
    found.retain(|process| process.is_alive);
    found
}

/// The helpers of `srun` among processes: its child of the same name, which cancels the job when `srun` has
/// been killed. If both are, the job runs on for ever.
pub fn helpers_of_srun(processes: &[Process]) -> Vec<i32> {
    let is_srun = |pid| processes.iter().any(|it| it.pid == pid && it.is_srun);
    let is_helper = |process: &&Process| process.is_srun && is_srun(process.parent);
    let helpers = processes.iter().filter(is_helper);
    helpers.map(|helper| helper.pid).collect()
}

/// Whether a process is a supervisor, as in a pipeline that is a step of ours.
///
/// It is told to stop by its own orchestrator, which we do tell. Its step would hear of everything
/// twice.
pub fn is_supervisor(pid: i32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).nth(1) == Some(ROLE.as_bytes())
}

/// How often it is looked whether processes have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Ends the processes that a supervisor left to us when it was killed: told to, and killed after the
/// grace period, or as soon as it is `hurried`. Returns when all of them are gone.
///
/// They are those of other sessions than ours: nothing else that we start has one of its own. On other
/// systems than Linux they do not come to us.
pub fn end_orphans(grace: Duration, is_hurried: impl Fn() -> bool) {
    let Ok(ours) = rustix::process::getsid(None) else {
        return;
    };
    let ours = ours.as_raw_nonzero().get();
    let orphans = || {
        let mut below = below(is_supervisor);
        below.retain(|process| process.session != ours);
        below
    };
    let deadline = Instant::now() + grace;
    let mut left = orphans();
    for process in &left {
        process.signal(Signal::TERM);
        // A stopped process acts on no other signal.
        process.signal(Signal::CONT);
    }
    while !left.is_empty() {
        if Instant::now() >= deadline || is_hurried() {
            for process in &left {
                process.signal(Signal::KILL);
            }
        }
        std::thread::sleep(LOOK_AGAIN);
        left = orphans();
    }
}
