//! Why a step has no project, and why steps cannot be selected.

use std::path::{Path, PathBuf};

use mlproject::paths::shown;
use mlproject::{Place, pyyaml, shell};

use crate::request::StepsError;
use process::text::{names, suggestion};
use source::SourceError;

/// Why a project cannot be used, whatever it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// A step's project is not where it should be.
    #[error("no MLproject file in `{}`", shown(.folder))]
    Missing {
        folder: PathBuf,
        name: String,
        known: Vec<String>,
    },
    #[error("no MLproject file in `{}`", .folder.display())]
    NoPipeline {
        folder: PathBuf,
        /// The nearest pipeline above, as it can be typed.
        above: Option<PathBuf>,
        typed: PathBuf,
    },
    #[error("{} `{}`", if *.exists { "expected a folder, found the file" } else { "there is no folder" }, .folder.display())]
    NoFolder { folder: PathBuf, exists: bool },
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    File(#[from] mlproject::Error),
}

impl ProjectError {
    /// What is wrong with the YAML of the MLproject, if that is it.
    pub fn yaml(&self) -> Option<&pyyaml::Error> {
        match self {
            ProjectError::File(error) => error.yaml(),
            _ => None,
        }
    }

    /// What to type or look for next.
    pub fn hint(&self) -> Option<String> {
        match self {
            ProjectError::Missing { name, known, .. } if known.is_empty() => Some(format!(
                "a step is a folder with an MLproject, here `{name}/MLproject`"
            )),
            ProjectError::Missing { name, known, .. } => Some(suggestion(name, known)),
            ProjectError::NoPipeline {
                above: Some(above), ..
            } => Some(format!(
                "there is one in a folder above: `orchestrator -C {}`",
                typable(above)
            )),
            ProjectError::NoPipeline { typed, .. } => {
                let here = match typed.to_str() {
                    Some(".") => String::new(),
                    _ => format!(" -C {}", typable(typed)),
                };
                Some(format!(
                    "`orchestrator{here} --init` writes one; or name a pipeline's folder with `-C DIR`; \
                     README.md begins with a quickstart"
                ))
            }
            ProjectError::NoFolder { .. } => {
                Some("name the folder that holds the pipeline's MLproject: `-C DIR`".into())
            }
            ProjectError::File(mlproject::Error::UnknownKey { key, known, .. }) => {
                Some(suggestion(key, known))
            }
            _ => None,
        }
    }
}

fn typable(path: &Path) -> String {
    shell::quote(&path.to_string_lossy())
}

/// Why the steps to run are not known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SelectionError {
    #[error("this pipeline does not list its steps: its MLproject has no section `steps:`")]
    NoSteps {
        known: Vec<String>,
        has_main: bool,
        place: Place,
    },
    #[error("the default of `steps` is not a list of step names: {source}")]
    Default { source: StepsError, place: Place },
    #[error("unknown step `{name}`")]
    Unknown { name: String, known: Vec<String> },
    #[error("step `{name}` is not among those that are selected")]
    NotSelected { name: String, selected: Vec<String> },
    #[error("no step is left of those that are selected")]
    NothingLeft,
    #[error("`{name}` is the pipeline itself and cannot be one of its own steps")]
    Itself { name: String },
    #[error("`main` of this pipeline is running, and would be run again by what it has started")]
    Running,
}

impl SelectionError {
    /// Where the cause is written.
    pub fn place(&self) -> Option<&Place> {
        match self {
            SelectionError::NoSteps { place, .. } | SelectionError::Default { place, .. } => {
                Some(place)
            }
            SelectionError::Unknown { .. }
            | SelectionError::NotSelected { .. }
            | SelectionError::NothingLeft
            | SelectionError::Itself { .. }
            | SelectionError::Running => None,
        }
    }

    /// What to type or look for next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            SelectionError::NoSteps { known, .. } if known.is_empty() => {
                "list the folders with the steps below `steps:`, each with an MLproject".into()
            }
            SelectionError::NoSteps {
                known, has_main, ..
            } => {
                let main = if *has_main {
                    "; `orchestrator main` runs the pipeline's own `main`"
                } else {
                    ""
                };
                format!(
                    "`orchestrator --init` writes the section; or name the steps in their order, for \
                     instance `orchestrator {}`{main}",
                    known.join(" ")
                )
            }
            SelectionError::Unknown { name, .. } if let Some(ours) = foreign(name) => ours,
            SelectionError::Unknown { name, known } if known.is_empty() => {
                format!("a step is a folder with an MLproject, here `{name}/MLproject`")
            }
            SelectionError::Unknown { name, known } => suggestion(name, known),
            SelectionError::NotSelected { selected, .. } => {
                format!(
                    "the selected steps are {}; `--steps` selects others",
                    names(selected)
                )
            }
            SelectionError::NothingLeft => {
                "leave out one of `--from`, `--until` and `--skip`".into()
            }
            SelectionError::Itself { name } => format!("run it alone: `orchestrator {name}`"),
            SelectionError::Running => "let the command of `main` name the steps, for instance \
                `orchestrator --steps all`, and list them below `steps:` in MLproject"
                .into(),
            SelectionError::Default { .. } => return None,
        })
    }
}

/// What to type in place of a word of another tool, or of a value that is no step.
fn foreign(word: &str) -> Option<String> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if let Some((name, _)) = word.split_once('=')
        && name.chars().all(is_name)
    {
        return Some(format!("a parameter is given as `-P {word}` or `--{name}`"));
    }
    let ours = match word {
        "run" | "exec" | "start" | "build" | "make" => {
            "`orchestrator` alone runs all steps, `orchestrator STEP` some"
        }
        "repro" | "resume" => "`orchestrator --cached` runs what is not up to date",
        "show" => "`orchestrator --show RUN` shows one run; `--history` shows which there are",
        "diff" => "`orchestrator --diff RUN RUN` compares two runs",
        "status" | "summary" => "`orchestrator --cached --dry-run` shows what would run",
        "dag" | "graph" => "`orchestrator --graph` shows which step waits for which",
        "init" => "`orchestrator --init` writes the section `steps:`",
        "list" | "ls" => "`orchestrator --list` shows the steps",
        "params" | "parameters" => "`orchestrator --list` shows the parameters of each step",
        "env" | "envs" => "`orchestrator --env-list` shows the environments that were made",
        "version" => "`orchestrator --version` shows the version",
        "check" | "lint" | "validate" => "`orchestrator --check` says what is wrong",
        "plan" | "dry-run" => "`orchestrator --dry-run` shows what would run",
        "help" | "man" => "`orchestrator --help` shows the options",
        "log" | "logs" => "`orchestrator --logs` shows the newest log",
        "history" | "runs" | "metrics" | "exp" | "experiments" => {
            "`orchestrator --history` shows the last runs"
        }
        "completion" | "completions" => "`orchestrator --completions SHELL` prints a script",
        _ => return None,
    };
    Some(ours.to_owned())
}
