//! Lines of ours with colours, where somebody sees them: a terminal that knows them and a user who has
//! not said no. The conventions are those of <https://no-color.org> and <https://bixense.com/clicolors>.

use std::env;

use rustix::termios::isatty;
use unicode_width::UnicodeWidthStr;

use crate::control::Target;
use crate::printable::one_line;
use crate::redact::redact;

/// How a part of a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As all other text.
    Plain,
    /// What the eye should find.
    Strong,
    /// What stands in the way of nothing: times.
    Faint,
    /// What went well.
    Good,
    /// What went wrong.
    Bad,
    /// What somebody may want to look at.
    Odd,
    /// What goes on.
    Busy,
    /// The name of a step, by the step's number: those beside each other differ.
    Step(usize),
}

impl Style {
    /// The parameters of ECMA-48's SGR.
    fn code(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Strong => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Bad => "1;31",
            Style::Odd => "33",
            Style::Busy => "36",
            // Cyan, magenta, yellow, blue, green: red is for what went wrong.
            Style::Step(number) => ["1;36", "1;35", "1;33", "1;34", "1;32"][number % 5],
        }
    }

    /// The text in this style, or as it is.
    pub(crate) fn paint(self, text: &str, is_coloured: bool) -> String {
        match self.code() {
            code if is_coloured && !code.is_empty() && !text.is_empty() => {
                format!("\u{1b}[{code}m{text}\u{1b}[0m")
            }
            _ => text.to_owned(),
        }
    }
}

/// Whether what is written to one of our outputs has colours.
pub(crate) fn is_coloured(target: Target) -> bool {
    let value = |name| env::var_os(name).filter(|value| !value.is_empty());
    if value("NO_COLOR").is_some() {
        return false;
    }
    if value("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    is_capable(target)
}

/// Whether an output is a terminal on which the cursor can be moved.
pub(crate) fn is_capable(target: Target) -> bool {
    let term = env::var_os("TERM");
    isatty(target.fd()) && term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// A line of ours in parts. Foreign text in them is made fit for a terminal, and secrets are hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    parts: Vec<(Style, String)>,
}

impl Line {
    /// An empty one.
    pub fn new() -> Line {
        Line::default()
    }

    /// With one more part.
    #[must_use]
    pub fn with(mut self, style: Style, text: &str) -> Line {
        let text = one_line(&redact(text)).into_owned();
        self.parts.push((style, text));
        self
    }

    /// With one more part as all other text.
    #[must_use]
    pub fn and(self, text: &str) -> Line {
        self.with(Style::Plain, text)
    }

    /// With one more part that is filled up with blanks to a number of columns, or cut to them.
    #[must_use]
    pub fn cell(self, style: Style, text: &str, columns: usize) -> Line {
        let text = cut(&one_line(&redact(text)), columns);
        let blanks = " ".repeat(columns - text.width());
        self.with(style, &text).and(&blanks)
    }

    /// Its width in columns.
    pub fn width(&self) -> usize {
        self.parts.iter().map(|(_, text)| text.width()).sum()
    }

    /// As much of it as fits into a number of columns.
    #[must_use]
    pub fn cut(self, columns: usize) -> Line {
        if self.width() <= columns {
            return self;
        }
        let mut left = columns;
        let mut parts = Vec::new();
        for (style, text) in self.parts {
            let width = text.width();
            if width < left {
                left -= width;
                parts.push((style, text));
                continue;
            }
            // It does not end with this part, or not before it.
            parts.push((style, cut(&(text + "\u{2026}\u{2026}"), left)));
            break;
        }
        Line { parts }
    }

    /// As text, without a newline or blanks at its end.
    pub(crate) fn shown(&self, is_coloured: bool) -> String {
        let painted = |(style, text): &(Style, String)| style.paint(text, is_coloured);
        let shown: String = self.parts.iter().map(painted).collect();
        shown.trim_end_matches(' ').to_owned()
    }
}

/// In how many columns a text is shown that is fit for a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// As much of a text as fits into some columns, with `…` where it was cut.
pub fn cut(text: &str, columns: usize) -> String {
    // What has no width could be of any length.
    if text.len() <= 8 * columns && text.width() <= columns {
        return text.to_owned();
    }
    let mut end = 0;
    for (at, character) in text.char_indices().take(8 * columns) {
        let next = at + character.len_utf8();
        // Of a whole: characters may join.
        if text[..next].width() >= columns {
            break;
        }
        end = next;
    }
    let mark = if columns == 0 { "" } else { "…" };
    format!("{}{mark}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_its_width() {
        for (text, columns, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("日本語", 1, "…"),
            ("日本語", 0, ""),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("👩‍🔬👩‍🔬", 3, "👩‍🔬…"),
            ("", 0, ""),
        ] {
            let cut = cut(text, columns);
            assert_eq!(cut, expected, "{text} {columns}");
            assert!(width(&cut) <= columns);
        }
        assert!(cut(&"\u{301}".repeat(1 << 20), 5).len() < 100);
    }

    #[test]
    fn a_line_is_cut_within_its_parts() {
        let line = || Line::new().with(Style::Bad, "abc").and("def");
        for (columns, expected) in [
            (7, "abcdef"),
            (6, "abcdef"),
            (5, "abcd…"),
            (4, "abc…"),
            (3, "ab…"),
            (1, "…"),
            (0, ""),
        ] {
            assert_eq!(line().cut(columns).shown(false), expected, "{columns}");
            assert!(line().cut(columns).width() <= columns);
        }
        assert_eq!(line().cut(4).shown(true), "\u{1b}[1;31mabc\u{1b}[0m…");
    }

    #[test]
    fn a_cell_has_its_width_whatever_is_in_it() {
        for text in ["", "ab", "日本語日本語", "a\u{1b}b"] {
            assert_eq!(Line::new().cell(Style::Plain, text, 8).width(), 8, "{text}");
        }
        let line = Line::new().cell(Style::Plain, "a\u{1b}b", 8).and("|");
        assert_eq!(line.shown(false), "a\\u{1b}b|");
    }
}
