//! The record of what a step's files were made from, in `mlruns/.cached` of the pipeline's folder.
//!
//! A record may have come with a folder from elsewhere: its names are compared and shown, never opened.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use process::files::{open_below, open_folder, open_folder_in, open_in, remove_in};
use rustix::fs::{Access, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::names::Base;
use crate::subject::Subject;
use crate::tree::Part;
use crate::values::Values;

/// Another number with each change of the format; a record of another one does not count.
const VERSION: u32 = 1;

/// The largest record, in bytes.
const LARGEST: u64 = 64 << 20;

const RUNS: &str = "mlruns";
const RECORDS: &str = ".cached";

/// How much of a step's name stands in that of its record, in characters.
const WIDTH: usize = 60;

/// What a step's files were made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    step: String,
    pub(crate) run: Option<String>,
    /// In seconds since 1970.
    time: u64,
    pub(crate) salt: String,
    pub(crate) values: Values,
    /// By the names of parameters.
    pub(crate) inputs: BTreeMap<String, Part>,
    /// By their paths.
    pub(crate) outputs: BTreeMap<String, Part>,
    pub(crate) code: Part,
    pub(crate) programs: Part,
}

impl Record {
    pub(crate) fn new(step: &str, run: Option<&str>, salt: String, values: Values) -> Record {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Record {
            version: VERSION,
            step: step.to_owned(),
            run: run.map(str::to_owned),
            time: since.unwrap_or_default().as_secs(),
            salt,
            values,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            code: Part::new(),
            programs: Part::new(),
        }
    }

    pub(crate) fn made(&self) -> SystemTime {
        let since = Duration::from_secs(self.time);
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }
}

/// The run that has made what the newest record of a step is about, whatever has become of it since.
pub fn last_run(root: &Path, step: &str) -> Option<String> {
    let found = fs::read_dir(root.join(RUNS).join(RECORDS)).ok()?;
    let names = found.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let begin = short(step) + "-";
    let names = names.filter(|name| name.starts_with(&begin));
    let records = names.filter_map(|name| {
        let shelf = Shelf {
            root: root.to_owned(),
            name,
            step: step.to_owned(),
        };
        shelf.read()
    });
    records.max_by_key(|record| record.time)?.run
}

/// What stands of a step's name in that of its record.
fn short(step: &str) -> String {
    let step: String = step.chars().take(WIDTH).collect();
    step.replace('/', "_")
}

/// Text that is another one in each record.
pub(crate) fn salt() -> String {
    // The standard library seeds this with bytes of the system's random generator.
    let random = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", random(), random())
}

/// Where the record of a step is.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    root: PathBuf,
    name: String,
    step: String,
}

impl Shelf {
    pub(crate) fn of(subject: &Subject, base: &Base) -> Shelf {
        let outputs = subject.outputs.iter();
        let mut outputs: Vec<String> = outputs.map(|(_, path)| base.name(path)).collect();
        outputs.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        for output in outputs {
            hasher.update(output.as_bytes()).update(b"\0");
        }
        let hash = hasher.finalize().to_hex();
        Shelf {
            root: subject.root.to_owned(),
            name: format!("{}-{}.json", short(subject.step), &hash[..8]),
            step: subject.step.to_owned(),
        }
    }

    /// The record, if there is one that can be read.
    pub(crate) fn read(&self) -> Option<Record> {
        let below = Path::new(RUNS).join(RECORDS).join(&self.name);
        let file = open_below(&self.root, &below).ok()?;
        if file.metadata().ok()?.len() > LARGEST {
            return None;
        }
        let mut text = String::new();
        file.take(LARGEST + 1).read_to_string(&mut text).ok()?;
        let record: Record = serde_json::from_str(&text).ok()?;
        (record.version == VERSION && record.step == self.step).then_some(record)
    }

    /// Removes the record, and finds out whether another one can be written.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let folder = self.folder()?;
        match remove_in(&folder, &self.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            // A file that is made on trial takes up to a millisecond.
            _ => Ok(rustix::fs::accessat(
                &folder,
                ".",
                Access::WRITE_OK,
                AtFlags::EACCESS,
            )?),
        }
    }

    /// Writes the record: all of it or nothing.
    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        let folder = self.folder()?;
        let mut target = BufWriter::new(self.draft(&folder)?);
        serde_json::to_writer(&mut target, record)?;
        target.flush()?;
        Ok(rustix::fs::renameat(
            &folder,
            self.draft_name(),
            &folder,
            &self.name,
        )?)
    }

    /// Makes the file that will be the record, for its owner alone.
    fn draft(&self, folder: &OwnedFd) -> io::Result<fs::File> {
        let name = self.draft_name();
        // One that was left by a run that was killed.
        remove_in(folder, &name).ok();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = open_in(folder, Path::new(&name), flags)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok(file)
    }

    fn draft_name(&self) -> String {
        format!("{}.new", self.name)
    }

    /// The folder of records, made if need be. `mlruns` may be a link to another disk.
    fn folder(&self) -> io::Result<OwnedFd> {
        let runs = self.root.join(RUNS);
        match fs::create_dir(&runs) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let runs = open_folder(&runs)?;
        match rustix::fs::mkdirat(&runs, RECORDS, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => open_folder_in(&runs, RECORDS),
            Err(error) => Err(error.into()),
        }
    }
}
