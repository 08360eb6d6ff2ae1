//! The environment in which a step's command runs.

use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

/// The tool that makes an environment, under MLflow's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Manager {
    Local,
    Conda,
    Virtualenv,
    Uv,
    Docker,
}

impl fmt::Display for Manager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Manager::Local => "local",
            Manager::Conda => "conda",
            Manager::Virtualenv => "virtualenv",
            Manager::Uv => "uv",
            Manager::Docker => "docker",
        })
    }
}

/// What a step's environment is made by, and from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Environment {
    pub(crate) manager: Manager,
    /// The project's environment file, also when the manager does not use it.
    pub(crate) file: Option<PathBuf>,
}
