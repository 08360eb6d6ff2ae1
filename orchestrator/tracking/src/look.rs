//! Looks at the records, without a change to them or to anything else.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::TrackingError;
use super::artifacts::{self, Location, is_id};
use super::history::{self, Past, PastRun};
use super::settings::Settings;
use super::store::Store;
use crate::Options;
use mlproject::file::open_regular;
use process::files;
use process::log;
use process::printable::one_line;

/// The pipeline whose records are looked at: its name and folder, and the caller's folder.
type Pipeline<'a> = (&'a str, &'a Path, &'a Path);

/// The last runs of a pipeline, newest first and `limit` at most: a line for each, or a list in JSON.
///
/// A server is asked for those of one experiment, a database for all. Where there is no store there are
/// no runs.
/// Errs with `--no-tracking`, and when the store cannot be read.
pub fn history(
    options: &Options,
    pipeline: Pipeline<'_>,
    limit: usize,
    as_json: bool,
) -> Result<String, TrackingError> {
    let past = past_runs(options, pipeline, limit)?;
    let past = past.map(|(_, past)| past).unwrap_or_default();
    Ok(if as_json {
        history::json(&past)
    } else {
        history::text(&past)
    })
}

/// None where there is no store, which to look at is no reason to make.
fn past_runs(
    options: &Options,
    (pipeline, root, caller): Pipeline<'_>,
    limit: usize,
) -> Result<Option<(Store, Vec<Past>)>, TrackingError> {
    let mut settings = Settings::new(options, root, caller)?;
    settings.run_id = None;
    let place = settings.place.take().ok_or(TrackingError::Off)?;
    let Some(mut store) = Store::look(&place, &settings, root)? else {
        return Ok(None);
    };
    let past = store
        .history(pipeline, limit)
        .map_err(|source| TrackingError::Read {
            store: place.shown(),
            source,
        })?;
    Ok(Some((store, past)))
}

/// The newest log of a step, or of the step that started last, in the last 100 runs of a pipeline.
///
/// It is what the step printed, not made fit for a terminal. Errs as [`history()`] does, and when there is
/// no log.
pub fn newest_log(
    options: &Options,
    pipeline: Pipeline<'_>,
    step: Option<&str>,
) -> Result<Box<dyn Read>, TrackingError> {
    let past = past_runs(options, pipeline, 100)?;
    let none = || {
        TrackingError::NoLog(match step {
            Some(step) => format!("step `{}`", one_line(step)),
            None => "this pipeline".to_owned(),
        })
    };
    let (store, past) = past.ok_or_else(none)?;
    let reader = Reader {
        store: &store,
        root: pipeline.1,
        is_named: super::settings::names_store(options),
    };
    let newest_first = past.iter().flat_map(|past| past.steps.iter().rev());
    let mut elsewhere = None;
    for run in newest_first {
        let Some(name) = run.step.as_deref() else {
            continue;
        };
        if step.is_some_and(|step| step != name) {
            continue;
        }
        match reader.open(run, name) {
            Ok(Some(log)) => return Ok(log),
            Ok(None) => {}
            Err(error) => elsewhere = elsewhere.or(Some(error)),
        }
    }
    Err(elsewhere.unwrap_or_else(none))
}

/// Reads logs by what the records say of their places.
struct Reader<'a> {
    store: &'a Store,
    /// The pipeline's folder.
    root: &'a Path,
    /// Whether the user has named the store. A database that merely lies in the folder may have come
    /// with it: what it says of places elsewhere is not followed.
    is_named: bool,
}

impl Reader<'_> {
    fn open(&self, run: &PastRun, step: &str) -> Result<Option<Box<dyn Read>>, TrackingError> {
        let file = log::name(step);
        let local = match Location::parse(&run.artifacts, self.root) {
            Location::Local(folder) => self.local(&folder.join(&file), step)?,
            _ if is_id(&run.id) => {
                let folder = artifacts::own_folder(&self.store.experiment, &run.id);
                files::open_below(self.root, &folder.join(&file)).ok()
            }
            _ => None,
        };
        if let Some(log) = local {
            return Ok(Some(Box::new(log)));
        }
        let fetched = self.store.fetch(&run.artifacts, &file).ok();
        Ok(fetched.map(|log| Box::new(log) as Box<dyn Read>))
    }

    /// A log on this machine: below the pipeline's own `mlruns`, or wherever a store says that the
    /// user has named.
    fn local(&self, path: &Path, step: &str) -> Result<Option<File>, TrackingError> {
        if let Ok(below) = path.strip_prefix(self.root)
            && below.starts_with("mlruns")
        {
            return Ok(files::open_below(self.root, below).ok());
        }
        if self.is_named {
            return Ok(open_regular(path).ok());
        }
        // The folder may have been moved or copied since.
        let moved = moved(path).and_then(|below| files::open_below(self.root, &below).ok());
        if moved.is_some() || path.symlink_metadata().is_err() {
            return Ok(moved);
        }
        Err(TrackingError::LogElsewhere {
            step: format!("step `{}`", one_line(step)),
            file: path.to_owned(),
        })
    }
}

/// Where a log is in a pipeline's folder, by the end of its place in another one.
fn moved(path: &Path) -> Option<PathBuf> {
    let mut parts = path.iter().rev().map(OsStr::to_str);
    let (file, folder) = (parts.next()??, parts.next()??);
    let (run, experiment) = (parts.next()??, parts.next()??);
    let is_ours = folder == "artifacts" && is_id(run) && is_id(experiment);
    is_ours.then(|| artifacts::own_folder(experiment, run).join(file))
}
