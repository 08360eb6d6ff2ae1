//! Questions to tools such as git, docker and conda: what they say, within limits.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};
use std::time::Duration;

use duct::Expression;
use mlproject::shell::quote;

use super::{Running, supervisor};
use crate::console::while_waiting;
use crate::host;
use crate::supervisor::Errand;

/// What a tool is asked.
#[derive(Debug)]
pub struct Question<'a> {
    /// Looked for on PATH as by [`host::find`].
    pub program: &'a str,
    /// Without the program itself; none is looked at by a shell. [`ask_server`] takes UTF-8 alone.
    pub arguments: &'a [&'a OsStr],
    /// Where the tool runs, absolute; `/` has nothing of the user's that a tool would read by itself.
    pub folder: &'a Path,
    /// Changes to the caller's variables; none stands for one to take out.
    pub variables: &'a [(&'a str, Option<&'a str>)],
    /// How long it may take; then it is ended, and the answer is an error of the kind `TimedOut`.
    pub limit: Duration,
}

/// How long a tool may take that has no reason to take long.
const ANSWERING: Duration = Duration::from_mins(1);

/// How long a tool has to end after it was asked to.
const GRACE: Duration = Duration::from_secs(1);

/// How much of an answer is read, in bytes.
pub(crate) const LONGEST_ANSWER: u64 = 16 << 20;

/// The largest file that a tool may write, in KiB; `ulimit` takes it.
const LARGEST_FILE: u64 = 4 << 20;

/// Asks a tool as [`ask_server`] does, for a minute at most; in `/`, where nothing is the user's, unless
/// a folder is named.
pub fn capture(program: &str, arguments: &[&OsStr], folder: Option<&Path>) -> io::Result<Output> {
    ask_server(&Question {
        program,
        arguments,
        folder: folder.unwrap_or(Path::new("/")),
        variables: &[],
        limit: ANSWERING,
    })
}

/// Asks a tool that looks at files of this machine and starts no other program. It has no input.
///
/// Of each output the first 16 MiB are kept. Errs when the tool is not on PATH, cannot be started or is
/// too slow; that it failed is no error but its status.
pub fn ask(question: &Question) -> io::Result<Output> {
    let tool = duct::cmd(find(question.program)?, question.arguments)
        .dir(question.folder)
        .stdin_null()
        .unchecked();
    let answer = Answer::new()?;
    let running = answer.of(&question.with_variables(tool))?.start()?;
    let waited = question.wait(|| running.wait_timeout(question.limit))?;
    let Some(ended) = waited else {
        running.kill()?;
        return Err(question.timed_out());
    };
    answer.read(ended.status)
}

/// Asks a tool that may start others and wait for a server. All of them end with it and with us, and
/// none writes a file of more than 4 GiB. It has no input. Its answer and the errors are as of [`ask`].
pub fn ask_server(question: &Question) -> io::Result<Output> {
    let program = find(question.program)?;
    let words = std::iter::once(program.as_os_str()).chain(question.arguments.iter().copied());
    let words: Option<Vec<String>> = words.map(|word| word.to_str().map(quote)).collect();
    let words = words
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "an argument is not UTF-8"))?;
    let errand = Errand {
        grace: GRACE,
        timeout: Some(question.limit),
        is_typed: false,
        label: None,
        // The answer is no output of a step.
        log: "/dev/null".into(),
        command: format!("ulimit -S -f {LARGEST_FILE}; exec {}", words.join(" ")),
        bracket: None,
    };
    let supervisor = supervisor(&errand, question.folder)?;
    let answer = Answer::new()?;
    let supervisor = answer.of(&question.with_variables(supervisor))?;
    let running = Running::start(&supervisor, File::open("/dev/null")?.as_fd(), None)?;
    let status = question.wait(|| running.handle.wait().map(|ended| ended.status))?;
    if running.control.report().is_some_and(|it| it.timed_out) {
        return Err(question.timed_out());
    }
    answer.read(status)
}

impl Question<'_> {
    fn with_variables(&self, tool: Expression) -> Expression {
        let variables = self.variables.iter();
        variables.fold(tool, |tool, (name, value)| match value {
            Some(value) => tool.env(name, value),
            None => tool.env_remove(name),
        })
    }

    /// Waits; whoever waits long is told for what.
    fn wait<T>(&self, waiting: impl FnOnce() -> T) -> T {
        while_waiting(&format!("waiting for `{}`", self.program), waiting)
    }

    fn timed_out(&self) -> io::Error {
        let limit = humantime::format_duration(self.limit);
        let text = format!("`{}` did not answer within {limit}", self.program);
        io::Error::new(io::ErrorKind::TimedOut, text)
    }
}

/// Both outputs of a tool, in files without names.
struct Answer {
    stdout: File,
    stderr: File,
}

impl Answer {
    fn new() -> io::Result<Answer> {
        Ok(Answer {
            stdout: tempfile::tempfile()?,
            stderr: tempfile::tempfile()?,
        })
    }

    fn of(&self, tool: &Expression) -> io::Result<Expression> {
        let (stdout, stderr) = (self.stdout.try_clone()?, self.stderr.try_clone()?);
        Ok(tool.stdout_file(stdout).stderr_file(stderr))
    }

    fn read(self, status: ExitStatus) -> io::Result<Output> {
        Ok(Output {
            status,
            stdout: beginning(self.stdout)?,
            stderr: beginning(self.stderr)?,
        })
    }
}

fn beginning(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(LONGEST_ANSWER).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn find(program: &str) -> io::Result<PathBuf> {
    let missing = || {
        let text = format!("there is no `{program}` on PATH");
        io::Error::new(io::ErrorKind::NotFound, text)
    };
    host::find(program).ok_or_else(missing)
}
