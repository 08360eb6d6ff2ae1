//! Paths through the links of what exists.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Resolves paths, and remembers the folders: the files of a pipeline lie in few of them.
#[derive(Debug, Default)]
pub(super) struct Links(RefCell<HashMap<PathBuf, PathBuf>>);

impl Links {
    /// An absolute path with its links followed as far as it exists.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        let is_link = || {
            path.symlink_metadata()
                .is_ok_and(|found| found.is_symlink())
        };
        if is_link()
            && let Ok(real) = path.canonicalize()
        {
            return real;
        }
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => self.folder(parent).join(name),
            _ => path.to_owned(),
        }
    }

    fn folder(&self, folder: &Path) -> PathBuf {
        if let Some(known) = self.0.borrow().get(folder) {
            return known.clone();
        }
        let real = folder
            .canonicalize()
            .unwrap_or_else(|_| self.resolve(folder));
        self.0.borrow_mut().insert(folder.to_owned(), real.clone());
        real
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_as_far_as_they_lead() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        std::fs::create_dir(at("real")).unwrap();
        std::fs::write(at("real/file"), "").unwrap();
        symlink("real", at("folder")).unwrap();
        symlink("real/file", at("link")).unwrap();
        symlink("nowhere", at("dead")).unwrap();
        let links = Links::default();
        for (path, real) in [
            ("real/file", "real/file"),
            ("folder/file", "real/file"),
            ("folder/new/file", "real/new/file"),
            ("link", "real/file"),
            ("folder", "real"),
            ("dead", "dead"),
            ("new", "new"),
        ] {
            assert_eq!(links.resolve(&at(path)), at(real), "{path}");
        }
    }
}
