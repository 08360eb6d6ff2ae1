//! What is at a path, seen and recorded: a file, a folder with all below, a link, or something whose
//! content nobody can tell.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::content::{Failure, Hash, Stat, now};
use crate::files::Files;
use crate::names::text;
use crate::progress::Progress;

/// Files by their names. Sorted, so that the order of a folder's entries does not matter.
pub(crate) type Part = BTreeMap<String, Entry>;

/// What is recorded of one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    File(Known),
    Folder,
    /// Where it points, and the file that it leads to.
    Link(String, Option<Known>),
    Missing,
    /// Why it is never up to date.
    Unsettled(String),
}

/// The content of a file. The stat is left out if it may not stand for the content, the hash if the file
/// was too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known(pub(crate) Option<Stat>, pub(crate) Option<Hash>);

/// What is at a path now, before anything was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    File(Spot),
    Folder,
    Link(String, Option<Spot>),
    Missing,
    Odd(String),
}

/// A file as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) device: u64,
    pub(crate) stat: Stat,
    /// Whether a change since then is sure to change the stat.
    pub(crate) is_settled: bool,
}

/// A path with its name in a [`Part`], and what is there.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) seen: Seen,
}

/// Whether a link at the end of a path counts as what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    Count,
}

impl Spot {
    fn of(data: &Metadata) -> Spot {
        let stat = Stat::of(data);
        Spot {
            device: data.dev(),
            stat,
            is_settled: stat.is_settled(now()),
        }
    }
}

impl Seen {
    /// The file that is at the path, or to which a link there leads.
    pub(crate) fn spot(&self) -> Option<Spot> {
        match self {
            Seen::File(spot) => Some(*spot),
            Seen::Link(_, spot) => *spot,
            _ => None,
        }
    }
}

impl Entry {
    pub(crate) fn known(&self) -> Option<&Known> {
        match self {
            Entry::File(known) => Some(known),
            Entry::Link(_, known) => known.as_ref(),
            _ => None,
        }
    }
}

/// Looks at a path without reading what is there.
pub(crate) fn look(path: &Path, links: Links) -> Seen {
    let data = match links {
        Links::Follow => fs::metadata(path),
        Links::Count => fs::symlink_metadata(path),
    };
    let data = match data {
        Ok(data) => data,
        Err(error) => return unseen(&error),
    };
    let kind = data.file_type();
    if kind.is_file() {
        return Seen::File(Spot::of(&data));
    }
    if kind.is_dir() {
        return Seen::Folder;
    }
    if kind.is_symlink() {
        return match fs::read_link(path) {
            Ok(target) => Seen::Link(text(&target), target_of(path)),
            Err(error) => unseen(&error),
        };
    }
    Seen::Odd("is neither a file nor a folder".into())
}

/// The file that a link leads to; one that leads to a folder or to nothing counts by where it points.
fn target_of(link: &Path) -> Option<Spot> {
    let data = fs::metadata(link).ok()?;
    data.is_file().then(|| Spot::of(&data))
}

fn unseen(error: &io::Error) -> Seen {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Seen::Missing,
        _ => Seen::Odd(format!("cannot be read: {error}")),
    }
}

/// Looks at a path and at all below, sorted. The path itself has the empty name; a link to a folder
/// that lies below counts by where it points.
pub(crate) fn look_below(path: &Path, links: Links) -> Vec<Item> {
    let top = Item {
        name: String::new(),
        path: path.to_owned(),
        seen: look(path, links),
    };
    let mut items = vec![top];
    let mut at = 0;
    while at < items.len() {
        // If the path itself is such a link, the files are there: on another disk, say.
        let is_link = at == 0 && matches!(items[at].seen, Seen::Link(_, None));
        if items[at].seen == Seen::Folder || is_link && path.is_dir() {
            match entries(&items[at]) {
                Ok(entries) => items.extend(entries),
                Err(error) => items[at].seen = unseen(&error),
            }
        }
        at += 1;
    }
    items.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    items
}

fn entries(folder: &Item) -> io::Result<Vec<Item>> {
    let entries = fs::read_dir(&folder.path)?;
    let items = entries.map(|entry| {
        let entry = entry?;
        let own = text(Path::new(&entry.file_name()));
        let path = entry.path();
        Ok(Item {
            name: match folder.name.as_str() {
                "" => own,
                above => format!("{above}/{own}"),
            },
            seen: look(&path, Links::Count),
            path,
        })
    });
    items.collect()
}

/// Why something is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    Changed,
    Missing,
    /// It was not there.
    New,
    /// Its stat differs, and nothing else was recorded of it.
    Unhashed,
    /// Why nobody can tell.
    Unsettled(String),
    Interrupted,
}

/// The entry of an item as of now, if it is equal to the recorded one.
pub(crate) fn compare(
    item: &Item,
    recorded: &Entry,
    files: &Files,
    progress: &mut Progress,
) -> Result<Entry, Difference> {
    let mut same = |spot, known| same_content(&item.path, spot, known, files, progress);
    match (&item.seen, recorded) {
        (Seen::File(spot), Entry::File(known)) => same(*spot, *known).map(Entry::File),
        (Seen::Folder, Entry::Folder) | (Seen::Missing, Entry::Missing) => Ok(recorded.clone()),
        (Seen::Link(to, Some(spot)), Entry::Link(then, Some(known))) if to == then => {
            Ok(Entry::Link(then.clone(), Some(same(*spot, *known)?)))
        }
        (Seen::Link(to, None), Entry::Link(then, None)) if to == then => Ok(recorded.clone()),
        (Seen::Odd(why), _) | (_, Entry::Unsettled(why)) => Err(Difference::Unsettled(why.clone())),
        (Seen::Missing, _) => Err(Difference::Missing),
        (_, Entry::Missing) => Err(Difference::New),
        _ => Err(Difference::Changed),
    }
}

fn same_content(
    path: &Path,
    spot: Spot,
    known: Known,
    files: &Files,
    progress: &mut Progress,
) -> Result<Known, Difference> {
    match known {
        Known(Some(stat), _) if stat == spot.stat => Ok(known),
        Known(_, None) => Err(Difference::Unhashed),
        Known(Some(stat), _) if stat.size() != spot.stat.size() => Err(Difference::Changed),
        Known(_, Some(hash)) => {
            let hashed = files.hash(path, spot.device, spot.stat, progress)?;
            if hashed.hash != hash {
                return Err(Difference::Changed);
            }
            let stat = hashed.is_settled.then_some(hashed.stat);
            Ok(Known(stat, Some(hash)))
        }
    }
}

impl From<Failure> for Difference {
    fn from(failure: Failure) -> Difference {
        match failure {
            Failure::Missing => Difference::Missing,
            Failure::BeingWritten => Difference::Unsettled("is being written".into()),
            Failure::Unreadable(why) => Difference::Unsettled(format!("cannot be read: {why}")),
            Failure::Interrupted => Difference::Interrupted,
        }
    }
}

/// How much of some items would be read, in bytes.
pub(crate) fn size_of<'a>(items: impl IntoIterator<Item = &'a Item>) -> u64 {
    let spots = items.into_iter().filter_map(|item| item.seen.spot());
    spots.map(|spot| spot.stat.size()).sum()
}
