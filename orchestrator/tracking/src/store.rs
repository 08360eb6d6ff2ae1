//! The stores: a server, or an sqlite file. What both have in common is here.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use reqwest::blocking::Response;

use super::TrackingError;
use super::alias::Alias;
use super::artifacts::{self, Location};
use super::origin::Before;
use super::past::{Past, PastRun};
use super::record::{Pairs, Record};
use super::rest::Rest;
use super::settings::{Experiment, Place, Settings};
use super::sqlite::Sqlite;
use super::stored::{Chosen, Known, StoreError};
use super::waiting::{Hurry, Patience};
use process::console::warn;

/// Where the log of a run is written.
pub(crate) enum LogFolder {
    /// Where it belongs.
    Final(PathBuf),
    /// Relative to the pipeline's folder.
    Ours(PathBuf),
}

#[derive(Debug)]
pub(crate) struct Store {
    kind: Kind,
    pub place: Place,
    /// By which the steps know the folder of a database.
    alias: Option<Alias>,
    /// The id of the experiment.
    pub experiment: String,
    /// The pipeline's folder.
    root: PathBuf,
    /// The runs, by their keys.
    pub known: HashMap<String, Known>,
    /// Runs of somebody else, of which only a file says that ours are in them. They are not changed.
    foreign: HashSet<String>,
}

#[derive(Debug)]
enum Kind {
    Rest(Box<Rest>),
    Sqlite(Box<Sqlite>),
}

/// The store, and what was found out on the way.
pub(crate) struct Opened {
    pub store: Store,
    /// The run in which we are started.
    pub inside: Option<Known>,
    /// The name of an experiment that was made.
    pub new_experiment: Option<String>,
}

/// The other name for the folder of a database, where one is needed.
fn alias(place: &Place) -> Option<Alias> {
    let Place::Database(database) = place else {
        return None;
    };
    Alias::of(&database.path).unwrap_or_else(|error| {
        warn(&format!(
            "steps that use MLflow's client will not find {}, as its path has `%` or `?` ({error}); name another one with --tracking-uri",
            place.shown()
        ));
        None
    })
}

impl Store {
    /// Reaches the store and finds the experiment, or the run in which we are started.
    pub(crate) fn open(
        place: &Place,
        settings: &Settings,
        root: &Path,
        hurry: &Hurry,
    ) -> Result<Opened, TrackingError> {
        let failed = |source| TrackingError::Open {
            store: place.shown(),
            source,
        };
        let mut kind = match place {
            Place::Server(url) => Kind::Rest(Box::new(Rest::new(url, hurry)?)),
            Place::Database(database) => {
                let opened = Sqlite::open(&database.path, database.timeout, root, hurry);
                Kind::Sqlite(Box::new(opened.map_err(failed)?))
            }
        };
        let mut known = HashMap::new();
        let (mut inside, mut new_experiment) = (None, None);
        let experiment = if let Some(run) = &settings.run_id {
            let found = match &mut kind {
                Kind::Rest(rest) => rest.find(run),
                Kind::Sqlite(sqlite) => sqlite.find(run),
            };
            let (run, experiment) = found.map_err(failed)?;
            known.insert(run.id.clone(), run.clone());
            inside = Some(run);
            experiment
        } else {
            let wanted = settings.experiment.as_ref();
            let chosen = match &mut kind {
                Kind::Rest(rest) => rest.choose(wanted),
                Kind::Sqlite(sqlite) => sqlite.choose(wanted),
            };
            let chosen = chosen.map_err(failed)?;
            if let (true, Some(Experiment::Name(name))) = (chosen.is_new, wanted) {
                new_experiment = Some(name.clone());
            }
            chosen.id
        };
        let store = Store {
            kind,
            place: place.clone(),
            alias: alias(place),
            experiment,
            root: root.to_owned(),
            known,
            foreign: HashSet::new(),
        };
        Ok(Opened {
            store,
            inside,
            new_experiment,
        })
    }

    /// Opens the store only to look; none if there is nothing in it, or no such experiment.
    pub(crate) fn look(
        place: &Place,
        settings: &Settings,
        root: &Path,
    ) -> Result<Option<Store>, TrackingError> {
        let failed = |source| TrackingError::Open {
            store: place.shown(),
            source,
        };
        let found = match place {
            Place::Server(url) => {
                let rest = Rest::new(url, &Hurry::default())?;
                let found = rest.find_experiment(settings.experiment.as_ref());
                found
                    .map_err(failed)?
                    .map(|chosen| (Kind::Rest(Box::new(rest)), chosen.id))
            }
            // Its runs are found in all experiments.
            Place::Database(database) => Sqlite::look(&database.path, root)
                .map_err(failed)?
                .map(|sqlite| (Kind::Sqlite(Box::new(sqlite)), "0".to_owned())),
        };
        Ok(found.map(|(kind, experiment)| Store {
            kind,
            place: place.clone(),
            alias: None,
            experiment,
            root: root.to_owned(),
            known: HashMap::new(),
            foreign: HashSet::new(),
        }))
    }

    /// The URI for a step.
    pub(crate) fn uri(&self) -> String {
        self.place.uri(self.alias.as_ref())
    }

    /// Sends records in order; with an error comes how many of them have arrived.
    pub(crate) fn send(
        &mut self,
        records: &[Record],
        patience: Patience,
    ) -> Result<(), (usize, StoreError)> {
        match &mut self.kind {
            Kind::Sqlite(sqlite) => {
                sqlite
                    .send(&self.experiment, records, patience)
                    .map_err(|error| (0, error))?;
                for record in records {
                    if let Record::Start(run) = record {
                        let experiment = run.experiment.as_ref().unwrap_or(&self.experiment);
                        let artifacts = sqlite.artifacts(experiment, &run.key);
                        let known = Known::new(run.key.clone(), artifacts.unwrap_or_default());
                        self.known.insert(run.key.clone(), known);
                    }
                }
                Ok(())
            }
            Kind::Rest(rest) => {
                for (count, record) in records.iter().enumerate() {
                    if self.foreign.contains(record.run()) {
                        return Err((count, StoreError::UnknownRun));
                    }
                    rest.send(
                        &self.experiment,
                        record,
                        &mut self.known,
                        &self.root,
                        patience,
                    )
                    .map_err(|error| (count, error))?;
                }
                Ok(())
            }
        }
    }

    /// Where the log of a run is written, below the pipeline's folder if it has to be sent somewhere
    /// else afterwards.
    pub(crate) fn log_folder(&self, key: &str) -> LogFolder {
        let known = self.known.get(key);
        let id = known.map_or(key, |known| known.id.as_str());
        if let Some(known) = known
            && let Location::Local(folder) = Location::parse(&known.artifacts, &self.root)
        {
            return LogFolder::Final(folder);
        }
        LogFolder::Ours(artifacts::own_folder(&self.experiment, id))
    }

    /// The id under which the store knows a run, if that is not our key.
    pub(crate) fn known_by_other_id(&self, key: &str) -> Option<Known> {
        self.known.get(key).filter(|known| known.id != key).cloned()
    }

    /// Finds the runs of an earlier process, by our keys, each perhaps with its experiment, and not by what a
    /// file says of them.
    /// `parents` are not ours: a pipeline's run may be in one of somebody else.
    pub(crate) fn recall(
        &mut self,
        keys: &[(&str, Option<&str>)],
        parents: &[&str],
        patience: Patience,
    ) -> Result<(), StoreError> {
        // In a file of sqlite the key is the id, which nobody can guess.
        let Kind::Rest(rest) = &self.kind else {
            return Ok(());
        };
        for (key, experiment) in keys {
            let experiment = experiment.unwrap_or(&self.experiment);
            if let Some(known) = rest.find_by_key(experiment, key, patience)? {
                self.known.insert((*key).to_owned(), known);
            }
        }
        self.foreign = parents.iter().map(|id| (*id).to_owned()).collect();
        self.known.extend(parents.iter().map(|id| {
            let known = Known::new((*id).to_owned(), String::new());
            ((*id).to_owned(), known)
        }));
        Ok(())
    }

    /// Marks a run whose creation an earlier process may have asked for; it may arrive until a time
    /// in milliseconds since 1970.
    pub(crate) fn doubt(&mut self, key: &str, until: u64) {
        if let Kind::Rest(rest) = &mut self.kind {
            rest.doubt(key, until);
        }
    }

    /// Whether the database has been removed, or another file is in its place.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(&self.kind, Kind::Sqlite(sqlite) if sqlite.is_gone())
    }

    /// Opens the database again, which makes it anew, with the experiment or the default one.
    pub(crate) fn reopen(&mut self, experiment: Option<&Experiment>) -> Result<(), StoreError> {
        let Kind::Sqlite(sqlite) = &mut self.kind else {
            return Ok(());
        };
        sqlite.reopen()?;
        let chosen = sqlite.choose(experiment).or_else(|_| sqlite.choose(None))?;
        self.experiment = chosen.id;
        Ok(())
    }

    /// The experiment of that name; made if there is none.
    pub(crate) fn choose(&mut self, name: &str) -> Result<Chosen, StoreError> {
        let wanted = Experiment::Name(name.to_owned());
        match &mut self.kind {
            Kind::Rest(rest) => rest.choose(Some(&wanted)),
            Kind::Sqlite(sqlite) => sqlite.choose(Some(&wanted)),
        }
    }

    /// A run by its id, of whatever experiment.
    pub(crate) fn find(&mut self, run: &str) -> Result<Known, StoreError> {
        let found = match &mut self.kind {
            Kind::Rest(rest) => rest.find(run),
            Kind::Sqlite(sqlite) => sqlite.find(run),
        };
        found.map(|(known, _)| known)
    }

    /// The last runs of a pipeline that are wanted, newest first. `is_wanted` does not see their parameters,
    /// metrics and tags.
    pub(crate) fn runs(
        &mut self,
        pipeline: &str,
        limit: usize,
        is_wanted: &dyn Fn(&PastRun) -> bool,
    ) -> Result<Vec<PastRun>, StoreError> {
        match &mut self.kind {
            Kind::Rest(rest) => rest.runs(&self.experiment, pipeline, limit, is_wanted),
            Kind::Sqlite(sqlite) => sqlite.runs(pipeline, limit, is_wanted),
        }
    }

    /// Those of the runs of the steps of pipelines' runs that are wanted, in the order in which they started.
    pub(crate) fn steps(
        &mut self,
        runs: &[&PastRun],
        is_wanted: &dyn Fn(&PastRun) -> bool,
    ) -> Result<Vec<Vec<PastRun>>, StoreError> {
        match &mut self.kind {
            Kind::Rest(rest) => {
                let steps = |run: &&PastRun| {
                    let mut steps = rest.steps(&self.experiment, run)?;
                    steps.retain(is_wanted);
                    Ok(steps)
                };
                runs.iter().map(steps).collect()
            }
            Kind::Sqlite(sqlite) => sqlite.steps(runs, is_wanted),
        }
    }

    /// The runs with these ids that there are.
    pub(crate) fn with_ids(&mut self, ids: &[&str]) -> Result<Vec<PastRun>, StoreError> {
        match &mut self.kind {
            Kind::Rest(rest) => {
                let found = ids.iter().map(|id| rest.run(id, Patience::Full));
                let found: Result<Vec<Option<PastRun>>, _> = found.collect();
                Ok(found?.into_iter().flatten().collect())
            }
            Kind::Sqlite(sqlite) => sqlite.with_ids(ids),
        }
    }

    /// The parameters that a run may not have yet. What a database has it keeps.
    pub(crate) fn missing(&self, run: &str, parameters: Pairs) -> Result<Pairs, StoreError> {
        match &self.kind {
            Kind::Rest(rest) => rest.missing(run, parameters, Patience::Short),
            Kind::Sqlite(_) => Ok(parameters),
        }
    }

    /// The runs with those of their steps, and of the steps that were up to date.
    pub(crate) fn whole(&mut self, runs: Vec<PastRun>) -> Result<Vec<Past>, StoreError> {
        let steps = self.steps(&runs.iter().collect::<Vec<_>>(), &|_| true)?;
        let mut known: HashMap<String, PastRun> = HashMap::new();
        for step in steps.iter().flatten() {
            known.insert(step.id.clone(), step.clone());
        }
        let reused = runs.iter().flat_map(Past::reused_ids);
        let mut unknown: Vec<&str> = reused
            .filter(|id| artifacts::is_id(id) && !known.contains_key(*id))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        for run in self.with_ids(&unknown)? {
            known.insert(run.id.clone(), run);
        }
        let past = runs.into_iter().zip(steps).map(|(run, steps)| {
            let reused = Past::reused_ids(&run).filter_map(|id| known.get(id));
            Past {
                reused: reused.filter(|run| run.step.is_some()).cloned().collect(),
                run,
                steps,
            }
        });
        Ok(past.collect())
    }

    /// The run of a pipeline before that of this id.
    pub(crate) fn before(
        &mut self,
        pipeline: &str,
        run: &str,
    ) -> Result<Option<Before>, StoreError> {
        match &mut self.kind {
            Kind::Rest(rest) => rest.before(&self.experiment, pipeline, run),
            Kind::Sqlite(sqlite) => sqlite.before(pipeline, run),
        }
    }

    /// An artifact that is not on this machine.
    pub(crate) fn fetch(&self, artifacts: &str, name: &str) -> Result<Response, StoreError> {
        match &self.kind {
            Kind::Rest(rest) => rest.fetch(artifacts, name),
            Kind::Sqlite(_) => Err(StoreError::Refused(format!(
                "the artifacts are at {artifacts}"
            ))),
        }
    }
}
