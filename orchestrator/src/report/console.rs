//! The words of a run: what happens in it, line by line.

use std::fmt;

use mlproject::paths::shown;
use process::console::{report, say, warn};
use process::text::{names, plural, seconds};

use super::failure;
use crate::run::error::RunError;
use crate::run::event::{Event, Position};
use plan::Plan;
use plan::freshness::made_by;

/// Says what happened.
pub(crate) fn tell(event: Event) {
    match event {
        Event::Begun { .. }
        | Event::Attempted { .. }
        | Event::Ended { .. }
        | Event::Stopped { .. } => {}
        Event::Started { position, why } => {
            let why = why.map(|why| format!(": {why}"));
            say(&format!("{position}: running{}", why.unwrap_or_default()));
        }
        Event::UpToDate { position, made } => {
            say(&format!("{position}: up to date, {}", made_by(made)));
        }
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
        Event::Failed { error, is_allowed } => {
            let begin = if is_allowed { "warning" } else { "error" };
            report(&failure::told_as(begin, error));
        }
        Event::Waiting { step, others } => say(&format!(
            "`{step}` failed; waiting for {} (Ctrl-C stops {})",
            names(others),
            if others.len() == 1 { "it" } else { "them" }
        )),
        Event::LeftOut { position, maker } => say(&format!(
            "{position}: left out, as it needs what `{maker}` did not make"
        )),
        Event::Done {
            pipeline,
            count,
            up_to_date,
            unfinished,
            time,
        } => {
            let finished = count - unfinished.len() - up_to_date;
            let verb = if up_to_date == 1 { "was" } else { "were" };
            let (finished, time) = (plural(finished, "step"), seconds(time));
            let what = match up_to_date {
                0 => format!("{finished} finished in {time}"),
                all if all == count => all_up_to_date(count),
                some => format!("{finished} finished in {time}, {some} {verb} up to date"),
            };
            let rest = match unfinished {
                [] => String::new(),
                unfinished => format!(", without {}, which may fail", names(unfinished)),
            };
            say(&format!("{pipeline}: {what}{rest}"));
        }
    }
}

fn all_up_to_date(count: usize) -> String {
    match count {
        1 => "the step is up to date".to_owned(),
        count => format!("all {count} steps are up to date"),
    }
}

/// Says what is odd about a plan, and which steps are left of those that were selected, if that was asked for.
pub(crate) fn tell_selection(plan: &Plan) {
    for note in &plan.notes {
        warn(&note.to_string());
    }
    if let Some(all) = plan.narrowed_from {
        let chosen: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
        say(&format!(
            "{} of {}: {}",
            chosen.len(),
            plural(all, "step"),
            names(&chosen)
        ));
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
