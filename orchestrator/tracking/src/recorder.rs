//! The runs that are open, and the way of their records into the store or the spool.

mod begin;
mod copies;
mod page;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::delivery::deliver;
use super::facts::{self, Trees};
use super::names;
use super::past::{ENVIRONMENT, PastRun, STEP};
use super::record::{self, Metric, NewRun, Pairs, Record, Status};
use super::resend::mend_all;
use super::settings::{Experiment, Place, Settings};
use super::spool::{Spool, last_fact};
use super::store::{LogFolder, Store};
use super::stored::{Known, StoreError, StoredRun};
use super::waiting::{Hurry, Patience};
use super::{TrackingError, new_key};
use crate::subject::Attempt;
use page::Page;
use process::console::{say, warn};

#[derive(Debug)]
pub(crate) struct Recorder {
    pub store: Store,
    /// The pipeline's folder.
    pub root: PathBuf,
    /// The folder that has `mlruns`: the pipeline's, or a temporary one.
    base: PathBuf,
    pub spool: Spool,
    /// The key of the pipeline's run.
    pipeline: String,
    /// Whether the pipeline's run is ours to start and end.
    is_ours: bool,
    run_name: Option<String>,
    experiment: Option<Experiment>,
    /// The ids of the experiments that steps have for themselves, by their names.
    experiments: BTreeMap<String, String>,
    /// How the pipeline's run, and that of the step that runs now, began: to be told again to a
    /// database that is made anew.
    begun: Vec<Record>,
    user: String,
    trees: Trees,
    start: Instant,
    /// Whether the store took nothing when it was last asked.
    is_away: bool,
    /// The name of the pipeline whose run before this one is still to be found.
    looks_back_for: Option<String>,
    /// The page about the run, once it is known where that will be.
    page: Option<Page>,
}

impl Recorder {
    /// None when nothing is to be recorded.
    pub(crate) fn open(
        settings: &Settings,
        root: &Path,
        base: &Path,
        hurry: &Hurry,
    ) -> Result<Option<Recorder>, TrackingError> {
        let Some(place) = &settings.place else {
            return Ok(None);
        };
        let mut opened = Store::open(place, settings, base, hurry)?;
        if let Some(name) = &opened.new_experiment {
            say(&format!("experiment `{name}` did not exist and was made"));
        }
        if root == base {
            mend_all(&mut opened.store, root);
        }
        let is_ours = opened.inside.is_none();
        let spool = Spool::new(&place.shown(), &opened.store.experiment);
        Ok(Some(Recorder {
            store: opened.store,
            root: root.to_owned(),
            base: base.to_owned(),
            spool,
            pipeline: opened.inside.map_or_else(new_key, |known| known.id),
            is_ours,
            run_name: settings.run_name.clone(),
            experiment: settings.experiment.clone(),
            experiments: BTreeMap::new(),
            begun: Vec::new(),
            user: facts::user(),
            trees: Trees::default(),
            start: Instant::now(),
            is_away: false,
            looks_back_for: None,
            page: None,
        }))
    }

    /// The name of the spool's file. Pipelines that run inside of one run have one each.
    fn spool_name(&self) -> String {
        if self.is_ours {
            self.pipeline.clone()
        } else {
            new_key()
        }
    }

    pub(crate) fn start_step(&mut self, key: &str, attempt: &Attempt) {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut tags = vec![
            pair("mlflow.project.entryPoint", &attempt.entry_point),
            pair("mlflow.project.backend", attempt.backend.name()),
            pair(STEP, &attempt.step),
            pair("pipeline.attempt", &attempt.number.to_string()),
            pair(ENVIRONMENT, &attempt.environment),
        ];
        if attempt.manager != mlproject::Manager::Local {
            tags.push(pair("mlflow.project.env", &attempt.manager.to_string()));
        }
        tags.extend(self.trees.tags(&attempt.project, attempt.source.as_deref()));
        let name = match attempt.number {
            1 => attempt.step.clone(),
            number => format!("{} (try {number})", attempt.step),
        };
        let run = NewRun {
            key: key.to_owned(),
            name,
            parent: Some(self.pipeline.clone()),
            user: self.user.clone(),
            start: record::now(),
            tags: record::tags(tags),
            experiment: self.experiment_of(attempt),
        };
        let parameters = Record::Parameters {
            run: key.to_owned(),
            parameters: record::parameters(attempt.parameters.iter().cloned()),
        };
        let records = vec![Record::Start(run), parameters];
        self.begun.extend(records.iter().cloned());
        self.send(records);
        // Runs of other experiments are found by it.
        if let (Some(_), Some(known)) = (&attempt.experiment, self.store.known.get(key)) {
            let id = known.id.clone();
            let step = names::part_of_name(&attempt.step);
            self.note(vec![(format!("pipeline.step.{step}"), id)]);
        }
    }

    /// The id of the experiment of a step's run, if it has one for itself.
    pub(crate) fn experiment_of(&self, attempt: &Attempt) -> Option<String> {
        let name = attempt.experiment.as_ref()?;
        self.experiments.get(name).cloned()
    }

    /// The variables that name the place of records, in an experiment or that of the pipeline's run.
    pub(crate) fn place(
        &self,
        experiment: Option<String>,
    ) -> Vec<(&'static str, Option<OsString>)> {
        let experiment = experiment.unwrap_or_else(|| self.store.experiment.clone());
        vec![
            ("MLFLOW_TRACKING_URI", Some(self.store.uri().into())),
            ("MLFLOW_EXPERIMENT_ID", Some(experiment.into())),
            // Both together are an error for a nested `mlflow run`.
            ("MLFLOW_EXPERIMENT_NAME", None),
        ]
    }

    /// Finds the experiments that steps have for themselves, or makes them.
    fn choose(&mut self, names: &[String]) -> Result<(), StoreError> {
        for name in names {
            let chosen = self.store.choose(name)?;
            if chosen.is_new {
                say(&format!("experiment `{name}` did not exist and was made"));
            }
            self.experiments.insert(name.clone(), chosen.id);
        }
        Ok(())
    }

    /// The same in a database that was made anew, where they have other ids.
    fn choose_again(&mut self) {
        for (name, id) in &mut self.experiments {
            let Ok(chosen) = self.store.choose(name) else {
                continue;
            };
            for record in &mut self.begun {
                match record {
                    Record::Start(run) if run.experiment.as_ref() == Some(id) => {
                        run.experiment = Some(chosen.id.clone());
                    }
                    _ => {}
                }
            }
            *id = chosen.id;
        }
    }

    /// The run of that id.
    pub(crate) fn stored(&mut self, id: &str) -> Option<StoredRun> {
        let known = self.store.find(id).ok()?;
        Some(StoredRun::new(&known, &self.root))
    }

    /// The newest run of a step that ended well, in the last runs of a pipeline.
    pub(crate) fn newest(&mut self, pipeline: &str, step: &str) -> Option<StoredRun> {
        let is_good = |run: &PastRun| run.step.as_deref() == Some(step) && run.is_finished();
        for run in self.store.runs(pipeline, 100, &|_| true).ok()? {
            let mut steps = self.store.steps(&[&run], &is_good).ok()?;
            if let Some(run) = steps.pop().unwrap_or_default().pop() {
                let known = Known::new(run.id, run.artifacts);
                return Some(StoredRun::new(&known, &self.root));
            }
        }
        None
    }

    /// Where the log of a run is written, and whether it has to be sent from there to the store.
    pub(crate) fn log_folder(&mut self, key: &str, file: &str) -> (PathBuf, bool) {
        match self.store.log_folder(key) {
            LogFolder::Final(folder) => (folder, false),
            LogFolder::Ours(folder) => {
                // For one who has to end the run in our place.
                let noted = self.spool.log_at(key, &folder.join(file));
                self.check(noted);
                (self.base.join(folder), true)
            }
        }
    }

    /// Adds tags to the pipeline's run. They go with what is sent next: a run that leaves everything out
    /// should not wait for the disk once for each step.
    pub(crate) fn note(&mut self, tags: Pairs) {
        let fact = last_fact(&self.pipeline, record::tags(tags));
        self.keep(vec![fact]);
    }

    /// Ends the run of a step, as of `end`, with its last records.
    pub(crate) fn close(&mut self, key: &str, step: &str, end: u64, mut records: Vec<Record>) {
        self.begun.retain(|record| record.run() != key);
        records.push(self.copy(key, step, end));
        self.send(records);
    }

    /// Ends every run that is open, and says so if the store has not heard of something.
    pub(crate) fn end(&mut self, status: Status, tags: &Pairs) {
        let page = self.page.take().and_then(|page| page.to_send);
        if let Some(file) = page.filter(|file| self.base.join(file).exists()) {
            let run = self.pipeline.clone();
            self.keep(vec![Record::Log { run, file }]);
        }
        let end = record::now();
        let seconds = self.start.elapsed().as_secs_f64();
        let facts = |run: &str| Record::Facts {
            run: run.to_owned(),
            metrics: if run == self.pipeline {
                vec![Metric {
                    name: names::DURATION.to_owned(),
                    value: seconds,
                    time: end,
                    step: 0,
                }]
            } else {
                Vec::new()
            },
            tags: tags.clone(),
        };
        let kept = self.spool.end_all(status, end, facts);
        self.check(kept);
        self.flush();
        let file = self.spool.path();
        let count = self.spool.finish();
        if count > 0 {
            let store = self.store.place.shown();
            warn(&match file {
                Some(_) => format!(
                    "{count} records of this run were not sent to {store}; `orchestrator --resend` or the next run sends them"
                ),
                None => {
                    format!("{count} records of this run were not sent to {store} and are lost")
                }
            });
        }
    }

    /// What of ours somebody has removed, as a step that cleans up. It is made anew as far as it can be.
    pub(crate) fn restore(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        if self.spool.restore() {
            gone.push("mlruns".to_owned());
        }
        if let (true, Place::Database(database)) = (self.store.is_gone(), &self.store.place) {
            gone.push(mlproject::paths::shown(&database.path).to_string());
            let reopened = self.store.reopen(self.experiment.as_ref());
            match reopened {
                Ok(()) => {
                    self.choose_again();
                    self.keep(self.begun.clone());
                }
                Err(error) => warn(&format!(
                    "the rest of this run is not recorded: {} cannot be made anew: {error}",
                    self.store.place.shown()
                )),
            }
        }
        gone
    }

    /// Sends records, after those that wait; what is not taken waits too.
    fn send(&mut self, records: Vec<Record>) {
        self.keep(without_empty(records));
        self.flush();
    }

    fn keep(&self, records: Vec<Record>) {
        let kept = self.spool.keep(without_empty(records));
        self.check(kept);
    }

    fn check(&self, kept: std::io::Result<()>) {
        if let Err(error) = kept {
            let file = self.spool.path().unwrap_or_default();
            warn(&format!("{} cannot be written: {error}", file.display()));
        }
    }

    fn flush(&mut self) {
        let waiting = self.spool.unsent();
        let patience = if self.is_away {
            Patience::Once
        } else {
            Patience::Short
        };
        let delivered = deliver(&mut self.store, &waiting, patience);
        let is_away = delivered.away.is_some();
        let is_back = self.is_away && !is_away;
        let is_lost = !self.is_away && is_away;
        self.is_away = is_away;
        self.note_sent(&waiting, delivered.done, delivered.is_idle());
        let store = self.store.place.shown();
        if is_back {
            say(&format!("{store} is back: what waited was sent"));
        }
        if let (true, Some(reason)) = (is_lost, delivered.away) {
            let kept = match self.spool.path() {
                Some(path) => format!(
                    "what is recorded waits in {}",
                    mlproject::paths::shown(&path)
                ),
                None => "what is recorded waits".to_owned(),
            };
            warn(&format!(
                "{store} does not take records: {reason}; the steps go on, {kept}"
            ));
        }
    }

    /// Brings the spool up to date after a delivery of these records, of which the first are dealt with.
    fn note_sent(&self, records: &[Record], done: usize, is_idle: bool) {
        let starts = records[..done].iter().filter_map(|record| match record {
            Record::Start(run) => Some(run.key.clone()),
            _ => None,
        });
        let known = starts.filter_map(|key| {
            let known = self.store.known_by_other_id(&key)?;
            Some((key, known))
        });
        let noted = self.spool.sent(done, known.collect(), is_idle);
        self.check(noted);
    }
}

/// The records that say something.
fn without_empty(records: Vec<Record>) -> Vec<Record> {
    let says_something = |record: &Record| match record {
        Record::Parameters { parameters, .. } => !parameters.is_empty(),
        Record::Facts { metrics, tags, .. } => !metrics.is_empty() || !tags.is_empty(),
        _ => true,
    };
    records.into_iter().filter(says_something).collect()
}
