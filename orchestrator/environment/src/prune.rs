//! What is in the folder of environments, and what of it is no longer needed.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::conda;
use super::name::{Form, form};
use super::ours::Left;
use super::store::{Store, is_nowhere};
use process::console::say;
use process::printable::one_line;

/// One environment, for `--env-list`.
#[derive(Debug, Serialize)]
pub struct Listed {
    name: String,
    tool: Option<String>,
    /// The environment file that it was first made for.
    file: Option<String>,
    state: State,
    /// Full days since it was last used.
    unused_days: Option<u64>,
    bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Complete,
    /// A run is using or making it.
    Busy,
    /// The run that made it was stopped.
    Unfinished,
}

const DAY: u64 = 24 * 60 * 60;

/// All environments that are, or were to be, made here. Nothing is written to find out.
pub fn list(store: &Store) -> io::Result<Vec<Listed>> {
    let names = store.names()?.ours.into_iter();
    Ok(names.filter_map(|name| describe(store, name)).collect())
}

fn describe(store: &Store, name: String) -> Option<Listed> {
    let record = store.record(&name);
    let prefix = match &record {
        Some(record) => record.prefix.clone(),
        None => store.prefix(&name),
    };
    let state = match &record {
        _ if store.is_locked(&name) => State::Busy,
        Some(_) => State::Complete,
        None if store.is_begun(&name) => State::Unfinished,
        // Only the lock of what was removed or of an image, or something that is not ours.
        None => return None,
    };
    Some(Listed {
        unused_days: record.as_ref().map(|_| store.idle(&name).as_secs() / DAY),
        bytes: match prefix.symlink_metadata() {
            Ok(data) if data.is_dir() => size(&prefix),
            _ => 0,
        },
        tool: record.as_ref().map(|record| record.tool.clone()),
        file: record.and_then(|record| record.file),
        name,
        state,
    })
}

/// Removes what has not been used for some days and is not in use, and adds the names of what is gone.
///
/// Whatever may not be ours stays and is told with the reason, which is no error; environments that
/// MLflow has made stay, too, but are forgotten. The error is the first of what could not be removed.
pub fn prune(store: &Store, days: u64, removed: &mut Vec<String>) -> io::Result<()> {
    let unused = Duration::from_secs(days.saturating_mul(DAY));
    let names = store.names()?;
    for file in names.others {
        left(&file, &Left::Name);
    }
    let mut result = Ok(());
    for name in names.ours {
        match prune_one(store, &name, unused) {
            Ok(false) => {}
            Ok(true) => removed.push(name),
            Err(Left::Failed(error)) => {
                let kind = error.kind();
                let reason = Left::Failed(error);
                left(&name, &reason);
                result = result.and(Err(io::Error::new(kind, format!("`{name}` {reason}"))));
            }
            Err(reason) => left(&name, &reason),
        }
    }
    result
}

fn left(name: &str, reason: &Left) {
    say(&format!("left: `{name}` {reason}"));
}

/// Whether it is gone now. An environment that is half-made or half-removed counts as not used at all.
fn prune_one(store: &Store, name: &str, unused: Duration) -> Result<bool, Left> {
    let has_record = || !is_nowhere(&store.path(name, "json"));
    let is_there = has_record() || store.is_begun(name) || !is_nowhere(&store.prefix(name));
    let is_recent = || has_record() && store.idle(name) < unused;
    if !is_there || is_recent() || store.is_locked(name) {
        return Ok(false);
    }
    // Even a lock is made only for what is ours.
    store.own_record(name)?;
    let Some(_lock) = store.lock(name).map_err(Left::Failed)? else {
        return Ok(false);
    };
    if is_recent() {
        return Ok(false);
    }
    // Another may have changed it before it was locked.
    match (form(name), store.own_record(name)?) {
        (Some(Form::Conda), Some(record)) if !record.is_ours => {
            store.forget(name)?;
            return Ok(false);
        }
        (Some(Form::Conda), record) => conda::remove(store, name, record.as_ref())?,
        _ => store.remove(name)?,
    }
    store.tidy(name);
    Ok(true)
}

/// The bytes of all files below a folder.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let data = entry.metadata().ok()?;
        Some(if data.is_dir() {
            size(&entry.path())
        } else {
            data.len()
        })
    });
    sizes.sum()
}

impl std::fmt::Display for Listed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state {
            State::Complete => "complete",
            State::Busy => "busy",
            State::Unfinished => "unfinished",
        };
        let megabytes = self.bytes / 1_000_000;
        write!(formatter, "{}  {state}, {megabytes} MB", self.name)?;
        if let Some(tool) = &self.tool {
            write!(formatter, ", by {}", one_line(tool))?;
        }
        if let Some(days) = self.unused_days {
            write!(formatter, ", last used {days} days ago")?;
        }
        match &self.file {
            Some(file) => write!(formatter, ", first for {}", one_line(file)),
            None => Ok(()),
        }
    }
}
