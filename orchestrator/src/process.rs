//! Starts one command, watches it and waits for its end. The only file that names duct.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use duct::unix::HandleExt;
use duct::{Expression, Handle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::environment::Wrapped;
use crate::supervisor::ROLE;
use crate::system;

/// The signals that ask us to stop. They are passed on to the running command; when none is
/// running, they end this process as they always do.
#[derive(Debug, Clone)]
pub(crate) struct Interruption {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The first signal that came.
    signal: Option<i32>,
    /// Environments are made several at once.
    running: Vec<Arc<Handle>>,
    /// What has to be done before a signal ends this process.
    last_words: Option<Box<dyn FnOnce(i32) + Send>>,
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("State").finish_non_exhaustive()
    }
}

impl Interruption {
    /// From here on SIGINT, SIGTERM and SIGHUP no longer end this process while a command runs.
    pub(crate) fn watch() -> io::Result<Interruption> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let interruption = Interruption {
            state: Arc::default(),
        };
        let watched = interruption.clone();
        std::thread::Builder::new().spawn(move || {
            for signal in signals.forever() {
                let mut state = watched.state();
                state.signal.get_or_insert(signal);
                for running in &state.running {
                    // It may have ended by now.
                    running.send_signal(signal).ok();
                }
                if state.running.is_empty() {
                    // Nothing runs that would have to be ended first.
                    end_by(signal, state.last_words.take());
                }
            }
        })?;
        Ok(interruption)
    }

    /// Has something done before a signal ends this process between two commands. Another signal
    /// does not wait for it.
    pub(crate) fn before_the_end(&self, last_words: impl FnOnce(i32) + Send + 'static) {
        self.state().last_words = Some(Box::new(last_words));
    }

    /// The signal that asked us to stop, if one came.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.state().signal
    }

    /// Starts a command that is told of signals until it is [`Interruption::forget`]ten.
    fn start(&self, command: &Expression) -> io::Result<Arc<Handle>> {
        let mut state = self.state();
        if state.signal.is_some() {
            // This process is about to end; nothing may start any more.
            return Err(io::ErrorKind::Interrupted.into());
        }
        let running = Arc::new(command.start()?);
        state.running.push(Arc::clone(&running));
        Ok(running)
    }

    fn forget(&self, ended: &Arc<Handle>) {
        self.state()
            .running
            .retain(|running| !Arc::ptr_eq(running, ended));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in the state can be half-done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

/// How a command ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Whether it was stopped because its time was over.
    pub(crate) timed_out: bool,
}

/// A command line about to be run.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) wrapped: &'a Wrapped,
    pub(crate) folder: &'a Path,
    /// An existing file that its output is added to.
    pub(crate) log: &'a Path,
    /// After this time the command is stopped as by a signal.
    pub(crate) timeout: Option<Duration>,
    /// The time that its processes have to end after they were asked to.
    pub(crate) grace: Duration,
}

/// Runs a command line by `bash -c` in a folder, as MLflow does: without `-e` and without `pipefail`.
///
/// The command has the caller's variables with its own changes to them, and our standard input; its
/// output is passed on to ours and kept. It runs under a supervisor, which ends all of its processes
/// with it and with us. Fails only when the shell cannot be started; how the command ended is in the
/// status.
pub(crate) fn run(job: &Job, interruption: &Interruption) -> io::Result<Ended> {
    find_bash()?;
    let running = interruption.start(&supervised(job.wrapped, job.folder, job.log, job.grace)?)?;
    let has_ended = match job.timeout {
        Some(timeout) => running.wait_timeout(timeout)?.is_some(),
        None => true,
    };
    if !has_ended {
        running.send_signal(SIGTERM)?;
    }
    let status = running.wait()?.status;
    interruption.forget(&running);
    Ok(Ended {
        status,
        timed_out: !has_ended,
    })
}

/// Runs a command line as a step's, with an input of its own and its output in a file.
pub(crate) fn run_logged(
    command: &str,
    folder: &Path,
    input: File,
    log: File,
    grace: Duration,
    interruption: &Interruption,
) -> io::Result<ExitStatus> {
    find_bash()?;
    // Its whole output goes to the file already.
    let no_log = Path::new("/dev/null");
    let supervisor = supervised(&Wrapped::plain(command), folder, no_log, grace)?;
    let supervisor = supervisor
        .stdin_file(input)
        .stderr_to_stdout()
        .stdout_file(log);
    let running = interruption.start(&supervisor)?;
    let status = running.wait()?.status;
    interruption.forget(&running);
    Ok(status)
}

/// A command line under a supervisor, not started yet.
fn supervised(
    wrapped: &Wrapped,
    folder: &Path,
    log: &Path,
    grace: Duration,
) -> io::Result<Expression> {
    let parent = std::process::id().to_string();
    let grace = grace.as_millis().to_string();
    let mut arguments: Vec<&OsStr> = vec![
        ROLE.as_ref(),
        parent.as_ref(),
        grace.as_ref(),
        log.as_ref(),
        wrapped.command.as_ref(),
    ];
    if let Some(elsewhere) = &wrapped.elsewhere {
        arguments.extend([
            OsStr::new(&elsewhere.set_up),
            OsStr::new(&elsewhere.clean_up),
        ]);
    }
    let supervisor = duct::cmd(our_program()?, arguments).dir(folder);
    let changes = wrapped.variables.iter();
    let supervisor = changes.fold(
        without_cargo(supervisor),
        |supervisor, (name, value)| match value {
            Some(value) => supervisor.env(name, value),
            None => supervisor.env_remove(name),
        },
    );
    Ok(supervisor.unchecked())
}

/// The file that this process was started from, also when it has been replaced or removed since, as
/// by a build during a long run.
fn our_program() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    if cfg!(target_os = "linux") && !program.exists() {
        return Ok("/proc/self/exe".into());
    }
    Ok(program)
}

/// The supervisor could not tell a shell that is missing from one that fails.
fn find_bash() -> io::Result<()> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no `bash` on PATH");
    system::find("bash").map(drop).ok_or_else(missing)
}

/// Runs a program to its end, without input, and keeps what it prints. It may not ask for a password.
pub(crate) fn capture(
    program: &str,
    arguments: &[&OsStr],
    folder: Option<&Path>,
) -> io::Result<Output> {
    let command = duct::cmd(program, arguments).env("GIT_TERMINAL_PROMPT", "0");
    let command = match folder {
        Some(folder) => command.dir(folder),
        None => command,
    };
    command
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
}

/// Takes out what `cargo run` says of the orchestrator itself.
///
/// It is not part of the caller's environment, and wrong for a step: build scripts look at these
/// variables, so a step that is built by cargo would be compiled anew with all that it depends on.
fn without_cargo(command: Expression) -> Expression {
    if std::env::var_os("CARGO_PKG_NAME").is_none_or(|name| name != env!("CARGO_PKG_NAME")) {
        return command;
    }
    let of_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    std::env::vars_os()
        .filter(|(name, _)| name.to_str().is_some_and(of_package))
        .fold(command, |command, (name, _)| command.env_remove(name))
}
