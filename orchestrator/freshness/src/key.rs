//! The keys of a step: texts that are equal when all that a step is made from is equal. Pure.

use blake3::Hasher;

use crate::record::Record;
use crate::tree::{Entry, Known, Part};

/// Texts by which one run of a step is told from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Of all that it was made from.
    pub all: String,
    /// Of its code alone.
    pub code: String,
}

/// Hashes over what is recorded but times and places.
pub(crate) fn keys(record: &Record) -> Keys {
    Keys {
        all: all(record),
        code: code(record),
    }
}

/// A hash over the code.
pub(crate) fn code(record: &Record) -> String {
    let mut hasher = Hasher::new();
    let commit = record.values.commit.as_deref();
    feed(&mut hasher, commit.unwrap_or("-"));
    feed_part(&mut hasher, &record.code);
    text(&hasher)
}

fn all(record: &Record) -> String {
    let mut hasher = Hasher::new();
    let values = &record.values;
    for value in [&values.entry_point, &values.command, &values.environment] {
        feed(&mut hasher, &value.shown);
    }
    feed(&mut hasher, values.commit.as_deref().unwrap_or("-"));
    for named in [&values.parameters, &values.variables] {
        for (name, value) in named {
            feed(&mut hasher, name);
            feed(
                &mut hasher,
                value.as_ref().map_or("-", |it| it.shown.as_str()),
            );
        }
        feed(&mut hasher, "");
    }
    for output in record.outputs.keys() {
        feed(&mut hasher, output);
    }
    let inputs = record
        .inputs
        .iter()
        .map(|(name, part)| (name.as_str(), part));
    for (name, part) in inputs.chain([("code", &record.code), ("programs", &record.programs)]) {
        feed(&mut hasher, name);
        feed_part(&mut hasher, part);
    }
    text(&hasher)
}

fn feed(hasher: &mut Hasher, text: &str) {
    hasher.update(text.as_bytes()).update(b"\0");
}

fn feed_part(hasher: &mut Hasher, part: &Part) {
    for (name, entry) in part {
        feed(hasher, name);
        let entry = match entry {
            Entry::File(known) => content(known),
            Entry::Link(to, known) => {
                format!("{to}\0{}", known.as_ref().map(content).unwrap_or_default())
            }
            other => format!("{other:?}"),
        };
        feed(hasher, &entry);
    }
}

fn text(hasher: &Hasher) -> String {
    hasher.finalize().to_hex()[..32].to_owned()
}

fn content(known: &Known) -> String {
    match known {
        Known(_, Some(hash)) => format!("{hash:?}"),
        Known(Some(stat), None) => format!("{} {}", stat.size(), stat.changed()),
        Known(None, None) => String::new(),
    }
}
