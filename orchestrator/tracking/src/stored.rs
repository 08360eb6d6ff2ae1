//! What a store says: the experiments and runs that it knows, and why it takes no record.

use std::path::{Path, PathBuf};

use mlproject::paths::absolute;
use serde::{Deserialize, Serialize};

/// Why a store did not take a record.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It may take it later.
    #[error("{0}")]
    Unavailable(String),
    /// It has not answered, and may have taken it.
    #[error("{0}")]
    NoAnswer(String),
    /// Another process has locked the database.
    #[error("the database is locked by another process")]
    Locked,
    /// A record of a run that it does not know: the run's own start was refused, which was told.
    #[error("it does not know the run")]
    UnknownRun,
    /// It will never take it.
    #[error("{0}")]
    Refused(String),
    /// The artifacts are in a cloud, which needs a client that we do not have.
    #[error("logs cannot be sent to artifacts at `{scheme}:`; this one stays at {}", file.display())]
    LogStays { scheme: String, file: PathBuf },
    /// The id is named by an option or variable, and nobody made it.
    #[error("there is no experiment with id `{0}`")]
    NoExperiment(String),
    /// MLflow keeps what is deleted, and takes no runs for it.
    #[error("experiment `{name}` (id {id}) is deleted")]
    DeletedExperiment { id: String, name: String },
    /// The run in which we are started.
    #[error("there is no run `{0}`, which MLFLOW_RUN_ID names")]
    NoRun(String),
    /// The run in which we are started, of which MLflow would show nothing.
    #[error("run `{0}`, which MLFLOW_RUN_ID names, is deleted")]
    DeletedRun(String),
    /// The file is sqlite's, and has none of MLflow's tables.
    #[error("`{}` is a database, but none of MLflow", .0.display())]
    NotMlflow(PathBuf),
    /// It was made by a version of MLflow whose tables are other ones.
    #[error("`{}` is no MLflow database that we know: column {column} {problem}", path.display())]
    Schema {
        path: PathBuf,
        column: String,
        problem: &'static str,
    },
}

impl StoreError {
    /// Whether it may take later what it does not take now.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            StoreError::Unavailable(_) | StoreError::NoAnswer(_) | StoreError::Locked
        )
    }
}

/// The experiment of a run.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub id: String,
    pub is_new: bool,
}

/// A run that the store knows: its id there, and where its artifacts are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Known {
    pub id: String,
    pub artifacts: String,
    /// The id of its experiment, if a server has said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
}

impl Known {
    pub(crate) fn new(id: String, artifacts: String) -> Known {
        Known {
            id,
            artifacts,
            experiment: None,
        }
    }
}

/// A run as other programs know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRun {
    /// Its id in the store.
    pub id: String,
    /// Where its artifacts are; a folder of this machine that the store names relatively is absolute.
    pub artifact_uri: String,
}

impl StoredRun {
    /// `root` is the pipeline's folder.
    pub(crate) fn new(known: &Known, root: &Path) -> StoredRun {
        let uri = &known.artifacts;
        StoredRun {
            id: known.id.clone(),
            artifact_uri: if uri.contains(':') {
                uri.clone()
            } else {
                absolute(root, uri).to_string_lossy().into_owned()
            },
        }
    }
}
