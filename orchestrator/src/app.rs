//! The way through: read, plan everything, run. The only place that knows the order of things.

mod environments;
mod first;
mod look;
mod running;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::{self, Early};
use crate::error::Error;
use crate::invocation::{Action, Invocation};
use crate::report;
use crate::report::console;
use crate::report::output::print;
use mlproject::paths::absolute;
use plan::Plan;
use plan::definition::Pipeline;
use plan::definition::error::ProjectError;
use source::Access;

/// Does what the command line asks for.
pub(crate) fn run(arguments: &[OsString]) -> Result<(), Error> {
    if let Some(words) = cli::completed_words(arguments) {
        return complete(words);
    }
    let early = cli::early(arguments).map_err(Error::usage)?;
    let caller = caller(&early.invocation.request.directory)?;
    if early.needs_no_pipeline() {
        return without_pipeline(&cli::parse(arguments, &[]).map_err(Error::usage)?, &caller);
    }
    let (pipeline, invocation) = load(arguments, &early, &caller)?;
    let Invocation {
        action,
        format,
        request,
        ..
    } = &invocation;
    let plan = || {
        let plan = plan::make(&pipeline, request, &caller).map_err(|mut problems| {
            if !matches!(action, Action::Run) {
                problems.extend(plan::start::problems(&pipeline, request, &caller, None));
            }
            Error::Plan(problems)
        })?;
        console::tell_selection(&plan);
        Ok::<_, Error>(plan)
    };
    let may_start =
        |plan: &Plan| match plan::start::problems(&pipeline, request, &caller, Some(plan)) {
            none if none.is_empty() => Ok(()),
            problems => Err(Error::Plan(problems)),
        };
    match action {
        Action::Check => may_start(&plan()?),
        Action::DryRun => {
            let plan = plan()?;
            written(report::plan::print(&plan, request.force.as_ref(), *format))?;
            may_start(&plan)
        }
        Action::Run => running::run(&pipeline, &invocation, (arguments, &caller), plan),
        Action::Resend => {
            let sent = tracking::resend(&request.tracking, pipeline.root(), &caller)?;
            written(print(&sent))
        }
        Action::EnvList
        | Action::EnvPrune(_)
        | Action::Init { .. }
        | Action::Completions(_)
        | Action::Manual => without_pipeline(&invocation, &caller),
        _ => look::act(&invocation, &pipeline, &caller),
    }
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

/// Reads the projects and then the command line, whose options they declare.
fn load(
    arguments: &[OsString],
    early: &Early,
    caller: &Path,
) -> Result<(Pipeline, Invocation), Error> {
    let access = if early.may_fetch {
        Access::Fetch
    } else {
        Access::Look
    };
    let request = &early.invocation.request;
    let folder = &request.directory;
    let pipeline = Pipeline::load(caller, folder, request.steps.as_ref(), access);
    let options = pipeline.as_ref().map(Pipeline::options).unwrap_or_default();
    match (cli::parse(arguments, &options), pipeline) {
        // Help and version are printed everywhere, also where there is no pipeline.
        (Err(error), Ok(_)) => Err(Error::usage(error)),
        (Err(error), Err(_)) if !error.use_stderr() => Err(Error::usage(error)),
        // Nobody would find the option in another folder, either.
        (Err(error), Err(missing @ ProjectError::NoPipeline { above: None, .. })) => {
            Err(Error::usage(cli::with_tip(error, missing.to_string())))
        }
        (_, Err(error)) => Err(error.into()),
        // What looked like an option was a value.
        (Ok(invocation), Ok(_)) if invocation.action.needs_plan() && access == Access::Look => {
            let steps = invocation.request.steps.as_ref();
            let pipeline = Pipeline::load(caller, folder, steps, Access::Fetch)?;
            Ok((pipeline, invocation))
        }
        (Ok(invocation), Ok(pipeline)) => Ok((pipeline, invocation)),
    }
}

/// Does what needs no pipeline.
fn without_pipeline(invocation: &Invocation, caller: &Path) -> Result<(), Error> {
    match invocation.action {
        Action::Completions(shell) => written(print(cli::script(shell))),
        Action::Manual => written(print(&cli::page())),
        Action::Init { is_dry } => first::write(&invocation.request.directory, caller, is_dry),
        _ => environments::act(invocation, caller),
    }
}

/// Answers the shell's question how a word may go on. Where there is no answer it says nothing.
fn complete(words: &[OsString]) -> Result<(), Error> {
    let (folder, tracking) = cli::completed_place(words);
    let caller = std::env::current_dir().unwrap_or_default();
    let pipeline = Pipeline::load(&caller, &folder, None, Access::Look).ok();
    let root = absolute(&caller, &folder);
    let experiments = || tracking::experiments(&tracking, &root, &caller);
    let candidates = cli::candidates(words, pipeline.as_ref(), &experiments);
    written(print(&lines(&candidates)))
}

fn lines(items: &[impl ToString]) -> String {
    items.iter().map(|item| item.to_string() + "\n").collect()
}

fn written(result: io::Result<()>) -> Result<(), Error> {
    result.map_err(Error::Output)
}
