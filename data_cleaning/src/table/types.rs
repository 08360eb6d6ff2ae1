//! The types of columns that are text in a CSV file.
//!
//! A type is taken only if it says the same as the text of every value: `007` would become 7, and
//! `1e400` infinite, so such columns stay text.

use polars::prelude::DataType;

/// The type of a column of a table that is made of text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    Boolean,
    Integer,
    Float,
    Date,
    Text,
}

impl Type {
    pub fn of_polars(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Date => DataType::Date,
            Self::Text => DataType::String,
        }
    }
}

/// Says whether a text is of some type.
type IsOf = fn(&str) -> bool;

/// The types other than text, the narrowest first, and what is of them.
const TYPES: [(Type, IsOf); 4] = [
    (Type::Boolean, |value| boolean(value).is_some()),
    (Type::Integer, |value| integer(value).is_some()),
    (Type::Float, |value| float(value).is_some()),
    (Type::Date, |value| date(value).is_some()),
];

/// The types that all values of a column allow, as far as they have been seen.
#[derive(Clone, Copy, Debug)]
pub struct Candidates {
    seen: bool,
    left: [bool; TYPES.len()],
}

impl Default for Candidates {
    fn default() -> Self {
        Self {
            seen: false,
            left: [true; TYPES.len()],
        }
    }
}

impl Candidates {
    /// Rules the types out that this value is not of.
    pub fn see(&mut self, value: &str) {
        self.seen = true;
        for (left, (_, is_of)) in self.left.iter_mut().zip(TYPES) {
            *left = *left && is_of(value);
        }
    }

    /// The narrowest type that is left; text if there was no value at all.
    pub fn narrowest(self) -> Type {
        let mut left = TYPES.iter().zip(self.left).filter(|(_, left)| *left);
        match left.next() {
            Some(((narrowest, _), _)) if self.seen => *narrowest,
            _ => Type::Text,
        }
    }
}

pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A whole number in 64 bits, as a program would write it: without a plus or leading zeros.
pub fn integer(text: &str) -> Option<i64> {
    let whole = is_whole(text.strip_prefix('-').unwrap_or(text)) && text != "-0";
    whole.then(|| text.parse().ok()).flatten()
}

fn is_whole(digits: &str) -> bool {
    match digits.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// A number with or without fraction and exponent that 64 bits hold with all its digits.
pub fn float(text: &str) -> Option<f64> {
    let number = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (number, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = exponent.map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
    if !is_whole(whole) || !fraction.is_none_or(all_digits) || !unsigned.is_none_or(all_digits) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    // So few digits are always held; most numbers have no more.
    let short = exponent.is_none() && mantissa.len() <= f64::DIGITS as usize;
    (short || keeps_digits(value, whole, fraction.unwrap_or_default(), exponent)).then_some(value)
}

/// Whether the shortest number that means `value` is the same as the written one.
fn keeps_digits(value: f64, whole: &str, fraction: &str, exponent: Option<&str>) -> bool {
    let Ok(exponent) = exponent.unwrap_or("0").parse::<i64>() else {
        return false;
    };
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return true;
    }
    let zeros = digits.len() - significant.len();
    let places = i64::try_from(whole.len()).unwrap_or(0) - i64::try_from(zeros).unwrap_or(0) - 1;
    let found = format!("{:e}", value.abs());
    let Some((found, power)) = found.split_once('e') else {
        // Too large: infinite.
        return false;
    };
    found.replace('.', "") == significant.trim_end_matches('0')
        && power.parse() == Ok(places.saturating_add(exponent))
}

/// The days from 1970-01-01 to a day of the calendar that is written as `2026-01-31`.
pub fn date(text: &str) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| i32::from(digit - b'0'))?;
            Some(10 * number + digit)
        })
    };
    let (year, month, day) = (
        number(&[y1, y2, y3, y4])?,
        number(&[m1, m2])?,
        number(&[d1, d2])?,
    );
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [
        31,
        28 + i32::from(leap),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let length = *lengths.get(usize::try_from(month - 1).ok()?)?;
    if year == 0 || !(1..=length).contains(&day) {
        return None;
    }
    let earlier: i32 = lengths.iter().take(usize::try_from(month - 1).ok()?).sum();
    let before = year - 1;
    // The days up to the year 1970 are those of 1969 whole years.
    Some(before * 365 + before / 4 - before / 100 + before / 400 + earlier + day - 1 - 719_162)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_type(values: &[&str], expected: Type) {
        let mut candidates = Candidates::default();
        for value in values {
            candidates.see(value);
        }
        assert_eq!(candidates.narrowest(), expected, "{values:?}");
    }

    #[test]
    fn the_narrowest_type_that_all_values_are_of() {
        use Type::{Boolean, Date, Float, Integer, Text};
        for (values, expected) in [
            (&[][..], Text),
            (&["1", "-20", "0"], Integer),
            (&["9223372036854775807", "-9223372036854775808"], Integer),
            (&["9223372036854775808"], Text),
            (&["1", "2.5"], Float),
            (
                &["7.25", "71.2833", "0.50", "-0.0", "-0", "1e-7", "1E5"],
                Float,
            ),
            (&["true", "FALSE", "True"], Boolean),
            (&["2024-02-29", "1969-12-31", "0001-01-01"], Date),
            (&["1", "true"], Text),
            (&["2024-01-01", "2024"], Text),
            (&["1", "", "2"], Text),
        ] {
            assert_type(values, expected);
        }
    }

    #[test]
    fn what_would_be_changed_stays_text() {
        for value in [
            "007",
            "+1",
            "00.5",
            ".5",
            "5.",
            "1_000",
            "1,5",
            " 1",
            "1 ",
            "0x1f",
            "1e",
            "e5",
            "1e+",
            "inf",
            "nan",
            "Infinity",
            "-",
            "--1",
            "1e400",
            "1e-400",
            "-1e-400",
            "yes",
            "tRUE",
            "123456789012345678901234567890",
            "0.1234567890123456789",
            "1.2345678901234567e-320",
            "2023-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-01-00",
            "2024-04-31",
            "0000-01-01",
            "2024-1-01",
            "2024-01-01T00:00",
            "24-01-01",
            "1e99999999999999999999",
            "٣",
        ] {
            assert_type(&[value], Type::Text);
        }
        // Each of them is a number, but 64 bits hold not both as one kind.
        assert_type(&["9007199254740993", "1.5"], Type::Text);
    }

    #[test]
    fn values_are_what_the_text_says() {
        assert_eq!(integer("-42"), Some(-42));
        assert_eq!(float("-1.50e2"), Some(-150.0));
        assert_eq!(float("0.30000000000000004"), Some(0.1 + 0.2));
        assert_eq!(float("100000000000000000000"), Some(1e20));
        assert_eq!(float("0.000000000000000000"), Some(0.0));
        assert_eq!(float("1.7976931348623157e308"), Some(f64::MAX));
        assert_eq!(float("5e-324"), Some(5e-324));
        for (text, days) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-03-01", 11_017),
            ("2024-02-29", 19_782),
            ("0001-01-01", -719_162),
            ("9999-12-31", 2_932_896),
        ] {
            assert_eq!(date(text), Some(days), "{text}");
        }
    }
}
