//! YAML text to an [`Object`], read as PyYAML's `yaml.safe_load` reads it: by YAML 1.1.
//!
//! saphyr-parser, a YAML 1.2 parser, gives the events. Here they become a graph of nodes (an alias is
//! a second edge to its anchor's node), and the graph becomes a value, in which aliases and merge
//! keys are expanded. Plain scalars get their meaning by PyYAML's rules, and what PyYAML refuses
//! although YAML 1.2 allows it, above all tabs between tokens, is refused here too.
//!
//! Every step is bounded, for the text may be anything: see the limits below.

mod build;
mod compose;
mod graph;
mod number;
mod object;
mod repr;
mod scalar;
mod source;
mod tag;
mod timestamp;

use saphyr_parser::Marker;
use thiserror::Error;

use self::build::build;
use self::compose::load;
use self::graph::Graph;
use self::source::{check_characters, check_directives};

pub use self::object::Object;
pub use self::repr::repr_str;

/// The longest text that is read at all, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// How deep lists and mappings may nest, aliases and merge keys expanded.
const MAX_DEPTH: usize = 100;
/// How many keys, values and items a document may have, aliases and merge keys expanded.
const MAX_NODES: usize = 50_000;
/// How many bytes the strings of a document may have, aliases and merge keys expanded.
const MAX_EXPANDED_BYTES: usize = 4 * MAX_BYTES;
/// How many of YAML's indicator characters a text may have, wherever they stand, and how many of its
/// brackets may be open at once. The parser reads a flow collection to its end before it gives the
/// first event of it, so these limits are the ones that hold its memory and time.
const MAX_INDICATORS: usize = 50_000;
const MAX_OPEN_BRACKETS: usize = 1_000;
/// How often a text may be less indented than YAML 1.2 wants, and the columns by which it is
/// indented then, see [`load`].
const MAX_REPAIRS: usize = 50;
const MAX_INDENT: usize = 2 * MAX_DEPTH;
/// The longest integer that Python prints, in decimal digits.
const MAX_DIGITS: usize = 4300;

/// A document that could not be read; `line` and `column` count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct Error {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
    /// What is wrong.
    pub kind: ErrorKind,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum ErrorKind {
    #[error("the text has {bytes} bytes; expected at most {MAX_BYTES}")]
    TooLong { bytes: usize },
    #[error(
        "the text has too many of the characters of lists and mappings; expected at most {MAX_INDICATORS}"
    )]
    TooManyIndicators,
    #[error("lists and mappings are nested too deeply; expected at most {MAX_DEPTH} levels")]
    TooDeep,
    #[error(
        "the document grows too large with its aliases expanded; expected at most {MAX_NODES} values"
    )]
    TooLarge,
    #[error("the character U+{:04X} cannot stand in YAML; write it as an escape in double quotes", u32::from(*.0))]
    Character(char),
    #[error("a tab cannot separate or indent; expected blanks")]
    Tab,
    #[error("{0}")]
    Syntax(String),
    #[error("expected a directive such as `%YAML 1.1` or `%TAG`")]
    Directive,
    #[error("a second document begins; expected one")]
    SecondDocument,
    #[error("the anchor name `{0}` is not letters, digits, `-` and `_`")]
    AnchorName(String),
    #[error("the anchor `{0}` is defined twice")]
    DuplicateAnchor(String),
    #[error("the alias has no anchor of that name before it")]
    UndefinedAlias,
    #[error("the alias stands inside of what it stands for")]
    RecursiveAlias,
    #[error("the tag `{0}` is not supported; expected a standard one such as `!!str`, or none")]
    UnknownTag(String),
    #[error("`{text}` is not a valid {kind}; put it into quotes if a text is meant")]
    Scalar { kind: &'static str, text: String },
    #[error("the tag asks for {expected}, but the value is none")]
    Mismatch { expected: &'static str },
    #[error("`{0}` has a special meaning in YAML; put it into quotes if a text is meant")]
    Special(&'static str),
    #[error("`<<` merges mappings; expected a mapping or a list of mappings")]
    Merge,
    #[error("a `:` has no key before it; expected `key: value`")]
    MissingKey,
    #[error("a list or mapping cannot be a key; expected a text or number")]
    UnhashableKey,
}

/// A document as Python's object, and where its keys are written.
#[derive(Debug)]
pub struct Document {
    /// What the document says.
    pub value: Object,
    graph: Graph,
}

impl Document {
    /// The line, counted from 1, of the mapping key at `path`.
    ///
    /// Keys count that came in by an alias or a merge key; of a repeated key it is the last, whose
    /// value holds.
    pub fn line(&self, path: &[&str]) -> Option<usize> {
        let mut node = self.graph.root?;
        let mut line = None;
        for name in path {
            let (key, value) = self.graph.find(node, name, 0)?;
            line = Some(self.graph.nodes[key].line);
            node = value;
        }
        line
    }
}

/// Reads a text as `yaml.safe_load` would; nothing but comments is [`Object::None`].
pub fn parse(text: &str) -> Result<Document, Error> {
    if text.len() > MAX_BYTES {
        return Err(Error {
            line: 1,
            column: 1,
            kind: ErrorKind::TooLong { bytes: text.len() },
        });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // As Python opens a text file: every line break is a newline.
    let mut text = text.replace("\r\n", "\n").replace('\r', "\n");
    check_characters(&text)?;
    check_directives(&text)?;
    // The parser would take an unfinished last line of blanks for a line of a block scalar.
    let end = text.trim_end_matches(' ').len();
    if text[..end].ends_with('\n') {
        text.truncate(end);
    }
    let graph = load(text)?;
    let value = build(&graph)?;
    Ok(Document { value, graph })
}

fn error_at_byte(text: &str, offset: usize, kind: ErrorKind) -> Error {
    let before = &text[..offset];
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |line| line.chars().count());
    Error {
        line: before.matches('\n').count() + 1,
        column: column + 1,
        kind,
    }
}

fn error_at(mark: Marker, kind: ErrorKind) -> Error {
    Error {
        line: mark.line(),
        column: mark.col() + 1,
        kind,
    }
}

/// As much of a text as a message needs.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    let end = text
        .char_indices()
        .nth(LONGEST)
        .map_or(text.len(), |(end, _)| end);
    let dots = if end < text.len() { "…" } else { "" };
    format!("{}{dots}", text[..end].escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    pub(super) fn printed(text: &str) -> String {
        parse(text).map_or_else(
            |error| format!("{}:{}: {error}", error.line, error.column),
            |read| read.value.to_string(),
        )
    }

    pub(super) fn refused(text: &str) -> ErrorKind {
        parse(text).expect_err(text).kind
    }

    #[test]
    fn documents_become_python_objects() {
        let table = [
            ("", "None"),
            ("# nothing\n", "None"),
            (
                "\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n",
                "{'a': 1, 'b': 'x\\ny\\n'}",
            ),
            (
                "a: &x [1, {b: c}]\nd: *x\n",
                "{'a': [1, {'b': 'c'}], 'd': [1, {'b': 'c'}]}",
            ),
            ("a: 1\nb: 2\na: 3\n", "{'a': 3, 'b': 2}"),
            ("{1: a, true: b, 1.0: c, 1.5: d}", "{1: 'c', 1.5: 'd'}"),
            (
                "{0x10000000000000000: a, 18446744073709551616.0: b}",
                "{18446744073709551616: 'b'}",
            ),
            (
                "{null: a, 2020-01-01: b}",
                "{None: 'a', datetime.date(2020, 1, 1): 'b'}",
            ),
            ("a: >-\n  x\n  y\n\n  z\n", "{'a': 'x y\\nz'}"),
            ("a: |\n  x", "{'a': 'x'}"),
            ("a: |\n  x\n  ", "{'a': 'x\\n'}"),
            (
                "a: |\n  | x\ty\nb: !!str |\n  !x\ty\n",
                "{'a': '| x\\ty\\n', 'b': '!x\\ty\\n'}",
            ),
            ("a: \"x\ty\" # c\td\n", "{'a': 'x\\ty'}"),
            ("=: 1", "{'=': 1}"),
        ];
        for (text, expected) in table {
            assert_eq!(printed(text), expected, "{text}");
        }
    }

    #[test]
    fn hostile_documents_are_bounded() {
        let laughs = |first: &str, item: &str| {
            let line = |level: usize| {
                format!(
                    "a{level}: &a{level} {}\n",
                    item.replace('*', &format!("*a{}", level - 1))
                )
            };
            (1..30).fold(format!("a0: &a0 {first}\n"), |text, level| {
                text + &line(level)
            })
        };
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        let long = format!(
            "a: &a '{}'\nb: [{}]\n",
            "x".repeat(10_000),
            "*a,".repeat(1000)
        );
        let digits = |count| "9".repeat(count);
        assert_eq!(
            refused(&"a".repeat(MAX_BYTES + 1)),
            ErrorKind::TooLong {
                bytes: MAX_BYTES + 1
            }
        );
        assert_eq!(refused(&laughs("[x]", "[*, *, *, *]")), ErrorKind::TooLarge);
        assert_eq!(
            refused(&laughs("{x: 1}", "{<<: [*, *, *, *]}")),
            ErrorKind::TooLarge
        );
        assert_eq!(refused(&laughs("{x: 1}", "[[[[*]]]]")), ErrorKind::TooDeep);
        assert_eq!(refused(&long), ErrorKind::TooLarge);
        assert_eq!(refused(&"- a\n".repeat(MAX_NODES)), ErrorKind::TooLarge);
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(refused(&nested(MAX_DEPTH + 1)), ErrorKind::TooDeep);
        assert_eq!(refused(&nested(MAX_OPEN_BRACKETS + 1)), ErrorKind::TooDeep);
        assert_eq!(refused(&"- ".repeat(MAX_DEPTH + 1)), ErrorKind::TooDeep);
        assert_eq!(
            refused(&format!("[{}", "a,".repeat(MAX_INDICATORS))),
            ErrorKind::TooManyIndicators
        );
        assert_eq!(printed(&digits(MAX_DIGITS)), digits(MAX_DIGITS));
        assert!(matches!(
            refused(&digits(MAX_DIGITS + 1)),
            ErrorKind::Scalar { .. }
        ));
    }
}
