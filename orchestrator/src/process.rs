//! Starts one command, watches it and waits for its end. The only file that names duct.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
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
use crate::notice::while_waiting;
use crate::supervisor::ROLE;
use crate::system;
use mlproject::strformat::quote;

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

/// What a tool is asked.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// Looked for on PATH.
    pub(crate) program: &'a str,
    pub(crate) arguments: &'a [&'a OsStr],
    pub(crate) folder: &'a Path,
    /// Changes to the caller's variables; none stands for one to take out.
    pub(crate) variables: &'a [(&'a str, Option<&'a str>)],
    /// How long it may take.
    pub(crate) limit: Duration,
}

/// How long a tool may take that has no reason to take long.
const ANSWERING: Duration = Duration::from_mins(1);

/// How long a tool has to end after it was asked to.
const GRACE: Duration = Duration::from_secs(1);

/// How much of an answer is read, in bytes.
const LONGEST_ANSWER: u64 = 16 << 20;

/// The largest file that a tool may write, in KiB; `ulimit` takes it.
const LARGEST_FILE: u64 = 4 << 20;

/// Asks a tool that needs no other process and no server, in a folder with nothing of the user's
/// unless one is named.
pub(crate) fn capture(
    program: &str,
    arguments: &[&OsStr],
    folder: Option<&Path>,
) -> io::Result<Output> {
    ask_server(&Question {
        program,
        arguments,
        folder: folder.unwrap_or(Path::new("/")),
        variables: &[],
        limit: ANSWERING,
    })
}

/// Asks a tool that looks at files of this machine and starts no other program. It has no input.
pub(crate) fn ask(question: &Question) -> io::Result<Output> {
    let tool = duct::cmd(find_tool(question.program)?, question.arguments).dir(question.folder);
    let variables = question.variables.iter();
    let tool = variables.fold(tool, |tool, (name, value)| match value {
        Some(value) => tool.env(name, value),
        None => tool.env_remove(name),
    });
    answer(&tool, question)
}

/// Asks a tool that may start others and wait for a server. All of them end with it and with us, and
/// none writes a file without end. It has no input.
pub(crate) fn ask_server(question: &Question) -> io::Result<Output> {
    let program = find_tool(question.program)?;
    let words = std::iter::once(program.as_os_str()).chain(question.arguments.iter().copied());
    let words: Option<Vec<String>> = words.map(|word| word.to_str().map(quote)).collect();
    let words = words
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "an argument is not UTF-8"))?;
    let line = format!("ulimit -S -f {LARGEST_FILE}; exec {}", words.join(" "));
    let wrapped = Wrapped {
        variables: question
            .variables
            .iter()
            .map(|(name, value)| (name.into(), value.map(Into::into)))
            .collect(),
        ..Wrapped::plain(&line)
    };
    let supervisor = supervised(&wrapped, question.folder, Path::new("/dev/null"), GRACE)?;
    answer(&supervisor, question)
}

/// Waits for the answer of a tool; whoever waits long is told for what.
fn answer(tool: &Expression, question: &Question) -> io::Result<Output> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let running = tool
        .stdin_null()
        .stdout_file(stdout.try_clone()?)
        .stderr_file(stderr.try_clone()?)
        .unchecked()
        .start()?;
    let name = question.program;
    let text = format!("waiting for `{name}`");
    let has_ended = while_waiting(&text, || {
        running
            .wait_timeout(question.limit)
            .map(|ended| ended.is_some())
    })?;
    if !has_ended {
        running.send_signal(SIGTERM)?;
        if running.wait_timeout(2 * GRACE)?.is_none() {
            running.kill()?;
        }
        let limit = humantime::format_duration(question.limit);
        let text = format!("`{name}` did not answer within {limit}");
        return Err(io::Error::new(io::ErrorKind::TimedOut, text));
    }
    Ok(Output {
        status: running.wait()?.status,
        stdout: beginning(&mut stdout)?,
        stderr: beginning(&mut stderr)?,
    })
}

fn beginning(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(LONGEST_ANSWER).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn find_tool(program: &str) -> io::Result<PathBuf> {
    let missing = || {
        let text = format!("there is no `{program}` on PATH");
        io::Error::new(io::ErrorKind::NotFound, text)
    };
    system::find(program).ok_or_else(missing)
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
