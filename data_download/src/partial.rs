//! The file under construction, and how it becomes the output.
//!
//! It lies beside the output under a name of its own, `NAME.XXXXXX.partial`, so that putting it
//! into place is one rename: at every moment the output is the old file or the whole new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::{Builder, NamedTempFile};

/// A file that becomes the output by [`Partial::put_into_place`], and else is removed.
pub(crate) struct Partial {
    file: NamedTempFile,
    folder: File,
    target: PathBuf,
}

impl Partial {
    /// Creates an empty file in the folder of `output`.
    pub(crate) fn create(output: &Path) -> Result<Partial> {
        let target = target(output)?;
        let folder = match target.parent() {
            Some(parent) if parent != "" => parent,
            _ => Path::new("."),
        };
        let cannot_create = || format!("cannot create a file in folder `{}`", folder.display());

        let name = target.file_name().expect("a path without one was refused");
        let mut prefix = name.to_owned();
        prefix.push(".");
        let file = Builder::new()
            .prefix(&prefix)
            .suffix(".partial")
            // Made as any new file is: the umask decides who may read it, not the owner alone.
            .make_in(folder, |path| File::create_new(path))
            .with_context(cannot_create)?;
        let folder = File::open(folder).with_context(cannot_create)?;
        Ok(Partial {
            file,
            folder,
            target,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Appends `bytes`.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let file = self.file.as_file_mut();
        file.write_all(bytes)
            .with_context(|| cannot_write(&self.target))
    }

    /// Makes the bytes durable, then the name: after a power failure a new name must not stand
    /// for missing bytes.
    pub(crate) fn put_into_place(self) -> Result<()> {
        let Partial {
            file,
            folder,
            target,
        } = self;
        let cannot_write = || cannot_write(&target);
        file.as_file().sync_all().with_context(cannot_write)?;
        file.persist(&target)
            .map_err(|unplaced| unplaced.error)
            .with_context(cannot_write)?;
        match folder.sync_all() {
            // Some file systems, mostly remote ones, cannot do this for a folder.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced.with_context(cannot_write),
        }
    }
}

fn cannot_write(target: &Path) -> String {
    format!("cannot write `{}`", target.display())
}

/// The path to rename to. A link is followed, so that it stays one; a device or pipe is refused,
/// as the rename would replace it by a file.
fn target(output: &Path) -> Result<PathBuf> {
    let shown = output.display();
    let names_a_folder = output.file_name().is_none() || shown.to_string().ends_with('/');
    ensure!(
        !names_a_folder && !output.is_dir(),
        "output `{shown}` is a folder, expected the name of a file"
    );
    let exists = output.exists();
    ensure!(
        !exists || output.is_file(),
        "output `{shown}` is not a regular file"
    );
    if exists && output.is_symlink() {
        fs::canonicalize(output).with_context(|| format!("cannot follow the link `{shown}`"))
    } else {
        Ok(output.to_owned())
    }
}
