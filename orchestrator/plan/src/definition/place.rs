//! Where a pipeline is, or why there is none.

use std::path::{Path, PathBuf};

use mlproject::Project;
use mlproject::paths::shown;

use super::error::ProjectError;

/// Why a folder, which was named as `typed`, has no pipeline.
pub(super) fn without_project(root: &Path, typed: &Path) -> ProjectError {
    no_folder(root, typed).unwrap_or_else(|| ProjectError::NoPipeline {
        folder: match typed.to_str() {
            Some(".") => shown(root).to_string().into(),
            _ => typed.to_owned(),
        },
        above: above(root, typed),
        typed: typed.to_owned(),
    })
}

/// Why what was named as `typed` is no folder at all, if so.
pub fn no_folder(root: &Path, typed: &Path) -> Option<ProjectError> {
    let exists = match root.metadata() {
        Ok(found) if found.is_dir() => return None,
        found => found.is_ok(),
    };
    let folder = typed.to_owned();
    Some(ProjectError::NoFolder { folder, exists })
}

/// The nearest pipeline above a folder, as it can be typed there: the first with steps, else the first.
fn above(root: &Path, typed: &Path) -> Option<PathBuf> {
    let mut path = match typed.to_str() {
        Some(".") => PathBuf::new(),
        _ => typed.to_owned(),
    };
    let mut nearest = None;
    for folder in root.ancestors().skip(1) {
        path.push("..");
        match Project::load(folder) {
            Ok(None) => {}
            Ok(Some(project)) if project.steps.is_some() => return Some(path),
            Ok(Some(_)) | Err(_) => nearest = nearest.or_else(|| Some(path.clone())),
        }
    }
    nearest
}
