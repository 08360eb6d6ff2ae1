//! Takes credentials out of text that people will read. Pure.

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// A query parameter whose name contains one of these is taken for a secret; hiding too much does
/// no harm. `sig` covers `signature`, `pass` covers `password`.
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

/// What ends a URL within a text, a command line or JSON.
const ENDS: [char; 9] = ['"', '\'', '`', '<', '>', '\\', '|', ')', ';'];

/// The text with `***` for user names, passwords and secret query parameters of all URLs in it.
pub(crate) fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + "://".len());
        shown.push_str(before);
        let end = url
            .find(|c: char| c.is_whitespace() || ENDS.contains(&c))
            .unwrap_or(url.len());
        shown.push_str(&redact_url(&url[..end]));
        rest = &url[end..];
    }
    shown + rest
}

/// A URL without its user name and password; everything else as it is.
pub(crate) fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", split_user(rest).1),
        None => url.to_owned(),
    }
}

/// The text, in which a program that was given `url` may repeat its user name and password.
pub(crate) fn without_user_of(url: &str, text: &str) -> String {
    let user = url
        .split_once("://")
        .map_or("", |(_, rest)| split_user(rest).0);
    if user.is_empty() {
        return text.to_owned();
    }
    text.replace(user, HIDDEN)
}

/// The value of a parameter as others may see it: `***` if the name says that it is a secret, else
/// without the credentials of URLs in it.
pub(crate) fn parameter(name: &str, value: &str) -> String {
    if is_secret_parameter(name) && !value.is_empty() {
        return HIDDEN.to_owned();
    }
    redact(value)
}

/// Hiding too much would do harm here: what `max_tokens`, `sigma` or `join_key` was is what records
/// are for. So whole words count, and `key` only with what it opens.
fn is_secret_parameter(name: &str) -> bool {
    let words = words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let is_of_key = |pair: &[String]| pair[1] == "key" && SECRET_KEYS.contains(&pair[0].as_str());
    has(&SECRET_WORDS) || words.windows(2).any(is_of_key)
}

const SECRET_WORDS: [&str; 15] = [
    "apikey",
    "auth",
    "authorization",
    "credential",
    "credentials",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pwd",
    "secret",
    "secrets",
    "signature",
    "token",
];

/// What a key is a secret of.
const SECRET_KEYS: [&str; 11] = [
    "access",
    "account",
    "api",
    "auth",
    "encryption",
    "license",
    "master",
    "private",
    "signing",
    "ssh",
    "storage",
];

/// The words of a name in lower case: `dbPassword`, `db_password` and `DB-PASSWORD` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words
                .last_mut()
                .expect("there is a first")
                .extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase() || c.is_numeric();
    }
    words
}

/// What follows `://`.
fn redact_url(url: &str) -> String {
    let (user, rest) = split_user(url);
    let user = if user.is_empty() {
        String::new()
    } else {
        format!("{HIDDEN}@")
    };
    let Some((path, query)) = rest.split_once('?') else {
        return user + rest;
    };
    let (query, fragment) = query.find('#').map_or((query, ""), |at| query.split_at(at));
    let pairs: Vec<String> = query.split('&').map(redact_pair).collect();
    format!("{user}{path}?{}{fragment}", pairs.join("&"))
}

fn redact_pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    }
}

/// The user part before the `@` of the host, and the rest.
fn split_user(url: &str) -> (&str, &str) {
    let host_end = url.find(['/', '?', '#']).unwrap_or(url.len());
    match url[..host_end].rfind('@') {
        Some(at) => (&url[..at], &url[at + 1..]),
        None => ("", url),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // A name behind percent-encoding is not worth decoding: it is hidden.
    name.contains('%') || SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_nothing_else() {
        let cases = [
            ("no url: a@b", "no url: a@b"),
            ("https://h/a@b?mail=a@b&x", "https://h/a@b?mail=a@b&x"),
            ("get 'https://u:p@h/x' --y", "get 'https://***@h/x' --y"),
            ("https://u:p@w@h", "https://***@h"),
            ("http://token@h/ ftp://u@g/", "http://***@h/ ftp://***@g/"),
            (
                "https://h/?a=1&X-Amz-Signature=s&b=2#f",
                "https://h/?a=1&X-Amz-Signature=***&b=2#f",
            ),
            (
                "{\"u\":\"https://h/?access_token=t\",\"x\":1}",
                "{\"u\":\"https://h/?access_token=***\",\"x\":1}",
            ),
            ("https://h/?%74oken=t", "https://h/?%74oken=***"),
            ("git+ssh://git:s@h/r.git#sub", "git+ssh://***@h/r.git#sub"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn values_are_hidden_by_the_words_of_their_names() {
        for name in [
            "api_key",
            "apiKey",
            "API-KEY",
            "password",
            "db_password",
            "dbPassword",
            "hf_token",
            "token",
            "aws_secret_access_key",
            "aws.access.key.id",
            "passwd",
            "client_secret",
            "apikey",
        ] {
            assert_eq!(parameter(name, "x"), "***", "{name}");
        }
        for name in [
            "key",
            "join_key",
            "key_column",
            "max_tokens",
            "tokenizer",
            "sigma",
            "author",
            "passes",
            "monkey",
            "secretary",
            "keyboard",
            "bypass",
        ] {
            assert_eq!(parameter(name, "x"), "x", "{name}");
        }
        assert_eq!(parameter("token", ""), "");
        assert_eq!(
            parameter("url", "https://u:p@h/x?token=t"),
            "https://***@h/x?token=***"
        );
    }

    #[test]
    fn a_url_can_lose_its_credentials() {
        assert_eq!(
            without_credentials("https://u:p@h/a?token=t"),
            "https://h/a?token=t"
        );
        assert_eq!(without_credentials("git@h:r.git"), "git@h:r.git");
        assert_eq!(
            without_user_of("git://u:p@h/x", "no host u:p@h"),
            "no host ***@h"
        );
        assert_eq!(without_user_of("git://h/x", "no host h"), "no host h");
    }
}
