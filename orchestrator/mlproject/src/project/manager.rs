//! The names of the tools that make environments.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The tool that makes an environment, under MLflow's names; `docker` is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    /// None: the caller's own environment.
    Local,
    /// conda, mamba or micromamba.
    Conda,
    /// A virtual environment with pip in it.
    Virtualenv,
    /// A virtual environment by uv.
    Uv,
    /// A container, by docker or podman.
    Docker,
}

impl Manager {
    /// All of them.
    pub const ALL: [Manager; 5] = [
        Manager::Local,
        Manager::Conda,
        Manager::Virtualenv,
        Manager::Uv,
        Manager::Docker,
    ];

    /// The name by which it is chosen.
    pub fn name(self) -> &'static str {
        match self {
            Manager::Local => "local",
            Manager::Conda => "conda",
            Manager::Virtualenv => "virtualenv",
            Manager::Uv => "uv",
            Manager::Docker => "docker",
        }
    }
}

/// A name that no manager has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected local, conda, virtualenv, uv or docker")]
pub struct UnknownManager;

impl FromStr for Manager {
    type Err = UnknownManager;

    fn from_str(name: &str) -> Result<Self, UnknownManager> {
        let known = Manager::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or(UnknownManager)
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
