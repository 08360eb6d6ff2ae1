//! The way through: load, plan everything, run.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::cli::{self, Action, Early, Format, Request};
use crate::definition::Pipeline;
use crate::download::{self, DownloadError, Limits};
use crate::environment::{self, EnvironmentError, InUse, Making, Wrapped};
use crate::error::{Cause, Error, Failure, Problem, ProblemKind, seconds};
use crate::interruption::Interruption;
use crate::list;
use crate::lock::{Lock, LockError};
use crate::log;
use crate::notice::{report, say};
use crate::plan::{self, Plan, PlannedStep};
use crate::printable::{self, printable};
use crate::process::{self, Job};
use crate::redact::redact;
use crate::source::Access;
use crate::tracking::{self, StepRun, Tracker};
use mlproject::paths::absolute;
use mlproject::paths::shown;
use serde::Serialize;

/// Does what the command line asks for.
pub(crate) fn run(arguments: &[OsString]) -> Result<(), Error> {
    if let Some(words) = cli::completed_words(arguments) {
        return complete(words);
    }
    let early = cli::early(arguments).map_err(Error::usage)?;
    let caller = caller(&early.request.directory)?;
    if early.needs_no_pipeline() {
        return without_pipeline(&cli::parse(arguments, &[]).map_err(Error::usage)?, &caller);
    }
    let (pipeline, request) = load(arguments, &early, &caller)?;
    let plan = || plan::make(&pipeline, &request, &caller).map_err(Error::Plan);
    let place = (pipeline.name.as_str(), pipeline.root(), &*caller);
    match &request.action {
        Action::List => print(&list::text(&pipeline, &request)?),
        Action::Check => plan().map(|_| ()),
        Action::DryRun => print_plan(&plan()?, request.format),
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
        Action::EnvList | Action::EnvPrune(_) | Action::Completions(_) => {
            without_pipeline(&request, &caller)
        }
    }
}

/// Does what needs no pipeline.
fn without_pipeline(request: &Request, caller: &Path) -> Result<(), Error> {
    match request.action {
        Action::Completions(shell) => print(cli::script(shell)),
        _ => environments(request, caller),
    }
}

/// Answers the shell's question how a word may go on. Where there is no answer it says nothing.
fn complete(words: &[OsString]) -> Result<(), Error> {
    let program = OsString::from("orchestrator");
    let typed: Vec<OsString> = std::iter::once(program)
        .chain(words.iter().cloned())
        .collect();
    let folder = cli::early(&typed).map_or_else(|_| ".".into(), |early| early.request.directory);
    let pipeline = Pipeline::load(
        &absolute(&std::env::current_dir().unwrap_or_default(), folder),
        None,
        Access::Look,
    )
    .ok();
    let of_pipeline = pipeline.as_ref();
    let options = of_pipeline.map(Pipeline::options).unwrap_or_default();
    let steps = of_pipeline.map(Pipeline::step_names).unwrap_or_default();
    let entry_points = of_pipeline.map(Pipeline::entry_point_names);
    let found = cli::candidates(words, &options, &steps, &entry_points.unwrap_or_default());
    print(&lines(&found))
}

/// The folder that relative paths start from. Where the current one is gone, that is the one of `-C`.
fn caller(directory: &Path) -> Result<PathBuf, Error> {
    std::env::current_dir().or_else(|source| {
        if !directory.is_absolute() {
            return Err(Error::CurrentFolder(source));
        }
        Ok(directory.to_owned())
    })
}

/// Lists or removes environments.
fn environments(request: &Request, caller: &Path) -> Result<(), Error> {
    let Some(store) = plan::settings(request, caller).store else {
        let kind = ProblemKind::Environment(EnvironmentError::NoStore);
        return Err(Error::Plan(vec![Problem::general(None, kind)]));
    };
    let unusable = |source| Error::Store {
        folder: store.root.clone(),
        source,
    };
    if let Action::EnvPrune(days) = request.action {
        let mut removed = Vec::new();
        let pruned = environment::prune(&store, days, &mut removed);
        print(&lines(&removed))?;
        return pruned.map_err(unusable);
    }
    let listed = environment::list(&store).map_err(unusable)?;
    match request.format {
        Format::Text => print(&lines(&listed)),
        Format::Json => print_json(&listed),
    }
}

fn lines(items: &[impl ToString]) -> String {
    items.iter().map(|item| item.to_string() + "\n").collect()
}

/// Reads the projects and then the command line, whose options they declare.
fn load(
    arguments: &[OsString],
    early: &Early,
    caller: &Path,
) -> Result<(Pipeline, Request), Error> {
    let access = if early.may_fetch {
        Access::Fetch
    } else {
        Access::Look
    };
    let root = absolute(caller, &early.request.directory);
    let pipeline = Pipeline::load(&root, early.request.steps.as_ref(), access);
    let options = pipeline.as_ref().map(Pipeline::options).unwrap_or_default();
    match (cli::parse(arguments, &options), pipeline) {
        // Help and version are printed everywhere, also where there is no pipeline.
        (Err(error), Ok(_)) => Err(Error::usage(error)),
        (Err(error), Err(_)) if !error.use_stderr() => Err(Error::usage(error)),
        (_, Err(error)) => Err(error.into()),
        (Ok(request), Ok(pipeline)) => Ok((pipeline, request)),
    }
}

/// Prints the plan in the form that was asked for.
fn print_plan(plan: &Plan, format: Format) -> Result<(), Error> {
    match format {
        Format::Text => print(&plan.to_string()),
        Format::Json => print_json(plan),
    }
}

fn print(text: &str) -> Result<(), Error> {
    print_bytes(printable(&redact(text)).as_bytes())
}

/// Prints a value as one line of JSON.
fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(value).map_err(|error| Error::Output(error.into()))?;
    print_bytes((printable::json(&redact(&text)) + "\n").as_bytes())
}

/// Prints; that the reader has seen enough, as in `--list | head`, is no failure.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::Output),
    }
}

/// A log to a file or pipe is as it was printed, byte for byte.
fn print_log(source: impl Read) -> Result<(), Error> {
    let stdout = io::stdout();
    let is_terminal = stdout.is_terminal();
    match log::print(source, &mut stdout.lock(), is_terminal) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(Error::Output),
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
    let interruption = Interruption::watch().map_err(Error::Signals)?;
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
                    report(&error.report());
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
        let retries = step.patience.retries;
        let mut delay = step.patience.retry_delay;
        for retry in 1..=retries {
            let reason = match self.attempt(step, retry) {
                Err(Error::Failed(failure)) if !failure.is_interruption() => {
                    format!("{failure} (log: {})", shown(&failure.log))
                }
                Err(Error::Download { uri, source, .. }) => {
                    format!("cannot download `{uri}`: {source}")
                }
                ended => return ended,
            };
            let pause = humantime::format_duration(delay);
            say(&format!(
                "{label}: {reason}; retry {retry} of {retries} in {pause}"
            ));
            // A signal that comes meanwhile ends the process.
            std::thread::sleep(delay);
            delay = delay.saturating_mul(2);
        }
        self.attempt(step, retries + 1)
    }

    /// One try of a step, with all that it has to fetch, in a run of its own.
    fn attempt(&self, step: &PlannedStep, number: u32) -> Result<(), Error> {
        let run = self.tracker.start_step(step, number);
        let log = log::create(&run.folder, &step.name).map_err(Error::Log);
        let (result, log) = match log {
            Ok(log) => {
                let fetched = fetch(step);
                (
                    fetched.and_then(|()| self.command(step, &run, &log)),
                    Some(log),
                )
            }
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
        let ended = match (self.interruption.signal(), ended) {
            (None, Err(source)) => {
                return Err(Error::Start {
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
        let timeout = step.patience.timeout;
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
        Err(Error::Failed(Box::new(Failure {
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
            std::fs::create_dir_all(folder).map_err(|error| failed(DownloadError::Write(error)))?;
        }
        download::to_file(uri, target, Limits::NONE).map_err(failed)?;
    }
    Ok(())
}
