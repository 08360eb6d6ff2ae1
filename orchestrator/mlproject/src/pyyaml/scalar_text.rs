//! The text of a scalar, by the way it is written: plain, in quotes or as a block.

use super::reader::{Mark, Reader, ends_word};
use super::{Error, ErrorKind};

/// A scalar without quotes, and whether line breaks follow that were read with it.
pub(super) struct Plain {
    pub(super) text: String,
    pub(super) ends_line: bool,
}

/// Reads a plain scalar. Outside of brackets its further lines have at least `indent` columns.
pub(super) fn plain(reader: &mut Reader, indent: usize, in_flow: bool) -> Plain {
    let mut text = String::new();
    let mut gap = String::new();
    let mut ends_line = false;
    while reader.peek() != Some('#') {
        let word = reader.take(word_length(reader.rest(), in_flow));
        if word.is_empty() {
            break;
        }
        text += &gap;
        text += word;
        (gap, ends_line) = plain_gap(reader);
        let is_outside = !in_flow && reader.mark().column < indent;
        if gap.is_empty() || is_outside {
            break;
        }
    }
    Plain { text, ends_line }
}

/// The length of what a plain scalar has up to the next blank or line break.
fn word_length(text: &str, in_flow: bool) -> usize {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let ends = match character {
            ':' if in_flow => ends_word(next) || next.is_some_and(|next| ",[]{}".contains(next)),
            ':' => ends_word(next),
            ',' | '?' | '[' | ']' | '{' | '}' => in_flow,
            _ => ends_word(Some(character)),
        };
        if ends {
            return at;
        }
    }
    text.len()
}

/// Reads what stands between two words of a plain scalar, and whether line breaks are in it. Before a
/// marker the scalar ends, so that nothing is between.
fn plain_gap(reader: &mut Reader) -> (String, bool) {
    let blanks = reader.take_while(|next| next == ' ');
    let Some(first) = reader.line_break() else {
        return (blanks.to_owned(), false);
    };
    let mut further = String::new();
    loop {
        if reader.is_at_any_marker() {
            return (String::new(), true);
        }
        reader.skip_blanks();
        match reader.line_break() {
            Some(next) => further.push(next),
            None => return (folded(first, further), true),
        }
    }
}

/// What line breaks mean in a text: one newline is a blank, of several the first does not count.
fn folded(first: char, further: String) -> String {
    match first {
        '\n' if further.is_empty() => " ".to_owned(),
        '\n' => further,
        _ => format!("{first}{further}"),
    }
}

/// Reads a scalar in quotes.
pub(super) fn quoted(reader: &mut Reader) -> Result<String, Error> {
    let start = reader.mark();
    let quote = reader.peek().unwrap_or('"');
    let mut text = String::new();
    reader.skip();
    loop {
        text +=
            reader.take_while(|next| !ends_word(Some(next)) && !matches!(next, '\'' | '"' | '\\'));
        match reader.peek() {
            None => return Err(start.error(ErrorKind::OpenQuote)),
            Some('\\') if quote == '"' => escape(reader, start, &mut text)?,
            Some(next) if next == quote => {
                reader.skip();
                if quote == '"' || reader.peek() != Some(quote) {
                    return Ok(text);
                }
                text.push(quote);
                reader.skip();
            }
            Some(next) if ends_word(Some(next)) => {
                let blanks = reader.take_while(|next| matches!(next, ' ' | '\t'));
                match reader.line_break() {
                    None => text += blanks,
                    Some(first) => text += &folded(first, quoted_breaks(reader, start)?),
                }
            }
            Some(next) => {
                text.push(next);
                reader.skip();
            }
        }
    }
}

/// Reads the line breaks at the start of a line in quotes, with the blanks around them.
fn quoted_breaks(reader: &mut Reader, start: Mark) -> Result<String, Error> {
    let mut breaks = String::new();
    loop {
        if reader.is_at_any_marker() {
            return Err(start.error(ErrorKind::OpenQuote));
        }
        reader.take_while(|next| matches!(next, ' ' | '\t'));
        match reader.line_break() {
            Some(next) => breaks.push(next),
            None => return Ok(breaks),
        }
    }
}

/// Reads an escape in double quotes.
fn escape(reader: &mut Reader, start: Mark, text: &mut String) -> Result<(), Error> {
    let here = reader.mark();
    reader.skip();
    if reader.line_break().is_some() {
        *text += &quoted_breaks(reader, start)?;
        return Ok(());
    }
    let Some(letter) = reader.peek() else {
        return Err(start.error(ErrorKind::OpenQuote));
    };
    text.push(match letter {
        'x' => return code_point(reader, here, 2, text),
        'u' => return code_point(reader, here, 4, text),
        'U' => return code_point(reader, here, 8, text),
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        ' ' | '"' | '\\' | '/' => letter,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        _ => return Err(here.error(ErrorKind::Escape(format!("\\{letter}")))),
    });
    reader.skip();
    Ok(())
}

/// Reads the escape of a character by its number, of so many hexadecimal digits.
fn code_point(
    reader: &mut Reader,
    start: Mark,
    digits: usize,
    text: &mut String,
) -> Result<(), Error> {
    let number = reader.rest().get(1..=digits);
    let number = number.filter(|number| number.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let number = number.and_then(|number| u32::from_str_radix(number, 16).ok());
    let written = || {
        let letters: String = reader.rest().chars().take(1 + digits).collect();
        format!("\\{}", letters.escape_debug())
    };
    match number.map(|number| (number, char::from_u32(number))) {
        Some((_, Some(character))) => text.push(character),
        Some((0xd800..=0xdfff, None)) => return Err(start.error(ErrorKind::Surrogate(written()))),
        _ => return Err(start.error(ErrorKind::Escape(written()))),
    }
    reader.take(1 + digits);
    Ok(())
}

/// What becomes of the line breaks at the end of a block scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

/// Reads a block scalar, whose lines have at least `least_indent` columns.
pub(super) fn block(reader: &mut Reader, least_indent: usize) -> Result<String, Error> {
    let is_folded = reader.peek() == Some('>');
    reader.skip();
    let (chomping, further_indent) = block_header(reader)?;
    reader.finish_line()?;
    let (indent, mut breaks) = if let Some(further) = further_indent {
        let indent = least_indent + further - 1;
        (indent, empty_lines(reader, indent))
    } else {
        let (widest, breaks) = leading_lines(reader);
        (least_indent.max(widest), breaks)
    };
    let mut text = String::new();
    let mut line_break = None;
    let mut was_indented = false;
    while reader.mark().column == indent && reader.peek().is_some() {
        let is_indented = matches!(reader.peek(), Some(' ' | '\t'));
        let is_joined = is_folded && line_break == Some('\n') && !was_indented && !is_indented;
        match line_break {
            Some(_) if is_joined && breaks.is_empty() => text.push(' '),
            Some(next) if !is_joined => text.push(next),
            _ => (),
        }
        text += &breaks;
        text += reader.take_line();
        line_break = reader.line_break();
        breaks = empty_lines(reader, indent);
        was_indented = is_indented;
    }
    if chomping != Chomping::Strip {
        text.extend(line_break);
    }
    if chomping == Chomping::Keep {
        text += &breaks;
    }
    Ok(text)
}

/// Reads the indicators behind `|` or `>`, in either order.
fn block_header(reader: &mut Reader) -> Result<(Chomping, Option<usize>), Error> {
    let (mut chomping, mut indent) = (None, None);
    while let Some(next) = reader.peek() {
        match (next, next.to_digit(10)) {
            ('+', _) if chomping.is_none() => chomping = Some(Chomping::Keep),
            ('-', _) if chomping.is_none() => chomping = Some(Chomping::Strip),
            (_, Some(digit @ 1..)) if indent.is_none() => indent = usize::try_from(digit).ok(),
            _ => break,
        }
        reader.skip();
    }
    reader.expect_blank("`+`, `-` or an indentation from 1 to 9 behind `|` or `>`")?;
    Ok((chomping.unwrap_or(Chomping::Clip), indent))
}

/// Reads the blanks and line breaks up to a block scalar's first text: the widest indentation, which is
/// taken for that of the text, and the line breaks.
fn leading_lines(reader: &mut Reader) -> (usize, String) {
    let (mut widest, mut breaks) = (0, String::new());
    loop {
        reader.skip_blanks();
        widest = widest.max(reader.mark().column);
        match reader.line_break() {
            Some(next) => breaks.push(next),
            None => return (widest, breaks),
        }
    }
}

/// Reads the empty lines before a line of a block scalar, and that line's indentation.
fn empty_lines(reader: &mut Reader, indent: usize) -> String {
    let mut breaks = String::new();
    loop {
        while reader.mark().column < indent && reader.peek() == Some(' ') {
            reader.skip();
        }
        match reader.line_break() {
            Some(next) => breaks.push(next),
            None => return breaks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, refused};
    use super::*;

    #[test]
    fn texts_are_read_as_pyyaml_reads_them() {
        check(&[
            "[a b\n  c\n\n  d # e\n, f#g, -, -h, i:j] => ['a b c\\nd', 'f#g', '-', '-h', 'i:j']",
            "- a\u{85}  b\n- a\u{2028}  b\n-  c  \n => ['a b', 'a\\u2028b', 'c']",
            "a: '\n x''\ty \n\n\n z\t' => {'a': \" x'\\ty\\n\\nz\\t\"}",
            "'\\q\"' => \\q\"",
            "[\"a\\\n  \n b \\  c\\\td\"] => ['a\\nb   c\\td']",
            "[\"\\0\\a\\b\\t\\n\\v\\f\\r\\e\\ \\\"\\\\\\/\\N\\_\\L\\P\\x41\\u00e9\\U0001f600\"] => ['\\x00\\x07\\x08\\t\\n\\x0b\\x0c\\r\\x1b \"\\\\/\\x85\\xa0\\u2028\\u2029Aé😀']",
            "- |\n a\n  b\n\n c\n\n- >\n a\n b\n\n  c\n d\n => ['a\\n b\\n\\nc\\n', 'a b\\n\\n c\\nd\\n']",
            "- |-\n a\n\n- |+\n a\n\n- >2-\n   a\n  b\n => ['a', 'a\\n\\n', ' a\\nb']",
            "- |\n\n   \n a\n => 4:2: expected `-`",
            "a: |\n  echo\n     => {'a': 'echo\\n  '}",
            "a: |\n  echo => {'a': 'echo'}",
            "a: | => {'a': ''}",
        ]);
        let surrogate = ErrorKind::Surrogate(r"\ud83d".to_owned());
        assert_eq!(refused(r#""\ud83d\ude00""#), surrogate);
        for escape in [r"\q", r"\x4", r"\xé4", r"\u00e", r"\U00110000"] {
            let text = format!("\"{escape}");
            assert!(matches!(refused(&text), ErrorKind::Escape(_)), "{escape}");
        }
    }
}
