//! What strangers write and the program reads: the head and the body of an answer, where it redirects to,
//! its cookies, a netrc file. Whatever they write, some things hold.
//!
//! `fuzz` looks for texts of which one does not; what it found is read here, too.

use std::time::{Duration, SystemTime};

use data_download::content::{Packing, look};
use data_download::remote::cookies::Cookies;
use data_download::remote::headers::Entries;
use data_download::remote::netrc::Netrc;
use data_download::remote::reason::{in_body, schemes};
use data_download::remote::redirect::Way;
use data_download::remote::version::{Version, content_range, encoding, text};
use data_download::retry::retry_after;
use data_download::source::Source;
use reqwest::Url;
use reqwest::header::{
    CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, SET_COOKIE,
};

/// No host has capital letters.
const SECRET: &str = "S3CR3T";

/// Reads the text as each of these. Its lines are headers, up to an empty one, and places to go to.
pub fn check(text: &[u8]) {
    let head = text.windows(2).position(|bytes| bytes == b"\n\n");
    let (head, body) = head.map_or((text, &[][..]), |end| (&text[..end], &text[end + 2..]));
    check_answer(&headers(head), body);
    check_cookies(head);
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    for scheme in ["http", "https"] {
        check_way(scheme, &lines);
    }
    check_netrc(&String::from_utf8_lossy(text));
    for line in &lines {
        check_source(&String::from_utf8_lossy(line));
    }
}

fn headers(head: &[u8]) -> HeaderMap {
    let lines = head.split(|byte| *byte == b'\n');
    let pairs = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((
            name,
            HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?,
        ))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value);
    }
    headers
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
}

fn check_answer(headers: &HeaderMap, body: &[u8]) {
    let version = Version::of(headers, None, now());
    if let Some(validator) = &version.validator {
        let is_strong = version.etag.as_ref() == Some(validator) && validator.starts_with('"');
        assert!(is_strong || version.last_modified.as_ref() == Some(validator));
    }
    assert!(version.agrees_with(&version));
    if let Some((first, count, total)) = content_range(headers) {
        let end = first.checked_add(count).expect("a file has an end");
        assert!(count > 0 && total.is_none_or(|total| end <= total));
    }
    // Whatever it is, or an error.
    let _packing = (encoding(headers), Packing::of(body));
    let _wait = text(headers, &RETRY_AFTER).and_then(|value| retry_after(&value, now()));
    for scheme in schemes(headers) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        assert!(!scheme.is_empty() && scheme.bytes().all(is_plain));
    }
    let kind = text(headers, &CONTENT_TYPE);
    look(body, kind.as_deref(), true).ok();
    look(body, kind.as_deref(), false).ok();
    if let Some(reason) = in_body(kind.as_deref(), body, &[SECRET.to_owned()]) {
        assert!(!reason.contains(SECRET), "{reason}");
        assert!(
            !reason.contains('\n') && reason.chars().count() <= 201,
            "{reason}"
        );
    }
}

/// No cookie goes to somebody else, nor to anybody if it is none of a header.
fn check_cookies(head: &[u8]) {
    let from = url("https://a.named.example/x/y");
    let mut cookies = Cookies::default();
    for line in head.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            cookies.take(&from, &HeaderMap::from_iter([(SET_COOKIE, value)]), now());
        }
    }
    for other in [
        "https://b.example/x/y",
        "https://anamed.example/x/y",
        "https://a.named.example.b/x/y",
        "https://127.0.0.1/x/y",
    ] {
        let mut headers = HeaderMap::new();
        cookies.add_to(&mut headers, &url(other));
        assert!(headers.is_empty(), "{other}: {headers:?}");
    }
    let mut headers = HeaderMap::new();
    cookies.add_to(&mut headers, &from);
    assert!(headers.values().all(HeaderValue::is_sensitive));
    let sent = headers.get(COOKIE).map_or(&[][..], HeaderValue::as_bytes);
    assert!(sent.split(|byte| *byte == b';').count() <= 50);
}

/// What was meant for the named place goes to no other one.
fn check_way(scheme: &str, locations: &[&[u8]]) {
    let named = url(&format!("{scheme}://user:{SECRET}@named.example/a?x=1"));
    let mut way = Way::new(&named);
    let (mut is_straight, mut was_sealed, mut is_repeated) = (true, scheme == "https", false);
    for location in locations {
        is_repeated |= says_it(&String::from_utf8_lossy(location));
        if let Err(error) = way.follow(location) {
            assert!(
                is_repeated || !format!("{error:#}").contains(SECRET),
                "{error:#}"
            );
            return;
        }
        let here = way.here();
        let is_sealed = here.scheme() == "https";
        is_straight &= here.host_str() == Some("named.example")
            && here.port().is_none()
            && (is_sealed || !was_sealed);
        assert_eq!(way.takes_headers(), is_straight, "{here}");
        assert!(
            is_straight || is_repeated || !here.as_str().contains(SECRET),
            "{here}"
        );
        if was_sealed && !is_sealed {
            assert_eq!(way.logins(), Entries::None, "{here}");
        }
        was_sealed |= is_sealed;
    }
}

/// Whether it is in the text itself. URLs are read without their control characters.
fn says_it(text: &str) -> bool {
    text.replace(|c: char| c.is_ascii_control(), "")
        .contains(SECRET)
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("it is one")
}

/// What stands in quotes is read as it is meant, and other text somehow.
fn check_netrc(text: &str) {
    Netrc::parse(text);
    let quoted = |word: &str| {
        let word = word.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{word}\"")
    };
    let words: Vec<&str> = text.lines().filter(|word| !word.is_empty()).collect();
    let entries = words.iter().enumerate().map(|(number, word)| {
        let word = quoted(word);
        format!("machine h{number} login {word} # a note\npassword {word}\n")
    });
    let netrc = Netrc::parse(&entries.collect::<String>()).expect("it is well-formed");
    for (number, word) in words.iter().enumerate() {
        let login = ((*word).to_owned(), (*word).to_owned());
        assert_eq!(netrc.of(&format!("h{number}")), Some(&login));
    }
}

/// A login in what the user typed is shown to nobody.
fn check_source(text: &str) {
    Source::parse(text).ok();
    let with_login = format!("https://user:{SECRET}@{text}");
    if !says_it(text) {
        let shown = match Source::parse(&with_login) {
            Ok(source) => source.to_string(),
            Err(error) => format!("{error:#}"),
        };
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[test]
fn what_was_found_by_fuzzing_holds() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/strangers");
    let texts = std::fs::read_dir(corpus).expect("it is part of the repository");
    let texts = texts.map(|text| {
        let path = text.expect("it can be listed").path();
        check(&std::fs::read(path).expect("it can be read"));
    });
    assert!(texts.count() >= 3);
}

/// Texts made of pieces of these, which fuzzing begins with.
#[test]
fn what_is_put_together_by_chance_holds() {
    const PIECES: [&str; 40] = [
        "\n",
        "\n\n",
        ": ",
        ";",
        "=",
        "\"",
        "\\",
        "/",
        "//",
        "#",
        "@",
        "?",
        "<",
        ">",
        ",",
        "-",
        "*",
        " ",
        "\t",
        "\r",
        "S3CR3T",
        "named.example",
        "https://",
        "http://",
        ":8443",
        "Domain",
        "Path",
        "Secure",
        "Max-Age",
        "machine",
        "login",
        "password",
        "default",
        "macdef x\n",
        "<!--",
        "token",
        "bytes 0-",
        "ETag",
        "\u{e9}",
        "%2f",
    ];
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/strangers");
    let texts = std::fs::read_dir(corpus).expect("it is part of the repository");
    let mut texts: Vec<Vec<u8>> = texts
        .map(|text| std::fs::read(text.expect("it can be listed").path()).expect("it can be read"))
        .collect();
    texts.sort();
    let rounds = std::env::var("ROUNDS").map_or(5_000, |rounds| rounds.parse().expect("a number"));
    let mut random = 3_u64;
    let mut below = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 33).expect("it fits") % limit
    };
    for _ in 0..rounds {
        let mut text = texts[below(texts.len())].clone();
        for _ in 0..=below(8) {
            let start = below(text.len() + 1);
            let end = start + below((text.len() - start).min(12) + 1);
            match below(3) {
                0 => drop(text.splice(start..end, PIECES[below(PIECES.len())].bytes())),
                1 => drop(text.splice(start..end, [u8::try_from(below(256)).expect("a byte")])),
                _ => {
                    let piece = text[start..end].to_vec();
                    let at = below(text.len() + 1);
                    text.splice(at..at, piece);
                }
            }
        }
        check(&text);
    }
}
