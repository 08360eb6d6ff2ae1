//! The names of the places where steps run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where steps run, under `mlflow run`'s names for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// This machine.
    #[default]
    Local,
    /// A cluster: each step is a job of Slurm.
    Slurm,
}

impl Backend {
    /// All of them.
    pub const ALL: [Backend; 2] = [Backend::Local, Backend::Slurm];

    /// The name by which it is chosen.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Local => "local",
            Backend::Slurm => "slurm",
        }
    }
}

/// A name that no backend has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected local or slurm")]
pub struct UnknownBackend;

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        let known = Backend::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or(UnknownBackend)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
