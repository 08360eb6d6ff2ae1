//! What stays beside the output when a download ends before its time, by an error or a signal.

use std::fs;
use std::io::{self, IsTerminal, stderr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use signal_hook::low_level::emulate_default_handler;

use crate::output::Place;
use crate::signals;
use crate::terminal::say_lines;

/// Whether the partial file stays.
#[derive(Clone, Copy)]
pub enum Keep {
    /// It is of no use to anybody.
    No,
    /// It was there before, and nothing has been done to it.
    Untouched,
    /// For the next run, which will need so many bytes in all, if that is known.
    For(Option<u64>),
}

/// The files beside the output; shared with the thread that waits for signals.
#[derive(Clone, Default)]
pub struct Leftovers(Arc<Mutex<Option<Files>>>);

struct Files {
    partial: PathBuf,
    record: PathBuf,
    unpacked: PathBuf,
    keep: Keep,
}

impl Leftovers {
    /// Makes SIGINT and SIGTERM tidy up before they end the process as they always do, so that the
    /// caller sees a death by signal. A thread of its own, as the main one may be blocked in a
    /// read, a write or a name lookup.
    pub fn watch_signals(&self) -> Result<()> {
        let mut signals = signals::watch()?;
        let leftovers = self.clone();
        let watch = move || {
            for signal in &mut signals {
                // Held to the end, so that the main thread does not go on meanwhile.
                let mut files = leftovers.lock();
                if let Some(note) = files.take().and_then(Files::settle) {
                    // Below the progress bar, and what the terminal shows for Ctrl-C.
                    let below = stderr().is_terminal().then_some("");
                    let note = format!("data_download: stopped; {note}");
                    say_lines(below.into_iter().chain([note.as_str()]));
                }
                emulate_default_handler(signal).ok();
            }
        };
        let thread = thread::Builder::new().spawn(watch);
        thread.context("cannot start a thread")?;
        Ok(())
    }

    /// Takes charge of the files beside `place`, whose lock this process holds.
    pub fn begin(&self, place: &Place, keep: Keep) {
        let files = Files {
            partial: place.partial(),
            record: place.partial_record(),
            unpacked: place.unpacked(),
            keep,
        };
        *self.lock() = Some(files);
    }

    pub fn keep(&self, keep: Keep) {
        if let Some(files) = self.lock().as_mut() {
            files.keep = keep;
        }
    }

    /// Runs `place`, which puts the file into place; if it succeeds, nothing stays. No signal
    /// comes in between.
    pub fn finish(&self, place: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut lock = self.lock();
        let Some(files) = lock.as_mut() else {
            return place();
        };
        files.keep = Keep::No;
        // First, as another download may own the names as soon as the partial file has left.
        fs::remove_file(&files.record).ok();
        place()?;
        *lock = None;
        Ok(())
    }

    /// Removes what is of no use, and returns what the user should know about the rest.
    pub fn settle(&self) -> Option<String> {
        self.lock().take()?.settle()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Files>> {
        // A panic elsewhere is no reason to leave files behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    /// A file that cannot be removed is left: the next run uses it or writes over it.
    fn settle(self) -> Option<String> {
        fs::remove_file(&self.unpacked).ok();
        let there = fs::symlink_metadata(&self.partial).map_or(0, |metadata| metadata.len());
        match self.keep {
            Keep::For(total) if there > 0 => {
                let partial = self.partial.display();
                let of = total.map_or_else(String::new, |total| format!(" of {total}"));
                return Some(format!(
                    "{there}{of} bytes are kept in `{partial}`, and the same command continues there"
                ));
            }
            Keep::Untouched if there > 0 => return None,
            _ => {}
        }
        fs::remove_file(&self.record).ok();
        fs::remove_file(&self.partial).ok();
        None
    }
}
