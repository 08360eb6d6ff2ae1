//! Runs a pipeline of MLflow projects. Start reading at `pipeline.rs`.

mod cli;
mod command;
mod definition;
mod download;
mod elsewhere;
mod environment;
mod error;
mod files;
mod fold;
mod list;
mod lock;
mod log;
mod notice;
mod parameters;
mod pipeline;
mod plan;
mod process;
mod project;
mod redact;
mod relay;
mod source;
mod supervisor;
mod system;
mod tracking;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use elsewhere::Elsewhere;
use error::Error;
use redact::redact;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(role) = supervisor_role(&arguments) {
        return role;
    }
    match pipeline::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Usage(error)) => {
            // clap also speaks through this for `--help` and `--version`, which go to stdout and succeed.
            let text = redact(&error.render().to_string());
            // A reader that has gone away (`orchestrator --help | head -1`) is no failure of ours.
            let _ = if error.use_stderr() {
                io::stderr().write_all(text.as_bytes())
            } else {
                io::stdout().write_all(text.as_bytes())
            };
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
        Err(error) => {
            // Nobody is left to tell when stderr itself is closed; the exit code still says it.
            let _ = io::stderr().write_all(redact(&error.report()).as_bytes());
            ExitCode::from(error.exit_code())
        }
    }
}

/// Does the supervisor's work if that is what this process was started for.
fn supervisor_role(arguments: &[OsString]) -> Option<ExitCode> {
    let [_, role, parent, grace, log, command, elsewhere @ ..] = arguments else {
        return None;
    };
    if role != supervisor::ROLE {
        return None;
    }
    let parent = parent.to_str()?.parse().ok()?;
    let grace = Duration::from_millis(grace.to_str()?.parse().ok()?);
    let elsewhere = Elsewhere::from_arguments(elsewhere);
    let (command, elsewhere) = (command.to_str()?, elsewhere.as_ref());
    Some(supervisor::supervise(
        parent,
        grace,
        log.as_ref(),
        command,
        elsewhere,
    ))
}
