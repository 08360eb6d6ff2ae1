//! One step: its attempts, each in a run of its own.

use std::path::{Path, PathBuf};
use std::time::Instant;

use freshness::{Begun, Unrecorded, begin};
use mlproject::Backend;
use plan::PlannedStep;
use plan::engine;
use process::console::{self, warn};
use process::{Ended, Job, Label, Launch, log};
use source::download::{self, DownloadError, Limits};
use tracking::{Status, StepRun};

use super::cluster::{self, Submitted};
use super::error::RunError;
use super::event::{Event, Position};
use super::outcome::{Cause, Failure};
use super::{Run, ending, parts};

/// What a step has while it runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share<'a> {
    pub(super) position: Position<'a>,
    pub(super) step: &'a PlannedStep,
    /// What its lines begin with where others run beside it.
    pub(super) label: Option<&'a Label>,
    /// The names of its graphics processors, if it has some for itself.
    pub(super) gpus: Option<&'a str>,
}

impl Run<'_> {
    /// Runs one step, and again when it fails and may be tried again; gives the metrics that it told.
    pub(super) fn step(&self, share: Share) -> Result<Vec<(String, f64)>, RunError> {
        let (step, position) = (share.step, share.position);
        let retries = step.limits.retries;
        let mut pause = step.limits.retry_delay;
        for retry in 1..=retries {
            let error = match self.attempt(share, retry) {
                Err(error) if error.may_pass() => error,
                ended => return ended,
            };
            (self.tell)(Event::Retry {
                position,
                error: &error,
                retry,
                retries,
                pause,
            });
            // Where no other step runs, a signal ends the process meanwhile.
            if let Some(signal) = self.interruption.pause(pause) {
                let step = step.name.clone();
                return Err(RunError::InterruptedWaiting { step, signal });
            }
            pause = pause.saturating_mul(2);
        }
        self.attempt(share, retries + 1)
    }

    /// One try of a step, with all that it has to fetch, in a run of its own.
    fn attempt(&self, share: Share, number: u32) -> Result<Vec<(String, f64)>, RunError> {
        let step = share.step;
        let attempt = recorded(step, number);
        let mut run = if step.is_recorded {
            self.tracker.start_step(&attempt)
        } else {
            self.tracker.start_unrecorded()
        };
        let log = log::create(&run.folder, &step.name).map_err(RunError::Log);
        // Before it starts, as it may change what it reads.
        let begun = self
            .plan
            .with_subject(step, |subject| begin(subject, &self.files));
        let (start, mut files, mut job) = (Instant::now(), Vec::new(), None);
        let result = log.and_then(|log| {
            files.push(log.clone());
            files.extend(parts::write(step, &self.plan.root, &run.folder)?);
            fetch(step)?;
            self.command(share, &run, &log, &mut job)?;
            self.made(step, &log)
        });
        // To hash what it has made is not its work.
        run.stop();
        let time = start.elapsed();
        let gone = self.lock.restore();
        let mut ending = ending::of_step(&result);
        if let Some(job) = &job {
            ending.tags.extend(job.tags());
            ending.metrics.extend(job.metrics());
            if job.timed_out() {
                ending.status = Status::Killed;
            }
        }
        if result.is_ok() {
            self.note_run(&step.name, run.stored().cloned());
            let finished = begun.and_then(|begun| begun.finish(run.id()));
            match finished {
                Ok(keys) => ending.tags.extend([
                    ("pipeline.cache_key".to_owned(), keys.all),
                    ("pipeline.code".to_owned(), keys.code),
                ]),
                Err(error) => tell_unrecorded(step, &error),
            }
        } else if let Ok(code) = begun.and_then(Begun::code) {
            ending.tags.push(("pipeline.code".to_owned(), code));
        }
        let metrics = self.tracker.end_step(run, &attempt, ending, &files, gone);
        (self.tell)(Event::Attempted {
            position: share.position,
            start,
            time,
            result: result.as_ref().copied(),
            log: files.first().map(PathBuf::as_path),
            metrics: &metrics,
        });
        result.map(|()| metrics)
    }

    /// The step's command in its environment.
    fn wrap(&self, share: Share, run: &StepRun, submitted: Option<&Submitted>) -> Launch {
        let step = share.step;
        let (locked, folders) = self.lock.variable();
        let of_lock = (locked, Some(folders.to_owned()));
        let of_gpus = share
            .gpus
            .map(|gpus| ("CUDA_VISIBLE_DEVICES", Some(gpus.into())));
        let variables = run.environment.iter().cloned().chain([of_lock]);
        let variables: Vec<_> = variables.chain(of_gpus).collect();
        let inputs = step.files.inputs.iter();
        let job = engine::Job {
            step: &step.name,
            command: &step.command,
            root: &self.plan.root,
            folder: &step.cwd,
            reads: &inputs.map(|file| file.path.clone()).collect::<Vec<_>>(),
            writes: &outputs(step),
            variables: &variables,
            defined: &step.variables,
            submission: submitted.map(Submitted::submission),
        };
        engine::launch(&job, &step.environment, self.plan.store.as_ref())
    }

    /// Runs the command; `job` is what became of it if it was a job of a cluster.
    fn command(
        &self,
        share: Share,
        run: &StepRun,
        log: &Path,
        job_end: &mut Option<cluster::Job>,
    ) -> Result<(), RunError> {
        let step = share.step;
        let submitted = Submitted::new(step, self.plan);
        let job = Job {
            launch: &self.wrap(share, run, submitted.as_ref()),
            folder: &step.cwd,
            label: share.label,
            log,
            // What waits for a node does not use its time up; Slurm knows when it starts.
            timeout: step.limits.timeout.filter(|_| submitted.is_none()),
            grace: self.request.grace,
        };
        let start = Instant::now();
        let waiting = submitted.as_ref();
        waiting.inspect(|job| self.queue.enter(job, share.position.number - 1));
        let ended = process::run(&job, &self.interruption);
        waiting.inspect(|job| self.queue.leave(job));
        let ended = match (self.interruption.signal(), ended) {
            (None, Err(source)) => {
                return Err(RunError::Start {
                    step: step.name.clone(),
                    command: step.shown_command.clone(),
                    cwd: step.cwd.clone(),
                    source,
                });
            }
            (_, ended) => ended.ok(),
        };
        let is_well = ended.is_some_and(|ended| ended.status.success());
        *job_end = submitted.map(|job| job.end(is_well, &self.interruption));
        let Some(cause) = self.cause(step, ended, job_end.as_ref()) else {
            return Ok(());
        };
        let report = ended.and_then(|ended| ended.report);
        Err(RunError::Failed(Box::new(Failure {
            step: step.name.clone(),
            command: step.shown_command.clone(),
            cause,
            unwritten: report.and_then(|report| report.unwritten),
            job: job_end
                .as_ref()
                .and_then(|job| job.shown(matches!(cause, Cause::Lost))),
            duration: start.elapsed(),
            is_resumable: false,
            last_lines: log::tail(log).unwrap_or_default(),
            was_seen: share.label.is_none() && console::is_seen_whole(),
            log: log.to_owned(),
        })))
    }

    /// Why a command did not succeed; none if it did.
    fn cause(
        &self,
        step: &PlannedStep,
        ended: Option<Ended>,
        job: Option<&cluster::Job>,
    ) -> Option<Cause> {
        if let Some(signal) = self.interruption.signal() {
            return Some(Cause::Interruption(signal));
        }
        let ended = ended?;
        let Some(report) = ended.report else {
            return Some(Cause::Supervisor(ended.status));
        };
        let timeout = step.limits.timeout.filter(|_| report.timed_out);
        match timeout {
            Some(timeout) => Some(Cause::Timeout(timeout)),
            None if !ended.status.success() => Some(Cause::Status(ended.status)),
            None if job.is_some_and(cluster::Job::is_lost) => Some(Cause::Lost),
            None => report.unwritten.map(Cause::Unwritten),
        }
    }

    /// Checks that what a step declares as its outputs is there when it has succeeded. What may be there, but
    /// not for us to see, is taken to be.
    fn made(&self, step: &PlannedStep, log: &Path) -> Result<(), RunError> {
        let is_missing = |path: &Path| match &step.job {
            Some(_) => !cluster::wait_for(path, &self.interruption),
            None => matches!(path.try_exists(), Ok(false)),
        };
        let mut outputs = step.files.outputs.iter();
        match outputs.find(|output| is_missing(&output.path)) {
            None => Ok(()),
            Some(output) => Err(RunError::MissingOutput {
                step: step.name.clone(),
                name: output.name.clone(),
                path: output.path.clone(),
                log: log.to_owned(),
            }),
        }
    }
}

/// Says that the next run cannot leave a step out, where that was asked for.
fn tell_unrecorded(step: &PlannedStep, error: &Unrecorded) {
    if step.is_cached && !matches!(error, Unrecorded::Never(_) | Unrecorded::Interrupted) {
        warn(&format!("step `{}` will run again: {error}", step.name));
    }
}

/// A try of a step, as it is recorded.
fn recorded(step: &PlannedStep, number: u32) -> tracking::Attempt {
    tracking::Attempt {
        step: step.name.clone(),
        number,
        experiment: step.experiment.clone(),
        entry_point: step.entry_point.clone(),
        manager: step.environment.manager,
        environment: step.environment.identity(),
        backend: match step.job {
            Some(_) => Backend::Slurm,
            None => Backend::Local,
        },
        project: step.project.clone(),
        source: step.source.clone(),
        parameters: step.parameters.clone(),
        outputs: outputs(step),
    }
}

/// The parameters that name files to write, and the files.
fn outputs(step: &PlannedStep) -> Vec<(String, PathBuf)> {
    let outputs = step.files.outputs.iter();
    outputs
        .map(|file| (file.name.clone(), file.path.clone()))
        .collect()
}

/// Downloads the remote values of a step's `path` parameters.
///
/// As under MLflow they stay in the system's temporary folder, for a look afterwards.
fn fetch(step: &PlannedStep) -> Result<(), RunError> {
    for (uri, target) in &step.downloads {
        let failed = |source| RunError::Download {
            step: step.name.clone(),
            uri: uri.clone(),
            source,
        };
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(DownloadError::Write(error)))?;
        }
        download::to_file(uri, target, Limits::NONE).map_err(failed)?;
    }
    Ok(())
}
