//! What the start of a run would say, found out without a trace: nothing is made, written or sent.

use std::io;
use std::path::Path;

use process::files;
use rustix::fs::{Access, access};

use super::rest::Rest;
use super::settings::{Database, Experiment, Place, Settings};
use super::sqlite::Sqlite;
use super::stored::StoreError;
use super::waiting::Hurry;
use super::{Options, TrackingError};

/// Everything for which a run of a pipeline could not be recorded. `root` is the pipeline's folder; `experiments`
/// are those that steps have for themselves, by name. A server is asked if the user has named one.
pub fn check(
    options: &Options,
    root: &Path,
    caller: &Path,
    experiments: &[String],
) -> Vec<TrackingError> {
    let settings = match Settings::new(options, root, caller) {
        Ok(settings) => settings,
        Err(error) => return vec![error],
    };
    let Some(place) = &settings.place else {
        return Vec::new();
    };
    let wanted = wanted(&settings, experiments);
    let found = match place {
        Place::Server(url) => of_server(url, &wanted),
        Place::Database(database) => Ok(of_database(database, root, &wanted)),
    };
    let of_store = found.map(|found| {
        let failed = |source| TrackingError::Open {
            store: place.shown(),
            source,
        };
        found.into_iter().map(failed).collect()
    });
    let mut problems = of_store.unwrap_or_else(|error| vec![error]);
    problems.extend(of_folder(root));
    problems
}

/// What has to be there, or may be made, for a run.
enum Wanted {
    /// The run in which we are started.
    Run(String),
    /// None for that of MLflow.
    Experiment(Option<Experiment>),
}

fn wanted(settings: &Settings, experiments: &[String]) -> Vec<Wanted> {
    let first = match &settings.run_id {
        Some(run) => Wanted::Run(run.clone()),
        None => Wanted::Experiment(settings.experiment.clone()),
    };
    let others = experiments.iter().cloned().map(Experiment::Name);
    let others = others.map(|experiment| Wanted::Experiment(Some(experiment)));
    std::iter::once(first).chain(others).collect()
}

fn of_server(url: &str, wanted: &[Wanted]) -> Result<Vec<StoreError>, TrackingError> {
    let mut rest = Rest::new(url, &Hurry::default())?;
    Ok(missing(wanted, |wanted| match wanted {
        Wanted::Run(run) => rest.find(run).map(drop),
        Wanted::Experiment(experiment) => rest.find_experiment(experiment.as_ref()).map(drop),
    }))
}

fn of_database(database: &Database, root: &Path, wanted: &[Wanted]) -> Vec<StoreError> {
    let mut found = match Sqlite::look(&database.path, root) {
        Ok(found) => found,
        Err(error) => return vec![error],
    };
    let mut problems: Vec<StoreError> = unwritable(&database.path).into_iter().collect();
    problems.extend(missing(wanted, |wanted| match (&mut found, wanted) {
        (Some(sqlite), Wanted::Run(run)) => sqlite.find(run).map(drop),
        (Some(sqlite), Wanted::Experiment(experiment)) => {
            sqlite.find_experiment(experiment.as_ref()).map(drop)
        }
        (None, Wanted::Run(run)) => Err(StoreError::NoRun(run.clone())),
        // A new database has MLflow's own experiment.
        (None, Wanted::Experiment(Some(Experiment::Id(id)))) if id != "0" => {
            Err(StoreError::NoExperiment(id.clone()))
        }
        (None, Wanted::Experiment(_)) => Ok(()),
    }));
    problems
}

/// What is not there; a store that does not answer is not asked for more.
fn missing(
    wanted: &[Wanted],
    mut look: impl FnMut(&Wanted) -> Result<(), StoreError>,
) -> Vec<StoreError> {
    let mut problems = Vec::new();
    for wanted in wanted {
        let Err(error) = look(wanted) else {
            continue;
        };
        let is_away = error.may_pass();
        problems.push(error);
        if is_away {
            break;
        }
    }
    problems
}

/// Why a database cannot be written, or made. The folders for it are made by the run.
fn unwritable(path: &Path) -> Option<StoreError> {
    let refused = |path: &Path, error: io::Error| {
        StoreError::Unavailable(format!("{} cannot be written: {error}", path.display()))
    };
    let own = access(path, Access::WRITE_OK).err().map(io::Error::from);
    if let Some(error) = own.filter(|error| error.kind() != io::ErrorKind::NotFound) {
        return Some(refused(path, error));
    }
    // Sqlite keeps files of its own beside the database.
    let (folder, error) = files::may_make(path.parent()?).err()?;
    Some(refused(&folder, error))
}

/// What lies in the place of a folder of ours. One that we may not write to is no reason not to run.
fn of_folder(root: &Path) -> Option<TrackingError> {
    let is_in_the_way = |name: &str| {
        let found = root.join(name).metadata();
        found.is_ok_and(|found| !found.is_dir())
    };
    let error = || io::ErrorKind::NotADirectory.into();
    if is_in_the_way("mlruns") {
        return Some(TrackingError::Folder(error()));
    }
    is_in_the_way("mlruns/unsent").then(|| TrackingError::Spool(error()))
}
