//! Which experiments there are.

use super::{Patience, Sqlite, StoreError};

impl Sqlite {
    /// The names of the experiments that are not deleted, the newest first.
    pub(crate) fn experiments(&mut self) -> Result<Vec<String>, StoreError> {
        self.waited(Patience::Once, |store| {
            let sql = "SELECT name FROM experiments WHERE lifecycle_stage = 'active' ORDER BY experiment_id DESC";
            let mut statement = store.connection.prepare(sql)?;
            let names = statement.query_map((), |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
    }
}
