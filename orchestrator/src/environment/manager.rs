//! The names of the tools that make environments.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// The tool that makes an environment, under MLflow's names; `docker` is ours.
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
