//! The program: reads the command line, downloads, and tells how it went.

use std::process::ExitCode;
use std::time::Instant;

use data_download::keep::leftovers::Leftovers;
use data_download::terminal::{say, say_lines};
use data_download::{cli, fetch, metrics, signals};

fn main() -> ExitCode {
    let wanted = match cli::read() {
        Ok(wanted) => wanted,
        Err(code) => return code,
    };
    let started = Instant::now();
    let leftovers = Leftovers::default();
    let fetched = signals::survive_the_limit_of_file_size()
        .and_then(|()| leftovers.watch_signals())
        .and_then(|()| fetch::fetch(&wanted, &leftovers));
    match fetched {
        Ok(fetched) => {
            let time = started.elapsed();
            metrics::append(fetched.bytes(), time);
            say(&format!(
                "data_download: {}",
                fetched.summary(&wanted, time)
            ));
            ExitCode::SUCCESS
        }
        Err(error) => {
            let note = leftovers.settle();
            let note = note.map(|note| format!("data_download: {note}"));
            let error = format!("error: {error:#}");
            say_lines([error.as_str()].into_iter().chain(note.as_deref()));
            ExitCode::FAILURE
        }
    }
}
