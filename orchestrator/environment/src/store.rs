//! The folder of environments that all pipelines of a machine share.
//!
//! For an environment NAME it holds `NAME.json`, the record that says it is complete and is written
//! last; `NAME.making`, the note that it is being made or removed, written first; `NAME.lock`, which the
//! kernel locks and frees again whatever happens to its holder; `NAME.log`, the output of the tool that
//! made it; and, unless conda keeps it, the folder `NAME`. Who makes or removes an environment holds its
//! lock alone, who uses one shares it.
//!
//! The folder may be any that the user named, and others may write to it. So no file in it is reached
//! through a link or waited for, and only what is ours for certain is removed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;

use super::error::EnvironmentError;
use super::name::{Form, form};
use super::ours::{self, Left, ignore_missing};
use super::record::{MAX_BYTES, Record};
use mlproject::paths::absolute;
use process::{files, host};

/// What a file of our own form is called besides the name of its environment.
const LOCK: &str = "lock";
const RECORD: &str = "json";
const NOTE: &str = "making";

/// The shared folder; it need not exist yet.
#[derive(Debug, Clone)]
pub struct Store {
    /// The folder, absolute.
    pub root: PathBuf,
    /// Whether the user named the folder, so that conda's environments belong into it, too.
    pub is_explicit: bool,
}

/// What lies in the folder, each sorted.
#[derive(Debug, Default)]
pub struct Names {
    /// Environments, complete or not, by their names.
    pub ours: Vec<String>,
    /// Files that are named as locks, but not as those of our environments.
    pub others: Vec<String>,
}

/// A lock on one environment; it is given back when this is dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Store {
    /// `--env-root`, else `$MLFLOW_ENV_ROOT`, else `$XDG_CACHE_HOME/orchestrator/environments`.
    ///
    /// Names of ours never begin as those that MLflow gives to virtual environments. None when
    /// there is no home either.
    pub fn new(explicit: Option<&Path>) -> Option<Store> {
        let of_mlflow = || host::variable("MLFLOW_ENV_ROOT").map(PathBuf::from);
        let of_cache = || Some(host::cache()?.join("environments"));
        let root = explicit
            .map(Path::to_owned)
            .or_else(of_mlflow)
            .or_else(of_cache)?;
        Some(Store {
            is_explicit: explicit.is_some(),
            // Tools that work in other folders are told of it.
            root: std::env::current_dir().map_or(root.clone(), |caller| absolute(&caller, root)),
        })
    }

    /// Why nothing can be made in it, as far as that can be told beforehand.
    pub(crate) fn unwritable(&self) -> Option<EnvironmentError> {
        let (folder, error) = files::may_make(&self.root).err()?;
        Some(EnvironmentError::Unwritable {
            root: self.root.clone(),
            folder,
            reason: error.to_string(),
        })
    }

    /// Where a file of ours about an environment is, by its extension: lock, record, note or log.
    pub fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.root.join(format!("{name}.{extension}"))
    }

    /// The folder of an environment that we keep ourselves.
    pub fn prefix(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The record of a complete environment, also of another user's.
    pub fn record(&self, name: &str) -> Option<Record> {
        self.read_record(name).ok().flatten()
    }

    fn read_record(&self, name: &str) -> Result<Option<Record>, Left> {
        let file = match ours::open(&self.path(name, RECORD)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| Left::Record(error.to_string()))?,
        };
        let mut bytes = Vec::new();
        let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| Left::Record(error.to_string()))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Left::Record(format!("it has more than {MAX_BYTES} bytes")));
        }
        Record::parse(&bytes, name).map(Some)
    }

    /// The record of an environment of which it says that we made it, written by the calling user. None if
    /// there is only a note of theirs that they began.
    pub fn own_record(&self, name: &str) -> Result<Option<Record>, Left> {
        let path = self.path(name, RECORD);
        if path
            .symlink_metadata()
            .is_ok_and(|data| !ours::is_mine(&data))
        {
            return Err(Left::Record("it belongs to another user".to_owned()));
        }
        match self.read_record(name)? {
            Some(record) => record.check(name, &self.root).map(|()| Some(record)),
            None if self.is_begun(name) => Ok(None),
            None => Err(Left::NoRecord),
        }
    }

    /// Says that an environment is complete, in one step.
    pub fn write_record(&self, name: &str, record: &Record) -> io::Result<()> {
        let json = serde_json::to_string(record)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.root)?;
        writeln!(file, "{json}")?;
        // Others may use what one user has made.
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(everybody)?;
        file.as_file().sync_all()?;
        file.persist(self.path(name, RECORD))?;
        Ok(())
    }

    /// Notes that an environment is being used now. Another user's record cannot be touched.
    pub fn touch(&self, name: &str) {
        if let Ok(record) = ours::open(&self.path(name, RECORD)) {
            record.set_modified(SystemTime::now()).ok();
        }
    }

    /// For how long an environment has not been used.
    pub fn idle(&self, name: &str) -> Duration {
        let data = self.path(name, RECORD).symlink_metadata();
        let used = data.and_then(|data| data.modified());
        let idle = used.ok().and_then(|used| used.elapsed().ok());
        idle.unwrap_or_default()
    }

    /// Notes that an environment is being made or removed, so that what is left of it after a kill is
    /// known to be ours.
    pub fn begin(&self, name: &str) -> io::Result<()> {
        if self.is_begun(name) {
            return Ok(());
        }
        self.create(name, NOTE).map(drop)
    }

    /// Whether the calling user has begun to make or to remove an environment.
    pub fn is_begun(&self, name: &str) -> bool {
        let note = ours::open(&self.path(name, NOTE)).and_then(|note| note.metadata());
        note.is_ok_and(|data| ours::is_mine(&data))
    }

    /// Takes the note again: the environment is complete, or gone.
    pub fn end(&self, name: &str) {
        if self.is_begun(name) {
            std::fs::remove_file(self.path(name, NOTE)).ok();
        }
    }

    /// Makes a new file beside an environment, in the place of an older one.
    ///
    /// Written into it, a link or a second name that somebody has put there would lead elsewhere.
    pub fn create(&self, name: &str, extension: &str) -> io::Result<File> {
        let path = self.path(name, extension);
        ours::remove_file(&path)?;
        OpenOptions::new().append(true).create_new(true).open(path)
    }

    /// Takes what says that an environment is complete, and then its folder, if we keep it. An error says
    /// why it cannot be ours, or what went wrong; then nothing, or not all, is removed.
    pub fn remove(&self, name: &str) -> Result<(), Left> {
        match form(name) {
            None => return Err(Left::Name),
            Some(Form::Conda | Form::Image) => return self.forget(name),
            Some(Form::Venv) => self.check(name)?,
        }
        let prefix = self.prefix(name);
        if !is_nowhere(&prefix) {
            self.begin(name).map_err(Left::Failed)?;
        }
        self.forget(name)?;
        ignore_missing(std::fs::remove_dir_all(prefix)).map_err(Left::Failed)?;
        self.end(name);
        Ok(())
    }

    /// Whether the folder of an environment that we keep ourselves is ours, if it is there.
    pub fn check(&self, name: &str) -> Result<(), Left> {
        let prefix = self.prefix(name);
        if is_nowhere(&prefix) && is_nowhere(&self.path(name, RECORD)) {
            return Ok(());
        }
        self.own_record(name)?;
        if is_nowhere(&prefix) {
            return Ok(());
        }
        ours::check_folder(&prefix)
    }

    /// Takes what says that an environment is complete.
    pub fn forget(&self, name: &str) -> Result<(), Left> {
        ours::remove_file(&self.path(name, RECORD))
    }

    /// Takes the files beside an environment that is gone.
    pub fn tidy(&self, name: &str) {
        for extension in ["log", "txt", "build.txt", NOTE] {
            // They do no harm.
            ours::remove_file(&self.path(name, extension)).ok();
        }
    }

    /// The lock shared with others that use the environment; none while one makes or removes it.
    pub fn share(&self, name: &str) -> io::Result<Option<Lock>> {
        let file = self.lock_file(name)?;
        held(file.try_lock_shared()).map(|is_held| is_held.then_some(Lock(file)))
    }

    /// The lock for one who makes or removes the environment; none while others use or make it.
    pub fn lock(&self, name: &str) -> io::Result<Option<Lock>> {
        let file = self.lock_file(name)?;
        held(file.try_lock()).map(|is_held| is_held.then_some(Lock(file)))
    }

    /// Whether somebody uses, makes or removes the environment. Nothing is written to find out.
    pub fn is_locked(&self, name: &str) -> bool {
        let lock = ours::open(&self.path(name, LOCK));
        lock.is_ok_and(|lock| held(lock.try_lock()).is_ok_and(|is_held| !is_held))
    }

    /// Locks need no right to write, so that several users can share the folder.
    fn lock_file(&self, name: &str) -> io::Result<File> {
        let path = self.path(name, LOCK);
        match ours::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            file => return file,
        }
        std::fs::create_dir_all(&self.root)?;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        let options = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .custom_flags(i32::try_from(flags).expect("flags are small numbers"))
            .open(&path);
        // Another user may have been faster.
        options.or_else(|error| ours::open(&path).map_err(|_| error))
    }

    /// What lies in the folder; nothing if it is not there.
    pub fn names(&self) -> io::Result<Names> {
        let mut names = Names::default();
        let entries = match std::fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(names),
            entries => entries?,
        };
        for entry in entries {
            let file = entry?.file_name().to_string_lossy().into_owned();
            let name = [LOCK, RECORD, NOTE]
                .into_iter()
                .find_map(|extension| file.strip_suffix(extension)?.strip_suffix('.'));
            let name = name.unwrap_or(&file);
            if form(name).is_some() {
                names.ours.push(name.to_owned());
            } else if file.strip_suffix(".lock").is_some() {
                names.others.push(file);
            }
        }
        names.ours.sort();
        names.ours.dedup();
        names.others.sort();
        Ok(names)
    }
}

impl Lock {
    /// The lock as the input of a process: it is held until that and all it starts have ended, even if
    /// we are killed. The file is empty.
    pub fn as_input(&self) -> io::Result<File> {
        self.0.try_clone()
    }
}

fn held(result: Result<(), TryLockError>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether there is nothing of that name, not even a link that leads nowhere.
pub(crate) fn is_nowhere(path: &Path) -> bool {
    let data = path.symlink_metadata();
    data.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}
