//! One run of a plan: environments, then step after step, each with its attempts.

mod ending;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod outcome;

use std::path::Path;
use std::time::Instant;

use crate::engine;
use crate::plan::{Plan, PlannedStep};
use crate::request::Request;
use environment::{BuildOptions, Leases};
use process::Interruption;
use process::console::say;
use process::lock::{Lock, LockError};
use process::log;
use process::{Job, Launch};
use source::download::{self, DownloadError, Limits};
use tracking::{StepRun, Tracker};

use error::RunError;
use event::{Event, Position};
use outcome::{Cause, Failure};

/// Locks a pipeline's folder, after the end of the run that has locked it.
pub(crate) fn wait_for(root: &Path) -> Result<Lock, LockError> {
    match Lock::take(root, false) {
        Err(LockError::Held { holder }) => {
            say(&format!(
                "waiting for another run of this pipeline ({holder})"
            ));
            Lock::take(root, true)
        }
        taken => taken,
    }
}

/// Runs the plan and records the run; `tell` hears what happens.
pub(crate) fn execute(
    plan: &Plan,
    request: &Request,
    caller: &Path,
    lock: &Lock,
    tell: fn(Event),
) -> Result<(), RunError> {
    let tracker = Tracker::open(&request.tracking, &plan.root, caller)?;
    let interruption = Interruption::watch().map_err(RunError::Signals)?;
    let for_signals = tracker.clone();
    interruption.on_signal(move |signal| for_signals.interrupted(signal));
    tracker.begin(tracking::Pipeline {
        name: plan.pipeline.clone(),
        root: plan.root.clone(),
        parameters: plan.parameters.clone(),
    })?;
    let run = Run {
        plan,
        request,
        lock,
        tracker,
        interruption,
        tell,
    };
    let result = run.make_environments().and_then(|_in_use| run.steps());
    run.tracker.end(ending::of_pipeline(&result));
    result
}

/// What all steps of a run have in common.
struct Run<'a> {
    plan: &'a Plan,
    request: &'a Request,
    lock: &'a Lock,
    tracker: Tracker,
    interruption: Interruption,
    tell: fn(Event),
}

impl Run<'_> {
    /// Has every environment made that is not there, before the first step.
    fn make_environments(&self) -> Result<Option<Leases>, RunError> {
        let Some(store) = &self.plan.store else {
            // Then the plan knows only local ones.
            return Ok(None);
        };
        let options = BuildOptions {
            store,
            jobs: self.request.environments.jobs,
            grace: self.request.grace,
            interruption: &self.interruption,
        };
        let steps = self.plan.steps.iter();
        let steps = steps.map(|step| (step.name.as_str(), &step.environment));
        let made = environment::make_all(steps, options);
        match self.interruption.signal() {
            Some(signal) => Err(RunError::InterruptedMaking(signal)),
            None => made.map(Some).map_err(RunError::Environments),
        }
    }

    /// Runs the steps in order, up to the first that fails and may not.
    fn steps(&self) -> Result<(), RunError> {
        let plan = self.plan;
        let start = Instant::now();
        let count = plan.steps.len();
        let mut failed: Vec<usize> = Vec::new();
        for (number, step) in plan.steps.iter().enumerate() {
            let position = Position {
                number: number + 1,
                count,
                step: &step.name,
            };
            let needs = plan.graph.needs(number);
            if let Some(maker) = failed.iter().find(|earlier| needs.contains(earlier)) {
                let maker = &plan.steps[*maker].name;
                (self.tell)(Event::LeftOut { position, maker });
                failed.push(number);
                continue;
            }
            let step_start = Instant::now();
            (self.tell)(Event::Started(position));
            match self.step(position, step) {
                Ok(()) => (self.tell)(Event::Finished {
                    position,
                    time: step_start.elapsed(),
                }),
                Err(error) if self.may_go_on(step, &error) => {
                    (self.tell)(Event::Failed(&error));
                    failed.push(number);
                }
                Err(error) => return Err(error),
            }
        }
        if !failed.is_empty() {
            let failed = failed.iter().map(|step| plan.steps[*step].name.clone());
            let failed = failed.collect();
            return Err(RunError::Incomplete { failed, count });
        }
        (self.tell)(Event::Done {
            pipeline: &plan.pipeline,
            count,
            time: start.elapsed(),
        });
        Ok(())
    }

    /// Whether the failure of a step ends nothing but what needs it.
    fn may_go_on(&self, step: &PlannedStep, error: &RunError) -> bool {
        self.request.keep_going && step.allow_failure && error.is_of_step()
    }

    /// Runs one step, and again when it fails and may be tried again.
    fn step(&self, position: Position, step: &PlannedStep) -> Result<(), RunError> {
        let retries = step.limits.retries;
        let mut pause = step.limits.retry_delay;
        for retry in 1..=retries {
            let error = match self.attempt(step, retry) {
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
            // A signal that comes meanwhile ends the process.
            std::thread::sleep(pause);
            pause = pause.saturating_mul(2);
        }
        self.attempt(step, retries + 1)
    }

    /// One try of a step, with all that it has to fetch, in a run of its own.
    fn attempt(&self, step: &PlannedStep, number: u32) -> Result<(), RunError> {
        let attempt = recorded(step, number);
        let run = self.tracker.start_step(&attempt);
        let log = log::create(&run.folder, &step.name).map_err(RunError::Log);
        let (result, log) = match log {
            Ok(log) => {
                let fetched = fetch(step);
                (
                    fetched
                        .and_then(|()| self.command(step, &run, &log))
                        .and_then(|()| made(step, &log)),
                    Some(log),
                )
            }
            Err(error) => (Err(error), None),
        };
        let gone = self.lock.restore();
        self.tracker.end_step(
            run,
            &attempt,
            ending::of_step(&result),
            log.as_deref(),
            gone,
        );
        result
    }

    /// The step's command in its environment.
    fn wrap(&self, step: &PlannedStep, run: &StepRun) -> Launch {
        let (locked, folders) = self.lock.variable();
        let of_lock = (locked, Some(folders.to_owned()));
        let variables: Vec<_> = run.environment.iter().cloned().chain([of_lock]).collect();
        let job = engine::Job {
            step: &step.name,
            command: &step.command,
            root: &self.plan.root,
            folder: &step.cwd,
            reads: &step.files.inputs,
            writes: &step.files.outputs,
            variables: &variables,
        };
        engine::launch(&job, &step.environment, self.plan.store.as_ref())
    }

    fn command(&self, step: &PlannedStep, run: &StepRun, log: &Path) -> Result<(), RunError> {
        let job = Job {
            launch: &self.wrap(step, run),
            folder: &step.cwd,
            log,
            timeout: step.limits.timeout,
            grace: self.request.grace,
        };
        let start = Instant::now();
        let ended = process::run(&job, &self.interruption);
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
        let report = ended.and_then(|ended| ended.report);
        let unwritten = report.and_then(|report| report.unwritten);
        let timeout = step.limits.timeout;
        let timeout = timeout.filter(|_| report.is_some_and(|report| report.timed_out));
        let cause = match (self.interruption.signal(), timeout, ended) {
            (Some(signal), _, _) => Cause::Interruption(signal),
            (None, Some(timeout), _) => Cause::Timeout(timeout),
            (None, None, Some(ended)) if report.is_none() => Cause::Supervisor(ended.status),
            (None, None, Some(ended)) if !ended.status.success() => Cause::Status(ended.status),
            (None, None, _) => match unwritten {
                Some(unwritten) => Cause::Unwritten(unwritten),
                None => return Ok(()),
            },
        };
        Err(RunError::Failed(Box::new(Failure {
            step: step.name.clone(),
            command: step.shown_command.clone(),
            cause,
            unwritten,
            duration: start.elapsed(),
            last_lines: log::tail(log).unwrap_or_default(),
            log: log.to_owned(),
        })))
    }
}

/// Checks that what a step declares as its outputs is there when it has succeeded. What may be there, but
/// not for us to see, is taken to be.
fn made(step: &PlannedStep, log: &Path) -> Result<(), RunError> {
    let mut outputs = step.files.outputs.iter();
    match outputs.find(|(_, path)| matches!(path.try_exists(), Ok(false))) {
        None => Ok(()),
        Some((name, path)) => Err(RunError::MissingOutput {
            step: step.name.clone(),
            name: name.clone(),
            path: path.clone(),
            log: log.to_owned(),
        }),
    }
}

/// A try of a step, as it is recorded.
fn recorded(step: &PlannedStep, number: u32) -> tracking::Attempt {
    tracking::Attempt {
        step: step.name.clone(),
        number,
        entry_point: step.entry_point.clone(),
        manager: step.environment.manager,
        project: step.project.clone(),
        source: step.source.clone(),
        parameters: step.parameters.clone(),
        outputs: step.files.outputs.clone(),
    }
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
