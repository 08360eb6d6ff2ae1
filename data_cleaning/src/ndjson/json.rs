//! The top-level values of a JSON object, as they stand in the text.
//!
//! Checks all of the grammar, but makes nothing of the values: a line that stays is copied.

use crate::failure::Fault;

/// How deep values may be within values.
const DEEPEST: usize = 127;

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
    /// How the next one probably begins: with its name in quotes, and the colon. To compare with that
    /// is faster than to look for the end of the name.
    fn likely(&self) -> &[u8] {
        b""
    }

    /// Takes the name, as it stands between its quotes, or without one the likely name.
    fn take(&mut self, name: Option<&'a [u8]>, value: Value<'a>);
}

impl<'a, F: FnMut(&'a [u8], Value<'a>)> Members<'a> for F {
    fn take(&mut self, name: Option<&'a [u8]>, value: Value<'a>) {
        self(name.unwrap_or_default(), value);
    }
}

/// Gives all that the object holds to `members`.
#[inline]
pub fn object<'a>(line: &'a [u8], mut members: impl Members<'a>) -> Result<(), Fault> {
    let mut text = Text { line, at: 0 };
    text.pass_blanks();
    text.expect(b'{', "expected a `{`")?;
    text.pass_blanks();
    if !text.takes(b'}') {
        loop {
            let likely = members.likely();
            let name = if !likely.is_empty() && text.line[text.at..].starts_with(likely) {
                text.at += likely.len();
                None
            } else {
                Some(text.member_name()?)
            };
            let value = text.value(1)?;
            members.take(name, value);
            text.pass_blanks();
            if text.takes(b'}') {
                break;
            }
            text.expect(b',', "expected a `,` or a `}`")?;
            text.pass_blanks();
        }
    }
    text.pass_blanks();
    match text.peek() {
        None => Ok(()),
        Some(_) => Err(text.fault("text after the object")),
    }
}

struct Text<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    #[cold]
    fn fault(&self, what: &str) -> Fault {
        let what = match self.peek() {
            None => format!("{what}, found the end of the line"),
            Some(_) => what.to_owned(),
        };
        Fault::Json {
            column: self.at + 1,
            what,
        }
    }

    fn pass_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes over this byte, if it is the next one.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), Fault> {
        if self.takes(byte) {
            Ok(())
        } else {
            Err(self.fault(what))
        }
    }

    /// A name, and the colon behind it.
    fn member_name(&mut self) -> Result<&'a [u8], Fault> {
        self.expect(b'"', "expected a name in double quotes")?;
        let name = self.text()?;
        self.pass_blanks();
        self.expect(b':', "expected a `:`")?;
        Ok(name)
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        self.pass_blanks();
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Value::Text(self.text()?))
            }
            Some(b'{' | b'[') if depth > DEEPEST => {
                Err(self.fault("more than 127 values within each other"))
            }
            Some(b'{') => self.members(depth, b'}'),
            Some(b'[') => self.members(depth, b']'),
            Some(b'n') => self.word(b"null", Value::Null),
            Some(b't') => self.word(b"true", Value::Other),
            Some(b'f') => self.word(b"false", Value::Other),
            Some(b'N') => self.word(b"NaN", Value::NotANumber),
            Some(b'I') => self.word(b"Infinity", Value::Other),
            Some(b'-') if self.line[start..].starts_with(b"-I") => {
                self.word(b"-Infinity", Value::Other)
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Ok(Value::Number(&self.line[start..self.at]))
            }
            _ => Err(self.fault("expected a value")),
        }
    }

    fn word(&mut self, word: &[u8], value: Value<'a>) -> Result<Value<'a>, Fault> {
        if !self.line[self.at..].starts_with(word) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    /// The values of an object or a list, whose first byte is the next one.
    fn members(&mut self, depth: usize, end: u8) -> Result<Value<'a>, Fault> {
        self.at += 1;
        self.pass_blanks();
        if self.takes(end) {
            return Ok(Value::Other);
        }
        loop {
            self.pass_blanks();
            if end == b'}' {
                self.member_name()?;
            }
            self.value(depth + 1)?;
            self.pass_blanks();
            if self.takes(end) {
                return Ok(Value::Other);
            }
            self.expect(b',', "expected a `,` or the end of the values")?;
        }
    }

    /// What is before the closing quote, which is passed over.
    fn text(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at;
        loop {
            self.at += plain(&self.line[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.line[start..self.at - 1]);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.fault("a control character in a text")),
                None => return Err(self.fault("expected a closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.line.get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.fault("expected four hexadecimal digits behind `\\u`"));
                }
                self.at += 5;
            }
            _ => return Err(self.fault("a backslash before what needs none")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _sign = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Fault> {
        let rest = &self.line[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        if digits == 0 {
            return Err(self.fault("expected a digit"));
        }
        Ok(())
    }
}

/// How many bytes of a text there are before a quote, a backslash or a control character.
#[inline]
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);

    // Eight bytes at once: the lowest of the highest bits that are set is that of the first such byte.
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let is_zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
        let quote = is_zero(word ^ (ONES * u64::from(b'"')));
        let backslash = is_zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let stops = (quote | backslash | control) & HIGHEST;
        if stops != 0 {
            return 8 * number + stops.trailing_zeros() as usize / 8;
        }
    }
    let stop = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | ..0x20));
    8 * words.len() + stop.unwrap_or(rest.len())
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
            Ok(()) => Ok(found),
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
                    assert_eq!(plain(&text), expected, "{stop} {place} {other}");
                }
            }
        }
        assert_eq!(plain(b"abc"), 3);
    }
}
