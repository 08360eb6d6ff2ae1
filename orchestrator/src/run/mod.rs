//! One run of a plan: environments, then the steps, each with its attempts.

mod attempt;
pub(crate) mod cluster;
mod earlier;
mod ending;
pub(crate) mod error;
pub(crate) mod event;
mod machine;
pub(crate) mod outcome;
mod parts;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, Scope};
use std::time::Instant;

use environment::{BuildOptions, Leases};
use freshness::{Files, Verdict, judge};
use mlproject::Resources;
use plan::freshness::is_forced;
use plan::later::Runs;
use plan::request::Request;
use plan::{Plan, PlannedStep};
use process::console::{say, warn};
use process::lock::{Lock, LockError};
use process::printable::one_line;
use process::{Interruption, Label};
use schedule::{Next, Scheduler};
use tracking::Tracker;

use attempt::Share;
use cluster::Queue;
use error::RunError;
use event::{Event, Listener, Position};
use machine::Machine;

/// What the threads of the steps have for their stacks, in bytes: they wait, and there may be many.
const STACK: usize = 512 * 1024;

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

/// Runs the plan and records the run; `tell` hears what happens, from any thread.
pub(crate) fn execute(
    plan: &Plan,
    request: &Request,
    caller: &Path,
    lock: &Lock,
    tell: &Listener,
) -> Result<(), RunError> {
    let mut options = request.tracking.clone();
    options.off |= !plan.is_recorded;
    let tracker = Tracker::open(&options, &plan.root, caller)?;
    let interruption = Interruption::watch().map_err(RunError::Signals)?;
    let (of_signals, listener) = (tracker.clone(), Arc::clone(tell));
    interruption.on_signal(move |signal| {
        listener(Event::Stopped { signal });
        of_signals.interrupted(signal);
    });
    cluster::make_folder(plan).map_err(RunError::Attempts)?;
    cluster::warn_of_places(plan, request, caller);
    let begun = tracker.begin(tracking::Pipeline {
        name: plan.pipeline.clone(),
        root: plan.root.clone(),
        parameters: plan.parameters.clone(),
        experiments: plan.experiments(),
    });
    begun.inspect_err(|_| cluster::remove_folder(plan))?;
    tell(Event::Begun { tracker: &tracker });
    let for_hashing = interruption.clone();
    let run = Run {
        plan,
        request,
        lock,
        tracker,
        files: plan.files(move || for_hashing.signal().is_some()),
        interruption,
        queue: Queue::default(),
        tell,
        runs: Mutex::default(),
    };
    let result = std::thread::scope(|scope| {
        // Git and the environments take their time beside each other. Who needs the list before it is
        // there asks himself.
        let list = || plan.list_code(&run.files);
        Builder::new().spawn_scoped(scope, list).ok();
        run.find_earlier_runs()?;
        let _in_use = run.make_environments()?;
        run.steps()
    });
    tell(Event::Ended {
        result: result.as_ref().copied(),
    });
    run.tracker.end(ending::of_pipeline(&result));
    cluster::remove_folder(plan);
    result
}

/// What all steps of a run have in common.
struct Run<'a> {
    plan: &'a Plan,
    request: &'a Request,
    lock: &'a Lock,
    tracker: Tracker,
    files: Files,
    interruption: Interruption,
    queue: Queue,
    tell: &'a Listener,
    /// The runs of which steps take values.
    runs: Mutex<Runs>,
}

/// How a step ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Success {
    Made,
    UpToDate,
}

/// The end of a step, by its number.
type End = (usize, Result<Success, RunError>);

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

    /// Runs the steps, each as soon as it may, up to the first that fails and may not.
    fn steps(&self) -> Result<(), RunError> {
        let start = Instant::now();
        let needed: Vec<Resources> = self.plan.steps.iter().map(|step| step.resources).collect();
        let mut machine = Machine::find(&needed);
        self.warn_of_lacks(&machine);
        let labels = self.labels();
        let mut progress = Progress::default();
        let has = machine.resources;
        let mut scheduler = Scheduler::new(&self.plan.graph, &needed, has, self.request.jobs);
        let (sender, ends) = channel();
        let (is_over, over) = channel::<()>();
        std::thread::scope(|scope| {
            let watch = move || self.watch_queue(&over);
            if self.plan.steps.iter().any(|step| step.job.is_some()) {
                Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(scope, watch)
                    .ok();
            }
            loop {
                while let Some(next) = self.next(&mut scheduler) {
                    match next {
                        Next::LeaveOut { step, maker } => progress.left_out(self, step, maker),
                        Next::Start(step) => {
                            let gpus = machine.take(needed[step].gpus);
                            let names =
                                (needed[step].gpus > 0 && self.is_shared()).then(|| gpus.join(","));
                            progress.started(step, gpus);
                            let work = (step, labels.as_ref().map(|labels| &labels[step]), names);
                            self.start(scope, work, &sender);
                        }
                    }
                }
                if scheduler.running().is_empty() {
                    break;
                }
                // The sender is alive, so somebody tells of each end.
                let Ok((step, result)) = ends.recv() else {
                    break;
                };
                machine.give_back(progress.gpus.remove(&step).unwrap_or_default());
                scheduler.ended(step, has, result.is_ok());
                match result {
                    Ok(success) => progress.ended_well(&self.plan.steps[step], success),
                    Err(error) => self.failed(step, error, &mut scheduler, &mut progress),
                }
            }
            drop(is_over);
        });
        progress.result(self, start)
    }

    /// What to do now; nothing any more when a signal wants our end.
    fn next(&self, scheduler: &mut Scheduler) -> Option<Next> {
        if self.interruption.signal().is_some() {
            scheduler.stop();
        }
        scheduler.choose()
    }

    /// Runs a step on a thread of its own, or on this one where none runs beside it.
    fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        (number, label, gpus): (usize, Option<&'scope Label>, Option<String>),
        ends: &Sender<End>,
    ) {
        let sender = ends.clone();
        let work = move || {
            let step = &self.plan.steps[number];
            let position = self.position(number);
            let share = Share {
                position,
                step,
                label,
                gpus: gpus.as_deref(),
            };
            sender.send((number, self.step_if_stale(share))).ok();
        };
        if !self.is_shared() {
            return work();
        }
        let thread = Builder::new().name("step".into()).stack_size(STACK);
        if let Err(source) = thread.spawn_scoped(scope, work) {
            let step = &self.plan.steps[number];
            let error = RunError::Start {
                step: step.name.clone(),
                command: step.shown_command.clone(),
                cwd: step.cwd.clone(),
                source,
            };
            ends.send((number, Err(error))).ok();
        }
    }

    /// Runs a step unless its result is there already.
    fn step_if_stale(&self, share: Share) -> Result<Success, RunError> {
        let filled = self.filled_in(share.step)?;
        let step = filled.as_ref().unwrap_or(share.step);
        let share = Share { step, ..share };
        let position = share.position;
        let is_forced = is_forced(self.request.force.as_ref(), step);
        let verdict = (step.is_cached && !is_forced).then(|| {
            self.plan
                .with_subject(step, |subject| judge(subject, &self.files))
        });
        let why = match verdict {
            Some(Verdict::UpToDate(made)) => {
                self.tracker.reused(&step.name, made.run.as_deref());
                self.note_earlier_run(&step.name, &made);
                let made = &made;
                (self.tell)(Event::UpToDate { position, made });
                return Ok(Success::UpToDate);
            }
            Some(Verdict::Stale(reasons)) => reasons.first().map(ToString::to_string),
            None => (is_forced && step.is_cached).then(|| "was forced".to_owned()),
        };
        let (start, why) = (Instant::now(), why.as_deref());
        (self.tell)(Event::Started { position, why });
        let made = self.step(share);
        let time = start.elapsed();
        match made {
            Ok(metrics) => {
                let metrics = &metrics;
                (self.tell)(Event::Finished {
                    position,
                    time,
                    metrics,
                });
                Ok(Success::Made)
            }
            Err(error) => {
                (self.tell)(Event::Unfinished {
                    position,
                    error: &error,
                    time,
                });
                Err(error)
            }
        }
    }

    /// What follows from the failure of a step.
    fn failed(
        &self,
        number: usize,
        mut error: RunError,
        scheduler: &mut Scheduler,
        progress: &mut Progress,
    ) {
        let is_allowed = self.plan.steps[number].allow_failure;
        if error.is_of_step() && (is_allowed || self.request.keep_going) {
            let error = &error;
            (self.tell)(Event::Failed { error, is_allowed });
            progress.unfinished.insert(number, !is_allowed);
            return;
        }
        if let RunError::Failed(failure) = &mut error {
            failure.is_resumable = progress.has_recorded && !self.plan.is_caching();
        }
        scheduler.stop();
        let is_asked = self.interruption.signal().is_some();
        let mut running = scheduler.running().iter().peekable();
        if running.peek().is_some() && !is_asked && progress.failures.is_empty() {
            let others: Vec<&str> = running
                .map(|other| self.plan.steps[*other].name.as_str())
                .collect();
            (self.tell)(Event::Waiting {
                step: &self.plan.steps[number].name,
                others: &others,
            });
        }
        progress.failures.push(error);
    }

    /// Whether steps may run beside each other.
    fn is_shared(&self) -> bool {
        self.request.jobs > 1 && self.plan.steps.len() > 1
    }

    fn position(&self, number: usize) -> Position<'_> {
        Position {
            number: number + 1,
            count: self.plan.steps.len(),
            step: &self.plan.steps[number].name,
        }
    }

    /// What stands before the lines of each step where several run at once.
    fn labels(&self) -> Option<Vec<Label>> {
        let steps = &self.plan.steps;
        let width = steps.iter().map(|step| step.name.chars().count()).max();
        let label = |(number, step): (usize, &PlannedStep)| Label {
            name: format!(
                "{:width$}",
                one_line(&step.name),
                width = width.unwrap_or(0)
            ),
            number,
        };
        self.is_shared()
            .then(|| steps.iter().enumerate().map(label).collect())
    }

    /// Tells of steps that want more than there is; they run alone.
    fn warn_of_lacks(&self, machine: &Machine) {
        if !self.is_shared() {
            return;
        }
        for step in &self.plan.steps {
            if let Some(lack) = machine.lacks(step.resources) {
                warn(&format!("step `{}` wants {lack}: it runs alone", step.name));
            }
        }
    }
}

/// What has become of the steps.
#[derive(Debug, Default)]
struct Progress {
    /// The graphics processors of the steps that run.
    gpus: BTreeMap<usize, Vec<String>>,
    up_to_date: usize,
    /// Whether a step has ended well of which something is recorded.
    has_recorded: bool,
    /// The steps that failed or were left out while others went on, and whether that fails the run.
    unfinished: BTreeMap<usize, bool>,
    /// Those by which the run was stopped.
    failures: Vec<RunError>,
}

impl Progress {
    fn started(&mut self, step: usize, gpus: Vec<String>) {
        self.gpus.insert(step, gpus);
    }

    fn ended_well(&mut self, step: &PlannedStep, success: Success) {
        self.up_to_date += usize::from(success == Success::UpToDate);
        self.has_recorded |= !step.files.outputs.is_empty();
    }

    fn left_out(&mut self, run: &Run, step: usize, maker: usize) {
        let is_fatal = self.unfinished.get(&maker).copied().unwrap_or(true);
        self.unfinished.insert(step, is_fatal);
        (run.tell)(Event::LeftOut {
            position: run.position(step),
            maker: &run.plan.steps[maker].name,
        });
    }

    /// How the run has ended.
    fn result(self, run: &Run, start: Instant) -> Result<(), RunError> {
        let count = run.plan.steps.len();
        let name = |step: &usize| run.plan.steps[*step].name.clone();
        if let Some(error) = RunError::of_all(self.failures) {
            return Err(error);
        }
        if self.unfinished.values().any(|is_fatal| *is_fatal) {
            let failed = self.unfinished.keys().map(name).collect();
            return Err(RunError::Incomplete { failed, count });
        }
        if self.up_to_date == count {
            run.tracker.all_reused();
        }
        let unfinished: Vec<String> = self.unfinished.keys().map(name).collect();
        (run.tell)(Event::Done {
            pipeline: &run.plan.pipeline,
            count,
            up_to_date: self.up_to_date,
            unfinished: &unfinished,
            time: start.elapsed(),
        });
        Ok(())
    }
}
