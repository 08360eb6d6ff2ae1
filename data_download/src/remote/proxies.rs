//! The proxies that the environment names.
//!
//! Read here and not by reqwest, which goes past a proxy whose URL it cannot read without a word,
//! and to an IP address through a proxy although `NO_PROXY` is `*`.

use std::env;

use anyhow::{Context, Result};
use reqwest::{NoProxy, Proxy, Url};

/// Ways to talk to a proxy.
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

type MakeProxy = fn(Url) -> reqwest::Result<Proxy>;

/// The proxies to ask, the first one that is for a request; none to go directly.
pub fn from_environment() -> Result<Vec<Proxy>> {
    of(&|name| Some(env::var_os(name)?.to_string_lossy().into_owned()))
}

fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Proxy>> {
    let find = |name: &str| {
        [name.to_owned(), name.to_ascii_lowercase()]
            .into_iter()
            .find_map(|name| Some((variable(&name)?, name)))
    };
    let exceptions = find("NO_PROXY").map(|(list, _)| list).unwrap_or_default();
    // Where this is set, a server runs the program, and HTTP_PROXY is the header `Proxy` of
    // somebody's request.
    let is_answering = variable("REQUEST_METHOD").is_some();
    if is_answering || exceptions.split(',').any(|entry| entry.trim() == "*") {
        return Ok(Vec::new());
    }
    let kinds: [(_, MakeProxy); 3] = [
        ("HTTP_PROXY", Proxy::http),
        ("HTTPS_PROXY", Proxy::https),
        ("ALL_PROXY", Proxy::all),
    ];
    let mut proxies = Vec::new();
    for (name, proxy) in kinds {
        let Some((value, name)) = find(name).filter(|(value, _)| !value.is_empty()) else {
            continue;
        };
        // Without the value and the reason, which may show a password.
        let url = url(&value).with_context(|| {
            format!("`{name}` is not the URL of a proxy; expected one such as http://host:3128 or socks5://host:1080, or nothing")
        })?;
        proxies.push(proxy(url)?.no_proxy(NoProxy::from_string(&exceptions)));
    }
    Ok(proxies)
}

/// The URL of a proxy; without a scheme it is http.
fn url(value: &str) -> Option<Url> {
    let value = value.trim();
    let has_scheme = value.contains("://");
    let url = if has_scheme {
        Url::parse(value)
    } else {
        Url::parse(&format!("http://{value}"))
    };
    let url = url.ok()?;
    let is_one =
        SCHEMES.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty());
    is_one.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<usize> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        of(&variable).map(|proxies| proxies.len())
    }

    #[test]
    fn finds_the_proxies_to_ask() {
        for (variables, count) in [
            (&[][..], 0),
            (&[("http_proxy", "")], 0),
            (
                &[("http_proxy", "host:3128"), ("ALL_PROXY", "socks5://u:p@h")],
                2,
            ),
            (&[("HTTP_PROXY", ""), ("http_proxy", "http://h")], 0),
            (
                &[("https_proxy", "https://[::1]:1/"), ("NO_PROXY", "a, b")],
                1,
            ),
            (&[("http_proxy", "http://h"), ("no_proxy", "a, *")], 0),
            (&[("http_proxy", "http://h"), ("REQUEST_METHOD", "GET")], 0),
        ] {
            assert_eq!(with(variables).unwrap(), count, "{variables:?}");
        }
    }

    #[test]
    fn names_what_is_no_proxy_without_showing_it() {
        for value in ["http://", "ftp://h", "u:s3cret@h:port", "socks5://"] {
            for name in ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
                let error = with(&[(name, value)]).unwrap_err().to_string();
                assert!(error.starts_with(&format!("`{name}` is not")), "{error}");
                assert!(!error.contains("s3cret"), "{error}");
            }
        }
    }
}
