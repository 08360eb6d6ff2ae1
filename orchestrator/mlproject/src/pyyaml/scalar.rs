//! What a scalar means by YAML 1.1, as PyYAML's resolver and constructor have it.

use super::graph::Content;
use super::kind::Kind;
use super::number::{float, has_exponent, integer, is_plain_float, is_plain_integer};
use super::tag::tagged_kind;
use super::timestamp::timestamp;
use super::{Dialect, ErrorKind, Object, shortened};

/// A scalar by its tag, else by its text when it is plain.
pub(super) fn scalar(
    text: String,
    tag: Option<&str>,
    is_plain: bool,
    dialect: Dialect,
) -> Result<Content, ErrorKind> {
    let kind = match tag {
        // The tag `!` alone gives a quoted scalar the meaning that it would have without quotes.
        Some("!") => plain_kind(&text, dialect),
        None if is_plain => plain_kind(&text, dialect),
        None => Kind::Str,
        Some(tag) => tagged_kind(tag)?,
    };
    let (name, value) = match kind {
        Kind::Str => return Ok(Content::Scalar(Object::Str(text))),
        Kind::Null => return Ok(Content::Scalar(Object::None)),
        Kind::Merge => return Ok(Content::Merge),
        Kind::Equals => return Ok(Content::Equals(Object::Str(text))),
        Kind::Bool => ("boolean", boolean(&text)),
        Kind::Int => ("integer", integer(&text)),
        Kind::Float => ("number", float(&text)),
        Kind::Timestamp => (
            "date or time",
            timestamp(&text).and_then(|time| time.value()),
        ),
        Kind::Binary => ("base64 text", base64(&text)),
    };
    value.map(Content::Scalar).ok_or_else(|| ErrorKind::Scalar {
        kind: name,
        text: shortened(&text),
    })
}

/// What a plain scalar is, by the patterns of PyYAML's resolver, of which OmegaConf changes two.
fn plain_kind(text: &str, dialect: Dialect) -> Kind {
    let is_omegaconf = dialect == Dialect::OmegaConf;
    // The end of a pattern is also before a last newline; a block scalar with the tag `!` has one.
    let text = match text.strip_suffix('\n') {
        Some(line) if !line.is_empty() => line,
        _ => text,
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "<<" => Kind::Merge,
        "=" => Kind::Equals,
        _ if is_plain_boolean(text) => Kind::Bool,
        _ if is_plain_float(text) => Kind::Float,
        _ if is_plain_integer(text) => Kind::Int,
        _ if is_omegaconf && has_exponent(text) => Kind::Float,
        _ if is_omegaconf => Kind::Str,
        _ if timestamp(text).is_some_and(|time| time.is_plain(text)) => Kind::Timestamp,
        _ => Kind::Str,
    }
}

/// `yes`, `Yes` and `YES`, but not `yEs`; the same for the other five.
fn is_plain_boolean(text: &str) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    let one_case = rest.bytes().all(|byte| byte.is_ascii_lowercase())
        || text.bytes().all(|byte| byte.is_ascii_uppercase());
    one_case && boolean(text).is_some()
}

fn boolean(text: &str) -> Option<Object> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "on" => Some(Object::Bool(true)),
        "no" | "false" | "off" => Some(Object::Bool(false)),
        _ => None,
    }
}

/// Python's lenient base64: other characters are skipped, and padding ends the data.
fn base64(text: &str) -> Option<Object> {
    if !text.is_ascii() {
        return None;
    }
    let (mut bytes, mut bits, mut digits, mut padding) = (Vec::new(), 0_u32, 0, 0);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                if digits >= 2 && digits + padding >= 4 {
                    return Some(Object::Bytes(bytes));
                }
                continue;
            }
            _ => continue,
        };
        padding = 0;
        bits = bits << 6 | u32::from(digit);
        if digits > 0 {
            let [.., byte] = (bits >> (6 - 2 * digits)).to_be_bytes();
            bytes.push(byte);
        }
        digits = (digits + 1) % 4;
    }
    (digits == 0).then_some(Object::Bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::tests::printed;

    #[test]
    fn plain_scalars_mean_what_they_mean_in_yaml_1_1() {
        let table = [
            ("~ null Null NULL", "None"),
            ("yes Yes YES on On ON true True TRUE", "True"),
            ("no No NO off Off OFF false False FALSE", "False"),
            ("0 00 0_ -0 +0b0 0x0_", "0"),
            ("8 010 0b1000 0x8 +8 8_ 0_1_0", "8"),
            ("1_000 +1_000 1000", "1000"),
            ("-90 -1:30 -0x5a -0132", "-90"),
            ("12:30:45", "45045"),
            (
                "18446744073709551615 0xFFFFFFFFFFFFFFFF",
                "18446744073709551615",
            ),
            (
                "-9223372036854775809 -0x8000000000000001",
                "-9223372036854775809",
            ),
            (
                "123456789012345678901234567890 0x18EE90FF6C373E0EE4E3F0AD2",
                "123456789012345678901234567890",
            ),
            ("1.0 1. +1.0 0_1.0 1.0e+0", "1.0"),
            ("1.0e-5 .00001 0.00001", "1e-05"),
            ("1:30.5", "90.5"),
            (".inf +.Inf .INF 1.0e+999", "inf"),
            ("-.inf", "-inf"),
            (".nan .NaN .NAN", "nan"),
            ("2020-01-31", "2020-01-31"),
            (
                "2020-1-31T1:02:03 2020-01-31t01:02:03.",
                "2020-01-31 01:02:03",
            ),
            (
                "2020-01-31T01:02:03.1234567Z",
                "2020-01-31 01:02:03.123456+00:00",
            ),
            ("2020-01-31T01:02:03-05:30", "2020-01-31 01:02:03-05:30"),
        ];
        for (scalars, expected) in table {
            for scalar in scalars.split(' ') {
                assert_eq!(
                    printed(&format!("[{scalar}]")),
                    printed_in_list(expected, scalar),
                    "{scalar}"
                );
            }
        }
    }

    /// Dates are the only ones whose text differs inside of a list.
    #[track_caller]
    fn printed_in_list(expected: &str, scalar: &str) -> String {
        if !expected.contains("-01-") {
            return format!("[{expected}]");
        }
        assert_eq!(printed(scalar), expected);
        printed(&format!("- {scalar}"))
    }

    #[test]
    fn a_last_newline_does_not_count() {
        for (text, expected) in [
            ("12", "12"),
            ("1.5", "1.5"),
            ("~", "None"),
            ("2020-01-31", "2020-01-31"),
        ] {
            assert_eq!(printed(&format!("! |\n {text}\n")), expected);
        }
        assert_eq!(printed("! |+\n\n"), "\n");
        assert_eq!(printed("!!timestamp |\n 2020-01-31\n"), "2020-01-31");
        assert!(printed("! |\n yes\n").starts_with("1:1: `yes\\n` is not a valid boolean"));
    }

    #[test]
    fn everything_else_is_a_text() {
        let table = "yEs y n nULL 08 09 0o17 1e3 1.5e5 -.5 +.nan 0b2 0x 1:60 1:5:60 _1 1__.e 12e03 2020-1-31 \
                     2020-01-31T1:2:3 -2020-01-31 0:30";
        for scalar in table.split_whitespace() {
            assert_eq!(printed(scalar), scalar);
        }
        for scalar in ["1", "yes", "null", "2020-01-31", "<<", "="] {
            assert_eq!(printed(&format!("'{scalar}'")), scalar);
            assert_eq!(printed(&format!("\"{scalar}\"")), scalar);
            assert_eq!(printed(&format!("!!str {scalar}")), scalar);
        }
    }
}
