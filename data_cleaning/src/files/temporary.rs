//! A file that is written before it has its name, and what a killed run leaves of one.
//!
//! A file without any name vanishes with the program. But a link never replaces a file, a rename does:
//! where there is an older file, the new one has a temporary name for a moment, and where the disk knows
//! no files without a name, all the time. That name is made of the file's own, and who has it holds a
//! lock on the file, which ends with the program. So the next run can tell what was left by a killed one,
//! and removes it.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use tempfile::{Builder, NamedTempFile};

const START: &str = ".data_cleaning-";
const END: &str = ".tmp";

/// How often another name is tried where somebody else keeps taking files away.
const ATTEMPTS: usize = 100;

/// Where the bytes are before the file has its name.
pub(super) enum Temporary {
    /// In a file without a name: if the program is killed nothing is left of it.
    Unnamed(File),
    /// Where the system or the disk does not know files without a name.
    Named(NamedTempFile),
}

impl Temporary {
    /// A new file in the folder of the one that it is going to be.
    pub(super) fn create(path: &Path, mode: u32) -> io::Result<Self> {
        remove_left(&temporary(path));
        match unnamed(folder(path), mode) {
            Some(file) => Ok(Self::Unnamed(file)),
            None => named(path, mode).map(Self::Named),
        }
    }

    pub(super) fn file(&mut self) -> &mut File {
        match self {
            Self::Unnamed(file) => file,
            // Past the wrapper, which would name the temporary file in every error.
            Self::Named(file) => file.as_file_mut(),
        }
    }

    /// Gives the file its name, replacing the file that has it.
    pub(super) fn put(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Unnamed(file) => name(&file, path),
            Self::Named(file) => {
                file.persist(path).map_err(|failed| failed.error)?;
                Ok(())
            }
        }
    }
}

/// The folder that a file lies in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The name of the file until it has its own.
fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(START);
    name.push(path.file_name().unwrap_or_default());
    name.push(END);
    folder(path).join(name)
}

/// Removes the file if it was left by a run that is no more.
fn remove_left(temporary: &Path) {
    // Whatever it may be, nothing is followed, and nothing waits.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = open(temporary, flags, Mode::empty()).map(File::from) else {
        return;
    };
    let is_left = file.metadata().is_ok_and(|metadata| metadata.is_file()) && lock(&file);
    if is_left && has_name(&file, temporary) {
        fs::remove_file(temporary).ok();
    }
}

/// Whether this file has that name, which may have become another's before it was locked.
fn has_name(file: &File, path: &Path) -> bool {
    let same = |found: fs::Metadata| {
        let file = file.metadata();
        file.is_ok_and(|file| (file.dev(), file.ino()) == (found.dev(), found.ino()))
    };
    fs::symlink_metadata(path).is_ok_and(same)
}

/// Takes the lock of the file, if nobody has it.
fn lock(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// A new file with a temporary name.
fn named(path: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let temporary = temporary(path);
    for attempt in 0..ATTEMPTS {
        let mut file = match builder(&temporary, attempt, mode).tempfile_in(folder(path)) {
            Ok(file) => file,
            Err(error) if is_taken(&error) => continue,
            Err(error) => return Err(error),
        };
        // On a disk that knows no locks nobody else takes the file away.
        flock(file.as_file(), FlockOperation::LockExclusive).ok();
        if has_name(file.as_file(), file.path()) {
            return Ok(file);
        }
        // The name may be another's by now.
        file.disable_cleanup(true);
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// First the name that is known to the next run; where that is taken or too long, any other.
fn builder(temporary: &Path, attempt: usize, mode: u32) -> Builder<'_, '_> {
    let mut builder = Builder::new();
    builder.permissions(Permissions::from_mode(mode));
    match temporary.file_name() {
        Some(name) if attempt == 0 => builder.prefix(name).rand_bytes(0),
        _ => builder.prefix(START).suffix(END),
    };
    builder
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AlreadyExists | io::ErrorKind::InvalidFilename
    )
}

/// A new file in the folder that has no name, if there can be one that is given a name later.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path, mode: u32) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = open(folder, flags, Mode::from_raw_mode(mode)).ok()?;
    // It is given its name by way of this folder, which a container may lack.
    let file = File::from(file);
    fs::metadata(descriptor(&file)).is_ok().then_some(file)
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &Path, _: u32) -> Option<File> {
    None
}

#[cfg(target_os = "linux")]
fn descriptor(file: &File) -> String {
    use std::os::fd::AsRawFd;

    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Gives a file without a name one, replacing the file that has it.
#[cfg(target_os = "linux")]
fn name(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};

    let link = |path: &Path| -> io::Result<()> {
        let from = descriptor(file);
        Ok(linkat(CWD, from, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    };
    match link(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
        result => return result,
    }
    lock(file);
    let temporary = temporary(path);
    for attempt in 0..ATTEMPTS {
        let made = builder(&temporary, attempt, 0o600).make_in(folder(path), |path| link(path));
        match made {
            Ok(named) => {
                let persisted = named.into_temp_path().persist(path);
                return persisted.map_err(|failed| failed.error);
            }
            Err(error) if is_taken(&error) => (),
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(not(target_os = "linux"))]
fn name(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Writes the file in either way, over an older one.
    fn write(path: &Path, with_name: bool) {
        remove_left(&temporary(path));
        let mut file = if with_name {
            Temporary::Named(named(path, 0o600).unwrap())
        } else {
            Temporary::create(path, 0o600).unwrap()
        };
        file.file().write_all(b"new").unwrap();
        file.put(path).unwrap();
        assert_eq!(fs::read(path).unwrap(), b"new");
    }

    fn names(folder: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_run_left_is_removed_by_the_next_one() {
        for with_name in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            fs::write(folder.path().join(".data_cleaning-file.tmp"), "left").unwrap();
            fs::write(folder.path().join(".data_cleaning-other.tmp"), "left").unwrap();
            fs::write(&path, "old").unwrap();
            write(&path, with_name);
            assert_eq!(names(folder.path()), [".data_cleaning-other.tmp", "file"]);
        }
    }

    #[test]
    fn what_another_run_is_at_stays() {
        for with_name in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let mut other = named(&path, 0o600).unwrap();
            other.write_all(b"other").unwrap();
            fs::write(&path, "old").unwrap();
            write(&path, with_name);
            assert_eq!(names(folder.path()), [".data_cleaning-file.tmp", "file"]);
            other.persist(&path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"other");
        }
    }

    #[test]
    fn what_is_no_file_stays() {
        for with_name in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let important = folder.path().join("important");
            fs::write(&important, "x").unwrap();
            let planted = folder.path().join(".data_cleaning-file.tmp");
            std::os::unix::fs::symlink(&important, &planted).unwrap();
            fs::write(&path, "old").unwrap();
            write(&path, with_name);
            assert_eq!(fs::read(&important).unwrap(), b"x");
            assert_eq!(names(folder.path()).len(), 3);
        }
    }

    #[test]
    fn a_name_may_be_as_long_as_a_disk_allows() {
        for with_name in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("n".repeat(255));
            fs::write(&path, "old").unwrap();
            write(&path, with_name);
            assert_eq!(names(folder.path()).len(), 1);
        }
    }
}
