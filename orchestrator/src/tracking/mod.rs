//! What is recorded when: a run for the pipeline and, nested in it, one for each try of a step, in
//! the tracking store that MLflow's own tools show.
//!
//! The store has to be there before the first step. When it goes away later the steps go on: what
//! it did not take is kept in a file, in order, and sent when it is back.

mod artifacts;
mod error;
mod facts;
mod history;
mod http;
mod record;
mod recorder;
mod rest;
mod settings;
mod spool;
mod sqlite;
mod store;
mod tls;

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use crate::error::{Cause, Error};
use crate::log;
use crate::notice::warn;
use crate::plan::{Plan, PlannedStep};
use crate::redact::redact;
use record::{Metric, Pairs, Record};
use recorder::Recorder;
use settings::Settings;
use spool::leftovers;
use store::Store;

pub(crate) use error::{TrackingError, Waiting};
pub(crate) use record::{Status, refused_name};
pub(crate) use settings::{Options, two_experiments};

/// The largest part of a step's own metrics that is read, in bytes.
const MAX_METRICS_FILE: u64 = 1 << 20;

/// So many complaints about them are told.
const SHOWN: usize = 5;

/// Records one run of a pipeline. Clones are the same record; one of them is for the signals.
#[derive(Debug, Clone)]
pub(crate) struct Tracker {
    /// None with `--no-tracking`, and after the end.
    recorder: Arc<Mutex<Option<Recorder>>>,
    root: PathBuf,
}

/// A try of a step.
#[derive(Debug)]
pub(crate) struct StepRun {
    key: String,
    /// The folder for what the step prints, not made yet.
    pub(crate) folder: PathBuf,
    /// Whether the log has to be sent from there to the store.
    is_elsewhere: bool,
    /// Variables for the step; none stands for one to take out.
    pub(crate) environment: Vec<(&'static str, Option<OsString>)>,
    metrics: Option<tempfile::NamedTempFile>,
    start: Instant,
}

impl Tracker {
    /// Reaches the store, and sends what earlier runs of this pipeline could not.
    pub(crate) fn open(
        options: &Options,
        root: &Path,
        caller: &Path,
    ) -> Result<Tracker, TrackingError> {
        let settings = Settings::new(options, root, caller)?;
        let recorder = Recorder::open(&settings, root)?;
        Ok(Tracker {
            recorder: Arc::new(Mutex::new(recorder)),
            root: root.to_owned(),
        })
    }

    /// Starts the pipeline's run, unless we are inside of one.
    pub(crate) fn begin(&self, plan: &Plan) -> Result<(), TrackingError> {
        match &mut *self.recorder() {
            Some(recorder) => recorder.begin(plan),
            None => Ok(()),
        }
    }

    /// Starts the run of a step's try, counted from 1.
    pub(crate) fn start_step(&self, step: &PlannedStep, attempt: u32) -> StepRun {
        let key = new_key();
        let mut recorder = self.recorder();
        let Some(recorder) = recorder.as_mut() else {
            return StepRun {
                folder: artifacts::own_folder(&self.root, "0", &key),
                key,
                is_elsewhere: false,
                environment: Vec::new(),
                metrics: None,
                start: Instant::now(),
            };
        };
        recorder.start_step(&key, step, attempt);
        let (folder, is_elsewhere) = recorder.store.log_folder(&key);
        if is_elsewhere {
            recorder.log_at(&key, &folder.join(log::name(&step.name)));
        }
        let metrics = tempfile::Builder::new()
            .prefix("pipeline-metrics-")
            .tempfile();
        let metrics = metrics
            .map_err(|error| {
                warn(&format!(
                    "step `{}`: no file for its metrics: {error}",
                    step.name
                ));
            })
            .ok();
        let text = |text: &str| Some(OsString::from(text));
        // A run that the store does not know yet would make the step's own MLflow client fail.
        let id = recorder.store.known.get(&key).map(|known| known.id.clone());
        let environment = vec![
            ("MLFLOW_RUN_ID", id.map(OsString::from)),
            ("MLFLOW_TRACKING_URI", text(&recorder.store.place.uri())),
            ("MLFLOW_EXPERIMENT_ID", text(&recorder.store.experiment)),
            // Both together are an error for a nested `mlflow run`.
            ("MLFLOW_EXPERIMENT_NAME", None),
            (
                "PIPELINE_METRICS",
                metrics.as_ref().map(|file| file.path().into()),
            ),
        ];
        StepRun {
            key,
            folder,
            is_elsewhere,
            environment,
            metrics,
            start: Instant::now(),
        }
    }

    /// Ends the run of a step's try; `log` is the file in the run's folder, if it was written.
    pub(crate) fn end_step(
        &self,
        run: StepRun,
        step: &PlannedStep,
        result: &Result<(), Error>,
        log: Option<&Path>,
    ) {
        let mut recorder = self.recorder();
        let Some(recorder) = recorder.as_mut() else {
            return;
        };
        let end = record::now();
        let metric = |name: String, value| Metric {
            name,
            value,
            time: end,
            step: 0,
        };
        let mut metrics = vec![metric(
            "duration_seconds".to_owned(),
            run.start.elapsed().as_secs_f64(),
        )];
        for (name, path) in &step.outputs {
            let is_file = |found: &std::fs::Metadata| found.is_file();
            if let Some(found) = std::fs::metadata(path).ok().filter(is_file) {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "sizes above 2^53 bytes may lose a byte"
                )]
                metrics.push(metric(format!("{name}_bytes"), found.len() as f64));
            }
        }
        metrics.extend(
            run.metrics
                .into_iter()
                .flat_map(|file| own_metrics(&step.name, file.path(), end)),
        );
        let mut records = Vec::new();
        if let Some(file) = log.filter(|file| run.is_elsewhere && file.exists()) {
            records.push(Record::Log {
                run: run.key.clone(),
                file: file.to_owned(),
            });
        }
        let (status, tags) = outcome(result);
        records.push(Record::Facts {
            run: run.key.clone(),
            metrics,
            tags,
        });
        records.push(Record::End {
            run: run.key.clone(),
            status,
            end,
        });
        recorder.close(&run.key, records);
    }

    /// Ends the pipeline's run, and every other that is still open.
    pub(crate) fn end(&self, result: &Result<(), Error>) {
        let Some(mut recorder) = self.recorder().take() else {
            return;
        };
        let (status, tags) = outcome(result);
        // The pipeline itself was stopped only by a signal to it; else one of its steps was.
        let status = match result {
            Err(Error::Failed(failure)) if !failure.is_interruption() => Status::Failed,
            _ => status,
        };
        recorder.end(status, &tags);
    }

    /// Ends all runs because a signal is about to end this process.
    pub(crate) fn interrupted(&self, signal: i32) {
        if let Some(mut recorder) = self.recorder().take() {
            recorder.end(Status::Killed, &vec![signal_tag(signal)]);
        }
    }

    fn recorder(&self) -> MutexGuard<'_, Option<Recorder>> {
        // A record that was not finished is better than none.
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a run ended, and what of it does not show in MLflow's status.
fn outcome(result: &Result<(), Error>) -> (Status, Pairs) {
    use std::os::unix::process::ExitStatusExt;
    let Err(error) = result else {
        return (Status::Finished, Vec::new());
    };
    let mut tags = vec![("pipeline.error".to_owned(), redact(&error.to_string()))];
    let failure = match error {
        Error::Failed(failure) => failure,
        Error::InterruptedMaking(signal) => {
            tags.push(signal_tag(*signal));
            return (Status::Killed, record::tags(tags));
        }
        _ => return (Status::Failed, record::tags(tags)),
    };
    let status = match failure.cause {
        Cause::Status(status) | Cause::Supervisor(status) => {
            let code = status.code();
            let code = code.map(|code| ("pipeline.exit_code".to_owned(), code.to_string()));
            tags.extend(code.or_else(|| status.signal().map(signal_tag)));
            match status.signal() {
                Some(_) => Status::Killed,
                None => Status::Failed,
            }
        }
        Cause::Timeout(_) => Status::Killed,
        Cause::Unwritten(_) => Status::Failed,
        Cause::Interruption(signal) => {
            tags.push(signal_tag(signal));
            Status::Killed
        }
    };
    (status, record::tags(tags))
}

fn signal_tag(signal: i32) -> (String, String) {
    let name = signal_hook::low_level::signal_name(signal);
    (
        "pipeline.signal".to_owned(),
        name.map_or_else(|| signal.to_string(), str::to_owned),
    )
}

/// What a step wrote to its `PIPELINE_METRICS`.
fn own_metrics(step: &str, path: &Path, end: u64) -> Vec<Metric> {
    let mut bytes = Vec::new();
    // A step may have replaced or removed the file.
    let Ok(file) = std::fs::File::open(path) else {
        return Vec::new();
    };
    if let Err(error) = file.take(MAX_METRICS_FILE + 1).read_to_end(&mut bytes) {
        warn(&format!(
            "step `{step}`: its PIPELINE_METRICS cannot be read: {error}"
        ));
    }
    let mut text = String::from_utf8_lossy(&bytes);
    if text.len() as u64 > MAX_METRICS_FILE {
        warn(&format!(
            "step `{step}`: of its PIPELINE_METRICS only the first MiB counts"
        ));
        let whole = text.rfind('\n').unwrap_or(0);
        text = text[..whole].to_owned().into();
    }
    let (metrics, complaints) = record::metrics(&text, end);
    for complaint in complaints.iter().take(SHOWN) {
        warn(&format!("step `{step}`: PIPELINE_METRICS, {complaint}"));
    }
    if complaints.len() > SHOWN {
        let more = complaints.len() - SHOWN;
        warn(&format!(
            "step `{step}`: PIPELINE_METRICS, {more} more such lines"
        ));
    }
    metrics
}

/// Sends what earlier runs of a pipeline could not, and ends their runs; says how many.
pub(crate) fn resend(
    options: &Options,
    root: &Path,
    caller: &Path,
) -> Result<String, TrackingError> {
    let left = leftovers(root);
    if left.is_empty() {
        return Ok("nothing to send\n".to_owned());
    }
    let mut settings = Settings::new(options, root, caller)?;
    let place = settings.place.take().ok_or(TrackingError::Off)?;
    settings.run_id = None;
    let (mut count, mut waiting) = (0, Vec::new());
    for leftover in left {
        let file = leftover.spool.path().to_owned();
        let store = leftover.uri.clone();
        if store != place.shown() {
            let reason = format!(
                "name that store with --tracking-uri, now it is {}",
                place.shown()
            );
            waiting.push(Waiting {
                file,
                store,
                reason,
            });
            continue;
        }
        settings.experiment = Some(settings::Experiment::Id(leftover.experiment.clone()));
        let mut opened = Store::open(&place, &settings, root)?.store;
        match recorder::mend(&mut opened, leftover, rest::Patience::Full) {
            Ok(sent) => count += sent,
            Err(error) => {
                let reason = error.to_string();
                waiting.push(Waiting {
                    file,
                    store,
                    reason,
                });
            }
        }
    }
    if !waiting.is_empty() {
        return Err(TrackingError::Resend(waiting));
    }
    Ok(format!("{count} records sent\n"))
}

/// The last runs of a pipeline, for people or as JSON.
pub(crate) fn history(
    options: &Options,
    (pipeline, root, caller): (&str, &Path, &Path),
    limit: usize,
    as_json: bool,
) -> Result<String, TrackingError> {
    let (_, past) = past_runs(options, (pipeline, root, caller), limit)?;
    Ok(if as_json {
        history::json(&past)
    } else {
        history::text(&past)
    })
}

fn past_runs(
    options: &Options,
    (pipeline, root, caller): (&str, &Path, &Path),
    limit: usize,
) -> Result<(Option<Store>, Vec<history::Past>), TrackingError> {
    let mut settings = Settings::new(options, root, caller)?;
    settings.run_id = None;
    let place = settings.place.take().ok_or(TrackingError::Off)?;
    if let settings::Place::Database(path) = &place
        && !path.exists()
    {
        // To look is no reason to make one.
        return Ok((None, Vec::new()));
    }
    let mut store = Store::open(&place, &settings, root)?.store;
    let past = store
        .history(pipeline, limit)
        .map_err(|source| TrackingError::Read {
            store: place.shown(),
            source,
        })?;
    Ok((Some(store), past))
}

/// The newest log of a step, or of the step that ran last.
pub(crate) fn newest_log(
    options: &Options,
    (pipeline, root, caller): (&str, &Path, &Path),
    step: Option<&str>,
) -> Result<Vec<u8>, TrackingError> {
    let (store, past) = past_runs(options, (pipeline, root, caller), 100)?;
    let newest_first = past.iter().flat_map(|past| past.steps.iter().rev());
    let mut candidates = newest_first.filter_map(|run| Some((run, run.step.as_deref()?)));
    let found = candidates.find_map(|(run, name)| {
        if step.is_some_and(|step| step != name) {
            return None;
        }
        let store = store.as_ref()?;
        let file = log::name(name);
        let local = match artifacts::Location::parse(&run.artifacts, root) {
            artifacts::Location::Local(folder) => folder,
            _ => artifacts::own_folder(root, &store.experiment, &run.id),
        };
        let local = std::fs::read(local.join(&file)).ok();
        local.or_else(|| store.fetch(&run.artifacts, &file).ok())
    });
    found.ok_or_else(|| {
        TrackingError::NoLog(match step {
            Some(step) => format!("step `{step}`"),
            None => "this pipeline".to_owned(),
        })
    })
}

/// 32 hexadecimal digits that nobody else has, as MLflow's run ids are.
pub(crate) fn new_key() -> String {
    // Each of these states has random keys of its own.
    let half = || RandomState::new().hash_one((SystemTime::now(), std::process::id()));
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_a_key_of_its_own() {
        let keys = [new_key(), new_key(), new_key()];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        let is_hexadecimal = |key: &String| key.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(
            keys.iter()
                .all(|key| key.len() == 32 && is_hexadecimal(key))
        );
    }
}
