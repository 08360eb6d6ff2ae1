//! What is asked of a pipeline, without a word of the command line on which it was typed.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use mlproject::{Backend, Manager};

/// What was asked for on the command line.
#[derive(Debug)]
pub struct Request {
    /// The pipeline's folder, as it was typed.
    pub directory: PathBuf,
    /// The steps, in the order in which they were named; none when the pipeline's default counts.
    pub steps: Option<Steps>,
    /// What is left of them.
    pub narrowing: Narrowing,
    /// `-P name=value` and `--name value`; a name may be qualified as `step.name`.
    pub parameters: Vec<(String, String)>,
    pub entry_point: String,
    pub env_manager: Option<Manager>,
    /// Where steps run.
    pub backend: Option<Backend>,
    /// What the backend is told: a JSON file, relative to the caller's folder, or its text.
    pub backend_config: Option<String>,
    pub environments: EnvironmentOptions,
    pub timeout: Option<Duration>,
    pub retries: Option<u32>,
    pub grace: Duration,
    /// How many steps run at once.
    pub jobs: usize,
    pub keep_going: bool,
    /// Whether to leave out what is up to date, if that is said.
    pub cached: Option<bool>,
    pub force: Option<Force>,
    pub wait: bool,
    pub tracking: tracking::Options,
}

/// Which of the selected steps run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Narrowing {
    /// These and all that wait for them, if any are named.
    pub from: Vec<String>,
    /// These and all that they wait for, if any are named.
    pub until: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
}

impl Narrowing {
    pub fn is_some(&self) -> bool {
        *self != Narrowing::default()
    }
}

/// The steps that run although they are up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Force {
    All,
    Named(Vec<String>),
}

/// How environments are made and used.
#[derive(Debug)]
pub struct EnvironmentOptions {
    pub root: Option<PathBuf>,
    pub jobs: usize,
    pub is_offline: bool,
    pub docker: environment::DockerOptions,
}

/// A parameter of the pipeline or a step, offered as an option `--name`.
#[derive(Debug)]
pub struct ParameterOption {
    pub name: String,
    pub help: String,
}

/// Which steps to run: the text of `--steps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steps {
    All,
    Named(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepsError {
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
pub fn step_names(text: &str) -> Result<Vec<String>, StepsError> {
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
