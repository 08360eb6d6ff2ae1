//! The words of a run: what happens in it, line by line.

use std::fmt;

use mlproject::paths::shown;
use process::console::{report, say};
use process::text::{plural, seconds};

use super::failure;
use crate::run::error::RunError;
use crate::run::event::{Event, Position};

/// Says what happened.
pub(crate) fn tell(event: Event) {
    match event {
        Event::Started(position) => say(&format!("{position}: running")),
        Event::Retry {
            position,
            error,
            retry,
            retries,
            pause,
        } => {
            let (reason, pause) = (reason(error), humantime::format_duration(pause));
            say(&format!(
                "{position}: {reason}; retry {retry} of {retries} in {pause}"
            ));
        }
        Event::Finished { position, time } => {
            say(&format!("{position}: finished in {}", seconds(time)));
        }
        Event::Failed(error) => report(&failure::text(error)),
        Event::LeftOut { position, maker } => say(&format!(
            "{position}: left out, as it needs what `{maker}` did not make"
        )),
        Event::Done {
            pipeline,
            count,
            time,
        } => say(&format!(
            "{pipeline}: {} finished in {}",
            plural(count, "step"),
            seconds(time)
        )),
    }
}

/// Why an attempt failed, as a part of a line.
fn reason(error: &RunError) -> String {
    match error {
        RunError::Failed(failure) => format!("{failure} (log: {})", shown(&failure.log)),
        RunError::MissingOutput { log, .. } => format!("{error} (log: {})", shown(log)),
        RunError::Download { uri, source, .. } => format!("cannot download `{uri}`: {source}"),
        error => error.to_string(),
    }
}

impl fmt::Display for Position<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}/{}] {}", self.number, self.count, self.step)
    }
}
