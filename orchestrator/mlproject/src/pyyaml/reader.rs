//! The characters of a text, one after the other, each with its place.

use super::{Error, ErrorKind};

/// A place in a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    /// How many characters stand before it.
    pub(super) index: usize,
    /// The line, counted from 0.
    pub(super) line: usize,
    /// How many characters of its line stand before it.
    pub(super) column: usize,
}

impl Mark {
    pub(super) fn error(self, kind: ErrorKind) -> Error {
        Error {
            line: self.line + 1,
            column: self.column + 1,
            text: Box::default(),
            kind,
        }
    }
}

/// YAML 1.1's line breaks; `\r` is none, as the text has been read like a text file of Python.
pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a word or an indicator ends before this character, of which there is none at the end.
pub(super) fn ends_word(next: Option<char>) -> bool {
    next.is_none_or(|next| matches!(next, ' ' | '\t') || is_break(next))
}

/// What names of anchors, tag handles and directives are made of.
pub(super) fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

fn is_printable(character: char) -> bool {
    matches!(character, '\t' | '\n' | ' '..='~' | '\u{85}' | '\u{a0}'..)
        && !matches!(character, '\u{fffe}' | '\u{ffff}')
}

#[derive(Debug)]
pub(super) struct Reader<'t> {
    rest: &'t str,
    mark: Mark,
}

impl<'t> Reader<'t> {
    /// Starts behind a byte order mark; a character that cannot stand in YAML is an error.
    pub(super) fn new(text: &'t str) -> Result<Self, Error> {
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Self {
            rest,
            mark: Mark::default(),
        };
        let unprintable = rest.char_indices().find(|(_, next)| !is_printable(*next));
        let Some((offset, character)) = unprintable else {
            return Ok(reader);
        };
        while rest.len() - reader.rest.len() < offset {
            if reader.line_break().is_none() {
                reader.skip();
            }
        }
        Err(reader.mark.error(ErrorKind::Character(character)))
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'t str {
        self.rest
    }

    /// The next character; none at the end of the text.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// The character after the next one.
    pub(super) fn peek_second(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    /// Reads one character, which is no line break.
    pub(super) fn skip(&mut self) {
        self.take(self.peek().map_or(0, char::len_utf8));
    }

    /// Reads so many bytes, among which no line break is.
    pub(super) fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        let count = taken.chars().count();
        self.mark.index += count;
        self.mark.column += count;
        taken
    }

    /// Reads characters of a kind that no line break is of.
    pub(super) fn take_while(&mut self, is_kind: impl Fn(char) -> bool) -> &'t str {
        let length = self.rest.find(|next| !is_kind(next));
        self.take(length.unwrap_or(self.rest.len()))
    }

    pub(super) fn take_line(&mut self) -> &'t str {
        self.take_while(|next| !is_break(next))
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_while(|next| next == ' ');
    }

    pub(super) fn skip_comment(&mut self) {
        if self.peek() == Some('#') {
            self.take_line();
        }
    }

    /// Reads a line break, if there is one, and says what it means in a text: U+0085 is a newline.
    pub(super) fn line_break(&mut self) -> Option<char> {
        let next = self.peek().filter(|next| is_break(*next))?;
        self.rest = &self.rest[next.len_utf8()..];
        self.mark.index += 1;
        self.mark.line += 1;
        self.mark.column = 0;
        Some(if next == '\u{85}' { '\n' } else { next })
    }

    /// Whether a line begins here with this marker of a document's start or end.
    pub(super) fn is_at_marker(&self, marker: &str) -> bool {
        let rest = self.rest.strip_prefix(marker);
        self.mark.column == 0 && rest.is_some_and(|rest| ends_word(rest.chars().next()))
    }

    pub(super) fn is_at_any_marker(&self) -> bool {
        self.is_at_marker("---") || self.is_at_marker("...")
    }

    /// Checks that what was just read ends at a blank, at a line break or with the text.
    pub(super) fn expect_blank(&self, expected: &'static str) -> Result<(), Error> {
        match self.peek() {
            Some('\t') => Err(self.unexpected(expected)),
            next if ends_word(next) => Ok(()),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Reads the rest of a line, on which only a comment may stand.
    pub(super) fn finish_line(&mut self) -> Result<(), Error> {
        self.skip_blanks();
        self.skip_comment();
        if self.line_break().is_none() && self.peek().is_some() {
            return Err(self.unexpected("a comment or the end of the line"));
        }
        Ok(())
    }

    /// The error that something else stands here.
    pub(super) fn unexpected(&self, expected: &'static str) -> Error {
        let found = match self.peek() {
            Some('\t') => return self.mark.error(ErrorKind::Tab),
            None => "the end of the text".to_owned(),
            Some(next) if is_break(next) => "the end of the line".to_owned(),
            Some(next) => format!("`{next}`"),
        };
        self.mark.error(ErrorKind::Expected { expected, found })
    }
}
