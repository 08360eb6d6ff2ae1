//! Runs a pipeline of MLflow projects. Start reading at `app.rs`.

mod app;
mod bracket;
mod cli;
mod control;
mod definition;
mod download;
mod environment;
mod error;
mod files;
mod git;
mod host;
mod interruption;
mod lock;
mod log;
mod names;
mod plan;
mod printable;
mod process;
mod redact;
mod report;
mod request;
mod run;
mod signals;
mod source;
mod supervisor;
mod tee;
mod terminal;
mod text;
mod tracking;
mod transcript;

use std::ffi::OsString;
use std::process::ExitCode;

use error::Error;
use printable::printable;
use report::console;
use supervisor::Errand;

/// Does what the command line asks for: the user's, or that of a supervisor, which is this program
/// once more.
///
/// The exit code is 0 when all went well, 1 when the run failed or could not be planned, 2 for a bad
/// command line and 128+n when it was stopped by signal n.
pub fn main(arguments: &[OsString]) -> ExitCode {
    signals::prepare();
    if let Some(errand) = Errand::from_arguments(arguments) {
        return supervisor::supervise(&errand);
    }
    match app::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Usage(error)) => {
            // clap also speaks through this for `--help` and `--version`, which go to stdout and succeed.
            let text = error.render().to_string();
            if error.use_stderr() {
                console::report(&printable(&text));
            } else if let Err(error) = console::print(&text) {
                return fail(&Error::Output(error));
            }
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    console::report(&error.report());
    ExitCode::from(error.exit_code())
}
