//! The parser's events to a graph of nodes.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::graph::{Content, Graph, Node, NodeId};
use super::scalar::scalar;
use super::source::{Source, quoted_length};
use super::tag::{mapping, sequence, tag_name};
use super::{Error, ErrorKind, MAX_DEPTH, MAX_INDENT, MAX_NODES, MAX_REPAIRS, error_at};

/// Composes the one document of a text.
///
/// YAML 1.2 wants the lines of a list in brackets and of a text in quotes to be indented deeper than
/// the block around them. PyYAML does not care, and a closing bracket below its key is common. Blanks
/// at the start of such lines mean nothing, so they are indented and the text is read again.
pub(super) fn load(mut text: String) -> Result<Graph, Error> {
    let mut repairs = 0;
    loop {
        let (mark, message) = match Composer::new(&text).document() {
            Ok(graph) => return Ok(graph),
            Err(Refusal::Error(error)) => return Err(error),
            Err(Refusal::Syntax(mark, message)) => (mark, message),
        };
        let lines = match message.as_str() {
            "invalid indentation"
            | "invalid indentation in flow construct"
            | "tab cannot be used as indentation" => mark.line()..=mark.line(),
            "invalid indentation in quoted scalar" => {
                let quoted = text.chars().skip(mark.index()).collect::<String>();
                let breaks = quoted[..quoted_length(&quoted)].matches('\n').count();
                mark.line() + 1..=mark.line() + breaks
            }
            _ => RangeInclusive::new(1, 0),
        };
        if lines.is_empty() || repairs == MAX_REPAIRS {
            return Err(error_at(mark, syntax_error(message)));
        }
        text = indented(&text, &lines);
        repairs += 1;
    }
}

fn syntax_error(message: String) -> ErrorKind {
    if message.ends_with("unknown anchor") {
        ErrorKind::UndefinedAlias
    } else if message.contains("tab") || message.contains("valid YAML whitespace") {
        ErrorKind::Tab
    } else {
        ErrorKind::Syntax(message)
    }
}

/// Indents lines, which count from 1, deeper than any block can be.
fn indented(text: &str, lines: &RangeInclusive<usize>) -> String {
    let numbered = text.split_inclusive('\n').zip(1..);
    let indent = |number| {
        if lines.contains(&number) {
            " ".repeat(MAX_INDENT)
        } else {
            String::new()
        }
    };
    numbered
        .map(|(line, number)| indent(number) + line)
        .collect()
}

enum Refusal {
    /// What the parser says, and where.
    Syntax(Marker, String),
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A list or mapping that is still open.
struct Open {
    node: NodeId,
    children: Vec<NodeId>,
    flow: bool,
}

struct Composer<'t> {
    source: Source<'t>,
    graph: Graph,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
}

impl<'t> Composer<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            source: Source::new(text),
            graph: Graph::default(),
            open: Vec::new(),
            anchors: HashMap::new(),
        }
    }

    fn document(mut self) -> Result<Graph, Refusal> {
        let mut documents = 0;
        for event in Parser::new_from_str(self.source.text) {
            let (event, span) =
                event.map_err(|error| Refusal::Syntax(*error.marker(), error.info().to_owned()))?;
            documents += usize::from(matches!(event, Event::DocumentStart(_)));
            if documents > 1 {
                return Err(error_at(span.start, ErrorKind::SecondDocument).into());
            }
            self.event(event, span)?;
        }
        self.source.check_rest()?;
        Ok(self.graph)
    }

    fn event(&mut self, event: Event, span: Span) -> Result<(), Error> {
        let here = |kind| error_at(span.start, kind);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_nothing =
                    text.is_empty() && style == ScalarStyle::Plain && anchor == 0 && tag.is_none();
                if is_nothing && self.open.last().is_some_and(|open| self.wants_key(open)) {
                    return Err(here(ErrorKind::MissingKey));
                }
                let text = self.scalar_text(text.into_owned(), style, span)?;
                let content = scalar(text, tag_name(tag).as_deref(), style).map_err(here)?;
                self.add(content, anchor, span)?;
            }
            Event::SequenceStart(anchor, tag) => {
                let content = sequence(tag_name(tag).as_deref()).map_err(here)?;
                self.start(content, anchor, span)?;
            }
            Event::MappingStart(anchor, tag) => {
                let content = mapping(tag_name(tag).as_deref()).map_err(here)?;
                self.start(content, anchor, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).copied();
                let node = known.filter(|node| self.open.iter().all(|open| open.node != *node));
                self.attach(node.ok_or_else(|| here(ErrorKind::RecursiveAlias))?);
            }
            _ => (),
        }
        Ok(())
    }

    fn wants_key(&self, open: &Open) -> bool {
        self.graph.nodes[open.node].content.pairs().is_some()
            && open.children.len().is_multiple_of(2)
    }

    fn add(&mut self, content: Content, anchor: usize, span: Span) -> Result<NodeId, Error> {
        let id = self.graph.nodes.len();
        if id >= MAX_NODES {
            return Err(error_at(span.start, ErrorKind::TooLarge));
        }
        self.graph.nodes.push(Node {
            line: span.start.line(),
            column: span.start.col() + 1,
            content,
        });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        self.attach(id);
        Ok(id)
    }

    fn attach(&mut self, id: NodeId) {
        match self.open.last_mut() {
            Some(open) => open.children.push(id),
            None => self.graph.root = Some(id),
        }
    }

    fn start(&mut self, content: Content, anchor: usize, span: Span) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            return Err(error_at(span.start, ErrorKind::TooDeep));
        }
        let in_flow = self.open.last().is_some_and(|open| open.flow);
        let flow = self.source.properties(span)? || in_flow;
        let node = self.add(content, anchor, span)?;
        self.open.push(Open {
            node,
            children: Vec::new(),
            flow,
        });
        Ok(())
    }

    fn end(&mut self) {
        let Some(Open { node, children, .. }) = self.open.pop() else {
            return;
        };
        match &mut self.graph.nodes[node].content {
            Content::Sequence(items) | Content::Pairs(items) => *items = children,
            Content::Mapping(pairs) | Content::Set(pairs) => {
                *pairs = children
                    .chunks_exact(2)
                    .map(|pair| (pair[0], pair[1]))
                    .collect();
            }
            Content::Scalar(_) | Content::Merge | Content::Equals => (),
        }
    }

    /// A scalar's text, corrected and checked where PyYAML reads the source otherwise.
    fn scalar_text(
        &mut self,
        mut text: String,
        style: ScalarStyle,
        span: Span,
    ) -> Result<String, Error> {
        let in_flow = self.open.last().is_some_and(|open| open.flow);
        let at_end = self.source.scalar(style, in_flow, span)?;
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        // YAML 1.2 ends a last line without a line break with one, YAML 1.1 does not.
        if is_block && at_end && !self.source.text.ends_with('\n') && text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
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
    }
}
