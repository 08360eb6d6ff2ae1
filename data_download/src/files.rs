//! Files whose names others can guess, and may have taken in a shared folder: by a link to a file
//! of the user's, by a pipe that nobody writes to, by a file that they can still read.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Error, Result, anyhow};
use rustix::fs::OFlags;
use rustix::process::geteuid;

/// Makes a file that is not there yet; a link to nothing counts as being there.
pub fn create(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    options.mode(mode).open(path)
}

/// Makes a file in the place of whatever has the name.
pub fn replace(path: &Path, mode: u32) -> Result<File> {
    remove(path)?;
    create(path, mode).with_context(|| format!("cannot create `{}`", path.display()))
}

/// Removes what has the name, if anything has.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(in_the_way(path, error)),
        _ => Ok(()),
    }
}

/// Opens a regular file; follows no link and waits for nobody.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<(File, Metadata)> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok((file, metadata))
}

/// Reads what is there at once, unless it is more than `most` bytes; a pipe or a terminal is not
/// waited for.
pub fn read_small(mut file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Read::by_ref(&mut file)
        .take(most + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Whether the file is of the user who runs the program.
pub fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == geteuid().as_raw()
}

/// Whether both are of one file.
pub fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// A file of ours cannot be made, because of `error`, where something else has its name.
pub fn in_the_way(path: &Path, error: io::Error) -> Error {
    let told = |what| {
        let shown = path.display();
        anyhow!("`{shown}` {what} and is in the way, remove it or choose another --output")
    };
    let caused = |what| Error::new(error).context(told(what));
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => told("is a folder"),
        Ok(metadata) if !metadata.is_file() => told("is not a regular file"),
        Ok(metadata) if !is_own(&metadata) => caused("is another user's"),
        _ => caused("cannot be used"),
    }
}
