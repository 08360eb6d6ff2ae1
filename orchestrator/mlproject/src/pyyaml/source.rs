//! The text beside the parser's events, where PyYAML is stricter than YAML 1.2.

use std::collections::HashSet;

use saphyr_parser::{Marker, ScalarStyle, Span};

use super::{Error, ErrorKind, MAX_INDICATORS, MAX_OPEN_BRACKETS, error_at_byte, shortened};

/// Refuses characters that cannot stand in YAML, and more structure than the parser should be given.
pub(super) fn check_characters(text: &str) -> Result<(), Error> {
    let (mut indicators, mut open) = (0, 0_usize);
    for (offset, character) in text.char_indices() {
        let kind = match character {
            '[' | '{' => {
                open += 1;
                (open > MAX_OPEN_BRACKETS).then_some(ErrorKind::TooDeep)
            }
            ']' | '}' => {
                open = open.saturating_sub(1);
                None
            }
            _ => (!is_printable(character)).then_some(ErrorKind::Character(character)),
        };
        indicators += usize::from("[]{},?:*&!'\"#".contains(character));
        let kind = kind.or((indicators > MAX_INDICATORS).then_some(ErrorKind::TooManyIndicators));
        if let Some(kind) = kind {
            return Err(error_at_byte(text, offset, kind));
        }
    }
    Ok(())
}

/// Refuses directives before the document that the parser passes over, of another YAML version too.
pub(super) fn check_directives(text: &str) -> Result<(), Error> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if let Some(directive) = line.strip_prefix('%') {
            let (name, rest) = directive.split_once([' ', '\n']).unwrap_or((directive, ""));
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let is_known = name != "YAML" || rest.trim_start().starts_with("1.");
            if name.is_empty() || !name.bytes().all(is_word) || !is_known {
                return Err(error_at_byte(text, offset, ErrorKind::Directive));
            }
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            break;
        }
        offset += line.len();
    }
    Ok(())
}

/// PyYAML's printable characters, less what it and the parser read differently: the three further line
/// breaks of YAML 1.1, and byte order marks that are not the first character.
fn is_printable(character: char) -> bool {
    matches!(character, '\t' | '\n' | ' '..='~' | '\u{a0}'..)
        && !matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// The text beside the events: what stands between scalars, which the parser does not report.
pub(super) struct Source<'t> {
    pub(super) text: &'t str,
    /// How far the text has been looked at, in bytes and in characters.
    byte: usize,
    character: usize,
    anchors: HashSet<&'t str>,
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            byte: 0,
            character: 0,
            anchors: HashSet::new(),
        }
    }

    /// Checks what stands behind the last event.
    pub(super) fn check_rest(&mut self) -> Result<(), Error> {
        self.check_gap(self.text.len()).map(drop)
    }

    /// The byte that a mark of the parser, which counts characters, stands for.
    fn byte_at(&mut self, mark: Marker) -> usize {
        let rest = &self.text[self.byte..];
        let ahead = mark.index().saturating_sub(self.character);
        let bytes = rest
            .char_indices()
            .nth(ahead)
            .map_or(rest.len(), |(byte, _)| byte);
        self.byte + bytes
    }

    /// Checks what stands up to `end`, and goes there.
    fn check_gap(&mut self, end: usize) -> Result<&'t str, Error> {
        let start = self.byte;
        let gap = &self.text[start..end];
        for code in code_lines(gap) {
            self.check_code(code, start + (code.as_ptr().addr() - gap.as_ptr().addr()))?;
        }
        self.go_to(end);
        Ok(gap)
    }

    fn go_to(&mut self, end: usize) {
        self.character += self.text[self.byte..end].chars().count();
        self.byte = end;
    }

    /// Checks indicators, tags and anchors, which PyYAML is stricter about.
    fn check_code(&mut self, code: &'t str, offset: usize) -> Result<(), Error> {
        if let Some(at) = code.find('\t') {
            return Err(error_at_byte(self.text, offset + at, ErrorKind::Tab));
        }
        for word in code.split([' ', '\n', ',', '[', ']', '{', '}']) {
            let Some(name) = word.strip_prefix('&') else {
                continue;
            };
            let kind = if !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            {
                ErrorKind::AnchorName(shortened(name))
            } else if !self.anchors.insert(name) {
                ErrorKind::DuplicateAnchor(shortened(name))
            } else {
                continue;
            };
            let at = word.as_ptr().addr() - code.as_ptr().addr();
            return Err(error_at_byte(self.text, offset + at, kind));
        }
        Ok(())
    }

    /// Checks the tag and anchor before a list or mapping; returns whether it is written in brackets.
    pub(super) fn properties(&mut self, span: Span) -> Result<bool, Error> {
        let start = self.byte_at(span.start);
        self.check_gap(start)?;
        let end = self.byte_at(span.end);
        let own = self.check_gap(end)?;
        Ok(code_lines(own).any(|code| code.contains(['[', '{'])))
    }

    /// Checks a scalar and what stands before it; returns whether it goes to the end of the text.
    pub(super) fn scalar(
        &mut self,
        style: ScalarStyle,
        in_flow: bool,
        span: Span,
    ) -> Result<bool, Error> {
        if span.is_empty() || span.start.index() < self.character {
            return Ok(false);
        }
        let start = self.byte_at(span.start);
        let gap = self.check_gap(start)?;
        let end = self.byte_at(span.end);
        let has_header = code_lines(gap).any(|code| code.contains(['|', '>']));
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if !(is_block && has_header) {
            self.check_gap(start + properties_length(&self.text[start..end]))?;
        }
        let own = &self.text[self.byte..end];
        let length = match style {
            ScalarStyle::Plain => {
                check_plain(own, in_flow)
                    .map_err(|(at, kind)| error_at_byte(self.text, self.byte + at, kind))?;
                own.len()
            }
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => quoted_length(own),
            // With a tag or without content, the parser's span includes the header line.
            ScalarStyle::Literal | ScalarStyle::Folded if !has_header => {
                self.check_gap(self.byte + own.find('\n').unwrap_or(own.len()))?;
                end - self.byte
            }
            ScalarStyle::Literal | ScalarStyle::Folded => own.len(),
        };
        self.go_to(self.byte + length);
        self.check_gap(end)?;
        Ok(end == self.text.len())
    }
}

/// The lines of a text between scalars, without their comments.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').map(|line| {
        let begins_comment =
            |at: usize| at == 0 || line[..at].ends_with([' ', '\t', ',', '[', ']', '{', '}']);
        let comment = line.match_indices('#').find(|(at, _)| begins_comment(*at));
        comment.map_or(line, |(at, _)| &line[..at])
    })
}

/// The length of the tag and anchor that a scalar begins with, of blanks and comments after them too.
fn properties_length(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n']);
        let end = match rest.chars().next() {
            Some('!' | '&') => rest.find([' ', '\t', '\n']),
            Some('#') if rest.len() < text.len() => rest.find('\n'),
            _ => return text.len() - rest.len(),
        };
        rest = &rest[end.unwrap_or(rest.len())..];
    }
}

fn check_plain(text: &str, in_flow: bool) -> Result<(), (usize, ErrorKind)> {
    if let Some(at) = text.find('\t') {
        return Err((at, ErrorKind::Tab));
    }
    match text
        .find('?')
        .or(text.starts_with([':', '|', '>']).then_some(0))
    {
        Some(at) if in_flow => {
            let message = "`?` and a first `:`, `|` or `>` have a meaning in brackets; put the text into quotes";
            Err((at, ErrorKind::Syntax(message.to_owned())))
        }
        _ => Ok(()),
    }
}

/// The length of a scalar in quotes, without what follows it.
pub(super) fn quoted_length(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate().skip(1).peekable();
    let quote = text.as_bytes().first().copied();
    while let Some((at, byte)) = bytes.next() {
        let next = bytes.peek().map(|(_, next)| *next);
        if byte == b'\\' && quote == Some(b'"')
            || byte == b'\'' && quote == next && quote == Some(byte)
        {
            bytes.next();
        } else if Some(byte) == quote {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::tests::printed;

    #[test]
    fn what_pyyaml_refuses_is_refused_with_its_place() {
        let table = [
            (
                "a:\n\tb: 1\n",
                "2:2: a tab cannot separate or indent; expected blanks",
            ),
            (
                "a: 1\t\n",
                "1:5: a tab cannot separate or indent; expected blanks",
            ),
            (
                "a: [1,\t2]\n",
                "1:7: a tab cannot separate or indent; expected blanks",
            ),
            (
                "a: 1\n---\nb: 2\n",
                "2:1: a second document begins; expected one",
            ),
            (
                "a: *x\n",
                "1:4: the alias has no anchor of that name before it",
            ),
            (
                "a: &x [*x]\n",
                "1:8: the alias stands inside of what it stands for",
            ),
            ("a: &x 1\nb: &x 2\n", "2:4: the anchor `x` is defined twice"),
            (
                "a: &x.y 1\n",
                "1:4: the anchor name `x.y` is not letters, digits, `-` and `_`",
            ),
            (
                "a: 1\n[b]: 2\n",
                "2:1: a list or mapping cannot be a key; expected a text or number",
            ),
            (
                ": 1\n",
                "1:1: a `:` has no key before it; expected `key: value`",
            ),
            (
                "a: b\u{7}\n",
                "1:5: the character U+0007 cannot stand in YAML; write it as an escape in double quotes",
            ),
            (
                "# a\u{2028}b: 1\n",
                "1:4: the character U+2028 cannot stand in YAML; write it as an escape in double quotes",
            ),
            (
                "# a\n%YAML 2.0\n---\na: 1\n",
                "2:1: expected a directive such as `%YAML 1.1` or `%TAG`",
            ),
            (
                "%>\n---\na: 1\n",
                "1:1: expected a directive such as `%YAML 1.1` or `%TAG`",
            ),
            ("{a: why?}\n", "1:8: "),
            ("a: [1\n", ""),
            ("a: 'x\n", ""),
            ("a: b: c\n", "1:5: "),
        ];
        for (text, expected) in table {
            assert!(parse(text).is_err(), "{text}");
            assert!(
                printed(text).starts_with(expected),
                "{text}: {}",
                printed(text)
            );
        }
    }
}
