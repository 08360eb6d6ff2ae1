//! The graph of nodes to Python's objects: aliases and merge keys expanded, keys made unique.

use std::collections::HashMap;

use serde_yaml::{Mapping, Value};

use super::super::python_text::{self, carry, python_float};
use super::graph::{Content, Graph, NodeId};
use super::{Error, ErrorKind, MAX_DEPTH, MAX_EXPANDED_BYTES, MAX_NODES};

struct Builder<'g> {
    graph: &'g Graph,
    nodes: usize,
    bytes: usize,
}

/// The value of a whole document; nothing but comments is [`Value::Null`].
pub(super) fn build(graph: &Graph) -> Result<Value, Error> {
    let mut builder = Builder {
        graph,
        nodes: 0,
        bytes: 0,
    };
    graph
        .root
        .map_or(Ok(Value::Null), |root| builder.value(root, 0))
}

impl Builder<'_> {
    fn value(&mut self, id: NodeId, depth: usize) -> Result<Value, Error> {
        self.spend(id, 1, depth)?;
        let graph = self.graph;
        match &graph.nodes[id].content {
            Content::Scalar(value) => {
                self.bytes += text_length(value);
                self.spend(id, 0, depth)?;
                Ok(value.clone())
            }
            Content::Merge => Err(graph.error(id, ErrorKind::Special("<<"))),
            Content::Equals => Err(graph.error(id, ErrorKind::Special("="))),
            Content::Sequence(items) => {
                let items = items.iter().map(|item| self.value(*item, depth + 1));
                Ok(Value::Sequence(items.collect::<Result<_, _>>()?))
            }
            Content::Mapping(_) => Ok(Value::Mapping(self.mapping(id, depth)?)),
            Content::Set(_) => {
                let keys = self
                    .mapping(id, depth)?
                    .into_iter()
                    .map(|(key, _)| key)
                    .collect();
                Ok(carry(python_text::SET, Value::Sequence(keys)))
            }
            Content::Pairs(items) => {
                let items = items.iter().map(|item| self.tuple(*item, depth + 1));
                Ok(Value::Sequence(items.collect::<Result<_, _>>()?))
            }
        }
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
    fn tuple(&mut self, id: NodeId, depth: usize) -> Result<Value, Error> {
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
        Ok(carry(python_text::TUPLE, Value::Sequence(pair)))
    }

    /// A `dict`: a repeated key keeps its first place and takes its last value.
    fn mapping(&mut self, id: NodeId, depth: usize) -> Result<Mapping, Error> {
        let mut pairs = Vec::new();
        self.flatten(id, depth, &mut pairs)?;
        let mut mapping = Mapping::with_capacity(pairs.len());
        let mut numbers = HashMap::new();
        for (key, value) in pairs {
            let key = self.key(key, depth + 1, &mut numbers)?;
            mapping.insert(key, self.value(value, depth + 1)?);
        }
        Ok(mapping)
    }

    /// Collects the pairs of a mapping, those of its merge keys first.
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
        self.spend(id, 1 + own.len(), depth)?;
        let is_merge = |key: NodeId| matches!(graph.nodes[key].content, Content::Merge);
        for (_, source) in own.iter().filter(|(key, _)| is_merge(*key)) {
            match &graph.nodes[*source].content {
                // Of several mappings the first wins, and the last value that a dict is given wins.
                Content::Sequence(sources) | Content::Pairs(sources) => {
                    for source in sources.iter().rev() {
                        self.flatten(*source, depth + 1, pairs)?;
                    }
                }
                _ => self.flatten(*source, depth + 1, pairs)?,
            }
        }
        pairs.extend(own.iter().filter(|(key, _)| !is_merge(*key)));
        Ok(())
    }

    /// A key, in Python's sense of equality: `1`, `1.0` and `true` are one key, the first one seen.
    fn key(
        &mut self,
        id: NodeId,
        depth: usize,
        numbers: &mut HashMap<String, Value>,
    ) -> Result<Value, Error> {
        if matches!(self.graph.nodes[id].content, Content::Equals) {
            return Ok(Value::from("="));
        }
        let key = self.value(id, depth)?;
        let number = match &key {
            Value::Sequence(_) | Value::Mapping(_) => {
                return Err(self.graph.error(id, ErrorKind::UnhashableKey));
            }
            Value::Tagged(tagged) if tagged.tag == python_text::SET => {
                return Err(self.graph.error(id, ErrorKind::UnhashableKey));
            }
            Value::Bool(boolean) => u8::from(*boolean).to_string(),
            Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
                None => number.to_string(),
                Some(float) => {
                    let whole = float.is_finite() && float.fract() == 0.0;
                    let text = if whole {
                        format!("{:.0}", float + 0.0)
                    } else {
                        python_float(float)
                    };
                    let key = carry(python_text::FLOAT, Value::String(python_float(float)));
                    return Ok(numbers.entry(text).or_insert(key).clone());
                }
            },
            Value::Tagged(tagged) if tagged.tag == python_text::INT => {
                tagged.value.as_str().unwrap_or_default().to_owned()
            }
            _ => return Ok(key),
        };
        Ok(numbers.entry(number).or_insert(key).clone())
    }
}

fn text_length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Tagged(tagged) => text_length(&tagged.value),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::python_text::python_str;
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
            assert_eq!(python_str(&read.value["z"]), expected, "{text}");
        }
        assert_eq!(refused("{<<: 1}"), ErrorKind::Merge);
        assert_eq!(refused("a: <<"), ErrorKind::Special("<<"));
        assert_eq!(refused("a: ="), ErrorKind::Special("="));
    }
}
