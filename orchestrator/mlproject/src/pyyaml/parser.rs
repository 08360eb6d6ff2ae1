//! The events of a text: its values, and where collections begin and end.

use std::collections::HashMap;

use super::reader::Mark;
use super::scanner::{Kind, Scanner, Token};
use super::tag::STANDARD_TAG;
use super::{Error, ErrorKind, shortened};

#[derive(Debug)]
pub(super) enum Event {
    Alias(String),
    Scalar {
        properties: Properties,
        text: String,
        is_plain: bool,
    },
    SequenceStart(Properties),
    MappingStart(Properties),
    /// The end of the innermost collection that is open.
    End,
}

/// The anchor of a value, and its tag in full.
#[derive(Debug, Default)]
pub(super) struct Properties {
    pub(super) anchor: Option<String>,
    pub(super) tag: Option<String>,
}

/// What may stand between documents.
const BETWEEN_DOCUMENTS: [Kind; 3] = [Kind::Directive, Kind::DocumentStart, Kind::DocumentEnd];

type Read = Result<(Event, Mark), Error>;

pub(super) struct Parser<'t> {
    scanner: Scanner<'t>,
    /// What reads on: in the innermost collection that is open, then in those around it.
    states: Vec<fn(&mut Self) -> Read>,
    has_begun: bool,
    /// Where the token is that was taken last.
    last: Mark,
    /// What the handles of tags stand for.
    tag_handles: HashMap<String, String>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str) -> Result<Self, Error> {
        Ok(Self {
            scanner: Scanner::new(text)?,
            states: Vec::new(),
            has_begun: false,
            last: Mark::default(),
            tag_handles: HashMap::new(),
        })
    }

    /// The next event of the one document, none at its end.
    pub(super) fn next(&mut self) -> Result<Option<(Event, Mark)>, Error> {
        match self.states.pop() {
            Some(state) => state(self).map(Some),
            None if self.has_begun => self.finish().map(|()| None),
            None => {
                self.has_begun = true;
                self.document()
            }
        }
    }

    fn peek(&mut self) -> Result<Option<Kind>, Error> {
        Ok(self.scanner.peek()?.map(|token| token.kind))
    }

    fn next_is(&mut self, kinds: &[Kind]) -> Result<bool, Error> {
        Ok(self.peek()?.is_some_and(|kind| kinds.contains(&kind)))
    }

    fn take(&mut self) -> Result<Option<Token>, Error> {
        let token = self.scanner.next()?;
        self.last = token.as_ref().map_or(self.last, |token| token.mark);
        Ok(token)
    }

    fn take_if(&mut self, kind: Kind) -> Result<bool, Error> {
        Ok(self.peek()? == Some(kind) && self.take()?.is_some())
    }

    /// Where the next token is, or the end of the text.
    fn mark(&mut self) -> Result<Mark, Error> {
        let mark = self.scanner.peek()?.map(|token| token.mark);
        Ok(mark.unwrap_or_else(|| self.scanner.mark()))
    }

    fn error<T>(&mut self, kind: ErrorKind) -> Result<T, Error> {
        Err(self.mark()?.error(kind))
    }

    /// The error that the next token is not what should be there.
    fn unexpected<T>(&mut self, expected: &'static str) -> Result<T, Error> {
        let found = self.peek()?.map_or("the end of the text", Kind::name);
        let found = found.to_owned();
        self.error(ErrorKind::Expected { expected, found })
    }

    /// Begins the document; there is none in a text of nothing but comments.
    fn document(&mut self) -> Result<Option<(Event, Mark)>, Error> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let has_directives = self.directives()?;
        let is_marked = self.take_if(Kind::DocumentStart)?;
        if has_directives && !is_marked {
            return self.unexpected("`---` behind the directives");
        }
        if !is_marked || self.peek()?.is_some() && !self.next_is(&BETWEEN_DOCUMENTS)? {
            return self.node().map(Some);
        }
        Ok(Some(self.empty()))
    }

    /// Reads the directives before the document, and says whether there are any.
    fn directives(&mut self) -> Result<bool, Error> {
        let mut is_any = false;
        while self.peek()? == Some(Kind::Directive) {
            let Some(token) = self.take()? else { break };
            // The tags that mean something are short, and a long one would be copied often.
            let prefix = shortened(&token.text);
            let known = token
                .handle
                .map(|handle| self.tag_handles.insert(handle, prefix));
            if known.flatten().is_some() {
                return Err(token.mark.error(ErrorKind::RepeatedDirective));
            }
            is_any = true;
        }
        for (handle, prefix) in [("!", "!"), ("!!", STANDARD_TAG)] {
            let handle = self.tag_handles.entry(handle.to_owned());
            handle.or_insert_with(|| prefix.to_owned());
        }
        Ok(is_any)
    }

    /// Checks that nothing follows the document.
    fn finish(&mut self) -> Result<(), Error> {
        while self.take_if(Kind::DocumentEnd)? {}
        match self.peek()? {
            None => Ok(()),
            Some(kind) if BETWEEN_DOCUMENTS.contains(&kind) => {
                self.error(ErrorKind::SecondDocument)
            }
            Some(_) => self.unexpected("the end of the text"),
        }
    }

    /// A value that is left out.
    fn empty(&self) -> (Event, Mark) {
        (Event::left_out(Properties::default()), self.last)
    }

    /// Reads a value, or the start of a collection.
    fn node(&mut self) -> Read {
        let mark = self.mark()?;
        let properties = self.properties()?;
        self.content(properties, mark)
    }

    /// Reads a value, which is left out if one of these follows.
    fn node_unless(&mut self, follows: &[Kind]) -> Read {
        if self.next_is(follows)? {
            Ok(self.empty())
        } else {
            self.node()
        }
    }

    /// Reads a key or value of a block mapping, which may be a list at the column of the mapping.
    fn part_of_pair(&mut self) -> Read {
        if self.next_is(&[Kind::Key, Kind::Value, Kind::BlockEnd])? {
            return Ok(self.empty());
        }
        let mark = self.mark()?;
        let properties = self.properties()?;
        if self.peek()? == Some(Kind::BlockEntry) {
            self.states.push(Self::same_column_item);
            return Ok((Event::SequenceStart(properties), mark));
        }
        self.content(properties, mark)
    }

    /// Reads what stands behind a value's properties.
    fn content(&mut self, properties: Properties, mark: Mark) -> Read {
        let is_bare = properties.anchor.is_none() && properties.tag.is_none();
        let event = match self.peek()? {
            Some(Kind::BlockSequence) => {
                self.states.push(Self::block_item);
                Event::SequenceStart(properties)
            }
            Some(Kind::BlockMapping) => {
                self.states.push(Self::block_key);
                Event::MappingStart(properties)
            }
            Some(Kind::FlowSequence) => {
                self.states.push(Self::flow_item);
                Event::SequenceStart(properties)
            }
            Some(Kind::FlowMapping) => {
                self.states.push(Self::flow_key);
                Event::MappingStart(properties)
            }
            Some(Kind::Alias) if is_bare => return Ok((Event::Alias(self.take_text()?), mark)),
            Some(kind @ (Kind::PlainScalar | Kind::OtherScalar)) => {
                let event = Event::Scalar {
                    properties,
                    text: self.take_text()?,
                    is_plain: kind == Kind::PlainScalar,
                };
                return Ok((event, mark));
            }
            _ if !is_bare => return Ok((Event::left_out(properties), mark)),
            Some(Kind::Value) => return self.error(ErrorKind::MissingKey),
            _ => return self.unexpected("a value"),
        };
        self.take()?;
        Ok((event, mark))
    }

    fn take_text(&mut self) -> Result<String, Error> {
        let token = self.take()?;
        Ok(token.map_or_else(String::new, |token| token.text))
    }

    /// Reads an anchor and a tag, in either order.
    fn properties(&mut self) -> Result<Properties, Error> {
        let mut properties = Properties::default();
        loop {
            match self.peek()? {
                Some(Kind::Anchor) if properties.anchor.is_none() => {
                    properties.anchor = Some(self.take_text()?);
                }
                Some(Kind::Tag) if properties.tag.is_none() => {
                    properties.tag = self.take()?.map(|tag| self.tag_name(tag)).transpose()?;
                }
                _ => return Ok(properties),
            }
        }
    }

    /// A tag in full.
    fn tag_name(&self, tag: Token) -> Result<String, Error> {
        let Some(handle) = tag.handle else {
            return Ok(tag.text);
        };
        let name = |prefix: &str| format!("{prefix}{}", tag.text);
        let full = self.tag_handles.get(&handle).map(|prefix| name(prefix));
        let unknown = || ErrorKind::UnknownTag(shortened(&name(&handle)));
        full.ok_or_else(|| tag.mark.error(unknown()))
    }

    fn block_item(&mut self) -> Read {
        if !self.take_if(Kind::BlockEntry)? {
            return self.block_end("`-` or the end of the list");
        }
        self.states.push(Self::block_item);
        self.node_unless(&[Kind::BlockEntry, Kind::BlockEnd])
    }

    /// Reads an item of a list that stands at the column of the mapping that it is in.
    fn same_column_item(&mut self) -> Read {
        if !self.take_if(Kind::BlockEntry)? {
            return Ok((Event::End, self.last));
        }
        self.states.push(Self::same_column_item);
        self.node_unless(&[Kind::BlockEntry, Kind::Key, Kind::Value, Kind::BlockEnd])
    }

    fn block_key(&mut self) -> Read {
        if !self.take_if(Kind::Key)? {
            return self.block_end("a key or the end of the mapping");
        }
        self.states.push(Self::block_value);
        self.part_of_pair()
    }

    fn block_value(&mut self) -> Read {
        self.states.push(Self::block_key);
        if !self.take_if(Kind::Value)? {
            return Ok(self.empty());
        }
        self.part_of_pair()
    }

    fn block_end(&mut self, expected: &'static str) -> Read {
        match self.peek()? {
            Some(Kind::BlockEnd) => self.end(),
            Some(Kind::Value) => self.error(ErrorKind::MissingKey),
            Some(Kind::BlockSequence | Kind::BlockMapping) => self.error(ErrorKind::Indentation),
            _ => self.unexpected(expected),
        }
    }

    fn end(&mut self) -> Read {
        self.take()?;
        Ok((Event::End, self.last))
    }

    fn flow_item(&mut self) -> Read {
        if self.peek()? == Some(Kind::FlowSequenceEnd) {
            return self.end();
        }
        self.states.push(Self::after_flow_item);
        if self.peek()? == Some(Kind::Key) {
            self.states.push(Self::pair_key);
            return Ok((Event::MappingStart(Properties::default()), self.mark()?));
        }
        self.node()
    }

    fn after_flow_item(&mut self) -> Read {
        match self.peek()? {
            Some(Kind::FlowSequenceEnd) => self.end(),
            _ if self.take_if(Kind::FlowEntry)? => self.flow_item(),
            _ => self.unexpected("`,` or `]`"),
        }
    }

    /// Reads the key of a mapping of one pair that is written without braces: `[a: b]`.
    fn pair_key(&mut self) -> Read {
        self.take()?;
        self.states.push(Self::pair_value);
        self.node_unless(&[Kind::Value, Kind::FlowEntry, Kind::FlowSequenceEnd])
    }

    fn pair_value(&mut self) -> Read {
        self.states.push(|parser| Ok((Event::End, parser.last)));
        self.flow_value(Kind::FlowSequenceEnd)
    }

    fn flow_key(&mut self) -> Read {
        if self.peek()? == Some(Kind::FlowMappingEnd) {
            return self.end();
        }
        self.states.push(Self::after_flow_pair);
        if self.take_if(Kind::Key)? {
            self.states
                .push(|parser| parser.flow_value(Kind::FlowMappingEnd));
            return self.node_unless(&[Kind::Value, Kind::FlowEntry, Kind::FlowMappingEnd]);
        }
        self.states.push(|parser| Ok(parser.empty()));
        self.node()
    }

    fn after_flow_pair(&mut self) -> Read {
        match self.peek()? {
            Some(Kind::FlowMappingEnd) => self.end(),
            _ if self.take_if(Kind::FlowEntry)? => self.flow_key(),
            _ => self.unexpected("`,` or `}`"),
        }
    }

    fn flow_value(&mut self, end: Kind) -> Read {
        if !self.take_if(Kind::Value)? {
            return Ok(self.empty());
        }
        self.node_unless(&[Kind::FlowEntry, end])
    }
}

impl Event {
    fn left_out(properties: Properties) -> Self {
        Self::Scalar {
            properties,
            text: String::new(),
            is_plain: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn what_pyyaml_refuses_is_refused_with_its_place() {
        check(&[
            "a:\n\tb: 1\n => 2:1: a tab cannot",
            "a: 1\t\n => 1:5: a tab cannot",
            "a: [1,\t2]\n => 1:7: a tab cannot",
            "a: 1\n---\nb: 2\n => 2:1: a second document begins",
            "a: 1\n--- \n => 2:1: a second document begins",
            "...\na: 1\n => 1:1: expected a value, found `...`",
            "a: *x\n => 1:4: the alias has no anchor",
            "a: &x [*x]\n => 1:8: the alias stands inside",
            "a: &x 1\nb: &x 2\n => 2:4: the anchor `x` is defined twice",
            "a: &x.y 1\n => 1:4: the anchor name `x.y` is not",
            "a: 1\n[b]: 2\n => 2:1: a list or mapping cannot be a key",
            ": 1\n => 1:1: a `:` has no key before it",
            "{: 1}\n => 1:2: a `:` has no key before it",
            "a: b\u{7}\n => 1:5: the character U+0007 cannot stand",
            "# é\u{2028}b: \u{7f} => 2:4: the character U+007F cannot stand",
            "# a\n%YAML 2.0\n---\na: 1\n => 2:1: expected a directive",
            "%YAML 1.1\n%YAML 1.1\n---\n => 2:1: the directive is given twice",
            "%YAML 1.1\na: 1\n => 2:1: expected `---` behind the directives, found a text",
            "%>\n---\na: 1\n => 1:1: expected a directive",
            "%TAG!! !x\n---\n => 1:1: expected a directive",
            "{a: why?}\n => 1:8: expected `,` or `}`, found a key",
            "a: [1\n => 2:1: expected `,` or `]`, found the end of the text",
            "a: [b: 1}\n => 1:9: expected `,` or `]`, found `}`",
            "a: 1]\nb]: 2\n] => 3:1: expected a value, found `]`",
            "a: 'x\n => 1:4: the quote that begins here is not closed",
            "a: 'x\n---\n' => 1:4: the quote that begins here is not closed",
            "a: b: c\n => 1:5: `:` cannot stand here",
            "a: b\n  c: d\n => 2:4: `:` cannot stand here",
            "a: - b\n => 1:4: `-` cannot stand here",
            "a: 1\nb\nc: 2\n => 2:1: expected `:` behind this key",
            "a:\n    b: 1\n  c: 2\n => 3:3: the line is indented as none",
            "a: @b\n => 1:4: `@` cannot begin a text",
            "a: \"\\q\"\n => 1:5: `\\q` is no escape",
            "a: |x\n => 1:5: expected `+`, `-` or an indentation",
            "a: !x!y z\n => 1:4: the tag `!x!y` is not supported",
        ]);
    }

    #[test]
    fn collections_are_read_in_all_their_forms() {
        check(&[
            "a:\n- 1\n-\n- - 2\n  - 3\nb: 4 => {'a': [1, None, [2, 3]], 'b': 4}",
            "? a\n? - b\n  - c\n: d\n => 2:3: a list or mapping cannot be a key",
            "? a\n?\n: b\nc: !!str\n => {'a': None, None: 'b', 'c': ''}",
            "[a: b, ? c : d, ? e, f, ] => [{'a': 'b'}, {'c': 'd'}, {'e': None}, 'f']",
            "{a, b: , ? c, ? d : e, 'f':g, h:i} => {'a': None, 'b': None, 'c': None, 'd': 'e', 'f': 'g', 'h:i': None}",
            "[&x , !!str , ! ] => [None, '', None]",
            "%TAG ! tag:yaml.org,2002:\n%FOO\n---\n!str 1\n...\n...\n => 1",
            "---\n...\n => None",
            "a: {<<: !x {b: 1}} => {'a': {'b': 1}}",
            "x: &x !x {b: 1} => 1:4: the tag `!x` is not supported",
        ]);
    }
}
