//! YAML text to an [`Object`], read as PyYAML's `yaml.safe_load` reads it: by YAML 1.1.
//!
//! The reader gives characters, the scanner tokens, the parser events, one at a time. Of these a graph
//! of nodes is composed (an alias is a second edge to its anchor's node), and of the graph a value is
//! built, in which aliases and merge keys are expanded. Plain scalars get their meaning by PyYAML's rules.
//! Its scanner has rules of its own, which neither version of YAML has: they are all kept, so that
//! exactly what PyYAML takes is taken. The conformance tests compare the two on mutated texts.
//!
//! Every step is bounded, for the text may be anything: see the limits below.

mod build;
mod compose;
mod graph;
mod kind;
mod number;
mod object;
mod parser;
mod properties;
mod reader;
mod repr;
mod scalar;
mod scalar_text;
mod scanner;
mod tag;
mod timestamp;

use std::borrow::Cow;

use thiserror::Error;

use self::build::build;
use self::compose::compose;
use self::graph::Graph;
use self::reader::is_break;

pub use self::object::Object;
pub use self::repr::repr_str;

/// The longest text that is read at all, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// How deep lists and mappings may nest, aliases and merge keys expanded.
pub(crate) const MAX_DEPTH: usize = 100;
/// How many keys, values and items a document may have, aliases and merge keys expanded.
const MAX_NODES: usize = 200_000;
/// How many bytes the strings of a document may have, aliases and merge keys expanded.
const MAX_EXPANDED_BYTES: usize = 4 * MAX_BYTES;
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
    /// The text of the line, without its break.
    pub text: Box<str>,
    /// What is wrong.
    pub kind: ErrorKind,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum ErrorKind {
    #[error("the text has {bytes} bytes; expected at most {MAX_BYTES}")]
    TooLong { bytes: usize },
    #[error("the text has too many keys, values and items; expected at most {MAX_NODES}")]
    TooManyValues,
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
    #[error("expected {expected}, found {found}")]
    Expected {
        expected: &'static str,
        found: String,
    },
    #[error("`{0}` cannot begin a text; put the text into quotes")]
    FirstCharacter(char),
    #[error(
        "{0} cannot stand here; expected a new line, or quotes around the text if it is part of one"
    )]
    Misplaced(&'static str),
    #[error("expected `:` behind this key")]
    NoValue,
    #[error("the line is indented as none of the lines that it could belong to")]
    Indentation,
    #[error("the quote that begins here is not closed")]
    OpenQuote,
    #[error("`{0}` is no escape; write a backslash as `\\\\`, or put the text into single quotes")]
    Escape(String),
    #[error("the escape `{0}` is half a character, which no text can have")]
    Surrogate(String),
    #[error("an escape in a tag should be bytes of UTF-8 such as `%C3%BC`")]
    TagEscape,
    #[error("expected a directive such as `%YAML 1.1` or `%TAG`")]
    Directive,
    #[error("the directive is given twice")]
    RepeatedDirective,
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
            line = Some(self.graph.nodes[key].mark.line + 1);
            node = value;
        }
        line
    }
}

/// Whose rules say what a plain scalar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `yaml.safe_load`.
    PyYaml,
    /// `OmegaConf.load`: `1e-3` is a number, and what looks like a date is a text.
    OmegaConf,
}

/// Reads a text as `yaml.safe_load` would; nothing but comments is [`Object::None`].
pub fn parse(text: &str) -> Result<Document, Error> {
    parse_as(text, Dialect::PyYaml)
}

/// As [`parse`], by the rules of another reader.
pub fn parse_as(text: &str, dialect: Dialect) -> Result<Document, Error> {
    if text.len() > MAX_BYTES {
        return Err(Error {
            line: 1,
            column: 1,
            text: Box::default(),
            kind: ErrorKind::TooLong { bytes: text.len() },
        });
    }
    // As Python opens a text file: every line break is a newline.
    let text = if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    };
    let read = |text| {
        let graph = compose(text, dialect)?;
        let value = build(&graph)?;
        Ok(Document { value, graph })
    };
    read(&text).map_err(|error: Error| {
        let line = text.split(is_break).nth(error.line - 1);
        let text = line.unwrap_or_default().trim_start_matches('\u{feff}');
        Error {
            text: text.into(),
            ..error
        }
    })
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

    /// Checks what is printed of texts, or how that begins: `TEXT => EXPECTED`.
    #[track_caller]
    pub(super) fn check(table: &[&str]) {
        for row in table {
            let (text, expected) = row.split_once(" => ").expect(row);
            let printed = printed(text);
            assert!(printed.starts_with(expected), "{text:?}: {printed}");
        }
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
        assert_eq!(
            refused(&"- a\n".repeat(MAX_NODES)),
            ErrorKind::TooManyValues
        );
        assert!(parse(&"a: 1\n".repeat(MAX_NODES / 2 - 1)).is_ok());
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(refused(&nested(MAX_DEPTH + 1)), ErrorKind::TooDeep);
        assert_eq!(refused(&"[".repeat(MAX_BYTES)), ErrorKind::TooDeep);
        assert_eq!(refused(&"- ".repeat(MAX_DEPTH + 1)), ErrorKind::TooDeep);
        assert_eq!(
            refused(&format!("[{}", "a,".repeat(MAX_NODES))),
            ErrorKind::TooManyValues
        );
        assert_eq!(printed(&digits(MAX_DIGITS)), digits(MAX_DIGITS));
        assert!(matches!(
            refused(&digits(MAX_DIGITS + 1)),
            ErrorKind::Scalar { .. }
        ));
    }
}
