//! A tracking store behind MLflow's REST API: one function per call, as few calls as possible.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use reqwest::blocking::Response;
use serde_json::{Value, json};

use super::TrackingError;
use super::artifacts::{Location, ServerPath};
use super::history::{Past, PastRun};
pub(super) use super::http::Patience;
use super::http::{self, Failure, Http};
use super::record::{MAX_BATCH, MAX_METRICS, Metric, NewRun, Pairs, Record};
use super::settings::Experiment;
use super::store::{Chosen, Known, StoreError};

const API: &str = "api/2.0/mlflow";
const ARTIFACTS: &str = "api/2.0/mlflow-artifacts/artifacts";

#[derive(Debug)]
pub(super) struct Rest {
    http: Http,
    /// Runs whose creation was asked for and not confirmed: the server may have made them.
    uncertain: HashSet<String>,
}

impl Rest {
    pub(super) fn new(url: &str) -> Result<Rest, TrackingError> {
        Ok(Rest {
            http: Http::new(url)?,
            uncertain: HashSet::new(),
        })
    }

    /// The experiment that was asked for; made if it is named and unknown.
    pub(super) fn choose(&mut self, wanted: Option<&Experiment>) -> Result<Chosen, StoreError> {
        match wanted {
            Some(Experiment::Name(name)) => self.named(name),
            Some(Experiment::Id(id)) => self.numbered(id),
            None => self.numbered("0"),
        }
    }

    fn numbered(&self, id: &str) -> Result<Chosen, StoreError> {
        let found = self.http.retry(Patience::Full, |_| {
            let found = self.get("experiments/get", &[("experiment_id", id)]);
            or_none(
                found,
                &["RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"],
            )
        })?;
        let found = found.ok_or_else(|| StoreError::NoExperiment(id.to_owned()))?;
        active(&found)
    }

    fn named(&self, name: &str) -> Result<Chosen, StoreError> {
        self.http.retry(Patience::Full, |_| {
            let find = || self.get("experiments/get-by-name", &[("experiment_name", name)]);
            if let Some(found) = or_none(find(), &["RESOURCE_DOES_NOT_EXIST"])? {
                return active(&found).map_err(Failure::lasting);
            }
            match self.post("experiments/create", &json!({ "name": name })) {
                Ok(created) => Ok(Chosen {
                    id: text(&created, "experiment_id"),
                    is_new: true,
                }),
                // Somebody else was faster.
                Err(failure) if failure.is("RESOURCE_ALREADY_EXISTS") => {
                    active(&find()?).map_err(Failure::lasting)
                }
                Err(failure) => Err(failure),
            }
        })
    }

    /// The run in which we are started, and its experiment.
    pub(super) fn find(&mut self, run: &str) -> Result<(Known, String), StoreError> {
        let found = self.http.retry(Patience::Full, |_| {
            let found = self.get("runs/get", &[("run_id", run)]);
            or_none(found, &["RESOURCE_DOES_NOT_EXIST"])
        })?;
        let found = found.ok_or_else(|| StoreError::NoRun(run.to_owned()))?;
        let info = &found["run"]["info"];
        Ok((known(info), text(info, "experiment_id")))
    }

    /// Sends one record. One that was sent before, without an answer, does no harm.
    pub(super) fn send(
        &mut self,
        experiment: &str,
        record: &Record,
        runs: &mut HashMap<String, Known>,
        root: &Path,
        patience: Patience,
    ) -> Result<(), StoreError> {
        if let Record::Start(run) = record {
            let made = self.create(experiment, run, runs, patience)?;
            runs.insert(run.key.clone(), made);
            return Ok(());
        }
        let Some(run) = runs.get(record.run()) else {
            // The server has refused the run itself, which was told.
            return Ok(());
        };
        match record {
            Record::Start(_) => Ok(()),
            Record::Parameters { parameters, .. } => {
                for batch in parameters.chunks(MAX_BATCH) {
                    let body = json!({ "run_id": run.id, "params": pairs(batch) });
                    self.send_post("runs/log-batch", &body, patience)?;
                }
                Ok(())
            }
            Record::Facts { metrics, tags, .. } => self.facts(&run.id, metrics, tags, patience),
            Record::Log { file, .. } => self.upload(run, file, root, patience),
            Record::End { status, end, .. } => {
                let body = json!({ "run_id": run.id, "status": status.name(), "end_time": end });
                self.send_post("runs/update", &body, patience)
            }
        }
    }

    fn facts(
        &self,
        run: &str,
        metrics: &[Metric],
        tags: &[(String, String)],
        patience: Patience,
    ) -> Result<(), StoreError> {
        let mut tags = tags.chunks(MAX_BATCH);
        let mut metrics = metrics.chunks(MAX_METRICS);
        loop {
            let (some_tags, some_metrics) = (tags.next(), metrics.next());
            if some_tags.is_none() && some_metrics.is_none() {
                return Ok(());
            }
            let metrics: Vec<Value> = some_metrics
                .unwrap_or_default()
                .iter()
                .map(metric)
                .collect();
            let tags = pairs(some_tags.unwrap_or_default());
            let body = json!({ "run_id": run, "metrics": metrics, "tags": tags });
            self.send_post("runs/log-batch", &body, patience)?;
        }
    }

    /// Makes a run. After a try that may have succeeded without our hearing of it, the run is looked
    /// for first; else it would be there twice, and one of them run for ever.
    fn create(
        &mut self,
        experiment: &str,
        run: &NewRun,
        runs: &HashMap<String, Known>,
        patience: Patience,
    ) -> Result<Known, StoreError> {
        let tags = run.all_tags(|key| runs.get(key).map(|known| known.id.as_str()));
        let body = json!({
            "experiment_id": experiment,
            "run_name": run.name,
            "user_id": run.user,
            "start_time": run.start,
            "tags": pairs(&tags),
        });
        let is_uncertain = self.uncertain.remove(&run.key);
        let made = self.http.retry(patience, |count| {
            if (count > 0 || is_uncertain)
                && let Some(found) = self.same(experiment, run)?
            {
                return Ok(found);
            }
            let created = self.post("runs/create", &body)?;
            Ok(known(&created["run"]["info"]))
        });
        if let Err(StoreError::Unavailable(_)) = made {
            self.uncertain.insert(run.key.clone());
        }
        made
    }

    /// The run that started in the same millisecond under the same name.
    fn same(&self, experiment: &str, run: &NewRun) -> Result<Option<Known>, Failure> {
        let filter = format!("attributes.start_time = {}", run.start);
        let found = self.search(experiment, &filter, "attributes.start_time DESC", 100)?;
        let same = found.iter().find(|found| {
            tag(found, "mlflow.runName") == Some(run.name.as_str())
                && text(&found["info"], "status") == "RUNNING"
        });
        Ok(same.map(|found| known(&found["info"])))
    }

    /// Marks runs that an earlier process may have asked for.
    pub(super) fn doubt(&mut self, key: &str) {
        self.uncertain.insert(key.to_owned());
    }

    fn upload(
        &self,
        run: &Known,
        file: &Path,
        root: &Path,
        patience: Patience,
    ) -> Result<(), StoreError> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match Location::parse(&run.artifacts, root) {
            // It was written there.
            Location::Local(_) => Ok(()),
            Location::Server(place) => {
                let path = format!("{ARTIFACTS}/{}/{name}", place.path);
                self.http.retry(patience, |_| {
                    self.http.put(place.authority.as_deref(), &path, file)
                })
            }
            Location::Elsewhere(scheme) => {
                let file = file.to_owned();
                Err(StoreError::LogStays { scheme, file })
            }
        }
    }

    /// An artifact that the server has.
    pub(super) fn fetch(&self, artifacts: &str, name: &str) -> Result<Vec<u8>, StoreError> {
        let Location::Server(ServerPath {
            authority: None,
            path,
        }) = Location::parse(artifacts, Path::new("/"))
        else {
            return Err(StoreError::Refused(format!(
                "the artifacts are at {artifacts}"
            )));
        };
        let path = format!("{ARTIFACTS}/{path}/{name}");
        self.http.retry(Patience::Short, |_| {
            let response: Response = self.http.get(&path, &[])?;
            let bytes = response.bytes().map_err(|error| {
                Failure::lasting(StoreError::Unavailable(error.without_url().to_string()))
            })?;
            Ok(bytes.to_vec())
        })
    }

    /// The last runs of a pipeline, newest first.
    pub(super) fn history(
        &self,
        experiment: &str,
        pipeline: &str,
        limit: usize,
    ) -> Result<Vec<Past>, StoreError> {
        let find = |filter: &str, order: &str, limit| {
            self.http.retry(Patience::Full, |_| {
                self.search(experiment, filter, order, limit)
            })
        };
        let filter = format!("tags.`pipeline.name` = {}", quoted(pipeline));
        let runs = find(&filter, "attributes.start_time DESC", limit)?;
        let past = runs.iter().map(|run| {
            let run = past(run);
            let filter = format!("tags.mlflow.parentRunId = {}", quoted(&run.id));
            let steps = find(&filter, "attributes.start_time ASC", 1000)?;
            Ok(Past {
                run,
                steps: steps.iter().map(past).collect(),
            })
        });
        past.collect()
    }

    fn search(
        &self,
        experiment: &str,
        filter: &str,
        order: &str,
        limit: usize,
    ) -> Result<Vec<Value>, Failure> {
        let body = json!({
            "experiment_ids": [experiment],
            "filter": filter,
            "order_by": [order],
            "max_results": limit,
        });
        let mut answer = self.post("runs/search", &body)?;
        match answer["runs"].take() {
            Value::Array(runs) => Ok(runs),
            _ => Ok(Vec::new()),
        }
    }

    fn send_post(&self, call: &str, body: &Value, patience: Patience) -> Result<(), StoreError> {
        self.http
            .retry(patience, |_| self.post(call, body))
            .map(drop)
    }

    fn get(&self, call: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        http::json(self.http.get(&format!("{API}/{call}"), query)?)
    }

    fn post(&self, call: &str, body: &Value) -> Result<Value, Failure> {
        self.http.post(&format!("{API}/{call}"), body)
    }
}

/// None for an answer that says that there is no such thing.
fn or_none(answer: Result<Value, Failure>, codes: &[&str]) -> Result<Option<Value>, Failure> {
    match answer {
        Err(failure) if codes.iter().any(|code| failure.is(code)) => Ok(None),
        answer => answer.map(Some),
    }
}

/// The id of an experiment that is not deleted; a server tells of deleted ones too.
fn active(answer: &Value) -> Result<Chosen, StoreError> {
    let experiment = &answer["experiment"];
    let id = text(experiment, "experiment_id");
    if text(experiment, "lifecycle_stage") == "deleted" {
        let name = text(experiment, "name");
        return Err(StoreError::DeletedExperiment { id, name });
    }
    Ok(Chosen { id, is_new: false })
}

fn known(info: &Value) -> Known {
    Known {
        id: text(info, "run_id"),
        artifacts: text(info, "artifact_uri"),
    }
}

fn past(run: &Value) -> PastRun {
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
        step: tag(run, "pipeline.step").map(str::to_owned),
    }
}

fn tag<'a>(run: &'a Value, name: &str) -> Option<&'a str> {
    let tags = run["data"]["tags"].as_array()?;
    tags.iter().find(|tag| tag["key"] == name)?["value"].as_str()
}

fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_default().to_owned()
}

fn pairs(pairs: &[(String, String)]) -> Vec<Value> {
    let pairs: Pairs = pairs.to_vec();
    pairs
        .into_iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

fn metric(metric: &Metric) -> Value {
    let value = match metric.value {
        value if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        value => json!(value),
    };
    json!({ "key": metric.name, "value": value, "timestamp": metric.time, "step": metric.step })
}

/// A text in MLflow's filter language, which has no escapes but two kinds of quotes.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    format!("{quote}{text}{quote}")
}
