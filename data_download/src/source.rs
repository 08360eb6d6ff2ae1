//! Where the data comes from, and how that is shown to people.
//!
//! Pure: nothing here opens a file or a connection.

use std::fmt;
use std::path::{self, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use reqwest::Url;

/// What stands in the place of a secret in every message.
pub const HIDDEN: &str = "***";

/// A query parameter whose name contains one of these is taken for a secret. `sig` covers
/// `signature`, `pass` covers `passwd` and `password`; hiding too much does no harm.
const SECRET_NAMES: [&str; 8] = [
    "auth",
    "credential",
    "key",
    "pass",
    "pwd",
    "secret",
    "sig",
    "token",
];

/// A place to read the data from.
#[derive(Debug, PartialEq)]
pub enum Source {
    Http(Url),
    #[cfg(feature = "cloud")]
    Cloud(Url),
    Local(PathBuf),
}

impl Source {
    /// Reads what the user gave. Text without a scheme is a path, as in RFC 3986 section 4.2: a
    /// relative path with a colon in its first segment is written `./a:b`.
    pub fn parse(text: &str) -> Result<Source> {
        match scheme(text).as_deref() {
            None if text == "-" => bail!(
                "standard input cannot be downloaded; expected an http, https or file URL or the path \
                 of a file, `./-` for one of that name"
            ),
            Some("http" | "https") => Ok(Source::Http(parse_url(text)?)),
            #[cfg(feature = "cloud")]
            Some("s3" | "gs" | "az") => Ok(Source::Cloud(parse_url(text)?)),
            #[cfg(not(feature = "cloud"))]
            Some(scheme @ ("s3" | "gs" | "az")) => {
                bail!("`{scheme}` URLs need a data_download that was built with `--features cloud`")
            }
            Some("file") => file_path(&parse_url(text)?).map(Source::Local),
            Some(_) if is_host_and_port(text) => {
                bail!("`{text}` has no scheme, expected `http://{text}` or `https://{text}`")
            }
            // Only the scheme is shown: `user:secret@host/file` also has one.
            Some(scheme) => bail!(
                "unsupported URL scheme `{scheme}`, expected http, https, file or the path of a file"
            ),
            None if text.contains("://") => bail!(not_a_url(text)),
            None => Ok(Source::Local(PathBuf::from(text))),
        }
    }

    /// What stays the same when only the login changes.
    pub fn identity(&self) -> String {
        let mut url = match self {
            Source::Local(file) => {
                let absolute = path::absolute(file).unwrap_or_else(|_| file.clone());
                return absolute.to_string_lossy().into_owned();
            }
            Source::Http(url) => url.clone(),
            #[cfg(feature = "cloud")]
            Source::Cloud(url) => url.clone(),
        };
        url.set_fragment(None);
        // Refused only by URLs that cannot have a login.
        url.set_username("").ok();
        url.set_password(None).ok();
        url.to_string()
    }
}

impl fmt::Display for Source {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Local(path) => path.display().fmt(f),
            Source::Http(url) => redacted(url).fmt(f),
            #[cfg(feature = "cloud")]
            Source::Cloud(url) => redacted(url).fmt(f),
        }
    }
}

/// The text of a URL with its credentials hidden.
pub fn redacted(url: &Url) -> String {
    let mut shown = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // A lone user name may be a token as well. Only a URL without a host refuses, and an
        // http URL has one.
        shown.set_password(None).ok();
        shown.set_username(HIDDEN).ok();
    }
    shown.set_query(url.query().map(redacted_query).as_deref());
    // It is never sent, and could hold an `access_token=`.
    shown.set_fragment(None);
    shown.to_string()
}

fn redacted_query(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// The texts in a URL that nobody is to see.
pub fn secrets(url: &Url) -> Vec<String> {
    let login = [Some(url.username()), url.password()].into_iter().flatten();
    let pairs = url.query_pairs();
    let values = pairs.filter(|(name, _)| is_secret(name));
    let values = values.map(|(_, value)| value.into_owned());
    login.map(str::to_owned).chain(values).collect()
}

/// Whether a value of this name may be a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // A name that hides behind percent-encoding is not worth decoding: it is hidden.
    name.contains('%') || SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// The text before the first colon in lower case, if it has the form of a URL scheme.
fn scheme(text: &str) -> Option<String> {
    let (scheme, _) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then(|| scheme.to_ascii_lowercase())
}

/// Whether the text begins like `localhost:8000`, so that its scheme was forgotten. It holds no login.
fn is_host_and_port(text: &str) -> bool {
    let place = text.split('/').next().unwrap_or_default();
    let port = place.split_once(':').map_or("", |(_, port)| port);
    let is_plain = |c: char| !c.is_control() && !"?#@".contains(c);
    port.parse::<u16>().is_ok() && text.chars().all(is_plain)
}

fn parse_url(text: &str) -> Result<Url> {
    Url::parse(text).with_context(|| not_a_url(text))
}

/// Text that cannot be parsed is cut generously, as nobody knows where its password ends.
fn not_a_url(text: &str) -> String {
    let shown = match text.rsplit_once('@') {
        Some((_, rest)) => format!("{HIDDEN}@{rest}"),
        None => text.to_owned(),
    };
    let shown = match shown.find(['?', '#']) {
        Some(end) => format!("{}{HIDDEN}", &shown[..=end]),
        None => shown,
    };
    format!("`{shown}` is not a URL")
}

fn file_path(url: &Url) -> Result<PathBuf> {
    let shown = redacted(url);
    ensure!(
        url.query().is_none() && url.fragment().is_none(),
        "`{shown}` has a query or fragment, expected `?` as %3F and `#` as %23 in a file name"
    );
    url.to_file_path()
        .ok()
        .with_context(|| format!("`{shown}` is on another host, expected file:///path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn tells_urls_from_paths() {
        let path = |path: &str| Source::Local(PathBuf::from(path));
        let cases = [
            ("http://h/x", Source::Http(url("http://h/x"))),
            ("HTTPS://h/x", Source::Http(url("https://h/x"))),
            ("file:///a%20b/c%2523", path("/a b/c%23")),
            ("file://localhost/a", path("/a")),
            ("a/b.csv", path("a/b.csv")),
            ("./a:b.csv", path("./a:b.csv")),
            ("/a%20b", path("/a%20b")),
            ("12:30.csv", path("12:30.csv")),
            ("./-", path("./-")),
        ];
        for (text, expected) in cases {
            assert_eq!(Source::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_file_urls_that_name_no_local_file() {
        let cases = [
            (
                "file://host/a",
                "`file://host/a` is on another host, expected file:///path",
            ),
            (
                "file:///a?token=t",
                "`file:///a?token=***` has a query or fragment, \
                 expected `?` as %3F and `#` as %23 in a file name",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Source::parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn identifies_a_source_without_its_login() {
        let identity = |text: &str| Source::parse(text).unwrap().identity();
        assert_eq!(identity("http://u:p@h/a?key=1#x"), "http://h/a?key=1");
        assert_eq!(identity("file:///a/b"), "/a/b");
    }

    #[test]
    fn hides_credentials_and_nothing_else() {
        let cases = [
            ("http://h/x?a=1&b", "http://h/x?a=1&b"),
            ("http://h:8080/a@b?mail=a@b", "http://h:8080/a@b?mail=a@b"),
            ("http://u:p@h/", "http://***@h/"),
            ("http://token@h/", "http://***@h/"),
            ("http://:p@h/", "http://***@h/"),
            ("http://h/?Password=p", "http://h/?Password=***"),
            (
                "http://h/?sig=a=b&x-amz-credential=c",
                "http://h/?sig=***&x-amz-credential=***",
            ),
            (
                "http://h/?a=1&access_token=t&b=2",
                "http://h/?a=1&access_token=***&b=2",
            ),
            ("http://h/?%74oken=t", "http://h/?%74oken=***"),
            ("http://h/#access_token=t", "http://h/"),
        ];
        for (text, expected) in cases {
            assert_eq!(redacted(&url(text)), expected);
        }
    }
}
