//! Writes rows, with those of the columns that a table has.

use std::path::Path;

use rusqlite::Transaction;
use rusqlite::types::{ToSql, Value};

use super::super::artifacts::location_in;
use super::super::record::{Metric, NewRun};
use super::StoreError;
use super::schema::Schema;

pub(super) fn new_experiment(
    transaction: &Transaction<'_>,
    schema: &Schema,
    name: &str,
    root: &Path,
) -> Result<String, StoreError> {
    let now = to_sql(super::super::record::now());
    let values = vec![
        ("name", Value::from(name.to_owned())),
        ("lifecycle_stage", Value::from("active".to_owned())),
        ("creation_time", now.clone()),
        ("last_update_time", now),
    ];
    insert(transaction, schema, "INSERT", "experiments", values)?;
    let id = transaction.last_insert_rowid().to_string();
    let location = location_in(&root.join("mlruns").join(&id));
    let sql =
        "UPDATE experiments SET artifact_location = ?1 WHERE CAST(experiment_id AS TEXT) = ?2";
    transaction.execute(sql, (location, &id))?;
    Ok(id)
}

pub(super) fn insert_run(
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

pub(super) const SET_TAG: &str =
    "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)";

pub(super) fn insert_pairs(
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
pub(super) fn insert_metrics(
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
pub(super) fn to_sql(number: u64) -> Value {
    Value::from(i64::try_from(number).unwrap_or(i64::MAX))
}
