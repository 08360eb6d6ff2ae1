//! What the user has: programs on PATH, variables, a folder for caches.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where programs are looked for when there is no PATH, as by the C library.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The first executable of that name on PATH, which a name with a `/` does not need: that one is given
/// as it is, relative to the current folder.
pub fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|program| is_executable(program));
    }
    all(name).next()
}

/// All executables of that name on PATH, in its order.
///
/// Only in absolute folders: an empty or relative one means the current folder, which may be anybody's.
pub fn all(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.retain(|folder| folder.is_absolute());
    let programs = folders.into_iter().map(move |folder| folder.join(name));
    programs.filter(|program| is_executable(program))
}

/// Whether it is a file, also by a link, that somebody may execute; not whether we may.
pub fn is_executable(program: &Path) -> bool {
    std::fs::metadata(program)
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The longest argument that a program can be started with, in bytes without the NUL at its end, if the
/// system has such a limit besides that for all arguments and variables together; only Linux has.
pub fn longest_argument() -> Option<usize> {
    // MAX_ARG_STRLEN, with the NUL byte that ends it.
    cfg!(target_os = "linux").then(|| 32 * rustix::param::page_size() - 1)
}

/// A variable that is set and not empty.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// `$XDG_CACHE_HOME/orchestrator`, by default `~/.cache/orchestrator`; none when there is no home.
pub fn cache() -> Option<PathBuf> {
    let of_home = || Some(PathBuf::from(variable("HOME")?).join(".cache"));
    let base = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(of_home);
    Some(base?.join("orchestrator"))
}
