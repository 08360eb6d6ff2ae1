//! A file that appears whole or not at all.

use std::fs::{self, File, Metadata};
use std::io::{self, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::files::access;
use crate::files::is_standard;
use crate::files::temporary::{Temporary, folder};

/// The bytes that are collected before they are written. Longer pieces are written at once.
const BUFFER: usize = 256 << 10;
const LONG: usize = 64 << 10;

/// A file without its name in the folder of the one it is going to be.
///
/// It takes its place with [`finish`](Self::finish); dropped before, it vanishes and what stood
/// in its place still stands.
pub struct Target {
    path: PathBuf,
    place: Place,
    /// The file that stands in its place.
    older: Option<Metadata>,
    buffer: Vec<u8>,
    /// The bytes that have been written, before those in the buffer.
    written: u64,
    /// The number of the error that writing ended with, if it did.
    failed: Option<i32>,
}

/// Where the bytes go.
enum Place {
    File(Temporary),
    /// Standard output, which takes the bytes as they come.
    Standard(File),
}

impl Target {
    /// Starts the file that is going to be `path`.
    pub fn create(path: &Path) -> Result<Self> {
        if is_standard(path) {
            let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            return Ok(Self::new(path.to_owned(), Place::Standard(file), None));
        }
        let path = resolve(path)?;
        let folder = folder(&path);
        ensure!(folder.is_dir(), "there is no folder `{}`", folder.display());
        let older = fs::symlink_metadata(&path).ok();
        // Less the umask; what replaces a file may become more readable only in the end.
        let mode = if older.is_some() { 0o600 } else { 0o666 };
        let file = Temporary::create(&path, mode)?;
        Ok(Self::new(path, Place::File(file), older))
    }

    fn new(path: PathBuf, place: Place, older: Option<Metadata>) -> Self {
        Self {
            path,
            place,
            older,
            buffer: Vec::with_capacity(BUFFER),
            written: 0,
            failed: None,
        }
    }

    /// Whether it can be [started again](Self::restart).
    pub fn can_restart(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// Forgets all that was written.
    pub fn restart(&mut self) -> Result<()> {
        self.buffer.clear();
        self.written = 0;
        self.file().rewind()?;
        Ok(self.file().set_len(0)?)
    }

    /// Makes the file last even if the power fails, which takes its time.
    ///
    /// Only worth it if it replaces what it was made of: else it can be made again.
    pub fn sync(&mut self) -> Result<()> {
        self.flush()?;
        Ok(self.file().sync_all()?)
    }

    /// Puts the file in its place.
    pub fn finish(mut self) -> Result<u64> {
        self.flush()?;
        let size = self.written;
        if !self.can_restart() {
            return Ok(size);
        }
        let older = fs::symlink_metadata(&self.path).ok();
        if let Some(older) = older.filter(Metadata::is_file).or(self.older.take()) {
            access::take_over(self.file(), &older)?;
        }
        if let Place::File(file) = self.place {
            file.put(&self.path)?;
        }
        Ok(size)
    }

    /// Why writing failed, in the words of the system.
    pub fn error(&self) -> Option<io::Error> {
        self.failed.map(io::Error::from_raw_os_error)
    }

    /// Whether this is the file that is going to be replaced.
    pub fn replaces(&self, file: &Metadata) -> bool {
        let same = |old: Metadata| (old.dev(), old.ino()) == (file.dev(), file.ino());
        self.can_restart() && fs::metadata(&self.path).is_ok_and(same)
    }

    fn write_out(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file().write_all(bytes).inspect_err(|error| {
            self.failed = error.raw_os_error();
        })?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn file(&mut self) -> &mut File {
        match &mut self.place {
            Place::File(file) => file.file(),
            Place::Standard(file) => file,
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let long = bytes.len() >= LONG;
        if long || self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if long {
            self.write_out(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        self.write_out(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }
}

/// Follows a symbolic link, so that the file behind it is replaced and not the link, and refuses
/// what a rename would destroy, such as `/dev/null`.
fn resolve(path: &Path) -> Result<PathBuf> {
    ensure!(
        !is_descriptor(path),
        "it stands for a file that is open already, expected the name of a file, or `-` for standard \
         output"
    );
    let Ok(metadata) = fs::metadata(path) else {
        ensure!(
            !path.as_os_str().as_bytes().ends_with(b"/"),
            "there is no such folder"
        );
        ensure!(
            !path.is_symlink(),
            "it is a symbolic link to a file that does not exist"
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

/// Whether the path leads to a descriptor of some process, as `/dev/stdout` does: the file behind it
/// would be replaced for all but those that have it open.
fn is_descriptor(path: &Path) -> bool {
    const LINKS: usize = 40;

    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(folder) = fs::canonicalize(folder(&path)) else {
            return false;
        };
        if folder.starts_with("/proc") && folder.ends_with("fd") || folder == Path::new("/dev/fd") {
            return true;
        }
        match fs::read_link(&path) {
            Ok(link) => path = folder.join(link),
            Err(_) => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_a_restart_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for older in [false, true] {
            let mut target = Target::create(&path).unwrap();
            target.write_all(&vec![b'x'; LONG + 1]).unwrap();
            target.write_all(b"more").unwrap();
            target.restart().unwrap();
            target.write_all(b"end").unwrap();
            assert_eq!(path.exists(), older);
            assert_eq!(target.finish().unwrap(), 3);
            assert_eq!(fs::read(&path).unwrap(), b"end");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut target = Target::create(&folder.path().join("file")).unwrap();
        target.write_all(&vec![b'x'; 2 * BUFFER]).unwrap();
        drop(target);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
