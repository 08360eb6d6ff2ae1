//! The command line, nothing else.
//!
//! The parameters of the pipeline and its steps are options of their own. They are known only after
//! the MLprojects have been read, so the command line is read twice by the same parser: [`early()`]
//! takes every option that is not ours for a parameter, [`parse()`] knows them all.

mod completion;
mod early;
mod foreign;
mod manual;
mod options;
mod shown;
mod value;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Id};

use crate::invocation::{Action, Format, Invocation};
use options::{Cli, PARAMETERS};
use plan::request::{Narrowing, ParameterOption, Request, Steps};
use process::printable::is_unfit;
use value::{Assignment, Last, Names};

pub(crate) use completion::{candidates, completed_place, completed_words, script};
pub(crate) use early::{Early, early};
pub(crate) use foreign::with_tip;
pub(crate) use manual::page;
pub(crate) use shown::shown;

/// The options that every command line has.
fn fixed() -> clap::Command {
    let command = Cli::command();
    let others = command.get_arguments().map(|arg| arg.get_id().clone());
    let others: Vec<Id> = others
        .filter(|id| !["init", "dry_run", "directory"].contains(&id.as_str()))
        .collect();
    command.mut_arg("init", |init| init.conflicts_with_all(others))
}

/// Reads the command line, every parameter in `options` being an option of its own.
///
/// Whatever is wrong with it, and `--help` and `--version` too, comes back as clap's error.
pub(crate) fn parse(
    arguments: &[OsString],
    options: &[ParameterOption],
) -> Result<Invocation, clap::Error> {
    let mut command = with_parameters(fixed(), options);
    let matches = command.try_get_matches_from_mut(arguments);
    understand(&mut command, &matches.map_err(foreign::explained)?, options)
}

/// What the matches mean.
fn understand(
    command: &mut clap::Command,
    matches: &ArgMatches,
    options: &[ParameterOption],
) -> Result<Invocation, clap::Error> {
    let mut cli = Cli::from_arg_matches(matches)?;
    let mut parameters = given(
        command,
        matches,
        options,
        std::mem::take(&mut cli.parameters.param_list),
    )?;
    let steps = steps(command, &cli, &mut parameters)?;
    let action = action(&cli);
    if cli.looking.format == Format::Dot && !cli.looking.graph {
        let message = "`--format dot` is for `--graph`";
        return Err(command.error(ErrorKind::ArgumentConflict, message));
    }
    let report = cli.recording.report.take();
    let request = Request {
        directory: cli.steps.directory,
        steps,
        parameters,
        entry_point: cli.steps.entry_point,
        env_manager: cli.environments.env_manager,
        backend: cli.running.backend,
        backend_config: cli.running.backend_config,
        timeout: cli.running.timeout,
        retries: cli.running.retries,
        grace: cli.running.grace,
        narrowing: Narrowing {
            from: list(cli.steps.from),
            until: list(cli.steps.until),
            skip: list(cli.steps.skip),
        },
        jobs: cli.running.jobs.get(),
        keep_going: cli.running.keep_going,
        cached: cli.running.cached,
        force: cli.running.force,
        wait: cli.running.wait,
        tracking: cli.recording.options(),
        environments: cli.environments.options(),
    };
    Ok(Invocation {
        action,
        format: cli.looking.format,
        report,
        request,
    })
}

/// The values of parameters, each given once: by an option of its own or by `-P`.
fn given(
    command: &mut clap::Command,
    matches: &ArgMatches,
    options: &[ParameterOption],
    assigned: Vec<Assignment>,
) -> Result<Vec<(String, String)>, clap::Error> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    let fixed = Cli::command();
    let offered = options
        .iter()
        .filter(|option| can_be_option(&fixed, &option.name));
    let by_option = offered.filter_map(|option| {
        let value = matches.get_one::<String>(&option.name)?;
        Some((option.name.clone(), value.clone()))
    });
    let by_assignment = assigned.into_iter().map(|given| (given.name, given.value));
    for (name, value) in by_assignment.chain(by_option) {
        if parameters.iter().any(|(known, _)| *known == name) {
            let message = format!("parameter `{name}` is given twice");
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        parameters.push((name, value));
    }
    Ok(parameters)
}

/// What is to be done.
fn action(cli: &Cli) -> Action {
    let looking = &cli.looking;
    match (looking.completions, looking.history, &looking.logs) {
        _ if let Some(run) = &looking.show => Action::Show(run.clone()),
        _ if let Some([old, new]) = looking.diff.as_deref() => {
            Action::Diff(old.clone(), new.clone())
        }
        _ if cli.steps.init => Action::Init {
            is_dry: looking.dry_run,
        },
        (Some(shell), _, _) => Action::Completions(shell),
        _ if looking.man => Action::Manual,
        (_, Some(Last(limit)), _) => Action::History(limit),
        (_, _, Some(step)) => Action::Logs {
            step: step.first().cloned(),
            follow: looking.follow,
        },
        _ if let Some(days) = cli.environments.env_prune => Action::EnvPrune(days),
        _ if cli.environments.env_list => Action::EnvList,
        _ if looking.dry_run => Action::DryRun,
        _ if looking.graph => Action::Graph,
        _ if looking.check => Action::Check,
        _ if looking.list => Action::List,
        _ if cli.recording.resend => Action::Resend,
        _ => Action::Run,
    }
}

/// The steps: as words, by `--steps`, or as the parameter `steps` as under `mlflow run`.
fn steps(
    command: &mut clap::Command,
    cli: &Cli,
    parameters: &mut Vec<(String, String)>,
) -> Result<Option<Steps>, clap::Error> {
    let parameter = parameters.iter().position(|(name, _)| name == "steps");
    let given = &cli.steps;
    let (text, what) = match parameter.filter(|_| given.steps.is_none()) {
        Some(_) if !given.names.is_empty() => {
            let message = "the steps are given twice, by their names and as parameter `steps`";
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        Some(position) => (parameters.remove(position).1, "parameter `steps`"),
        None if given.names.is_empty() => return Ok(given.steps.clone()),
        None => (given.names.join(","), "'[STEP]...'"),
    };
    let steps = text.parse().map_err(|error| {
        let message = format!("invalid value '{text}' for {what}: {error}");
        command.error(ErrorKind::ValueValidation, message)
    })?;
    Ok(Some(steps))
}

fn list(names: Option<Names>) -> Vec<String> {
    names.map_or_else(Vec::new, |Names(names)| names)
}

/// Adds an option for every parameter that can be one.
fn with_parameters(fixed: clap::Command, options: &[ParameterOption]) -> clap::Command {
    let offered = options
        .iter()
        .filter(|option| can_be_option(&fixed, &option.name));
    let parameters: Vec<Arg> = offered
        .map(|option| {
            let dashed = option.name.replace('_', "-");
            let is_free =
                can_be_option(&fixed, &dashed) && options.iter().all(|other| other.name != dashed);
            parameter_arg(option, is_free.then_some(dashed))
        })
        .collect();
    let named = named_in_short(&parameters);
    fixed.args(parameters).after_help(named)
}

/// What `-h` says of the parameters, which may be many: as many names as fit in a line.
fn named_in_short(parameters: &[Arg]) -> String {
    const WIDTH: usize = 36;
    let mut named = String::new();
    let mut more = parameters.len();
    for name in parameters.iter().filter_map(Arg::get_long) {
        if named.len() + name.len() > WIDTH {
            break;
        }
        named.extend([" --", name]);
        more -= 1;
    }
    match more {
        _ if parameters.is_empty() => String::new(),
        0 => format!("Parameters:{named}; --list shows them"),
        more => format!("Parameters:{named} and {more} more; --list shows them"),
    }
}

/// A parameter whose name the fixed options need, or which cannot be typed as an option, has only `-P`.
fn can_be_option(fixed: &clap::Command, name: &str) -> bool {
    let taken = fixed
        .get_arguments()
        .any(|arg| arg.get_id() == name || arg.get_long() == Some(name));
    let typable = !name.is_empty()
        && !name.starts_with('-')
        && !name.contains(|c: char| c == '=' || c.is_whitespace() || is_unfit(c));
    typable && !taken
}

fn parameter_arg(option: &ParameterOption, alias: Option<String>) -> Arg {
    Arg::new(option.name.clone())
        .long(option.name.clone())
        .help(option.help.clone())
        .help_heading(PARAMETERS)
        .hide_short_help(true)
        .value_name("VALUE")
        .action(ArgAction::Set)
        // MLflow hands every value on as the word after the name, also one that starts with a dash.
        .allow_hyphen_values(true)
        .aliases(alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        std::iter::once("orchestrator")
            .chain(text.split_whitespace())
            .map(OsString::from)
            .collect()
    }

    fn option(name: &str) -> ParameterOption {
        ParameterOption {
            name: name.into(),
            help: String::new(),
        }
    }

    fn request(words: &[OsString], options: &[ParameterOption]) -> Request {
        parse(words, options).unwrap().request
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_parameter_is_an_option_with_either_spelling() {
        for text in [
            "--data_url x",
            "--data-url x",
            "--data_url=x",
            "-P data_url=x",
        ] {
            let request = request(&words(text), &[option("data_url")]);
            assert_eq!(
                request.parameters,
                [("data_url".to_owned(), "x".to_owned())],
                "{text}"
            );
        }
        let request = request(&words("--lr -0.5"), &[option("lr")]);
        assert_eq!(request.parameters, [("lr".to_owned(), "-0.5".to_owned())]);
    }

    #[test]
    fn a_value_is_split_at_the_first_equals_sign() {
        let request = request(&words("-P a=b=c -P d="), &[]);
        assert_eq!(
            request.parameters,
            [("a".into(), "b=c".into()), ("d".into(), String::new())]
        );
    }

    #[test]
    fn what_is_given_twice_or_without_a_name_is_refused() {
        for text in [
            "-P a=1 -P a=2",
            "-P a=1 --a 2",
            "--a 1 --a 2",
            "-P a",
            "-P =1",
            "-P steps=a,,b",
            "--steps a,,b",
        ] {
            let error = parse(&words(text), &[option("a")]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{text}");
        }
    }

    #[test]
    fn names_of_our_own_options_stay_ours() {
        let invocation = parse(
            &words("--format json -P format=csv"),
            &[option("format"), option("help")],
        )
        .unwrap();
        assert_eq!(invocation.format, Format::Json);
        assert_eq!(
            invocation.request.parameters,
            [("format".to_owned(), "csv".to_owned())]
        );
    }
}
