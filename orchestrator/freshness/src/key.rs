//! The key of a step: text that is equal when all that a step is made from is equal. Pure.

use crate::record::Record;
use crate::tree::{Entry, Known};

/// A hash over all that is recorded but times and places.
pub(crate) fn key(record: &Record) -> String {
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
