//! Strings: constants, f-strings, `str.format` and `%`.

use tree_sitter::Node;

use super::Interpreter;
use crate::source::children;
use crate::value::{Piece, Text, Value, append, constant};

impl<'t> Interpreter<'t> {
    pub(super) fn concatenated(&mut self, node: Node<'t>, parts: &[Node<'t>]) -> Value {
        let mut text = Text::new();
        for part in parts {
            match self.eval(*part) {
                Value::Text(more) => append(&mut text, &more),
                other => return self.first_unknown(node, &[other]),
            }
        }
        Value::Text(text)
    }

    pub(super) fn string(&mut self, node: Node<'t>) -> Value {
        let mut text = Text::new();
        let mut prefix = String::new();
        for part in children(node) {
            match part.kind() {
                "string_start" => {
                    let start = self.source.text(part);
                    prefix = start.trim_end_matches(['"', '\'']).to_ascii_lowercase();
                    if prefix.contains('b') {
                        return self.unknown(node);
                    }
                }
                "string_content" => {
                    let content = self.content(part, prefix.contains('r'));
                    append(&mut text, &[Piece::Literal(content)]);
                }
                "interpolation" => match self.interpolation(part) {
                    Ok(more) => append(&mut text, &more),
                    Err(unknown) => return unknown,
                },
                _ => {}
            }
        }
        Value::Text(text)
    }

    /// `{expression}` of an f-string, without a format.
    fn interpolation(&mut self, node: Node<'t>) -> Result<Text, Value> {
        let Some(expression) = node.child_by_field_name("expression") else {
            return Err(self.unknown(node));
        };
        let conversion = node.child_by_field_name("type_conversion");
        let is_plain = conversion.is_none_or(|conversion| self.source.text(conversion) == "!s")
            && node.child_by_field_name("format_specifier").is_none();
        let value = self.eval(expression);
        match self.stringify(&value) {
            Some(text) if is_plain => Ok(text),
            Some(_) => Err(self.unknown(node)),
            None => Err(self.first_unknown(node, &[value])),
        }
    }

    /// The characters between the quotes, escapes read.
    fn content(&self, node: Node<'t>, is_raw: bool) -> String {
        let mut out = String::new();
        let whole = self.source.text(node);
        let mut position = 0;
        for part in children(node) {
            let start = part.start_byte() - node.start_byte();
            out.push_str(&whole[position..start]);
            position = part.end_byte() - node.start_byte();
            let text = &whole[start..position];
            match part.kind() {
                "escape_interpolation" => out.push_str(&text[..1]),
                "escape_sequence" if !is_raw => push_escape(&mut out, text),
                _ => out.push_str(text),
            }
        }
        out.push_str(&whole[position..]);
        // As Python reads a file: every line break is a newline.
        out.replace("\r\n", "\n")
    }

    /// `"…".format(…)`.
    pub(super) fn format(
        &self,
        template: &str,
        positional: &[Value],
        named: &[(String, Value)],
    ) -> Option<Text> {
        let mut text = Text::new();
        let mut next = 0;
        let mut rest = template;
        while let Some(position) = rest.find(['{', '}']) {
            append(&mut text, &[Piece::Literal(rest[..position].to_owned())]);
            let brace = &rest[position..=position];
            rest = &rest[position + 1..];
            if let Some(behind) = rest.strip_prefix(brace) {
                append(&mut text, &[Piece::Literal(brace.to_owned())]);
                rest = behind;
                continue;
            }
            let (name, behind) = rest.split_once('}').filter(|_| brace == "{")?;
            rest = behind;
            let value = if name.is_empty() {
                next += 1;
                positional.get(next - 1)
            } else if let Ok(index) = name.parse::<usize>() {
                positional.get(index)
            } else {
                named
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value)
            };
            append(&mut text, &self.stringify(value?)?);
        }
        append(&mut text, &[Piece::Literal(rest.to_owned())]);
        Some(text)
    }

    /// `"…%s…" % value`.
    pub(super) fn percent(&self, node: Node, text: &[Piece], value: &Value) -> Value {
        let filled = constant(text).and_then(|template| self.fill(&template, value));
        let unknown = || self.first_unknown(node, std::slice::from_ref(value));
        filled.map_or_else(unknown, Value::Text)
    }

    fn fill(&self, template: &str, value: &Value) -> Option<Text> {
        let mut values = match value {
            Value::List(items) => items.iter(),
            other => std::slice::from_ref(other).iter(),
        };
        let mut text = Text::new();
        let mut rest = template;
        while let Some((before, behind)) = rest.split_once('%') {
            append(&mut text, &[Piece::Literal(before.to_owned())]);
            let (more, behind) = if let Some(behind) = behind.strip_prefix('%') {
                (vec![Piece::Literal("%".to_owned())], behind)
            } else if let Some(named) = behind.strip_prefix('(') {
                let (name, behind) = named.split_once(')')?;
                (
                    self.stringify(value.entry(name)?)?,
                    behind.strip_prefix(['s', 'd'])?,
                )
            } else {
                (
                    self.stringify(values.next()?)?,
                    behind.strip_prefix(['s', 'd'])?,
                )
            };
            append(&mut text, &more);
            rest = behind;
        }
        append(&mut text, &[Piece::Literal(rest.to_owned())]);
        Some(text)
    }
}

/// An escape of a Python string; an unknown one stands for itself.
fn push_escape(out: &mut String, escape: &str) {
    let digits = |digits: &str, radix| {
        u32::from_str_radix(digits, radix)
            .ok()
            .and_then(char::from_u32)
    };
    let body = &escape[1..];
    let character = match body.chars().next() {
        Some('\n' | '\r') => return,
        Some('n') => Some('\n'),
        Some('t') => Some('\t'),
        Some('r') => Some('\r'),
        Some('a') => Some('\u{7}'),
        Some('b') => Some('\u{8}'),
        Some('f') => Some('\u{c}'),
        Some('v') => Some('\u{b}'),
        Some(quote @ ('\\' | '\'' | '"')) => Some(quote),
        Some('x' | 'u' | 'U') => digits(&body[1..], 16),
        Some('0'..='7') => digits(body, 8),
        _ => None,
    };
    match character {
        Some(character) => out.push(character),
        None => out.push_str(escape),
    }
}
