//! Which tables and columns a database has: any MLflow may have made it.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Transaction;

use super::StoreError;

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

/// The columns of the tables, as of one version of the schema.
#[derive(Debug, Default)]
pub(super) struct Schema {
    pub version: i64,
    pub columns: HashMap<String, Vec<String>>,
}

impl Schema {
    pub(super) fn has(&self, table: &str, column: &str) -> bool {
        let columns = self.columns.get(table);
        columns.is_some_and(|columns| columns.iter().any(|known| known == column))
    }
}

/// The tables of a database that is MLflow's, or none in one that is empty.
pub(super) fn read_schema(
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
