//! What stands before values and documents: anchors, tags and directives.

use super::reader::{Reader, ends_word, is_name};
use super::{Error, ErrorKind, MAX_DIGITS, shortened};

/// Reads an anchor or alias, and gives its name.
pub(super) fn anchor(reader: &mut Reader) -> Result<String, Error> {
    let start = reader.mark();
    reader.skip();
    let written = reader.rest();
    let name = reader.take_while(is_name);
    let ends = |next| ends_word(next) || next.is_some_and(|next| "?:,]}%@`".contains(next));
    if name.is_empty() || !ends(reader.peek()) {
        let end = written.find(|next| ends_word(Some(next)));
        let name = shortened(&written[..end.unwrap_or(written.len())]);
        return Err(start.error(ErrorKind::AnchorName(name)));
    }
    Ok(name.to_owned())
}

/// Reads a tag: of `!x!y` the handle `!x!` and the rest, of `!<y>` and `!` no handle.
pub(super) fn tag(reader: &mut Reader) -> Result<(Option<String>, String), Error> {
    let tag = match reader.peek_second() {
        Some('<') => {
            reader.take("!<".len());
            let name = uri(reader)?;
            if reader.peek() != Some('>') {
                return Err(reader.unexpected("`>` at the end of the tag"));
            }
            reader.skip();
            (None, name)
        }
        next if ends_word(next) => (None, reader.take("!".len()).to_owned()),
        _ => (Some(tag_handle(reader)?), uri(reader)?),
    };
    reader.expect_blank("a blank behind the tag")?;
    Ok(tag)
}

/// Reads the handle that a tag begins with: `!x!`, or `!` where no second `!` follows.
fn tag_handle(reader: &mut Reader) -> Result<String, Error> {
    let rest = reader.rest();
    let second = rest[1..].find(|next| next == '!' || ends_word(Some(next)));
    match second {
        Some(at) if rest[1 + at..].starts_with('!') => handle(reader),
        _ => Ok(reader.take(1).to_owned()),
    }
}

/// Reads `!x!` or `!!`.
fn handle(reader: &mut Reader) -> Result<String, Error> {
    let start = reader.rest();
    reader.skip();
    let name = reader.take_while(is_name);
    if reader.peek() != Some('!') {
        return Err(reader.unexpected("`!` at the end of the tag's handle"));
    }
    reader.skip();
    Ok(start[..name.len() + "!!".len()].to_owned())
}

/// Reads characters that may stand in a URI, and bytes that are written as `%20`.
fn uri(reader: &mut Reader) -> Result<String, Error> {
    let is_plain =
        |next: char| next.is_ascii_alphanumeric() || "-;/?:@&=+$,_.!~*'()[]".contains(next);
    let mut uri = String::new();
    loop {
        uri += reader.take_while(is_plain);
        if reader.peek() != Some('%') {
            break;
        }
        let start = reader.mark();
        let bytes = escaped_bytes(reader)?;
        match String::from_utf8(bytes) {
            Ok(text) => uri += &text,
            Err(_) => return Err(start.error(ErrorKind::TagEscape)),
        }
    }
    if uri.is_empty() {
        return Err(reader.unexpected("the name of a tag"));
    }
    Ok(uri)
}

fn escaped_bytes(reader: &mut Reader) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while reader.peek() == Some('%') {
        let digits = reader.rest().get(1..3);
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => bytes.push(byte),
            _ => return Err(reader.mark().error(ErrorKind::TagEscape)),
        }
        reader.take("%00".len());
    }
    Ok(bytes)
}

/// Reads a directive with its line: of `%TAG` the handle and what that stands for. For `%YAML`, which
/// may be given once as each handle may, its name is the handle.
pub(super) fn directive(reader: &mut Reader) -> Result<(Option<String>, String), Error> {
    let start = reader.mark();
    reader.skip();
    let name = reader.take_while(is_name);
    if name.is_empty() || reader.expect_blank("").is_err() {
        return Err(start.error(ErrorKind::Directive));
    }
    let read = match name {
        "YAML" => {
            reader.skip_blanks();
            let version = reader.take_while(|next| next.is_ascii_digit() || next == '.');
            if !is_version(version) {
                return Err(start.error(ErrorKind::Directive));
            }
            reader.expect_blank("a blank behind the version")?;
            (Some(name.to_owned()), String::new())
        }
        "TAG" => {
            let (handle, prefix) = tag_directive(reader)?;
            (Some(handle), prefix)
        }
        _ => {
            reader.take_line();
            (None, String::new())
        }
    };
    reader.finish_line()?;
    Ok(read)
}

/// Whether a text is `1.1` or another version of YAML 1.
fn is_version(text: &str) -> bool {
    let is_number = |text: &str| {
        let is_short = (1..=MAX_DIGITS).contains(&text.len());
        is_short && text.bytes().all(|digit| digit.is_ascii_digit())
    };
    text.split_once('.').is_some_and(|(major, minor)| {
        is_number(major) && is_number(minor) && major.trim_start_matches('0') == "1"
    })
}

/// Reads what a directive `%TAG` says: `!x! tag:example.org,2000:`.
fn tag_directive(reader: &mut Reader) -> Result<(String, String), Error> {
    reader.skip_blanks();
    let handle = match reader.peek() {
        Some('!') if reader.peek_second() == Some(' ') => reader.take(1).to_owned(),
        Some('!') => handle(reader)?,
        _ => return Err(reader.unexpected("a handle such as `!x!`")),
    };
    if reader.peek() != Some(' ') {
        return Err(reader.unexpected("a blank behind the handle"));
    }
    reader.skip_blanks();
    let prefix = uri(reader)?;
    reader.expect_blank("a blank behind the prefix")?;
    Ok((handle, prefix))
}
