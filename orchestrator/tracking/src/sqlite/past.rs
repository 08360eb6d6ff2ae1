//! Reads runs back.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::types::{FromSql, ToSql};
use serde_json::json;

use super::{Patience, Schema, Sqlite, StoreError};
use crate::past::{PastRun, STEP, UP_TO_DATE};

/// The columns of a run, with the names of its step and of itself, and whether all was up to date in it.
const RUNS: &str = "SELECT runs.run_uuid, coalesce(runs.name, ''), runs.status, runs.start_time, runs.end_time, \
     runs.artifact_uri, \
     (SELECT value FROM tags AS of WHERE of.run_uuid = runs.run_uuid AND of.key = 'mlflow.runName'), \
     (SELECT value FROM tags AS of WHERE of.run_uuid = runs.run_uuid AND of.key = ?1), \
     EXISTS (SELECT 1 FROM tags AS of WHERE of.run_uuid = runs.run_uuid AND of.key = ?2) \
     FROM runs";

impl Sqlite {
    /// The last runs of a pipeline that are wanted, newest first, in all experiments.
    pub(crate) fn runs(
        &mut self,
        pipeline: &str,
        limit: usize,
        is_wanted: &dyn Fn(&PastRun) -> bool,
    ) -> Result<Vec<PastRun>, StoreError> {
        let sql = format!(
            "{RUNS} JOIN tags ON tags.run_uuid = runs.run_uuid \
             WHERE tags.key = 'pipeline.name' AND tags.value = ?3 AND runs.lifecycle_stage = 'active' \
             ORDER BY runs.start_time DESC, runs.rowid DESC"
        );
        self.select(&sql, &pipeline, limit, is_wanted)
    }

    /// The runs of the steps of pipelines' runs, in the order in which they started.
    pub(crate) fn steps(
        &mut self,
        runs: &[&PastRun],
        is_wanted: &dyn Fn(&PastRun) -> bool,
    ) -> Result<Vec<Vec<PastRun>>, StoreError> {
        let sql = format!(
            "{RUNS} JOIN tags ON tags.run_uuid = runs.run_uuid \
             WHERE tags.key = 'mlflow.parentRunId' AND tags.value IN (SELECT value FROM json_each(?3)) \
             AND runs.lifecycle_stage = 'active' ORDER BY runs.start_time, runs.rowid"
        );
        let ids = ids(runs.iter().copied());
        let steps = self.select(&sql, &ids, usize::MAX, is_wanted)?;
        let mut sorted: HashMap<String, Vec<PastRun>> = HashMap::new();
        for step in steps {
            let parent = step.tag("mlflow.parentRunId").unwrap_or_default();
            sorted.entry(parent.to_owned()).or_default().push(step);
        }
        let of = |run: &&PastRun| sorted.remove(&run.id).unwrap_or_default();
        Ok(runs.iter().map(of).collect())
    }

    /// The runs with these ids that there are.
    pub(crate) fn with_ids(&mut self, ids: &[&str]) -> Result<Vec<PastRun>, StoreError> {
        let sql = format!("{RUNS} WHERE runs.run_uuid IN (SELECT value FROM json_each(?3))");
        self.select(&sql, &json!(ids).to_string(), usize::MAX, &|_| true)
    }

    fn select(
        &mut self,
        sql: &str,
        value: &dyn ToSql,
        limit: usize,
        is_wanted: &dyn Fn(&PastRun) -> bool,
    ) -> Result<Vec<PastRun>, StoreError> {
        self.waited(Patience::Full, |store| {
            let mut statement = store.connection.prepare(sql)?;
            let values: [&dyn ToSql; 3] = [&STEP, &UP_TO_DATE, value];
            let rows = statement.query_map(values, past)?;
            let is_wanted = |run: &Result<PastRun, _>| run.as_ref().map_or(true, is_wanted);
            let wanted = rows.filter(is_wanted).take(limit);
            let mut runs: Vec<PastRun> = wanted.collect::<Result<_, _>>()?;
            fill(&store.connection, &store.schema, &mut runs)?;
            Ok(runs)
        })
    }
}

fn past(row: &rusqlite::Row<'_>) -> rusqlite::Result<PastRun> {
    let time = |index| -> rusqlite::Result<Option<u64>> {
        let time: Option<i64> = row.get(index)?;
        Ok(time.and_then(|time| u64::try_from(time).ok()))
    };
    let name: Option<String> = row.get(6)?;
    Ok(PastRun {
        id: row.get(0)?,
        name: name.map_or_else(|| row.get(1), Ok)?,
        status: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        start: time(3)?.unwrap_or_default(),
        end: time(4)?,
        artifacts: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
        step: row.get(7)?,
        is_up_to_date: row.get(8)?,
        ..PastRun::default()
    })
}

/// Adds parameters, metrics and tags.
fn fill(connection: &Connection, schema: &Schema, runs: &mut [PastRun]) -> Result<(), StoreError> {
    let ids = ids(runs.iter());
    let texts = |table| {
        let sql = format!(
            "SELECT run_uuid, key, coalesce(value, '') FROM {table} \
             WHERE run_uuid IN (SELECT value FROM json_each(?1)) ORDER BY key"
        );
        by_run::<String>(connection, &sql, &ids)
    };
    let (mut parameters, mut tags) = (texts("params")?, texts("tags")?);
    let mut metrics = newest_metrics(connection, schema, &ids)?;
    for run in runs {
        run.parameters = parameters.remove(&run.id).unwrap_or_default();
        run.tags = tags.remove(&run.id).unwrap_or_default();
        run.metrics = metrics.remove(&run.id).unwrap_or_default();
    }
    Ok(())
}

/// The newest values of the metrics of one run, if it is a run of that step.
pub(super) fn metrics_of_step(
    connection: &Connection,
    schema: &Schema,
    run: &str,
    step: &str,
) -> Result<Vec<(String, f64)>, StoreError> {
    let sql = "SELECT 1 FROM tags WHERE run_uuid = ?1 AND key = ?2 AND value = ?3";
    if !connection.prepare(sql)?.exists((run, STEP, step))? {
        return Ok(Vec::new());
    }
    let mut found = newest_metrics(connection, schema, &json!([run]).to_string())?;
    Ok(found.remove(run).unwrap_or_default())
}

/// The newest values of metrics, by name.
fn newest_metrics(
    connection: &Connection,
    schema: &Schema,
    ids: &str,
) -> Result<HashMap<String, Vec<(String, f64)>>, StoreError> {
    // Only the first schema has no table of them, and no numbers that are none.
    let (value, table, order) = if schema.has("latest_metrics", "is_nan") {
        let value = "CASE WHEN is_nan THEN NULL ELSE value END";
        (value, "latest_metrics", "key")
    } else {
        ("value", "metrics", "key, timestamp")
    };
    let sql = format!(
        "SELECT run_uuid, key, {value} FROM {table} \
         WHERE run_uuid IN (SELECT value FROM json_each(?1)) ORDER BY {order}"
    );
    let found = by_run::<Option<f64>>(connection, &sql, ids)?;
    let newest = found.into_iter().map(|(run, values)| {
        let mut newest: Vec<(String, f64)> = Vec::new();
        for (name, value) in values {
            newest.pop_if(|(known, _)| *known == name);
            newest.push((name, value.unwrap_or(f64::NAN)));
        }
        (run, newest)
    });
    Ok(newest.collect())
}

fn by_run<T: FromSql>(
    connection: &Connection,
    sql: &str,
    ids: &str,
) -> Result<HashMap<String, Vec<(String, T)>>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([ids])?;
    let mut found: HashMap<String, Vec<(String, T)>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (run, name): (String, String) = (row.get(0)?, row.get(1)?);
        found.entry(run).or_default().push((name, row.get(2)?));
    }
    Ok(found)
}

/// Ids as a list of JSON, for `json_each`.
fn ids<'a>(runs: impl Iterator<Item = &'a PastRun>) -> String {
    json!(runs.map(|run| &run.id).collect::<Vec<_>>()).to_string()
}
