//! Why a step has no project.

use std::path::PathBuf;

use mlproject::paths::shown;

use crate::source::SourceError;
use crate::text::suggestion;

/// Why a project cannot be used, whatever it is asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectError {
    #[error("no MLproject file in `{}`", shown(.0))]
    Missing(PathBuf),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    File(#[from] mlproject::Error),
}

impl ProjectError {
    /// What to type or look for next.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            ProjectError::Missing(_) => {
                Some("run in a pipeline's folder, or name it with `-C DIR`".into())
            }
            ProjectError::File(mlproject::Error::UnknownKey { key, known, .. }) => {
                Some(suggestion(key, known))
            }
            _ => None,
        }
    }
}
