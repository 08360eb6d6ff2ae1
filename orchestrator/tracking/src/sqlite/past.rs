//! Reads back the last runs of a pipeline.

use super::super::history::{Past, PastRun};
use super::{Patience, Sqlite, StoreError};

impl Sqlite {
    /// The last runs of a pipeline, newest first.
    pub(crate) fn history(
        &mut self,
        pipeline: &str,
        limit: usize,
    ) -> Result<Vec<Past>, StoreError> {
        self.waited(Patience::Full, |store| {
            let runs = store.runs_with("pipeline.name", pipeline, limit, "DESC")?;
            let past = runs.into_iter().map(|run| {
                let steps = store.runs_with("mlflow.parentRunId", &run.id, 10_000, "ASC")?;
                Ok(Past { run, steps })
            });
            past.collect()
        })
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
}
