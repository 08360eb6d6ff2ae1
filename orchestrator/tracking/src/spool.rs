//! What the store has not confirmed, in a file beside the logs.
//!
//! There is one file per run of a pipeline, `mlruns/unsent/<run>.jsonl`. A record is in it before it
//! is sent, so that a later process can go on wherever this one ends. The process that writes it
//! holds a lock on it; it is removed when everything has arrived and every run has ended.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::record::{Pairs, Record, Status};
use super::stored::Known;
use process::files;

/// One line of the file: something that has happened.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Line {
    /// The first line: where the records belong, without credentials, and the experiment's id. When it
    /// comes again, everything before it is told anew, as after a full disk.
    Store { uri: String, experiment: String },
    /// Where a run has its log.
    Opened { run: String, log: Option<PathBuf> },
    /// The store knows a run by this id.
    Known { run: String, known: Known },
    /// This is about to be sent. A start opens a run, an end closes it.
    Unsent(Record),
    /// The first of those unsent are dealt with.
    Sent(usize),
    /// The store has answered, and did not take what is unsent: nothing is on the way.
    Idle,
}

/// So often a file is begun that others remove.
const TRIES: usize = 100;

/// Clones are the same file. It is locked for no longer than a write takes: what a signal has to say
/// waits for nobody.
#[derive(Debug, Clone)]
pub(crate) struct Spool(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
pub(crate) struct Inner {
    /// None before the first run, and where there is no place for it.
    pub kept: Option<Kept>,
    pub uri: String,
    pub experiment: String,
    /// What is to be sent, in order.
    pub unsent: VecDeque<Record>,
    pub known: Vec<(String, Known)>,
    /// The runs that have started and not ended, the pipeline's first, and their logs.
    pub open: Vec<(String, Option<PathBuf>)>,
    /// Whether the store has answered since something was written.
    pub is_idle: bool,
    /// Files for metrics that no step has now.
    pub spare: Vec<PathBuf>,
    /// How many of them were made.
    pub made: usize,
}

/// The file.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The pipeline's folder.
    pub root: PathBuf,
    /// The name without its extension.
    pub name: String,
    pub folder: OwnedFd,
    pub file: File,
    /// How long it is.
    pub length: u64,
    /// Whether something could not be added to it.
    pub is_behind: bool,
}

/// Opens the folder of these files; it may not be a link.
pub(crate) fn folder(root: &Path, is_made: bool) -> io::Result<OwnedFd> {
    let above = root.join("mlruns");
    if is_made {
        std::fs::create_dir_all(&above)?;
    }
    let above = files::open_folder(&above)?;
    if is_made {
        match rustix::fs::mkdirat(&above, "unsent", Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    files::open_folder_in(&above, "unsent")
}

pub(crate) fn path(root: &Path, name: &str) -> PathBuf {
    root.join("mlruns/unsent").join(format!("{name}.jsonl"))
}

impl Kept {
    fn new(root: &Path, name: &str) -> io::Result<Kept> {
        for _ in 0..TRIES {
            let folder = folder(root, true)?;
            let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
            let file = files::open_in(&folder, Path::new(&format!("{name}.jsonl")), flags);
            let file = match file {
                // Another process has just removed the folder, which was empty.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            file.lock()?;
            // Before it was locked, another process may have taken it for one that a killed process
            // had just begun, and removed it.
            if file.metadata()?.nlink() > 0 {
                return Ok(Kept {
                    root: root.to_owned(),
                    name: name.to_owned(),
                    folder,
                    file,
                    length: 0,
                    is_behind: false,
                });
            }
        }
        Err(io::Error::other("it is removed again and again"))
    }

    fn path(&self) -> PathBuf {
        path(&self.root, &self.name)
    }

    /// Removes the file: there is nothing left to do. The folders go too if they are empty.
    fn remove(self) {
        self.remove_metrics();
        // What cannot be removed is looked at by the next run, which finds nothing to do in it.
        files::remove_in(&self.folder, &format!("{}.jsonl", self.name)).ok();
        for folder in self.path().ancestors().skip(1).take(2) {
            std::fs::remove_dir(folder).ok();
        }
    }

    /// Removes the files for metrics of steps that were killed with us.
    fn remove_metrics(&self) {
        let Ok(entries) = rustix::fs::Dir::read_from(&self.folder) else {
            return;
        };
        let begin = format!("{}.", self.name);
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy();
            if name.starts_with(&begin) && name.ends_with(".metrics") {
                files::remove_in(&self.folder, &name).ok();
            }
        }
    }
}

impl Inner {
    /// What a record says of the runs that are open.
    pub(crate) fn note(&mut self, record: &Record) {
        match record {
            Record::Start(run) if self.open.iter().any(|(open, _)| *open == run.key) => {}
            Record::Start(run) => self.open.push((run.key.clone(), None)),
            Record::End { run, .. } => self.open.retain(|(open, _)| open != run),
            _ => {}
        }
    }

    /// Adds lines by one write, so that a process that is killed leaves whole lines; what they say is
    /// in the other fields already. Fails once until it succeeds again.
    fn write(&mut self, lines: &[Line]) -> io::Result<()> {
        let text = match &self.kept {
            None => return Ok(()),
            Some(kept) if kept.is_behind => text(&self.lines())?,
            Some(_) => text(lines)?,
        };
        let Some(kept) = &mut self.kept else {
            return Ok(());
        };
        let written = kept.file.write_all(text.as_bytes());
        let was_behind = std::mem::replace(&mut kept.is_behind, written.is_err());
        if written.is_ok() {
            kept.length += text.len() as u64;
            return Ok(());
        }
        // A part of a line would hide those after it.
        kept.file.set_len(kept.length).ok();
        if was_behind { Ok(()) } else { written }
    }

    /// Everything that is known, as lines.
    fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::Store {
            uri: self.uri.clone(),
            experiment: self.experiment.clone(),
        }];
        lines.extend(self.known.iter().map(|(run, known)| Line::Known {
            run: run.clone(),
            known: known.clone(),
        }));
        lines.extend(self.open.iter().map(|(run, log)| Line::Opened {
            run: run.clone(),
            log: log.clone(),
        }));
        lines.extend(self.unsent.iter().cloned().map(Line::Unsent));
        lines.extend(self.is_idle.then_some(Line::Idle));
        lines
    }
}

fn text(lines: &[Line]) -> io::Result<String> {
    let mut text = String::new();
    for line in lines {
        text += &serde_json::to_string(line)?;
        text.push('\n');
    }
    Ok(text)
}

impl Spool {
    /// One that keeps its records in memory until it has a file.
    pub(crate) fn new(uri: &str, experiment: &str) -> Spool {
        Spool::of(Inner {
            uri: uri.to_owned(),
            experiment: experiment.to_owned(),
            ..Inner::default()
        })
    }

    pub(crate) fn of(inner: Inner) -> Spool {
        Spool(Arc::new(Mutex::new(inner)))
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        // A line that was not written is told by who wanted to write it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the file of a run; `name` is its name.
    pub(crate) fn begin(&self, root: &Path, name: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.kept = Some(Kept::new(root, name)?);
        let lines = inner.lines();
        inner.write(&lines)
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.inner().kept.as_ref().map(Kept::path)
    }

    /// Keeps records that are about to be sent.
    pub(crate) fn keep(&self, records: Vec<Record>) -> io::Result<()> {
        let mut inner = self.inner();
        let lines: Vec<Line> = records.iter().cloned().map(Line::Unsent).collect();
        for record in records {
            inner.note(&record);
            inner.unsent.push_back(record);
        }
        inner.is_idle = false;
        inner.write(&lines)
    }

    /// Keeps the ends of all runs that are open, the pipeline's last: `facts` are told of it.
    pub(crate) fn end_all(
        &self,
        status: Status,
        end: u64,
        facts: impl Fn(&str) -> Record,
    ) -> io::Result<()> {
        let open: Vec<String> = self
            .inner()
            .open
            .iter()
            .map(|(run, _)| run.clone())
            .collect();
        let ends = open.iter().rev().flat_map(|run| {
            let end = Record::End {
                run: run.clone(),
                status,
                end,
            };
            [facts(run), end]
        });
        self.keep(ends.collect())
    }

    /// What is to be sent, in order.
    pub(crate) fn unsent(&self) -> Vec<Record> {
        self.inner().unsent.iter().cloned().collect()
    }

    /// Drops the first records, which are dealt with, and notes what the store knows.
    pub(crate) fn sent(
        &self,
        count: usize,
        known: Vec<(String, Known)>,
        is_idle: bool,
    ) -> io::Result<()> {
        let mut inner = self.inner();
        let count = count.min(inner.unsent.len());
        inner.unsent.drain(..count);
        inner.is_idle = is_idle;
        let mut lines: Vec<Line> = known
            .iter()
            .cloned()
            .map(|(run, known)| Line::Known { run, known })
            .collect();
        inner.known.extend(known);
        if count > 0 {
            lines.push(Line::Sent(count));
        }
        if is_idle && !inner.unsent.is_empty() {
            lines.push(Line::Idle);
        }
        if lines.is_empty() {
            Ok(())
        } else {
            inner.write(&lines)
        }
    }

    /// Notes where the log of a run will be, for one who has to end it in our place.
    pub(crate) fn log_at(&self, run: &str, log: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        if let Some((_, known)) = inner.open.iter_mut().find(|(open, _)| open == run) {
            *known = Some(log.to_owned());
        }
        inner.write(&[Line::Opened {
            run: run.to_owned(),
            log: Some(log.to_owned()),
        }])
    }

    /// A file for the metrics of a step, beside ours and removed with it. To make one takes longer than
    /// everything else that is recorded of a step, so they are used again.
    pub(crate) fn metrics_file(&self) -> Option<PathBuf> {
        let mut inner = self.inner();
        if let Some(spare) = inner.spare.pop().filter(|path| path.exists()) {
            return Some(spare);
        }
        inner.made += 1;
        let kept = inner.kept.as_ref()?;
        let name = format!("{}.{}.metrics", kept.name, inner.made);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        files::open_in(&kept.folder, Path::new(&name), flags).ok()?;
        Some(kept.root.join("mlruns/unsent").join(name))
    }

    /// Takes an empty file for metrics back.
    pub(crate) fn give_back(&self, path: PathBuf) {
        self.inner().spare.push(path);
    }

    /// Makes the file anew if somebody has removed it, and says whether somebody has.
    pub(crate) fn restore(&self) -> bool {
        let mut inner = self.inner();
        let Some(kept) = &inner.kept else {
            return false;
        };
        let is_there = kept.path().symlink_metadata().is_ok_and(|there| {
            let ours = kept.file.metadata();
            ours.is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
        });
        if is_there {
            return false;
        }
        inner.kept = Kept::new(&kept.root, &kept.name).ok();
        let lines = inner.lines();
        // Without a file it is as if there had never been a place for one.
        inner.write(&lines).ok();
        true
    }

    /// Drops everything: nothing of it has happened.
    pub(crate) fn discard(&self) {
        let mut inner = self.inner();
        inner.unsent.clear();
        inner.open.clear();
        drop(inner);
        self.finish();
    }

    /// Removes the file if there is nothing left to do; else gives the number of records that wait.
    pub(crate) fn finish(&self) -> usize {
        let mut inner = self.inner();
        if inner.unsent.is_empty() {
            if let Some(kept) = inner.kept.take() {
                kept.remove();
            }
            return 0;
        }
        if let Some(kept) = &inner.kept {
            kept.remove_metrics();
        }
        inner.unsent.len()
    }
}

/// The tag of a run that a signal or a killed orchestrator has ended.
pub(crate) fn last_fact(run: &str, tags: Pairs) -> Record {
    Record::Facts {
        run: run.to_owned(),
        metrics: Vec::new(),
        tags,
    }
}
