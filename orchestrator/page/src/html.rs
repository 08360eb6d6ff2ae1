//! Text within HTML.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter, Write};

/// A text as the content of an element or of an attribute in double quotes.
///
/// What HTML does not allow is shown as U+FFFD, and what would turn the order of the characters around
/// it as an escape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                '\n' | '\t' => formatter.write_char(character)?,
                '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {
                    write!(formatter, "{}", character.escape_default())?;
                }
                _ if character.is_control() || is_noncharacter(character) => {
                    formatter.write_char(char::REPLACEMENT_CHARACTER)?;
                }
                _ => formatter.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// A sentence, with what stands in backticks in it as code.
pub(crate) fn prose(text: &str) -> String {
    let parts = text.split('`').map(|part| Escaped(part).to_string());
    let parts: Vec<String> = parts.collect();
    // Each pair of backticks makes two more.
    if parts.len().is_multiple_of(2) {
        return parts.join("`");
    }
    let marked = parts
        .iter()
        .enumerate()
        .map(|(place, part)| match place % 2 {
            0 => part.clone(),
            _ => format!("<code>{part}</code>"),
        });
    marked.collect()
}

/// Whether Unicode keeps a code point free for ever.
fn is_noncharacter(character: char) -> bool {
    let code = u32::from(character);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// A text of at most `limit` characters; a longer one ends in `…`.
pub(crate) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    if text.char_indices().nth(limit).is_none() {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    Cow::Owned(kept + "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        for (text, expected) in [
            ("plain ü 日本 שלום", "plain ü 日本 שלום"),
            (
                "<a b=\"c\" d='e'>&amp;",
                "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;",
            ),
            (
                "a\u{0}\u{1b}\r\u{85}\u{fffe}\u{fdd0}b\tc\nd",
                "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}b\tc\nd",
            ),
            ("a\u{202e}b", "a\\u{202e}b"),
        ] {
            assert_eq!(Escaped(text).to_string(), expected);
        }
    }

    #[test]
    fn what_is_quoted_is_code() {
        assert_eq!(prose("`a` is `<`"), "<code>a</code> is <code>&lt;</code>");
        assert_eq!(prose("a ` b"), "a ` b");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("üüü", 3), "üüü");
        assert_eq!(cut("üüüü", 3), "üü…");
    }
}
