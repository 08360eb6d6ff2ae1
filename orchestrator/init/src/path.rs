//! Paths as `os.path` joins and resolves them, of texts that are known in part.

use std::ffi::OsStr;
use std::path::Path;

use crate::value::{Piece, Text, append};

/// What the URI of a file begins with.
const FILE: &str = "file://";

/// `os.path.join(base, part)`.
pub(crate) fn join(base: &[Piece], part: &[Piece]) -> Text {
    if is_absolute(part) {
        return part.to_vec();
    }
    let mut joined = base.to_vec();
    let ends_in_slash = matches!(base.last(), Some(Piece::Literal(text)) if text.ends_with('/'));
    if !base.is_empty() && !ends_in_slash {
        append(&mut joined, &[Piece::Literal("/".to_owned())]);
    }
    append(&mut joined, part);
    joined
}

/// `os.path.abspath(path)` in the pipeline's folder.
pub(crate) fn absolute(path: &[Piece]) -> Text {
    if is_absolute(path) {
        return normalised(path);
    }
    normalised(&join(&[Piece::Root], path))
}

/// `Path(path).as_uri()`.
pub(crate) fn file_uri(path: &[Piece]) -> Text {
    let mut uri = vec![Piece::Literal(FILE.to_owned())];
    append(&mut uri, &absolute(path));
    uri
}

/// The path that a URI of a file names; any other text as it is.
pub(crate) fn of_uri(uri: &[Piece]) -> Text {
    let mut path = uri.to_vec();
    if let Some(Piece::Literal(first)) = path.first_mut()
        && let Some(rest) = first.strip_prefix(FILE)
    {
        *first = rest.to_owned();
        path.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    }
    path
}

/// `os.path.dirname(path)`; none where the last part is no constant.
pub(crate) fn parent(path: &[Piece]) -> Option<Text> {
    let (last, before) = path.split_last()?;
    let Piece::Literal(literal) = last else {
        return None;
    };
    let mut parent = before.to_vec();
    match literal.rsplit_once('/') {
        Some((kept, _)) => append(&mut parent, &[Piece::Literal(kept.to_owned())]),
        None if before.is_empty() => {}
        None => return None,
    }
    Some(parent)
}

/// `os.path.basename(path)`; none where the last part is no constant.
pub(crate) fn name(path: &[Piece]) -> Option<String> {
    let Some(Piece::Literal(literal)) = path.last() else {
        return None;
    };
    match literal.rsplit_once('/') {
        Some((_, name)) => Some(name.to_owned()),
        None => (path.len() == 1).then(|| literal.clone()),
    }
}

/// Whether the file has one of these extensions, in exactly these letters.
pub(crate) fn has_extension(file: &str, extensions: &[&str]) -> bool {
    let found = Path::new(file).extension().and_then(OsStr::to_str);
    found.is_some_and(|found| extensions.contains(&found))
}

fn is_absolute(path: &[Piece]) -> bool {
    match path.first() {
        Some(Piece::Literal(text)) => text.starts_with('/'),
        Some(Piece::Root | Piece::Temporary) => true,
        // An artifact URI is a scheme or an absolute path.
        Some(Piece::Run(_, field)) => *field == "artifact_uri",
        Some(Piece::Parameter(_) | Piece::Config(_)) | None => false,
    }
}

/// Without `.`, `..` and doubled slashes, as far as the constant parts tell.
fn normalised(path: &[Piece]) -> Text {
    let mut out = Text::new();
    for piece in path {
        match piece {
            Piece::Literal(text) => append(&mut out, &[Piece::Literal(cleaned(text))]),
            other => out.push(other.clone()),
        }
    }
    if let [_, .., Piece::Literal(last)] = out.as_mut_slice()
        && last.ends_with('/')
    {
        last.pop();
    }
    out.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    out
}

fn cleaned(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let all: Vec<&str> = text.split('/').collect();
    for (position, part) in all.iter().enumerate() {
        let is_edge = position == 0 || position + 1 == all.len();
        match *part {
            "." => {
                if is_edge {
                    parts.push("");
                }
            }
            "" if !is_edge => {}
            ".." if parts
                .last()
                .is_some_and(|last| !last.is_empty() && *last != "..") =>
            {
                parts.pop();
                if position + 1 == all.len() {
                    parts.push("");
                }
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
