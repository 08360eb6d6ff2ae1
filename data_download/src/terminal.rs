//! What people read: the one place that prints.
//!
//! Paths, URLs, and what servers and libraries say may hold characters that a terminal obeys, or
//! that make a line read as another one. They are shown escaped.

use std::borrow::Cow;
use std::io::{self, Write};

/// Prints a line to stderr; unlike `eprintln!` it does not panic when nobody listens any more.
pub fn say(line: &str) {
    say_lines([line]);
}

/// Prints lines to stderr, together.
pub fn say_lines<'a>(lines: impl IntoIterator<Item = &'a str>) {
    let lines = lines.into_iter().map(|line| printable(line) + "\n");
    io::stderr()
        .write_all(lines.collect::<String>().as_bytes())
        .ok();
}

/// Prints a text of ours to stdout, such as the help.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// The text with everything escaped that is not for the eye, line breaks included.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| {
        if is_command(c) {
            c.escape_unicode().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escape).collect()
}

/// Whether a terminal may obey this character instead of showing it.
fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // The order of what is read.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line breaks.
            | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_a_terminal_would_obey() {
        let cases = [
            ("", ""),
            ("ä b\\n 日本 \u{200d}", "ä b\\n 日本 \u{200d}"),
            ("\x1b]0;t\x07", "\\u{1b}]0;t\\u{7}"),
            ("a\r\n\tb\0", "a\\u{d}\\u{a}\\u{9}b\\u{0}"),
            (
                "\x7f\u{80}\u{9b}31m\u{9f}",
                "\\u{7f}\\u{80}\\u{9b}31m\\u{9f}",
            ),
            (
                "\u{202a}\u{202e}x\u{2066}\u{2069}",
                "\\u{202a}\\u{202e}x\\u{2066}\\u{2069}",
            ),
            ("\u{61c}\u{200e}\u{200f}", "\\u{61c}\\u{200e}\\u{200f}"),
            ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
            // What was escaped already stays as it is.
            assert_eq!(printable(expected), expected);
        }
    }
}
