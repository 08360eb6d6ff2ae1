//! What of a folder that others use as well may be removed: only what the calling user owns, down to the
//! last file, and what does not reach into another file system. Nothing is ever reached through a link.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// Why something stays that was to be removed. The text goes on after its name.
#[derive(Debug, thiserror::Error)]
pub enum Left {
    #[error("is not named as one of our environments")]
    Name,
    #[error("is not a folder")]
    NotAFolder,
    #[error("belongs to another user")]
    Owner,
    #[error("holds `{}`, which belongs to another user", .0.display())]
    OwnerWithin(PathBuf),
    #[error("holds `{}`, where another file system is mounted", .0.display())]
    Mount(PathBuf),
    #[error("has no record that says that it was made here")]
    NoRecord,
    #[error("has a record that is not to be trusted: {0}")]
    Record(String),
    #[error("is not listed by conda")]
    NotListed,
    #[error("is kept by conda, and there is none on PATH")]
    NoConda,
    /// Removing was tried.
    #[error("cannot be removed: {0}")]
    Failed(io::Error),
}

impl From<Left> for io::Error {
    fn from(left: Left) -> io::Error {
        match left {
            Left::Failed(error) => error,
            left => io::Error::new(io::ErrorKind::PermissionDenied, format!("it {left}")),
        }
    }
}

pub(crate) fn is_mine(data: &Metadata) -> bool {
    data.uid() == rustix::process::geteuid().as_raw()
}

/// Opens a regular file to be read; not through a link, and without waiting for who writes to a pipe.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| match error {
        rustix::io::Errno::LOOP => io::Error::other("it is a link"),
        error => error.into(),
    })?);
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is not a regular file"))
}

/// Takes a file of ours, or a link of ours but not what it names. That it is not there is no error.
pub(crate) fn remove_file(path: &Path) -> Result<(), Left> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Left::Failed(error)),
        Ok(data) if !is_mine(&data) => Err(Left::Owner),
        Ok(_) => ignore_missing(std::fs::remove_file(path)).map_err(Left::Failed),
    }
}

/// Whether a folder is ours with all that is in it.
pub(crate) fn check_folder(folder: &Path) -> Result<(), Left> {
    let data = folder.symlink_metadata().map_err(Left::Failed)?;
    if !data.is_dir() {
        return Err(Left::NotAFolder);
    }
    if !is_mine(&data) {
        return Err(Left::Owner);
    }
    if is_mounted(folder) {
        return Err(Left::Mount(folder.to_owned()));
    }
    check_within(folder, data.dev())
}

fn check_within(folder: &Path, device: u64) -> Result<(), Left> {
    for entry in std::fs::read_dir(folder).map_err(Left::Failed)? {
        let entry = entry.map_err(Left::Failed)?;
        // Of a link, not of what it names.
        let data = entry.metadata().map_err(Left::Failed)?;
        if !is_mine(&data) {
            return Err(Left::OwnerWithin(entry.path()));
        }
        if data.is_dir() {
            let path = entry.path();
            if data.dev() != device || is_mounted(&path) {
                return Err(Left::Mount(path));
            }
            check_within(&path, device)?;
        }
    }
    Ok(())
}

/// Whether a folder is where something is mounted, also a part of the same file system.
#[cfg(target_os = "linux")]
fn is_mounted(folder: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    // Kernels before 5.8 do not tell; there only another device is noticed.
    statx(CWD, folder, flags, StatxFlags::empty())
        .is_ok_and(|data| data.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Elsewhere what is mounted has a device of its own.
#[cfg(not(target_os = "linux"))]
fn is_mounted(_: &Path) -> bool {
    false
}

pub(crate) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_folder_of_ours_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("real");
        std::fs::create_dir_all(path.join("bin")).unwrap();
        // What a link within names is nobody's business.
        std::os::unix::fs::symlink("/", path.join("bin/root")).unwrap();
        check_folder(&path).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(check_folder(&link), Err(Left::NotAFolder)));
        assert!(matches!(
            check_folder(&folder.path().join("none")),
            Err(Left::Failed(_))
        ));
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(check_folder(&file), Err(Left::NotAFolder)));
    }

    #[test]
    fn a_link_is_taken_and_not_what_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let (link, precious) = (folder.path().join("link"), folder.path().join("precious"));
        std::fs::write(&precious, "mine").unwrap();
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        assert_eq!(open(&link).unwrap_err().to_string(), "it is a link");
        remove_file(&link).unwrap();
        remove_file(&link).unwrap();
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "mine");
        assert!(matches!(remove_file(folder.path()), Err(Left::Failed(_))));
    }
}
