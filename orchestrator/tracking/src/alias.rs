//! Another name for the folder of a database, where its own has characters that no URI can hold for all.
//!
//! SQLAlchemy up to 2.0 takes the path in a `sqlite:` URI as it is, and from 2.1 on with `%XX` replaced; to both
//! a `?` is its end. With a `%` or `?` in the folder's name the client of a step would open another file,
//! make a folder for it, or wait for what never comes.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A link to a folder, as long as this lives.
#[derive(Debug)]
pub(crate) struct Alias {
    folder: TempDir,
}

/// The link's name below a folder that nobody else has made.
const NAME: &str = "pipeline";

impl Alias {
    /// A link to the folder of a file, if one is needed.
    pub(crate) fn of(file: &Path) -> io::Result<Option<Alias>> {
        let folder = file.parent().unwrap_or(file);
        if is_plain(file) {
            return Ok(None);
        }
        let made = tempfile::Builder::new().prefix("orchestrator-").tempdir()?;
        std::os::unix::fs::symlink(folder, made.path().join(NAME))?;
        let alias = Alias { folder: made };
        if is_plain(&alias.path(file)) {
            return Ok(Some(alias));
        }
        let reason = "so has the name of the file itself, or the temporary folder";
        Err(io::Error::other(reason))
    }

    /// The file by its other name.
    pub(crate) fn path(&self, file: &Path) -> PathBuf {
        let folder = self.folder.path().join(NAME);
        folder.join(file.file_name().unwrap_or_default())
    }
}

fn is_plain(path: &Path) -> bool {
    !path.to_string_lossy().contains(['%', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_other_name() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("50% of what?");
        std::fs::create_dir(&odd).unwrap();
        std::fs::write(odd.join("a.db"), "it").unwrap();
        let alias = Alias::of(&odd.join("a.db")).unwrap().unwrap();
        let path = alias.path(&odd.join("a.db"));
        assert!(is_plain(&path));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "it");
        drop(alias);
        assert!(!path.exists() && odd.exists());
        assert!(Alias::of(Path::new("/x y/é.db")).unwrap().is_none());
        let error = Alias::of(&odd.join("50%.db")).unwrap_err().to_string();
        assert!(error.contains("the name of the file itself"), "{error}");
    }
}
