//! The way through: load, plan everything, run.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::{self, Action, Format, Request};
use crate::definition::Pipeline;
use crate::download;
use crate::environment::{self, EnvironmentError, InUse, Job, Making, Store, Wrapped};
use crate::error::{Error, Problem, ProblemKind};
use crate::list;
use crate::plan::{self, Plan, PlannedStep};
use crate::process::{self, Interruption};
use crate::project::absolute;
use crate::redact::redact;

/// Does what the command line asks for.
pub(crate) fn run(arguments: &[OsString]) -> Result<(), Error> {
    let caller = std::env::current_dir()?;
    if let Some(request) = cli::without_pipeline(arguments) {
        return environments(&request, &caller);
    }
    let (pipeline, request) = load(arguments, &caller)?;
    let plan = || plan::make(&pipeline, &request, &caller).map_err(Error::Plan);
    match request.action {
        Action::Completions(shell) => print(&cli::completions(
            shell,
            &pipeline.options(),
            pipeline.step_names(),
        )),
        Action::List => print(&list::text(&pipeline, &request)?),
        Action::Check => plan().map(|_| ()),
        Action::DryRun => print(&text(&plan()?, request.format)?),
        Action::Run => execute(&plan()?, &request, &caller),
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
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(redact(text).as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        // A reader that has seen enough, as in `--list | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Runs the steps in order, up to the first that fails.
fn execute(plan: &Plan, request: &Request, caller: &Path) -> Result<(), Error> {
    let grace = request.grace;
    let interruption = Interruption::watch()?;
    let store = plan::settings(request, caller).store;
    let _in_use = make_environments(plan, request, store.as_ref(), &interruption)?;
    let start = Instant::now();
    let count = plan.steps.len();
    for (position, step) in plan.steps.iter().enumerate() {
        let label = format!("[{}/{count}] {}", position + 1, step.name);
        let step_start = Instant::now();
        say(&format!("{label}: running"));
        fetch(step)?;
        let wrap = || wrap(plan, step, store.as_ref());
        run_step(&label, step, wrap, grace, &interruption)?;
        say(&format!("{label}: finished in {}", seconds(step_start)));
    }
    let noun = if count == 1 { "step" } else { "steps" };
    let name = &plan.pipeline;
    say(&format!(
        "{name}: {count} {noun} finished in {}",
        seconds(start)
    ));
    Ok(())
}

/// Has every environment made that is not there, before the first step.
fn make_environments(
    plan: &Plan,
    request: &Request,
    store: Option<&Store>,
    interruption: &Interruption,
) -> Result<Option<InUse>, Error> {
    let Some(store) = store else {
        // Then the plan knows only local ones.
        return Ok(None);
    };
    let making = Making {
        store,
        jobs: request.environments.jobs,
        grace: request.grace,
        interruption,
    };
    let steps = plan.steps.iter();
    let steps = steps.map(|step| (step.name.as_str(), &step.environment));
    let made = environment::make_all(steps, making);
    match interruption.signal() {
        Some(signal) => Err(Error::InterruptedMaking(signal)),
        None => made.map(Some).map_err(Error::Environments),
    }
}

/// The step's command in its environment.
fn wrap(plan: &Plan, step: &PlannedStep, store: Option<&Store>) -> Wrapped {
    let job = Job {
        step: &step.name,
        command: &step.command,
        root: &plan.root,
        folder: &step.cwd,
        reads: &step.inputs,
        writes: &step.outputs,
        variables: &[],
    };
    step.environment.wrap(&job, store)
}

/// Runs one step, and again when it fails and may be tried again.
fn run_step(
    label: &str,
    step: &PlannedStep,
    wrap: impl Fn() -> Wrapped,
    grace: Duration,
    interruption: &Interruption,
) -> Result<(), Error> {
    let retries = step.patience.retries;
    let mut delay = step.patience.retry_delay;
    for retry in 1..=retries {
        match try_step(step, &wrap(), grace, interruption) {
            Err(error @ (Error::Step { .. } | Error::Timeout { .. })) => {
                let pause = humantime::format_duration(delay);
                say(&format!(
                    "{label}: {error}; retry {retry} of {retries} in {pause}"
                ));
                // A signal that comes meanwhile ends the process.
                std::thread::sleep(delay);
                delay = delay.saturating_mul(2);
            }
            ended => return ended,
        }
    }
    try_step(step, &wrap(), grace, interruption)
}

fn try_step(
    step: &PlannedStep,
    wrapped: &Wrapped,
    grace: Duration,
    interruption: &Interruption,
) -> Result<(), Error> {
    let timeout = step.patience.timeout;
    let ended = process::run(wrapped, &step.cwd, timeout, grace, interruption);
    let ended = ended.map_err(|source| Error::Start {
        step: step.name.clone(),
        command: step.command.clone(),
        cwd: step.cwd.clone(),
        source,
    })?;
    let (name, command) = (step.name.clone(), step.command.clone());
    match (interruption.signal(), timeout) {
        (Some(signal), _) => Err(Error::Interrupted { signal, step: name }),
        (None, Some(timeout)) if ended.timed_out => Err(Error::Timeout {
            step: name,
            command,
            timeout,
        }),
        _ if ended.status.success() => Ok(()),
        _ => Err(Error::Step {
            step: name,
            command,
            status: ended.status,
        }),
    }
}

/// Tells on stderr how far the run is. That nobody listens any more is no reason to stop it.
fn say(line: &str) {
    writeln!(io::stderr(), "{line}").ok();
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
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
