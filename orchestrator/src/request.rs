//! What is asked for, as `cli` understood it. Whatever is below looks at this and knows no options.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use mlproject::Manager;

/// What was asked for on the command line.
#[derive(Debug)]
pub(crate) struct Request {
    /// The pipeline's folder, as it was typed.
    pub(crate) directory: PathBuf,
    /// The steps, in the order in which they were named; none when the pipeline's default counts.
    pub(crate) steps: Option<Steps>,
    /// What is left of them.
    pub(crate) narrowing: Narrowing,
    /// `-P name=value` and `--name value`; a name may be qualified as `step.name`.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) entry_point: String,
    pub(crate) env_manager: Option<Manager>,
    pub(crate) environments: EnvironmentOptions,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<u32>,
    pub(crate) grace: Duration,
    /// How many steps run at once.
    pub(crate) jobs: usize,
    pub(crate) keep_going: bool,
    /// Whether to leave out what is up to date, if that is said.
    pub(crate) cached: Option<bool>,
    pub(crate) force: Option<Force>,
    pub(crate) wait: bool,
    pub(crate) tracking: tracking::Options,
    pub(crate) action: Action,
    pub(crate) format: Format,
}

/// Which of the selected steps run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Narrowing {
    /// These and all that wait for them, if any are named.
    pub(crate) from: Vec<String>,
    /// These and all that they wait for, if any are named.
    pub(crate) until: Vec<String>,
    /// Not these.
    pub(crate) skip: Vec<String>,
}

impl Narrowing {
    pub(crate) fn is_some(&self) -> bool {
        *self != Narrowing::default()
    }
}

/// The steps that run although they are up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Force {
    All,
    Named(Vec<String>),
}

/// How environments are made and used.
#[derive(Debug)]
pub(crate) struct EnvironmentOptions {
    pub(crate) root: Option<PathBuf>,
    pub(crate) jobs: usize,
    pub(crate) is_offline: bool,
    pub(crate) docker: environment::DockerOptions,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Run,
    DryRun,
    Graph,
    Check,
    List,
    EnvList,
    /// Removes what was not used for so many days.
    EnvPrune(u64),
    /// So many of the last runs.
    History(usize),
    /// The newest log, of one step if it is named.
    Logs(Option<String>),
    Resend,
    /// Writes the section `steps:`, or only shows it.
    Init {
        is_dry: bool,
    },
    Completions(Shell),
}

impl Action {
    /// Whether a plan is made, for which projects that are not here may be fetched. Everything else only
    /// looks at what is here.
    pub(crate) fn needs_plan(&self) -> bool {
        matches!(
            self,
            Action::Run | Action::DryRun | Action::Graph | Action::Check
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    /// That of Graphviz, for the graph alone.
    Dot,
}

/// A parameter of the pipeline or a step, offered as an option `--name`.
#[derive(Debug)]
pub(crate) struct ParameterOption {
    pub(crate) name: String,
    pub(crate) help: String,
}

/// Which steps to run: the text of `--steps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Steps {
    All,
    Named(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StepsError {
    #[error("expected at least one step name")]
    None,
    #[error("a step name is missing between two commas")]
    Empty,
    #[error("step `{0}` is named twice")]
    Twice(String),
    #[error("`all` stands alone")]
    AllAndOthers,
}

/// Names separated by commas, each once; blanks around a name do not count.
pub(crate) fn step_names(text: &str) -> Result<Vec<String>, StepsError> {
    if text.trim().is_empty() {
        return Err(StepsError::None);
    }
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        match name {
            "" => return Err(StepsError::Empty),
            name if names.iter().any(|known| known == name) => {
                return Err(StepsError::Twice(name.into()));
            }
            name => names.push(name.into()),
        }
    }
    Ok(names)
}

impl FromStr for Steps {
    type Err = StepsError;

    fn from_str(text: &str) -> Result<Self, StepsError> {
        let names = step_names(text)?;
        match names.iter().any(|name| name == "all") {
            true if names.len() > 1 => Err(StepsError::AllAndOthers),
            true => Ok(Steps::All),
            false => Ok(Steps::Named(names)),
        }
    }
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_names_between_commas() {
        let cases = [
            ("a", Ok(Steps::Named(vec!["a".into()]))),
            (" a , b ", Ok(Steps::Named(vec!["a".into(), "b".into()]))),
            ("all", Ok(Steps::All)),
            ("", Err(StepsError::None)),
            ("  ", Err(StepsError::None)),
            ("a,,b", Err(StepsError::Empty)),
            ("a,", Err(StepsError::Empty)),
            ("a,b,a", Err(StepsError::Twice("a".into()))),
            ("all,b", Err(StepsError::AllAndOthers)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Steps>(), expected, "{text:?}");
        }
    }
}
