//! Finds the run before another one.

use rusqlite::OptionalExtension;

use super::{Patience, Sqlite, StoreError};
use crate::origin::Before;
use crate::record::Pairs;

/// How many runs back it is looked for, those of steps and of others included: with each run the search
/// is made anew, and it should take no time also in a large database.
const RECENT: i64 = 3000;

impl Sqlite {
    /// The run of a pipeline that was made before `run`, if there is one among those made last.
    pub(crate) fn before(
        &mut self,
        pipeline: &str,
        run: &str,
    ) -> Result<Option<Before>, StoreError> {
        // Rows are in the order in which runs were made.
        let newest = "SELECT runs.rowid, runs.run_uuid, coalesce(runs.start_time, 0), own.rowid \
             FROM runs JOIN runs AS own ON own.run_uuid = ?1 \
             WHERE runs.rowid < own.rowid AND runs.rowid >= own.rowid - ?3 AND runs.lifecycle_stage = 'active' \
             AND EXISTS (SELECT 1 FROM tags WHERE tags.run_uuid = runs.run_uuid \
             AND tags.key = 'pipeline.name' AND tags.value = ?2) \
             ORDER BY runs.rowid DESC LIMIT 1";
        let steps = "SELECT runs.run_uuid, step.value FROM runs \
             JOIN tags AS parent ON parent.run_uuid = runs.run_uuid AND parent.key = 'mlflow.parentRunId' \
             JOIN tags AS step ON step.run_uuid = runs.run_uuid AND step.key = 'pipeline.step' \
             WHERE runs.rowid > ?1 AND runs.rowid < ?2 AND parent.value = ?3 ORDER BY runs.rowid";
        self.waited(Patience::Once, |store| {
            let mut statement = store.connection.prepare(newest)?;
            let found = statement.query_row((run, pipeline, RECENT), |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            });
            let Some((row, id, start, own)) = found.optional()? else {
                return Ok(None);
            };
            let mut statement = store.connection.prepare(steps)?;
            let ran = statement.query_map((row, own, &id), |row| Ok((row.get(0)?, row.get(1)?)))?;
            let ran: Vec<(String, String)> = ran.collect::<Result<_, _>>()?;
            let steps = ran
                .into_iter()
                .map(|(run, step)| Ok((step, store.parameters(&run)?)));
            Ok(Some(Before {
                start: u64::try_from(start).unwrap_or_default(),
                parameters: store.parameters(&id)?,
                steps: steps.collect::<Result<_, StoreError>>()?,
            }))
        })
    }

    fn parameters(&self, run: &str) -> Result<Pairs, StoreError> {
        let sql = "SELECT key, coalesce(value, '') FROM params WHERE run_uuid = ?1";
        let mut statement = self.connection.prepare(sql)?;
        let found = statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}
