//! Our own options, a struct for each group of `--help`: a new option is a field of its group.
//!
//! The first paragraph of a comment is what `-h` shows, in one line, and only of the options that are
//! needed every day; `--help` shows all, and the whole comment.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, Parser};

use super::manual;
use super::value::{
    self, Assignment, DockerArgument, Last, Names, backends, forced, managers, names, time,
};
use crate::invocation::{Format, Shell};
use mlproject::{Backend, Manager};
use plan::request::{EnvironmentOptions, Force, Steps};

/// The group of `-P`, and of the options that the pipeline's parameters are.
pub(super) const PARAMETERS: &str = "Parameters";

/// Run the steps of a pipeline, each an MLflow project
///
/// The pipeline is the folder with the root MLproject. Everything is checked before the first step
/// starts. A failing step stops the pipeline.
#[derive(Debug, Parser)]
#[command(
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    override_usage = "orchestrator [OPTIONS] [STEP]...",
    after_long_help = manual::ending()
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) steps: StepArguments,
    #[command(flatten)]
    pub(super) parameters: ParameterArguments,
    #[command(flatten)]
    pub(super) running: RunningArguments,
    #[command(flatten)]
    pub(super) environments: EnvironmentArguments,
    #[command(flatten)]
    pub(super) recording: RecordingArguments,
    #[command(flatten)]
    pub(super) looking: LookingArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Steps", next_display_order = 1)]
pub(super) struct StepArguments {
    /// Steps to run [default: all]
    ///
    /// The default of the pipeline's own parameter `steps`, if there is one, says otherwise.
    // No parameter can have this name.
    #[arg(
        id = "step names",
        value_name = "STEP",
        conflicts_with = "steps",
        display_order = 0
    )]
    pub(super) names: Vec<String>,

    /// Steps to run, separated by commas, or `all`
    #[arg(long, value_name = "A,B", hide_short_help = true)]
    pub(super) steps: Option<Steps>,

    /// Of these only A, B and the steps that wait for them
    #[arg(long, value_name = "A,B", value_parser = names())]
    pub(super) from: Option<Names>,

    /// Of these only A, B and the steps that they wait for
    #[arg(long, value_name = "A,B", value_parser = names())]
    pub(super) until: Option<Names>,

    /// Of these all except A and B
    #[arg(long, value_name = "A,B", value_parser = names(), hide_short_help = true)]
    pub(super) skip: Option<Names>,

    /// Folder of the pipeline
    #[arg(short = 'C', long, value_name = "DIR", default_value = ".")]
    pub(super) directory: PathBuf,

    /// Entry point of the steps whose entry in the MLproject names none
    #[arg(
        short,
        long,
        value_name = "NAME",
        default_value = "main",
        hide_short_help = true
    )]
    pub(super) entry_point: String,

    /// Write the steps of a main.py into its MLproject
    ///
    /// The calls of mlflow.run in main.py become a section `steps:`. With --dry-run the change is only
    /// shown.
    #[arg(long)]
    pub(super) init: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = PARAMETERS)]
pub(super) struct ParameterArguments {
    /// Value of a parameter, or of one step's as STEP.NAME=VALUE
    #[arg(short = 'P', long = "param-list", value_name = "NAME=VALUE")]
    pub(super) param_list: Vec<Assignment>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct RunningArguments {
    /// Run up to N steps at once
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = value::count)]
    pub(super) jobs: NonZero<usize>,

    /// Skip the steps that are up to date
    ///
    /// A step is up to date while its outputs, inputs, code, parameters and environment are those of
    /// its last run. For each step that runs you see why.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub(super) cached: Option<bool>,

    /// Run A and B, or all, although they are up to date
    ///
    /// For a run with --cached, or a pipeline that says `cached: true`.
    #[arg(long, value_name = "A,B", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = forced())]
    pub(super) force: Option<Force>,

    /// When a step fails, go on with those that do not need it
    #[arg(long, hide_short_help = true)]
    pub(super) keep_going: bool,

    /// Where steps run: local, or slurm, each as a job of it
    ///
    /// It overrides what the MLprojects say, except an entry of `steps:` with `backend: local`.
    #[arg(short, long, value_name = "NAME", value_parser = backends(), hide_possible_values = true, hide_short_help = true)]
    pub(super) backend: Option<Backend>,

    /// JSON file that says what jobs ask of Slurm, or its text
    #[arg(short = 'c', long, value_name = "FILE", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(super) backend_config: Option<String>,

    /// How long each step may run, instead of what the MLproject says
    #[arg(long, value_name = "TIME", value_parser = time, hide_short_help = true)]
    pub(super) timeout: Option<Duration>,

    /// How often a failed step is tried again, instead of what the MLproject says
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(super) retries: Option<u32>,

    /// How long a step may take to stop before it is killed
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time, hide_short_help = true)]
    pub(super) grace: Duration,

    /// Wait until another run of this pipeline has ended
    #[arg(long, hide_short_help = true)]
    pub(super) wait: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Environments")]
pub(super) struct EnvironmentArguments {
    /// Environment of all steps, such as local or conda
    ///
    /// One of local, conda, virtualenv, uv, docker. It overrides what the MLprojects say.
    #[arg(long, value_name = "NAME", value_parser = managers(), hide_possible_values = true)]
    pub(super) env_manager: Option<Manager>,

    /// Folder for the environments that are made [default: MLFLOW_ENV_ROOT, else the user's cache]
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    env_root: Option<PathBuf>,

    /// Make up to N environments at once [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = value::count, hide_short_help = true)]
    env_jobs: Option<NonZero<usize>>,

    /// Create no environment: one that is missing is an error
    #[arg(long, hide_short_help = true)]
    offline: bool,

    /// Build an image with the project's files for each step that runs in a container
    #[arg(long, hide_short_help = true)]
    build_image: bool,

    /// Option for `docker run`, as NAME=VALUE or as NAME
    #[arg(
        short = 'A',
        long = "docker-args",
        value_name = "NAME=VALUE",
        hide_short_help = true
    )]
    docker_args: Vec<DockerArgument>,

    /// Print the environments that were made, and run nothing
    #[arg(long, group = "action", hide_short_help = true)]
    pub(super) env_list: bool,

    /// Remove the environments that were not used for this many days, and run nothing
    #[arg(long, group = "action", value_name = "DAYS", hide_short_help = true)]
    pub(super) env_prune: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Where it is recorded")]
pub(super) struct RecordingArguments {
    /// Tracking server or database
    ///
    /// http://HOST or sqlite:///FILE [default: MLFLOW_TRACKING_URI, else mlflow.db in the pipeline's
    /// folder]
    #[arg(long, value_name = "URI", value_parser = NonEmptyStringValueParser::new())]
    tracking_uri: Option<String>,

    /// Record nothing
    #[arg(long, hide_short_help = true)]
    no_tracking: bool,

    /// Experiment by its name
    ///
    /// It is created if it does not exist [default: MLFLOW_EXPERIMENT_NAME]
    #[arg(
        long,
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new(),
        conflicts_with = "experiment_id",
        hide_short_help = true
    )]
    experiment_name: Option<String>,

    /// Experiment by its id [default: MLFLOW_EXPERIMENT_ID, else 0]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    experiment_id: Option<String>,

    /// Name of the run [default: the name of the pipeline]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    run_name: Option<String>,

    /// Write the report of the run to a file, too
    ///
    /// Every run that is recorded has it as the artifact report.html
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "action",
        hide_short_help = true
    )]
    pub(super) report: Option<PathBuf>,

    /// Send what earlier runs could not record, and run nothing
    #[arg(long, group = "action", hide_short_help = true)]
    pub(super) resend: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Looking")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(super) struct LookingArguments {
    /// Print the steps and their parameters
    #[arg(long, group = "action")]
    pub(super) list: bool,

    /// Print every problem that a run would have
    #[arg(long, group = "action")]
    pub(super) check: bool,

    /// Print what would run
    #[arg(long, group = "action")]
    pub(super) dry_run: bool,

    /// Print which step waits for which
    #[arg(long, group = "action")]
    pub(super) graph: bool,

    /// Print the last N runs of this pipeline
    ///
    /// 10 runs if no N is given; with `all` every one, those too in which everything was up to date.
    #[arg(long, group = "action", value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10")]
    pub(super) history: Option<Last>,

    /// Print one run, by the beginning of its id
    ///
    /// Its steps, parameters, metrics and where its logs are; also a run of a step.
    #[arg(long, group = "action", value_name = "RUN")]
    pub(super) show: Option<String>,

    /// Print what differs between two runs
    ///
    /// Parameters, metrics, code, commit and environments.
    #[arg(long, group = "action", num_args = 2, value_names = ["RUN", "RUN"])]
    pub(super) diff: Option<Vec<String>>,

    /// Print the newest log, of STEP or of the last step
    #[arg(long, group = "action", value_name = "STEP", num_args = 0..=1, action = ArgAction::Set)]
    pub(super) logs: Option<Vec<String>>,

    /// With --logs, go on until the run ends
    ///
    /// Also with a step that has not begun; without STEP with all that start meanwhile.
    #[arg(short, long, requires = "logs", hide_short_help = true)]
    pub(super) follow: bool,

    /// Print as text, json or dot (Graphviz)
    ///
    /// For --dry-run, --graph, --list, --history, --show, --diff and --env-list; dot is for --graph alone.
    #[arg(
        long,
        value_name = "FORM",
        default_value = "text",
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub(super) format: Format,

    /// Print a completion script: bash, zsh, fish
    #[arg(
        long,
        group = "action",
        value_name = "SHELL",
        hide_possible_values = true
    )]
    pub(super) completions: Option<Shell>,

    /// Print the manual page, for `man -l -`
    #[arg(long, group = "action", hide_short_help = true)]
    pub(super) man: bool,

    /// Print help; -h is short, --help shows all options
    #[arg(short, long, action = ArgAction::Help)]
    help: Option<bool>,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, hide_short_help = true)]
    version: Option<bool>,
}

impl RecordingArguments {
    pub(super) fn options(self) -> tracking::Options {
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
    pub(super) fn options(self) -> EnvironmentOptions {
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

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
