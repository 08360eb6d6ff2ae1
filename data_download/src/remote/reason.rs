//! Why a server refuses, in its own words.
//!
//! Pure. It is the text of a stranger: made short and of one line here, escaped where it is printed, and
//! without anything that may be a secret, as some servers repeat what they were sent.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

use crate::content::is_page;
use crate::source::{HIDDEN, is_secret};

/// As many bytes of the body as are looked at.
pub const MOST_BYTES: usize = 4096;

/// As many characters as are shown.
const MOST_SHOWN: usize = 200;

/// A word with letters and digits of this length is taken for a token.
const TOKEN: usize = 20;

/// What the body of an error says, if it is made for people: text, JSON or XML. The `secrets` are hidden.
pub fn in_body(content_type: Option<&str>, body: &[u8], secrets: &[String]) -> Option<String> {
    if is_page(content_type, body) || body.contains(&0) {
        return None;
    }
    let text = match str::from_utf8(body) {
        Ok(text) => text,
        // Only the end may be cut.
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let text = if text.starts_with('<') {
        without_tags(text)
    } else {
        text.to_owned()
    };
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let secrets = secrets.iter().map(|secret| in_one_line(secret));
    let line = secrets
        .filter(|secret| secret.len() > 2)
        .fold(in_one_line(&text), |line, secret| {
            line.replace(&secret, HIDDEN)
        });
    let line = redacted(&line);
    let mut shown: String = line.chars().take(MOST_SHOWN).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    (!shown.is_empty()).then_some(shown)
}

/// The ways to log in that an answer names, such as `Basic`.
pub fn schemes(headers: &HeaderMap) -> Vec<String> {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let headers = headers.get_all(WWW_AUTHENTICATE).iter();
    let schemes = headers.filter_map(|header| {
        let first = header.to_str().ok()?.trim_start();
        let end = first.find(|c| !is_in_name(c)).unwrap_or(first.len());
        Some(first[..end].to_owned()).filter(|scheme| !scheme.is_empty())
    });
    schemes.collect()
}

/// The text between the tags.
fn without_tags(text: &str) -> String {
    let pieces = text.split('<').map(|piece| match piece.split_once('>') {
        Some((_, text)) => text,
        None => "",
    });
    pieces.collect::<Vec<_>>().join(" ")
}

/// A line without what may be a secret in it: the value of a name such as `token`, or any long string of
/// letters and digits.
fn redacted(line: &str) -> String {
    let is_in_token = |c: char| c.is_ascii_alphanumeric() || "-_.~+/%".contains(c);
    let mut shown = String::new();
    let mut rest = line;
    let mut is_value = false;
    while let Some(first) = rest.chars().next() {
        if !is_in_token(first) {
            shown.push(first);
            is_value &= "=:\"' ".contains(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| !is_in_token(c)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        let has = |is: fn(&u8) -> bool| token.bytes().any(|byte| is(&byte));
        let is_token = token.len() >= TOKEN
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
            && !token.contains("//");
        shown.push_str(if is_value || is_token { HIDDEN } else { token });
        let is_named = after
            .trim_start_matches(['"', '\''])
            .starts_with(['=', ':']);
        is_value = is_named && is_secret(token);
        rest = after;
    }
    shown
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn the_body_of_an_error_becomes_a_line() {
        let xml = "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code>\
                   <Message>Request has expired</Message></Error>";
        for (kind, body, expected) in [
            (
                "text/plain",
                "no such\r\n  dataset\n",
                Some("no such dataset"),
            ),
            (
                "application/json",
                "{\"message\": \"Bad credentials\"}",
                Some("{\"message\": \"Bad credentials\"}"),
            ),
            (
                "application/xml",
                xml,
                Some("AccessDenied Request has expired"),
            ),
            ("", "<html><h1>404</h1>", None),
            ("text/html", "<p>404</p>", None),
            ("text/html", "not found", Some("not found")),
            ("text/plain", "\0\u{1}", None),
            ("text/plain", " \n", None),
            ("text/plain", "", None),
        ] {
            let reason = in_body(Some(kind), body.as_bytes(), &[]);
            assert_eq!(reason.as_deref(), expected, "{kind} {body}");
        }
        assert_eq!(in_body(None, b"\xff\xfe", &[]), None);
        assert_eq!(in_body(None, b"caf\xc3", &[]).as_deref(), Some("caf"));
        let long = in_body(None, "ä ".repeat(500).as_bytes(), &[]).unwrap();
        assert_eq!(
            (long.chars().count(), long.chars().last()),
            (201, Some('…'))
        );
    }

    #[test]
    fn nothing_that_may_be_a_secret_is_repeated() {
        let secrets = ["s3cret", "ab", "two  words"].map(str::to_owned);
        for (body, expected) in [
            ("no user s3cret", "no user ***"),
            ("no user two\nwords", "no user ***"),
            ("about ab", "about ab"),
            ("token=xyz&page=2", "token=***&page=2"),
            (
                "{\"api_key\": \"xyz\", \"id\": 7}",
                "{\"api_key\": \"***\", \"id\": 7}",
            ),
            ("{\"key\":\"xyz\",\"id\":7}", "{\"key\":\"***\",\"id\":7}"),
            ("invalid eyJhbGciOiJIUzI1NiIsInR5.x_y", "invalid ***"),
            (
                "internationalization 12345678901234567890",
                "internationalization 12345678901234567890",
            ),
            (
                "see https://example.org/help2/login-and-more",
                "see https://example.org/help2/login-and-more",
            ),
        ] {
            let reason = in_body(None, body.as_bytes(), &secrets);
            assert_eq!(reason.as_deref(), Some(expected));
        }
    }

    #[test]
    fn names_the_ways_to_log_in() {
        let headers = ["Basic realm=\"x\"", "Bearer", "", " \u{1b}[1m"];
        let values = headers
            .iter()
            .filter_map(|text| HeaderValue::from_str(text).ok());
        let headers = values.map(|value| (WWW_AUTHENTICATE, value)).collect();
        assert_eq!(schemes(&headers), ["Basic", "Bearer"]);
    }
}
