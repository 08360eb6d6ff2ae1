//! The files that say what is in an environment, read within limits: they come with the project.

use std::path::Path;

use super::EnvironmentError;
use mlproject::file::read_regular;

/// The longest environment or requirements file, in bytes.
pub(crate) const LIMIT: u64 = 1 << 20;
/// The longest lock file, which names every package with its hashes.
pub(crate) const LOCK_LIMIT: u64 = 1 << 24;

/// Reads a file whole.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, EnvironmentError> {
    read_regular(path, limit).map_err(|error| EnvironmentError::Unreadable {
        file: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Reads a file whole, if there is one.
pub(crate) fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, EnvironmentError> {
    match path.try_exists() {
        Ok(false) => Ok(None),
        _ => read(path, limit).map(Some),
    }
}
