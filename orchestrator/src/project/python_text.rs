//! The text that Python prints for the objects that PyYAML makes.
//!
//! MLflow hands parameter values on as `str(value)`, so `1.0e-5` reaches a step as `1e-05`, `yes` as
//! `True`. What [`Value`] cannot hold (integers beyond 64 bits, dates, bytes, sets, tuples) is carried
//! as a tagged value with one of the tags below; only `yaml` makes them and only this module reads them.

use serde_yaml::Value;
use serde_yaml::value::{Tag, TaggedValue};

/// An integer that does not fit into 64 bits, as its decimal text.
pub(super) const INT: &str = "!int";
/// A float used as a mapping key, as its text: serde_yaml hashes all floats alike.
pub(super) const FLOAT: &str = "!float";
/// A `datetime.date`, as `2020-01-31`.
pub(super) const DATE: &str = "!date";
/// A `datetime.datetime`, as `2020-01-31 12:30:45.000100+01:00`.
pub(super) const DATETIME: &str = "!datetime";
/// A `bytes`, each byte as the character of that number.
pub(super) const BYTES: &str = "!bytes";
/// A `set`, as a sequence in the order of the document.
pub(super) const SET: &str = "!set";
/// A `tuple`, as a sequence.
pub(super) const TUPLE: &str = "!tuple";

/// Wraps what [`Value`] itself cannot express; `tag` is one of the constants of this module.
pub(super) fn carry(tag: &str, value: Value) -> Value {
    Value::Tagged(Box::new(TaggedValue {
        tag: Tag::new(tag),
        value,
    }))
}

/// Prints a value as Python's `str()` prints the object that PyYAML makes of it.
pub(crate) fn python_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Tagged(tagged) if tagged.tag == DATE || tagged.tag == DATETIME => {
            carried_text(tagged).to_owned()
        }
        _ => {
            let mut text = String::new();
            push_repr(&mut text, value);
            text
        }
    }
}

/// Quotes a string as Python's `repr()` does: single quotes unless only double quotes save escapes.
pub(crate) fn python_repr_str(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        push_escaped(&mut out, character, quote);
    }
    out.push(quote);
    out
}

/// Prints a float as Python's `repr()` does: the shortest digits that give the same number back.
///
/// Rust's shortest digits are as many, but of two that are equally near it may take the other one,
/// so that only their number is used.
pub(super) fn python_float(number: f64) -> String {
    if !number.is_finite() {
        return number.to_string().to_lowercase();
    }
    let shortest = format!("{number:e}");
    let mantissa = shortest.split('e').next().unwrap_or_default();
    let decimals = mantissa
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    let scientific = format!("{number:.decimals$e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: isize = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let decimals = decimals.saturating_add_signed(-exponent).max(1);
        return format!("{number:.decimals$}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

fn push_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => out.push_str(&python_float(float)),
            None => out.push_str(&number.to_string()),
        },
        Value::String(text) => out.push_str(&python_repr_str(text)),
        Value::Sequence(items) => push_items(out, "[", items, "]"),
        Value::Mapping(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_repr(out, key);
                out.push_str(": ");
                push_repr(out, value);
            }
            out.push('}');
        }
        Value::Tagged(tagged) => push_carried(out, tagged),
    }
}

fn push_carried(out: &mut String, tagged: &TaggedValue) {
    let text = carried_text(tagged);
    match (tagged.tag.to_string().as_str(), &tagged.value) {
        (INT | FLOAT, _) => out.push_str(text),
        (DATE, _) => out.push_str(&date_repr(text)),
        (DATETIME, _) => out.push_str(&datetime_repr(text)),
        (BYTES, _) => push_bytes(out, text),
        (SET, Value::Sequence(items)) if items.is_empty() => out.push_str("set()"),
        (SET, Value::Sequence(items)) => push_items(out, "{", items, "}"),
        (TUPLE, Value::Sequence(items)) => push_items(out, "(", items, ")"),
        (_, value) => push_repr(out, value),
    }
}

fn carried_text(tagged: &TaggedValue) -> &str {
    tagged.value.as_str().unwrap_or_default()
}

fn push_items(out: &mut String, open: &str, items: &[Value], close: &str) {
    out.push_str(open);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        push_repr(out, item);
    }
    out.push_str(close);
}

fn push_escaped(out: &mut String, character: char, quote: char) {
    let code = u32::from(character);
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        _ if character == quote => out.extend(['\\', character]),
        _ if is_printable(character) => out.push(character),
        _ => out.push_str(&python_escape(code)),
    }
}

/// Writes a character as the shortest of Python's `\x..`, `\u....` and `\U........`.
fn python_escape(code: u32) -> String {
    match code {
        0..=0xff => format!("\\x{code:02x}"),
        0x100..=0xffff => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

/// Whether Python's `str.isprintable` holds, by the Unicode tables of Rust's standard library.
///
/// `escape_debug` escapes the same categories (controls, format characters, private use, unassigned,
/// separators other than the blank), and besides combining characters, but these only at the start
/// of a text: hence the letter in front.
fn is_printable(character: char) -> bool {
    match character {
        ' '..='~' => true,
        _ if character.is_ascii() => false,
        _ => format!("a{character}").escape_debug().nth(2).is_none(),
    }
}

fn push_bytes(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.extend(['b', quote]);
    for character in text.chars() {
        if character.is_ascii() {
            push_escaped(out, character, quote);
        } else {
            out.push_str(&python_escape(character.into()));
        }
    }
    out.push(quote);
}

/// `2020-01-01` to `2020, 1, 1`, and the same for times: the arguments of a constructor.
fn numbers(text: &str) -> String {
    let parts = text
        .split(['-', ':', '.'])
        .map(|part| match part.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        });
    parts.collect::<Vec<_>>().join(", ")
}

fn date_repr(text: &str) -> String {
    format!("datetime.date({})", numbers(text))
}

fn datetime_repr(text: &str) -> String {
    let (date, time) = text.split_once(' ').unwrap_or((text, ""));
    let (time, zone) = time.split_at(time.find(['+', '-']).unwrap_or(time.len()));
    // Seconds are left out when they and the microseconds are zero.
    let time = time.strip_suffix(":00").unwrap_or(time);
    let zone = if zone.is_empty() {
        String::new()
    } else {
        format!(", tzinfo={}", zone_repr(zone))
    };
    format!(
        "datetime.datetime({}, {}{zone})",
        numbers(date),
        numbers(time)
    )
}

/// `+01:30` to the `datetime.timezone` of that offset; a `timedelta` keeps its seconds positive.
fn zone_repr(zone: &str) -> String {
    const DAY: u32 = 24 * 60 * 60;
    let number = |digits: Option<&str>| {
        digits
            .and_then(|text| text.parse::<u32>().ok())
            .unwrap_or_default()
    };
    let seconds = number(zone.get(1..3)) * 3600 + number(zone.get(4..6)) * 60;
    match (seconds, zone.starts_with('-')) {
        (0, _) => "datetime.timezone.utc".to_owned(),
        (_, false) => format!("datetime.timezone(datetime.timedelta(seconds={seconds}))"),
        (_, true) => format!(
            "datetime.timezone(datetime.timedelta(days=-1, seconds={}))",
            DAY.saturating_sub(seconds)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_the_shortest_digits_and_python_s_exponents() {
        let table = [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (1e15, "1000000000000000.0"),
            (1_643_758_584_467_642.0 + 0.25, "1643758584467642.2"),
            (123.0, "123.0"),
            (120_000.5, "120000.5"),
            (1e16, "1e+16"),
            (1.234_567_890_123_456_7e22, "1.2345678901234568e+22"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ];
        for (number, expected) in table {
            assert_eq!(python_str(&Value::from(number)), expected);
        }
    }

    #[test]
    fn strings_are_quoted_as_repr_quotes_them() {
        let table = [
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", "\"it's\""),
            ("it's \"it\"", "'it\\'s \"it\"'"),
            ("\n\t\r\\", "'\\n\\t\\r\\\\'"),
            ("\0\x1b\x7f", "'\\x00\\x1b\\x7f'"),
            ("é€😀", "'é€😀'"),
            ("e\u{301}", "'e\u{301}'"),
            ("\u{301}", "'\u{301}'"),
            ("\u{85}\u{a0}\u{ad}", "'\\x85\\xa0\\xad'"),
            ("\u{200b}\u{2028}\u{feff}", "'\\u200b\\u2028\\ufeff'"),
            ("\u{e0001}", "'\\U000e0001'"),
        ];
        for (text, expected) in table {
            assert_eq!(python_repr_str(text), expected);
        }
    }

    #[test]
    fn plain_objects_and_collections() {
        let table = [
            ("null", "None"),
            ("true", "True"),
            ("-3", "-3"),
            ("18446744073709551615", "18446744073709551615"),
            ("just text", "just text"),
            (
                "[1, 2.0, a, true, null, []]",
                "[1, 2.0, 'a', True, None, []]",
            ),
            (
                "{a: 1, b: {c: [d]}, 2: {}}",
                "{'a': 1, 'b': {'c': ['d']}, 2: {}}",
            ),
        ];
        for (yaml, expected) in table {
            assert_eq!(python_str(&serde_yaml::from_str(yaml).unwrap()), expected);
        }
    }

    #[test]
    fn carried_objects_have_another_text_inside_of_a_list() {
        let text = |tag, text: &str| carry(tag, Value::from(text));
        let list = |tag| carry(tag, Value::from(vec![Value::from(1), Value::from("a")]));
        let table = [
            (
                text(INT, "123456789012345678901234567890"),
                "123456789012345678901234567890",
                "",
            ),
            (text(FLOAT, "1.5"), "1.5", ""),
            (
                text(DATE, "2020-01-31"),
                "2020-01-31",
                "datetime.date(2020, 1, 31)",
            ),
            (
                text(DATETIME, "2020-01-31 00:00:00"),
                "2020-01-31 00:00:00",
                "datetime.datetime(2020, 1, 31, 0, 0)",
            ),
            (
                text(DATETIME, "2020-01-31 01:02:00.000100+00:00"),
                "2020-01-31 01:02:00.000100+00:00",
                "datetime.datetime(2020, 1, 31, 1, 2, 0, 100, tzinfo=datetime.timezone.utc)",
            ),
            (
                text(DATETIME, "2020-01-31 01:02:03-05:00"),
                "2020-01-31 01:02:03-05:00",
                "datetime.datetime(2020, 1, 31, 1, 2, 3, \
                 tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=68400)))",
            ),
            (text(BYTES, "a'\n\u{0}\u{ff}"), "b\"a'\\n\\x00\\xff\"", ""),
            (list(SET), "{1, 'a'}", ""),
            (carry(SET, Value::Sequence(Vec::new())), "set()", ""),
            (list(TUPLE), "(1, 'a')", ""),
        ];
        for (value, alone, inside) in table {
            assert_eq!(python_str(&value), alone);
            let inside = if inside.is_empty() { alone } else { inside };
            assert_eq!(python_str(&Value::from(vec![value])), format!("[{inside}]"));
        }
    }
}
