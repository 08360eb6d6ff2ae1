//! The line of a file in which something is wrong, with a caret below the place.

use mlproject::pyyaml;
use process::printable::is_unfit;
use process::redact::{is_secret_parameter, redact};
use process::text::line;

/// How much of a line is shown.
const WIDTH: usize = 66;

/// Adds the line and the caret, unless the line may hold a secret.
pub(crate) fn add(text: &mut String, error: Option<&pyyaml::Error>, indent: &str) {
    let Some(error) = error.filter(|error| !error.text.is_empty() && !is_secret(&error.text))
    else {
        return;
    };
    let place = error.column - 1;
    // Of a long line what stands around the place.
    let start = if place < WIDTH { 0 } else { place - WIDTH / 2 };
    let shown = |c: char| match c {
        '\t' => ' ',
        c if is_unfit(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    let part: String = error
        .text
        .chars()
        .skip(start)
        .take(WIDTH)
        .map(shown)
        .collect();
    let number = error.line.to_string();
    let blank = " ".repeat(number.len());
    let caret = " ".repeat(place - start);
    line(
        text,
        format_args!("{indent}  {number} | {}", part.trim_end()),
    );
    line(text, format_args!("{indent}  {blank} | {caret}^"));
}

/// Whether a URL of the line has credentials, or a key of it the name of a secret.
fn is_secret(text: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut words = text.split(|c| !is_name(c));
    redact(text) != text || words.any(is_secret_parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(yaml: &str, expected: &str) {
        let error = pyyaml::parse(yaml).unwrap_err();
        let mut text = String::new();
        add(&mut text, Some(&error), "");
        assert_eq!(text, expected);
    }

    #[test]
    fn the_caret_stands_below_the_place() {
        check(
            "a: 1\nb: {c: [1, 2}\n",
            "  2 | b: {c: [1, 2}\n    |             ^\n",
        );
        check("a:\n\tb: 1\n", "  2 |  b: 1\n    | ^\n");
        check("a: \"\u{1b}\"\n", "  1 | a: \"\u{fffd}\"\n    |     ^\n");
        let long = format!("a: [{}}}", "x, ".repeat(100));
        check(
            &long,
            &format!("  1 | {}}}\n    | {}^\n", "x, ".repeat(11), " ".repeat(33)),
        );
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        check("api_key: \"abc", "");
        check("{url: http://me:secret@host, b]", "");
    }
}
