//! How far the reading is, shown to whoever sits at a terminal.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// What is done sooner needs no progress bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// A bar, if there is a terminal to show it. Nothing depends on what it was told.
pub struct Progress {
    started: Instant,
    /// The bytes there are, if that can be known.
    size: Option<u64>,
    shown: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(size: Option<u64>) -> Self {
        Self {
            started: Instant::now(),
            size,
            shown: stderr().is_terminal(),
            bar: None,
        }
    }

    /// Shows that so many bytes have been read.
    pub fn reach(&mut self, bytes: u64) {
        if self.shown && self.started.elapsed() > PATIENCE {
            let bar = self.bar.get_or_insert_with(|| bar(self.size));
            bar.set_position(bytes);
        }
    }

    /// Starts again with the first byte.
    pub fn restart(&mut self) {
        self.finish();
        self.started = Instant::now();
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // An error is told on a line of its own.
        self.finish();
    }
}

fn bar(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (
            ProgressBar::new(size),
            "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{bytes}, {bytes_per_sec}"),
    };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
