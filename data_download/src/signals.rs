//! Which signals the program answers to.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

const CANNOT_WATCH: &str = "cannot watch for signals";

/// SIGINT and SIGTERM, but for those that the caller wants to be ignored: a script ignores SIGINT
/// for what it runs in the background, and a handler would defeat that.
///
/// SIGHUP is left alone for the same reason: `nohup` ignores it.
pub fn watch() -> Result<Signals> {
    let ignored = ignored();
    let heeded = [SIGINT, SIGTERM].into_iter();
    let heeded = heeded.filter(|signal| ignored & (1 << (signal - 1)) == 0);
    Signals::new(heeded).context(CANNOT_WATCH)
}

/// Makes a write beyond `ulimit -f` an error that can be told; else SIGXFSZ ends the process
/// without a word.
pub fn survive_the_limit_of_file_size() -> Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).context(CANNOT_WATCH)?;
    Ok(())
}

/// The signals that are ignored, one bit for each. Only Linux tells this without unsafe code;
/// elsewhere none counts as ignored.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status).unwrap_or(0)
}

fn ignored_in(status: &str) -> Option<u64> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_which_signals_are_ignored() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000004002\nSigCgt:\t0";
        assert_eq!(
            ignored_in(status),
            Some(1 << (SIGTERM - 1) | 1 << (SIGINT - 1))
        );
        assert_eq!(ignored_in("SigIgn:\tx"), None);
        assert_eq!(ignored_in(""), None);
    }
}
