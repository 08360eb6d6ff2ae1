//! The command line, nothing else.
//!
//! The parameters of the pipeline and its steps are options of their own. They are known only after
//! the MLprojects have been read, so the command line is read twice by the same parser: [`early()`]
//! takes every option that is not ours for a parameter, [`parse()`] knows them all.

mod completion;
mod early;
mod foreign;
mod value;

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Id, Parser};

use mlproject::Manager;

use crate::invocation::{Action, Format, Invocation, Shell};
use plan::request::{EnvironmentOptions, Force, Narrowing, ParameterOption, Request, Steps};
use process::printable::is_unfit;
use value::{Assignment, DockerArgument, Names, forced, managers, names, time};

pub(crate) use completion::{candidates, completed_folder, completed_words, script};
pub(crate) use early::{Early, early};

/// Run the steps of a pipeline, each an MLflow project, one after the other
///
/// The pipeline is the folder with the root MLproject. Everything is checked before the first step
/// starts; a failing step stops the pipeline.
#[derive(Debug, Parser)]
#[command(
    version,
    override_usage = "orchestrator [OPTIONS] [STEP]...",
    after_help = "Exit codes: 0 all steps succeeded, 1 the run failed or could not be planned, 2 bad command line, 128+n stopped by signal n"
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
struct Cli {
    /// Steps to run, as with --steps
    // No parameter can have this name.
    #[arg(id = "step names", value_name = "STEP", conflicts_with = "steps")]
    names: Vec<String>,

    /// Steps to run, separated by commas, or `all`
    #[arg(long, value_name = "A,B")]
    steps: Option<Steps>,

    /// Of these steps only A, B and all that wait for them
    #[arg(long, value_name = "A,B", value_parser = names())]
    from: Option<Names>,

    /// Of these steps only A, B and all that they wait for
    #[arg(long, value_name = "A,B", value_parser = names())]
    until: Option<Names>,

    /// Of these steps all but A and B
    #[arg(long, value_name = "A,B", value_parser = names())]
    skip: Option<Names>,

    /// Give a parameter a value, for all steps or as STEP.NAME=VALUE for one
    #[arg(short = 'P', long = "param-list", value_name = "NAME=VALUE")]
    param_list: Vec<Assignment>,

    /// Folder of the pipeline
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,

    /// Entry point of the steps that name none themselves
    #[arg(short, long, value_name = "NAME", default_value = "main")]
    entry_point: String,

    /// Environment of all steps, whatever the MLprojects say
    #[arg(long, value_name = "NAME", value_parser = managers())]
    env_manager: Option<Manager>,

    #[command(flatten)]
    environments: EnvironmentArguments,

    /// Time that each step may take, whatever the MLproject says
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,

    /// How often a failed step is tried again, whatever the MLproject says
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// Time that the processes of a step have to end after they were asked to
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    grace: Duration,

    /// How many steps run at once
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = value::count)]
    jobs: NonZero<usize>,

    /// When a step fails, run all the same what does not need it
    #[arg(long)]
    keep_going: bool,

    /// Leave out the steps whose result is there already, and say why the others run
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    cached: Option<bool>,

    /// Run these steps, or all, although they are up to date
    #[arg(long, value_name = "A,B", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = forced())]
    force: Option<Force>,

    /// Wait for the end of another run of this pipeline
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    tracking: TrackingArguments,

    /// Print what would be run, and run nothing
    #[arg(long, group = "action")]
    dry_run: bool,

    /// Print which step waits for which, and run nothing
    #[arg(long, group = "action")]
    graph: bool,

    /// Check what would be run, print only what is wrong with it, and run nothing
    #[arg(long, group = "action")]
    check: bool,

    /// Print the steps of this pipeline and their parameters, and run nothing
    #[arg(long, group = "action")]
    list: bool,

    /// Print the last runs of this pipeline, 10 or as many as said, and run nothing
    #[arg(long, group = "action", value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10")]
    history: Option<usize>,

    /// Print the newest log, of one step or of the one that ran last, and run nothing
    #[arg(long, group = "action", value_name = "STEP", num_args = 0..=1, action = ArgAction::Set)]
    logs: Option<Vec<String>>,

    /// Send what earlier runs could not record, and run nothing
    #[arg(long, group = "action")]
    resend: bool,

    /// Write the steps that the pipeline's main.py runs into its MLproject; with --dry-run only show it
    #[arg(long)]
    init: bool,

    /// Print a completion script for a shell, and run nothing
    #[arg(long, group = "action", value_name = "SHELL", hide = true)]
    completions: Option<Shell>,

    /// Form of what --dry-run, --graph, --list, --history and --env-list print; dot is for --graph
    #[arg(long, value_name = "FORM", default_value = "text")]
    format: Format,
}

#[derive(Debug, Args)]
struct EnvironmentArguments {
    /// Folder for the environments that are made, instead of MLFLOW_ENV_ROOT or the user's cache
    #[arg(long, value_name = "DIR")]
    env_root: Option<PathBuf>,

    /// How many environments are made at once [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = value::count)]
    env_jobs: Option<NonZero<usize>>,

    /// Make no environment: what is missing is an error
    #[arg(long)]
    offline: bool,

    /// Build an image with the project's files for the steps in containers
    #[arg(long)]
    build_image: bool,

    /// Option for `docker run`, as NAME=VALUE or as NAME
    #[arg(short = 'A', long = "docker-args", value_name = "NAME=VALUE")]
    docker_args: Vec<DockerArgument>,

    /// Print the environments that were made, and run nothing
    #[arg(long, group = "action")]
    env_list: bool,

    /// Remove the environments not used for so many days, and run nothing
    #[arg(long, group = "action", value_name = "DAYS")]
    env_prune: Option<u64>,
}

/// Where the run is recorded.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tracking")]
struct TrackingArguments {
    /// Tracking server (http://HOST) or database (sqlite:///FILE); by default MLFLOW_TRACKING_URI,
    /// else mlflow.db in the pipeline's folder
    #[arg(long, value_name = "URI", value_parser = NonEmptyStringValueParser::new())]
    tracking_uri: Option<String>,

    /// Record nothing
    #[arg(long)]
    no_tracking: bool,

    /// Experiment, made if there is none of that name; by default MLFLOW_EXPERIMENT_NAME
    #[arg(
        long,
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new(),
        conflicts_with = "experiment_id"
    )]
    experiment_name: Option<String>,

    /// Experiment by its id; by default MLFLOW_EXPERIMENT_ID, else 0
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    experiment_id: Option<String>,

    /// Name of the run; by default that of the pipeline
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    run_name: Option<String>,
}

impl TrackingArguments {
    fn options(self) -> tracking::Options {
        tracking::Options {
            uri: self.tracking_uri,
            off: self.no_tracking,
            experiment_name: self.experiment_name,
            experiment_id: self.experiment_id,
            run_name: self.run_name,
        }
    }
}

impl EnvironmentArguments {
    fn options(self) -> EnvironmentOptions {
        let arguments = self.docker_args.into_iter();
        EnvironmentOptions {
            root: self.env_root,
            jobs: self.env_jobs.map_or_else(processors, NonZero::get),
            is_offline: self.offline,
            docker: environment::DockerOptions {
                build_image: self.build_image,
                arguments: arguments
                    .map(|argument| (argument.name, argument.value))
                    .collect(),
            },
        }
    }
}

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
        std::mem::take(&mut cli.param_list),
    )?;
    let steps = steps(command, &cli, &mut parameters)?;
    let action = action(&cli);
    if cli.format == Format::Dot && !cli.graph {
        let message = "`--format dot` is for `--graph`";
        return Err(command.error(ErrorKind::ArgumentConflict, message));
    }
    let request = Request {
        directory: cli.directory,
        steps,
        parameters,
        entry_point: cli.entry_point,
        env_manager: cli.env_manager,
        timeout: cli.timeout,
        retries: cli.retries,
        grace: cli.grace,
        narrowing: Narrowing {
            from: list(cli.from),
            until: list(cli.until),
            skip: list(cli.skip),
        },
        jobs: cli.jobs.get(),
        keep_going: cli.keep_going,
        cached: cli.cached,
        force: cli.force,
        wait: cli.wait,
        tracking: cli.tracking.options(),
        environments: cli.environments.options(),
    };
    Ok(Invocation {
        action,
        format: cli.format,
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
    match (cli.completions, cli.history, &cli.logs) {
        _ if cli.init => Action::Init {
            is_dry: cli.dry_run,
        },
        (Some(shell), _, _) => Action::Completions(shell),
        (_, Some(limit), _) => Action::History(limit),
        (_, _, Some(step)) => Action::Logs(step.first().cloned()),
        _ if let Some(days) = cli.environments.env_prune => Action::EnvPrune(days),
        _ if cli.environments.env_list => Action::EnvList,
        _ if cli.dry_run => Action::DryRun,
        _ if cli.graph => Action::Graph,
        _ if cli.check => Action::Check,
        _ if cli.list => Action::List,
        _ if cli.resend => Action::Resend,
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
    let (text, what) = match parameter.filter(|_| cli.steps.is_none()) {
        Some(_) if !cli.names.is_empty() => {
            let message = "the steps are given twice, by their names and as parameter `steps`";
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        Some(position) => (parameters.remove(position).1, "parameter `steps`"),
        None if cli.names.is_empty() => return Ok(cli.steps.clone()),
        None => (cli.names.join(","), "'[STEP]...'"),
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

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
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
    fixed.args(parameters)
}

/// A parameter whose name the fixed options need, or which cannot be typed as an option, has only `-P`.
fn can_be_option(fixed: &clap::Command, name: &str) -> bool {
    let taken = fixed
        .get_arguments()
        .any(|arg| arg.get_id() == name || arg.get_long() == Some(name));
    let typable = !name.is_empty()
        && !name.starts_with('-')
        && !name.contains(|c: char| c == '=' || c.is_whitespace() || is_unfit(c));
    typable && !taken && !["help", "version"].contains(&name)
}

fn parameter_arg(option: &ParameterOption, alias: Option<String>) -> Arg {
    Arg::new(option.name.clone())
        .long(option.name.clone())
        .help(option.help.clone())
        .help_heading("Parameters")
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
