//! The columns of an NDJSON file: the names that its objects have.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::ndjson::json::Likely;

/// Names in the order in which they first come.
#[derive(Clone, Default)]
pub struct Keys {
    names: Vec<String>,
    /// As they first stood in the file.
    likely: Vec<Likely>,
    columns: HashMap<String, usize>,
}

impl Keys {
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Adds a name, unless it is there.
    pub fn add(&mut self, raw: &[u8]) {
        let name = text(raw).into_owned();
        if !self.columns.contains_key(&name) {
            self.columns.insert(name.clone(), self.names.len());
            self.names.push(name);
            self.likely.push(Likely::new(raw));
        }
    }

    /// The name of a column as it first stood in the file.
    #[inline]
    pub fn likely(&self, column: usize) -> Option<&Likely> {
        self.likely.get(column)
    }

    /// The column of a name.
    pub fn find(&self, raw: &[u8]) -> Option<usize> {
        self.columns.get(&*text(raw)).copied()
    }
}

/// What a text means that stands like this between its quotes.
pub fn text(raw: &[u8]) -> Cow<'_, str> {
    let plain = String::from_utf8_lossy(raw);
    if !raw.contains(&b'\\') {
        return plain;
    }
    // Half of a pair of characters means nothing.
    serde_json::from_str(&format!("\"{plain}\"")).map_or(plain, Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_however_it_is_written() {
        let mut keys = Keys::default();
        for raw in ["b", "a", "\\u0062", "\u{e9}", "\\ud800"] {
            keys.add(raw.as_bytes());
        }
        assert_eq!(keys.names(), ["b", "a", "\u{e9}", "\\ud800"]);
        for (raw, column) in [
            ("a", Some(1)),
            ("\\u00e9", Some(2)),
            ("\\ud800", Some(3)),
            ("c", None),
        ] {
            assert_eq!(keys.find(raw.as_bytes()), column, "{raw}");
        }
    }
}
