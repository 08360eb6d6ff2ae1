//! Every way a run can fail: the data, the message, the hint and the exit code.
//!
//! Messages are lower case, name the user's things in backticks and say what was expected.

use std::fmt::{self, Write};
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use mlproject::Place;
use mlproject::paths::shown;
use mlproject::strformat::TemplateError;

use crate::control::Unwritten;
use crate::download::DownloadError;
use crate::environment::{self, EnvironmentError, MakeError};
use crate::lock::LockError;
use crate::printable::printable;
use crate::redact::shown_value;
use crate::source::SourceError;
use crate::tracking::TrackingError;

/// Why the orchestrator did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Usage(Box<clap::Error>),
    /// The pipeline's own MLproject cannot be used.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The plan has problems; nothing was run.
    #[error("{}", plural(.0.len(), "problem"))]
    Plan(Vec<Problem>),
    /// The step's shell could not be started.
    #[error("step `{step}` could not be started")]
    Start {
        step: String,
        command: String,
        cwd: PathBuf,
        source: io::Error,
    },
    /// The step ran, and did not succeed.
    #[error(transparent)]
    Failed(Box<Failure>),
    /// Steps that were allowed to fail did, or could not run without those; the others succeeded.
    #[error("{} of {} did not finish: {}", .failed.len(), plural(*.count, "step"), names(.failed))]
    Incomplete { failed: Vec<String>, count: usize },
    /// Another run has locked the pipeline's folder, or it cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file for the step's output could not be made.
    #[error("cannot keep the output of the steps")]
    Log(#[source] io::Error),
    /// Environments could not be made; no step was run.
    #[error("{} could not be made; nothing was run", plural(.0.len(), "environment"))]
    Environments(Vec<environment::Failure>),
    /// We were asked to stop by a signal before the first step.
    #[error("stopped by {} while environments were made", signal_name(*.0))]
    InterruptedMaking(i32),
    /// The folder of environments cannot be used.
    #[error("cannot use the folder of environments {}", shown(.folder))]
    Store { folder: PathBuf, source: io::Error },
    /// A remote value of a `path` parameter could not be fetched.
    #[error("step `{step}`: cannot download `{uri}`")]
    Download {
        step: String,
        uri: String,
        source: DownloadError,
    },
    /// The run cannot be recorded, or its records not be read.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// Our own output could not be written.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// Relative paths lead nowhere.
    #[error("cannot find the current folder, which may have been removed")]
    CurrentFolder(#[source] io::Error),
    /// What asks us to stop would not be heard.
    #[error("cannot watch for signals")]
    Signals(#[source] io::Error),
}

/// An attempt at a step that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: String,
    pub(crate) command: String,
    pub(crate) cause: Cause,
    /// Why its output could not be passed on, if that is so.
    pub(crate) unwritten: Option<Unwritten>,
    pub(crate) duration: Duration,
    pub(crate) log: PathBuf,
    pub(crate) last_lines: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause {
    /// The command ended like this.
    Status(ExitStatus),
    /// It was stopped after this time.
    Timeout(Duration),
    /// We were asked to stop by this signal; the step's processes have ended.
    Interruption(i32),
    /// Its supervisor was killed and ended like this; the step's processes were ended by us.
    Supervisor(ExitStatus),
    /// It succeeded, but what it printed could not be passed on.
    Unwritten(Unwritten),
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, time) = (&self.step, seconds(self.duration));
        match self.cause {
            Cause::Status(status) => {
                write!(formatter, "step `{step}` {} after {time}", describe(status))
            }
            Cause::Timeout(timeout) => {
                let timeout = humantime::format_duration(timeout);
                write!(
                    formatter,
                    "step `{step}` was stopped after its timeout of {timeout}"
                )
            }
            Cause::Interruption(signal) => {
                let signal = signal_name(signal);
                write!(
                    formatter,
                    "stopped by {signal} while step `{step}` was running"
                )
            }
            Cause::Supervisor(status) => {
                let ended = describe(status);
                write!(
                    formatter,
                    "the supervisor of step `{step}` {ended} after {time}"
                )
            }
            Cause::Unwritten(unwritten) => {
                write!(formatter, "step `{step}` succeeded, but {unwritten}")
            }
        }
    }
}

impl Failure {
    pub(crate) fn is_interruption(&self) -> bool {
        matches!(self.cause, Cause::Interruption(_))
    }

    fn hint(&self) -> Option<String> {
        let Cause::Status(status) = self.cause else {
            return None;
        };
        let hint = match status.code()? {
            126 => "126 is the shell's code for a program that could not be executed",
            127 => {
                "127 is the shell's code for a program that was not found; is it installed and on PATH?"
            }
            _ => return None,
        };
        Some(hint.into())
    }

    /// What helps to find out why.
    fn report(&self, text: &mut String) {
        let unwritten = self
            .unwritten
            .filter(|_| !matches!(self.cause, Cause::Unwritten(_)));
        if let Some(unwritten) = unwritten {
            line(text, format_args!("  caused by: {unwritten}"));
        }
        if !self.is_interruption() {
            line(text, format_args!("  command: {}", self.command));
        }
        line(text, format_args!("  log: {}", shown(&self.log)));
        if self.is_interruption() {
            return;
        }
        match self.last_lines.len() {
            0 => line(text, format_args!("  it printed nothing")),
            1 => line(text, format_args!("  last line:")),
            count => line(text, format_args!("  last {count} lines:")),
        }
        for last in &self.last_lines {
            line(text, format_args!("    {last}"));
        }
    }
}

/// Why a project cannot be used, whatever it is asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectError {
    #[error("no MLproject file in `{}`", shown(.0))]
    Missing(PathBuf),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    File(#[from] mlproject::Error),
}

/// Something that keeps one step, or the whole plan, from running.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The step that cannot run; none when the request as a whole is wrong.
    pub(crate) step: Option<String>,
    /// Where the cause is written.
    pub(crate) place: Option<Place>,
    pub(crate) kind: ProblemKind,
}

impl Problem {
    /// A problem of the request as a whole.
    pub(crate) fn general(place: Option<&Place>, kind: ProblemKind) -> Problem {
        Problem {
            step: None,
            place: place.cloned(),
            kind,
        }
    }
}

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ProblemKind {
    #[error(transparent)]
    Project(Arc<ProjectError>),
    #[error(
        "nothing says which steps are `all`: the MLproject has no section `steps:` with default steps"
    )]
    NoSteps { known: Vec<String> },
    #[error("the default of `steps` is not a list of step names: {0}")]
    DefaultSteps(#[source] crate::cli::StepsError),
    #[error("unknown step `{name}`")]
    UnknownStep { name: String, known: Vec<String> },
    #[error("`{name}` is the pipeline itself and cannot be one of its own steps")]
    Itself { name: String },
    #[error("no entry point `{name}` in {}", shown(.project))]
    UnknownEntryPoint {
        name: String,
        project: PathBuf,
        known: Vec<String>,
    },
    #[error("entry point `{name}` has no command")]
    NoCommand { name: String },
    #[error("no value for the required parameter `{name}`")]
    MissingParameter { name: String, step: String },
    #[error("unknown parameter `{name}`: neither the pipeline nor a step declares it")]
    UnknownParameter { name: String, known: Vec<String> },
    #[error(
        "parameter `{name}` is of type {kind}, but its value is `{}`",
        shown_value(name, value)
    )]
    NotANumber {
        name: String,
        kind: &'static str,
        value: String,
    },
    #[error(
        "parameter `{name}` should be a URI such as https://host/file, but its value is `{}`",
        shown_value(name, value)
    )]
    NotAUri { name: String, value: String },
    #[error(
        "parameter `{name}` should name a file or folder that exists, but there is no `{}`",
        shown_value(name, value)
    )]
    NoSuchPath { name: String, value: String },
    #[error(
        "parameter `{name}` is a path, but its value is `{}`; only local, http and https paths are supported",
        shown_value(name, value)
    )]
    RemotePath { name: String, value: String },
    #[error("`{key}` names `{name}`, which is not a parameter of entry point `{entry_point}`")]
    UndeclaredFile {
        key: &'static str,
        name: String,
        entry_point: String,
        known: Vec<String>,
    },
    #[error("input `{name}` does not exist: {}", shown(.path))]
    MissingInput {
        name: String,
        path: PathBuf,
        maker: Option<String>,
    },
    #[error("the value of parameter `{name}` cannot be filled in: {source}")]
    Value { name: String, source: TemplateError },
    #[error("the command cannot be filled in at byte {}: {source}", source.offset())]
    Command { source: TemplateError },
    #[error("the command has {size} bytes, and the system takes at most {most}")]
    LongCommand { size: usize, most: usize },
    #[error("output `{name}` is {}, which step `{other}` writes too", shown(.path))]
    SameOutput {
        name: String,
        path: PathBuf,
        other: String,
    },
    #[error("there is no environment file {}", shown(.file))]
    NoEnvironmentFile { file: PathBuf },
    #[error(transparent)]
    Environment(EnvironmentError),
    #[error("MLflow refuses the parameter name `{name}`: {reason}")]
    RefusedName { name: String, reason: &'static str },
}

impl Error {
    pub(crate) fn usage(error: clap::Error) -> Error {
        Error::Usage(Box::new(error))
    }

    /// 0, 1 and 2 as `mlflow run` has them: 1 for whatever goes wrong, 2 for the command line; and what
    /// shells report for a program that was stopped by a signal.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            Error::Failed(failure) => match failure.cause {
                Cause::Interruption(signal) => u8::try_from(128 + signal).unwrap_or(1),
                _ => 1,
            },
            Error::InterruptedMaking(signal) => u8::try_from(128 + signal).unwrap_or(1),
            _ => 1,
        }
    }

    /// Whether this is about one step, so that others may still succeed.
    pub(crate) fn is_of_step(&self) -> bool {
        match self {
            Error::Failed(failure) => !failure.is_interruption(),
            Error::Start { .. } | Error::Download { .. } => true,
            _ => false,
        }
    }

    /// The whole message, ending in a newline: what went wrong, why, and the way out.
    pub(crate) fn report(&self) -> String {
        let mut text = String::new();
        if let Error::Plan(problems) = self {
            report_problems(&mut text, problems);
            return text;
        }
        line(&mut text, format_args!("error: {self}"));
        match self {
            Error::Start { command, cwd, .. } => {
                line(&mut text, format_args!("  command: {command}"));
                line(&mut text, format_args!("  folder: {}", cwd.display()));
            }
            Error::Failed(failure) => failure.report(&mut text),
            Error::Environments(failures) => report_failures(&mut text, failures),
            _ => {}
        }
        report_causes(&mut text, std::error::Error::source(self), "");
        if let Some(hint) = self.hint() {
            line(&mut text, format_args!("hint: {hint}"));
        }
        text
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Project(error) => error.hint(),
            Error::CurrentFolder(_) => {
                Some("go to another folder, or name the pipeline's with `-C /its/folder`".into())
            }
            Error::Tracking(error) => error.hint(),
            Error::Failed(failure) => failure.hint(),
            Error::Environments(failures)
                if failures
                    .iter()
                    .any(|it| matches!(it.error, MakeError::Write { .. })) =>
            {
                Some("`--env-root DIR` names another folder for environments".into())
            }
            Error::Start { source, .. }
                if source.kind() == io::ErrorKind::ArgumentListTooLong =>
            {
                Some("the command and all variables together are too long (`getconf ARG_MAX`), or one variable is".into())
            }
            Error::Lock(LockError::Held { .. }) => {
                Some("wait for its end with `--wait`, or run in a copy of the folder".into())
            }
            _ => None,
        }
    }
}

fn report_failures(text: &mut String, failures: &[environment::Failure]) {
    for failure in failures {
        let steps = names(&failure.steps);
        let (name, error) = (&failure.name, &failure.error);
        line(text, format_args!("  {name}, for {steps}: {error}"));
        report_causes(text, std::error::Error::source(error), "  ");
        if let MakeError::Tool {
            last_lines, log, ..
        } = error
        {
            for said in last_lines.lines() {
                line(text, format_args!("    | {said}"));
            }
            line(text, format_args!("    log: {}", shown(log)));
        }
    }
}

fn report_problems(text: &mut String, problems: &[Problem]) {
    line(
        text,
        format_args!(
            "error: {}; nothing was run",
            plural(problems.len(), "problem")
        ),
    );
    for problem in problems {
        let place = problem
            .place
            .as_ref()
            .map(|place| format!(" ({place})"))
            .unwrap_or_default();
        match &problem.step {
            Some(step) => line(
                text,
                format_args!("  step `{step}`: {}{place}", problem.kind),
            ),
            None => line(text, format_args!("  {}{place}", problem.kind)),
        }
        if let ProblemKind::Project(error) = &problem.kind {
            report_causes(text, std::error::Error::source(error), "    ");
        }
        if let Some(hint) = problem.kind.hint() {
            line(text, format_args!("    hint: {hint}"));
        }
    }
}

fn report_causes(text: &mut String, mut cause: Option<&dyn std::error::Error>, indent: &str) {
    while let Some(error) = cause {
        line(text, format_args!("{indent}  caused by: {error}"));
        cause = error.source();
    }
}

impl ProjectError {
    fn hint(&self) -> Option<String> {
        match self {
            ProjectError::Missing(_) => {
                Some("run in a pipeline's folder, or name it with `-C DIR`".into())
            }
            ProjectError::File(mlproject::Error::UnknownKey { key, known, .. }) => {
                Some(suggestion(key, known))
            }
            _ => None,
        }
    }
}

impl ProblemKind {
    fn hint(&self) -> Option<String> {
        Some(match self {
            ProblemKind::Project(error) => return error.hint(),
            ProblemKind::NoSteps { known } => {
                format!("name them, for instance `--steps {}`", known.join(","))
            }
            ProblemKind::UnknownStep { name, known } if known.is_empty() => {
                format!("a step is a folder with an MLproject, here `{name}/MLproject`")
            }
            ProblemKind::UnknownStep { name, known }
            | ProblemKind::UnknownEntryPoint { name, known, .. }
            | ProblemKind::UnknownParameter { name, known }
            | ProblemKind::UndeclaredFile { name, known, .. } => suggestion(name, known),
            ProblemKind::MissingParameter { name, step } => {
                format!(
                    "give it with `-P {name}=VALUE`, or for this step alone with `-P {step}.{name}=VALUE`"
                )
            }
            ProblemKind::MissingInput {
                maker: Some(maker), ..
            } => {
                format!("step `{maker}` makes it and has to run before")
            }
            ProblemKind::Environment(error) => return error.hint(),
            ProblemKind::LongCommand { .. } => {
                "hand long values over in a file, or put the command in a script".into()
            }
            ProblemKind::RefusedName { .. } => {
                "rename it, or record nothing: `--no-tracking`".into()
            }
            _ => return None,
        })
    }
}

/// "did you mean" for the nearest known name, and all the known names.
fn suggestion(name: &str, known: &[impl AsRef<str>]) -> String {
    let nearest = known
        .iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(name, candidate.as_ref()),
                candidate.as_ref(),
            )
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0));
    match nearest {
        Some((_, nearest)) => format!("did you mean `{nearest}`? known are {}", names(known)),
        None if known.is_empty() => "none are known".into(),
        None => format!("known are {}", names(known)),
    }
}

/// How a process ended, as the end of a sentence that starts with its name.
pub(crate) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("failed with exit code {code}"),
        (None, Some(signal)) => format!("was killed by {}", signal_name(signal)),
        (None, None) => format!("ended with {status}"),
    }
}

/// A time for people: `0.1 s`, `2h 3m 20s`.
pub(crate) fn seconds(time: Duration) -> String {
    if time < Duration::from_mins(1) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

/// `SIGTERM`, or the number of a signal without a name.
fn signal_name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal)
        .map_or_else(|| format!("signal {signal}"), str::to_owned)
}

pub(crate) fn names(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    quoted.join(", ")
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Adds a line. What follows a newline in its content is indented, so that nobody takes it for a line
/// of ours.
fn line(text: &mut String, content: fmt::Arguments<'_>) {
    let content = content.to_string();
    let content = printable(content.trim_end_matches('\n'));
    let indent = content.len() - content.trim_start_matches(' ').len() + 4;
    for (number, part) in content.split('\n').enumerate() {
        let indent = if number == 0 { 0 } else { indent };
        writeln!(text, "{:indent$}{part}", "").expect("writing to a String cannot fail");
    }
}
