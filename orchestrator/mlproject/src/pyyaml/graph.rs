//! The nodes of a document; an alias is a second edge to its anchor's node.

use std::cell::RefCell;
use std::collections::HashMap;

use super::reader::Mark;
use super::{Error, ErrorKind, MAX_DEPTH, Object};

pub(super) type NodeId = usize;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) content: Content,
    /// What is wrong with the tag of a list or mapping. It does not matter where the mapping is only
    /// merged into another one.
    pub(super) refusal: Option<ErrorKind>,
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar(Object),
    /// A plain `<<`: as a key it merges, anywhere else PyYAML refuses it.
    Merge,
    /// A plain `=`, or what has its tag: as a key it is a text, anywhere else PyYAML refuses it.
    Equals(Object),
    Sequence(Vec<NodeId>),
    Mapping(Vec<(NodeId, NodeId)>),
    /// `!!set`: a mapping of which only the keys count.
    Set(Vec<(NodeId, NodeId)>),
    /// `!!omap` and `!!pairs`: a sequence of mappings with one pair each.
    Pairs(Vec<NodeId>),
}

impl Content {
    pub(super) fn pairs(&self) -> Option<&[(NodeId, NodeId)]> {
        match self {
            Self::Mapping(pairs) | Self::Set(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// Puts the values into a collection that is still empty.
    pub(super) fn fill(&mut self, children: Vec<NodeId>) {
        match self {
            Self::Sequence(items) | Self::Pairs(items) => *items = children,
            Self::Mapping(pairs) | Self::Set(pairs) => {
                *pairs = children
                    .chunks_exact(2)
                    .map(|pair| (pair[0], pair[1]))
                    .collect();
            }
            Self::Scalar(_) | Self::Merge | Self::Equals(_) => (),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Option<NodeId>,
    /// The pairs of large mappings by their key, as far as they were asked for.
    index: RefCell<HashMap<NodeId, PairsByKey>>,
}

type PairsByKey = HashMap<String, (NodeId, NodeId)>;

/// From so many pairs on, going through a mapping for each of its keys would take long.
const LARGE: usize = 32;

impl Graph {
    pub(super) fn error(&self, id: NodeId, kind: ErrorKind) -> Error {
        self.nodes[id].mark.error(kind)
    }

    /// The text of a key.
    fn text(&self, key: NodeId) -> Option<&str> {
        match &self.nodes[key].content {
            Content::Scalar(Object::Str(text)) | Content::Equals(Object::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// The last pair of a mapping with that key, own pairs before merged ones.
    pub(super) fn find(
        &self,
        mapping: NodeId,
        name: &str,
        depth: usize,
    ) -> Option<(NodeId, NodeId)> {
        let pairs = self.nodes[mapping].content.pairs()?;
        let own = if pairs.len() < LARGE {
            let is_named = |(key, _): &&(NodeId, NodeId)| self.text(*key) == Some(name);
            pairs.iter().rev().find(is_named).copied()
        } else {
            let mut index = self.index.borrow_mut();
            let of_mapping = index.entry(mapping).or_insert_with(|| {
                let named = pairs
                    .iter()
                    .filter_map(|pair| Some((self.text(pair.0)?.to_owned(), *pair)));
                named.collect()
            });
            of_mapping.get(name).copied()
        };
        own.or_else(|| {
            let merges = pairs
                .iter()
                .rev()
                .filter(|(key, _)| matches!(self.nodes[*key].content, Content::Merge));
            let mut sources = merges.flat_map(|(_, value)| match &self.nodes[*value].content {
                Content::Sequence(items) => items.as_slice(),
                _ => std::slice::from_ref(value),
            });
            sources.find_map(|source| {
                if depth < MAX_DEPTH {
                    self.find(*source, name, depth + 1)
                } else {
                    None
                }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn of_many_keys_the_last_counts_too() {
        let many: String =
            (0..100).fold(String::new(), |text, key| text + &format!("key{key}: 1\n"));
        let read = parse(&format!("{many}{many}<<: {{other: 1}}\n")).unwrap();
        for (key, line) in [
            ("key0", Some(101)),
            ("key99", Some(200)),
            ("other", Some(201)),
            ("absent", None),
        ] {
            assert_eq!(read.line(&[key]), line, "{key}");
        }
    }

    #[test]
    fn keys_have_lines() {
        let text = "name: x\nbase: &base\n  epochs: 1\nentry_points:\n  main:\n    parameters:\n      <<: *base\n      \
                    rate: {type: float,\n        default: 1}\n    command: a\n    command: b\n  \"other one\": *base\n";
        let read = parse(text).unwrap();
        let table: [(&[&str], Option<usize>); 8] = [
            (&["name"], Some(1)),
            (&["entry_points", "main"], Some(5)),
            (
                &["entry_points", "main", "parameters", "rate", "default"],
                Some(9),
            ),
            (&["entry_points", "main", "command"], Some(11)),
            (&["entry_points", "main", "parameters", "epochs"], Some(3)),
            (&["entry_points", "other one"], Some(12)),
            (&["entry_points", "other one", "epochs"], Some(3)),
            (&["entry_points", "absent"], None),
        ];
        for (path, line) in table {
            assert_eq!(read.line(path), line, "{path:?}");
        }
    }
}
