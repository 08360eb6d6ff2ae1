//! A tracking store behind MLflow's REST API: one function per call, as few calls as possible.

mod past;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use reqwest::blocking::Response;
use serde_json::{Value, json};

use crate::TrackingError;
use crate::answer::{self, Failure};
use crate::artifacts::{Location, ServerPath};
use crate::http::Http;
use crate::record::{self, MAX_BATCH, MAX_METRICS, Metric, NewRun, Record, now};
use crate::settings::Experiment;
use crate::stored::{Chosen, Known, StoreError};
use crate::waiting::{Hurry, Patience};
use crate::wire::{active, id, known, metric, or_none, pairs, quoted, tag, text};
use process::files;

const API: &str = "api/2.0/mlflow";
const ARTIFACTS: &str = "api/2.0/mlflow-artifacts/artifacts";

/// How long a log may take to arrive that is passed on as it comes.
const WHOLE_LOG: Duration = Duration::from_hours(1);

/// The tag with our key of a run, to which the server gives an id of its own. Nobody else knows the
/// key, so that by it a run is found exactly, and is ours.
const KEY: &str = "pipeline.key";

/// How long a request for a run may be on its way that was not answered in time.
const LATE: u64 = 5000;

#[derive(Debug)]
pub(crate) struct Rest {
    http: Http,
    hurry: Hurry,
    /// Runs whose creation was asked for and not confirmed: the server may have made them, or may
    /// still do so until a time in milliseconds since 1970.
    uncertain: HashMap<String, u64>,
}

impl Rest {
    pub(crate) fn new(url: &str, hurry: &Hurry) -> Result<Rest, TrackingError> {
        Ok(Rest {
            http: Http::new(url, hurry)?,
            hurry: hurry.clone(),
            uncertain: HashMap::new(),
        })
    }

    /// The experiment that was asked for; made if it is named and unknown.
    pub(crate) fn choose(&mut self, wanted: Option<&Experiment>) -> Result<Chosen, StoreError> {
        match wanted {
            Some(Experiment::Name(name)) => self.named(name),
            Some(Experiment::Id(id)) => self.numbered(id),
            None => self.numbered("0"),
        }
    }

    /// The experiment that was asked for, if there is one.
    pub(crate) fn find_experiment(
        &self,
        wanted: Option<&Experiment>,
    ) -> Result<Option<Chosen>, StoreError> {
        match wanted {
            Some(Experiment::Name(name)) => self
                .http
                .retry(Patience::Full, |this| self.by_name(name, this.timeout)),
            Some(Experiment::Id(id)) => self.numbered(id).map(Some),
            None => self.numbered("0").map(Some),
        }
    }

    fn numbered(&self, id: &str) -> Result<Chosen, StoreError> {
        let found = self.http.retry(Patience::Full, |this| {
            let found = self.get("experiments/get", &[("experiment_id", id)], this.timeout);
            let found = or_none(
                found,
                &["RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"],
            )?;
            found.as_ref().map(active).transpose()
        })?;
        found.ok_or_else(|| StoreError::NoExperiment(id.to_owned()))
    }

    fn by_name(&self, name: &str, timeout: Duration) -> Result<Option<Chosen>, Failure> {
        let query = [("experiment_name", name)];
        let found = self.get("experiments/get-by-name", &query, timeout);
        let found = or_none(found, &["RESOURCE_DOES_NOT_EXIST"])?;
        found.as_ref().map(active).transpose()
    }

    fn named(&self, name: &str) -> Result<Chosen, StoreError> {
        self.http.retry(Patience::Full, |this| {
            if let Some(found) = self.by_name(name, this.timeout)? {
                return Ok(found);
            }
            let body = json!({ "name": name });
            match self.post("experiments/create", &body, this.timeout) {
                Ok(created) => Ok(Chosen {
                    id: id(&created, "experiment_id")?,
                    is_new: true,
                }),
                // Somebody else was faster.
                Err(failure) if failure.is("RESOURCE_ALREADY_EXISTS") => {
                    let found = self.by_name(name, this.timeout)?;
                    found.ok_or(failure)
                }
                Err(failure) => Err(failure),
            }
        })
    }

    /// The run in which we are started, and its experiment.
    pub(crate) fn find(&mut self, run: &str) -> Result<(Known, String), StoreError> {
        let found = self.http.retry(Patience::Full, |this| {
            let found = self.get("runs/get", &[("run_id", run)], this.timeout);
            let Some(found) = or_none(found, &["RESOURCE_DOES_NOT_EXIST"])? else {
                return Ok(None);
            };
            let info = &found["run"]["info"];
            if text(info, "lifecycle_stage") == "deleted" {
                let error = StoreError::DeletedRun(run.to_owned());
                return Err(Failure::lasting(error));
            }
            Ok(Some((known(info)?, id(info, "experiment_id")?)))
        })?;
        found.ok_or_else(|| StoreError::NoRun(run.to_owned()))
    }

    /// Sends one record. One that was sent before, without an answer, does no harm.
    pub(crate) fn send(
        &mut self,
        experiment: &str,
        record: &Record,
        runs: &mut HashMap<String, Known>,
        root: &Path,
        patience: Patience,
    ) -> Result<(), StoreError> {
        if let Record::Start(run) = record {
            let experiment = run.experiment.as_deref().unwrap_or(experiment);
            let made = self.create(experiment, run, runs, patience)?;
            runs.insert(run.key.clone(), made);
            return Ok(());
        }
        let Some(run) = runs.get(record.run()) else {
            return Err(StoreError::UnknownRun);
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
            Record::Copy {
                from, step, time, ..
            } => {
                let from = runs.get(from).map_or(from, |known| &known.id);
                let found = self.run(from, patience)?;
                let found = found.filter(|found| found.step.as_ref() == Some(step));
                let found = found.map(|found| record::copied(&found.metrics, step, *time));
                self.facts(&run.id, &found.unwrap_or_default(), &[], patience)
            }
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
        if let Some(known) = runs.get(&run.key) {
            return Ok(known.clone());
        }
        let mut tags = run.all_tags(|key| runs.get(key).map(|known| known.id.as_str()));
        tags.push((KEY.to_owned(), run.key.clone()));
        let body = json!({
            "experiment_id": experiment,
            "run_name": run.name,
            "user_id": run.user,
            "start_time": run.start,
            "tags": pairs(&tags),
        });
        let uncertain = self.uncertain.remove(&run.key);
        let made = self.http.retry(patience, |this| {
            if this.before > 0 || uncertain.is_some() {
                let until = uncertain.unwrap_or_default();
                if let Some(found) = self.arrived(experiment, &run.key, until, this.timeout)? {
                    return Ok(found);
                }
            }
            let created = self.post("runs/create", &body, this.timeout)?;
            known(&created["run"]["info"])
        });
        match made {
            Err(StoreError::NoAnswer(_)) => self.doubt(&run.key, now() + LATE),
            Err(ref error) if error.may_pass() => self.doubt(&run.key, 0),
            _ => {}
        }
        made
    }

    /// A run whose creation was asked for before; it may arrive until that time.
    fn arrived(
        &self,
        experiment: &str,
        key: &str,
        until: u64,
        timeout: Duration,
    ) -> Result<Option<Known>, Failure> {
        loop {
            let found = self.by_key(experiment, key, timeout)?;
            if found.is_some() || now() >= until || self.hurry.is_set() {
                return Ok(found);
            }
            self.hurry.sleep(Duration::from_millis(200));
        }
    }

    /// The run that has a key of ours.
    pub(crate) fn find_by_key(
        &self,
        experiment: &str,
        key: &str,
        patience: Patience,
    ) -> Result<Option<Known>, StoreError> {
        self.http
            .retry(patience, |this| self.by_key(experiment, key, this.timeout))
    }

    fn by_key(
        &self,
        experiment: &str,
        key: &str,
        timeout: Duration,
    ) -> Result<Option<Known>, Failure> {
        let filter = format!("tags.`{KEY}` = {}", quoted(key));
        let order = "attributes.start_time DESC";
        let found = self.search(experiment, &filter, order, 100, timeout)?;
        let found = found.iter().find(|found| tag(found, KEY) == Some(key));
        found.map(|found| known(&found["info"])).transpose()
    }

    /// Marks a run that an earlier process may have asked for.
    pub(crate) fn doubt(&mut self, key: &str, until: u64) {
        self.uncertain.insert(key.to_owned(), until);
    }

    /// Sends a log, given by its place below the pipeline's folder.
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
                let open = || files::open_below(root, file);
                self.http.retry(patience, |this| {
                    self.http
                        .put(place.authority.as_deref(), &path, open, this.timeout)
                        .map_err(|failure| failure.of_log(&root.join(file)))
                })
            }
            Location::Elsewhere(scheme) => {
                let file = root.join(file);
                Err(StoreError::LogStays { scheme, file })
            }
        }
    }

    /// An artifact that the server has.
    pub(crate) fn fetch(&self, artifacts: &str, name: &str) -> Result<Response, StoreError> {
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
        self.http
            .retry(Patience::Short, |_| self.http.get(&path, &[], WHOLE_LOG))
    }

    fn send_post(&self, call: &str, body: &Value, patience: Patience) -> Result<(), StoreError> {
        self.http
            .retry(patience, |this| self.post(call, body, this.timeout))
            .map(drop)
    }

    fn get(&self, call: &str, query: &[(&str, &str)], timeout: Duration) -> Result<Value, Failure> {
        answer::json(self.http.get(&format!("{API}/{call}"), query, timeout)?)
    }

    fn post(&self, call: &str, body: &Value, timeout: Duration) -> Result<Value, Failure> {
        self.http.post(&format!("{API}/{call}"), body, timeout)
    }
}
