//! The top-level values of a JSON object, as they stand in the text.
//!
//! Checks all of the grammar, but makes nothing of the values: a line that stays is copied.

use crate::failure::Fault;

/// How deep values may be within values.
const DEEPEST: usize = 127;

/// The end of a line; stands for that of the text, too.
const END: u8 = b'\n';

/// A value of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    /// `NaN`, which is no JSON but what some write.
    NotANumber,
    Number(&'a [u8]),
    /// What is between its quotes, with its escapes.
    Text(&'a [u8]),
    Other,
}

/// Takes what an object holds.
pub trait Members<'a> {
    /// The name that probably comes next. To compare with it is faster than to look for the end of the
    /// name.
    fn likely(&self) -> Option<&Likely> {
        None
    }

    /// Takes the name, as it stands between its quotes, or without one the likely name.
    fn take(&mut self, name: Option<&'a [u8]>, value: Value<'a>);
}

impl<'a, F: FnMut(&'a [u8], Value<'a>)> Members<'a> for F {
    fn take(&mut self, name: Option<&'a [u8]>, value: Value<'a>) {
        self(name.unwrap_or_default(), value);
    }
}

/// A name in its quotes, with the colon behind it.
#[derive(Clone)]
pub struct Likely {
    text: Vec<u8>,
    /// Its first bytes, which are compared at once, and the bits of them that count.
    head: u128,
    mask: u128,
}

impl Likely {
    pub fn new(name: &[u8]) -> Self {
        let text = [b"\"", name, b"\":"].concat();
        let (mut head, mut mask) = ([0; 16], [0; 16]);
        for ((byte, head), mask) in text.iter().zip(&mut head).zip(&mut mask) {
            (*head, *mask) = (*byte, 0xff);
        }
        Self {
            text,
            head: u128::from_le_bytes(head),
            mask: u128::from_le_bytes(mask),
        }
    }

    /// What is behind it, if the bytes begin with it; none where there are too few to compare at once.
    #[inline(always)]
    pub fn behind<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let head = u128::from_le_bytes(*bytes.first_chunk()?);
        let begins = (head ^ self.head) & self.mask == 0
            && (self.text.len() <= 16 || bytes.starts_with(&self.text));
        bytes.get(self.text.len()..).filter(|_| begins)
    }
}

/// Gives all to `members` that the object holds with which the text begins, alone in its line, and says
/// where this line ends.
pub fn object<'a>(text: &'a [u8], mut members: impl Members<'a>) -> Result<usize, Fault> {
    let mut text = Text { text, at: 0 };
    text.pass_blanks();
    text.expect(b'{', "expected a `{`")?;
    text.pass_blanks();
    if !text.takes(b'}') {
        loop {
            let name = match members.likely() {
                Some(likely) if likely.behind(text.rest()).is_some() => {
                    text.at += likely.text.len();
                    None
                }
                _ => Some(text.name()?),
            };
            let value = text.value(1)?;
            members.take(name, value);
            if text.ends(b'}', "expected a `,` or a `}`")? {
                break;
            }
        }
    }
    text.pass_blanks();
    match text.next() {
        END => Ok(text.at),
        _ => Err(text.fault("text after the object")),
    }
}

/// What is left of a text.
///
/// Whatever is rare takes a copy and is no part of the loop, so that the place in it stays in a register.
#[derive(Clone, Copy)]
struct Text<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    #[inline(always)]
    fn next(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(END)
    }

    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    #[cold]
    fn fault(self, what: &str) -> Fault {
        let what = match self.next() {
            END => format!("{what}, found the end of the line"),
            _ => what.to_owned(),
        };
        Fault::Json {
            column: self.at + 1,
            what,
        }
    }

    #[inline(always)]
    fn pass_blanks(&mut self) {
        while let b' ' | b'\t' | b'\r' = self.next() {
            self.at += 1;
        }
    }

    /// Passes over this byte, if it is the next one.
    #[inline(always)]
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.next() == byte;
        self.at += usize::from(is_next);
        is_next
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8, what: &str) -> Result<(), Fault> {
        if self.takes(byte) {
            Ok(())
        } else {
            Err(self.fault(what))
        }
    }

    /// Passes over the comma behind a value, and the blanks, or says that this was the last value.
    #[inline(always)]
    fn ends(&mut self, end: u8, what: &str) -> Result<bool, Fault> {
        loop {
            let next = self.next();
            self.at += 1;
            match next {
                b',' => {
                    self.pass_blanks();
                    return Ok(false);
                }
                b' ' | b'\t' | b'\r' => {}
                _ if next == end => return Ok(true),
                _ => {
                    self.at -= 1;
                    return Err(self.fault(what));
                }
            }
        }
    }

    /// A name, and the colon behind it.
    #[inline(always)]
    fn name(&mut self) -> Result<&'a [u8], Fault> {
        let (name, at) = self.name_ahead()?;
        self.at = at;
        Ok(name)
    }

    #[inline(never)]
    fn name_ahead(mut self) -> Result<(&'a [u8], usize), Fault> {
        self.expect(b'"', "expected a name in double quotes")?;
        let name = self.text()?;
        self.pass_blanks();
        self.expect(b':', "expected a `:`")?;
        Ok((name, self.at))
    }

    #[inline(always)]
    fn value(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        loop {
            let next = self.next();
            return match next {
                b'"' => {
                    self.at += 1;
                    Ok(Value::Text(self.text()?))
                }
                b'-' | b'0'..=b'9' => self.number(),
                b'n' => self.word(b"null", Value::Null),
                b't' => self.word(b"true", Value::Other),
                b'f' => self.word(b"false", Value::Other),
                b'N' => self.word(b"NaN", Value::NotANumber),
                b'I' => self.word(b"Infinity", Value::Other),
                b'{' | b'[' => {
                    self.at = self.within(depth, next + 2)?;
                    Ok(Value::Other)
                }
                b' ' | b'\t' | b'\r' => {
                    self.at += 1;
                    continue;
                }
                _ => Err(self.fault("expected a value")),
            };
        }
    }

    #[inline(always)]
    fn word(&mut self, word: &[u8], value: Value<'a>) -> Result<Value<'a>, Fault> {
        if !self.rest().starts_with(word) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    /// Where the object or the list ends that is next, by this byte.
    #[inline(never)]
    fn within(mut self, depth: usize, end: u8) -> Result<usize, Fault> {
        if depth > DEEPEST {
            return Err(self.fault("more than 127 values within each other"));
        }
        self.at += 1;
        self.pass_blanks();
        if self.takes(end) {
            return Ok(self.at);
        }
        loop {
            if end == b'}' {
                self.name()?;
            }
            self.value(depth + 1)?;
            if self.ends(end, "expected a `,` or the end of the values")? {
                return Ok(self.at);
            }
        }
    }

    /// What is before the closing quote, which is passed over.
    #[inline(always)]
    fn text(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at;
        loop {
            self.at += first(self.rest(), stops_text);
            if self.takes(b'"') {
                return Ok(&self.text[start..self.at - 1]);
            }
            self.at = self.escape()?;
        }
    }

    /// Where the escape ends that is next.
    #[inline(never)]
    fn escape(mut self) -> Result<usize, Fault> {
        if !self.takes(b'\\') {
            return Err(match self.next() {
                END => self.fault("expected a closing quote"),
                _ => self.fault("a control character in a text"),
            });
        }
        match self.rest() {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(self.at + 1),
            [b'u', digits @ ..] => match digits.first_chunk::<4>() {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(self.at + 5),
                _ => Err(self.fault("expected four hexadecimal digits behind `\\u`")),
            },
            _ => Err(self.fault("a backslash before what needs none")),
        }
    }

    #[inline(always)]
    fn number(&mut self) -> Result<Value<'a>, Fault> {
        let start = self.at;
        if self.takes(b'-') && self.next() == b'I' {
            return self.word(b"Infinity", Value::Other);
        }
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if let b'e' | b'E' = self.next() {
            self.at += 1;
            let _sign = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Ok(Value::Number(&self.text[start..self.at]))
    }

    /// At least one digit.
    #[inline(always)]
    fn digits(&mut self) -> Result<(), Fault> {
        let digits = first(self.rest(), stops_digits);
        self.at += digits;
        if digits == 0 {
            return Err(self.fault("expected a digit"));
        }
        Ok(())
    }
}

/// The place of the first byte that stops something, or the end.
///
/// `stops` gets eight bytes, and sets the highest bit of this one, and of none before it.
#[inline(always)]
fn first(text: &[u8], stops: impl Fn(u64) -> u64) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let stops = stops(u64::from_le_bytes(*word)) & HIGHEST;
        if stops != 0 {
            return 8 * number + stops.trailing_zeros() as usize / 8;
        }
    }
    let mut word = [0; 8];
    word[..rest.len()].copy_from_slice(rest);
    let stops = stops(u64::from_le_bytes(word)) & HIGHEST;
    8 * words.len() + rest.len().min(stops.trailing_zeros() as usize / 8)
}

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);

/// A quote, a backslash or a control character stops a text.
#[inline(always)]
fn stops_text(word: u64) -> u64 {
    let is_zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let quote = is_zero(word ^ (ONES * u64::from(b'"')));
    let backslash = is_zero(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    quote | backslash | control
}

/// All but digits stop digits.
#[inline(always)]
fn stops_digits(word: u64) -> u64 {
    let values = word ^ (ONES * u64::from(b'0'));
    values.wrapping_add(ONES * (0x7f - 9)) | values
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value as Json};

    use super::*;

    fn found(line: &str) -> Result<Vec<(String, String)>, String> {
        let mut found = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.into()).unwrap();
        let result = object(line.as_bytes(), |name, value| {
            let value = match value {
                Value::Number(number) => text(number),
                Value::Text(value) => format!("'{}'", text(value)),
                value => format!("{value:?}"),
            };
            found.push((text(name), value));
        });
        match result {
            Ok(end) => {
                assert_eq!(end, line.len());
                Ok(found)
            }
            Err(Fault::Json { column, what }) => Err(format!("{column}: {what}")),
            Err(other) => Err(other.to_string()),
        }
    }

    #[test]
    fn values_are_given_as_they_stand() {
        let line = r#" {"a":null, "b" : -1.50e+2,"c":"x\"\u00e9 y","d":[1,{"e":null}],"f":{},"":NaN, "a":true,"g":-Infinity } "#;
        let expected = [
            ("a", "Null"),
            ("b", "-1.50e+2"),
            ("c", r#"'x\"\u00e9 y'"#),
            ("d", "Other"),
            ("f", "Other"),
            ("", "NotANumber"),
            ("a", "Other"),
            ("g", "Other"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found(line).unwrap(), expected);
        assert_eq!(found("{}\r").unwrap(), []);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (line, message) in [
            ("", "1: expected a `{`, found the end of the line"),
            ("[1]", "1: expected a `{`"),
            ("{\"a\":1} x", "9: text after the object"),
            ("{\"a\":1,}", "8: expected a name in double quotes"),
            ("{\"a\" 1}", "6: expected a `:`"),
            ("{\"a\":1 2}", "8: expected a `,` or a `}`"),
            (
                "{\"a\":[1 2]}",
                "9: expected a `,` or the end of the values",
            ),
            ("{\"a\":", "6: expected a value, found the end of the line"),
            (
                "{\"a\":\"x",
                "8: expected a closing quote, found the end of the line",
            ),
            ("{\"a\":\"\t\"}", "7: a control character in a text"),
            ("{\"a\":\"\\x\"}", "8: a backslash before what needs none"),
            ("{\"a\":-}", "7: expected a digit"),
            ("{\"a\":nul}", "6: expected a value"),
        ] {
            assert_eq!(found(line), Err(message.to_owned()), "{line}");
        }
        let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(found(&deep(127)).is_ok());
        assert!(found(&deep(128)).unwrap_err().contains("more than 127"));
    }

    /// Whatever comes is taken or refused as the parser of `serde_json` does.
    #[test]
    fn the_grammar_is_that_of_another_parser() {
        const PIECES: [&str; 26] = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"\"",
            "\"\\n\\u00e9\"",
            "\"",
            "\\",
            "null",
            "true",
            "false",
            "0",
            "-1.5e3",
            "01",
            "1.",
            "e",
            "-",
            " ",
            "\t",
            "\"b\":",
            "\"c\":1,",
            "{\"d\":",
            "\u{1}",
        ];
        let mut random = 7_u64;
        let mut below = |limit: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random >> 33).unwrap() % limit
        };
        let mut accepted = 0;
        for number in 0..300_000 {
            let mut line = String::new();
            for _ in 0..below(8) {
                line += PIECES[below(PIECES.len())];
            }
            if number % 2 == 0 {
                line = format!("{{\"x\":{line}}}");
            }
            let ours = found(&line).is_ok();
            let theirs = serde_json::from_str::<Map<String, Json>>(&line);
            // It makes values of them, into which they have to fit.
            let is_large = |error: &serde_json::Error| error.to_string().contains("out of range");
            if !theirs.as_ref().is_err_and(is_large) {
                assert_eq!(ours, theirs.is_ok(), "{line:?}");
            }
            accepted += u32::from(ours);
        }
        assert!(accepted > 5_000, "{accepted}");
    }

    #[test]
    fn a_text_is_plain_up_to_what_has_a_meaning() {
        for stop in 0..=u8::MAX {
            for place in 0..20 {
                for other in [b'x', b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xff] {
                    let mut text = [other; 30];
                    text[place] = stop;
                    text[place + 3] = b'"';
                    let stops = stop < 0x20 || stop == b'"' || stop == b'\\';
                    let expected = place + if stops { 0 } else { 3 };
                    assert_eq!(first(&text, stops_text), expected, "{stop} {place} {other}");
                }
            }
        }
        assert_eq!(first(b"abc", stops_text), 3);
    }
}
