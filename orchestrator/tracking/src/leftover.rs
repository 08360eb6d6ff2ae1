//! What processes left that did not come to their end: the files of [`super::spool`], read as if a
//! stranger had written them, as they may have come with a folder from elsewhere.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

use super::artifacts::is_id;
use super::record::{Record, milliseconds};
use super::spool::{Inner, Kept, Line, Spool, folder, path};
use super::stored::Known;
use process::files;

/// A longer line is none of ours.
const MAX_LINE: u64 = 16 << 20;

/// Nor is a larger file.
const MAX_FILE: u64 = 256 << 20;

#[derive(Debug)]
pub(crate) struct Leftover {
    pub spool: Spool,
    /// The pipeline's folder.
    pub root: PathBuf,
    pub file: PathBuf,
    pub uri: String,
    pub experiment: String,
    /// The runs that the store is said to know, by our keys.
    pub known: Vec<(String, Known)>,
    /// Runs without an end, and their logs.
    pub open: Vec<(String, Option<PathBuf>)>,
    /// Whether nothing of it was on its way when the process ended.
    pub is_idle: bool,
    /// When the file was written last, in milliseconds since 1970.
    pub last: u64,
}

/// A file that is left alone, and why.
#[derive(Debug)]
pub(crate) struct Refused {
    pub file: PathBuf,
    pub reason: String,
}

/// What earlier processes left in a pipeline's folder, oldest first, and what only looks so. Files
/// whose process lives are passed over.
pub(crate) fn leftovers(root: &Path) -> (Vec<Leftover>, Vec<Refused>) {
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    let mut refuse = |file: PathBuf, error: &io::Error| {
        let reason = error.to_string();
        refused.push(Refused { file, reason });
    };
    let opened = folder(root, false).and_then(|folder| {
        let entries = rustix::fs::Dir::read_from(&folder)?;
        Ok((folder, entries))
    });
    match opened {
        Ok((folder, entries)) => {
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let Some(name) = name.strip_suffix(".jsonl") else {
                    continue;
                };
                match read(root, &folder, name) {
                    Ok(leftover) => found.extend(leftover),
                    Err(error) => refuse(path(root, name), &error),
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => refuse(root.join("mlruns/unsent"), &error),
    }
    found.sort_by_key(|leftover| leftover.last);
    (found, refused)
}

/// Whether a process that lives records a run of the pipeline in a folder.
pub(crate) fn is_written(root: &Path) -> bool {
    let Ok(folder) = folder(root, false) else {
        return false;
    };
    let Ok(entries) = rustix::fs::Dir::read_from(&folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy();
        let file = name
            .ends_with(".jsonl")
            .then(|| files::open_in(&folder, Path::new(&*name), OFlags::RDONLY).ok());
        // Who would take it over meanwhile, does so the next time.
        file.flatten().is_some_and(|file| {
            matches!(
                file.try_lock_shared(),
                Err(std::fs::TryLockError::WouldBlock)
            )
        })
    })
}

fn read(root: &Path, folder: &std::os::fd::OwnedFd, name: &str) -> io::Result<Option<Leftover>> {
    let flags = OFlags::RDWR | OFlags::APPEND;
    let file = files::open_in(folder, Path::new(&format!("{name}.jsonl")), flags)?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let data = file.metadata()?;
    if data.len() > MAX_FILE {
        return Err(io::Error::other("it is too large to be ours"));
    }
    let last = milliseconds(data.modified()?);
    let mut inner = Inner::default();
    let whole = read_lines(&file, &mut inner)?;
    // A last line that was cut short by the end of a disk is no line.
    if whole < data.len() {
        file.set_len(whole)?;
    }
    inner.kept = Some(Kept {
        root: root.to_owned(),
        name: name.to_owned(),
        folder: folder.try_clone()?,
        file,
        length: whole,
        is_behind: false,
    });
    if whole == 0 {
        // Begun by a process that was killed before it wrote.
        Spool::of(inner).finish();
        return Ok(None);
    }
    check(&inner)?;
    Ok(Some(Leftover {
        uri: inner.uri.clone(),
        experiment: inner.experiment.clone(),
        known: inner.known.clone(),
        open: inner.open.clone(),
        is_idle: inner.is_idle,
        spool: Spool::of(inner),
        root: root.to_owned(),
        file: path(root, name),
        last,
    }))
}

/// Reads whole lines; gives their length in all.
fn read_lines(file: &std::fs::File, inner: &mut Inner) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut whole, mut line) = (0, Vec::new());
    for number in 1.. {
        line.clear();
        let length = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line)? as u64;
        let is_whole = line.ends_with(b"\n");
        if !is_whole && length < MAX_LINE {
            break;
        }
        let parsed = serde_json::from_slice(&line).ok().filter(|_| is_whole);
        let unknown = || {
            io::Error::other(format!(
                "line {number} is none of this version's, another one may send it"
            ))
        };
        apply(inner, parsed.ok_or_else(unknown)?);
        whole += length;
    }
    Ok(whole)
}

fn apply(inner: &mut Inner, line: Line) {
    match line {
        Line::Store { uri, experiment } => {
            *inner = Inner {
                uri,
                experiment,
                ..Inner::default()
            };
        }
        Line::Opened { run, log } => {
            inner.open.retain(|(open, _)| *open != run);
            inner.open.push((run, log));
        }
        Line::Known { run, known } => inner.known.push((run, known)),
        Line::Unsent(record) => {
            inner.note(&record);
            inner.unsent.push_back(record);
            inner.is_idle = false;
        }
        Line::Sent(count) => drop_first(&mut inner.unsent, count),
        Line::Idle => inner.is_idle = true,
    }
}

fn drop_first(unsent: &mut VecDeque<Record>, count: usize) {
    unsent.drain(..count.min(unsent.len()));
}

/// Whether everything has the form that we give it.
fn check(inner: &Inner) -> io::Result<()> {
    let wrong = |what: &str| Err(io::Error::other(format!("it names {what}")));
    if !is_id(&inner.experiment) && !inner.uri.is_empty() {
        return wrong("no experiment");
    }
    let records = inner.unsent.iter();
    let parents = records.clone().filter_map(|record| match record {
        Record::Start(run) => run.parent.as_deref(),
        _ => None,
    });
    let copied = records.clone().filter_map(|record| match record {
        Record::Copy { from, .. } => Some(from.as_str()),
        _ => None,
    });
    let known = inner.known.iter();
    let runs = records
        .clone()
        .map(Record::run)
        .chain(copied)
        .chain(inner.open.iter().map(|(run, _)| run.as_str()))
        .chain(known.flat_map(|(run, known)| [run.as_str(), known.id.as_str()]))
        .chain(parents);
    if let Some(run) = runs.into_iter().find(|run| !is_id(run)) {
        let run = process::printable::one_line(run);
        return wrong(&format!("a run `{run}`, which is no run's id"));
    }
    let logs = records.filter_map(|record| match record {
        Record::Log { file, .. } => Some(file),
        _ => None,
    });
    let open = inner.open.iter().filter_map(|(_, log)| log.as_ref());
    for log in logs.chain(open) {
        let is_log = log
            .extension()
            .is_some_and(|extension| extension == "log" || extension == "html");
        let is_below =
            log.starts_with("mlruns") && !log.components().any(|part| part == Component::ParentDir);
        if !(is_log && is_below) {
            let log = log.display().to_string();
            let log = process::printable::one_line(&log);
            return wrong(&format!("a log `{log}`, which is not below `mlruns`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Status;
    use crate::spool::last_fact;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn end() -> Record {
        Record::End {
            run: KEY.to_owned(),
            status: Status::Failed,
            end: 1,
        }
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_told_anew() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new("http://h", "0");
        spool.begin(folder.path(), KEY).unwrap();
        spool.keep(vec![last_fact(KEY, Vec::new())]).unwrap();
        let file = path(folder.path(), KEY);
        // One that cannot be written stands for a full disk.
        let full = std::fs::File::open(&file).unwrap();
        let good = {
            let mut inner = spool.inner();
            std::mem::replace(&mut inner.kept.as_mut().unwrap().file, full)
        };
        assert!(spool.keep(vec![last_fact(KEY, Vec::new())]).is_err());
        // Told once.
        assert!(spool.sent(1, Vec::new(), true).is_ok());
        spool.inner().kept.as_mut().unwrap().file = good;
        spool.keep(vec![end()]).unwrap();
        spool.sent(0, Vec::new(), true).unwrap();
        drop(spool);
        let (left, refused) = leftovers(folder.path());
        assert!(refused.is_empty(), "{refused:?}");
        assert_eq!(left.len(), 1);
        assert!(left[0].is_idle && left[0].open.is_empty());
        let unsent = left[0].spool.unsent();
        assert_eq!(unsent.len(), 2, "{unsent:?}");
        assert!(matches!(unsent[1], Record::End { .. }));
    }

    #[test]
    fn a_file_whose_process_lives_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new("http://h", "0");
        spool.begin(folder.path(), KEY).unwrap();
        let (left, refused) = leftovers(folder.path());
        assert!(left.is_empty() && refused.is_empty());
    }
}
