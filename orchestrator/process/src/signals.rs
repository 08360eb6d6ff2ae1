//! What was decided about signals before this process started, and what it needs of them itself.
//!
//! A signal that is ignored at start stays ignored, here and in all that we start: `nohup` and shells
//! (for jobs in the background of a script) protect what they run that way, and a handler would undo it.
//! A handler of ours, unlike a signal that is ignored, does not reach the programs that we start.
//! SIGPIPE is the exception: Rust's runtime sets it before `main`, and to its default in children.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use nix::sys::signal::{SigSet, Signal};
use signal_hook::consts::{SIGCHLD, SIGXFSZ};
use signal_hook::flag;

/// Has children waited for and limits of size told, whatever this process was started with. To be
/// called before the first thread is started.
pub fn prepare() {
    // SIGXFSZ ends a process without a word; with a handler the write fails, and that is told.
    for signal in heeded(&[SIGXFSZ]) {
        flag::register(signal, Arc::new(AtomicBool::new(false))).ok();
    }
    // With SIGCHLD ignored there would be no status to wait for; blocked, it would tell nobody.
    flag::register(SIGCHLD, Arc::new(AtomicBool::new(false))).ok();
    SigSet::from(Signal::SIGCHLD).thread_unblock().ok();
}

/// Those of the signals, by their numbers, that were not ignored when this process started: `nohup`
/// ignores SIGHUP. On other systems than Linux all of them.
pub fn heeded(signals: &[i32]) -> Vec<i32> {
    static IGNORED: LazyLock<u64> = LazyLock::new(ignored);
    let is_ignored = |signal: i32| *IGNORED & (1 << (signal - 1)) != 0;
    let heeded = signals.iter().copied();
    heeded.filter(|signal| !is_ignored(*signal)).collect()
}

/// One bit for each signal that is ignored, from the lowest on.
#[cfg(target_os = "linux")]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0)
}

/// Other systems do not tell without unsafe code.
#[cfg(not(target_os = "linux"))]
fn ignored() -> u64 {
    0
}
