//! What is said on the terminal, which takes some characters for orders.
//!
//! Names, paths, values and the messages of libraries may hold such characters. They come out as
//! they are written in Rust, so that nothing is moved, coloured or turned around by them.

use std::borrow::Cow;
use std::io::{Write, stderr};

/// Tells the user; a closed stderr must not change how the run ends, as the panic of `eprintln!`
/// would. Only here, and by the progress, something is written to the terminal.
pub fn say(text: &str) {
    writeln!(stderr(), "{}", printable_lines(text)).ok();
}

/// The text with all characters escaped that do more than stand there.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_order)
}

/// The same for text whose lines are ours.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_order(c))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return text.into();
    }
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if is_escaped(c) {
            printable.extend(c.escape_default());
        } else {
            printable.push(c);
        }
    }
    printable.into()
}

/// Control characters, and those that end a line or turn the direction of writing around.
fn is_order(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_text_stays() {
        for text in [
            "",
            "a b",
            "naïve \\n 😀 `x` \"y\"",
            "عربي",
            "\u{200b}\u{feff}\u{ad}",
        ] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_gives_orders_is_escaped() {
        for (text, expected) in [
            ("a\nb\r\t", "a\\nb\\r\\t"),
            ("\u{1b}[1m\u{7}\0", "\\u{1b}[1m\\u{7}\\u{0}"),
            ("\u{7f}\u{80}\u{9b}31m", "\\u{7f}\\u{80}\\u{9b}31m"),
            ("\u{202e}x\u{2066}", "\\u{202e}x\\u{2066}"),
            (
                "\u{2028}\u{2029}\u{200e}\u{200f}\u{61c}",
                "\\u{2028}\\u{2029}\\u{200e}\\u{200f}\\u{61c}",
            ),
        ] {
            assert_eq!(printable(text), expected);
        }
        assert_eq!(printable_lines("a\nb\u{1b}"), "a\nb\\u{1b}");
    }
}
