//! The names of the experiments, for completion.

use std::path::Path;

use super::settings::{Place, Settings};
use super::sqlite::Sqlite;
use crate::Options;

/// The names of the experiments in the database of the pipeline in a folder, or of the one that is named.
///
/// Nothing is written and no server is asked. Where they cannot be read there are none: who presses Tab
/// wants no error.
pub fn experiments(options: &Options, root: &Path, caller: &Path) -> Vec<String> {
    let place = Settings::new(options, root, caller).ok();
    let Some(Place::Database(database)) = place.and_then(|settings| settings.place) else {
        return Vec::new();
    };
    let store = Sqlite::look(&database.path, root).ok().flatten();
    let names = store.and_then(|mut store| store.experiments().ok());
    names.unwrap_or_default()
}
