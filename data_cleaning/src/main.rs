//! The program: reads the command line, cleans, and tells what was found.

use std::process::ExitCode;
use std::time::Instant;

use data_cleaning::clean::clean;
use data_cleaning::cli;
use data_cleaning::console::{printable, say};
use data_cleaning::files::limit_tells_itself;
use data_cleaning::tell::tell;

fn main() -> ExitCode {
    let started = Instant::now();
    let wanted = match cli::read() {
        Ok(wanted) => wanted,
        Err(code) => return code,
    };
    let result = limit_tells_itself()
        .and_then(|()| clean(&wanted))
        .and_then(|cleaned| tell(&wanted, &cleaned, started));
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    say(&printable(&format!("error: {error:#}")));
    ExitCode::FAILURE
}
