//! MLflow's JSON: what is read of answers, and what is written in requests. Pure.

use serde_json::{Value, json};

use super::answer::Failure;
use super::artifacts::is_id;
use super::past::{PastRun, STEP, UP_TO_DATE, number};
use super::record::{Metric, Pairs};
use super::stored::{Chosen, Known, StoreError};

/// None for an answer that says that there is no such thing.
pub(crate) fn or_none(
    answer: Result<Value, Failure>,
    codes: &[&str],
) -> Result<Option<Value>, Failure> {
    match answer {
        Err(failure) if codes.iter().any(|code| failure.is(code)) => Ok(None),
        answer => answer.map(Some),
    }
}

/// The id of an experiment that is not deleted; a server tells of deleted ones too.
pub(crate) fn active(answer: &Value) -> Result<Chosen, Failure> {
    let experiment = &answer["experiment"];
    let id = id(experiment, "experiment_id")?;
    if text(experiment, "lifecycle_stage") == "deleted" {
        let name = text(experiment, "name");
        return Err(Failure::lasting(StoreError::DeletedExperiment { id, name }));
    }
    Ok(Chosen { id, is_new: false })
}

pub(crate) fn known(info: &Value) -> Result<Known, Failure> {
    let artifacts = text(info, "artifact_uri");
    if artifacts.is_empty() {
        return Err(Failure::not_mlflows("it has no `artifact_uri`"));
    }
    Ok(Known {
        id: id(info, "run_id")?,
        artifacts,
        experiment: id(info, "experiment_id").ok(),
    })
}

/// An id, which will be part of a path.
pub(crate) fn id(object: &Value, name: &str) -> Result<String, Failure> {
    let id = text(object, name);
    if is_id(&id) {
        return Ok(id);
    }
    Err(Failure::not_mlflows(&format!("it has no `{name}`")))
}

pub(crate) fn past(run: &Value) -> PastRun {
    let info = &run["info"];
    // A protocol buffer's 64 bit number may come as a text.
    let time = |name: &str| {
        info[name]
            .as_u64()
            .or_else(|| info[name].as_str()?.parse().ok())
    };
    PastRun {
        id: text(info, "run_id"),
        name: tag(run, "mlflow.runName").unwrap_or_default().to_owned(),
        status: text(info, "status"),
        start: time("start_time").unwrap_or_default(),
        end: time("end_time").filter(|time| *time > 0),
        artifacts: text(info, "artifact_uri"),
        step: tag(run, STEP).map(str::to_owned),
        is_up_to_date: tag(run, UP_TO_DATE).is_some(),
        parameters: read_pairs(run, "params"),
        metrics: metrics(run),
        tags: read_pairs(run, "tags"),
    }
}

/// The newest values of a run's metrics.
fn metrics(run: &Value) -> Vec<(String, f64)> {
    let metrics = run["data"]["metrics"].as_array().into_iter().flatten();
    let metrics = metrics.filter_map(|metric| {
        let value = &metric["value"];
        let value = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
        Some((text(metric, "key"), value))
    });
    let mut metrics: Vec<_> = metrics.collect();
    metrics.sort_by(|one, other| one.0.cmp(&other.0));
    metrics
}

fn read_pairs(run: &Value, what: &str) -> Pairs {
    let pairs = run["data"][what].as_array().into_iter().flatten();
    let mut pairs: Pairs = pairs
        .map(|pair| (text(pair, "key"), text(pair, "value")))
        .collect();
    pairs.sort();
    pairs
}

pub(crate) fn tag<'a>(run: &'a Value, name: &str) -> Option<&'a str> {
    let tags = run["data"]["tags"].as_array()?;
    tags.iter().find(|tag| tag["key"] == name)?["value"].as_str()
}

pub(crate) fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn pairs(pairs: &[(String, String)]) -> Vec<Value> {
    let pairs: Pairs = pairs.to_vec();
    pairs
        .into_iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

pub(crate) fn metric(metric: &Metric) -> Value {
    let value = number(metric.value);
    json!({ "key": metric.name, "value": value, "timestamp": metric.time, "step": metric.step })
}

/// A text in MLflow's filter language, which has no escapes but two kinds of quotes.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    format!("{quote}{text}{quote}")
}
