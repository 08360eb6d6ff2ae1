//! Whether what a step has made is still what it would make.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::code::gather;
use crate::files::Files;
use crate::programs;
use crate::progress::Progress;
use crate::reason::{Reason, ReasonKind};
use crate::record::{Record, Shelf};
use crate::subject::Subject;
use crate::tree::{Difference, Entry, Item, Links, Part, compare, look_below, size_of};
use crate::values::Values;

/// Whether a step has to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it was recorded.
    UpToDate(Made),
    /// Why it has to run, the most telling reason first.
    Stale(Vec<Reason>),
}

/// What has made the outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The run, as it was recorded.
    pub run: Option<String>,
    /// When it ended.
    pub time: SystemTime,
}

/// Finds out whether a step has to run. Files that were read and found to be as recorded are not read
/// again the next time.
pub fn judge(subject: &Subject, files: &Files) -> Verdict {
    verdict(subject, files, true)
}

/// As [`judge()`], and writes nothing.
pub fn look(subject: &Subject, files: &Files) -> Verdict {
    verdict(subject, files, false)
}

fn verdict(subject: &Subject, files: &Files, refresh: bool) -> Verdict {
    if let Some(reason) = unrecordable(subject, files) {
        return Verdict::Stale(vec![reason]);
    }
    let shelf = Shelf::of(subject, files.base());
    let Some(mut record) = shelf.read() else {
        return Verdict::Stale(vec![Reason::only(ReasonKind::NotRecorded)]);
    };
    let mut comparison = Comparison {
        subject,
        files,
        reasons: Vec::new(),
        is_interrupted: false,
        is_refreshed: false,
    };
    comparison.record(&mut record);
    let Comparison {
        mut reasons,
        is_interrupted,
        is_refreshed,
        ..
    } = comparison;
    if is_interrupted {
        reasons.push(Reason::only(ReasonKind::Interrupted));
    }
    if !reasons.is_empty() {
        return Verdict::Stale(reasons);
    }
    if refresh && is_refreshed {
        // Without it, files are read once more the next time.
        shelf.write(&record).ok();
    }
    Verdict::UpToDate(Made {
        time: record.made(),
        run: record.run,
    })
}

/// Why a step is never up to date, whatever its files hold.
pub(crate) fn unrecordable(subject: &Subject, files: &Files) -> Option<Reason> {
    if subject.outputs.is_empty() {
        return Some(Reason::only(ReasonKind::NoOutputs));
    }
    let is_around = |left: &Path, right: &Path| left.starts_with(right) || right.starts_with(left);
    // A link may lead from one to the other.
    let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    let both = |path: &PathBuf| [path.clone(), real(path)];
    let outputs: Vec<[PathBuf; 2]> = subject.outputs.iter().map(|(_, it)| both(it)).collect();
    let reads = subject.inputs.iter().any(|(_, input)| {
        let [input, real_input] = both(input);
        outputs.iter().any(|[output, real_output]| {
            is_around(&input, output) || is_around(&real_input, real_output)
        })
    });
    if reads {
        return Some(Reason::only(ReasonKind::ReadsItsOutput));
    }
    let is_shared = |output: &&PathBuf| {
        let mut others = subject.outputs_of_others.iter();
        others.any(|other| other.starts_with(output) && other != *output)
    };
    let shared = subject.outputs.iter().map(|(_, it)| it).find(is_shared)?;
    let shown = files.base().shown_path(shared, subject.folder);
    Some(Reason::of_files(ReasonKind::SharedOutput, vec![shown]))
}

/// Groups of files by name; names that come twice get a number.
pub(crate) fn by_name(named: &[(String, PathBuf)]) -> BTreeMap<String, &PathBuf> {
    let mut groups = BTreeMap::new();
    for (name, path) in named {
        let mut key = name.clone();
        let mut number = 1;
        while groups.contains_key(&key) {
            number += 1;
            key = format!("{name} {number}");
        }
        groups.insert(key, path);
    }
    groups
}

struct Comparison<'a> {
    subject: &'a Subject<'a>,
    files: &'a Files,
    reasons: Vec<Reason>,
    is_interrupted: bool,
    /// Whether a stat is another one with the same content.
    is_refreshed: bool,
}

/// A name and why it is not as recorded.
type Differing = (String, Difference);

impl Comparison<'_> {
    /// Compares in the order of the reasons. What is equal has in the record the stat of now.
    fn record(&mut self, record: &mut Record) {
        let values = Values::new(self.subject, &record.salt);
        self.outputs(record);
        self.reasons.extend(values.command_reasons(&record.values));
        self.inputs(record);
        self.code(record);
        let programs = programs::find(self.subject);
        for (name, difference) in self.part("programs", &programs, &mut record.programs) {
            let words = match &difference {
                Difference::Missing => "is not there any more",
                difference => what(difference).unwrap_or("changed"),
            };
            let reason = Reason::only(ReasonKind::Program).with(Some(name), words);
            self.reasons.push(reason);
        }
        self.reasons
            .extend(values.environment_reasons(&record.values));
    }

    fn outputs(&mut self, record: &mut Record) {
        for (_, path) in self.subject.outputs {
            let name = self.files.base().name(path);
            let shown = self.files.base().shown_path(path, self.subject.folder);
            // A record of these outputs has each of them; one that has not was made by somebody else.
            let part = record.outputs.entry(name).or_default();
            let items = look_below(path, Links::Count);
            let differing = self.part(&shown, &items, part);
            if let Some((below, difference)) = differing.first() {
                let words = what(difference).map(str::to_owned);
                let file = within(shown, below);
                let mut reason = Reason::of_files(ReasonKind::Output, vec![file]);
                reason.new = words;
                self.reasons.push(reason);
            }
        }
    }

    fn inputs(&mut self, record: &mut Record) {
        let inputs = by_name(self.subject.inputs);
        record.inputs.retain(|name, _| inputs.contains_key(name));
        for (name, path) in inputs {
            let shown = self.files.base().shown_path(path, self.subject.folder);
            let is_known = record.inputs.contains_key(&name);
            let part = record.inputs.entry(name.clone()).or_default();
            let differing = if is_known {
                self.part(&shown, &look_below(path, Links::Follow), part)
            } else {
                vec![(String::new(), Difference::Changed)]
            };
            if let Some((below, difference)) = differing.first() {
                let words = what(difference).unwrap_or("changed").to_owned();
                let file = within(shown, below);
                let reason = Reason::of_files(ReasonKind::Input, vec![file]);
                self.reasons.push(reason.with(Some(name), &words));
            }
        }
    }

    fn code(&mut self, record: &mut Record) {
        let (now, then) = (self.subject.commit, record.values.commit.as_deref());
        if now != then {
            let commits = [then, now].map(|it| it.unwrap_or("none"));
            let [then, now] = commits.map(Some);
            self.reasons
                .push(Reason::between(ReasonKind::Code, None, then, now));
        }
        let items = gather(self.subject, self.files, true);
        let (mut changed, mut added, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, difference) in self.part("its code", &items, &mut record.code) {
            let shown = self.files.base().shown(&name, self.subject.folder);
            match difference {
                Difference::Changed => changed.push(shown),
                Difference::New => added.push(shown),
                Difference::Missing => removed.push(shown),
                difference => {
                    let words = what(&difference).unwrap_or("changed");
                    told.entry(words.to_owned()).or_default().push(shown);
                }
            }
        }
        if !changed.is_empty() {
            self.reasons
                .push(Reason::of_files(ReasonKind::Code, changed));
        }
        told.extend(
            [("removed".to_owned(), removed)]
                .into_iter()
                .filter(|it| !it.1.is_empty()),
        );
        for (what, files) in told {
            let reason = Reason::of_files(ReasonKind::Code, files).with(None, &what);
            self.reasons.push(reason);
        }
        if !added.is_empty() {
            let reason = Reason::of_files(ReasonKind::NewFile, added);
            self.reasons.push(reason);
        }
    }

    /// Compares items with what was recorded of them; stats of equal ones are refreshed.
    fn part(&mut self, shown: &str, items: &[Item], part: &mut Part) -> Vec<Differing> {
        let mut differing = Vec::new();
        let mut old = std::mem::take(part);
        let is_read = |item: &&Item| {
            let stat = old.get(&item.name).and_then(Entry::known);
            let stat = stat.and_then(|known| known.0);
            item.seen.spot().is_some_and(|it| Some(it.stat) != stat)
        };
        let size = size_of(items.iter().filter(is_read));
        let is_interrupted = || self.files.is_interrupted();
        let mut progress = Progress::new(shown.to_owned(), size, &is_interrupted);
        for item in items {
            let Some(entry) = old.remove(&item.name) else {
                differing.push((item.name.clone(), Difference::New));
                continue;
            };
            match compare(item, &entry, self.files, &mut progress) {
                Ok(now) => {
                    self.is_refreshed |= now != entry;
                    part.insert(item.name.clone(), now);
                }
                Err(Difference::Interrupted) => self.is_interrupted = true,
                Err(difference) => differing.push((item.name.clone(), difference)),
            }
        }
        differing.extend(old.into_keys().map(|name| (name, Difference::Missing)));
        differing.sort_by(|left, right| left.0.cmp(&right.0));
        differing
    }
}

/// The path of an entry below what is shown as `shown`.
fn within(shown: String, below: &str) -> String {
    match below {
        "" => shown,
        below => format!("{shown}/{below}"),
    }
}

/// The words for a difference that is more than a change.
fn what(difference: &Difference) -> Option<&str> {
    match difference {
        Difference::Changed | Difference::Interrupted => None,
        Difference::Missing => Some("is missing"),
        Difference::New => Some("is new"),
        Difference::Unhashed => Some("was recorded without `--cached` and is another one"),
        Difference::Unsettled(why) => Some(why),
    }
}
