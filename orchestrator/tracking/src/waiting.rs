//! Waiting for a store: not for ever, not without a word, and not when a signal wants our end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use process::console::say;

/// After this time of waiting is told who is waited for.
pub(crate) const TOLD_AFTER: Duration = Duration::from_secs(2);

/// How long a store may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Nothing has run yet, or nothing waits: half a minute.
    Full,
    /// A step waits: some seconds.
    Short,
    /// One try: the store has just failed.
    Once,
}

impl Patience {
    pub(crate) fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Patience::Full => 30,
            Patience::Short => 8,
            Patience::Once => 2,
        })
    }
}

/// Set when a signal wants the end of this process: from then on nothing is waited for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hurry(Arc<AtomicBool>);

impl Hurry {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps, but not into the end.
    pub(crate) fn sleep(&self, time: Duration) {
        const PIECE: Duration = Duration::from_millis(20);
        let end = Instant::now() + time;
        while !self.is_set() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(PIECE));
        }
    }
}

/// Tells who is waited for unless it is dropped before.
pub(crate) struct Notice {
    _alive: Option<Sender<()>>,
}

impl Notice {
    pub(crate) fn new(store: &str) -> Notice {
        let text = format!("waiting for {store}");
        let (alive, end) = channel::<()>();
        let tell = move || {
            if end.recv_timeout(TOLD_AFTER) == Err(RecvTimeoutError::Timeout) {
                say(&text);
            }
        };
        // Without a thread nothing is told, which is no reason not to wait.
        let started = std::thread::Builder::new().spawn(tell);
        Notice {
            _alive: started.is_ok().then_some(alive),
        }
    }
}
