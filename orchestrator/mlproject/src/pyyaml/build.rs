//! The graph of nodes to Python's objects: aliases and merge keys expanded, keys made unique.

use std::collections::HashMap;

use super::graph::{Content, Graph, NodeId};
use super::{Error, ErrorKind, MAX_DEPTH, MAX_EXPANDED_BYTES, MAX_NODES, Object};

struct Builder<'g> {
    graph: &'g Graph,
    nodes: usize,
    bytes: usize,
}

/// The value of a whole document; nothing but comments is [`Object::None`].
pub(super) fn build(graph: &Graph) -> Result<Object, Error> {
    let mut builder = Builder {
        graph,
        nodes: 0,
        bytes: 0,
    };
    graph
        .root
        .map_or(Ok(Object::None), |root| builder.value(root, 0))
}

impl Builder<'_> {
    fn value(&mut self, id: NodeId, depth: usize) -> Result<Object, Error> {
        self.spend(id, 1, depth)?;
        let graph = self.graph;
        if let Some(kind) = &graph.nodes[id].refusal {
            return Err(graph.error(id, kind.clone()));
        }
        match &graph.nodes[id].content {
            Content::Scalar(value) => self.scalar(id, value, depth),
            Content::Merge => Err(graph.error(id, ErrorKind::Special("<<"))),
            Content::Equals(_) => Err(graph.error(id, ErrorKind::Special("="))),
            Content::Sequence(items) => {
                let items = items.iter().map(|item| self.value(*item, depth + 1));
                Ok(Object::List(items.collect::<Result<_, _>>()?))
            }
            Content::Mapping(_) => Ok(Object::Dict(self.mapping(id, depth)?)),
            Content::Set(_) => {
                let keys = self
                    .mapping(id, depth)?
                    .into_iter()
                    .map(|(key, _)| key)
                    .collect();
                Ok(Object::Set(keys))
            }
            Content::Pairs(items) => {
                let items = items.iter().map(|item| self.tuple(*item, depth + 1));
                Ok(Object::List(items.collect::<Result<_, _>>()?))
            }
        }
    }

    fn scalar(&mut self, id: NodeId, value: &Object, depth: usize) -> Result<Object, Error> {
        self.bytes += value.text_length();
        self.spend(id, 0, depth)?;
        Ok(value.clone())
    }

    /// Counts what is built against the limits, at the node where it is built.
    fn spend(&mut self, id: NodeId, nodes: usize, depth: usize) -> Result<(), Error> {
        self.nodes += nodes;
        if depth > MAX_DEPTH {
            return Err(self.graph.error(id, ErrorKind::TooDeep));
        }
        if self.nodes > MAX_NODES || self.bytes > MAX_EXPANDED_BYTES {
            return Err(self.graph.error(id, ErrorKind::TooLarge));
        }
        Ok(())
    }

    /// One item of an `!!omap`: a mapping with one pair.
    fn tuple(&mut self, id: NodeId, depth: usize) -> Result<Object, Error> {
        let graph = self.graph;
        let Some(&[(key, value)]) = graph.nodes[id].content.pairs() else {
            return Err(graph.error(
                id,
                ErrorKind::Mismatch {
                    expected: "mappings of one pair",
                },
            ));
        };
        let pair = vec![self.value(key, depth + 1)?, self.value(value, depth + 1)?];
        Ok(Object::Tuple(pair))
    }

    /// A `dict`: a repeated key keeps its first place and takes its last value.
    fn mapping(&mut self, id: NodeId, depth: usize) -> Result<Vec<(Object, Object)>, Error> {
        let mut pairs = Vec::new();
        self.flatten(id, depth, &mut pairs)?;
        let mut dict: Vec<(Object, Object)> = Vec::with_capacity(pairs.len());
        let mut places = HashMap::new();
        for (key, value) in pairs {
            let id = key;
            let key = self.key(id, depth + 1)?;
            let Some(identity) = key.identity() else {
                return Err(self.graph.error(id, ErrorKind::UnhashableKey));
            };
            let value = self.value(value, depth + 1)?;
            if let Some(&place) = places.get(&identity) {
                let (_, known): &mut (Object, Object) = &mut dict[place];
                *known = value;
            } else {
                places.insert(identity, dict.len());
                dict.push((key, value));
            }
        }
        Ok(dict)
    }

    /// Collects the pairs of a mapping, those of its merge keys first. They are counted when they are
    /// built, and here only so that not too many of them are collected.
    fn flatten(
        &mut self,
        id: NodeId,
        depth: usize,
        pairs: &mut Vec<(NodeId, NodeId)>,
    ) -> Result<(), Error> {
        let graph = self.graph;
        let Some(own) = graph.nodes[id].content.pairs() else {
            return Err(graph.error(id, ErrorKind::Merge));
        };
        if self.nodes + pairs.len() + own.len() > MAX_NODES {
            return Err(graph.error(id, ErrorKind::TooLarge));
        }
        let is_merge = |key: NodeId| matches!(graph.nodes[key].content, Content::Merge);
        for (_, source) in own.iter().filter(|(key, _)| is_merge(*key)) {
            match &graph.nodes[*source].content {
                // Of several mappings the first wins, and the last value that a dict is given wins.
                Content::Sequence(sources) | Content::Pairs(sources) => {
                    for source in sources.iter().rev() {
                        self.merge(*source, depth + 1, pairs)?;
                    }
                }
                _ => self.merge(*source, depth + 1, pairs)?,
            }
        }
        pairs.extend(own.iter().filter(|(key, _)| !is_merge(*key)));
        Ok(())
    }

    /// Collects the pairs of a mapping that is merged into another one.
    fn merge(
        &mut self,
        id: NodeId,
        depth: usize,
        pairs: &mut Vec<(NodeId, NodeId)>,
    ) -> Result<(), Error> {
        self.spend(id, 1, depth)?;
        self.flatten(id, depth, pairs)
    }

    fn key(&mut self, id: NodeId, depth: usize) -> Result<Object, Error> {
        let graph = self.graph;
        match &graph.nodes[id].content {
            Content::Equals(text) => {
                self.spend(id, 1, depth)?;
                self.scalar(id, text, depth)
            }
            _ => self.value(id, depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::tests::refused;
    use super::*;

    #[test]
    fn merge_keys_come_first_and_lose() {
        let base = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\n";
        let table = [
            ("z: {b: 5, <<: *x}", "{'a': 1, 'b': 5}"),
            (
                "z: {<<: [*x, *y], d: 6}",
                "{'b': 2, 'c': 4, 'a': 1, 'd': 6}",
            ),
            ("z: {<<: *x, <<: *y}", "{'a': 1, 'b': 3, 'c': 4}"),
            ("z: {<<: {<<: *x, a: 7}}", "{'a': 7, 'b': 2}"),
            ("z: {'<<': 1}", "{'<<': 1}"),
        ];
        for (text, expected) in table {
            let read = parse(&format!("{base}{text}\n")).unwrap();
            assert_eq!(read.value.get("z").unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(
            parse("{=: 1, !!value x: 2}").unwrap().value.repr(),
            "{'=': 1, 'x': 2}"
        );
        assert_eq!(refused("{<<: 1}"), ErrorKind::Merge);
        assert_eq!(refused("a: <<"), ErrorKind::Special("<<"));
        assert_eq!(refused("a: ="), ErrorKind::Special("="));
    }
}
