//! The steps of a pipeline without a program that says them: its folders with an MLproject.

use std::path::Path;

use mlproject::Project;

use crate::config::below;

/// Where the folders of steps are looked for, below the pipeline's folder.
pub(crate) const PLACES: [&str; 3] = ["", "src", "components"];

/// How many folders are looked at.
const MAX_FOLDERS: usize = 10_000;

/// The names of the folders with an MLproject, in alphabetical order.
pub(crate) fn step_names(root: &Path) -> Vec<String> {
    let entries = PLACES
        .iter()
        .filter_map(|place| std::fs::read_dir(root.join(place)).ok())
        .flat_map(|entries| entries.take(MAX_FOLDERS));
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && has_project(root, name))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn has_project(root: &Path, name: &str) -> bool {
    let mut places = PLACES.iter().map(|place| root.join(below(place, name)));
    places.any(|folder| !matches!(Project::load(&folder), Ok(None)))
}
