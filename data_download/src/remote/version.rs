//! Which version of a file a server has: what tells two of them apart.
//!
//! Pure.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_RANGE, DATE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED,
};

use crate::content::Packing;

/// A version of a file, as far as the server tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Version {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// The whole file in bytes.
    pub length: Option<u64>,
    /// How the server has packed the bytes to send them, although it was asked not to.
    pub encoding: Option<Packing>,
    /// What the rest of exactly these bytes can be asked for with (`If-Range`). Without it, a cut
    /// download starts over.
    pub validator: Option<String>,
}

impl Version {
    /// Reads the headers of an answer that came at `now`.
    pub fn of(headers: &HeaderMap, length: Option<u64>, now: SystemTime) -> Version {
        let etag = text(headers, &ETAG);
        let last_modified = text(headers, &LAST_MODIFIED);
        let sent = text(headers, &DATE).and_then(|date| httpdate::parse_http_date(&date).ok());
        let strong = etag.clone().filter(|etag| etag.starts_with('"'));
        let validator = strong.or_else(|| {
            let date = last_modified.clone()?;
            is_settled(&date, sent.unwrap_or(now)).then_some(date)
        });
        Version {
            etag,
            last_modified,
            length,
            encoding: None,
            validator,
        }
    }

    /// Whether the rest of exactly these bytes can be asked for.
    pub fn is_resumable(&self) -> bool {
        self.validator.is_some()
    }

    /// Whether nothing in `other` says that it is another version.
    pub fn agrees_with(&self, other: &Version) -> bool {
        agree(self.etag.as_ref(), other.etag.as_ref())
            && agree(self.last_modified.as_ref(), other.last_modified.as_ref())
            && agree(self.length.as_ref(), other.length.as_ref())
            && self.encoding == other.encoding
    }
}

fn agree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// A file that changed within the last second may change again under the same date: RFC 9110,
/// section 8.8.2.2.
fn is_settled(last_modified: &str, sent: SystemTime) -> bool {
    let Ok(modified) = httpdate::parse_http_date(last_modified) else {
        return false;
    };
    let age = sent.duration_since(modified);
    age.is_ok_and(|age| age >= Duration::from_secs(1))
}

/// How the bytes of an answer are packed.
pub fn encoding(headers: &HeaderMap) -> Result<Option<Packing>> {
    let encodings = headers.get_all(CONTENT_ENCODING).iter();
    let encodings = encodings.map(|value| String::from_utf8_lossy(value.as_bytes()));
    Packing::of_encoding(&encodings.collect::<Vec<_>>().join(", "))
}

/// The value of a header, if it is there and plain ASCII.
pub fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

/// The part that a 206 answer holds: first byte, number of bytes, and the length of the whole
/// file unless the server does not know it.
pub fn content_range(headers: &HeaderMap) -> Option<(u64, u64, Option<u64>)> {
    let value = text(headers, &CONTENT_RANGE)?;
    let (range, total) = value.strip_prefix("bytes ")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    let count = last.checked_sub(first)?.checked_add(1)?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let fits = total.is_none_or(|total| last < total);
    fits.then_some((first, count, total))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    type Headers<'a> = &'a [(HeaderName, &'a str)];

    const MONDAY: &str = "Mon, 02 Nov 2026 10:00:00 GMT";
    const A_SECOND_LATER: &str = "Mon, 02 Nov 2026 10:00:01 GMT";

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        pairs.iter().map(|(n, v)| (n.clone(), value(v))).collect()
    }

    #[test]
    fn resumes_only_what_is_surely_the_same() {
        let cases: [(Headers, Option<&str>); 7] = [
            (&[], None),
            (&[(ETAG, "\"a\"")], Some("\"a\"")),
            (&[(ETAG, "W/\"a\"")], None),
            (&[(ETAG, "W/\"a\""), (LAST_MODIFIED, MONDAY)], Some(MONDAY)),
            (
                &[(LAST_MODIFIED, MONDAY), (DATE, A_SECOND_LATER)],
                Some(MONDAY),
            ),
            (&[(LAST_MODIFIED, MONDAY), (DATE, MONDAY)], None),
            (&[(LAST_MODIFIED, "yesterday")], None),
        ];
        let now = httpdate::parse_http_date("Tue, 03 Nov 2026 10:00:00 GMT").unwrap();
        for (pairs, expected) in cases {
            let version = Version::of(&headers(pairs), None, now);
            assert_eq!(version.validator.as_deref(), expected, "{pairs:?}");
        }
    }

    #[test]
    fn reads_content_range() {
        let cases = [
            ("bytes 5-9/10", Some((5, 5, Some(10)))),
            ("bytes 5-9/*", Some((5, 5, None))),
            ("bytes 5-9/9", None),
            ("bytes 9-5/10", None),
            ("bytes */10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("items 5-9/10", None),
            ("", None),
        ];
        for (value, expected) in cases {
            let headers = headers(&[(CONTENT_RANGE, value)]);
            assert_eq!(content_range(&headers), expected, "{value}");
        }
    }
}
