//! A file that appears whole or not at all.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tempfile::{Builder, NamedTempFile};

/// A file under a temporary name in the folder of the one it is going to be.
///
/// It takes its place with [`finish`](Self::finish); dropped before, it vanishes and what stood
/// in its place still stands.
pub(crate) struct Target {
    path: PathBuf,
    file: NamedTempFile,
}

impl Target {
    /// Starts the file that is going to be `path`.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let path = resolve(path)?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        ensure!(folder.is_dir(), "there is no folder `{}`", folder.display());
        let file = Builder::new()
            .prefix(".data_cleaning-")
            .suffix(".tmp")
            // Less the umask: what any newly created file has, where a temporary one has 0600.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        Ok(Self { path, file })
    }

    /// Puts the file in its place, after all of it is on the disk.
    pub(crate) fn finish(self) -> Result<()> {
        self.file.as_file().sync_all()?;
        self.file
            .persist(&self.path)
            .map_err(|failed| failed.error)?;
        Ok(())
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Past the wrapper, which would name the temporary file in every error.
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// Follows a symbolic link, so that the file behind it is replaced and not the link, and refuses
/// what a rename would destroy, such as `/dev/null`.
fn resolve(path: &Path) -> Result<PathBuf> {
    let Ok(metadata) = fs::metadata(path) else {
        ensure!(
            !path.as_os_str().as_bytes().ends_with(b"/"),
            "there is no such folder"
        );
        return Ok(path.to_owned());
    };
    ensure!(
        !metadata.is_dir(),
        "it is a folder, expected the name of a file"
    );
    ensure!(metadata.is_file(), "it is not a regular file");
    Ok(fs::canonicalize(path)?)
}
