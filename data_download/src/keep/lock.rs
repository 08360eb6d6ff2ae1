//! The partial file, for one process at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::access::{Access, draft_mode};
use crate::files::{self, in_the_way, is_own, is_same};
use crate::output::Place;
use crate::terminal::say;

/// Opens the partial file, for this process alone; also tells the access of the file that it is
/// going to replace.
pub fn lock(place: &Place) -> Result<(File, Option<Access>)> {
    let path = place.partial();
    let mut told = false;
    loop {
        let access = Access::of(place.target());
        let (file, is_usable) = match files::create(&path, draft_mode(access.as_ref())) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match open_earlier(&path, access.as_ref()) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    earlier => earlier.map_err(|error| in_the_way(&path, error))?,
                }
            }
            Err(error) => return Err(error).with_context(|| place.cannot_create()),
        };
        wait_for(&file, place, &mut told)?;
        let now = fs::symlink_metadata(&path);
        let own = file.metadata().with_context(|| place.cannot_create())?;
        if !now.is_ok_and(|now| is_same(&now, &own)) {
            // The other download has renamed or removed the file meanwhile.
            continue;
        }
        if is_usable {
            return Ok((file, access));
        }
        files::remove(&path)?;
    }
}

/// Opens a partial file that is there, and tells whether it can be continued or written over: not
/// one that somebody else may change or read, or that also has another name.
fn open_earlier(path: &Path, access: Option<&Access>) -> io::Result<(File, bool)> {
    let mut options = File::options();
    let opened = files::open(path, options.read(true).write(true));
    let (file, metadata) = match opened {
        // To wait for who is writing it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let (file, _) = files::open(path, File::options().read(true))?;
            return Ok((file, false));
        }
        opened => opened?,
    };
    let is_usable = is_own(&metadata)
        && metadata.nlink() == 1
        && access.is_none_or(|access| access.covers(&metadata));
    Ok((file, is_usable))
}

/// Locks the partial file; waits for another download to the same place.
fn wait_for(file: &File, place: &Place, told: &mut bool) -> Result<()> {
    let cannot_lock = || format!("cannot lock `{}`", place.partial().display());
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            if !*told {
                let target = place.shown();
                say(&format!(
                    "data_download: waiting for another download to `{target}`"
                ));
                *told = true;
            }
            file.lock().with_context(cannot_lock)
        }
        // A file system without locks: everything works but this.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(error).with_context(cannot_lock),
    }
}
