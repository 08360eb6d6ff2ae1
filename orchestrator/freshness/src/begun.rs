//! A step that runs: what it was about to read, until it has succeeded and that is recorded.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use crate::code::gather;
use crate::content::{Hash, TICK};
use crate::files::{ALWAYS_HASHED, Files};
use crate::hashing::Hashing;
use crate::judge::{by_name, unrecordable};
use crate::key::{Keys, code, keys};
use crate::programs;
use crate::progress::{Progress, Stopped};
use crate::reason::Reason;
use crate::record::{Record, Shelf, salt};
use crate::settle::{Before, CHANGED, is_too_large, made, settle};
use crate::subject::Subject;
use crate::tree::{Entry, Item, Known, Links, Part, Seen, Spot, look, look_below, size_of};
use crate::values::Values;

/// How much is hashed before a step starts: it takes as long as the start of a thread, in bytes.
const LITTLE: u64 = 256 * 1024;

/// The same, in files.
const FEW: usize = 32;

/// Why nothing is recorded.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// The step is never up to date.
    #[error("the step {0}")]
    Never(Reason),
    /// There is no place for a record.
    #[error("`mlruns/.cached` cannot be written: {0}")]
    Unwritable(#[from] io::Error),
    /// The step has not made what it should.
    #[error("its output {0} is missing")]
    Missing(String),
    /// The run was interrupted before all was hashed.
    #[error("the run was interrupted")]
    Interrupted,
}

impl From<Stopped> for Unrecorded {
    fn from(_: Stopped) -> Unrecorded {
        Unrecorded::Interrupted
    }
}

/// A step that runs. If it is dropped, nothing is recorded.
#[derive(Debug)]
pub struct Begun {
    files: Files,
    shelf: Shelf,
    step: String,
    folder: PathBuf,
    salt: String,
    values: Values,
    inputs: Vec<Input>,
    code: Vec<Before>,
    programs: Vec<Before>,
    outputs: Vec<PathBuf>,
    old_outputs: BTreeMap<String, Part>,
    hashing: Option<Hashing>,
}

#[derive(Debug)]
struct Input {
    name: String,
    path: PathBuf,
    before: Vec<Before>,
}

/// Takes the record of a step away and remembers what the step is about to read. What is much to hash
/// is hashed on a thread while the step runs.
pub fn begin(subject: &Subject, files: &Files) -> Result<Begun, Unrecorded> {
    if let Some(reason) = unrecordable(subject, files) {
        // One that was written before the pipeline was changed.
        if !subject.outputs.is_empty() {
            Shelf::of(subject, files.base()).clear().ok();
        }
        return Err(Unrecorded::Never(reason));
    }
    let shelf = Shelf::of(subject, files.base());
    let old = shelf.read();
    shelf.clear()?;
    let mut inputs: Vec<Input> = Vec::new();
    for (name, path) in by_name(subject.inputs) {
        let part = old.as_ref().and_then(|old| old.inputs.get(&name));
        let items = settled(path, files);
        inputs.push(Input {
            before: remember(items, part, files),
            path: path.clone(),
            name,
        });
    }
    let of_old = |part: fn(&Record) -> &Part| old.as_ref().map(part);
    let code = gather(subject, files, false);
    let mut code = remember(code, of_old(|old| &old.code), files);
    let programs = programs::find(subject);
    let mut programs = remember(programs, of_old(|old| &old.programs), files);
    // A step that edits its code does so early.
    let before = code.iter_mut().chain(&mut programs);
    let before = before.chain(inputs.iter_mut().flat_map(|input| &mut input.before));
    let hashing = hash_unknown(before, files);
    let salt = salt();
    Ok(Begun {
        hashing,
        files: files.clone(),
        shelf,
        step: subject.step.to_owned(),
        folder: subject.folder.to_owned(),
        values: Values::new(subject, &salt),
        salt,
        inputs,
        code,
        programs,
        outputs: subject.outputs.iter().map(|it| it.1.clone()).collect(),
        old_outputs: old.map(|old| old.outputs).unwrap_or_default(),
    })
}

/// Reads what is not known yet: at once if that is little, so that a step which writes the same again
/// is known to; else on a thread while the step runs, for a change would be seen by the stat.
fn hash_unknown<'a>(
    before: impl Iterator<Item = &'a mut Before>,
    files: &Files,
) -> Option<Hashing> {
    let is_hashed = |before: &&mut Before| {
        let spot = before.item.seen.spot();
        let is_hashed = |spot: Spot| spot.is_settled && !is_too_large(&spot, files);
        before.hash.is_none() && spot.is_some_and(is_hashed)
    };
    let unknown: Vec<&mut Before> = before.filter(is_hashed).collect();
    let size = size_of(unknown.iter().map(|it| &it.item));
    if size > LITTLE || unknown.len() > FEW {
        let items = unknown.into_iter().map(|it| it.item.clone()).collect();
        return Hashing::start(items, files);
    }
    for before in unknown {
        before.hash = hash_now(&before.item, files);
    }
    None
}

/// The hash of what is there, if that is still what was seen.
fn hash_now(item: &Item, files: &Files) -> Option<Hash> {
    let spot = item.seen.spot()?;
    let is_interrupted = || files.is_interrupted();
    let mut progress = Progress::new(String::new(), 0, &is_interrupted);
    let hashed = files.hash(&item.path, spot.device, spot.stat, &mut progress);
    hashed
        .ok()
        .filter(|it| it.stat == spot.stat)
        .map(|it| it.hash)
}

/// Looks at an input. Large files are not read before the step starts, so their times should be over.
fn settled(path: &Path, files: &Files) -> Vec<Item> {
    let items = look_below(path, Links::Follow);
    if items.iter().any(|item| is_large_and_new(item, files)) {
        thread::sleep(TICK);
        return look_below(path, Links::Follow);
    }
    items
}

fn is_large_and_new(item: &Item, files: &Files) -> bool {
    let is_large = |spot: Spot| spot.stat.size() > ALWAYS_HASHED && !spot.is_settled;
    item.seen
        .spot()
        .is_some_and(|spot| is_large(spot) && files.known(spot.device, spot.stat).is_none())
}

/// Adds the hashes that are known. A small file that was written just now is read at once: a change
/// that comes after this could not be seen by its stat.
fn remember(items: Vec<Item>, old: Option<&Part>, files: &Files) -> Vec<Before> {
    let remembered = items.into_iter().map(|item| {
        let known = old.and_then(|part| part.get(&item.name));
        let known = known.and_then(Entry::known).copied();
        let hash = item.seen.spot().and_then(|spot| match known {
            Some(Known(Some(stat), Some(hash))) if stat == spot.stat => {
                if stat.size() > LITTLE {
                    // For another attempt, as the record is gone.
                    files.learn(spot.device, stat, hash);
                }
                Some(hash)
            }
            _ if spot.is_settled || spot.stat.size() > ALWAYS_HASHED => {
                files.known(spot.device, spot.stat)
            }
            _ => hash_now(&item, files),
        });
        Before { item, hash }
    });
    remembered.collect()
}

impl Begun {
    /// Records what the step was made from and what it has made, now that it has succeeded. The result
    /// is for the tags `pipeline.cache_key` and `pipeline.code`: texts that are equal for equal steps. What
    /// a secret is worth is no part of them.
    pub fn finish(mut self, run: Option<&str>) -> Result<Keys, Unrecorded> {
        if let Some(hashing) = self.hashing.take() {
            hashing.finish();
        }
        // It may have made files that are the code of others.
        self.files.forget_code();
        let mut record = Record::new(&self.step, run, self.salt.clone(), self.values.clone());
        for input in &self.inputs {
            let part = self.input(input)?;
            record.inputs.insert(input.name.clone(), part);
        }
        record.code = self.part("its code", &self.code, Links::Count)?;
        record.programs = self.part("its programs", &self.programs, Links::Follow)?;
        record.outputs = self.outputs()?;
        self.shelf.write(&record)?;
        Ok(keys(&record))
    }

    /// The key of the code of a step that has not succeeded. It is not recorded here.
    pub fn code(mut self) -> Result<String, Unrecorded> {
        if let Some(hashing) = self.hashing.take() {
            hashing.finish();
        }
        let mut record = Record::new(&self.step, None, self.salt.clone(), self.values.clone());
        record.code = self.part("its code", &self.code, Links::Count)?;
        Ok(code(&record))
    }

    fn input(&self, input: &Input) -> Result<Part, Unrecorded> {
        let shown = self.files.base().shown_path(&input.path, &self.folder);
        let mut part = self.part(&shown, &input.before, Links::Follow)?;
        // What is new in a folder may have been read, or not.
        for item in look_below(&input.path, Links::Follow) {
            part.entry(item.name)
                .or_insert_with(|| Entry::Unsettled(CHANGED.into()));
        }
        Ok(part)
    }

    /// `links` is about the path with the empty name, and about programs.
    fn part(&self, shown: &str, before: &[Before], links: Links) -> Result<Part, Unrecorded> {
        let is_unknown = |it: &&Before| it.hash.is_none();
        let size = size_of(before.iter().filter(is_unknown).map(|it| &it.item));
        let is_interrupted = || self.files.is_interrupted();
        let mut progress = Progress::new(shown.to_owned(), size, &is_interrupted);
        let entries = before.iter().map(|before| {
            let item = &before.item;
            let is_top = item.name.is_empty() || matches!(item.seen, Seen::File(_) | Seen::Folder);
            let links = if is_top { links } else { Links::Count };
            let now = look(&item.path, links);
            let entry = settle(before, &now, &self.files, &mut progress)?;
            Ok((item.name.clone(), entry))
        });
        entries.collect()
    }

    fn outputs(&self) -> Result<BTreeMap<String, Part>, Unrecorded> {
        let look_at_all = || {
            let looked = self.outputs.iter();
            looked.map(|path| look_below(path, Links::Count)).collect()
        };
        let mut looked: Vec<Vec<Item>> = look_at_all();
        let mut items = looked.iter().flatten();
        // Else a large file would have to be read again before it counts as equal.
        if items.any(|item| is_large_and_new(item, &self.files)) {
            thread::sleep(TICK);
            looked = look_at_all();
        }
        let mut outputs = BTreeMap::new();
        for (path, items) in self.outputs.iter().zip(looked) {
            let shown = self.files.base().shown_path(path, &self.folder);
            let name = self.files.base().name(path);
            let old = self.old_outputs.get(&name);
            let is_interrupted = || self.files.is_interrupted();
            let mut progress = Progress::new(shown.clone(), size_of(&items), &is_interrupted);
            let mut part = Part::new();
            for item in items {
                if item.name.is_empty() && item.seen == Seen::Missing {
                    return Err(Unrecorded::Missing(shown));
                }
                let old = old.and_then(|part| part.get(&item.name));
                let entry = made(&item, old, &self.files, &mut progress)?;
                part.insert(item.name, entry);
            }
            outputs.insert(name, part);
        }
        Ok(outputs)
    }
}
