//! The runs that are open, and the way of their records into the store or the spool.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::facts::{self, Trees};
use super::record::{self, Metric, NewRun, Pairs, Record, Status};
use super::rest::Patience;
use super::settings::Settings;
use super::spool::{Leftover, Spool, leftovers};
use super::store::{Store, StoreError};
use super::{TrackingError, new_key};
use crate::notice::{say, warn};
use crate::plan::{Plan, PlannedStep};

#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) store: Store,
    root: PathBuf,
    /// None when there is no folder for it.
    spool: Option<Spool>,
    /// The key of the pipeline's run.
    pipeline: String,
    /// Whether the pipeline's run is ours to start and end.
    is_ours: bool,
    run_name: Option<String>,
    /// The runs that have started and not ended, the pipeline's first.
    open: Vec<String>,
    user: String,
    trees: Trees,
    start: Instant,
    /// Whether the store took nothing when it was last asked.
    is_away: bool,
}

impl Recorder {
    /// None when nothing is to be recorded.
    pub(super) fn open(
        settings: &Settings,
        root: &Path,
    ) -> Result<Option<Recorder>, TrackingError> {
        let Some(place) = &settings.place else {
            return Ok(None);
        };
        let mut opened = Store::open(place, settings, root)?;
        if let Some(name) = &opened.new_experiment {
            say(&format!("experiment `{name}` did not exist and was made"));
        }
        for leftover in leftovers(root) {
            if leftover.uri == place.shown() {
                mend_quietly(&mut opened.store, leftover);
            }
        }
        let is_ours = opened.inside.is_none();
        Ok(Some(Recorder {
            store: opened.store,
            root: root.to_owned(),
            spool: None,
            pipeline: opened.inside.map_or_else(new_key, |known| known.id),
            is_ours,
            run_name: settings.run_name.clone(),
            open: Vec::new(),
            user: facts::user(),
            trees: Trees::default(),
            start: Instant::now(),
            is_away: false,
        }))
    }

    /// Starts the pipeline's run. Nothing has run yet, so a store that does not take it is an error.
    pub(super) fn begin(&mut self, plan: &Plan) -> Result<(), TrackingError> {
        self.start = Instant::now();
        let (uri, experiment) = (self.store.place.shown(), self.store.experiment.clone());
        let name = self.spool_name();
        self.spool = Spool::new(&self.root, &name, &uri, &experiment).ok();
        let name_tag = ("pipeline.name".to_owned(), plan.pipeline.clone());
        let run = self.pipeline.clone();
        let records = if self.is_ours {
            self.opened(&run, None);
            let mut tags = vec![name_tag];
            tags.push(("mlflow.project.entryPoint".to_owned(), "main".to_owned()));
            tags.push(("mlflow.project.backend".to_owned(), "local".to_owned()));
            tags.extend(self.trees.tags(&plan.root, None));
            vec![
                Record::Start(NewRun {
                    key: run.clone(),
                    name: self
                        .run_name
                        .clone()
                        .unwrap_or_else(|| plan.pipeline.clone()),
                    parent: None,
                    user: self.user.clone(),
                    start: record::now(),
                    tags: record::tags(tags),
                }),
                Record::Parameters {
                    run: run.clone(),
                    parameters: record::parameters(plan.parameters.iter().cloned()),
                },
            ]
        } else {
            let (metrics, tags) = (Vec::new(), record::tags([name_tag]));
            vec![Record::Facts {
                run: run.clone(),
                metrics,
                tags,
            }]
        };
        let records = without_empty(records);
        if let Err((_, source)) = self.store.send(&records, Patience::Full) {
            self.end(Status::Failed, &Vec::new());
            return Err(TrackingError::Start { store: uri, source });
        }
        self.remember(&run);
        Ok(())
    }

    /// The name of the spool's file. Pipelines that run inside of one run have one each.
    fn spool_name(&self) -> String {
        if self.is_ours {
            self.pipeline.clone()
        } else {
            new_key()
        }
    }

    pub(super) fn start_step(&mut self, key: &str, step: &PlannedStep, attempt: u32) {
        self.opened(key, None);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut tags = vec![
            pair("mlflow.project.entryPoint", &step.entry_point),
            pair("mlflow.project.backend", "local"),
            pair("pipeline.step", &step.name),
            pair("pipeline.attempt", &attempt.to_string()),
        ];
        if step.environment.manager != mlproject::Manager::Local {
            tags.push(pair(
                "mlflow.project.env",
                &step.environment.manager.to_string(),
            ));
        }
        tags.extend(self.trees.tags(&step.project, step.source.as_deref()));
        let name = match attempt {
            1 => step.name.clone(),
            attempt => format!("{} (try {attempt})", step.name),
        };
        let run = NewRun {
            key: key.to_owned(),
            name,
            parent: Some(self.pipeline.clone()),
            user: self.user.clone(),
            start: record::now(),
            tags: record::tags(tags),
        };
        let parameters = Record::Parameters {
            run: key.to_owned(),
            parameters: record::parameters(step.parameters.iter().cloned()),
        };
        self.send(vec![Record::Start(run), parameters]);
        self.remember(key);
    }

    /// Ends a run with its last records.
    pub(super) fn close(&mut self, key: &str, records: Vec<Record>) {
        self.send(records);
        self.open.retain(|open| open != key);
        if let Some(spool) = &mut self.spool {
            spool.closed(key).ok();
        }
    }

    /// Ends every run that is open, and says so if the store has not heard of something.
    pub(super) fn end(&mut self, status: Status, tags: &Pairs) {
        let end = record::now();
        let seconds = self.start.elapsed().as_secs_f64();
        while let Some(run) = self.open.last().cloned() {
            let duration = Metric {
                name: "duration_seconds".to_owned(),
                value: seconds,
                time: end,
                step: 0,
            };
            let is_pipeline = run == self.pipeline;
            let facts = Record::Facts {
                run: run.clone(),
                metrics: is_pipeline.then_some(duration).into_iter().collect(),
                tags: tags.clone(),
            };
            let ended = Record::End {
                run: run.clone(),
                status,
                end,
            };
            self.close(&run, vec![facts, ended]);
        }
        let Some(spool) = self.spool.take() else {
            return;
        };
        if spool.unsent.is_empty() {
            spool.remove();
            return;
        }
        let count = spool.unsent.len();
        warn(&format!(
            "{count} records of this run were not sent to {}; `orchestrator --resend` or the next run sends them",
            self.store.place.shown()
        ));
    }

    /// Notes where the log of a run will be, for one who has to end it in our place.
    pub(super) fn log_at(&mut self, key: &str, log: &Path) {
        if let Some(spool) = &mut self.spool {
            spool.opened(key, Some(log)).ok();
        }
    }

    fn opened(&mut self, key: &str, log: Option<&Path>) {
        self.open.push(key.to_owned());
        if let Some(spool) = &mut self.spool {
            spool.opened(key, log).ok();
        }
    }

    /// Notes the id that the store gave a run.
    fn remember(&mut self, key: &str) {
        if let (Some(spool), Some(known)) = (&mut self.spool, self.store.known.get(key)) {
            spool.known(key, known).ok();
        }
    }

    /// Sends records, after those that wait; what is not taken waits too.
    fn send(&mut self, records: Vec<Record>) {
        let records = without_empty(records);
        let patience = if self.is_away {
            Patience::Once
        } else {
            Patience::Short
        };
        let mut waiting: Vec<Record> = match &self.spool {
            Some(spool) => spool.unsent.iter().cloned().collect(),
            None => Vec::new(),
        };
        let old = waiting.len();
        waiting.extend(records);
        let (taken, reason) = deliver(&mut self.store, &waiting, patience);
        let is_back = self.is_away && reason.is_none();
        let is_lost = !self.is_away && reason.is_some();
        self.is_away = reason.is_some();
        self.keep(&waiting, old, taken);
        let store = self.store.place.shown();
        if is_back {
            say(&format!("{store} is back: what waited was sent"));
        }
        if let (true, Some(reason)) = (is_lost, reason) {
            let kept = match &self.spool {
                Some(spool) => format!(
                    "what is recorded waits in {}",
                    mlproject::paths::shown(spool.path())
                ),
                None => "what it does not hear is lost".to_owned(),
            };
            warn(&format!(
                "{store} does not take records: {reason}; the steps go on, {kept}"
            ));
        }
    }

    /// Brings the spool up to date after a delivery of its `old` records and new ones.
    fn keep(&mut self, waiting: &[Record], old: usize, taken: usize) {
        let starts: Vec<String> = waiting[..taken.min(old)]
            .iter()
            .filter_map(|record| match record {
                Record::Start(run) => Some(run.key.clone()),
                _ => None,
            })
            .collect();
        for key in starts {
            self.remember(&key);
        }
        let Some(spool) = &mut self.spool else {
            return;
        };
        let kept = match taken.min(old) {
            0 => Ok(()),
            count => spool.sent(count),
        };
        let kept = kept.and_then(|()| spool.keep(&waiting[taken.max(old)..]));
        if let Err(error) = kept {
            warn(&format!(
                "{} cannot be written: {error}",
                spool.path().display()
            ));
        }
    }
}

/// Sends records in order. How many are dealt with, and why no more were: those that the store will
/// never take are told and passed over.
fn deliver(store: &mut Store, records: &[Record], patience: Patience) -> (usize, Option<String>) {
    let mut done = 0;
    while done < records.len() {
        let (count, error) = match store.send(&records[done..], patience) {
            Ok(()) => return (records.len(), None),
            Err(failed) => failed,
        };
        done += count;
        // An sqlite file takes all or nothing, so the one that it refuses is looked for.
        let error = match error {
            StoreError::Unavailable(_) => error,
            _ => match store.send(&records[done..=done], patience) {
                Ok(()) => {
                    done += 1;
                    continue;
                }
                Err((_, error)) => error,
            },
        };
        if let StoreError::Unavailable(reason) = error {
            return (done, Some(reason));
        }
        warn(&format!("not recorded: {error}"));
        done += 1;
    }
    (done, None)
}

/// Sends what a leftover holds and ends its runs, whose process is no more. Gives the number of records.
pub(super) fn mend(
    store: &mut Store,
    mut leftover: Leftover,
    patience: Patience,
) -> Result<usize, StoreError> {
    store.experiment.clone_from(&leftover.experiment);
    store.known.extend(leftover.known.drain(..));
    let records: Vec<Record> = leftover.spool.unsent.iter().cloned().collect();
    for record in &records {
        if let Record::Start(run) = record {
            store.doubt(&run.key);
        }
    }
    let mut count = send_or_keep(store, &mut leftover, &records, patience)?;
    let mut last_words = Vec::new();
    for (run, log) in leftover.open.drain(..).rev() {
        if let Some(file) = log.filter(|file| file.exists()) {
            last_words.push(Record::Log {
                run: run.clone(),
                file,
            });
        }
        last_words.push(Record::Facts {
            run: run.clone(),
            metrics: Vec::new(),
            tags: vec![(
                "pipeline.error".to_owned(),
                "the orchestrator was killed".to_owned(),
            )],
        });
        last_words.push(Record::End {
            run,
            status: Status::Killed,
            end: leftover.last,
        });
    }
    count += last_words.len();
    let (_, reason) = deliver(store, &last_words, patience);
    if let Some(reason) = reason {
        // The file still says that these runs are open.
        return Err(StoreError::Unavailable(reason));
    }
    leftover.spool.remove();
    Ok(count)
}

fn send_or_keep(
    store: &mut Store,
    leftover: &mut Leftover,
    records: &[Record],
    patience: Patience,
) -> Result<usize, StoreError> {
    let (taken, reason) = deliver(store, records, patience);
    for record in &records[..taken] {
        if let (Record::Start(run), Some(known)) = (record, store.known.get(record.run())) {
            leftover.spool.known(&run.key, known).ok();
        }
    }
    leftover.spool.sent(taken).ok();
    reason.map_or(Ok(taken), |reason| Err(StoreError::Unavailable(reason)))
}

fn mend_quietly(store: &mut Store, leftover: Leftover) {
    let experiment = store.experiment.clone();
    let file = leftover.spool.path().to_owned();
    match mend(store, leftover, Patience::Once) {
        Ok(count) => say(&format!("{count} records of an earlier run were sent")),
        Err(error) => warn(&format!(
            "{} still waits: {error}",
            mlproject::paths::shown(&file)
        )),
    }
    store.experiment = experiment;
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
