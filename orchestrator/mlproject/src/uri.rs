//! What Python makes of a value that may be a URI or a path.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Whether Python's `urlparse` finds a scheme: ASCII letters, digits, `+`, `-` and `.` before a colon.
pub fn has_scheme(value: &str) -> bool {
    let value = value
        .trim_start_matches(|c: char| c <= ' ')
        .replace(['\t', '\r', '\n'], "");
    let Some((scheme, _)) = value.split_once(':') else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Whether a value is an address of http or https.
pub fn is_web(value: &str) -> bool {
    let scheme = value.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        ["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

/// The local file or folder that a value means: a value without a scheme, or `file:` without a host.
pub fn local_path(value: &str) -> Option<PathBuf> {
    if !has_scheme(value) {
        return Some(value.into());
    }
    let rest = value.strip_prefix("file:")?.split(['?', '#']).next()?;
    match rest.strip_prefix("//") {
        Some(path) if !path.is_empty() && !path.starts_with('/') => None,
        path => {
            let bytes = unquoted(path.unwrap_or(rest));
            Some(OsString::from_vec(bytes).into())
        }
    }
}

/// The bytes of a text with its `%XX` replaced; what is no such pair stays.
pub fn unquoted(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = match (first, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = code {
            bytes.push(high << 4 | low);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    bytes
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_those_of_urlparse() {
        for value in [
            "s3://b",
            "mailto:a",
            "C:/x",
            " http://h",
            "ht\ntp://h",
            "a+b-c.d:x",
        ] {
            assert!(has_scheme(value), "{value:?}");
        }
        for value in ["", "a/b", ":x", "1a:b", "ä:b", "a b:c", "a_b:c"] {
            assert!(!has_scheme(value), "{value:?}");
        }
        assert!(
            is_web("HTTPS://h") && is_web("http://h") && !is_web("ftp://h") && !is_web("http:h")
        );
    }

    #[test]
    fn a_file_of_this_machine_has_a_path() {
        for (value, path) in [
            ("a b", Some("a b")),
            ("%41", Some("%41")),
            ("file:///a%20b?x#y", Some("/a b")),
            ("file:a", Some("a")),
            ("file://", Some("")),
            ("file:///%4", Some("/%4")),
            ("file:///%+1", Some("/%+1")),
            ("file://host/a", None),
            ("s3://a", None),
        ] {
            assert_eq!(local_path(value), path.map(PathBuf::from), "{value}");
        }
    }
}
