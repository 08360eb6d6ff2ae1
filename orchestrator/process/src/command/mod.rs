//! Starts one command, watches it and waits for its end. The only folder that names duct.

mod ask;
mod launch;
pub(crate) mod running;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use duct::Expression;
use rustix::stdio;

use crate::control::Report;
use crate::host;
use crate::interruption::Interruption;
use crate::label::Label;
use crate::screen::{self, Screen};
use crate::supervisor::Errand;
use crate::terminal::{self, Modes};

pub(crate) use ask::LONGEST_ANSWER;
pub use ask::{Question, ask, ask_server, capture};
pub use launch::Launch;
use running::Running;

/// How a command ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// How the command's shell ended; without a report, how the supervisor was killed.
    pub status: ExitStatus,
    /// What the supervisor told; none when that was killed.
    pub report: Option<Report>,
}

/// A command line about to be run.
#[derive(Debug)]
pub struct Job<'a> {
    /// The command line and its variables.
    pub launch: &'a Launch,
    /// Where it runs, absolute: the folder of the step's project.
    pub folder: &'a Path,
    /// What its lines begin with where others run beside it. Such a command has no input.
    pub label: Option<&'a Label>,
    /// An existing file that its output is added to, absolute.
    pub log: &'a Path,
    /// After this time the command is stopped as by SIGTERM; none is no limit.
    pub timeout: Option<Duration>,
    /// The time that its processes have to end after they were asked to; what is left then is killed.
    pub grace: Duration,
}

/// Runs a command line by `bash -c` in a folder, as MLflow does: without `-e` and without `pipefail`.
///
/// The command has the caller's variables with its own changes to them, and our standard input; its
/// output is passed on to ours and kept. It runs under a supervisor, which ends all of its processes
/// with it and with us. Fails only when nothing can be started, also because a signal has asked us to
/// stop (`Interrupted`); how the command ended is in the status.
pub fn run(job: &Job, interruption: &Interruption) -> io::Result<Ended> {
    let errand = Errand {
        grace: job.grace,
        timeout: job.timeout,
        is_typed: job.label.is_none() && !job.launch.is_remote() && terminal::is_typed(),
        label: job.label.cloned(),
        log: job.log.to_owned(),
        command: job.launch.command.clone(),
        bracket: job.launch.bracket.clone(),
    };
    let modes = Modes::of(stdio::stdin()).filter(|_| errand.is_typed);
    let supervisor = with_changes(supervisor(&errand, job.folder)?, job.launch);
    let screen = screen::of_process().map(Screen::shared);
    let running = interruption.start(modes.clone(), || match job.label {
        None => Running::start(&supervisor, stdio::stdin(), screen),
        Some(_) => Running::start(&supervisor, File::open("/dev/null")?.as_fd(), screen),
    })?;
    let waited = running.wait(job.grace, || interruption.signal().is_some());
    interruption.forget(&running);
    // A supervisor that was killed could not.
    modes.inspect(terminal::restore);
    let (status, report) = waited?;
    Ok(Ended { status, report })
}

/// Runs a command line as a step's, with an input of its own and its output in a file, without a limit
/// of time. Fails as [`run`] does.
pub fn run_logged(
    command: &str,
    folder: &Path,
    input: &File,
    log: File,
    grace: Duration,
    interruption: &Interruption,
) -> io::Result<ExitStatus> {
    let errand = Errand {
        grace,
        timeout: None,
        is_typed: false,
        label: None,
        // Its whole output goes to the file already.
        log: "/dev/null".into(),
        command: command.to_owned(),
        bracket: None,
    };
    let supervisor = supervisor(&errand, folder)?;
    let supervisor = supervisor.stderr_to_stdout().stdout_file(log);
    let running = interruption.start(None, || Running::start(&supervisor, input.as_fd(), None))?;
    let waited = running.wait(grace, || interruption.signal().is_some());
    interruption.forget(&running);
    waited.map(|(status, _)| status)
}

/// A supervisor, not started yet.
fn supervisor(errand: &Errand, folder: &Path) -> io::Result<Expression> {
    find_bash()?;
    let supervisor = duct::cmd(our_program()?, errand.arguments()).dir(folder);
    Ok(without_cargo(supervisor).unchecked())
}

fn with_changes(supervisor: Expression, launch: &Launch) -> Expression {
    let changes = launch.variables.iter();
    changes.fold(supervisor, |supervisor, (name, value)| match value {
        Some(value) => supervisor.env(name, value),
        None => supervisor.env_remove(name),
    })
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
    host::find("bash").map(drop).ok_or_else(missing)
}

/// Takes out what `cargo run` says of the orchestrator itself.
///
/// It is not part of the caller's environment, and wrong for a step: build scripts look at these
/// variables, so a step that is built by cargo would be compiled anew with all that it depends on.
fn without_cargo(command: Expression) -> Expression {
    if std::env::var_os("CARGO_PKG_NAME").is_none_or(|name| name != "orchestrator") {
        return command;
    }
    let of_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    std::env::vars_os()
        .filter(|(name, _)| name.to_str().is_some_and(of_package))
        .fold(command, |command, (name, _)| command.env_remove(name))
}
