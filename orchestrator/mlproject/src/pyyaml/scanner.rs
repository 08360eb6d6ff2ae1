//! The tokens of a text.
//!
//! That a text or a collection is a key shows only at the `:` behind it. Until then its token waits, so
//! that a key's token can be put before it. PyYAML looks for that `:` on the same line and no further
//! than 1024 characters away, which bounds what waits.

use std::collections::VecDeque;

use super::properties::{anchor, directive, tag};
use super::reader::{Mark, Reader, ends_word};
use super::scalar_text::{block, plain, quoted};
use super::{Error, ErrorKind};

/// How long a key may be that is not marked by `?`, in characters.
const MAX_KEY: usize = 1024;

pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) mark: Mark,
    /// The text of a scalar, the name of an alias, anchor or tag, what the handle of `%TAG` stands for.
    pub(super) text: String,
    /// The handle of a tag, or what a directive defines.
    pub(super) handle: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directive,
    DocumentStart,
    DocumentEnd,
    BlockSequence,
    BlockMapping,
    BlockEnd,
    BlockEntry,
    FlowSequence,
    FlowSequenceEnd,
    FlowMapping,
    FlowMappingEnd,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    PlainScalar,
    /// In quotes or as a block.
    OtherScalar,
}

impl Kind {
    /// What a message calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Directive => "a directive",
            Kind::DocumentStart => "`---`",
            Kind::DocumentEnd => "`...`",
            Kind::BlockSequence => "a list",
            Kind::BlockMapping => "a mapping",
            Kind::BlockEnd => "a line that is less indented",
            Kind::BlockEntry => "`-`",
            Kind::FlowSequence => "`[`",
            Kind::FlowSequenceEnd => "`]`",
            Kind::FlowMapping => "`{`",
            Kind::FlowMappingEnd => "`}`",
            Kind::FlowEntry => "`,`",
            Kind::Key => "a key",
            Kind::Value => "`:`",
            Kind::Alias => "an alias",
            Kind::Anchor => "an anchor",
            Kind::Tag => "a tag",
            Kind::PlainScalar | Kind::OtherScalar => "a text",
        }
    }

    fn at(self, mark: Mark) -> Token {
        self.with_text(mark, String::new())
    }

    fn with_text(self, mark: Mark, text: String) -> Token {
        Token {
            kind: self,
            mark,
            text,
            handle: None,
        }
    }
}

/// A token that is a key if a `:` follows in time.
struct PossibleKey {
    /// Which token it is, of all.
    number: usize,
    flow_level: usize,
    /// Whether nothing but a key can stand there: at the column of a block.
    is_required: bool,
    mark: Mark,
}

pub(super) struct Scanner<'t> {
    reader: Reader<'t>,
    /// What has been read and not been taken, and how much has been taken.
    tokens: VecDeque<Token>,
    taken: usize,
    is_finished: bool,
    /// The columns of the blocks that are open.
    indents: Vec<usize>,
    /// How many brackets are open.
    flow_level: usize,
    /// Whether a key may begin here; outside of brackets, whether a block may.
    allows_key: bool,
    /// At most one for each level of brackets, the outermost first.
    possible_keys: VecDeque<PossibleKey>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Result<Self, Error> {
        Ok(Self {
            reader: Reader::new(text)?,
            tokens: VecDeque::new(),
            taken: 0,
            is_finished: false,
            indents: Vec::new(),
            flow_level: 0,
            allows_key: true,
            possible_keys: VecDeque::new(),
        })
    }

    /// The next token; none at the end of the text.
    pub(super) fn peek(&mut self) -> Result<Option<&Token>, Error> {
        while self.needs_more()? {
            self.fetch()?;
        }
        Ok(self.tokens.front())
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Result<Option<Token>, Error> {
        self.peek()?;
        let token = self.tokens.pop_front();
        self.taken += usize::from(token.is_some());
        Ok(token)
    }

    /// Where the text ends, when all of it has been read.
    pub(super) fn mark(&self) -> Mark {
        self.reader.mark()
    }

    fn needs_more(&mut self) -> Result<bool, Error> {
        if self.is_finished || self.tokens.is_empty() {
            return Ok(!self.is_finished);
        }
        self.drop_stale_keys()?;
        let waiting = self.possible_keys.front();
        Ok(waiting.is_some_and(|key| key.number == self.taken))
    }

    /// Reads at least one token, or finishes.
    fn fetch(&mut self) -> Result<(), Error> {
        self.skip_to_token();
        self.drop_stale_keys()?;
        let column = self.reader.mark().column;
        self.close_blocks(Some(column));
        let Some(first) = self.reader.peek() else {
            self.is_finished = true;
            return self.leave_document();
        };
        let in_flow = self.flow_level > 0;
        let is_indicator = ends_word(self.reader.peek_second());
        match first {
            '%' if column == 0 => self.fetch_directive(),
            '-' if self.reader.is_at_marker("---") => self.fetch_marker(Kind::DocumentStart),
            '.' if self.reader.is_at_marker("...") => self.fetch_marker(Kind::DocumentEnd),
            '[' => self.fetch_flow_start(Kind::FlowSequence),
            '{' => self.fetch_flow_start(Kind::FlowMapping),
            ']' => self.fetch_flow_end(Kind::FlowSequenceEnd),
            '}' => self.fetch_flow_end(Kind::FlowMappingEnd),
            ',' => self.fetch_indicator(Kind::FlowEntry, true),
            '-' if is_indicator && in_flow => self.fetch_indicator(Kind::BlockEntry, true),
            '-' if is_indicator => self.fetch_block_indicator(Kind::BlockEntry),
            '?' if in_flow => self.fetch_indicator(Kind::Key, false),
            '?' if is_indicator => self.fetch_block_indicator(Kind::Key),
            ':' if in_flow || is_indicator => self.fetch_value(),
            '*' => self.fetch_possible_key(Kind::Alias, |reader| Ok((None, anchor(reader)?))),
            '&' => self.fetch_possible_key(Kind::Anchor, |reader| Ok((None, anchor(reader)?))),
            '!' => self.fetch_possible_key(Kind::Tag, tag),
            '|' | '>' if !in_flow => self.fetch_block_scalar(),
            '\'' | '"' => {
                self.fetch_possible_key(Kind::OtherScalar, |reader| Ok((None, quoted(reader)?)))
            }
            '\t' => Err(self.reader.mark().error(ErrorKind::Tab)),
            '|' | '>' | '%' | '@' | '`' => {
                Err(self.reader.mark().error(ErrorKind::FirstCharacter(first)))
            }
            _ => self.fetch_plain(),
        }
    }

    fn skip_to_token(&mut self) {
        loop {
            self.reader.skip_blanks();
            self.reader.skip_comment();
            if self.reader.line_break().is_none() {
                return;
            }
            if self.flow_level == 0 {
                self.allows_key = true;
            }
        }
    }

    /// Ends the blocks that are indented deeper than a column, or all of them; in brackets the
    /// indentation does not count.
    fn close_blocks(&mut self, column: Option<usize>) {
        let mark = self.reader.mark();
        let is_closed = |indent: &mut usize| column.is_none_or(|column| *indent > column);
        while self.flow_level == 0 && self.indents.pop_if(is_closed).is_some() {
            self.tokens.push_back(Kind::BlockEnd.at(mark));
        }
    }

    /// Whether a block begins at a column; it is open then.
    fn opens_block(&mut self, column: usize) -> bool {
        let is_deeper = self.indents.last().is_none_or(|indent| *indent < column);
        if is_deeper {
            self.indents.push(column);
        }
        is_deeper
    }

    /// Notes that the next token may be a key, if it may.
    fn save_possible_key(&mut self) -> Result<(), Error> {
        if !self.allows_key {
            return Ok(());
        }
        self.drop_possible_key()?;
        let mark = self.reader.mark();
        self.possible_keys.push_back(PossibleKey {
            number: self.taken + self.tokens.len(),
            flow_level: self.flow_level,
            is_required: self.flow_level == 0 && self.indents.last() == Some(&mark.column),
            mark,
        });
        Ok(())
    }

    /// The possible key in the innermost brackets, which is none any longer.
    fn take_possible_key(&mut self) -> Option<PossibleKey> {
        let flow_level = self.flow_level;
        self.possible_keys
            .pop_back_if(|key| key.flow_level == flow_level)
    }

    fn drop_possible_key(&mut self) -> Result<(), Error> {
        match self.take_possible_key() {
            Some(key) if key.is_required => Err(key.mark.error(ErrorKind::NoValue)),
            _ => Ok(()),
        }
    }

    /// Drops the keys whose `:` has not come in time. Outer keys stand before inner ones, so that they
    /// are the first to go.
    fn drop_stale_keys(&mut self) -> Result<(), Error> {
        let here = self.reader.mark();
        let is_stale = |key: &mut PossibleKey| {
            key.mark.line != here.line || here.index - key.mark.index > MAX_KEY
        };
        while let Some(key) = self.possible_keys.pop_front_if(is_stale) {
            if key.is_required {
                return Err(key.mark.error(ErrorKind::NoValue));
            }
        }
        Ok(())
    }

    fn leave_document(&mut self) -> Result<(), Error> {
        self.close_blocks(None);
        self.allows_key = false;
        self.drop_possible_key()
    }

    fn fetch_directive(&mut self) -> Result<(), Error> {
        self.leave_document()?;
        let mark = self.reader.mark();
        let (handle, text) = directive(&mut self.reader)?;
        self.tokens.push_back(Token {
            handle,
            ..Kind::Directive.with_text(mark, text)
        });
        Ok(())
    }

    /// Reads `---` or `...`.
    fn fetch_marker(&mut self, kind: Kind) -> Result<(), Error> {
        self.leave_document()?;
        self.tokens.push_back(kind.at(self.reader.mark()));
        self.reader.take("---".len());
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: Kind) -> Result<(), Error> {
        self.save_possible_key()?;
        self.flow_level += 1;
        self.allows_key = true;
        self.tokens.push_back(kind.at(self.reader.mark()));
        self.reader.skip();
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: Kind) -> Result<(), Error> {
        if self.flow_level == 0 {
            return Err(self.reader.unexpected("a value"));
        }
        self.fetch_indicator(kind, false)?;
        self.flow_level -= 1;
        Ok(())
    }

    /// Reads an indicator of one character that ends what could have been a key.
    fn fetch_indicator(&mut self, kind: Kind, allows_key: bool) -> Result<(), Error> {
        self.drop_possible_key()?;
        self.allows_key = allows_key;
        self.tokens.push_back(kind.at(self.reader.mark()));
        self.reader.skip();
        Ok(())
    }

    /// Reads `-` or `?` outside of brackets, where a block may begin with it.
    fn fetch_block_indicator(&mut self, kind: Kind) -> Result<(), Error> {
        let block = match kind {
            Kind::BlockEntry => Kind::BlockSequence,
            _ => Kind::BlockMapping,
        };
        self.open_block(block, kind.name())?;
        self.fetch_indicator(kind, true)
    }

    /// Opens a block, if none is open at this column.
    fn open_block(&mut self, block: Kind, indicator: &'static str) -> Result<(), Error> {
        let mark = self.reader.mark();
        if !self.allows_key {
            return Err(mark.error(ErrorKind::Misplaced(indicator)));
        }
        if self.opens_block(mark.column) {
            self.tokens.push_back(block.at(mark));
        }
        Ok(())
    }

    /// Reads `:`, by which what could have been a key is one.
    fn fetch_value(&mut self) -> Result<(), Error> {
        let in_flow = self.flow_level > 0;
        if let Some(PossibleKey { number, mark, .. }) = self.take_possible_key() {
            let place = number - self.taken;
            self.tokens.insert(place, Kind::Key.at(mark));
            if !in_flow && self.opens_block(mark.column) {
                self.tokens.insert(place, Kind::BlockMapping.at(mark));
            }
            return self.fetch_indicator(Kind::Value, false);
        }
        if !in_flow {
            self.open_block(Kind::BlockMapping, Kind::Value.name())?;
        }
        self.fetch_indicator(Kind::Value, !in_flow)
    }

    /// Reads a token that a key may begin with.
    fn fetch_possible_key(
        &mut self,
        kind: Kind,
        read: impl FnOnce(&mut Reader<'t>) -> Result<(Option<String>, String), Error>,
    ) -> Result<(), Error> {
        self.save_possible_key()?;
        self.allows_key = false;
        let mark = self.reader.mark();
        let (handle, text) = read(&mut self.reader)?;
        self.tokens.push_back(Token {
            handle,
            ..kind.with_text(mark, text)
        });
        Ok(())
    }

    fn fetch_plain(&mut self) -> Result<(), Error> {
        let indent = self.indents.last().map_or(0, |indent| indent + 1);
        let in_flow = self.flow_level > 0;
        let mut ends_line = false;
        self.fetch_possible_key(Kind::PlainScalar, |reader| {
            let plain = plain(reader, indent, in_flow);
            ends_line = plain.ends_line;
            Ok((None, plain.text))
        })?;
        self.allows_key = ends_line;
        Ok(())
    }

    fn fetch_block_scalar(&mut self) -> Result<(), Error> {
        self.drop_possible_key()?;
        self.allows_key = true;
        let mark = self.reader.mark();
        let least_indent = self.indents.last().map_or(1, |indent| indent + 1);
        let text = block(&mut self.reader, least_indent)?;
        self.tokens
            .push_back(Kind::OtherScalar.with_text(mark, text));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{printed, refused};
    use super::*;

    #[test]
    fn keys_end_on_their_line_and_within_their_length() {
        let key = |length| "k".repeat(length);
        for length in [1, MAX_KEY] {
            let text = format!("{}: 1\n", key(length));
            assert!(printed(&text).ends_with(": 1}"), "{length}");
        }
        assert_eq!(
            refused(&format!("{}: 1\n", key(MAX_KEY + 1))),
            ErrorKind::Misplaced("`:`")
        );
        assert_eq!(
            refused(&format!("a: 1\n{}: 1\n", key(MAX_KEY + 1))),
            ErrorKind::NoValue
        );
        assert_eq!(printed("{\"a\": 1, ? \"b\n c\" : 2}"), "{'a': 1, 'b c': 2}");
        assert!(printed("[a, \"b\"\n: 1]").starts_with("2:1: expected `,` or `]`"));
        assert_eq!(refused("\"a\n b\": 1"), ErrorKind::Misplaced("`:`"));
    }
}
