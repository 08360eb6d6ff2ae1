//! Takes credentials out of text that people will read. Pure.

use std::borrow::Cow;

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

/// Words that make a parameter a secret wherever they stand in its name.
const SECRET_WORDS: [&str; 14] = [
    "accesskey",
    "apikey",
    "authorization",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pwd",
    "secret",
    "secrets",
    "secretkey",
    "signature",
];

/// Words that make a secret of a `key` behind them.
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

/// Words before a final `token` that make it one of a text or a count.
const PLAIN_TOKENS: [&str; 12] = [
    "bos", "cls", "end", "eos", "mask", "max", "min", "pad", "per", "sep", "stop", "unk",
];

/// What ends a URL within a text, a command line or JSON.
const ENDS: [char; 9] = ['"', '\'', '`', '<', '>', '\\', '|', ')', ';'];

/// The text with `***` for user names, passwords and secret query parameters of all URLs in it.
pub fn redact(text: &str) -> String {
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

/// Whether the value of a parameter of this name is taken for a secret, by the words of the name:
/// `api_key`, `dbPassword` and `HF_TOKEN` are, `primary_key`, `tokenizer` and `pad_token` are not.
pub fn is_secret_parameter(name: &str) -> bool {
    let words = words(name);
    let is_word = |list: &[&str], word: &String| list.contains(&word.as_str());
    let is_of_key = |pair: &[String]| pair[1] == "key" && is_word(&SECRET_KEYS, &pair[0]);
    if words.iter().any(|word| is_word(&SECRET_WORDS, word)) || words.windows(2).any(is_of_key) {
        return true;
    }
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    match (last.as_str(), before.last()) {
        ("token", Some(before)) => !is_word(&PLAIN_TOKENS, before),
        ("token" | "auth" | "pass", _) => true,
        _ => false,
    }
}

/// The value of a parameter as people may read it: `***` for all of it if the name says that it is a
/// secret, else as [`redact`] has it. An empty one stays empty.
pub fn shown_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if is_secret_parameter(name) && !value.is_empty() {
        return HIDDEN.into();
    }
    redact(value).into()
}

/// The words of a name, in lower case: `dbPassword`, `db_password` and `DB-PASSWORD` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars() {
        if !character.is_alphanumeric() || (character.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = character.is_lowercase();
        if let (true, Some(word)) = (character.is_alphanumeric(), words.last_mut()) {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A URL without its user name and password; everything else, also a secret in its query, as it is.
pub fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", split_user(rest).1),
        None => url.to_owned(),
    }
}

/// A text of a program that was given `url`, with `***` wherever it repeats the URL's user name and
/// password as they stand there.
pub fn without_user_of(url: &str, text: &str) -> String {
    let user = url
        .split_once("://")
        .map_or("", |(_, rest)| split_user(rest).0);
    if user.is_empty() {
        return text.to_owned();
    }
    text.replace(user, HIDDEN)
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
    fn parameters_are_secret_by_the_words_of_their_names() {
        for name in [
            "password",
            "db_password",
            "dbPassword",
            "DB-PASSWORD",
            "api_key",
            "apiKey",
            "apikey",
            "token",
            "hf_token",
            "aws_secret_access_key",
            "aws.access.key.id",
            "client_secret",
            "credentials",
            "auth",
            "db_pass",
            "pwd",
        ] {
            assert!(is_secret_parameter(name), "{name}");
            assert_eq!(shown_value(name, "x"), HIDDEN);
        }
        for name in [
            "key",
            "primary_key",
            "sort_key",
            "key_column",
            "secretary",
            "bypass",
            "sigma",
            "keyword",
            "tokenizer",
            "max_token",
            "pad_token",
            "n_tokens",
            "author",
            "design",
            "passes",
            "signal",
            "monkey",
            "",
            "_",
        ] {
            assert!(!is_secret_parameter(name), "{name}");
        }
        assert_eq!(shown_value("url", "http://u:p@h/"), "http://***@h/");
        assert_eq!(shown_value("token", ""), "");
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
