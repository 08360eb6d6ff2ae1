//! The stores: a server, or an sqlite file. What both have in common is here.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TrackingError;
use super::artifacts::{self, Location};
use super::history::Past;
use super::record::Record;
use super::rest::{Patience, Rest};
use super::settings::{Experiment, Place, Settings};
use super::sqlite::Sqlite;

/// Why a store did not take a record.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StoreError {
    /// It may take it later.
    #[error("{0}")]
    Unavailable(String),
    /// It will never take it.
    #[error("{0}")]
    Refused(String),
    /// The artifacts are in a cloud, which needs a client that we do not have.
    #[error("logs cannot be sent to artifacts at `{scheme}:`; this one stays at {}", file.display())]
    LogStays { scheme: String, file: PathBuf },
    #[error("there is no experiment with id `{0}`")]
    NoExperiment(String),
    #[error("experiment `{name}` (id {id}) is deleted")]
    DeletedExperiment { id: String, name: String },
    #[error("there is no run `{0}`, which MLFLOW_RUN_ID names")]
    NoRun(String),
    #[error("`{}` is a database, but none of MLflow", .0.display())]
    NotMlflow(PathBuf),
    #[error("`{}` is no MLflow database that we know: column {column} {problem}", path.display())]
    Schema {
        path: PathBuf,
        column: String,
        problem: &'static str,
    },
}

/// The experiment of a run.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) id: String,
    pub(super) is_new: bool,
}

/// A run that the store knows: its id there, and where its artifacts are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) artifacts: String,
}

#[derive(Debug)]
pub(super) struct Store {
    kind: Kind,
    pub(super) place: Place,
    /// The id of the experiment.
    pub(super) experiment: String,
    /// The pipeline's folder.
    root: PathBuf,
    /// The runs, by their keys.
    pub(super) known: HashMap<String, Known>,
}

#[derive(Debug)]
enum Kind {
    Rest(Box<Rest>),
    Sqlite(Box<Sqlite>),
}

/// The store, and what was found out on the way.
pub(super) struct Opened {
    pub(super) store: Store,
    /// The run in which we are started.
    pub(super) inside: Option<Known>,
    /// The name of an experiment that was made.
    pub(super) new_experiment: Option<String>,
}

impl Store {
    /// Reaches the store and finds the experiment, or the run in which we are started.
    pub(super) fn open(
        place: &Place,
        settings: &Settings,
        root: &Path,
    ) -> Result<Opened, TrackingError> {
        let failed = |source| TrackingError::Open {
            store: place.shown(),
            source,
        };
        let mut kind = match place {
            Place::Server(url) => Kind::Rest(Box::new(Rest::new(url)?)),
            Place::Database(path) => {
                Kind::Sqlite(Box::new(Sqlite::open(path, root).map_err(failed)?))
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
            experiment,
            root: root.to_owned(),
            known,
        };
        Ok(Opened {
            store,
            inside,
            new_experiment,
        })
    }

    /// Sends records in order; with an error comes how many of them have arrived.
    pub(super) fn send(
        &mut self,
        records: &[Record],
        patience: Patience,
    ) -> Result<(), (usize, StoreError)> {
        match &mut self.kind {
            Kind::Sqlite(sqlite) => {
                sqlite
                    .send(&self.experiment, records)
                    .map_err(|error| (0, error))?;
                for record in records {
                    if let Record::Start(run) = record {
                        let artifacts = sqlite
                            .artifacts(&self.experiment, &run.key)
                            .unwrap_or_default();
                        let id = run.key.clone();
                        self.known.insert(id.clone(), Known { id, artifacts });
                    }
                }
                Ok(())
            }
            Kind::Rest(rest) => {
                for (count, record) in records.iter().enumerate() {
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

    /// Where the log of a run is written, and whether it has to be sent somewhere else afterwards.
    pub(super) fn log_folder(&self, key: &str) -> (PathBuf, bool) {
        let known = self.known.get(key);
        let id = known.map_or(key, |known| known.id.as_str());
        if let Some(known) = known
            && let Location::Local(folder) = Location::parse(&known.artifacts, &self.root)
        {
            return (folder, false);
        }
        (
            artifacts::own_folder(&self.root, &self.experiment, id),
            true,
        )
    }

    /// Marks a run whose creation an earlier process may have asked for.
    pub(super) fn doubt(&mut self, key: &str) {
        if let Kind::Rest(rest) = &mut self.kind {
            rest.doubt(key);
        }
    }

    /// The last runs of a pipeline, newest first.
    pub(super) fn history(
        &mut self,
        pipeline: &str,
        limit: usize,
    ) -> Result<Vec<Past>, StoreError> {
        match &mut self.kind {
            Kind::Rest(rest) => rest.history(&self.experiment, pipeline, limit),
            Kind::Sqlite(sqlite) => sqlite.history(pipeline, limit),
        }
    }

    /// The text of an artifact that is not on this machine.
    pub(super) fn fetch(&self, artifacts: &str, name: &str) -> Result<Vec<u8>, StoreError> {
        match &self.kind {
            Kind::Rest(rest) => rest.fetch(artifacts, name),
            Kind::Sqlite(_) => Err(StoreError::Refused(format!(
                "the artifacts are at {artifacts}"
            ))),
        }
    }
}
