//! Paths as Python makes them absolute, and as people type them.

use std::path::{Component, Display, Path, PathBuf};

/// The path below a base, without `.` and `..`, as Python's `os.path.abspath` writes it.
pub fn absolute(base: &Path, path: impl AsRef<Path>) -> PathBuf {
    let mut result = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(result.pop()),
            component => result.push(component),
        }
    }
    result
}

/// A path as the user would type it: relative when it lies below the current folder.
pub fn shown(path: &Path) -> Display<'_> {
    let relative = std::env::current_dir()
        .ok()
        .and_then(|cwd| path.strip_prefix(cwd).ok());
    match relative {
        Some(relative) if !relative.as_os_str().is_empty() => relative.display(),
        _ => path.display(),
    }
}
