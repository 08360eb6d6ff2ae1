//! Foreign text made fit for a terminal: what would move the cursor, change colours, set the window's
//! title or the clipboard, or reverse the order of the characters is shown as an escape.
//!
//! Names, values, descriptions and paths come from files of the repository, messages from git and
//! from servers. The output of steps is not our text and stays as it is.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with escapes such as `\u{1b}` for the characters that [`is_unfit`] names, but for newlines
/// and tabs.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |character| {
        is_unfit(character) && !matches!(character, '\n' | '\t')
    })
}

/// The text as a part of one line: newlines and tabs in it are shown as escapes, too.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_unfit)
}

/// The text in one line, for descriptions: blanks and newlines become one blank.
pub fn flowed(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    one_line(&words.join(" ")).into_owned()
}

/// JSON with `\u001b` and the like for characters that are unfit for a terminal. All of them stand
/// within its strings, so that it means the same.
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unfit(character) && !matches!(character, '\n' | '\t') {
            write!(shown, "\\u{:04x}", u32::from(character))
                .expect("writing to a String cannot fail");
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a character does something on a terminal besides being shown.
///
/// Control characters (C0, DEL and C1), and those of Unicode that change the direction of the text or
/// separate its lines.
pub fn is_unfit(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_escaped(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, expected) in [
            ("plain ü 日本 😀\ta\nb", "plain ü 日本 😀\ta\nb"),
            ("\u{1b}]52;c;x\u{7}", "\\u{1b}]52;c;x\\u{7}"),
            ("a\rb\u{8}\u{7f}", "a\\rb\\u{8}\\u{7f}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            (
                "\u{202e}a\u{2066}b\u{2028}",
                "\\u{202e}a\\u{2066}b\\u{2028}",
            ),
        ] {
            assert_eq!(printable(text), expected);
        }
        assert_eq!(one_line("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(flowed(" a\n  b\u{1b}c "), "a b\\u{1b}c");
    }

    #[test]
    fn json_stays_json_of_the_same_meaning() {
        let text = serde_json::to_string("a\u{1b}\u{9b}\u{202e}\"\n\u{7f}").unwrap();
        let shown = json(&text);
        assert!(!shown.contains(is_unfit), "{shown:?}");
        let back: String = serde_json::from_str(&shown).unwrap();
        assert_eq!(back, "a\u{1b}\u{9b}\u{202e}\"\n\u{7f}");
    }
}
