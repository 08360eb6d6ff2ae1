//! Looks at the records, without a change to them or to anything else.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::TrackingError;
use super::artifacts::{self, Location, is_id};
use super::compare::{Changes, State, changes};
use super::past::{Past, PastRun};
use super::settings::{Place, Settings};
use super::store::Store;
use super::stored::StoreError;
use crate::Options;
use mlproject::file::open_regular;
use process::files;
use process::log;
use process::printable::one_line;

/// In so many of the last runs of a pipeline a log is looked for, and on a server the run of a step.
const LAST: usize = 100;

/// The records of a pipeline, open to be looked at.
///
/// A server is asked for the runs of one experiment, a database for all.
#[derive(Debug)]
pub struct Records {
    place: Place,
    settings: Settings,
    /// None where there is no store, which to look at is no reason to make.
    store: Option<Store>,
    pipeline: String,
    /// The pipeline's folder.
    root: PathBuf,
    /// Whether the user has named the store. A database that merely lies in the folder may have come
    /// with it: what it says of places elsewhere is not followed.
    is_named: bool,
}

/// A run in a list.
#[derive(Debug)]
pub struct Listed {
    /// The run.
    pub past: Past,
    /// What changed since the run before; none for the first.
    pub changes: Option<Changes>,
}

/// What an id names.
#[derive(Debug)]
pub enum Found {
    /// A run of the pipeline.
    Run(Box<Past>),
    /// A run of one of its steps, and the pipeline's run in which that was.
    Step(Box<(PastRun, PastRun)>),
}

impl Records {
    /// Opens the records of a pipeline: its name and folder, and the caller's folder. Errs with
    /// `--no-tracking`, and when the store cannot be reached or read.
    pub fn open(
        options: &Options,
        (pipeline, root, caller): (&str, &Path, &Path),
    ) -> Result<Records, TrackingError> {
        let mut settings = Settings::new(options, root, caller)?;
        settings.run_id = None;
        let place = settings.place.take().ok_or(TrackingError::Off)?;
        let mut records = Records {
            place,
            settings,
            store: None,
            pipeline: pipeline.to_owned(),
            root: root.to_owned(),
            is_named: super::settings::names_store(options),
        };
        records.reopen()?;
        Ok(records)
    }

    /// The pipeline's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Sees what has happened meanwhile.
    pub(crate) fn refresh(&mut self) -> Result<(), TrackingError> {
        match &self.place {
            Place::Server(_) => Ok(()),
            // It may be made anew, or looked at by a copy.
            Place::Database(_) => self.reopen(),
        }
    }

    fn reopen(&mut self) -> Result<(), TrackingError> {
        self.store = Store::look(&self.place, &self.settings, &self.root)?;
        Ok(())
    }

    /// The pipeline's last runs, newest first and `limit` at most. Those in which everything was up to date
    /// are among them only if they are asked for.
    pub fn last(
        &mut self,
        limit: usize,
        with_up_to_date: bool,
    ) -> Result<Vec<Listed>, TrackingError> {
        let wanted = |run: &PastRun| with_up_to_date || !run.is_up_to_date;
        // One more, to compare the last of them with.
        let runs = self.runs(limit.saturating_add(1), &wanted)?;
        let all = self.whole(runs)?;
        let mut before = State::default();
        let mut found: Vec<Option<Changes>> = Vec::new();
        for (number, past) in all.iter().rev().enumerate() {
            let changed = || changes(&before, &State::of(past));
            found.push((number > 0).then(changed));
            before.follow(past);
        }
        let listed = all.into_iter().zip(found.into_iter().rev());
        let listed = listed.map(|(past, changes)| Listed { past, changes });
        Ok(listed.take(limit).collect())
    }

    /// The run of the pipeline whose id begins so; if there is none, that of a step. Errs when there is no
    /// such run, or several.
    pub fn find(&mut self, begin: &str) -> Result<Found, TrackingError> {
        let unknown = || TrackingError::UnknownRun(begin.to_owned());
        if !is_id(begin) {
            return Err(unknown());
        }
        let is_it = |run: &PastRun| run.id.starts_with(begin);
        let mut found = self.runs(usize::MAX, &is_it)?;
        if let Some(run) = only(&mut found, begin, |run| &run.id)? {
            let mut whole = self.whole(vec![run])?;
            return Ok(Found::Run(Box::new(whole.pop().ok_or_else(unknown)?)));
        }
        let runs = match self.place {
            Place::Server(_) => self.runs(LAST, &|_| true)?,
            Place::Database(_) => self.runs(usize::MAX, &|_| true)?,
        };
        let steps = self.ask(|store| store.steps(&runs.iter().collect::<Vec<_>>(), &is_it))?;
        let pairs = runs.into_iter().zip(steps.unwrap_or_default());
        let mut found: Vec<(PastRun, PastRun)> = pairs
            .flat_map(|(run, steps)| steps.into_iter().map(move |step| (step, run.clone())))
            .collect();
        let step = only(&mut found, begin, |(step, _)| &step.id)?.ok_or_else(unknown)?;
        Ok(Found::Step(Box::new(step)))
    }

    /// The newest log of a step, or of the step that started last, in the last 100 runs of the pipeline.
    ///
    /// It is what the step printed, not made fit for a terminal. Errs when there is no log, and when the
    /// store cannot be read.
    pub fn newest_log(&mut self, step: Option<&str>) -> Result<Box<dyn Read>, TrackingError> {
        let runs = self.runs(LAST, &|_| true)?;
        let mut elsewhere = None;
        for run in runs {
            let steps = self.steps(&run)?;
            let named = steps.iter().rev().filter(|run| is_of(run, step));
            for run in named {
                match self.log(run) {
                    Ok(Some(log)) => return Ok(log),
                    Ok(None) => {}
                    Err(error) => elsewhere = elsewhere.or(Some(error)),
                }
            }
        }
        Err(elsewhere.unwrap_or_else(|| {
            TrackingError::NoLog(match step {
                Some(step) => format!("step `{}`", one_line(step)),
                None => "this pipeline".to_owned(),
            })
        }))
    }

    /// Where the log of a step's run is, as far as the store says: below the pipeline's folder, another one,
    /// or a URI. It is not looked whether it is there.
    pub fn log_place(&self, run: &PastRun) -> Option<String> {
        let file = log::name(run.step.as_deref()?);
        Some(match Location::parse(&run.artifacts, &self.root) {
            Location::Local(folder) => {
                let log = folder.join(file);
                let below = log.strip_prefix(&self.root).unwrap_or(&log);
                below.display().to_string()
            }
            _ => format!("{}/{file}", run.artifacts.trim_end_matches('/')),
        })
    }

    /// The pipeline's last runs that are wanted, newest first.
    pub(crate) fn runs(
        &mut self,
        limit: usize,
        is_wanted: &dyn Fn(&PastRun) -> bool,
    ) -> Result<Vec<PastRun>, TrackingError> {
        let pipeline = self.pipeline.clone();
        let runs = self.ask(|store| store.runs(&pipeline, limit, is_wanted))?;
        Ok(runs.unwrap_or_default())
    }

    /// The runs of the steps of a pipeline's run, in the order in which they started.
    pub(crate) fn steps(&mut self, run: &PastRun) -> Result<Vec<PastRun>, TrackingError> {
        let steps = self.ask(|store| store.steps(&[run], &|_| true))?;
        Ok(steps.into_iter().flatten().flatten().collect())
    }

    /// The run with an id, as it is now.
    pub(crate) fn run(&mut self, id: &str) -> Result<Option<PastRun>, TrackingError> {
        let found = self.ask(|store| store.with_ids(&[id]))?;
        Ok(found.into_iter().flatten().next())
    }

    fn whole(&mut self, runs: Vec<PastRun>) -> Result<Vec<Past>, TrackingError> {
        let whole = self.ask(|store| store.whole(runs))?;
        Ok(whole.unwrap_or_default())
    }

    fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut Store) -> Result<T, StoreError>,
    ) -> Result<Option<T>, TrackingError> {
        let failed = |source| TrackingError::Read {
            store: self.place.shown(),
            source,
        };
        self.store
            .as_mut()
            .map(question)
            .transpose()
            .map_err(failed)
    }

    /// The log of a step's run, if there is one.
    fn log(&self, run: &PastRun) -> Result<Option<Box<dyn Read>>, TrackingError> {
        if let Some(log) = self.local_log(run)? {
            return Ok(Some(Box::new(log)));
        }
        let (Some(store), Some(step)) = (&self.store, &run.step) else {
            return Ok(None);
        };
        let fetched = store.fetch(&run.artifacts, &log::name(step)).ok();
        Ok(fetched.map(|log| Box::new(log) as Box<dyn Read>))
    }

    /// The same, if it is on this machine.
    pub(crate) fn local_log(&self, run: &PastRun) -> Result<Option<File>, TrackingError> {
        let (Some(store), Some(step)) = (&self.store, &run.step) else {
            return Ok(None);
        };
        let file = log::name(step);
        match Location::parse(&run.artifacts, &self.root) {
            Location::Local(folder) => self.local(&folder.join(&file), step),
            _ if is_id(&run.id) => {
                let folder = artifacts::own_folder(&store.experiment, &run.id);
                Ok(files::open_below(&self.root, &folder.join(&file)).ok())
            }
            _ => Ok(None),
        }
    }

    /// A log on this machine: below the pipeline's own `mlruns`, or wherever a store says that the
    /// user has named.
    fn local(&self, path: &Path, step: &str) -> Result<Option<File>, TrackingError> {
        if let Ok(below) = path.strip_prefix(&self.root)
            && below.starts_with("mlruns")
        {
            return Ok(files::open_below(&self.root, below).ok());
        }
        if self.is_named {
            return Ok(open_regular(path).ok());
        }
        // The folder may have been moved or copied since.
        let moved = moved(path).and_then(|below| files::open_below(&self.root, &below).ok());
        if moved.is_some() || path.symlink_metadata().is_err() {
            return Ok(moved);
        }
        Err(TrackingError::LogElsewhere {
            step: format!("step `{}`", one_line(step)),
            file: path.to_owned(),
        })
    }
}

/// Whether a run is one of a step, or of the one that is named.
pub(crate) fn is_of(run: &PastRun, step: Option<&str>) -> bool {
    run.step.is_some() && (step.is_none() || run.step.as_deref() == step)
}

/// The only one whose id begins so, or that has just this id.
fn only<T>(
    found: &mut Vec<T>,
    begin: &str,
    id: impl Fn(&T) -> &str,
) -> Result<Option<T>, TrackingError> {
    if let Some(whole) = found.iter().position(|it| id(it) == begin) {
        return Ok(Some(found.swap_remove(whole)));
    }
    if found.len() > 1 {
        return Err(TrackingError::SeveralRuns {
            begin: begin.to_owned(),
            ids: found.iter().map(|it| id(it).to_owned()).collect(),
        });
    }
    Ok(found.pop())
}

/// Where a log is in a pipeline's folder, by the end of its place in another one.
fn moved(path: &Path) -> Option<PathBuf> {
    let mut parts = path.iter().rev().map(OsStr::to_str);
    let (file, folder) = (parts.next()??, parts.next()??);
    let (run, experiment) = (parts.next()??, parts.next()??);
    let is_ours = folder == "artifacts" && is_id(run) && is_id(experiment);
    is_ours.then(|| artifacts::own_folder(experiment, run).join(file))
}
