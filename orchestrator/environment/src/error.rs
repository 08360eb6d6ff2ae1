//! Why a step's environment cannot be planned or made.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use mlproject::expansion::Refusal;
use mlproject::paths::shown;
use mlproject::{CondaOnly, Manager};

use process::text::{describe, names, suggestion};

/// Why an environment cannot be planned, before anything is started.
#[derive(Debug, Clone, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum EnvironmentError {
    #[error("environment manager `{manager}` needs {}, which was not found", or(.tools))]
    NoTool {
        manager: Manager,
        tools: Vec<String>,
    },
    /// `known` are the versions in the folders of uv and pyenv.
    #[error("no Python {version} is installed")]
    NoPython { version: String, known: Vec<String> },
    #[error("creating an environment needs `python3`, which is not on PATH")]
    NoCurrentPython,
    /// `is_conda_there` decides what to type next.
    #[error("{} asks for packages that are not known to be on PyPI: {}", shown(.file), list(.packages))]
    CondaOnly {
        file: PathBuf,
        packages: Vec<CondaOnly>,
        is_conda_there: bool,
    },
    /// `other` is a manager that can do without, unless `only` names packages that it cannot install.
    #[error("environment manager `conda` needs {}, which was not found", or(.tools))]
    NoConda {
        tools: Vec<String>,
        other: Manager,
        only: Vec<CondaOnly>,
    },
    #[error("conda cannot make an environment from {}", shown(.file))]
    PythonByConda { file: PathBuf },
    #[error("the MLproject has no `docker_env`, so no image is known")]
    NoDockerEnv,
    #[error("the container needs environment variables that are not set: {}", names(.variables))]
    Unset { variables: Vec<String> },
    #[error("`{tool}` cannot reach its engine: {message}")]
    Engine { tool: String, message: String },
    #[error("environment `{name}` does not exist, and `--offline` forbids creating it")]
    Offline { name: String },
    #[error("{} reads a requirements file that does not exist: {}", shown(.file), shown(.missing))]
    NoRequirements { file: PathBuf, missing: PathBuf },
    #[error("cannot read {}: {reason}", shown(.file))]
    Unreadable { file: PathBuf, reason: String },
    #[error("{} reads more than {limit} requirements files", shown(.file))]
    ManyRequirements { file: PathBuf, limit: usize },
    #[error("the image of `docker_env`, `{image}`, is not a valid image name")]
    Image { image: String },
    #[error("`docker_env` cannot have the {what} `{text}`")]
    Docker { what: &'static str, text: String },
    /// The shell, which under MLflow reads the text, would do more with it than is done here.
    #[error("`docker_env.{key}` cannot have `{text}`: {reason}")]
    Expansion {
        key: &'static str,
        text: String,
        reason: Refusal,
    },
    #[error("{} can only be installed by uv, and there is no `uv` on PATH", shown(.lock))]
    LockNeedsUv { lock: PathBuf },
    #[error("there is no environment file {}", shown(.file))]
    NoFile { file: PathBuf },
    /// The environment file is not what it should be.
    #[error(transparent)]
    File(Arc<mlproject::Error>),
    #[error("environments cannot be made in {}: {} cannot be written: {reason}", shown(.root), shown(.folder))]
    Unwritable {
        root: PathBuf,
        folder: PathBuf,
        reason: String,
    },
    #[error("no folder for environments: neither XDG_CACHE_HOME nor HOME is set")]
    NoStore,
}

impl EnvironmentError {
    /// What to type next, if there is something.
    pub fn hint(&self) -> Option<String> {
        const LOCAL: &str = "`--env-manager local` runs the command without an environment";
        const PIP: &str =
            "or write what PyPI has, by its name there, below `pip:`, and take the rest out";
        Some(match self {
            EnvironmentError::File(error) => match &**error {
                mlproject::Error::UnknownKey { key, known, .. } => suggestion(key, known),
                _ => return None,
            },
            EnvironmentError::NoConda { other, only, .. } if only.is_empty() => format!(
                "`--env-manager {other}` needs none and installs from PyPI; or set MLFLOW_CONDA_HOME or CONDA_EXE; {LOCAL}"
            ),
            EnvironmentError::NoConda { only, .. } => format!(
                "install it, or set MLFLOW_CONDA_HOME or CONDA_EXE: {} {} not known to be on PyPI, from which other managers install; {PIP}; {LOCAL}",
                list(only),
                if only.len() == 1 { "is" } else { "are" },
            ),
            EnvironmentError::NoTool {
                manager: Manager::Docker,
                ..
            } => {
                format!("install it; {LOCAL}")
            }
            EnvironmentError::NoTool { .. } => {
                format!("`python3 -m pip install uv` installs uv; {LOCAL}")
            }
            EnvironmentError::NoPython { known, .. } if known.is_empty() => {
                format!("install it by uv or pyenv; {LOCAL}")
            }
            EnvironmentError::NoPython { known, .. } => {
                format!(
                    "install it by uv or pyenv, which have {}; {LOCAL}",
                    names(known)
                )
            }
            EnvironmentError::CondaOnly {
                is_conda_there: true,
                ..
            } => format!("`--env-manager conda` installs them; {PIP}"),
            EnvironmentError::CondaOnly { .. } => format!(
                "install conda, mamba or micromamba, and take `--env-manager conda`; {PIP}; {LOCAL}"
            ),
            EnvironmentError::PythonByConda { .. } => {
                "use `--env-manager virtualenv`, `uv` or `local`".into()
            }
            EnvironmentError::Engine { .. } => {
                format!("start it, or set DOCKER_HOST to where it listens; {LOCAL}")
            }
            EnvironmentError::Offline { .. } => "run once without `--offline`".into(),
            EnvironmentError::NoStore | EnvironmentError::Unwritable { .. } => {
                "name a folder with `--env-root`".into()
            }
            _ => return self.docker_hint(),
        })
    }

    /// What to write in a section `docker_env`.
    fn docker_hint(&self) -> Option<String> {
        Some(match self {
            EnvironmentError::NoDockerEnv => {
                "name one, as in `docker_env: {image: python:3.11}`".into()
            }
            EnvironmentError::Image { .. } => {
                "as docker reads it: `name:tag` or `host/name@sha256:digest`, in small letters"
                    .into()
            }
            EnvironmentError::Docker { what: "volume", .. } => {
                "a volume is `/from:/to`, as for `docker run --volume`".into()
            }
            EnvironmentError::Docker { .. } => {
                "its name should have letters, digits and `_` only, as in `[NAME, value]`".into()
            }
            EnvironmentError::Expansion {
                reason: Refusal::Unset(name),
                ..
            } => format!("set it, or write a default, as in `${{{name}:-/data}}`"),
            EnvironmentError::Expansion {
                reason: Refusal::Variable(_) | Refusal::NotUtf8(_),
                ..
            } => "write the value itself, or set a variable of another name to it".into(),
            EnvironmentError::Expansion { .. } => {
                "as under MLflow, a shell's variables, `~`, `$(pwd)` and quotes count; what stands in single quotes within the text is taken as it is".into()
            }
            _ => return None,
        })
    }
}

fn list(packages: &[CondaOnly]) -> String {
    let packages: Vec<String> = packages.iter().map(CondaOnly::to_string).collect();
    packages.join(", ")
}

fn or(tools: &[String]) -> String {
    let quoted: Vec<String> = tools.iter().map(|tool| format!("`{tool}`")).collect();
    quoted.join(" or ")
}

/// An environment that could not be made, and the steps that needed it.
#[derive(Debug)]
pub struct Failure {
    /// All that needed it, by their names.
    pub steps: Vec<String>,
    /// By which the folder of environments, conda or the engine would know it.
    pub name: String,
    /// Why it could not be made.
    pub error: MakeError,
}

/// Why an environment could not be made.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum MakeError {
    /// The tool's last lines are repeated, for it has said what is wrong.
    #[error("`{command}` {}", describe(*.status))]
    Tool {
        command: String,
        status: ExitStatus,
        last_lines: String,
        log: PathBuf,
    },
    #[error("cannot write to {}", shown(.path))]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot start `{command}`")]
    Start { command: String, source: io::Error },
    #[error("`{command}` succeeded, but it did not create the environment")]
    Lost { command: String },
    /// A signal asked us to stop.
    #[error("stopped")]
    Interrupted,
}
