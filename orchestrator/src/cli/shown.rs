//! The command line as others may see it.

use std::ffi::OsString;

use mlproject::shell::quote;
use process::redact::{is_secret_parameter, redact, shown_value};

/// What was typed, as a shell reads it, with `***` for what is secret: the values of parameters and
/// variables whose names say so, and the credentials of URLs.
pub(crate) fn shown(arguments: &[OsString]) -> String {
    let mut words = vec!["orchestrator".to_owned()];
    let mut is_value_of_secret = false;
    for argument in arguments.iter().skip(1) {
        let word = argument.to_string_lossy();
        let name = word.strip_prefix("--").filter(|name| !name.contains('='));
        let shown = if is_value_of_secret {
            shown_value("secret", &word).into_owned()
        } else {
            of_word(&word)
        };
        is_value_of_secret = !is_value_of_secret && name.is_some_and(is_secret_parameter);
        words.push(quote(&shown));
    }
    words.join(" ")
}

/// A word, up to the first name in it whose value is secret: `-P`, which may stand before one without a
/// blank, and `-A env=NAME=VALUE` have names behind others.
fn of_word(word: &str) -> String {
    let mut from = 0;
    for (at, _) in word.match_indices('=') {
        let name = &word[from..at];
        let name = name
            .strip_prefix("-P")
            .or(name.strip_prefix("-A"))
            .unwrap_or(name);
        if name.contains("://") {
            // What is secret in a URL is known to who hides it.
            break;
        }
        if is_secret_parameter(name) {
            let value = &word[at + 1..];
            return redact(&word[..=at]) + &shown_value(name, value);
        }
        from = at + 1;
    }
    redact(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_hidden_wherever_it_stands() {
        for (typed, expected) in [
            ("-j|4|--steps|a,b", "-j 4 --steps a,b"),
            ("--api_key|s3cret|a", "--api_key '***' a"),
            ("--api-key=s3cret", "'--api-key=***'"),
            ("-P|train.api_key=s3cret", "-P 'train.api_key=***'"),
            ("-Papi_key=s3cret", "'-Papi_key=***'"),
            ("-A|env=HF_TOKEN=s3cret=", "-A 'env=HF_TOKEN=***'"),
            ("-Aenv=HF_TOKEN=s3cret", "'-Aenv=HF_TOKEN=***'"),
            (
                "--tracking-uri|http://u:s3cret@h/",
                "--tracking-uri 'http://***@h/'",
            ),
            (
                "-P|url=http://h/?token=s3cret",
                "-P 'url=http://h/?token=***'",
            ),
            ("-P|a=it's", "-P 'a=it'\"'\"'s'"),
        ] {
            let words = std::iter::once("/bin/orchestrator").chain(typed.split('|'));
            let words: Vec<OsString> = words.map(OsString::from).collect();
            assert_eq!(shown(&words), format!("orchestrator {expected}"), "{typed}");
        }
    }
}
