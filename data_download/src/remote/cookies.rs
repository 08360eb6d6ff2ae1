//! Cookies, kept for one run: where a login ends, it is often by one, and the way to the file then leads
//! over the same hosts again.
//!
//! Pure. By RFC 6265, less what a run of one file has no use for: a cookie that expires later does not
//! expire before the end.

use std::cmp::Reverse;
use std::time::SystemTime;

use reqwest::Url;
use reqwest::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

/// A longer one is passed over, as by curl.
const MOST_BYTES: usize = 4096;

/// With more, the first one goes: no login needs so many, and a header has its limits.
const MOST_COOKIES: usize = 50;

/// The cookies that servers have set.
#[derive(Default)]
pub struct Cookies(Vec<Cookie>);

struct Cookie {
    name: Vec<u8>,
    value: Vec<u8>,
    host: String,
    /// Whether it is also for the hosts below that one.
    is_for_subdomains: bool,
    path: String,
    is_secure: bool,
}

impl Cookies {
    /// Keeps what an answer of `url` sets.
    pub fn take(&mut self, url: &Url, headers: &HeaderMap, now: SystemTime) {
        for header in headers.get_all(SET_COOKIE) {
            let Some((cookie, is_over)) = parse(header.as_bytes(), url, now) else {
                continue;
            };
            let is_same = |other: &Cookie| {
                (&other.name, &other.host, &other.path)
                    == (&cookie.name, &cookie.host, &cookie.path)
            };
            self.0.retain(|other| !is_same(other));
            if !is_over {
                self.0.push(cookie);
            }
            if self.0.len() > MOST_COOKIES {
                self.0.remove(0);
            }
        }
    }

    /// Adds those for a request of `url` to its `headers`, behind the ones that stand there.
    pub fn add_to(&self, headers: &mut HeaderMap, url: &Url) {
        let mut cookies: Vec<_> = self.0.iter().filter(|cookie| cookie.is_for(url)).collect();
        // Stable: of one length, those that were set first.
        cookies.sort_by_key(|cookie| Reverse(cookie.path.len()));
        let own = cookies
            .iter()
            .map(|cookie| [&cookie.name, &b"="[..], &cookie.value].concat());
        let there = headers.get_all(COOKIE).iter();
        let all: Vec<_> = there
            .map(|value| value.as_bytes().to_owned())
            .chain(own)
            .collect();
        // They were parts of headers.
        let header = HeaderValue::from_bytes(&all.join(&b"; "[..])).ok();
        if let Some(mut header) = header.filter(|header| !header.is_empty()) {
            header.set_sensitive(true);
            headers.insert(COOKIE, header);
        }
    }
}

impl Cookie {
    fn is_for(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let is_host = host == self.host || (self.is_for_subdomains && is_below(host, &self.host));
        let below = url.path().strip_prefix(self.path.as_str());
        let is_path = below.is_some_and(|below| {
            below.is_empty() || below.starts_with('/') || self.path.ends_with('/')
        });
        is_host && is_path && (!self.is_secure || url.scheme() == "https")
    }
}

/// Reads a `Set-Cookie` of `url`, and tells whether the cookie is to be removed.
fn parse(header: &[u8], url: &Url, now: SystemTime) -> Option<(Cookie, bool)> {
    if header.len() > MOST_BYTES {
        return None;
    }
    let mut parts = header.split(|byte| *byte == b';').map(pair);
    let (name, value) = parts.next()?;
    let value = value.filter(|_| !name.is_empty())?;
    let host = url.host_str()?;
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        host: host.to_owned(),
        is_for_subdomains: false,
        path: folder(url.path()).to_owned(),
        is_secure: false,
    };
    let (mut is_past, mut age) = (false, None);
    for (name, value) in parts {
        let value = str::from_utf8(value.unwrap_or_default()).unwrap_or_default();
        match name.to_ascii_lowercase().as_slice() {
            b"domain" if !value.is_empty() => {
                let domain = value.trim_start_matches('.').to_ascii_lowercase();
                // That of a whole country, as `co.uk`, is not known as such: the cookie may be sent to a
                // stranger, who can be sent anything by a redirect anyway, and to nobody after the run.
                let is_own = domain == host || is_below(host, &domain) && domain.contains('.');
                if !is_own {
                    return None;
                }
                cookie.is_for_subdomains = true;
                cookie.host = domain;
            }
            b"path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            b"secure" => cookie.is_secure = true,
            b"max-age" => age = value.parse::<i64>().ok().or(age),
            b"expires" => {
                let date = httpdate::parse_http_date(value);
                is_past = date.is_ok_and(|date| date <= now);
            }
            _ => {}
        }
    }
    // Who is on the way could else set it in the name of the other side.
    if cookie.is_secure && url.scheme() != "https" {
        return None;
    }
    Some((cookie, age.map_or(is_past, |age| age <= 0)))
}

/// The two sides of `name=value`, without blanks around them.
fn pair(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    match part.iter().position(|byte| *byte == b'=') {
        Some(at) => (part[..at].trim_ascii(), Some(part[at + 1..].trim_ascii())),
        None => (part.trim_ascii(), None),
    }
}

/// Whether `host` is a name below `domain`; an address is below none.
fn is_below(host: &str, domain: &str) -> bool {
    let above = host
        .strip_suffix(domain)
        .and_then(|above| above.strip_suffix('.'));
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    above.is_some_and(|above| !above.is_empty()) && !is_address
}

/// The folder of a path, without the slash at its end.
fn folder(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &path[..end],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(from: &str, set: &[&str], to: &str) -> Option<String> {
        let url = |text| Url::parse(text).unwrap();
        let now = httpdate::parse_http_date("Mon, 02 Nov 2026 10:00:00 GMT").unwrap();
        let mut cookies = Cookies::default();
        for set in set {
            let header = (SET_COOKIE, HeaderValue::from_str(set).unwrap());
            cookies.take(&url(from), &HeaderMap::from_iter([header]), now);
        }
        let mut headers = HeaderMap::new();
        cookies.add_to(&mut headers, &url(to));
        Some(headers.get(COOKIE)?.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_is_for_its_host_and_path() {
        let (a, b) = ("http://a.example.org/x/y", "http://b.example.org/x/y");
        for (from, set, to, expected) in [
            (a, "s=1", a, true),
            (a, "s=1", b, false),
            (a, "s=1", "http://a.example.org:8080/x/z", true),
            (a, "s=1", "https://a.example.org/x/z", true),
            (a, "s=1", "http://a.example.org/z", false),
            (a, "s=1", "http://c.a.example.org/x/y", false),
            (
                a,
                "s=1;domain=a.example.org",
                "http://c.a.example.org/x/y",
                true,
            ),
            (a, "s=1; Domain=.Example.org", b, true),
            (a, "s=1; Domain=example.org", "http://example.org/x/", true),
            (
                a,
                "s=1; Domain=example.org",
                "http://notexample.org/x/",
                false,
            ),
            (a, "s=1; Domain=org", b, false),
            (a, "s=1; Domain=b.example.org", b, false),
            (a, "s=1; Domain=c.a.example.org", a, false),
            (a, "s=1; Domain=", a, true),
            (
                "http://10.0.0.1/",
                "s=1; Domain=0.0.1",
                "http://20.0.0.1/",
                false,
            ),
            (a, "s=1; Path=/", "http://a.example.org/", true),
            (a, "s=1; Path=/z", "http://a.example.org/z/a", true),
            (a, "s=1; Path=/z", "http://a.example.org/zz", false),
            (a, "s=1; Path=z", a, true),
            (a, "s=1; Secure", "https://a.example.org/x/y", false),
            (
                "https://h/",
                "s=1; secure; HttpOnly; SameSite=Lax",
                "https://h/",
                true,
            ),
            ("https://h/", "s=1; secure", "http://h/", false),
        ] {
            let sent = sent(from, &[set], to);
            assert_eq!(
                sent.as_deref(),
                expected.then_some("s=1"),
                "{from} {set} {to}"
            );
        }
    }

    #[test]
    fn the_last_word_about_a_cookie_counts() {
        let all = |set: &[&str]| sent("http://h/a/b", set, "http://h/a/b");
        for (set, expected) in [
            (&["s=1", "s=2; Path=/a"][..], Some("s=2")),
            (&["s=1; path=/", "t = 2 ; path=/a"], Some("t=2; s=1")),
            (
                &["s=1", "t=\"2\"", "=3", "u", "v="],
                Some("s=1; t=\"2\"; v="),
            ),
            (&["s=1", "s=; Max-Age=0"], None),
            (&["s=1", "s=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None),
            (
                &["s=2; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
                Some("s=2"),
            ),
            (&["s=2; Expires=Tue, 03 Nov 2026 10:00:00 GMT"], Some("s=2")),
        ] {
            assert_eq!(all(set).as_deref(), expected, "{set:?}");
        }
    }

    #[test]
    fn a_server_cannot_fill_the_memory() {
        let long = format!("s={}", "x".repeat(MOST_BYTES));
        let many: Vec<_> = (0..MOST_COOKIES + 5).map(|n| format!("n{n}=1")).collect();
        let mut set: Vec<_> = many.iter().map(String::as_str).collect();
        set.push(&long);
        let kept = sent("http://h/", &set, "http://h/").unwrap();
        assert_eq!(kept.split("; ").count(), MOST_COOKIES);
        assert!(kept.starts_with("n5=1; "), "{kept}");
    }

    #[test]
    fn the_users_own_come_first() {
        let url = Url::parse("http://h/").unwrap();
        let mine = ["mine=1; other=2", "third=3"].map(HeaderValue::from_static);
        let mut headers: HeaderMap = mine.into_iter().map(|value| (COOKIE, value)).collect();
        let set = (SET_COOKIE, HeaderValue::from_static("s=1"));
        let mut cookies = Cookies::default();
        cookies.take(&url, &HeaderMap::from_iter([set]), SystemTime::now());
        cookies.add_to(&mut headers, &url);
        assert_eq!(headers[COOKIE], "mine=1; other=2; third=3; s=1");
        assert_eq!(headers.len(), 1);
    }
}
