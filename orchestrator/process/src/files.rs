//! Opens files in folders that somebody else may have filled: through no link, regular ones only, and
//! without waiting for a FIFO's other end. `mlproject::file` opens what may be reached by a link.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

/// What every file here is opened with.
const CAREFUL: OFlags = OFlags::NONBLOCK
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Opens a regular file `below` a folder to be read, through no link but the first part of `below`:
/// a user may have `mlruns` on another disk.
///
/// `below` is relative, has no `..` and names a folder before the file; anything else is an error.
pub fn open_below(folder: &Path, below: &Path) -> io::Result<File> {
    let (parent, name) = parent_below(folder, below)?;
    open_in(&parent, Path::new(name), OFlags::RDONLY)
}

/// Opens the folder of a file `below` a folder, as [`open_below`] does; and the file's name.
fn parent_below<'a>(folder: &Path, below: &'a Path) -> io::Result<(OwnedFd, &'a std::ffi::OsStr)> {
    let outside = || io::Error::other(format!("`{}` leads elsewhere", below.display()));
    let parts = below.components().map(|part| match part {
        Component::Normal(part) => Ok(part),
        _ => Err(outside()),
    });
    let parts: Vec<_> = parts.collect::<io::Result<_>>()?;
    let (name, folders) = parts.split_last().ok_or_else(outside)?;
    let [first, rest @ ..] = folders else {
        return Err(outside());
    };
    let mut parent = open_folder(&folder.join(first))?;
    for part in rest {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        parent = told(rustix::fs::openat(&parent, *part, flags, Mode::empty()))?;
    }
    Ok((parent, name))
}

/// Opens a folder; links to it are followed. Anything else of that name is an error.
pub fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

/// Opens the folder `name` in another one; a link is an error.
pub fn open_folder_in(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    told(rustix::fs::openat(parent, name, flags, Mode::empty()))
}

/// Opens the regular file `name` in a folder with the flags of `open(2)`; a link is an error, and so is
/// what is no regular file. A new one is for its owner to write and for all to read, less the umask.
pub fn open_in(folder: &OwnedFd, name: &Path, flags: OFlags) -> io::Result<File> {
    let mode = Mode::from_raw_mode(0o644);
    let flags = flags | OFlags::NOFOLLOW | CAREFUL;
    regular(told(rustix::fs::openat(folder, name, flags, mode))?)
}

/// Removes a file, or the link that has its name, in a folder; errs when there is none.
pub fn remove_in(folder: &OwnedFd, name: &str) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(folder, name, AtFlags::empty())?)
}

fn regular(file: OwnedFd) -> io::Result<File> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    match kind {
        FileType::RegularFile => Ok(file.into()),
        FileType::Directory => Err(io::Error::other("it is a folder")),
        _ => Err(io::Error::other("it is not a regular file")),
    }
}

/// The system's words for a link that was not followed help nobody.
fn told<T>(opened: rustix::io::Result<T>) -> io::Result<T> {
    opened.map_err(|error| match error {
        Errno::NOTDIR => io::Error::other("it is a link, or no folder"),
        Errno::ISDIR => io::Error::other("it is a folder"),
        Errno::LOOP => io::Error::other("it is a link"),
        // What a FIFO says to one who wants to write and whom nobody reads.
        Errno::NXIO => io::Error::other("it is not a regular file"),
        error => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_are_opened_and_nothing_waits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "text").unwrap();
        symlink("file", at("link")).unwrap();
        rustix::fs::mknodat(
            CWD,
            at("fifo"),
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let opened = open_folder(folder.path()).unwrap();
        for flags in [OFlags::RDONLY, OFlags::WRONLY, OFlags::RDWR] {
            let reason = |name| {
                open_in(&opened, Path::new(name), flags)
                    .unwrap_err()
                    .to_string()
            };
            assert_eq!(reason("fifo"), "it is not a regular file");
            assert_eq!(reason("link"), "it is a link");
        }
    }

    #[test]
    fn what_is_below_is_reached_through_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("real/in")).unwrap();
        fs::write(at("real/in/x.log"), "text").unwrap();
        fs::write(at("secret.log"), "secret").unwrap();
        symlink("real", at("mlruns")).unwrap();
        symlink("in", at("real/link")).unwrap();
        symlink("../../secret.log", at("real/in/y.log")).unwrap();
        let open = |below: &str| open_below(folder.path(), Path::new(below));
        assert!(open("mlruns/in/x.log").is_ok());
        for below in [
            "mlruns/link/x.log",
            "mlruns/in/y.log",
            "mlruns/in/../../secret.log",
            "secret.log",
            "/etc/passwd",
            "mlruns/in",
            "",
        ] {
            assert!(open(below).is_err(), "{below}");
        }
    }
}
