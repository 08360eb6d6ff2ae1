//! Runs a pipeline of MLflow projects. Start reading at `app.rs`.

mod app;
mod cli;

mod error;
mod invocation;

mod report;

mod run;

use std::ffi::OsString;
use std::process::ExitCode;

use error::Error;
use process::printable::printable;
use process::supervisor::{self, Errand};
use process::{console, signals};
use report::output;

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
            } else if let Err(error) = output::print(&text) {
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
