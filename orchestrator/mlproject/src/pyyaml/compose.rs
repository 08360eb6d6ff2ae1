//! The parser's events to a graph of nodes.

use std::collections::HashMap;

use super::graph::{Content, Graph, Node, NodeId};
use super::parser::{Event, Parser, Properties};
use super::reader::Mark;
use super::scalar::scalar;
use super::tag::{mapping, sequence};
use super::{Dialect, Error, ErrorKind, MAX_DEPTH, MAX_NODES};

/// Composes the one document of a text.
pub(super) fn compose(text: &str, dialect: Dialect) -> Result<Graph, Error> {
    let mut parser = Parser::new(text)?;
    let mut composer = Composer {
        dialect,
        graph: Graph::default(),
        open: Vec::new(),
        anchors: HashMap::new(),
    };
    while let Some((event, mark)) = parser.next()? {
        composer.event(event, mark)?;
    }
    Ok(composer.graph)
}

struct Composer {
    dialect: Dialect,
    graph: Graph,
    /// The collections that are open, and what is in them so far.
    open: Vec<(NodeId, Vec<NodeId>)>,
    anchors: HashMap<String, NodeId>,
}

impl Composer {
    fn event(&mut self, event: Event, mark: Mark) -> Result<(), Error> {
        match event {
            Event::Alias(name) => self.alias(&name, mark),
            Event::Scalar {
                properties: Properties { anchor, tag },
                text,
                is_plain,
            } => {
                let content = scalar(text, tag.as_deref(), is_plain, self.dialect);
                let content = content.map_err(|kind| mark.error(kind))?;
                let refusal = None;
                let node = Node {
                    mark,
                    content,
                    refusal,
                };
                self.add(node, anchor).map(drop)
            }
            Event::SequenceStart(Properties { anchor, tag }) => {
                let read = sequence(tag.as_deref());
                self.start(read, Content::Sequence(Vec::new()), anchor, mark)
            }
            Event::MappingStart(Properties { anchor, tag }) => {
                let read = mapping(tag.as_deref());
                self.start(read, Content::Mapping(Vec::new()), anchor, mark)
            }
            Event::End => {
                self.end();
                Ok(())
            }
        }
    }

    fn alias(&mut self, name: &str, mark: Mark) -> Result<(), Error> {
        let known = self.anchors.get(name).copied();
        let node = known.ok_or_else(|| mark.error(ErrorKind::UndefinedAlias))?;
        if self.open.iter().any(|(open, _)| *open == node) {
            return Err(mark.error(ErrorKind::RecursiveAlias));
        }
        self.attach(node);
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: Option<String>) -> Result<NodeId, Error> {
        let id = self.graph.nodes.len();
        if id >= MAX_NODES {
            return Err(node.mark.error(ErrorKind::TooManyValues));
        }
        if let Some(name) = anchor {
            if self.anchors.contains_key(&name) {
                return Err(node.mark.error(ErrorKind::DuplicateAnchor(name)));
            }
            self.anchors.insert(name, id);
        }
        self.graph.nodes.push(node);
        self.attach(id);
        Ok(id)
    }

    fn attach(&mut self, id: NodeId) {
        match self.open.last_mut() {
            Some((_, children)) => children.push(id),
            None => self.graph.root = Some(id),
        }
    }

    /// Opens a collection; what stands in it counts even if its tag is refused.
    fn start(
        &mut self,
        read: Result<Content, ErrorKind>,
        untagged: Content,
        anchor: Option<String>,
        mark: Mark,
    ) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            return Err(mark.error(ErrorKind::TooDeep));
        }
        let (content, refusal) = match read {
            Ok(content) => (content, None),
            Err(kind) => (untagged, Some(kind)),
        };
        let node = Node {
            mark,
            content,
            refusal,
        };
        let node = self.add(node, anchor)?;
        self.open.push((node, Vec::new()));
        Ok(())
    }

    fn end(&mut self) {
        let Some((node, children)) = self.open.pop() else {
            return;
        };
        self.graph.nodes[node].content.fill(children);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::printed;

    #[test]
    fn lines_in_brackets_and_quotes_may_be_less_indented() {
        let table = [
            (
                "a:\n  b: [\n    1\n  ]\n  c: 2\n",
                "{'a': {'b': [1], 'c': 2}}",
            ),
            (
                "- a: {\nx: 1,\n y: 2\n}\n- b\n",
                "[{'a': {'x': 1, 'y': 2}}, 'b']",
            ),
            (
                "a:\n  b: \"x\n y\n\n  z\"\n  c: 1\n",
                "{'a': {'b': 'x y\\nz', 'c': 1}}",
            ),
            ("a: \"x\n\t y\"\n", "{'a': 'x y'}"),
            ("a:\n  b: 'it''s\n y'\n", "{'a': {'b': \"it's y\"}}"),
        ];
        for (text, expected) in table {
            assert_eq!(printed(text), expected, "{text}");
        }
        let many = "{\n},".repeat(60);
        assert_eq!(
            printed(&format!("a:\n  b: [{many}]")),
            format!("{{'a': {{'b': [{}]}}}}", vec!["{}"; 60].join(", "))
        );
    }
}
