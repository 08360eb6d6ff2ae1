//! Why a step has no project, and why steps cannot be selected.

use std::path::PathBuf;

use mlproject::Place;
use mlproject::paths::shown;

use crate::request::StepsError;
use process::text::{names, suggestion};
use source::SourceError;

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

/// Why the steps to run are not known.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SelectionError {
    #[error(
        "nothing says which steps are `all`: the MLproject has no section `steps:` with default steps"
    )]
    NoSteps { known: Vec<String>, place: Place },
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
}

impl SelectionError {
    /// Where the cause is written.
    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            SelectionError::NoSteps { place, .. } | SelectionError::Default { place, .. } => {
                Some(place)
            }
            SelectionError::Unknown { .. }
            | SelectionError::NotSelected { .. }
            | SelectionError::NothingLeft
            | SelectionError::Itself { .. } => None,
        }
    }

    /// What to type or look for next.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            SelectionError::NoSteps { known, .. } => {
                format!("name them, for instance `--steps {}`", known.join(","))
            }
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
            SelectionError::Default { .. } | SelectionError::Itself { .. } => return None,
        })
    }
}
