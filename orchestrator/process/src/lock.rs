//! One run at a time in a pipeline's folder, as the steps of two would write the same files.

use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;
use rustix::io::FdFlags;

use crate::files;
use crate::printable::one_line;

/// Below the pipeline's folder.
const FILE: &str = "mlruns/.orchestrator.lock";

/// Names the folders that are locked for this process and all below it, separated as in PATH.
const LOCKED: &str = "ORCHESTRATOR_LOCKED";

/// Why a folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Nobody who waits gets this.
    #[error("this pipeline is already running ({holder})")]
    Held {
        /// Who, in words, as far as it can be told: `pid 4711, since 2026-01-31T12:00:00Z`.
        holder: String,
    },
    /// The folder is gone, or neither it nor a file in it takes a lock.
    #[error("cannot lock the pipeline's folder, neither itself nor by `{FILE}`")]
    Io(#[from] io::Error),
}

impl LockError {
    /// What to type next, if there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            LockError::Held { .. } => {
                Some("wait for its end with `--wait`, or run in a copy of the folder")
            }
            LockError::Io(_) => None,
        }
    }
}

/// Whether we were started, by whatever detour, by a run of the pipeline in a folder.
pub fn is_inside(root: &Path) -> bool {
    let outside = std::env::var_os(LOCKED).unwrap_or_default();
    let is_root = |root: PathBuf| std::env::split_paths(&outside).any(|folder| folder == root);
    root.canonicalize().is_ok_and(is_root)
}

/// Whether a run could lock a pipeline's folder now; errs as it would. Nothing is made, and whoever looks, too,
/// is not kept from it.
pub fn check(root: &Path) -> Result<(), LockError> {
    if is_inside(root) {
        return Ok(());
    }
    let root = root.canonicalize()?;
    let folder = files::open_folder(&root).map(File::from);
    let of_folder = folder.map(|folder| (folder.try_lock_shared(), folder));
    let (result, held) = match of_folder {
        Ok((Err(TryLockError::Error(_)), _)) | Err(_) => match open_file(&root, OFlags::RDONLY) {
            Ok(file) => (file.try_lock_shared(), file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        },
        Ok(tried) => tried,
    };
    match result {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(LockError::Held {
            holder: holder(&root, &held),
        }),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// A pipeline's folder in which no other run can start.
///
/// The kernel holds the lock (`flock`), so that it is never stale. It is on the folder itself, which a
/// step can hardly remove, and where a folder cannot be locked on a file in it.
#[derive(Debug)]
pub struct Lock {
    root: PathBuf,
    /// None in a run that a step of the folder's run has started: it is a part of that.
    held: Option<File>,
    /// Who holds it, in words.
    holder: String,
    locked: OsString,
}

impl Lock {
    /// Locks a pipeline's folder, with `wait` as soon as nobody else has locked it. It stays locked until
    /// this is dropped and every process that was started meanwhile has ended.
    ///
    /// In a run that a step of this folder's run has started nothing is locked, and it does not err.
    pub fn take(root: &Path, wait: bool) -> Result<Lock, LockError> {
        let root = root.canonicalize()?;
        let outside = std::env::var_os(LOCKED).unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&outside).collect();
        let now = humantime::format_rfc3339_seconds(SystemTime::now());
        let mut lock = Lock {
            root,
            held: None,
            holder: format!("pid {}, since {now}", std::process::id()),
            locked: outside,
        };
        if folders.contains(&lock.root) {
            return Ok(lock);
        }
        lock.held = Some(hold(&lock.root, wait)?);
        // Nobody needs it but the next one, for its message.
        lock.tell().ok();
        folders.push(lock.root.clone());
        // Only a folder whose name holds a colon cannot be named; it is locked all the same.
        if let Ok(locked) = std::env::join_paths(folders) {
            lock.locked = locked;
        }
        Ok(lock)
    }

    /// The variable, name and value, by which a step's own orchestrator knows that it is a part of this run.
    pub fn variable(&self) -> (&'static str, &OsStr) {
        (LOCKED, &self.locked)
    }

    /// Writes anew who holds the lock if the file that said so is gone, and gives its name then, relative
    /// to the pipeline's folder. The folder was locked all the time.
    pub fn restore(&self) -> Option<&'static str> {
        let path = self.root.join(FILE);
        let is_gone = || path.symlink_metadata().is_err();
        (self.held.is_some() && is_gone() && self.tell().is_ok()).then_some(FILE)
    }

    fn tell(&self) -> io::Result<()> {
        let mut file = open_file(&self.root, OFlags::WRONLY | OFlags::CREATE)?;
        // Another name of it may be somebody's file.
        if file.metadata()?.nlink() > 1 {
            return Err(io::Error::other("it has several names"));
        }
        file.set_len(0)?;
        write!(file, "{}", self.holder)
    }
}

/// Opens the file of the lock; the folder for it is made when the file may be.
fn open_file(root: &Path, flags: OFlags) -> io::Result<File> {
    let path = root.join(FILE);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    if flags.contains(OFlags::CREATE) {
        std::fs::create_dir_all(folder)?;
    }
    files::open_in(&files::open_folder(folder)?, Path::new(name), flags)
}

/// Locks the folder, or the file in it where that cannot be: a network file system asks for the right
/// to write, which nobody has to a folder.
fn hold(root: &Path, wait: bool) -> Result<File, LockError> {
    let folder = files::open_folder(root).map(File::from);
    let on_folder = folder.map(|folder| (lock(&folder, wait), folder));
    let held = match on_folder {
        Ok((Ok(()), folder)) => folder,
        Ok((Err(TryLockError::WouldBlock), folder)) => {
            let holder = holder(root, &folder);
            return Err(LockError::Held { holder });
        }
        Ok((Err(TryLockError::Error(_)), _)) | Err(_) => {
            let file = open_file(root, OFlags::RDWR | OFlags::CREATE)?;
            match lock(&file, wait) {
                Ok(()) => file,
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(root, &file);
                    return Err(LockError::Held { holder });
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    };
    // Handed on to the steps: the folder stays locked until the last process of the run has ended,
    // also when the orchestrator itself was killed.
    rustix::io::fcntl_setfd(&held, FdFlags::empty()).map_err(io::Error::from)?;
    Ok(held)
}

fn lock(file: &File, wait: bool) -> Result<(), TryLockError> {
    if wait {
        return file.lock().map_err(TryLockError::Error);
    }
    file.try_lock()
}

/// Who holds the lock: by its file, or by the system where a step has removed that.
fn holder(root: &Path, held: &File) -> String {
    let mut text = Vec::new();
    if let Ok(file) = open_file(root, OFlags::RDONLY) {
        // A text that cannot be read says nothing.
        file.take(100).read_to_end(&mut text).ok();
    }
    if !text.is_empty() {
        return one_line(&String::from_utf8_lossy(&text)).into_owned();
    }
    let pid = pid_of_lock(held);
    pid.map_or_else(|| "just started".to_owned(), |pid| format!("pid {pid}"))
}

/// The process that has locked a file, which may have ended and left the lock to its children.
fn pid_of_lock(held: &File) -> Option<u32> {
    let inode = held.metadata().ok()?.ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF`
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, file, ..] = fields[..] else {
            return None;
        };
        (file.rsplit(':').next() == Some(&inode)).then(|| pid.parse().ok())?
    })
}
