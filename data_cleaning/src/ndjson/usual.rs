//! Lines as most of them are: the names in the expected order, and values that are numbers, words and
//! short texts.
//!
//! Their values end at the commas outside of quotes. These are found 64 bytes at a time, without a look
//! at the values before them, so that the processor works on several values at once. Whatever is not as
//! usual, or malformed, is left to [`object`](crate::ndjson::json::object).

use crate::csv::classes::Classes;
use crate::csv::classify::masks::{Classifier, prefix_parity};
use crate::csv::dialect::Dialect;
use crate::ndjson::json::{Members, Value};
use crate::null_values::NullValues;

/// The bytes of a value that are looked at together.
const LONGEST: usize = 32;

/// What a classifier looks for: commas, double quotes and line feeds.
pub fn classes() -> Classes {
    Classes::new(&Dialect::default(), &NullValues::new(Vec::new()))
}

/// Gives all to `members` that the object holds with which the text begins, and says where its line
/// ends; none if it is not usual, or near the end of the text, and then some may have been given.
///
/// The classifier is one for [`classes`].
#[inline(always)]
pub fn usual_object<'a>(
    classifier: &impl Classifier,
    text: &'a [u8],
    mut members: impl Members<'a>,
) -> Option<usize> {
    if text.first() != Some(&b'{') {
        return None;
    }
    let (mut start, mut inside) = (1, 0);
    for (number, block) in text.as_chunks().0.iter().enumerate() {
        let masks = classifier.classify(block);
        let within = prefix_parity(masks.quote) ^ inside;
        inside = (within >> 63).wrapping_neg();
        let line_feeds = masks.line_feed & !within;
        // Those before the first line feed.
        let mut commas = masks.delimiter & !within & line_feeds.wrapping_sub(1);
        while commas != 0 {
            let comma = 64 * number + commas.trailing_zeros() as usize;
            commas &= commas - 1;
            member(text, start, comma, &mut members)?;
            start = comma + 1;
        }
        if line_feeds != 0 {
            let end = 64 * number + line_feeds.trailing_zeros() as usize;
            let brace = end - 1;
            if text[brace] != b'}' {
                return None;
            }
            member(text, start, brace, &mut members)?;
            return Some(end);
        }
    }
    None
}

/// Gives the member between these two places.
#[inline(always)]
fn member<'a>(
    text: &'a [u8],
    start: usize,
    end: usize,
    members: &mut impl Members<'a>,
) -> Option<()> {
    let name = behind_blank(text.get(start..)?);
    let value = behind_blank(members.likely()?.behind(name)?);
    let length = end.checked_sub(text.len() - value.len())?;
    members.take(None, usual_value(value, length)?);
    Some(())
}

#[inline(always)]
fn behind_blank(text: &[u8]) -> &[u8] {
    match text {
        [b' ', rest @ ..] => rest,
        _ => text,
    }
}

/// The value that the first bytes of the text are, so many of them.
#[inline(always)]
fn usual_value(text: &[u8], length: usize) -> Option<Value<'_>> {
    let value = text.get(..length)?;
    let is_usual = match value {
        b"null" => return Some(Value::Null),
        b"true" | b"false" => return Some(Value::Other),
        [b'"', inner @ .., b'"'] => {
            let is_plain = |byte| u8::from(byte >= b' ' && byte != b'"' && byte != b'\\');
            let plain = usize::from(sum(&text[1..], inner.len(), is_plain));
            return (plain == inner.len()).then_some(Value::Text(inner));
        }
        [b'-', digits @ ..] => is_number(&text[1..], digits),
        _ => is_number(text, value),
    };
    is_usual.then_some(Value::Number(value))
}

/// Whether the first bytes of the text are a number, which has neither a sign nor an exponent.
#[inline(always)]
fn is_number(text: &[u8], number: &[u8]) -> bool {
    // With it, no sum of 32 bytes is right by chance.
    const POINT: u8 = 64;

    let weight = |byte: u8| match byte {
        b'0'..=b'9' => 1,
        b'.' => POINT,
        _ => 0,
    };
    let ([first, ..], [.., last]) = (number, number) else {
        return false;
    };
    let sum = usize::from(sum(text, number.len(), weight));
    let has_zero = *first == b'0' && number.len() > 1 && number[1] != b'.';
    (sum == number.len() || sum == number.len() - 1 + usize::from(POINT))
        && *first != b'.'
        && *last != b'.'
        && !has_zero
}

/// The weights of so many bytes, without what does not fit into eight bits; 0 if there are too many to be
/// looked at together, or the text has too few behind them.
#[inline(always)]
fn sum(text: &[u8], length: usize, weight: impl Fn(u8) -> u8) -> u8 {
    /// From `LONGEST - length` on, as many ones as bytes count.
    const COUNTING: [u8; 2 * LONGEST] = {
        let mut counting = [0; 2 * LONGEST];
        let mut place = 0;
        while place < LONGEST {
            counting[place] = 0xff;
            place += 1;
        }
        counting
    };

    let from = LONGEST.checked_sub(length);
    let counting = from.and_then(|from| COUNTING[from..].first_chunk::<LONGEST>());
    let (Some(block), Some(counting)) = (text.first_chunk::<LONGEST>(), counting) else {
        return 0;
    };
    // A loop of which the compiler makes a few instructions for all of them.
    let mut sum = 0_u8;
    for (byte, counts) in block.iter().zip(counting) {
        sum = sum.wrapping_add(weight(*byte) & counts);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::classify::Kind;
    use crate::csv::classify::masks::Work;
    use crate::ndjson::json::{Likely, object};

    /// The values of columns with these names.
    struct Columns<'a, 'b> {
        names: &'b [Likely],
        values: Vec<Value<'a>>,
    }

    impl<'a> Members<'a> for &mut Columns<'a, '_> {
        fn likely(&self) -> Option<&Likely> {
            self.names.get(self.values.len())
        }

        fn take(&mut self, name: Option<&'a [u8]>, value: Value<'a>) {
            assert_eq!(name, None);
            self.values.push(value);
        }
    }

    struct Look<'a, 'b> {
        text: &'a [u8],
        names: &'b [Likely],
    }

    impl<'a> Work for Look<'a, '_> {
        type Output = Option<(usize, Vec<Value<'a>>)>;

        #[inline(always)]
        fn run(self, classifier: &impl Classifier) -> Self::Output {
            let mut columns = Columns {
                names: self.names,
                values: Vec::new(),
            };
            let end = usual_object(classifier, self.text, &mut columns)?;
            Some((end, columns.values))
        }
    }

    /// What is found of the line; some more bytes are behind it.
    fn usual(line: &str, names: &[&str]) -> Option<(usize, Vec<String>)> {
        let text = format!("{line}\n{}", " ".repeat(100));
        let names: Vec<Likely> = names
            .iter()
            .map(|name| Likely::new(name.as_bytes()))
            .collect();
        let all = Kind::available().into_iter().map(|kind| {
            let look = Look {
                text: text.as_bytes(),
                names: &names,
            };
            let found = kind.run(&classes(), look);
            found.map(|(end, values)| (end, values.iter().map(shown).collect::<Vec<_>>()))
        });
        let all: Vec<_> = all.collect();
        assert!(all.iter().all(|found| *found == all[0]), "{line}: {all:?}");
        all.into_iter().next().unwrap()
    }

    fn shown(value: &Value) -> String {
        match value {
            Value::Number(text) | Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn finds_the_values_of_usual_lines() {
        let long = "x".repeat(32);
        for (line, values) in [
            (
                "{\"a\":1,\"b\":\"x, \u{e9}\"}".to_owned(),
                vec!["1", "x, \u{e9}"],
            ),
            (
                r#"{"a": -0.50, "b": null}"#.to_owned(),
                vec!["-0.50", "Null"],
            ),
            (r#"{"a":true}"#.to_owned(), vec!["Other"]),
            (format!(r#"{{"a":"{long}","b":""}}"#), vec![&long, ""]),
        ] {
            let values = values.into_iter().map(str::to_owned).collect();
            assert_eq!(
                usual(&line, &["a", "b"]),
                Some((line.len(), values)),
                "{line}"
            );
        }
        for line in [
            "{}",
            "",
            "[1]",
            r#"{"b":1}"#,
            r#"{"a":1,"b":2,"c":3}"#,
            r#"{"a":1e3}"#,
            r#"{"a":[1]}"#,
            r#"{"a":"\n"}"#,
            r#"{"a":NaN}"#,
            "{\"a\":1}\r",
        ] {
            assert_eq!(usual(line, &["a", "b"]), None, "{line}");
        }
    }

    /// Nothing is taken that the other parser refuses or takes for something else.
    #[test]
    fn takes_only_what_the_grammar_allows() {
        const PIECES: [&str; 24] = [
            "{\"a\":",
            ",\"b\":",
            ", \"a long name, indeed\": ",
            "}",
            ",",
            ":",
            "\"",
            "\"x\"",
            "\\",
            "null",
            "true",
            "nul",
            "0",
            "-",
            "12",
            ".",
            "3.5",
            "e1",
            " ",
            "\r",
            "{",
            "]",
            "\u{e9}",
            "\t",
        ];
        let names = ["a", "b", "a long name, indeed"];
        let mut random = 5_u64;
        let mut below = |limit: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random >> 33).unwrap() % limit
        };
        let mut taken = 0;
        for _ in 0..200_000 {
            let mut line = String::new();
            for (number, start) in PIECES[..3].iter().enumerate() {
                line += start;
                for _ in 0..=below(3) {
                    line += PIECES[below(PIECES.len())];
                }
                if below(3) == number {
                    break;
                }
            }
            if below(8) > 0 {
                line += "}";
            }
            if let Some((end, values)) = usual(&line, &names) {
                let mut expected = Vec::new();
                let whole = object(line.as_bytes(), |_, value| expected.push(shown(&value)));
                assert_eq!(whole.unwrap(), end, "{line}");
                assert_eq!(values, expected, "{line}");
                taken += 1;
            }
        }
        assert!(taken > 5_000, "{taken}");
    }

    #[test]
    fn a_number_has_at_most_one_point_and_else_digits() {
        for length in 1..=LONGEST {
            for points in 0..=length {
                for others in 0..=length - points {
                    let digits = length - points - others;
                    // Digits are first and last, if there are two.
                    let mut number = "1".repeat(digits.min(1));
                    number += &".".repeat(points);
                    number += &"x".repeat(others);
                    number += &"2".repeat(digits.saturating_sub(1));
                    let text = number.clone() + &"3".repeat(LONGEST);
                    let expected = others == 0 && (points == 0 || points == 1 && digits > 1);
                    let found = is_number(text.as_bytes(), number.as_bytes());
                    assert_eq!(found, expected, "{number}");
                }
            }
        }
    }
}
