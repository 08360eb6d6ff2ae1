//! The command line.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Command, CommandFactory, FromArgMatches, Parser};

use crate::terminal::{print, printable, say, say_lines};

/// Download one file, whole or not at all
///
/// Where there is no default, an empty value counts as not given, and a switch also takes `true` or
/// `false`, so that a caller can pass every option every time.
#[derive(Parser)]
#[command(version, bin_name = "data_download", rename_all = "snake_case")]
pub(crate) struct Arguments {
    /// What to download: an http, https or file URL, or the path of a local file
    #[cfg_attr(feature = "cloud", doc = "; or an s3, gs or az URL")]
    #[arg(
        long,
        value_name = "URL",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub(crate) data_url: String,

    /// File to write; an existing one is replaced only by a complete download
    #[arg(long, value_name = "FILE", default_value = "raw_data.csv")]
    pub(crate) output: PathBuf,

    /// Refuse a download whose SHA-256 is another one
    #[arg(long, value_name = "HEX", value_parser = optional(sha256))]
    pub(crate) sha256: Option<Given<String>>,

    /// Fetch nothing if the file is still the one of the last download with this option
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    pub(crate) if_changed: bool,

    /// Unpack gzip and zstd, which are known by their first bytes; keep everything else as it is
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    pub(crate) decompress: bool,

    /// Keep a response that is an HTML page
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    pub(crate) allow_html: bool,

    /// Refuse a file of more than N bytes, packed or unpacked
    #[arg(long, value_name = "N", value_parser = optional(max_bytes), allow_negative_numbers = true)]
    pub(crate) max_bytes: Option<Given<u64>>,

    /// Send this header to the URL's host; several are possible
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,

    /// Send the headers in this environment variable, one `Name: value` per line
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) header_from: Vec<String>,

    /// Trust the certificates of this PEM file, too
    #[arg(long, value_name = "FILE", value_parser = optional(|text| Ok::<_, &str>(PathBuf::from(text))))]
    pub(crate) ca_file: Option<Given<PathBuf>>,

    /// Try again N times in a row without getting further
    #[arg(long, value_name = "N", default_value = "5", value_parser = retries, allow_negative_numbers = true)]
    pub(crate) retries: u32,

    /// Wait this long before the first of them, then twice as long each time, up to a minute
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub(crate) retry_delay: Duration,

    /// Give a connection this long
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = timeout)]
    pub(crate) connect_timeout: Duration,

    /// Give a silent server this long; the whole transfer may take any time
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = timeout)]
    pub(crate) idle_timeout: Duration,
}

/// A value that may be left empty. A type of its own, as clap takes every `Option` to mean that
/// the option itself may be absent.
#[derive(Clone)]
pub(crate) struct Given<T>(Option<T>);

/// The value of an option that was given and not left empty.
pub(crate) fn value<T>(given: Option<&Given<T>>) -> Option<&T> {
    given.and_then(|given| given.0.as_ref())
}

/// The options, each also with hyphens for its underscores.
fn command() -> Command {
    Arguments::command().mut_args(|argument| {
        let name = argument.get_long().filter(|name| name.contains('_'));
        match name.map(|name| name.replace('_', "-")) {
            Some(name) => argument.alias(name),
            None => argument,
        }
    })
}

/// Reads the command line. If it is wrong, or asks for help, the answer to it is printed, and the
/// exit code returned.
pub(crate) fn read() -> Result<Arguments, ExitCode> {
    let read = command().try_get_matches();
    let read = read.and_then(|matches| Arguments::from_arg_matches(&matches));
    read.map_err(|error| {
        let error = escaped(error);
        let text = error.render().to_string();
        if error.use_stderr() {
            say_lines(text.lines());
            return ExitCode::from(2);
        }
        match print(&text) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                say(&format!("error: cannot write to standard output: {error}"));
                ExitCode::FAILURE
            }
            _ => ExitCode::SUCCESS,
        }
    })
}

/// Escapes what the user gave before clap makes lines of it: a line break in a value must not
/// begin a line of ours.
fn escaped(mut error: clap::Error) -> clap::Error {
    let given = error.context().filter_map(|(kind, value)| match value {
        // The usage is ours.
        _ if kind == ContextKind::Usage => None,
        ContextValue::String(text) => Some((kind, ContextValue::String(printable(text).into()))),
        ContextValue::StyledStrs(texts) => {
            let texts = texts
                .iter()
                .map(|text| printable(&text.to_string()).into_owned().into());
            Some((kind, ContextValue::StyledStrs(texts.collect())))
        }
        _ => None,
    });
    let given = given.collect::<Vec<_>>();
    for (kind, value) in given {
        error.insert(kind, value);
    }
    error
}

fn optional<T, E>(
    parse: impl Fn(&str) -> Result<T, E> + Clone,
) -> impl Fn(&str) -> Result<Given<T>, E> + Clone {
    move |text| match text {
        "" => Ok(Given(None)),
        _ => parse(text).map(|value| Given(Some(value))),
    }
}

fn sha256(text: &str) -> Result<String, &'static str> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lower = text.to_ascii_lowercase();
    is_hash.then_some(lower).ok_or("expected 64 hex digits")
}

fn max_bytes(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "expected a number of bytes")
}

fn retries(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "expected a number of attempts")
}

/// Reads a duration that leaves some time.
fn timeout(text: &str) -> Result<Duration, &'static str> {
    let timeout = duration(text)?;
    (!timeout.is_zero())
        .then_some(timeout)
        .ok_or("expected more than 0")
}

/// Reads a number of seconds, or a number and one of the units ms, s, m and h.
fn duration(text: &str) -> Result<Duration, &'static str> {
    let end = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = match unit {
        "ms" => Some(0.001),
        "s" | "" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let seconds = unit.and_then(|unit| Some(number.parse::<f64>().ok()? * unit));
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or("expected a duration such as 500ms, 10s, 2m or 1h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        let cases = [
            ("10", Some(10_000)),
            ("0.5", Some(500)),
            ("250ms", Some(250)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("0", Some(0)),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1d", None),
            ("nan", None),
        ];
        for (text, milliseconds) in cases {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn reads_hashes() {
        assert_eq!(sha256(&"Ab".repeat(32)), Ok("ab".repeat(32)));
        assert!(sha256(&"a".repeat(63)).is_err());
        assert!(sha256(&"g".repeat(64)).is_err());
    }
}
