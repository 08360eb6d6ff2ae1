//! One run of a pipeline and its steps, as whoever runs them sees it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::metrics::MetricsFile;
use crate::recorder::Recorder;
use crate::settings::Settings;
use crate::spool::{Spool, last_fact};
use crate::thread::{Outcome, RecorderThread};
use crate::waiting::Hurry;
use crate::{
    Attempt, Before, Ending, Options, Origin, Pipeline, Status, StoredRun, TrackingError, new_key,
    signal_tag,
};
use crate::{artifacts, names, record};
use process::console::{say, warn};
use process::log;
use record::{Metric, Record};

/// How long a signal's last words wait for a recorder that waits for a store.
const ASIDE: Duration = Duration::from_millis(200);

/// How long they may take: what the store does not hear by then waits in the spool.
const LAST_WORDS: Duration = Duration::from_millis(600);

/// Records one run of a pipeline. Clones are the same record; one of them is for the signals.
#[derive(Debug, Clone)]
pub struct Tracker {
    /// None with `--no-tracking`.
    recorder: Option<RecorderThread>,
    /// What the recorder has not sent, to be reached also while it waits for the store.
    spool: Option<Spool>,
    hurry: Hurry,
    /// The run of the same pipeline before, once it is found.
    before: Arc<OnceLock<Before>>,
    /// The folder that has `mlruns`: the pipeline's, or a temporary one if that cannot be written.
    base: PathBuf,
}

/// A try of a step.
#[derive(Debug)]
pub struct StepRun {
    /// Its run in the store; none if that does not know it yet, or nothing is recorded.
    stored: Option<StoredRun>,
    key: String,
    is_recorded: bool,
    /// The folder for what the step prints, absolute, not made yet.
    pub folder: PathBuf,
    /// Whether the log has to be sent from there to the store.
    is_elsewhere: bool,
    /// Variables for the step, as `mlflow run` sets them, and `PIPELINE_METRICS`; none stands for one to
    /// take out. Empty when nothing is recorded.
    pub environment: Vec<(&'static str, Option<OsString>)>,
    metrics: Option<MetricsFile>,
    start: Instant,
    /// When it ended, in milliseconds since 1970, and how long it took.
    end: Option<(u64, Duration)>,
}

impl StepRun {
    /// The try ends now: what is done about it from here on is not its time.
    pub fn stop(&mut self) {
        self.end = Some((record::now(), self.start.elapsed()));
    }

    /// Its run in the store, if that is known.
    pub fn id(&self) -> Option<&str> {
        self.stored.as_ref().map(|run| run.id.as_str())
    }

    /// As [`StepRun::id`], with the place of its artifacts.
    pub fn stored(&self) -> Option<&StoredRun> {
        self.stored.as_ref()
    }
}

impl Tracker {
    /// Reaches the store, and sends what earlier runs of this pipeline could not. `root` is the pipeline's
    /// folder, absolute; relative files of the options start from `caller`.
    ///
    /// Errs when the options or MLflow's variables are wrong, `mlruns` cannot be made, or the store has not
    /// been reached for half a minute; what earlier runs have left is no reason.
    pub fn open(options: &Options, root: &Path, caller: &Path) -> Result<Tracker, TrackingError> {
        let settings = Settings::new(options, root, caller)?;
        let (base, hurry) = (base(root).map_err(TrackingError::Folder)?, Hurry::default());
        let recorder = Recorder::open(&settings, root, &base, &hurry);
        if recorder.is_err() && base != root {
            std::fs::remove_dir(&base).ok();
        }
        let recorder = recorder?;
        if base != root {
            say(&format!(
                "`mlruns` cannot be written: what the steps print is kept in {}",
                base.join("mlruns").display()
            ));
        }
        Ok(Tracker {
            spool: recorder.as_ref().map(|recorder| recorder.spool.clone()),
            recorder: recorder
                .map(RecorderThread::start)
                .transpose()
                .map_err(TrackingError::Thread)?,
            hurry,
            before: Arc::default(),
            base,
        })
    }

    /// Starts the pipeline's run, unless we are inside of one (`MLFLOW_RUN_ID`), which then is the one
    /// above the steps'. Errs when the store does not take it: nothing has run yet.
    pub fn begin(&self, pipeline: Pipeline) -> Result<(), TrackingError> {
        self.ask(|recorder| recorder.begin(pipeline))
            .unwrap_or(Ok(()))
    }

    /// Whether anything is recorded.
    pub fn is_recording(&self) -> bool {
        self.recorder.is_some()
    }

    /// What is known of the pipeline's run, which has begun.
    pub fn origin(&self, pipeline: &str, root: &Path) -> Origin {
        let (name, folder) = (pipeline.to_owned(), root.to_owned());
        self.ask(move |recorder| recorder.origin(&name, &folder))
            .unwrap_or_else(|| Origin::unrecorded(root))
    }

    /// The run of the same pipeline before, if the store knows one. It is looked for while the first step
    /// runs; whoever waits has it looked for if no step has run.
    pub fn before(&self, waits: bool) -> Option<&Before> {
        let found = waits.then(|| self.ask(Recorder::look_back)).flatten();
        if let Some(found) = found.flatten() {
            self.before.set(found).ok();
        }
        self.before.get()
    }

    /// Writes the page about the run, `report.html`, among the artifacts of the pipeline's run, over the
    /// one that was written before. It waits for nothing; a store on another machine gets the last one.
    pub fn write_page(&self, text: String) {
        if let Some(recorder) = &self.recorder {
            recorder.tell(move |recorder| recorder.write_page(&text));
        }
    }

    /// Starts the run of a step's try. It waits for the store, as the step has to know its run; when that
    /// does not answer for some seconds, the step runs without `MLFLOW_RUN_ID`.
    pub fn start_step(&self, attempt: &Attempt) -> StepRun {
        let key = new_key();
        let (of_run, attempt, hurry) = (key.clone(), attempt.clone(), self.hurry.clone());
        // What a signal has ended begins nothing any more, also when it came meanwhile.
        self.ask(move |recorder| (!hurry.is_set()).then(|| started(recorder, of_run, &attempt)))
            .flatten()
            .inspect(|_| self.look_back())
            .unwrap_or_else(|| self.unrecorded(key, Vec::new()))
    }

    /// Starts a try of a step that has no run of its own: what it records by itself it records where it
    /// wants to, by default beside the others. It waits for no store.
    pub fn start_unrecorded(&self) -> StepRun {
        let taken_out = ["MLFLOW_RUN_ID", "PIPELINE_METRICS"].map(|name| (name, None));
        let mut environment = Vec::from(taken_out);
        environment.extend(
            self.ask(|recorder| recorder.place(None))
                .into_iter()
                .flatten(),
        );
        self.unrecorded(new_key(), environment)
    }

    fn unrecorded(
        &self,
        key: String,
        environment: Vec<(&'static str, Option<OsString>)>,
    ) -> StepRun {
        StepRun {
            folder: self.base.join(artifacts::own_folder("0", &key)),
            stored: None,
            key,
            is_recorded: false,
            is_elsewhere: false,
            environment,
            metrics: None,
            start: Instant::now(),
            end: None,
        }
    }

    /// Has the run before this one looked for, while nobody waits for the store.
    fn look_back(&self) {
        let before = Arc::clone(&self.before);
        if let Some(recorder) = &self.recorder {
            recorder.tell(move |recorder| {
                if let Some(found) = recorder.look_back() {
                    before.set(found).ok();
                }
            });
        }
    }

    /// Ends the run of a step's try; `files` are those in the run's folder, such as its log, and
    /// `gone` the file of the lock, if somebody has removed that. It waits for no store. Gives what the
    /// step itself wrote as its metrics, the last value of each.
    pub fn end_step(
        &self,
        run: StepRun,
        attempt: &Attempt,
        ending: Ending,
        files: &[PathBuf],
        gone: Option<&'static str>,
    ) -> Vec<(String, f64)> {
        let Some(recorder) = &self.recorder else {
            tell_of_the_removed(&Vec::from_iter(gone.map(str::to_owned)));
            return Vec::new();
        };
        let now = || (record::now(), run.start.elapsed());
        let (end, time) = run.end.unwrap_or_else(now);
        let mut metrics = measured(attempt, time, end);
        metrics.extend(ending.metrics.iter().map(|(name, value)| Metric {
            name: name.clone(),
            value: *value,
            time: end,
            step: 0,
        }));
        let own = run.metrics.map(|file| file.read(&attempt.step, end));
        let own = own.unwrap_or_default();
        let told = record::last_values(&own);
        metrics.extend(own);
        let mut records = Vec::new();
        let sent = files
            .iter()
            .filter(|file| run.is_elsewhere && file.exists());
        let sent = sent.filter_map(|file| file.strip_prefix(&self.base).ok());
        records.extend(sent.map(|file| Record::Log {
            run: run.key.clone(),
            file: file.to_owned(),
        }));
        let Ending { status, tags, .. } = ending;
        let tags = record::tags(tags);
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
        let step = attempt.step.clone();
        recorder.tell(move |recorder| {
            let mut removed = recorder.restore();
            if !removed.iter().any(|name| name == "mlruns") {
                removed.extend(gone.map(str::to_owned));
            }
            tell_of_the_removed(&removed);
            if run.is_recorded {
                recorder.close(&run.key, &step, end, records);
            }
        });
        told
    }

    /// The run of that id, if the store knows it.
    pub fn run(&self, id: &str) -> Option<StoredRun> {
        let id = artifacts::is_id(id).then(|| id.to_owned())?;
        self.ask(move |recorder| recorder.stored(&id)).flatten()
    }

    /// The newest run of a step of a pipeline that ended well, if the store knows one in the pipeline's last
    /// 100 runs.
    pub fn newest_run(&self, pipeline: &str, step: &str) -> Option<StoredRun> {
        let (pipeline, step) = (pipeline.to_owned(), step.to_owned());
        self.ask(move |recorder| recorder.newest(&pipeline, &step))
            .flatten()
    }

    /// Notes in the pipeline's run that a step was left out, as this run has made its result before. It
    /// waits for no store.
    pub fn reused(&self, step: &str, run: Option<&str>) {
        let Some(recorder) = &self.recorder else {
            return;
        };
        let (step, run) = (step.to_owned(), run.map(str::to_owned));
        recorder.tell(move |recorder| recorder.note_reused(&step, run.as_deref()));
    }

    /// Notes in the pipeline's run that every step was left out. It waits for no store.
    pub fn all_reused(&self) {
        if let Some(recorder) = &self.recorder {
            recorder.tell(Recorder::note_up_to_date);
        }
    }

    /// Ends the pipeline's run, and every other that is still open, and waits until the store has all or
    /// does not answer; what it has not heard is told. Nothing is recorded afterwards.
    pub fn end(&self, ending: Ending) {
        if let Some(thread) = &self.recorder {
            thread.end(move |mut recorder| recorder.end(ending.status, &record::tags(ending.tags)));
        }
    }

    /// Ends all runs as killed because a signal, by its number, is about to end this process. It takes less
    /// than a second: what the store does not hear by then is in the spool.
    pub fn interrupted(&self, signal: i32) {
        self.hurry.set();
        let (Some(thread), Some(spool)) = (&self.recorder, &self.spool) else {
            return;
        };
        let tags = vec![signal_tag(signal)];
        let of_end = tags.clone();
        let last = move |mut recorder: Recorder| recorder.end(Status::Killed, &of_end);
        let is_kept = spool.path().is_some();
        match thread.end_within(ASIDE, LAST_WORDS, last) {
            Outcome::Done => {}
            Outcome::Begun => tell_of_the_rest(is_kept),
            // It waits for a store, and this process will not.
            Outcome::Refused => {
                let facts = |run: &str| last_fact(run, tags.clone());
                let kept = spool.end_all(Status::Killed, record::now(), facts);
                tell_of_the_rest(kept.is_ok() && is_kept);
            }
        }
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Recorder) -> T + Send + 'static,
    ) -> Option<T> {
        self.recorder.as_ref()?.ask(work)
    }
}

/// How long a step ran, and how large the files are that it wrote, as of `end`.
fn measured(attempt: &Attempt, time: Duration, end: u64) -> Vec<Metric> {
    let metric = |name: String, value| Metric {
        name,
        value,
        time: end,
        step: 0,
    };
    let mut metrics = vec![metric(names::DURATION.to_owned(), time.as_secs_f64())];
    for (name, path) in &attempt.outputs {
        let is_file = |found: &std::fs::Metadata| found.is_file();
        if let Some(found) = std::fs::metadata(path).ok().filter(is_file) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "sizes above 2^53 bytes may lose a byte"
            )]
            metrics.push(metric(format!("{name}{}", names::SIZE), found.len() as f64));
        }
    }
    metrics
}

/// Starts a run of a step, of which the store hears before the step runs.
fn started(recorder: &mut Recorder, key: String, attempt: &Attempt) -> StepRun {
    recorder.start_step(&key, attempt);
    let (folder, is_elsewhere) = recorder.log_folder(&key, &log::name(&attempt.step));
    let metrics = MetricsFile::new(&recorder.spool, &attempt.step);
    // A run that the store does not know yet would make the step's own MLflow client fail.
    let stored = recorder.store.known.get(&key);
    let stored = stored.map(|known| StoredRun::new(known, &recorder.root));
    let id = stored.as_ref().map(|run| OsString::from(&run.id));
    let mut environment = recorder.place(recorder.experiment_of(attempt));
    environment.extend([
        ("MLFLOW_RUN_ID", id),
        (
            "PIPELINE_METRICS",
            metrics.as_ref().map(|file| file.path().into()),
        ),
    ]);
    StepRun {
        stored,
        key,
        is_recorded: true,
        folder,
        is_elsewhere,
        environment,
        metrics,
        start: Instant::now(),
        end: None,
    }
}

/// What is told when a signal ends us before the store has heard all.
fn tell_of_the_rest(is_kept: bool) {
    if is_kept {
        say(
            "what the store has not heard waits in `mlruns/unsent`; `orchestrator --resend` or the next run sends it",
        );
    }
}

/// What is told of things of ours that somebody has removed, as a step that cleans up.
fn tell_of_the_removed(names: &[String]) {
    if names.is_empty() {
        return;
    }
    let verb = if names.len() == 1 { "has" } else { "have" };
    warn(&format!(
        "`{}` {verb} been removed: what was kept there is lost, the rest of this run is kept anew, and the folder stayed locked",
        names.join("` and `")
    ));
}

/// The folder that has `mlruns`: the pipeline's, or a temporary one if we may not write there.
fn base(root: &Path) -> io::Result<PathBuf> {
    let folder = root.join("mlruns");
    let made = std::fs::create_dir_all(&folder).and_then(|()| {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        Ok(rustix::fs::access(&folder, access)?)
    });
    match made {
        Ok(()) => Ok(root.to_owned()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            let made = tempfile::Builder::new().prefix("orchestrator-").tempdir()?;
            Ok(made.keep())
        }
        Err(error) => Err(error),
    }
}
