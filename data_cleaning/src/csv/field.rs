//! Single fields: what they mean, and whether that is one of the null values.

use std::borrow::Cow;

use crate::csv::dialect::Dialect;
use crate::null_values::NullValues;

/// Which of the null values the field is that `bytes` begins with. They may go on behind it.
#[inline(always)]
pub fn find_null(bytes: &[u8], dialect: &Dialect, nulls: &NullValues) -> Option<usize> {
    let quoted = bytes.first().copied() == dialect.quote && !bytes.is_empty();
    let mut value = &bytes[usize::from(quoted)..];
    if dialect.trim {
        while let [blank @ (b' ' | b'\t'), rest @ ..] = value
            && *blank != dialect.delimiter
        {
            value = rest;
        }
    }
    // Nearly all that look like a null value at first do not at second.
    let ends = |byte: &u8| dialect.ends(*byte) || Some(*byte) == dialect.quote;
    if !value.first().is_none_or(ends) && !nulls.may_begin(value) {
        return None;
    }
    find_whole(bytes, dialect, nulls)
}

#[inline(never)]
fn find_whole(bytes: &[u8], dialect: &Dialect, nulls: &NullValues) -> Option<usize> {
    if dialect.trim {
        return nulls.find(blanks_off(&meaning(first_field(bytes, dialect)?, dialect)));
    }
    // Every byte of the value may be a doubled quote; two quotes are around it, and one byte after.
    let needed = bytes.len().min(2 * nulls.longest() + 3);
    nulls.find(&meaning(first_field(&bytes[..needed], dialect)?, dialect))
}

/// The field that the bytes begin with, or nothing if its quote is not closed in them or followed by
/// text.
fn first_field<'a>(bytes: &'a [u8], dialect: &Dialect) -> Option<&'a [u8]> {
    let quote = match (bytes.first(), dialect.quote) {
        (Some(first), Some(quote)) if *first == quote => quote,
        _ => {
            let end = bytes.iter().position(|byte| dialect.ends(*byte));
            return Some(&bytes[..end.unwrap_or(bytes.len())]);
        }
    };
    let mut end = 1;
    loop {
        end += bytes[end..].iter().position(|byte| *byte == quote)? + 1;
        match bytes.get(end) {
            Some(byte) if *byte == quote => end += 1,
            // Malformed, which is told elsewhere.
            Some(byte) if !dialect.ends(*byte) => return None,
            _ => return Some(&bytes[..end]),
        }
    }
}

/// What a field means: without its quotes, and those within it undoubled.
pub fn meaning<'a>(field: &'a [u8], dialect: &Dialect) -> Cow<'a, [u8]> {
    let Some(quote) = dialect.quote else {
        return field.into();
    };
    let Some(text) = field.strip_prefix(&[quote]) else {
        return field.into();
    };
    let text = text.strip_suffix(&[quote]).unwrap_or(text);
    if !text.contains(&quote) {
        return text.into();
    }
    let mut halves = 0;
    let mut meant = text.to_vec();
    // Within quotes they come in pairs, the second of each goes.
    meant.retain(|byte| {
        halves += usize::from(*byte == quote);
        *byte != quote || halves % 2 == 1
    });
    meant.into()
}

/// The value without the blanks around it.
pub fn blanks_off(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The fields of one well-formed record, as they stand in it.
///
/// Slow beside the masks: for a header, or a record that is looked at twice.
pub fn fields<'a>(record: &'a [u8], dialect: &Dialect) -> Vec<&'a [u8]> {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    let record = record.strip_suffix(b"\r").unwrap_or(record);
    let (mut fields, mut start) = (Vec::new(), 0);
    let (mut inside, mut closed) = (false, false);
    for (place, &byte) in record.iter().enumerate() {
        if Some(byte) == dialect.quote && (inside || closed || place == start) {
            (inside, closed) = (!inside, inside);
            continue;
        }
        closed = false;
        if byte == dialect.delimiter && !inside {
            fields.push(&record[start..place]);
            start = place + 1;
        }
    }
    fields.push(&record[start..]);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(bytes: &[u8], values: &[&str], dialect: &Dialect) -> Option<String> {
        let nulls = NullValues::new(values.iter().map(|value| (*value).to_owned()).collect());
        let found = find_null(bytes, dialect, &nulls)?;
        Some(nulls.values()[found].clone())
    }

    fn find(bytes: &[u8], values: &[&str]) -> Option<String> {
        let dialect = Dialect {
            delimiter: b';',
            ..Dialect::default()
        };
        find_in(bytes, values, &dialect)
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

    #[test]
    fn blanks_do_not_count_if_they_are_trimmed() {
        let dialect = Dialect {
            trim: true,
            ..Dialect::default()
        };
        for bytes in [" NA,", "NA \n", "\t NA\t", "\" NA \"\r\n", "NA,x"] {
            let found = find_in(bytes.as_bytes(), &["NA"], &dialect);
            assert_eq!(found, Some("NA".into()), "{bytes:?}");
        }
        for bytes in ["  ,", " ", "\"  \",x", ","] {
            let found = find_in(bytes.as_bytes(), &["NA"], &dialect);
            assert_eq!(found, Some(String::new()), "{bytes:?}");
        }
        assert_eq!(find_in(b" N A,", &["NA"], &dialect), None);
    }

    #[test]
    fn without_quotes_they_are_text() {
        let dialect = Dialect {
            quote: None,
            ..Dialect::default()
        };
        assert_eq!(find_in(b"\"NA\",", &["NA"], &dialect), None);
        assert_eq!(find_in(b"\",", &["\""], &dialect), Some("\"".into()));
        assert_eq!(fields(b"\"a,b\"\r\n", &dialect), [&b"\"a"[..], b"b\""]);
        assert_eq!(*meaning(b"\"a\"", &dialect), *b"\"a\"");
    }

    #[test]
    fn a_record_is_taken_apart() {
        let dialect = Dialect {
            stray_quotes: true,
            ..Dialect::default()
        };
        for (record, expected) in [
            ("", vec![""]),
            ("a,b\n", vec!["a", "b"]),
            ("\"a,\"\"b\",,c\r\n", vec!["\"a,\"\"b\"", "", "c"]),
            ("12\" pipe,x\"\n", vec!["12\" pipe", "x\""]),
        ] {
            let expected: Vec<&[u8]> = expected.into_iter().map(str::as_bytes).collect();
            assert_eq!(fields(record.as_bytes(), &dialect), expected);
        }
    }
}
