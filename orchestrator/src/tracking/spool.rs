//! What the store has not heard yet, in a file beside the logs.
//!
//! There is one file per run of a pipeline, `mlruns/unsent/<run>.jsonl`. It also says which runs are
//! open, so that a later process can end those of one that was killed. The process that writes it
//! holds a lock on it; it is removed when everything has arrived and every run has ended.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::record::{Record, milliseconds};
use super::store::Known;

/// One line of the file: something that has happened.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    /// The first line: where the records belong, without credentials, and the experiment's id.
    Store {
        uri: String,
        experiment: String,
    },
    /// A run has started; its log, if it has one.
    Opened {
        run: String,
        log: Option<PathBuf>,
    },
    /// The store knows a run by this id.
    Known {
        run: String,
        known: Known,
    },
    Unsent(Record),
    /// The first of those unsent have arrived.
    Sent(usize),
    Closed(String),
}

#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
    file: File,
    /// What is to be sent, in order.
    pub(super) unsent: VecDeque<Record>,
}

/// What a process left that did not come to its end.
#[derive(Debug)]
pub(super) struct Leftover {
    pub(super) spool: Spool,
    pub(super) uri: String,
    pub(super) experiment: String,
    pub(super) known: Vec<(String, Known)>,
    /// Runs without an end, and their logs.
    pub(super) open: Vec<(String, Option<PathBuf>)>,
    /// When the file was written last, in milliseconds since 1970.
    pub(super) last: u64,
}

fn folder(root: &Path) -> PathBuf {
    root.join("mlruns").join("unsent")
}

impl Spool {
    /// Begins the file of a run; `run` names it.
    pub(super) fn new(root: &Path, run: &str, uri: &str, experiment: &str) -> io::Result<Spool> {
        std::fs::create_dir_all(folder(root))?;
        let path = folder(root).join(format!("{run}.jsonl"));
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        file.try_lock()?;
        let mut spool = Spool {
            path,
            file,
            unsent: VecDeque::new(),
        };
        spool.write(&Line::Store {
            uri: uri.to_owned(),
            experiment: experiment.to_owned(),
        })?;
        Ok(spool)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn opened(&mut self, run: &str, log: Option<&Path>) -> io::Result<()> {
        self.write(&Line::Opened {
            run: run.to_owned(),
            log: log.map(Path::to_owned),
        })
    }

    pub(super) fn known(&mut self, run: &str, known: &Known) -> io::Result<()> {
        self.write(&Line::Known {
            run: run.to_owned(),
            known: known.clone(),
        })
    }

    pub(super) fn closed(&mut self, run: &str) -> io::Result<()> {
        self.write(&Line::Closed(run.to_owned()))
    }

    /// Keeps records for later.
    pub(super) fn keep(&mut self, records: &[Record]) -> io::Result<()> {
        for record in records {
            self.unsent.push_back(record.clone());
            self.write(&Line::Unsent(record.clone()))?;
        }
        Ok(())
    }

    /// Drops the first records: they have arrived.
    pub(super) fn sent(&mut self, count: usize) -> io::Result<()> {
        self.unsent.drain(..count);
        self.write(&Line::Sent(count))
    }

    /// Each line is one write, so that a process that is killed leaves whole lines.
    fn write(&mut self, line: &Line) -> io::Result<()> {
        let text = serde_json::to_string(line)? + "\n";
        self.file.write_all(text.as_bytes())
    }

    /// Removes the file: there is nothing left to do. The folders go too if they are empty.
    pub(super) fn remove(self) {
        // What cannot be removed is looked at by the next run, which finds nothing to do in it.
        std::fs::remove_file(&self.path).ok();
        for folder in self.path.ancestors().skip(1).take(2) {
            std::fs::remove_dir(folder).ok();
        }
    }
}

/// What earlier processes left in a pipeline's folder, oldest first. Files whose process lives are passed over.
pub(super) fn leftovers(root: &Path) -> Vec<Leftover> {
    let Ok(entries) = std::fs::read_dir(folder(root)) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<Leftover> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .filter_map(|path| Leftover::read(path).ok().flatten())
        .collect();
    found.sort_by_key(|leftover| leftover.last);
    found
}

impl Leftover {
    fn read(path: PathBuf) -> io::Result<Option<Leftover>> {
        let mut file = OpenOptions::new().read(true).append(true).open(&path)?;
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let last = milliseconds(file.metadata()?.modified()?);
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let mut leftover = Leftover {
            spool: Spool {
                path,
                file,
                unsent: VecDeque::new(),
            },
            uri: String::new(),
            experiment: String::new(),
            known: Vec::new(),
            open: Vec::new(),
            last,
        };
        // A last line that was cut short by the end of a disk is no line.
        for line in text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
        {
            leftover.apply(line);
        }
        Ok(Some(leftover))
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::Store { uri, experiment } => {
                (self.uri, self.experiment) = (uri, experiment);
            }
            Line::Opened { run, log } => {
                self.open.retain(|(open, _)| *open != run);
                self.open.push((run, log));
            }
            Line::Known { run, known } => self.known.push((run, known)),
            Line::Unsent(record) => self.spool.unsent.push_back(record),
            Line::Sent(count) => {
                let count = count.min(self.spool.unsent.len());
                self.spool.unsent.drain(..count);
            }
            Line::Closed(closed) => self.open.retain(|(run, _)| *run != closed),
        }
    }
}
