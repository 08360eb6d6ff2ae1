//! Runs a pipeline of MLflow projects. Start reading at `pipeline.rs`.

mod cli;
mod control;
mod definition;
mod download;
mod elsewhere;
mod environment;
mod error;
mod files;
mod fold;
mod git;
mod interruption;
mod list;
mod lock;
mod log;
mod notice;
mod parameters;
mod pipeline;
mod plan;
mod printable;
mod process;
mod redact;
mod relay;
mod signals;
mod source;
mod supervisor;
mod system;
mod terminal;
mod tracking;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use error::Error;
use printable::printable;
use redact::redact;
use supervisor::Errand;

fn main() -> ExitCode {
    signals::prepare();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(errand) = Errand::from_arguments(&arguments) {
        return supervisor::supervise(&errand);
    }
    match pipeline::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Usage(error)) => {
            // clap also speaks through this for `--help` and `--version`, which go to stdout and succeed.
            let text = redact(&printable(&error.render().to_string()));
            if error.use_stderr() {
                // Nobody is left to tell.
                io::stderr().write_all(text.as_bytes()).ok();
            } else if let Err(error) = pipeline::print_bytes(text.as_bytes()) {
                return fail(&error);
            }
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    // Nobody is left to tell when stderr itself is closed; the exit code still says it.
    io::stderr()
        .write_all(redact(&error.report()).as_bytes())
        .ok();
    ExitCode::from(error.exit_code())
}
