//! Long work that says how far it is, and that can be stopped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use process::console;

/// After how long it is told first; each further time comes after twice as long.
const LONG: Duration = Duration::from_secs(2);

/// The longest time without a word.
const LONGEST: Duration = Duration::from_mins(1);

/// How far the hashing of some files is.
pub(crate) struct Progress<'a> {
    /// What is hashed, as it is shown.
    what: String,
    /// In bytes.
    total: u64,
    done: u64,
    last: Instant,
    pause: Duration,
    is_stopped: &'a dyn Fn() -> bool,
    /// While it is true, nothing is told.
    is_quiet: Option<&'a AtomicBool>,
}

/// The run was interrupted.
#[derive(Debug)]
pub(crate) struct Stopped;

impl<'a> Progress<'a> {
    pub(crate) fn new(what: String, total: u64, is_stopped: &'a dyn Fn() -> bool) -> Progress<'a> {
        Progress {
            what,
            total,
            done: 0,
            last: Instant::now(),
            pause: LONG,
            is_stopped,
            is_quiet: None,
        }
    }

    pub(crate) fn quiet_while(self, is_quiet: &'a AtomicBool) -> Progress<'a> {
        Progress {
            is_quiet: Some(is_quiet),
            ..self
        }
    }

    /// More bytes were hashed.
    pub(crate) fn advance(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.done += bytes;
        if (self.is_stopped)() {
            return Err(Stopped);
        }
        if self.last.elapsed() >= self.pause
            && self.is_quiet.is_none_or(|it| !it.load(Ordering::Relaxed))
        {
            self.last = Instant::now();
            self.pause = (self.pause * 2).min(LONGEST);
            console::say(&self.told());
        }
        Ok(())
    }

    fn told(&self) -> String {
        // A file that grows has no end that is known.
        let total = self.total.max(self.done);
        let (unit, name) = match total {
            0..10_000_000_000 => (1_000_000, "MB"),
            _ => (1_000_000_000, "GB"),
        };
        let (done, total) = (self.done / unit, total / unit);
        format!("hashing {}, {done} of {total} {name}", self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_how_far_it_is() {
        let going_on = || false;
        let mut progress = Progress::new("../big.parquet".into(), 900_000_000_000, &going_on);
        progress.advance(12_345_678_901).unwrap();
        assert_eq!(progress.told(), "hashing ../big.parquet, 12 of 900 GB");
        let mut progress = Progress::new("x".into(), 0, &going_on);
        progress.advance(5_000_000).unwrap();
        assert_eq!(progress.told(), "hashing x, 5 of 5 MB");
        assert!(Progress::new("x".into(), 0, &|| true).advance(1).is_err());
    }
}
