//! The text that Python prints for the objects that PyYAML makes.
//!
//! MLflow hands parameter values on as `str(value)`, so `1.0e-5` reaches a step as `1e-05`, `yes` as
//! `True`.

use std::fmt::{self, Display, Formatter};

use super::Object;

/// Prints as Python's `str()` does.
impl Display for Object {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Object::Str(text) | Object::Date(text) | Object::DateTime(text) => {
                formatter.write_str(text)
            }
            other => formatter.write_str(&other.repr()),
        }
    }
}

impl Object {
    /// Prints as Python's `repr()` does.
    pub fn repr(&self) -> String {
        let mut text = String::new();
        push_repr(&mut text, self);
        text
    }
}

/// Quotes a string as Python's `repr()` does: single quotes unless only double quotes save escapes.
pub fn repr_str(text: &str) -> String {
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
fn float_repr(number: f64) -> String {
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

fn push_repr(out: &mut String, object: &Object) {
    match object {
        Object::None => out.push_str("None"),
        Object::Bool(true) => out.push_str("True"),
        Object::Bool(false) => out.push_str("False"),
        Object::Int(digits) => out.push_str(digits),
        Object::Float(number) => out.push_str(&float_repr(*number)),
        Object::Str(text) => out.push_str(&repr_str(text)),
        Object::Date(text) => out.push_str(&date_repr(text)),
        Object::DateTime(text) => out.push_str(&datetime_repr(text)),
        Object::Bytes(bytes) => push_bytes(out, bytes),
        Object::List(items) => push_items(out, "[", items, "]"),
        Object::Tuple(items) => push_items(out, "(", items, ")"),
        Object::Set(items) if items.is_empty() => out.push_str("set()"),
        Object::Set(items) => push_items(out, "{", items, "}"),
        Object::Dict(pairs) => {
            out.push('{');
            for (index, (key, value)) in pairs.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_repr(out, key);
                out.push_str(": ");
                push_repr(out, value);
            }
            out.push('}');
        }
    }
}

fn push_items(out: &mut String, open: &str, items: &[Object], close: &str) {
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

fn push_bytes(out: &mut String, bytes: &[u8]) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        '"'
    } else {
        '\''
    };
    out.extend(['b', quote]);
    for &byte in bytes {
        if byte.is_ascii() {
            push_escaped(out, char::from(byte), quote);
        } else {
            out.push_str(&python_escape(byte.into()));
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
            assert_eq!(float_repr(number), expected);
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
            assert_eq!(repr_str(text), expected);
        }
    }

    #[test]
    fn objects_print_as_in_python_alone_and_in_a_list() {
        let list = || vec![Object::Int("1".into()), Object::Str("a".into())];
        let time = |text: &str| Object::DateTime(text.into());
        let table = [
            (Object::None, "None", ""),
            (Object::Bool(true), "True", ""),
            (Object::Int("-3".into()), "-3", ""),
            (
                Object::Int("123456789012345678901".into()),
                "123456789012345678901",
                "",
            ),
            (Object::Str("just text".into()), "just text", "'just text'"),
            (Object::List(list()), "[1, 'a']", ""),
            (Object::Tuple(list()), "(1, 'a')", ""),
            (Object::Set(list()), "{1, 'a'}", ""),
            (Object::Set(Vec::new()), "set()", ""),
            (
                Object::Dict(vec![(Object::Int("2".into()), Object::Dict(Vec::new()))]),
                "{2: {}}",
                "",
            ),
            (
                Object::Date("2020-01-31".into()),
                "2020-01-31",
                "datetime.date(2020, 1, 31)",
            ),
            (
                time("2020-01-31 00:00:00"),
                "2020-01-31 00:00:00",
                "datetime.datetime(2020, 1, 31, 0, 0)",
            ),
            (
                time("2020-01-31 01:02:00.000100+00:00"),
                "2020-01-31 01:02:00.000100+00:00",
                "datetime.datetime(2020, 1, 31, 1, 2, 0, 100, tzinfo=datetime.timezone.utc)",
            ),
            (
                time("2020-01-31 01:02:03-05:00"),
                "2020-01-31 01:02:03-05:00",
                "datetime.datetime(2020, 1, 31, 1, 2, 3, \
                 tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=68400)))",
            ),
            (
                Object::Bytes(b"a'\n\x00\xff".to_vec()),
                "b\"a'\\n\\x00\\xff\"",
                "",
            ),
        ];
        for (object, alone, inside) in table {
            assert_eq!(object.to_string(), alone);
            let inside = if inside.is_empty() { alone } else { inside };
            assert_eq!(
                Object::List(vec![object]).to_string(),
                format!("[{inside}]")
            );
        }
    }
}
