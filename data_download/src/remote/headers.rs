//! What the user wants to be sent: headers, and the logins of a netrc file.
//!
//! No message shows a value, nor text that could be one.

use std::env;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustix::fs::OFlags;

use crate::files::read_small;
use crate::remote::netrc::Netrc;
use crate::terminal::say;

/// No netrc file is longer.
const MOST_LOGINS: u64 = 1 << 20;

/// Headers of our own, which decide about what comes back and how it is cut.
const RESERVED: [&str; 9] = [
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "range",
    "transfer-encoding",
];

/// Reads the headers given on the command line and those in environment variables.
pub fn given(lines: &[String], variables: &[String]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (number, line) in (1..).zip(lines) {
        add(&mut headers, line, &format!("--header number {number}"))?;
    }
    for variable in variables.iter().filter(|variable| !variable.is_empty()) {
        let value = env::var(variable).ok();
        let value = value.with_context(|| {
            format!("environment variable `{variable}` of --header_from is not set to a text")
        })?;
        for line in value.lines() {
            add(
                &mut headers,
                line,
                &format!("environment variable `{variable}`"),
            )?;
        }
    }
    Ok(headers)
}

fn add(headers: &mut HeaderMap, line: &str, origin: &str) -> Result<()> {
    if line.trim().is_empty() {
        return Ok(());
    }
    let header = line.split_once(':').and_then(|(name, value)| {
        let name = HeaderName::try_from(name.trim()).ok()?;
        let value = HeaderValue::try_from(value.trim()).ok()?;
        Some((name, value))
    });
    let (name, mut value) =
        header.with_context(|| format!("{origin} is not of the form `Name: value`"))?;
    ensure!(
        !RESERVED.contains(&name.as_str()),
        "{origin} is a `{name}`, which data_download sets itself"
    );
    value.set_sensitive(true);
    headers.append(name, value);
    Ok(())
}

/// The user's netrc file: `$NETRC`, else `~/.netrc`.
pub struct Logins(Option<Netrc>);

impl Logins {
    /// Reads the file. One that cannot be read is passed over with a warning: most downloads need
    /// none of it.
    pub fn load() -> Logins {
        let Some(path) = file() else {
            return Logins(None);
        };
        let netrc = read(&path).ok().and_then(|text| Netrc::parse(&text));
        if netrc.is_none() {
            // Without the reason, which may quote a password.
            let path = path.display();
            say(&format!(
                "warning: `{path}` is not a netrc file that can be read"
            ));
        }
        Logins(netrc)
    }

    /// All passwords.
    pub fn passwords(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(Netrc::passwords)
    }

    /// Finds user and password for `host` among the entries that may be used.
    pub fn find(&self, host: &str, entries: Entries) -> Option<(&str, &str)> {
        let netrc = self.0.as_ref()?;
        let (user, password) = match entries {
            Entries::All => netrc.of(host).or_else(|| netrc.fallback()),
            Entries::Named => netrc.of(host),
            Entries::None => None,
        }?;
        Some((user, password))
    }
}

/// The texts in the headers of a request that nobody is to see, whole and in parts.
pub fn secrets(headers: &HeaderMap) -> Vec<String> {
    let values = headers.values().filter(|value| value.is_sensitive());
    let texts = values.filter_map(|value| value.to_str().ok());
    let parts = texts.flat_map(|text| text.split([' ', ';']).chain([text]));
    parts.map(str::to_owned).collect()
}

/// Which entries of a netrc file may be used for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entries {
    /// Its own and `default`.
    All,
    /// Its own.
    Named,
    None,
}

/// The netrc file that is there.
fn file() -> Option<PathBuf> {
    let home = env::home_dir();
    let given = env::var_os("NETRC").map(PathBuf::from).map(|path| {
        let below = path.strip_prefix("~").ok();
        let expanded = below.and_then(|below| Some(home.as_ref()?.join(below)));
        expanded.unwrap_or(path)
    });
    let usual = home.as_ref().map(|home| home.join(".netrc"));
    [given, usual]
        .into_iter()
        .flatten()
        .find(|path| path.exists())
}

/// Reads a netrc file, and waits for nobody. `/dev/null` stands for an empty one.
fn read(path: &Path) -> io::Result<String> {
    let mut options = File::options();
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = options.read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_char_device() {
        return Err(io::Error::other("not a file"));
    }
    let text = read_small(file, MOST_LOGINS)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_headers() {
        let lines = ["Accept: text/csv", "X-A:b:c ", "", "x-a: d"].map(str::to_owned);
        let headers = given(&lines, &[String::new()]).unwrap();
        assert_eq!(headers["accept"], "text/csv");
        let both: Vec<_> = headers.get_all("x-a").iter().collect();
        assert_eq!(both, ["b:c", "d"]);
    }

    #[test]
    fn refuses_headers_without_showing_them() {
        let cases = [
            (
                "s3cret",
                "--header number 1 is not of the form `Name: value`",
            ),
            (
                "a s3cret: b",
                "--header number 1 is not of the form `Name: value`",
            ),
            (
                "A: s3\ncret",
                "--header number 1 is not of the form `Name: value`",
            ),
            (
                "Range: s3cret",
                "--header number 1 is a `range`, which data_download sets itself",
            ),
        ];
        for (line, expected) in cases {
            let error = given(&[line.to_owned()], &[]).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn finds_logins() {
        let text = "machine a login u password p#1\ndefault login d password q\n";
        let logins = Logins(Netrc::parse(text));
        assert_eq!(logins.find("a", Entries::Named), Some(("u", "p#1")));
        assert_eq!(logins.find("b", Entries::All), Some(("d", "q")));
        assert_eq!(logins.find("b", Entries::Named), None);
        assert_eq!(logins.find("a", Entries::None), None);
    }
}
