//! The program of a pipeline as a syntax tree. No Python is started for it.

use std::path::Path;

use mlproject::file;
use tree_sitter::{Node, Parser, Tree};

use crate::error::InitError;

/// The longest program that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// How much of an expression is told.
const LONGEST: usize = 70;

/// A program and its tree.
pub(crate) struct Source {
    text: String,
    tree: Tree,
}

impl Source {
    /// Reads the program; where it is no Python the first such line is the error.
    pub(crate) fn load(path: &Path) -> Result<Source, InitError> {
        let bytes = file::read_regular(path, MAX_BYTES).map_err(|source| InitError::Read {
            path: path.to_owned(),
            source,
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            InitError::NotUtf8 {
                file: path.to_owned(),
                line: 1 + String::from_utf8_lossy(valid).matches('\n').count(),
            }
        })?;
        let source = Source::parse(&text);
        match source.first_error() {
            None => Ok(source),
            Some(node) => Err(InitError::Syntax {
                file: path.to_owned(),
                line: line(node),
                text: source.shortened(node),
            }),
        }
    }

    pub(crate) fn parse(text: &str) -> Source {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        let mut parser = Parser::new();
        parser
            .set_language(&tree_sitter_python::LANGUAGE.into())
            .expect("the grammar is of a version that the parser knows");
        let tree = parser
            .parse(&text, None)
            .expect("a language is set and nothing stops the parser");
        Source { text, tree }
    }

    pub(crate) fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }

    pub(crate) fn text(&self, node: Node) -> &str {
        &self.text[node.byte_range()]
    }

    /// An expression in one line, as much of it as a message needs.
    pub(crate) fn shortened(&self, node: Node) -> String {
        shortened(self.text(node))
    }

    /// The first node that is no Python. The tree may be deep: it is walked without recursion.
    fn first_error(&self) -> Option<Node<'_>> {
        if !self.root().has_error() {
            return None;
        }
        let mut cursor = self.tree.walk();
        loop {
            let node = cursor.node();
            if node.is_error() || node.is_missing() {
                return Some(node);
            }
            if node.has_error() && cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return Some(self.root());
                }
            }
        }
    }
}

/// The line on which a node begins, from 1.
pub(crate) fn line(node: Node) -> usize {
    node.start_position().row + 1
}

/// The named children, comments left out.
pub(crate) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor)
        .filter(|child| child.kind() != "comment")
        .collect()
}

/// A text in one line without control characters, as much of it as a message needs.
pub(crate) fn shortened(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let flowed: String = words
        .join(" ")
        .chars()
        .filter(|character| !character.is_control() && !is_invisible(*character))
        .collect();
    match flowed.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &flowed[..end]),
        None => flowed,
    }
}

/// Characters that end a line for YAML, change the direction of a text, or mark the order of bytes.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
