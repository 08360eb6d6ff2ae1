//! The small parts that messages are made of.

use std::fmt::{self, Write};
use std::process::ExitStatus;
use std::time::Duration;

use crate::printable::printable;

/// "did you mean" for the nearest known name, if one is near enough, and all the known names.
pub fn suggestion(name: &str, known: &[impl AsRef<str>]) -> String {
    let nearest = known
        .iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(name, candidate.as_ref()),
                candidate.as_ref(),
            )
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0));
    match nearest {
        Some((_, nearest)) => format!("did you mean `{nearest}`? known are {}", names(known)),
        None if known.is_empty() => "none are known".into(),
        None => format!("known are {}", names(known)),
    }
}

/// How a process ended, as the end of a sentence that starts with its name: `failed with exit code 2`.
pub fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("failed with exit code {code}"),
        (None, Some(signal)) => format!("was killed by {}", signal_name(signal)),
        (None, None) => format!("ended with {status}"),
    }
}

/// A time for people: `0.1 s` below a minute, then whole seconds as `2h 3m 20s`.
pub fn seconds(time: Duration) -> String {
    if time < Duration::from_mins(1) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

/// `SIGTERM`, or the number of a signal without a name.
pub fn signal_name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal)
        .map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// The names in backticks, with commas between them.
pub fn names(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    quoted.join(", ")
}

/// A number of things: `1 step`, `0 steps`; the noun's plural ends in `s`.
pub fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Adds a line, its own newline included. What follows a newline in its content is indented, so that
/// nobody takes it for a line of ours.
pub fn line(text: &mut String, content: fmt::Arguments<'_>) {
    let content = content.to_string();
    let content = printable(content.trim_end_matches('\n'));
    let indent = content.len() - content.trim_start_matches(' ').len() + 4;
    for (number, part) in content.split('\n').enumerate() {
        let indent = if number == 0 { 0 } else { indent };
        writeln!(text, "{:indent$}{part}", "").expect("writing to a String cannot fail");
    }
}
