//! A tracking store that is an sqlite file: MLflow's own tables, written without MLflow. The only
//! file that names rusqlite.
//!
//! Any MLflow from its first schema on may have made the file, and one may upgrade it between two of
//! our transactions; so each transaction looks at the columns that there are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{ToSql, Value};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};

use super::artifacts::Location;
use super::history::{Past, PastRun};
use super::record::{Metric, NewRun, Record};
use super::settings::Experiment;
use super::store::{Chosen, Known, StoreError};

const BASE_SCHEMA: &str = include_str!("base_schema.sql");

/// How long another writer is waited for. An MLflow that upgrades the database takes seconds.
const BUSY: Duration = Duration::from_mins(1);

/// What we have to find in a database that is MLflow's.
const REQUIRED: [(&str, &[&str]); 5] = [
    (
        "experiments",
        &[
            "experiment_id",
            "name",
            "artifact_location",
            "lifecycle_stage",
        ],
    ),
    (
        "runs",
        &[
            "run_uuid",
            "name",
            "user_id",
            "status",
            "start_time",
            "end_time",
            "lifecycle_stage",
            "artifact_uri",
            "experiment_id",
        ],
    ),
    ("params", &["key", "value", "run_uuid"]),
    ("tags", &["key", "value", "run_uuid"]),
    ("metrics", &["key", "value", "timestamp", "run_uuid"]),
];

/// What we write if a database has it, besides what is required.
const OPTIONAL: [(&str, &[&str]); 4] = [
    ("experiments", &["creation_time", "last_update_time"]),
    (
        "runs",
        &[
            "source_type",
            "source_name",
            "entry_point_name",
            "source_version",
        ],
    ),
    ("metrics", &["step", "is_nan"]),
    (
        "latest_metrics",
        &["key", "value", "timestamp", "step", "is_nan", "run_uuid"],
    ),
];

#[derive(Debug)]
pub(super) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    /// The pipeline's folder, below which artifacts are when the database does not say where.
    root: PathBuf,
    schema: Schema,
}

/// The columns of the tables, as of one version of the schema.
#[derive(Debug, Default)]
struct Schema {
    version: i64,
    columns: HashMap<String, Vec<String>>,
}

impl Schema {
    fn has(&self, table: &str, column: &str) -> bool {
        let columns = self.columns.get(table);
        columns.is_some_and(|columns| columns.iter().any(|known| known == column))
    }
}

impl From<rusqlite::Error> for StoreError {
    /// What may pass is `Unavailable`; what another try would not change is `Refused`.
    fn from(error: rusqlite::Error) -> StoreError {
        let passes = error.sqlite_error_code().is_some_and(|code| {
            matches!(
                code,
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::ReadOnly
                    | ErrorCode::SchemaChanged
            )
        });
        if passes {
            StoreError::Unavailable(error.to_string())
        } else {
            StoreError::Refused(error.to_string())
        }
    }
}

impl Sqlite {
    /// Opens a database, or makes one in the form that every MLflow upgrades.
    pub(super) fn open(path: &Path, root: &Path) -> Result<Sqlite, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        let is_new =
            connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0))? == 0;
        // A file that somebody else made keeps its form.
        if is_new && is_on_local_disk(path) {
            connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        }
        connection.execute_batch("PRAGMA synchronous = NORMAL")?;
        let mut store = Sqlite {
            connection,
            path: path.to_owned(),
            root: root.to_owned(),
            schema: Schema::default(),
        };
        let default = store.location_of("0");
        store.transact(|transaction, schema| {
            if schema.columns.is_empty() {
                transaction.execute_batch(BASE_SCHEMA)?;
                let insert = "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) VALUES (0, 'Default', ?1, 'active')";
                transaction.execute(insert, [&default])?;
            }
            Ok(())
        })?;
        Ok(store)
    }

    /// The experiment that was asked for; made if it is named and unknown.
    pub(super) fn choose(&mut self, wanted: Option<&Experiment>) -> Result<Chosen, StoreError> {
        let default = Experiment::Id("0".into());
        let wanted = wanted.unwrap_or(&default).clone();
        let root = self.root.clone();
        self.transact(|transaction, schema| {
            let (column, value) = match &wanted {
                Experiment::Name(name) => ("name", name),
                Experiment::Id(id) => ("CAST(experiment_id AS TEXT)", id),
            };
            let query = format!(
                "SELECT CAST(experiment_id AS TEXT), name, lifecycle_stage FROM experiments WHERE {column} = ?1"
            );
            let found = transaction
                .query_row(&query, [value], |row| {
                    Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
                })
                .optional()?;
            match (found, &wanted) {
                (Some((id, _, stage)), _) if stage.as_deref() != Some("deleted") => {
                    Ok(Chosen { id, is_new: false })
                }
                (Some((id, name, _)), _) => Err(StoreError::DeletedExperiment { id, name }),
                (None, Experiment::Name(name)) => {
                    let id = new_experiment(transaction, schema, name, &root)?;
                    Ok(Chosen { id, is_new: true })
                }
                (None, Experiment::Id(id)) => Err(StoreError::NoExperiment(id.clone())),
            }
        })
    }

    /// The run in which we are started, and its experiment.
    pub(super) fn find(&mut self, run: &str) -> Result<(Known, String), StoreError> {
        let query =
            "SELECT artifact_uri, CAST(experiment_id AS TEXT) FROM runs WHERE run_uuid = ?1";
        let found = self
            .connection
            .query_row(query, [run], |row| {
                Ok((row.get::<_, Option<String>>(0)?, row.get(1)?))
            })
            .optional()?;
        let (artifacts, experiment) = found.ok_or_else(|| StoreError::NoRun(run.to_owned()))?;
        let known = Known {
            id: run.to_owned(),
            artifacts: artifacts.unwrap_or_default(),
        };
        Ok((known, experiment))
    }

    /// Where the artifacts of a run of this experiment are.
    ///
    /// The database of an `mlflow server` names the server's own address (`mlflow-artifacts:`), which
    /// nobody can reach through a file: such runs have theirs below the pipeline's folder, where the
    /// server finds them too.
    pub(super) fn artifacts(&self, experiment: &str, run: &str) -> Result<String, StoreError> {
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
        let folder = self.root.join("mlruns").join(experiment);
        folder.to_string_lossy().into_owned()
    }

    /// Writes records, all or none of them.
    pub(super) fn send(&mut self, experiment: &str, records: &[Record]) -> Result<(), StoreError> {
        let mut artifacts = HashMap::new();
        for record in records {
            match record {
                Record::Start(run) => {
                    artifacts.insert(run.key.clone(), self.artifacts(experiment, &run.key)?);
                }
                Record::Log { run, file } => self.check_log(run, file)?,
                _ => {}
            }
        }
        self.transact(|transaction, schema| {
            for record in records {
                match record {
                    Record::Start(run) => {
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
        let (known, _) = self.find(run)?;
        match Location::parse(&known.artifacts, &self.root) {
            Location::Elsewhere(scheme) => {
                let file = file.to_owned();
                Err(StoreError::LogStays { scheme, file })
            }
            _ => Ok(()),
        }
    }

    /// The last runs of a pipeline, newest first.
    pub(super) fn history(
        &mut self,
        pipeline: &str,
        limit: usize,
    ) -> Result<Vec<Past>, StoreError> {
        let runs = self.runs_with("pipeline.name", pipeline, limit, "DESC")?;
        runs.into_iter()
            .map(|run| {
                let steps = self.runs_with("mlflow.parentRunId", &run.id, 10_000, "ASC")?;
                Ok(Past { run, steps })
            })
            .collect()
    }

    fn runs_with(
        &self,
        tag: &str,
        value: &str,
        limit: usize,
        order: &str,
    ) -> Result<Vec<PastRun>, StoreError> {
        let sql = format!(
            "SELECT runs.run_uuid, coalesce(runs.name, ''), runs.status, runs.start_time, runs.end_time, runs.artifact_uri, \
             (SELECT value FROM tags AS step WHERE step.run_uuid = runs.run_uuid AND step.key = 'pipeline.step'), \
             (SELECT value FROM tags AS name WHERE name.run_uuid = runs.run_uuid AND name.key = 'mlflow.runName') \
             FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid \
             WHERE tags.key = ?1 AND tags.value = ?2 AND runs.lifecycle_stage = 'active' \
             ORDER BY runs.start_time {order}, runs.rowid {order} LIMIT ?3"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map((tag, value, limit), |row| {
            let time = |index| -> rusqlite::Result<Option<u64>> {
                let time: Option<i64> = row.get(index)?;
                Ok(time.and_then(|time| u64::try_from(time).ok()))
            };
            Ok(PastRun {
                id: row.get(0)?,
                name: row
                    .get::<_, Option<String>>(7)?
                    .map_or_else(|| row.get(1), Ok)?,
                status: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                start: time(3)?.unwrap_or_default(),
                end: time(4)?,
                artifacts: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                step: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One short write transaction, with the columns as they are then.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &Schema) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let version = transaction.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
        if self.schema.version != version || self.schema.columns.is_empty() {
            self.schema = read_schema(&transaction, version, &self.path)?;
        }
        let result = work(&transaction, &self.schema)?;
        transaction.commit()?;
        Ok(result)
    }
}

/// Whether a file is where sqlite's write-ahead log works. With it a commit waits for no disk, and
/// nobody who reads waits for one who writes; over a network it is not safe.
///
/// The names are those of statfs(2): ext2 to ext4, xfs, btrfs, f2fs, zfs, tmpfs and overlayfs.
#[cfg(target_os = "linux")]
fn is_on_local_disk(path: &Path) -> bool {
    const LOCAL: [u32; 7] = [
        0xEF53,
        0x5846_5342,
        0x9123_683E,
        0xF2F5_2010,
        0x2FC1_2FC1,
        0x0102_1994,
        0x794C_7630,
    ];
    let folder = path.parent().unwrap_or(path);
    // The type of the number is another one on each kind of machine.
    let kind = |found: rustix::fs::StatFs| u32::try_from(i128::from(found.f_type) & 0xFFFF_FFFF);
    rustix::fs::statfs(folder)
        .is_ok_and(|found| kind(found).is_ok_and(|kind| LOCAL.contains(&kind)))
}

#[cfg(not(target_os = "linux"))]
fn is_on_local_disk(_: &Path) -> bool {
    false
}

/// The tables of a database that is MLflow's, or none in one that is empty.
fn read_schema(
    transaction: &Transaction<'_>,
    version: i64,
    path: &Path,
) -> Result<Schema, StoreError> {
    let sql = "SELECT t.name, c.name, c.\"notnull\" AND c.dflt_value IS NULL AND c.pk = 0 \
               FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'";
    let mut statement = transaction.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut columns: HashMap<String, Vec<String>> = HashMap::new();
    let mut demanded: Vec<(String, String)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (table, column): (String, String) = (row.get(0)?, row.get(1)?);
        if row.get(2)? {
            demanded.push((table.clone(), column.clone()));
        }
        columns.entry(table).or_default().push(column);
    }
    let schema = Schema { version, columns };
    if schema.columns.is_empty() {
        return Ok(schema);
    }
    if !["experiments", "runs"]
        .iter()
        .any(|table| schema.columns.contains_key(*table))
    {
        return Err(StoreError::NotMlflow(path.to_owned()));
    }
    let wrong = |table: &str, column: &str, problem| StoreError::Schema {
        path: path.to_owned(),
        column: format!("{table}.{column}"),
        problem,
    };
    for (table, names) in REQUIRED {
        if let Some(missing) = names.iter().find(|name| !schema.has(table, name)) {
            return Err(wrong(table, missing, "is missing"));
        }
    }
    for (table, column) in demanded {
        let written = REQUIRED
            .iter()
            .chain(&OPTIONAL)
            .filter(|(name, _)| *name == table);
        let mut known = written.flat_map(|(_, names)| names.iter());
        let is_ours = REQUIRED
            .iter()
            .chain(&OPTIONAL)
            .any(|(name, _)| *name == table);
        if is_ours && !known.any(|name| *name == column) {
            return Err(wrong(&table, &column, "needs a value that we do not know"));
        }
    }
    Ok(schema)
}

fn new_experiment(
    transaction: &Transaction<'_>,
    schema: &Schema,
    name: &str,
    root: &Path,
) -> Result<String, StoreError> {
    let now = to_sql(super::record::now());
    let values = vec![
        ("name", Value::from(name.to_owned())),
        ("lifecycle_stage", Value::from("active".to_owned())),
        ("creation_time", now.clone()),
        ("last_update_time", now),
    ];
    insert(transaction, schema, "INSERT", "experiments", values)?;
    let id = transaction.last_insert_rowid().to_string();
    let location = root.join("mlruns").join(&id).to_string_lossy().into_owned();
    let sql =
        "UPDATE experiments SET artifact_location = ?1 WHERE CAST(experiment_id AS TEXT) = ?2";
    transaction.execute(sql, (location, &id))?;
    Ok(id)
}

fn insert_run(
    transaction: &Transaction<'_>,
    schema: &Schema,
    experiment: &str,
    artifacts: &str,
    run: &NewRun,
) -> Result<(), StoreError> {
    let text = |text: &str| Value::from(text.to_owned());
    let experiment: i64 = experiment
        .parse()
        .map_err(|_| StoreError::NoExperiment(experiment.to_owned()))?;
    // What MLflow's own store writes: the true source is in the tags.
    let values = vec![
        ("run_uuid", text(&run.key)),
        ("name", text(&run.name)),
        ("source_type", text("UNKNOWN")),
        ("source_name", text("")),
        ("entry_point_name", text("")),
        ("source_version", text("")),
        ("user_id", text(&run.user)),
        ("status", text("RUNNING")),
        ("start_time", to_sql(run.start)),
        ("lifecycle_stage", text("active")),
        ("artifact_uri", text(artifacts)),
        ("experiment_id", Value::from(experiment)),
    ];
    // Told again after an answer that did not arrive, it is there already.
    insert(transaction, schema, "INSERT OR IGNORE", "runs", values)?;
    insert_pairs(transaction, SET_TAG, &run.key, &run.all_tags(Some))
}

const SET_TAG: &str = "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)";

fn insert_pairs(
    transaction: &Transaction<'_>,
    sql: &str,
    run: &str,
    pairs: &[(String, String)],
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare(sql)?;
    for (name, value) in pairs {
        statement.execute((name, value, run))?;
    }
    Ok(())
}

/// MLflow stores NaN as 0 with a mark, and the infinities as the largest numbers.
fn insert_metrics(
    transaction: &Transaction<'_>,
    schema: &Schema,
    run: &str,
    metrics: &[Metric],
) -> Result<(), StoreError> {
    for metric in metrics {
        let value = match metric.value {
            value if value.is_nan() => 0.0,
            value => value.clamp(f64::MIN, f64::MAX),
        };
        let values = || {
            vec![
                ("key", Value::from(metric.name.clone())),
                ("value", Value::from(value)),
                ("timestamp", to_sql(metric.time)),
                ("step", to_sql(metric.step)),
                ("is_nan", Value::from(metric.value.is_nan())),
                ("run_uuid", Value::from(run.to_owned())),
            ]
        };
        // The first schema has no mark for it, and 0 would be a lie.
        if metric.value.is_nan() && !schema.has("metrics", "is_nan") {
            continue;
        }
        insert(transaction, schema, "INSERT OR IGNORE", "metrics", values())?;
        if schema.has("latest_metrics", "step") {
            let sql = "DELETE FROM latest_metrics WHERE run_uuid = ?1 AND key = ?2 AND (step, timestamp) <= (?3, ?4)";
            let place = (run, &metric.name, to_sql(metric.step), to_sql(metric.time));
            transaction.execute(sql, place)?;
            insert(
                transaction,
                schema,
                "INSERT OR IGNORE",
                "latest_metrics",
                values(),
            )?;
        }
    }
    Ok(())
}

/// Inserts those of the values for which the table has a column.
fn insert(
    transaction: &Transaction<'_>,
    schema: &Schema,
    verb: &str,
    table: &str,
    values: Vec<(&str, Value)>,
) -> Result<(), StoreError> {
    let (names, values): (Vec<&str>, Vec<Value>) = values
        .into_iter()
        .filter(|(name, _)| schema.has(table, name))
        .unzip();
    let marks = vec!["?"; names.len()].join(", ");
    let sql = format!(
        "{verb} INTO {table} ({}) VALUES ({marks})",
        names.join(", ")
    );
    let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
    transaction.execute(&sql, values.as_slice())?;
    Ok(())
}

/// sqlite has signed numbers only; times and counts are far below their limit.
fn to_sql(number: u64) -> Value {
    Value::from(i64::try_from(number).unwrap_or(i64::MAX))
}
