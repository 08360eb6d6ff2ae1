//! The folder of environments that all pipelines of a machine share.
//!
//! For an environment NAME it holds `NAME.json`, the record that says it is complete and is written
//! last; `NAME.lock`, which the kernel locks and frees again whatever happens to its holder;
//! `NAME.log`, the output of the tool that made it; and, unless conda keeps it, the folder `NAME`.
//! Who makes or removes an environment holds its lock alone, who uses one shares it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::system;

/// The shared folder; it need not exist yet.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) root: PathBuf,
    /// Whether the user named the folder, so that conda's environments belong into it, too.
    pub(crate) is_explicit: bool,
}

/// What the record of a complete environment says.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// The program that made it, such as `uv`.
    pub(crate) tool: String,
    /// Where the environment itself is.
    pub(crate) prefix: PathBuf,
    /// The environment file that it was first made for.
    pub(crate) file: Option<PathBuf>,
    /// Whether we made it; else it is MLflow's and not ours to remove.
    pub(crate) is_ours: bool,
}

/// A lock on one environment; it is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Store {
    /// `--env-root`, else `$MLFLOW_ENV_ROOT`, else `$XDG_CACHE_HOME/orchestrator/environments`.
    ///
    /// Names of ours never begin as those that MLflow gives to virtual environments. None when
    /// there is no home either.
    pub(crate) fn new(explicit: Option<&Path>) -> Option<Store> {
        let of_mlflow = || system::variable("MLFLOW_ENV_ROOT").map(PathBuf::from);
        let of_cache = || Some(system::cache()?.join("environments"));
        Some(Store {
            is_explicit: explicit.is_some(),
            root: explicit
                .map(Path::to_owned)
                .or_else(of_mlflow)
                .or_else(of_cache)?,
        })
    }

    pub(crate) fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.root.join(format!("{name}.{extension}"))
    }

    /// The folder of an environment that we keep ourselves.
    pub(crate) fn prefix(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The record of a complete environment.
    pub(crate) fn record(&self, name: &str) -> Option<Record> {
        let text = std::fs::read(self.path(name, "json")).ok()?;
        let record: Value = serde_json::from_slice(&text).ok()?;
        Some(Record {
            tool: record.get("tool")?.as_str()?.to_owned(),
            prefix: record.get("prefix")?.as_str()?.into(),
            file: record
                .get("file")
                .and_then(Value::as_str)
                .map(PathBuf::from),
            is_ours: record.get("made_here")?.as_bool()?,
        })
    }

    /// Says that an environment is complete, in one step.
    pub(crate) fn write_record(&self, name: &str, record: &Record) -> io::Result<()> {
        let json = json!({
            "tool": record.tool,
            "prefix": record.prefix,
            "file": record.file,
            "made_here": record.is_ours,
        });
        let mut file = tempfile::NamedTempFile::new_in(&self.root)?;
        writeln!(file, "{json}")?;
        // Others may use what one user has made.
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(everybody)?;
        file.as_file().sync_all()?;
        file.persist(self.path(name, "json"))?;
        Ok(())
    }

    /// Notes that an environment is being used now. Another user's record cannot be touched.
    pub(crate) fn touch(&self, name: &str) {
        if let Ok(record) = File::open(self.path(name, "json")) {
            record.set_modified(SystemTime::now()).ok();
        }
    }

    /// For how long an environment has not been used.
    pub(crate) fn idle(&self, name: &str) -> Duration {
        let used = std::fs::metadata(self.path(name, "json")).and_then(|data| data.modified());
        let idle = used.ok().and_then(|used| used.elapsed().ok());
        idle.unwrap_or_default()
    }

    /// Takes what says that an environment is complete, and then its folder, if we keep it.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        ignore_missing(std::fs::remove_file(self.path(name, "json")))?;
        ignore_missing(std::fs::remove_dir_all(self.prefix(name)))
    }

    /// The lock shared with others that use the environment; none while one makes or removes it.
    pub(crate) fn share(&self, name: &str) -> io::Result<Option<Lock>> {
        let file = self.lock_file(name)?;
        held(file.try_lock_shared()).map(|is_held| is_held.then_some(Lock(file)))
    }

    /// The lock for one who makes or removes the environment; none while others use or make it.
    pub(crate) fn lock(&self, name: &str) -> io::Result<Option<Lock>> {
        let file = self.lock_file(name)?;
        held(file.try_lock()).map(|is_held| is_held.then_some(Lock(file)))
    }

    /// Locks need no right to write, so that several users can share the folder.
    fn lock_file(&self, name: &str) -> io::Result<File> {
        let path = self.path(name, "lock");
        if let Ok(file) = File::open(&path) {
            return Ok(file);
        }
        std::fs::create_dir_all(&self.root)?;
        let options = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path);
        // Another user may have been faster.
        options.or_else(|error| File::open(&path).map_err(|_| error))
    }

    /// The names of all environments, complete or not, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.root)
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| {
                Some(
                    entry
                        .file_name()
                        .to_str()?
                        .strip_suffix(".lock")?
                        .to_owned(),
                )
            })
            .collect();
        names.sort();
        names
    }
}

impl Lock {
    /// The lock as the input of a process: it is held until that and all it starts have ended, even if
    /// we are killed. The file is empty.
    pub(crate) fn as_input(&self) -> io::Result<File> {
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

pub(crate) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
