//! The way through: load, plan everything, run.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::time::Instant;

use crate::cli::{self, Action, Format, Request};
use crate::definition::Pipeline;
use crate::download;
use crate::environment::{self, EnvironmentError, InUse, Making, Wrapped};
use crate::error::{Cause, Error, Failure, Problem, ProblemKind, seconds, shown};
use crate::list;
use crate::lock::{Lock, LockError};
use crate::log;
use crate::notice::say;
use crate::plan::{self, Plan, PlannedStep};
use crate::process::{self, Interruption, Job};
use crate::project::absolute;
use crate::redact::redact;
use crate::tracking::{self, StepRun, Tracker};

/// Does what the command line asks for.
pub(crate) fn run(arguments: &[OsString]) -> Result<(), Error> {
    let caller = std::env::current_dir()?;
    if let Some(request) = cli::without_pipeline(arguments) {
        return environments(&request, &caller);
    }
    let (pipeline, request) = load(arguments, &caller)?;
    let plan = || plan::make(&pipeline, &request, &caller).map_err(Error::Plan);
    let place = (pipeline.name.as_str(), pipeline.root(), &*caller);
    match &request.action {
        Action::Completions(shell) => print(&cli::completions(
            *shell,
            &pipeline.options(),
            pipeline.step_names(),
        )),
        Action::List => print(&list::text(&pipeline, &request)?),
        Action::Check => plan().map(|_| ()),
        Action::DryRun => print(&text(&plan()?, request.format)?),
        // The plan of one who waits is made of what the run before leaves behind.
        Action::Run if request.wait => {
            let lock = wait_for(pipeline.root())?;
            execute(&plan()?, &request, &caller, &lock)
        }
        Action::Run => {
            let plan = plan()?;
            let lock = Lock::take(&plan.root, false)?;
            execute(&plan, &request, &caller, &lock)
        }
        Action::History(limit) => {
            let as_json = request.format == Format::Json;
            print(&tracking::history(
                &request.tracking,
                place,
                *limit,
                as_json,
            )?)
        }
        Action::Logs(step) => {
            let log = tracking::newest_log(&request.tracking, place, step.as_deref())?;
            print_log(log)
        }
        Action::Resend => {
            let sent = tracking::resend(&request.tracking, pipeline.root(), &caller)?;
            print(&sent)
        }
        Action::EnvList | Action::EnvPrune(_) => environments(&request, &caller),
    }
}

/// Lists or removes environments, which needs no pipeline.
fn environments(request: &Request, caller: &Path) -> Result<(), Error> {
    let Some(store) = plan::settings(request, caller).store else {
        let kind = ProblemKind::Environment(EnvironmentError::NoStore);
        return Err(Error::Plan(vec![Problem::general(None, kind)]));
    };
    if let Action::EnvPrune(days) = request.action {
        let removed = environment::prune(&store, days);
        let removed = removed.map_err(|source| Error::Store {
            folder: store.root.clone(),
            source,
        })?;
        return print(&lines(&removed));
    }
    let listed = environment::list(&store);
    match request.format {
        Format::Text => print(&lines(&listed)),
        Format::Json => print(&(serde_json::to_string(&listed).map_err(io::Error::from)? + "\n")),
    }
}

fn lines(items: &[impl ToString]) -> String {
    items.iter().map(|item| item.to_string() + "\n").collect()
}

/// Reads the projects and then the command line, whose options they declare.
fn load(arguments: &[OsString], caller: &Path) -> Result<(Pipeline, Request), Error> {
    let preview = cli::preview(arguments);
    let pipeline = Pipeline::load(
        &absolute(caller, &preview.directory),
        preview.steps.as_ref(),
    );
    let options = pipeline.as_ref().map(Pipeline::options).unwrap_or_default();
    match (cli::parse(arguments, &options), pipeline) {
        // Help and version are to be had everywhere, also where there is no pipeline.
        (Err(error), Ok(_)) => Err(Error::usage(error)),
        (Err(error), Err(_)) if !error.use_stderr() => Err(Error::usage(error)),
        (_, Err(error)) => Err(error.into()),
        (Ok(request), Ok(pipeline)) => Ok((pipeline, request)),
    }
}

/// The plan in the form that was asked for.
fn text(plan: &Plan, format: Format) -> Result<String, Error> {
    match format {
        Format::Text => Ok(plan.to_string()),
        Format::Json => Ok(serde_json::to_string(plan).map_err(io::Error::from)? + "\n"),
    }
}

fn print(text: &str) -> Result<(), Error> {
    print_bytes(redact(text).as_bytes())
}

fn print_bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    match written {
        // A reader that has seen enough, as in `--list | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// A log to a file or pipe is as it was printed, byte for byte.
fn print_log(source: impl Read) -> Result<(), Error> {
    let stdout = io::stdout();
    let is_terminal = stdout.is_terminal();
    match log::print(source, &mut stdout.lock(), is_terminal) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

/// Locks a pipeline's folder, after the end of the run that has locked it.
fn wait_for(root: &Path) -> Result<Lock, LockError> {
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

/// Runs the plan and records the run.
fn execute(plan: &Plan, request: &Request, caller: &Path, lock: &Lock) -> Result<(), Error> {
    let tracker = Tracker::open(&request.tracking, &plan.root, caller)?;
    let interruption = Interruption::watch()?;
    let for_signals = tracker.clone();
    interruption.before_the_end(move |signal| for_signals.interrupted(signal));
    tracker.begin(plan)?;
    let run = Run {
        plan,
        request,
        lock,
        tracker,
        interruption,
    };
    let result = run.make_environments().and_then(|_in_use| run.steps());
    run.tracker.end(&result);
    result
}

/// What all steps of a run have in common.
struct Run<'a> {
    plan: &'a Plan,
    request: &'a Request,
    lock: &'a Lock,
    tracker: Tracker,
    interruption: Interruption,
}

impl Run<'_> {
    /// Has every environment made that is not there, before the first step.
    fn make_environments(&self) -> Result<Option<InUse>, Error> {
        let Some(store) = &self.plan.store else {
            // Then the plan knows only local ones.
            return Ok(None);
        };
        let making = Making {
            store,
            jobs: self.request.environments.jobs,
            grace: self.request.grace,
            interruption: &self.interruption,
        };
        let steps = self.plan.steps.iter();
        let steps = steps.map(|step| (step.name.as_str(), &step.environment));
        let made = environment::make_all(steps, making);
        match self.interruption.signal() {
            Some(signal) => Err(Error::InterruptedMaking(signal)),
            None => made.map(Some).map_err(Error::Environments),
        }
    }

    /// Runs the steps in order, up to the first that fails and may not.
    fn steps(&self) -> Result<(), Error> {
        let plan = self.plan;
        let start = Instant::now();
        let count = plan.steps.len();
        let mut failed: Vec<&PlannedStep> = Vec::new();
        for (position, step) in plan.steps.iter().enumerate() {
            let label = format!("[{}/{count}] {}", position + 1, step.name);
            if let Some(maker) = failed.iter().find(|earlier| step.needs(earlier)) {
                let maker = &maker.name;
                say(&format!(
                    "{label}: left out, as it needs what `{maker}` did not make"
                ));
                failed.push(step);
                continue;
            }
            let step_start = Instant::now();
            say(&format!("{label}: running"));
            match self.step(&label, step) {
                Ok(()) => say(&format!(
                    "{label}: finished in {}",
                    seconds(step_start.elapsed())
                )),
                Err(error) if self.may_go_on(step, &error) => {
                    say(error.report().trim_end());
                    failed.push(step);
                }
                Err(error) => return Err(error),
            }
        }
        if !failed.is_empty() {
            let failed = failed.iter().map(|step| step.name.clone()).collect();
            return Err(Error::Incomplete { failed, count });
        }
        let noun = if count == 1 { "step" } else { "steps" };
        let (name, time) = (&plan.pipeline, seconds(start.elapsed()));
        say(&format!("{name}: {count} {noun} finished in {time}"));
        Ok(())
    }

    /// Whether the failure of a step ends nothing but what needs it.
    fn may_go_on(&self, step: &PlannedStep, error: &Error) -> bool {
        self.request.keep_going && step.allow_failure && error.is_of_step()
    }

    /// Runs one step, and again when it fails and may be tried again.
    fn step(&self, label: &str, step: &PlannedStep) -> Result<(), Error> {
        fetch(step)?;
        let retries = step.patience.retries;
        let mut delay = step.patience.retry_delay;
        for retry in 1..=retries {
            match self.attempt(step, retry) {
                Err(Error::Failed(failure)) if !failure.is_interruption() => {
                    let pause = humantime::format_duration(delay);
                    let log = shown(&failure.log);
                    say(&format!(
                        "{label}: {failure} (log: {log}); retry {retry} of {retries} in {pause}"
                    ));
                    // A signal that comes meanwhile ends the process.
                    std::thread::sleep(delay);
                    delay = delay.saturating_mul(2);
                }
                ended => return ended,
            }
        }
        self.attempt(step, retries + 1)
    }

    /// One try of a step, in a run of its own.
    fn attempt(&self, step: &PlannedStep, number: u32) -> Result<(), Error> {
        let run = self.tracker.start_step(step, number);
        let log = log::create(&run.folder, &step.name).map_err(Error::Log);
        let (result, log) = match log {
            Ok(log) => (self.command(step, &run, &log), Some(log)),
            Err(error) => (Err(error), None),
        };
        let gone = self.lock.restore();
        self.tracker
            .end_step(run, step, &result, log.as_deref(), gone);
        result
    }

    /// The step's command in its environment.
    fn wrap(&self, step: &PlannedStep, run: &StepRun) -> Wrapped {
        let (locked, folders) = self.lock.variable();
        let of_lock = (locked, Some(folders.to_owned()));
        let variables: Vec<_> = run.environment.iter().cloned().chain([of_lock]).collect();
        let job = environment::Job {
            step: &step.name,
            command: &step.command,
            root: &self.plan.root,
            folder: &step.cwd,
            reads: &step.inputs,
            writes: &step.outputs,
            variables: &variables,
        };
        step.environment.wrap(&job, self.plan.store.as_ref())
    }

    fn command(&self, step: &PlannedStep, run: &StepRun, log: &Path) -> Result<(), Error> {
        let job = Job {
            wrapped: &self.wrap(step, run),
            folder: &step.cwd,
            log,
            timeout: step.patience.timeout,
            grace: self.request.grace,
        };
        let start = Instant::now();
        let ended = process::run(&job, &self.interruption);
        let cause = match (self.interruption.signal(), step.patience.timeout, ended) {
            (Some(signal), _, _) => Cause::Interruption(signal),
            (None, _, Err(source)) => {
                return Err(Error::Start {
                    step: step.name.clone(),
                    command: step.command.clone(),
                    cwd: step.cwd.clone(),
                    source,
                });
            }
            (None, Some(timeout), Ok(ended)) if ended.timed_out => Cause::Timeout(timeout),
            (None, _, Ok(ended)) if ended.status.success() => return Ok(()),
            (None, _, Ok(ended)) => Cause::Status(ended.status),
        };
        Err(Error::Failed(Box::new(Failure {
            step: step.name.clone(),
            command: step.command.clone(),
            cause,
            duration: start.elapsed(),
            last_lines: log::tail(log).unwrap_or_default(),
            log: log.to_owned(),
        })))
    }
}

/// Downloads the remote values of a step's `path` parameters.
///
/// As under MLflow they stay in the system's temporary folder, for a look afterwards.
fn fetch(step: &PlannedStep) -> Result<(), Error> {
    for (uri, target) in &step.downloads {
        let failed = |source| Error::Download {
            step: step.name.clone(),
            uri: uri.clone(),
            source,
        };
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(error.into()))?;
        }
        download::to_file(uri, target).map_err(failed)?;
    }
    Ok(())
}
