//! The words of a run: what happens in it, line by line.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mlproject::paths::shown;
use process::console::{self, Bottom, columns, report, say, share_terminal, show_at_bottom, warn};
use process::styled::{Line, Style};
use process::text::{names, plural, seconds};

use super::failure;
use super::progress::{Progress, State};
use crate::run::error::RunError;
use crate::run::event::{Event, Position};
use plan::Plan;
use plan::freshness::made_by;

/// Tells what happens in a run. On a terminal a run of several steps has a line at the bottom while it
/// goes on, and a table at its end.
pub(crate) struct Console {
    progress: Arc<Mutex<Progress>>,
    bottom: Mutex<Option<Bottom>>,
    /// Whether the table is still to be shown.
    is_open: AtomicBool,
}

impl Console {
    pub(crate) fn new(plan: &Plan) -> Console {
        share_terminal();
        let names = plan.steps.iter().map(|step| step.name.as_str());
        let progress = Arc::new(Mutex::new(Progress::new(names)));
        let shown = Arc::clone(&progress);
        let compose = move |columns| lock(&shown).bottom(columns);
        let bottom = (plan.steps.len() > 1).then(|| show_at_bottom(compose));
        Console {
            progress,
            bottom: Mutex::new(bottom.flatten()),
            is_open: AtomicBool::new(plan.steps.len() > 1),
        }
    }

    /// Says what happened.
    pub(crate) fn tell(&self, event: Event) {
        self.note(&event);
        if let Event::Done { .. } | Event::Ended { .. } = event {
            self.close();
        }
        say_event(event);
    }

    /// The end of the run: what has become of the steps, if several were to run and somebody looks.
    pub(crate) fn close(&self) {
        drop(lock(&self.bottom).take());
        let is_open = self.is_open.swap(false, Ordering::Relaxed);
        let progress = lock(&self.progress);
        let is_begun = progress.steps.iter().any(|it| it.state != State::NotRun);
        if let Some(columns) = columns().filter(|_| is_open && is_begun) {
            progress.table(columns).iter().for_each(console::tell);
        }
    }

    fn note(&self, event: &Event) {
        let mut progress = lock(&self.progress);
        let mut set = |position: &Position, state, why: Option<String>, time| {
            let step = &mut progress.steps[position.number - 1];
            step.state = state;
            step.time = time;
            if let Some(why) = why {
                step.why = why;
            }
        };
        match event {
            Event::Started { position, why } => {
                let state = State::Running(Instant::now());
                set(position, state, why.map(str::to_owned), None);
            }
            Event::UpToDate { position, made } => {
                set(position, State::UpToDate, Some(made_by(made)), None);
            }
            Event::Finished {
                position,
                time,
                metrics,
            } => {
                set(position, State::Finished, None, Some(*time));
                progress.steps[position.number - 1].metrics = metrics.to_vec();
            }
            Event::Unfinished {
                position,
                error,
                time,
            } => {
                let state = match error.signal() {
                    Some(_) => State::Stopped,
                    None => State::Failed,
                };
                set(position, state, None, Some(*time));
            }
            Event::LeftOut { position, maker } => {
                let why = format!("needs what `{maker}` did not make");
                set(position, State::LeftOut, Some(why), None);
            }
            _ => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The beginning of a line about a step.
fn about(position: Position) -> Line {
    let Position {
        number,
        count,
        step,
    } = position;
    Line::new()
        .with(Style::Strong, &format!("[{number}/{count}] "))
        .with(Style::Step(number - 1), step)
        .and(": ")
}

fn say_event(event: Event) {
    let line = match event {
        Event::Started { position, why } => {
            let why = why.map(|why| format!(": {why}"));
            let line = about(position).with(Style::Busy, "running");
            line.and(&why.unwrap_or_default())
        }
        Event::Queued { position, reason } => about(position)
            .with(Style::Busy, "queued")
            .and(&format!(" ({reason})")),
        Event::OnNode { position, node } => about(position)
            .with(Style::Busy, "running")
            .and(&format!(" on {node}")),
        Event::UpToDate { position, made } => about(position)
            .with(Style::Good, "up to date")
            .with(Style::Faint, &format!(", {}", made_by(made))),
        Event::Retry {
            position,
            error,
            retry,
            retries,
            pause,
        } => {
            let (reason, pause) = (reason(error), humantime::format_duration(pause));
            about(position)
                .with(Style::Odd, &reason)
                .and(&format!("; retry {retry} of {retries} in {pause}"))
        }
        Event::Finished { position, time, .. } => about(position)
            .with(Style::Good, "finished")
            .with(Style::Faint, &format!(" in {}", seconds(time))),
        Event::Failed { error, is_allowed } => {
            let begin = if is_allowed { "warning" } else { "error" };
            return report(&failure::told_as(begin, error));
        }
        Event::Waiting { step, others } => waiting(step, others),
        Event::LeftOut { position, maker } => {
            let why = format!(", because `{maker}` did not finish and this step needs its output");
            about(position).with(Style::Odd, "left out").and(&why)
        }
        // What follows from it is told by other events, or at the end of the run.
        Event::Begun { .. }
        | Event::Attempted { .. }
        | Event::Unfinished { .. }
        | Event::Ended { .. }
        | Event::Stopped { .. } => return,
        Event::Done {
            pipeline,
            count,
            up_to_date,
            unfinished,
            time,
        } => {
            let what = closing(count, up_to_date, unfinished, time);
            let line = Line::new().with(Style::Strong, pipeline);
            line.and(&format!(": {what}"))
        }
    };
    console::tell(&line);
}

/// That a step failed while others still run.
fn waiting(step: &str, others: &[&str]) -> Line {
    let others_end = if others.len() == 1 { "it" } else { "them" };
    let others = names(others);
    Line::new()
        .and(&format!("`{step}` "))
        .with(Style::Bad, "failed")
        .and(&format!(
            "; waiting for {others} (Ctrl-C stops {others_end})"
        ))
}

/// What a run that went well has done.
fn closing(count: usize, up_to_date: usize, unfinished: &[String], time: Duration) -> String {
    let finished = count - unfinished.len() - up_to_date;
    let verb = if up_to_date == 1 { "was" } else { "were" };
    let (finished, time) = (plural(finished, "step"), seconds(time));
    let what = match up_to_date {
        0 => format!("{finished} finished in {time}"),
        all if all == count => all_up_to_date(count),
        some => format!("{finished} finished in {time}, {some} {verb} up to date"),
    };
    match unfinished {
        [] => what,
        unfinished => format!("{what}, without {}, which may fail", names(unfinished)),
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
