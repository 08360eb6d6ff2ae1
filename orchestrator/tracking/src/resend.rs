//! Sends what earlier runs of a pipeline could not, and ends their runs.

use std::path::{Path, PathBuf};

use super::delivery::deliver;
use super::leftover::{Leftover, leftovers};
use super::record::{Record, Status};
use super::settings::{Experiment, Settings};
use super::spool::last_fact;
use super::store::Store;
use super::stored::StoreError;
use super::waiting::{Hurry, Patience};
use super::{TrackingError, Waiting};
use crate::Options;
use mlproject::paths::shown;
use process::console::{say, warn};
use process::files;

/// How long after the last word of a process that was killed its last request may still arrive, in
/// milliseconds.
const ON_ITS_WAY: u64 = 10_000;

/// Sends what earlier runs of a pipeline could not, to the store that is named now, and ends their runs as
/// killed. Gives what was sent, as a line.
///
/// `root` is the pipeline's folder, absolute; relative files of the options start from `caller`. Errs with
/// `--no-tracking`, when the store cannot be reached, and with [`TrackingError::Resend`] when something is
/// left, such as what belongs to another store.
pub fn resend(options: &Options, root: &Path, caller: &Path) -> Result<String, TrackingError> {
    let (left, refused) = leftovers(root);
    let mut waiting: Vec<Waiting> = refused
        .into_iter()
        .map(|refused| Waiting {
            file: refused.file,
            store: None,
            reason: refused.reason,
        })
        .collect();
    if left.is_empty() && waiting.is_empty() {
        return Ok("nothing to send\n".to_owned());
    }
    let mut settings = Settings::new(options, root, caller)?;
    let place = settings.place.take().ok_or(TrackingError::Off)?;
    settings.run_id = None;
    let mut count = 0;
    for leftover in left {
        let file = leftover.file.clone();
        let store = Some(process::printable::one_line(&leftover.uri).into_owned());
        if leftover.uri != place.shown() {
            let reason = format!(
                "name that store with --tracking-uri, now it is {}",
                place.shown()
            );
            waiting.push(Waiting {
                file,
                store,
                reason,
            });
            continue;
        }
        settings.experiment = Some(Experiment::Id(leftover.experiment.clone()));
        let mut opened = Store::open(&place, &settings, root, &Hurry::default())?.store;
        match mend(&mut opened, &leftover, Patience::Full) {
            Ok(sent) => count += sent,
            Err(error) => {
                let reason = error.to_string();
                waiting.push(Waiting {
                    file,
                    store,
                    reason,
                });
            }
        }
    }
    if !waiting.is_empty() {
        return Err(TrackingError::Resend(waiting));
    }
    Ok(format!("{count} records sent\n"))
}

/// Does the same at the start of a run, for what belongs to its store; nothing of it is an error.
pub(crate) fn mend_all(store: &mut Store, root: &Path) {
    let (left, refused) = leftovers(root);
    for refused in refused {
        warn(&format!(
            "{} is left alone: {}",
            shown(&refused.file),
            refused.reason
        ));
    }
    let experiment = store.experiment.clone();
    for leftover in left {
        if leftover.uri != store.place.shown() {
            continue;
        }
        match mend(store, &leftover, Patience::Once) {
            Ok(count) => say(&format!("{count} records of an earlier run were sent")),
            Err(error) => warn(&format!("{} still waits: {error}", shown(&leftover.file))),
        }
    }
    store.experiment = experiment;
}

/// Sends what a leftover holds and ends its runs, whose process is no more. Gives the number of
/// records that the store has confirmed.
fn mend(store: &mut Store, leftover: &Leftover, patience: Patience) -> Result<usize, StoreError> {
    store.experiment.clone_from(&leftover.experiment);
    recall(store, leftover, patience)?;
    let until = if leftover.is_idle {
        0
    } else {
        leftover.last + ON_ITS_WAY
    };
    for record in leftover.spool.unsent() {
        if let Record::Start(run) = &record {
            store.doubt(&run.key, until);
        }
    }
    // Written first as always: the one who mends may be killed, too.
    let kept = leftover.spool.keep(last_words(leftover));
    kept.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let records = leftover.spool.unsent();
    let delivered = deliver(store, &records, patience);
    let is_idle = delivered.is_idle();
    // What is not written here is only sent again.
    leftover
        .spool
        .sent(delivered.done, Vec::new(), is_idle)
        .ok();
    if let Some(error) = delivered.away {
        return Err(error);
    }
    let lost = delivered.done - delivered.confirmed;
    if lost > 0 {
        let file = shown(&leftover.file);
        warn(&format!(
            "{lost} records of {file} belong to no run that the store has of us, and are dropped"
        ));
    }
    leftover.spool.finish();
    Ok(delivered.confirmed)
}

/// Finds the runs that the records are about.
fn recall(store: &mut Store, leftover: &Leftover, patience: Patience) -> Result<(), StoreError> {
    let unsent = leftover.spool.unsent();
    let is_parent = |run: &str| {
        let mut starts = unsent.iter();
        starts.any(
            |record| matches!(record, Record::Start(new) if new.parent.as_deref() == Some(run)),
        )
    };
    let is_told_of = |run: &str| {
        let is_about = |record: &Record| {
            let from = match record {
                Record::Copy { from, .. } => Some(from.as_str()),
                _ => None,
            };
            record.run() == run || from == Some(run)
        };
        unsent.iter().any(is_about) || leftover.open.iter().any(|(open, _)| open == run)
    };
    let (mut keys, mut parents) = (Vec::new(), Vec::new());
    for (run, known) in &leftover.known {
        if *run != known.id && (is_told_of(run) || is_parent(run)) {
            keys.push((run.as_str(), known.experiment.as_deref()));
        }
        // The run of somebody else in which the pipeline was: nothing that a file says changes it.
        if *run == known.id && is_parent(run) {
            parents.push(run.as_str());
        }
    }
    store.recall(&keys, &parents, patience)
}

/// The ends of the runs that are open.
fn last_words(leftover: &Leftover) -> Vec<Record> {
    let mut words = Vec::new();
    for (run, log) in leftover.open.iter().rev() {
        let is_there = |file: &PathBuf| files::open_below(&leftover.root, file).is_ok();
        words.extend(log.clone().filter(is_there).map(|file| Record::Log {
            run: run.clone(),
            file,
        }));
        let error = "the orchestrator was killed".to_owned();
        words.push(last_fact(run, vec![("pipeline.error".to_owned(), error)]));
        words.push(Record::End {
            run: run.clone(),
            status: Status::Killed,
            end: leftover.last,
        });
    }
    words
}
