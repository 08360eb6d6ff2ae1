//! Programs on PATH.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The first executable of that name on PATH, which a name with a `/` does not need.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|program| is_executable(program));
    }
    all(name).next()
}

/// All executables of that name on PATH, in its order.
pub(super) fn all(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let programs = folders.into_iter().map(move |folder| folder.join(name));
    programs.filter(|program| is_executable(program))
}

pub(super) fn is_executable(program: &Path) -> bool {
    std::fs::metadata(program)
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// A variable of ours that is set and not empty.
pub(super) fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
