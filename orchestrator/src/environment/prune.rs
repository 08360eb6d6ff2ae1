//! What is in the folder of environments, and what of it is no longer needed.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::conda;
use super::store::{Store, ignore_missing};

/// One environment, for `--env-list`.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
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

/// All environments that are, or were to be, made here.
pub(crate) fn list(store: &Store) -> Vec<Listed> {
    let names = store.names().into_iter();
    names.filter_map(|name| describe(store, name)).collect()
}

fn describe(store: &Store, name: String) -> Option<Listed> {
    let is_free = store.lock(&name).is_ok_and(|lock| lock.is_some());
    let record = store.record(&name);
    let prefix = record
        .as_ref()
        .map_or_else(|| store.prefix(&name), |record| record.prefix.clone());
    let state = match (&record, is_free) {
        (_, false) => State::Busy,
        (Some(_), true) => State::Complete,
        (None, true) if prefix.exists() => State::Unfinished,
        // Only the lock of what was removed, or of an image.
        (None, true) => return None,
    };
    Some(Listed {
        unused_days: record.as_ref().map(|_| store.idle(&name).as_secs() / DAY),
        tool: record.as_ref().map(|record| record.tool.clone()),
        file: record.and_then(|record| Some(record.file?.display().to_string())),
        bytes: size(&prefix),
        name,
        state,
    })
}

/// Removes what has not been used for some days and is not in use; tells the names.
///
/// Environments that MLflow has made stay, but are forgotten.
pub(crate) fn prune(store: &Store, days: u64) -> io::Result<Vec<String>> {
    let mut removed = Vec::new();
    for name in store.names() {
        let Some(_lock) = store.lock(&name)? else {
            continue;
        };
        let record = store.record(&name);
        let is_there = record.is_some() || store.prefix(&name).exists();
        let is_recent = record.is_some() && store.idle(&name) < Duration::from_secs(days * DAY);
        if !is_there || is_recent {
            continue;
        }
        if let Some(record) = record.filter(|record| record.prefix != store.prefix(&name))
            && !(record.is_ours && conda::remove(&record, &name))
        {
            if !record.is_ours {
                store.remove(&name)?;
            }
            continue;
        }
        store.remove(&name)?;
        for extension in ["log", "txt", "build.txt", "making"] {
            ignore_missing(std::fs::remove_file(store.path(&name, extension)))?;
        }
        removed.push(name);
    }
    Ok(removed)
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
            write!(formatter, ", by {tool}")?;
        }
        if let Some(days) = self.unused_days {
            write!(formatter, ", last used {days} days ago")?;
        }
        match &self.file {
            Some(file) => write!(formatter, ", first for {file}"),
            None => Ok(()),
        }
    }
}
