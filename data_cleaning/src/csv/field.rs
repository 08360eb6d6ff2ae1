//! A single field, looked at only where its first bytes could begin a null value.

use std::borrow::Cow;

use crate::null_values::NullValues;

/// How many bytes from its start on decide whether a field is one of the null values.
///
/// Every byte of the value may be a doubled quote; two quotes are around it, and one byte after.
pub(crate) fn bytes_needed(nulls: &NullValues) -> usize {
    2 * nulls.longest() + 3
}

/// Which of the null values the field is that `bytes` begins with.
///
/// The bytes may go on behind it; there have to be [enough](bytes_needed), or those to the end of
/// the file.
#[inline]
pub(crate) fn find_null(bytes: &[u8], delimiter: u8, nulls: &NullValues) -> Option<usize> {
    let value = bytes.strip_prefix(b"\"").unwrap_or(bytes);
    // Nearly all that look like a null value at first do not at second.
    let empty = matches!(value, [] | [b'"' | b'\r' | b'\n', ..]) || value[0] == delimiter;
    if !empty && !nulls.may_begin(value) {
        return None;
    }
    whole_field(bytes, delimiter, nulls)
}

fn whole_field(bytes: &[u8], delimiter: u8, nulls: &NullValues) -> Option<usize> {
    let bytes = &bytes[..bytes.len().min(bytes_needed(nulls))];
    let ends = |byte: &u8| *byte == delimiter || matches!(byte, b'\r' | b'\n');
    let Some(quoted) = bytes.strip_prefix(b"\"") else {
        let end = bytes.iter().position(ends).unwrap_or(bytes.len());
        return nulls.find(&bytes[..end]);
    };
    let mut end = 0;
    loop {
        end += quoted[end..].iter().position(|byte| *byte == b'"')?;
        match quoted.get(end + 1) {
            Some(b'"') => end += 2,
            // Not at its end: malformed, which is told elsewhere.
            Some(byte) if !ends(byte) => return None,
            _ => return nulls.find(&undouble(&quoted[..end])),
        }
    }
}

/// The text within quotes as it is meant.
pub(crate) fn undouble(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'"') {
        return Cow::Borrowed(text);
    }
    let mut halves = 0;
    let mut meant = text.to_vec();
    // Within quotes they come in pairs, the second of each goes.
    meant.retain(|byte| {
        halves += usize::from(*byte == b'"');
        *byte != b'"' || halves % 2 == 1
    });
    Cow::Owned(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(bytes: &[u8], values: &[&str]) -> Option<String> {
        let nulls = NullValues::new(values.iter().map(|value| (*value).to_owned()).collect());
        let found = find_null(bytes, b';', &nulls)?;
        Some(nulls.values()[found].clone())
    }

    #[test]
    fn a_field_ends_at_the_delimiter_the_line_or_the_file() {
        for end in ["", ";", "\n", "\r\n", ";NA", "\nx"] {
            for field in ["NA", "\"NA\""] {
                let bytes = format!("{field}{end}");
                assert_eq!(
                    find(bytes.as_bytes(), &["NA"]),
                    Some("NA".into()),
                    "{bytes:?}"
                );
            }
            for field in [
                "NAN",
                "N",
                "NA ",
                "\"NA \"",
                "\"NA\"x",
                "\"NA",
                "\"\"\"NA\"",
            ] {
                let bytes = format!("{field}{end}");
                assert_eq!(find(bytes.as_bytes(), &["NA"]), None, "{bytes:?}");
            }
        }
    }

    #[test]
    fn empty_quotes_are_empty() {
        for bytes in ["\"\"", "\"\";x", "\"\"\r\n", "", ";", "\r\n"] {
            assert_eq!(
                find(bytes.as_bytes(), &[]),
                Some(String::new()),
                "{bytes:?}"
            );
        }
        for bytes in ["\"\"\"\"", "\"", "\" \"", "\"\"\""] {
            assert_eq!(find(bytes.as_bytes(), &[]), None, "{bytes:?}");
        }
    }

    #[test]
    fn quotes_within_are_compared_undoubled() {
        let values = ["\"", "a\"b\"", "x;\n"];
        assert_eq!(find(b"\"\"\"\";", &values), Some("\"".into()));
        assert_eq!(find(b"\"a\"\"b\"\"\"\n", &values), Some("a\"b\"".into()));
        assert_eq!(find(b"\"x;\n\"", &values), Some("x;\n".into()));
        assert_eq!(find(b"\"a\"\"b\"", &values), None);
    }
}
