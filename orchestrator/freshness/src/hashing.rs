//! A thread that hashes what a running step reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use process::console;

use crate::files::Files;
use crate::progress::Progress;
use crate::tree::{Item, size_of};

/// What is hashed while the step runs; the hashes are found in what the steps share.
#[derive(Debug)]
pub(crate) struct Hashing {
    is_over: Arc<AtomicBool>,
    is_quiet: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hashing {
    pub(crate) fn start(items: Vec<Item>, files: &Files) -> Option<Hashing> {
        let size = size_of(&items);
        let files = files.clone();
        let is_over = Arc::new(AtomicBool::new(false));
        let is_quiet = Arc::new(AtomicBool::new(true));
        let (ends, quiet) = (Arc::clone(&is_over), Arc::clone(&is_quiet));
        let hash_all = move || {
            let is_stopped = || ends.load(Ordering::Relaxed) || files.is_interrupted();
            let progress = Progress::new("what it reads".into(), size, &is_stopped);
            let mut progress = progress.quiet_while(&quiet);
            for item in items {
                if let Some(spot) = item.seen.spot() {
                    // Whatever goes wrong goes wrong again when the step is over.
                    files
                        .hash(&item.path, spot.device, spot.stat, &mut progress)
                        .ok();
                }
            }
        };
        let thread = thread::Builder::new().spawn(hash_all).ok()?;
        Some(Hashing {
            is_over,
            is_quiet,
            thread: Some(thread),
        })
    }

    /// Waits for all hashes, and no longer in silence.
    pub(crate) fn finish(mut self) {
        self.is_quiet.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            console::warn("the hashing of what a step reads ended early");
        }
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
