//! One run at a time in a pipeline's folder, as the steps of two would write the same files.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::io::FdFlags;

/// Below the pipeline's folder.
const FILE: &str = "mlruns/.orchestrator.lock";

/// Names the folders that are locked for this process and all below it, separated as in PATH.
const LOCKED: &str = "ORCHESTRATOR_LOCKED";

/// Why a folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("another run of this pipeline is going on ({holder})")]
    Held { holder: String },
    #[error("cannot lock the pipeline's folder by `{FILE}`")]
    Io(#[from] io::Error),
}

/// A pipeline's folder in which no other run can start.
///
/// The kernel holds the lock (`flock`), so that it is never stale.
#[derive(Debug)]
pub(crate) struct Lock {
    /// None in a run that a step of the folder's run has started: it is a part of that.
    _file: Option<File>,
    locked: OsString,
}

impl Lock {
    /// Locks a pipeline's folder, with `wait` as soon as nobody else has locked it.
    pub(crate) fn take(root: &Path, wait: bool) -> Result<Lock, LockError> {
        let root = root.canonicalize()?;
        let outside = std::env::var_os(LOCKED).unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&outside).collect();
        if folders.contains(&root) {
            return Ok(Lock {
                _file: None,
                locked: outside,
            });
        }
        let file = lock(&root.join(FILE), wait)?;
        folders.push(root);
        Ok(Lock {
            _file: Some(file),
            // Only a folder whose name holds a colon cannot be named; it is locked all the same.
            locked: std::env::join_paths(folders).unwrap_or(outside),
        })
    }

    /// The variable by which a step's own orchestrator knows that it is a part of this run.
    pub(crate) fn variable(&self) -> (&'static str, &OsStr) {
        (LOCKED, &self.locked)
    }
}

fn lock(path: &Path, wait: bool) -> Result<File, LockError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) if wait => file.lock()?,
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            if holder.is_empty() {
                holder.push_str("just started");
            }
            return Err(LockError::Held { holder });
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.set_len(0)?;
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    write!(file, "pid {}, since {now}", std::process::id())?;
    // Handed on to the steps: the folder stays locked until the last process of the run has ended,
    // also when the orchestrator itself was killed.
    rustix::io::fcntl_setfd(&file, FdFlags::empty()).map_err(io::Error::from)?;
    Ok(file)
}
