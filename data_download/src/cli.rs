//! The command line, and what it means.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{
    BoolValueParser, NonEmptyStringValueParser, PathBufValueParser, PossibleValue, TypedValueParser,
};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser};

use crate::limits::{Limits, MaxBytes};
use crate::output::is_standard;
use crate::terminal::{print, printable, say, say_lines};

const OUTPUT: &str = "raw_data.csv";
const RETRIES: u32 = 5;
const RETRY_DELAY: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Download one file, whole or not at all
///
/// An empty value counts as not given, and a switch also takes `true` or `false`, so that a caller
/// can pass every option every time.
#[derive(Parser)]
#[command(version, bin_name = "data_download", rename_all = "snake_case")]
struct Arguments {
    /// What to download: an http, https or file URL, or the path of a local file
    #[cfg_attr(feature = "cloud", doc = "; or an s3, gs or az URL")]
    #[arg(
        long,
        value_name = "URL",
        value_parser = NonEmptyStringValueParser::new()
    )]
    data_url: String,

    /// File to write; an existing one is replaced only by a complete download
    ///
    /// `-` is standard output, which gets a complete download, too.
    #[arg(long, value_name = "FILE", default_value = OUTPUT, value_parser = OrEmpty(PathBufValueParser::new()))]
    output: Option<Given<PathBuf>>,

    /// Refuse a download whose SHA-256 is another one
    #[arg(long, value_name = "HEX", value_parser = OrEmpty(sha256))]
    sha256: Option<Given<String>>,

    /// Fetch nothing if the file is still the one of the last download with this option
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_parser = OrEmpty(BoolValueParser::new()))]
    if_changed: Option<Given<bool>>,

    /// Unpack gzip, zstd and a zip of one file, known by their first bytes; keep all else as it is
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_parser = OrEmpty(BoolValueParser::new()))]
    decompress: Option<Given<bool>>,

    /// Keep a response that is an HTML page
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_parser = OrEmpty(BoolValueParser::new()))]
    allow_html: Option<Given<bool>>,

    /// Refuse a file of more than N bytes, packed or unpacked
    #[arg(long, value_name = "N", value_parser = OrEmpty(max_bytes), allow_negative_numbers = true)]
    max_bytes: Option<Given<u64>>,

    /// Send this header to the URL's host; several are possible
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,

    /// Send the headers in this environment variable, one `Name: value` per line
    #[arg(long, value_name = "VARIABLE")]
    header_from: Vec<String>,

    /// Trust the certificates of this PEM file, too
    #[arg(long, value_name = "FILE", value_parser = OrEmpty(PathBufValueParser::new()))]
    ca_file: Option<Given<PathBuf>>,

    /// Try again N times in a row without getting further [default: 5]
    #[arg(long, value_name = "N", value_parser = OrEmpty(retries), allow_negative_numbers = true)]
    retries: Option<Given<u32>>,

    /// Wait this long before the first of them, then twice as long each time, up to a minute
    /// [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = OrEmpty(duration))]
    retry_delay: Option<Given<Duration>>,

    /// Give a connection this long [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = OrEmpty(timeout))]
    connect_timeout: Option<Given<Duration>>,

    /// Give a silent server this long; the whole transfer may take any time [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = OrEmpty(timeout))]
    idle_timeout: Option<Given<Duration>>,
}

/// The value of an option, or nothing if it was left empty. A type of its own, as clap takes every
/// `Option` to mean that the option itself may be absent.
#[derive(Clone)]
struct Given<T>(Option<T>);

fn value<T>(given: Option<Given<T>>) -> Option<T> {
    given.and_then(|given| given.0)
}

/// Reads a value as the parser within does, unless it is empty.
#[derive(Clone)]
struct OrEmpty<P>(P);

impl<P: TypedValueParser> TypedValueParser for OrEmpty<P> {
    type Value = Given<P::Value>;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        if value.is_empty() {
            return Ok(Given(None));
        }
        let parsed = self.0.parse_ref(command, argument, value)?;
        Ok(Given(Some(parsed)))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub struct Wanted {
    /// Where the file is, as the user wrote it.
    pub data_url: String,
    pub output: PathBuf,
    /// In lower case.
    pub sha256: Option<String>,
    pub if_changed: bool,
    pub decompress: bool,
    pub allow_html: bool,
    pub max_bytes: MaxBytes,
    pub header: Vec<String>,
    pub header_from: Vec<String>,
    pub ca_file: Option<PathBuf>,
    pub retries: u32,
    pub retry_delay: Duration,
    pub limits: Limits,
}

impl Arguments {
    /// Fills in every default, and refuses what would do nothing.
    fn resolve(self) -> Result<Wanted, clap::Error> {
        let wanted = Wanted {
            data_url: self.data_url,
            output: value(self.output).unwrap_or_else(|| OUTPUT.into()),
            sha256: value(self.sha256),
            if_changed: value(self.if_changed).unwrap_or(false),
            decompress: value(self.decompress).unwrap_or(false),
            allow_html: value(self.allow_html).unwrap_or(false),
            max_bytes: MaxBytes(value(self.max_bytes)),
            header: self.header,
            header_from: self.header_from,
            ca_file: value(self.ca_file),
            retries: value(self.retries).unwrap_or(RETRIES),
            retry_delay: value(self.retry_delay).unwrap_or(RETRY_DELAY),
            limits: Limits {
                connect: value(self.connect_timeout).unwrap_or(CONNECT_TIMEOUT),
                idle: value(self.idle_timeout).unwrap_or(IDLE_TIMEOUT),
            },
        };
        if wanted.if_changed && is_standard(&wanted.output) {
            let message = "`--if_changed` compares with the file of the last time, and `--output -` keeps \
                           none; expected the name of a file";
            return Err(command().error(ErrorKind::ArgumentConflict, message));
        }
        Ok(wanted)
    }
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
pub fn read() -> Result<Wanted, ExitCode> {
    parse(env::args_os()).map_err(|error| {
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

fn parse(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Wanted, clap::Error> {
    let matches = command().try_get_matches_from(words)?;
    Arguments::from_arg_matches(&matches)?.resolve()
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

    /// As every step's: a caller can pass every option every time.
    #[test]
    fn an_empty_value_is_none() {
        const OPTIONS: [&str; 13] = [
            "output",
            "sha256",
            "if_changed",
            "decompress",
            "allow_html",
            "max_bytes",
            "header",
            "header_from",
            "ca_file",
            "retries",
            "retry_delay",
            "connect_timeout",
            "idle_timeout",
        ];
        let wanted = |more: &[&str]| {
            let wanted = parse([&["data_download", "--data_url=x"], more].concat()).unwrap();
            let is_given = |text: &String| !text.is_empty();
            Wanted {
                header: wanted.header.into_iter().filter(is_given).collect(),
                header_from: wanted.header_from.into_iter().filter(is_given).collect(),
                ..wanted
            }
        };
        let usual = wanted(&[]);
        assert_eq!(
            (usual.output.to_str(), usual.retries, usual.limits.idle),
            (Some("raw_data.csv"), 5, Duration::from_mins(1))
        );
        for option in OPTIONS {
            for name in [option.to_owned(), option.replace('_', "-")] {
                assert_eq!(wanted(&[&format!("--{name}=")]), usual, "{name}");
                assert_eq!(wanted(&[&format!("--{name}"), ""]), usual, "{name}");
            }
        }
        let options = command();
        let names = options.get_arguments().filter_map(Arg::get_long);
        let others = ["data_url", "help", "version"];
        for name in names.filter(|name| !others.contains(name)) {
            assert!(OPTIONS.contains(&name), "{name}");
        }
    }

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
