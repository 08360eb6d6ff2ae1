//! A tracking store that is an sqlite file: MLflow's own tables, written without MLflow. The only
//! folder that names rusqlite.
//!
//! Any MLflow from its first schema on may have made the file, and one may upgrade it between two of
//! our transactions; so each transaction looks at the columns that there are.

mod before;
mod experiments;
mod insert;
mod open;
mod past;
mod schema;

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};

use super::artifacts::{Location, is_id, location_in};
use super::record::{self, Record};
use super::settings::Experiment;
use super::stored::{Chosen, Known, StoreError};
use super::waiting::{Hurry, Patience, TOLD_AFTER};
use insert::{SET_TAG, insert_metrics, insert_pairs, insert_run, new_experiment, to_sql};
use past::metrics_of_step;
use process::console::say;
use schema::{Schema, read_schema};

/// How long sqlite itself waits for another process, before we look at the time and for signals.
const SLICE: Duration = Duration::from_millis(100);

/// What MLflow calls the stage of what is deleted, which it keeps.
const DELETED: &str = "deleted";

#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    /// The pipeline's folder, below which artifacts are when the database does not say where.
    root: PathBuf,
    schema: Schema,
    hurry: Hurry,
    /// How long another process is waited for, if the user says so.
    timeout: Option<Duration>,
    /// Device and number of the file, by which it is known when it has been removed.
    identity: Option<(u64, u64)>,
    /// The same of the write-ahead log beside it, and of what goes with that.
    beside: [Option<(u64, u64)>; 2],
    /// What is looked at in place of a file that cannot be read without writing beside it.
    copy: Option<tempfile::TempDir>,
}

impl From<rusqlite::Error> for StoreError {
    /// What may pass is `Unavailable`; what another try would not change is `Refused`.
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked,
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::SchemaChanged,
            ) => StoreError::Unavailable(error.to_string()),
            _ => StoreError::Refused(error.to_string()),
        }
    }
}

impl Sqlite {
    /// The experiment that was asked for; made if it is named and unknown.
    pub(crate) fn choose(&mut self, wanted: Option<&Experiment>) -> Result<Chosen, StoreError> {
        let default = Experiment::Id("0".into());
        let wanted = wanted.unwrap_or(&default).clone();
        let root = self.root.clone();
        self.transact(Patience::Full, |transaction, schema| {
            match (experiment(transaction, &wanted)?, &wanted) {
                (Some(id), _) => Ok(Chosen { id, is_new: false }),
                (None, Experiment::Name(name)) => {
                    let id = new_experiment(transaction, schema, name, &root)?;
                    Ok(Chosen { id, is_new: true })
                }
                (None, Experiment::Id(id)) => Err(StoreError::NoExperiment(id.clone())),
            }
        })
    }

    /// The experiment that was asked for, if there is one; a name may have none yet.
    pub(crate) fn find_experiment(
        &mut self,
        wanted: Option<&Experiment>,
    ) -> Result<Option<Chosen>, StoreError> {
        let default = Experiment::Id("0".into());
        let wanted = wanted.unwrap_or(&default);
        let found = self.waited(Patience::Full, |store| {
            experiment(&store.connection, wanted)
        })?;
        match (found, wanted) {
            (None, Experiment::Id(id)) => Err(StoreError::NoExperiment(id.clone())),
            (found, _) => Ok(found.map(|id| Chosen { id, is_new: false })),
        }
    }

    /// The run in which we are started, and its experiment.
    pub(crate) fn find(&mut self, run: &str) -> Result<(Known, String), StoreError> {
        let query = "SELECT artifact_uri, CAST(experiment_id AS TEXT), lifecycle_stage FROM runs WHERE run_uuid = ?1";
        let found = self.waited(Patience::Short, |store| {
            let found = store.connection.query_row(query, [run], |row| {
                let (artifacts, stage): (Option<String>, Option<String>) =
                    (row.get(0)?, row.get(2)?);
                Ok((artifacts, row.get(1)?, stage))
            });
            Ok(found.optional()?)
        })?;
        let (artifacts, experiment, stage) =
            found.ok_or_else(|| StoreError::NoRun(run.to_owned()))?;
        if stage.as_deref() == Some(DELETED) {
            return Err(StoreError::DeletedRun(run.to_owned()));
        }
        let known = Known::new(run.to_owned(), artifacts.unwrap_or_default());
        Ok((known, experiment))
    }

    /// Where the artifacts of a run of this experiment are.
    ///
    /// The database of an `mlflow server` names the server's own address (`mlflow-artifacts:`), which
    /// nobody can reach through a file: such runs have theirs below the pipeline's folder, where the
    /// server finds them too.
    pub(crate) fn artifacts(&self, experiment: &str, run: &str) -> Result<String, StoreError> {
        let query =
            "SELECT artifact_location FROM experiments WHERE CAST(experiment_id AS TEXT) = ?1";
        let location: Option<String> = self
            .connection
            .query_row(query, [experiment], |row| row.get(0))
            .optional()?
            .flatten();
        let location = location.filter(|location| {
            !matches!(Location::parse(location, &self.root), Location::Server(_))
        });
        let location = location.unwrap_or_else(|| self.location_of(experiment));
        Ok(format!(
            "{}/{run}/artifacts",
            location.trim_end_matches('/')
        ))
    }

    fn location_of(&self, experiment: &str) -> String {
        location_in(&self.root.join("mlruns").join(experiment))
    }

    /// Writes records, all or none of them.
    pub(crate) fn send(
        &mut self,
        experiment: &str,
        records: &[Record],
        patience: Patience,
    ) -> Result<(), StoreError> {
        let mut artifacts = HashMap::new();
        for record in records {
            match record {
                Record::Start(run) => {
                    let experiment = run.experiment.as_deref().unwrap_or(experiment);
                    artifacts.insert(run.key.clone(), self.artifacts(experiment, &run.key)?);
                }
                Record::Log { run, file } => self.check_log(run, file)?,
                _ => {}
            }
        }
        self.transact(patience, |transaction, schema| {
            let mut last_known = "";
            for record in records {
                let run = record.run();
                // Someone may have deleted it.
                if run != last_known && !matches!(record, Record::Start(_)) {
                    has_run(transaction, run)?;
                }
                last_known = run;
                match record {
                    Record::Start(run) => {
                        let experiment = run.experiment.as_deref().unwrap_or(experiment);
                        insert_run(transaction, schema, experiment, &artifacts[&run.key], run)?;
                    }
                    Record::Parameters { run, parameters } => {
                        let sql = "INSERT OR IGNORE INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)";
                        insert_pairs(transaction, sql, run, parameters)?;
                    }
                    Record::Facts { run, metrics, tags } => {
                        insert_pairs(transaction, SET_TAG, run, tags)?;
                        insert_metrics(transaction, schema, run, metrics)?;
                    }
                    // Written where it belongs, or as near as we can.
                    Record::Log { .. } => {}
                    Record::Copy { run, from, step, time } => {
                        let found = metrics_of_step(transaction, schema, from, step)?;
                        let copied = record::copied(&found, step, *time);
                        insert_metrics(transaction, schema, run, &copied)?;
                    }
                    Record::End { run, status, end } => {
                        let sql =
                            "UPDATE runs SET status = ?1, end_time = ?2 WHERE run_uuid = ?3";
                        transaction.execute(sql, (status.name(), to_sql(*end), run))?;
                    }
                }
            }
            Ok(())
        })
    }

    fn check_log(&mut self, run: &str, file: &Path) -> Result<(), StoreError> {
        let (known, _) = self.find(run).map_err(|error| match error {
            StoreError::NoRun(_) => StoreError::UnknownRun,
            error => error,
        })?;
        match Location::parse(&known.artifacts, &self.root) {
            Location::Elsewhere(scheme) => {
                let file = self.root.join(file);
                Err(StoreError::LogStays { scheme, file })
            }
            _ => Ok(()),
        }
    }

    /// Whether the file has been removed, or another one is in its place.
    pub(crate) fn is_gone(&self) -> bool {
        self.identity.is_some() && identity(&self.path) != self.identity
    }

    /// One short write transaction, with the columns as they are then.
    fn transact<T>(
        &mut self,
        patience: Patience,
        mut work: impl FnMut(&Transaction<'_>, &Schema) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.waited(patience, |store| {
            let behavior = TransactionBehavior::Immediate;
            let transaction = store.connection.transaction_with_behavior(behavior)?;
            let version = transaction.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
            if store.schema.version != version || store.schema.columns.is_empty() {
                store.schema = read_schema(&transaction, version, &store.path)?;
            }
            let result = work(&transaction, &store.schema)?;
            transaction.commit()?;
            Ok(result)
        })
    }

    /// Does something again while another process has locked the database, such as an MLflow that
    /// upgrades it, which takes seconds.
    fn waited<T>(
        &mut self,
        patience: Patience,
        mut work: impl FnMut(&mut Sqlite) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let limit = match patience {
            Patience::Full | Patience::Short => self.timeout.unwrap_or(patience.limit()),
            // A slice.
            Patience::Once => Duration::ZERO,
        };
        let start = Instant::now();
        let mut is_told = false;
        loop {
            let result = work(self);
            let waited = start.elapsed();
            if !matches!(result, Err(StoreError::Locked)) || waited >= limit || self.hurry.is_set()
            {
                return result;
            }
            if waited >= TOLD_AFTER && !is_told {
                is_told = true;
                let path = mlproject::paths::shown(&self.path);
                say(&format!(
                    "waiting for {path}, which another process has locked"
                ));
            }
        }
    }
}

/// The id of an experiment, if there is one; a deleted one is an error.
fn experiment(connection: &Connection, wanted: &Experiment) -> Result<Option<String>, StoreError> {
    let (column, value) = match wanted {
        Experiment::Name(name) => ("name", name),
        Experiment::Id(id) => ("CAST(experiment_id AS TEXT)", id),
    };
    let query = format!(
        "SELECT CAST(experiment_id AS TEXT), name, lifecycle_stage FROM experiments WHERE {column} = ?1"
    );
    let found = connection.query_row(&query, [value], |row| {
        let (id, name): (String, String) = (row.get(0)?, row.get(1)?);
        let stage: Option<String> = row.get(2)?;
        Ok((id, name, stage))
    });
    match found.optional()? {
        // It names a folder of ours.
        Some((id, ..)) if !is_id(&id) => Err(StoreError::NoExperiment(id)),
        Some((id, name, Some(stage))) if stage == DELETED => {
            Err(StoreError::DeletedExperiment { id, name })
        }
        found => Ok(found.map(|(id, ..)| id)),
    }
}

fn has_run(transaction: &Transaction<'_>, run: &str) -> Result<(), StoreError> {
    let mut statement = transaction.prepare("SELECT 1 FROM runs WHERE run_uuid = ?1")?;
    if statement.exists([run])? {
        return Ok(());
    }
    Err(StoreError::UnknownRun)
}

/// Device and number of a file.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}
