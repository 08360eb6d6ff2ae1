//! A step that runs: what it was about to read, until it has succeeded and that is recorded.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use process::console;

use crate::code::gather;
use crate::content::{Hash, Hashed, TICK};
use crate::files::{ALWAYS_HASHED, Files};
use crate::judge::{by_name, unrecordable};
use crate::programs;
use crate::progress::Progress;
use crate::reason::Reason;
use crate::record::{Record, Shelf, salt};
use crate::subject::Subject;
use crate::tree::{
    Difference, Entry, Item, Known, Links, Part, Seen, Spot, look, look_below, size_of,
};
use crate::values::Values;

/// How much has to be hashed to be worth a thread, in bytes.
const WORTH_A_THREAD: u64 = 1 << 20;

/// What is recorded of a file whose content at the start nobody knows.
const CHANGED: &str = "changed while the step ran";

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

/// What was at a path before the step started, with its hash as far as it is known.
#[derive(Debug)]
struct Before {
    item: Item,
    hash: Option<Hash>,
}

#[derive(Debug)]
struct Input {
    name: String,
    path: PathBuf,
    before: Vec<Before>,
}

/// Takes the record of a step away and remembers what the step is about to read. Inputs are hashed
/// meanwhile, on a thread.
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
    let code = remember(code, of_old(|old| &old.code), files);
    let programs = programs::find(subject);
    let programs = remember(programs, of_old(|old| &old.programs), files);
    let salt = salt();
    Ok(Begun {
        hashing: Hashing::start(&inputs, files),
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
                if stat.size() >= WORTH_A_THREAD {
                    // For another attempt, as the record is gone.
                    files.learn(spot.device, stat, hash);
                }
                Some(hash)
            }
            _ if spot.is_settled || spot.stat.size() > ALWAYS_HASHED => {
                files.known(spot.device, spot.stat)
            }
            _ => {
                let mut progress = Progress::new(String::new(), 0, &|| false);
                let hashed = files.hash(&item.path, spot.device, spot.stat, &mut progress);
                let is_same = |it: &Hashed| it.stat == spot.stat;
                hashed.ok().filter(is_same).map(|it| it.hash)
            }
        });
        Before { item, hash }
    });
    remembered.collect()
}

impl Begun {
    /// Records what the step was made from and what it has made, now that it has succeeded. The result
    /// is the key of it all, for the tag `pipeline.cache_key`: text that is equal for equal steps. What
    /// a secret is worth is no part of it.
    pub fn finish(mut self, run: Option<&str>) -> Result<String, Unrecorded> {
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
        Ok(key(&record))
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

/// What to record of something that was there before the step started.
fn settle(
    before: &Before,
    now: &Seen,
    files: &Files,
    progress: &mut Progress,
) -> Result<Entry, Unrecorded> {
    let mut file = |then: &Spot, now: &Spot| settle_file(before, then, now, files, progress);
    let entry = match (&before.item.seen, now) {
        (Seen::File(then), Seen::File(now)) => file(then, now).map(Entry::File),
        (Seen::Folder, Seen::Folder) => Ok(Entry::Folder),
        (Seen::Missing, Seen::Missing) => Ok(Entry::Missing),
        (Seen::Link(then, None), Seen::Link(now, None)) if then == now => {
            Ok(Entry::Link(now.clone(), None))
        }
        (Seen::Link(to, Some(then)), Seen::Link(still, Some(now))) if to == still => {
            file(then, now).map(|known| Entry::Link(to.clone(), Some(known)))
        }
        (Seen::Odd(why), _) => Err(Difference::Unsettled(why.clone())),
        _ => Err(Difference::Changed),
    };
    recorded(entry)
}

/// Makes an entry of what nobody can tell, too.
fn recorded(entry: Result<Entry, Difference>) -> Result<Entry, Unrecorded> {
    match entry {
        Ok(entry) => Ok(entry),
        Err(Difference::Interrupted) => Err(Unrecorded::Interrupted),
        Err(Difference::Unsettled(why)) => Ok(Entry::Unsettled(why)),
        Err(_) => Ok(Entry::Unsettled(CHANGED.into())),
    }
}

fn settle_file(
    before: &Before,
    then: &Spot,
    now: &Spot,
    files: &Files,
    progress: &mut Progress,
) -> Result<Known, Difference> {
    let is_same = then.stat == now.stat && then.is_settled;
    match before.hash {
        Some(hash) if is_same => return Ok(Known(Some(now.stat), Some(hash))),
        None if !is_same => return Err(Difference::Changed),
        None if is_too_large(now, files) => return Ok(Known(Some(now.stat), None)),
        _ => {}
    }
    let hashed = files.hash(&before.item.path, now.device, now.stat, progress)?;
    let is_as_before = match before.hash {
        Some(hash) => hashed.hash == hash,
        None => hashed.stat == then.stat,
    };
    if !is_as_before {
        return Err(Difference::Changed);
    }
    let stat = hashed.is_settled.then_some(hashed.stat);
    Ok(Known(stat, Some(hashed.hash)))
}

fn is_too_large(spot: &Spot, files: &Files) -> bool {
    spot.stat.size() > ALWAYS_HASHED
        && !files.hashes_all()
        && files.known(spot.device, spot.stat).is_none()
}

/// What to record of something that the step has made.
fn made(
    item: &Item,
    old: Option<&Entry>,
    files: &Files,
    progress: &mut Progress,
) -> Result<Entry, Unrecorded> {
    let old = old.and_then(Entry::known).copied();
    let mut file = |spot: &Spot| -> Result<Known, Difference> {
        match old {
            // The step has left it as it was.
            Some(known @ Known(Some(stat), Some(_))) if stat == spot.stat => return Ok(known),
            _ if is_too_large(spot, files) => {
                return Ok(Known(spot.is_settled.then_some(spot.stat), None));
            }
            _ => {}
        }
        let hashed = files.hash(&item.path, spot.device, spot.stat, progress)?;
        let stat = hashed.is_settled.then_some(hashed.stat);
        Ok(Known(stat, Some(hashed.hash)))
    };
    recorded(match &item.seen {
        Seen::File(spot) => file(spot).map(Entry::File),
        Seen::Folder => Ok(Entry::Folder),
        Seen::Link(to, None) => Ok(Entry::Link(to.clone(), None)),
        Seen::Link(to, Some(spot)) => file(spot).map(|it| Entry::Link(to.clone(), Some(it))),
        Seen::Missing => Ok(Entry::Missing),
        Seen::Odd(why) => Err(Difference::Unsettled(why.clone())),
    })
}

/// A hash over all that is recorded but times and places.
fn key(record: &Record) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut feed = |text: &str| {
        hasher.update(text.as_bytes()).update(b"\0");
    };
    let values = &record.values;
    for value in [&values.entry_point, &values.command, &values.environment] {
        feed(&value.shown);
    }
    feed(values.commit.as_deref().unwrap_or("-"));
    for named in [&values.parameters, &values.variables] {
        for (name, value) in named {
            feed(name);
            feed(value.as_ref().map_or("-", |it| it.shown.as_str()));
        }
        feed("");
    }
    for output in record.outputs.keys() {
        feed(output);
    }
    let inputs = record
        .inputs
        .iter()
        .map(|(name, part)| (name.as_str(), part));
    for (name, part) in inputs.chain([("code", &record.code), ("programs", &record.programs)]) {
        feed(name);
        for (name, entry) in part {
            feed(name);
            feed(&match entry {
                Entry::File(known) => content(known),
                Entry::Link(to, known) => {
                    format!("{to}\0{}", known.as_ref().map(content).unwrap_or_default())
                }
                other => format!("{other:?}"),
            });
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

fn content(known: &Known) -> String {
    match known {
        Known(_, Some(hash)) => format!("{hash:?}"),
        Known(Some(stat), None) => format!("{} {}", stat.size(), stat.changed()),
        Known(None, None) => String::new(),
    }
}

/// Inputs that are hashed while the step runs; the hashes are found in what the steps share.
#[derive(Debug)]
struct Hashing {
    is_over: Arc<AtomicBool>,
    is_quiet: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hashing {
    fn start(inputs: &[Input], files: &Files) -> Option<Hashing> {
        let before = inputs.iter().flat_map(|input| &input.before);
        let unknown = before.filter(|it| it.hash.is_none()).map(|it| &it.item);
        let is_hashed = |item: &&Item| {
            let spot = item.seen.spot();
            spot.is_some_and(|spot| spot.is_settled && !is_too_large(&spot, files))
        };
        let items: Vec<Item> = unknown.filter(is_hashed).cloned().collect();
        let size = size_of(&items);
        if size < WORTH_A_THREAD {
            return None;
        }
        let files = files.clone();
        let is_over = Arc::new(AtomicBool::new(false));
        let is_quiet = Arc::new(AtomicBool::new(true));
        let (ends, quiet) = (Arc::clone(&is_over), Arc::clone(&is_quiet));
        let hash_all = move || {
            let is_stopped = || ends.load(Ordering::Relaxed) || files.is_interrupted();
            let progress = Progress::new("its inputs".into(), size, &is_stopped);
            let mut progress = progress.quiet_while(&quiet);
            for item in items {
                if let Some(spot) = item.seen.spot() {
                    // Whatever goes wrong goes wrong again when the step is over.
                    files
                        .hash(&item.path, spot.device, spot.stat, &mut progress)
                        .ok();
                }
            }
        };
        let thread = thread::Builder::new().spawn(hash_all).ok()?;
        Some(Hashing {
            is_over,
            is_quiet,
            thread: Some(thread),
        })
    }

    /// Waits for all hashes, and no longer in silence.
    fn finish(mut self) {
        self.is_quiet.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            console::warn("the hashing of inputs ended early");
        }
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
