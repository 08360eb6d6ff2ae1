//! Downloads one file, whole or not at all.
//!
//! The main path is [`fetch::fetch`].

mod access;
mod cli;
#[cfg(feature = "cloud")]
mod cloud;
mod content;
mod cookies;
mod download;
mod fetch;
mod files;
mod headers;
mod http;
mod leftovers;
mod limits;
mod local;
mod metrics;
mod netrc;
mod output;
mod partial;
mod progress;
mod proxies;
mod reason;
mod record;
mod remote;
mod retry;
mod signals;
mod source;
mod terminal;
mod unpack;
mod version;

use std::process::ExitCode;
use std::time::Instant;

use crate::leftovers::Leftovers;
use crate::terminal::{say, say_lines};

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
