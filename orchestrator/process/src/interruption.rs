//! The signals that ask us to stop, or to stand still for a while.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::command::running::Running;
use crate::console;
use crate::signals;
use crate::terminal::{self, Modes};

/// The signals that ask us to stop: SIGINT, SIGTERM and SIGHUP. They are passed on to the running
/// command; when none is running, they end this process as they always do.
#[derive(Debug, Clone)]
pub struct Interruption {
    state: Arc<Mutex<State>>,
    /// A signal came.
    came: Arc<Condvar>,
}

#[derive(Default)]
struct State {
    /// The first signal that came.
    signal: Option<i32>,
    /// Steps may run beside each other, and environments are made several at once.
    running: Vec<Arc<Running>>,
    /// Those of our terminal before it was made ready for what is typed for the running step.
    modes: Option<Modes>,
    /// Whether a signal ends this process, as soon as the last words are told.
    is_ending: bool,
    /// What has to be done before a signal ends this process.
    last_words: Option<Box<dyn FnOnce(i32) + Send>>,
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("State").finish_non_exhaustive()
    }
}

impl Interruption {
    /// From here on SIGINT, SIGTERM and SIGHUP no longer end this process while a command runs, and
    /// what stops this process stops the command, too. What a supervisor that is killed leaves behind
    /// comes to this process.
    ///
    /// SIGSTOP cannot be caught: it stops this process alone, and the command runs on.
    /// Errs when the system gives no handler or thread.
    pub fn watch() -> io::Result<Interruption> {
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let suspending = signals::heeded(&[SIGTSTP, SIGTTIN, SIGTTOU]);
        // The one that came last counts: a signal to go on may overtake the handling of the other.
        let is_suspended = Arc::new(AtomicUsize::new(0));
        for signal in &suspending {
            flag::register_usize(*signal, Arc::clone(&is_suspended), 1)?;
        }
        flag::register_usize(SIGCONT, Arc::clone(&is_suspended), 0)?;
        let ending = signals::heeded(&[SIGINT, SIGTERM, SIGHUP]);
        let mut signals = Signals::new(ending.iter().chain(&suspending).chain(&[SIGWINCH]))?;
        let interruption = Interruption {
            state: Arc::default(),
            came: Arc::default(),
        };
        let watched = interruption.clone();
        std::thread::Builder::new().spawn(move || {
            for signal in signals.forever() {
                match signal {
                    SIGTSTP | SIGTTIN | SIGTTOU => watched.suspend(&is_suspended),
                    SIGWINCH => {
                        watched.tell(SIGWINCH);
                        console::refresh();
                    }
                    signal => watched.interrupt(signal),
                }
            }
        })?;
        Ok(interruption)
    }

    /// Has something done before a signal ends this process between two commands. Another signal
    /// does not wait for it. What was to be done before is replaced.
    pub fn on_signal(&self, last_words: impl FnOnce(i32) + Send + 'static) {
        self.state().last_words = Some(Box::new(last_words));
    }

    /// The number of the first signal that asked us to stop, if one came.
    pub fn signal(&self) -> Option<i32> {
        self.state().signal
    }

    /// Waits for some time, but for no longer than until a signal comes; gives that.
    pub fn pause(&self, time: Duration) -> Option<i32> {
        let is_undisturbed = |state: &mut State| state.signal.is_none();
        let waited = self
            .came
            .wait_timeout_while(self.state(), time, is_undisturbed);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.signal
    }

    /// Starts a command that is told of signals until it is [`Interruption::forget`]ten, and before
    /// which our terminal had these modes if it is typed for it. Errs with `Interrupted`, and starts
    /// nothing, once a signal has come.
    pub fn start(
        &self,
        modes: Option<Modes>,
        start: impl FnOnce() -> io::Result<Running>,
    ) -> io::Result<Arc<Running>> {
        let mut state = self.state();
        if state.is_ending {
            // Whoever waited for something else goes on now, and must not be faster than the end.
            drop(state);
            loop {
                std::thread::park();
            }
        }
        if state.signal.is_some() {
            // This process is about to end; nothing may start any more.
            return Err(io::ErrorKind::Interrupted.into());
        }
        let running = Arc::new(start()?);
        state.running.push(Arc::clone(&running));
        state.modes = modes;
        Ok(running)
    }

    /// From here on the command, which has ended, is told of no signal; others still are.
    pub fn forget(&self, ended: &Arc<Running>) {
        let mut state = self.state();
        state.running.retain(|running| !Arc::ptr_eq(running, ended));
        state.modes = None;
    }

    fn tell(&self, signal: i32) {
        for running in &self.state().running {
            running.tell(signal);
        }
    }

    fn interrupt(&self, signal: i32) {
        let mut state = self.state();
        state.signal.get_or_insert(signal);
        self.came.notify_all();
        for running in &state.running {
            running.tell(signal);
        }
        if state.running.is_empty() {
            // Nothing runs that would have to be ended first.
            state.is_ending = true;
            console::clear();
            end_by(signal, state.last_words.take());
        }
    }

    /// Stops the commands, and then this process, until it is told to go on; then so are they.
    fn suspend(&self, is_suspended: &AtomicUsize) {
        // As for every process by default: nobody would be there to make it go on.
        if is_group_orphaned() {
            return;
        }
        let state = self.state();
        for running in &state.running {
            running.tell(SIGTSTP);
        }
        state
            .modes
            .as_ref()
            .inspect(|modes| terminal::restore(modes));
        if is_suspended.load(Ordering::SeqCst) == 1 {
            console::without_bottom(|| drop(emulate_default_handler(SIGTSTP)));
        }
        for running in &state.running {
            running.tell(SIGCONT);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in the state can be half-done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether no shell looks after our process group: that is so for the group of a session's leader.
fn is_group_orphaned() -> bool {
    rustix::process::getsid(None).is_ok_and(|session| session == rustix::process::getpgrp())
}

/// Ends this process as the signal does by default.
fn end_by(signal: i32, last_words: Option<Box<dyn FnOnce(i32) + Send>>) {
    let Some(last_words) = last_words else {
        return drop(emulate_default_handler(signal));
    };
    let end = move || {
        last_words(signal);
        drop(emulate_default_handler(signal));
    };
    // They may take long, and the next signal has to be heard.
    if std::thread::Builder::new().spawn(end).is_err() {
        drop(emulate_default_handler(signal));
    }
}
