//! Opens files in folders that somebody else may have filled: through no link, regular ones only, and
//! without waiting for a FIFO's other end. `mlproject::file` opens what may be reached by a link.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags};
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

/// Whether a folder could be made, with files in it, as far as the rights to the nearest one above it that
/// is there say. Errs with that one, and why not.
pub fn may_make(folder: &Path) -> Result<(), (PathBuf, io::Error)> {
    let is_there = |folder: &&Path| folder.symlink_metadata().is_ok();
    let Some(nearest) = folder.ancestors().find(is_there) else {
        return Ok(());
    };
    let refused = |error| (nearest.to_owned(), error);
    if !nearest.is_dir() {
        return Err(refused(io::ErrorKind::NotADirectory.into()));
    }
    let granted = rustix::fs::access(nearest, Access::WRITE_OK | Access::EXEC_OK);
    granted.map_err(|error| refused(error.into()))
}

/// Opens the folder `name` in another one; a link is an error.
pub fn open_folder_in(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    told(rustix::fs::openat(parent, name, flags, Mode::empty()))
}

/// Makes the folder `name` in another one unless it is there, and opens it; a link is an error.
pub fn make_folder_in(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => open_folder_in(parent, name),
        Err(error) => Err(error.into()),
    }
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

/// Makes the file `name` in a folder; errs when there is something of that name, be it a broken link.
pub fn create_in(folder: &OwnedFd, name: &Path, text: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let written = open_in(folder, name, flags)?.write_all(text);
    if written.is_err() {
        // Half a file says something else.
        rustix::fs::unlinkat(folder, name, AtFlags::empty()).ok();
    }
    written
}

/// Writes a file, in place of one that may be there, as a whole or not at all. Its folder is made if need
/// be; errs when something else than a file has its name, such as a device.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent)?;
    let (name, folder) = (path.file_name().unwrap_or_default(), open_folder(parent)?);
    match open_in(&folder, Path::new(name), OFlags::RDONLY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        there => drop(there?),
    }
    let mut draft = name.to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = Path::new(&draft);
    // One of a process of this number that was killed.
    rustix::fs::unlinkat(&folder, draft, AtFlags::empty()).ok();
    create_in(&folder, draft, text)?;
    let renamed = rustix::fs::renameat(&folder, draft, &folder, name);
    if renamed.is_err() {
        rustix::fs::unlinkat(&folder, draft, AtFlags::empty()).ok();
    }
    Ok(renamed?)
}

/// Replaces the file `name` in a folder as a whole, and keeps its mode. A link is an error, and so is a
/// file that does not hold `old` any more.
pub fn replace_in(folder: &OwnedFd, name: &Path, old: &[u8], new: &[u8]) -> io::Result<()> {
    let open = || open_in(folder, name, OFlags::RDONLY);
    let mode = open()?.metadata()?.permissions();
    let other = Path::new(name).with_extension(format!("{}.new", std::process::id()));
    create_in(folder, &other, new)?;
    let replace = || {
        let file = open_in(folder, &other, OFlags::RDONLY)?;
        file.set_permissions(mode)?;
        file.sync_all()?;
        let mut now = Vec::new();
        // One byte more tells that it has grown.
        let limit = old.len() as u64 + 1;
        open()?.take(limit).read_to_end(&mut now)?;
        if now != old {
            return Err(io::Error::other("it has changed meanwhile"));
        }
        Ok(rustix::fs::renameat(folder, &other, folder, name)?)
    };
    let written = replace();
    if written.is_err() {
        rustix::fs::unlinkat(folder, &other, AtFlags::empty()).ok();
    }
    written
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

/// Whether a folder is on a disk of this machine, as far as that is known: what others write there is seen
/// at once.
///
/// The names are those of statfs(2): ext2 to ext4, xfs, btrfs, f2fs, zfs, tmpfs and overlayfs.
#[cfg(target_os = "linux")]
pub fn is_on_local_disk(folder: &Path) -> bool {
    const LOCAL: [u32; 7] = [
        0xEF53,
        0x5846_5342,
        0x9123_683E,
        0xF2F5_2010,
        0x2FC1_2FC1,
        0x0102_1994,
        0x794C_7630,
    ];
    // The type of the number is another one on each kind of machine.
    let kind = |found: rustix::fs::StatFs| u32::try_from(i128::from(found.f_type) & 0xFFFF_FFFF);
    rustix::fs::statfs(folder)
        .is_ok_and(|found| kind(found).is_ok_and(|kind| LOCAL.contains(&kind)))
}

/// Whether a folder is on a disk of this machine: that is not known here.
#[cfg(not(target_os = "linux"))]
pub fn is_on_local_disk(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

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
    fn a_file_is_replaced_only_if_it_is_one_and_holds_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let opened = open_folder(folder.path()).unwrap();
        let replace = |name: &str, old: &[u8]| replace_in(&opened, Path::new(name), old, b"new");
        fs::write(at("file"), "old").unwrap();
        fs::set_permissions(at("file"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("file", at("link")).unwrap();
        symlink("nowhere", at("broken")).unwrap();
        for (name, old, reason) in [
            ("link", "old", "it is a link"),
            ("file", "olds", "it has changed meanwhile"),
            ("file", "ol", "it has changed meanwhile"),
        ] {
            let error = replace(name, old.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), reason, "{name} {old}");
            assert_eq!(fs::read(at("file")).unwrap(), b"old");
        }
        replace("file", b"old").unwrap();
        assert_eq!(fs::read(at("file")).unwrap(), b"new");
        let mode = at("file").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
        for there in ["file", "link", "broken"] {
            let error = create_in(&opened, Path::new(there), b"x").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{there}");
        }
        create_in(&opened, Path::new("made"), b"x").unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        names.retain(|entry| entry.as_ref().is_ok_and(|it| it.file_name() != "made"));
        assert_eq!(names.len(), 3, "{names:?}");
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
