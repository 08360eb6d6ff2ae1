//! What the bytes of a file are, by their first ones and by what is said about them.
//!
//! Pure.

use anyhow::{Result, bail, ensure};

/// As many first bytes as a decision needs: those of the standard of MIME sniffing.
pub const HEAD: usize = 1445;

/// What a page may begin with. Of the names of that standard, less those that data in XML may well have,
/// too: a, b, font, p and table.
const PAGE_TAGS: [&str; 12] = [
    "!doctype html",
    "html",
    "head",
    "title",
    "body",
    "script",
    "style",
    "iframe",
    "h1",
    "div",
    "br",
    "meta",
];

/// Refuses what stands for the file but is not it, by its first bytes: a page such as a login form or an
/// error sent with status 200, unless it `may_be_page`, and a pointer of Git LFS.
pub fn look(head: &[u8], content_type: Option<&str>, may_be_page: bool) -> Result<()> {
    ensure!(
        may_be_page || !is_page(content_type, head),
        "the answer is an HTML page, expected data; --allow_html keeps it"
    );
    ensure!(
        !is_pointer(head),
        "this is a pointer of Git LFS, which only stands for the file; expected the file itself, as \
         `git lfs pull` fetches it or https://media.githubusercontent.com/media/OWNER/NAME/BRANCH/PATH \
         has it"
    );
    Ok(())
}

fn is_pointer(head: &[u8]) -> bool {
    head.starts_with(b"version https://git-lfs.github.com/spec/")
}

/// Whether a body of this content type that begins with `head` is an HTML page. The type alone is
/// no proof: servers send CSV as `text/html`, and pages as `text/csv`.
pub fn is_page(content_type: Option<&str>, head: &[u8]) -> bool {
    let says_so = content_type.is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("text/html") || kind.starts_with("application/xhtml+xml")
    });
    let mut rest = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut is_xml = false;
    loop {
        rest = rest.trim_ascii_start();
        let (end, is_prolog) = match rest {
            [b'<', b'!', b'-', b'-', ..] => (&b"-->"[..], false),
            [b'<', b'?', ..] => (&b"?>"[..], true),
            [b'<', tag @ ..] => return is_page_tag(tag, is_xml) || (says_so && !is_xml),
            _ => return false,
        };
        let Some(at) = rest.windows(end.len()).position(|bytes| bytes == end) else {
            return says_so;
        };
        is_xml |= is_prolog;
        rest = &rest[at + end.len()..];
    }
}

/// Whether `tag`, which stands behind a `<`, begins a page; in XML only its outermost element does.
fn is_page_tag(tag: &[u8], is_xml: bool) -> bool {
    let mut names = PAGE_TAGS
        .iter()
        .take(if is_xml { 2 } else { PAGE_TAGS.len() });
    names.any(|name| {
        let (Some(start), after) = (tag.get(..name.len()), tag.get(name.len())) else {
            return false;
        };
        let is_over =
            after.is_none_or(|after| after.is_ascii_whitespace() || b">/".contains(after));
        start.eq_ignore_ascii_case(name.as_bytes()) && is_over
    })
}

/// Whether a file of this name is supposed to be a page.
pub fn is_page_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".html", ".htm", ".xhtml"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// How bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Packing {
    Gzip,
    Zstd,
    /// Only as a `Content-Encoding`: nothing in its first bytes tells it for certain.
    Deflate,
    /// An archive, which is to hold one file.
    Zip,
}

/// What some servers name as the encoding of bytes that are not packed.
const NOT_PACKED: [&str; 6] = ["", "identity", "none", "binary", "utf-8", "aws-chunked"];

impl Packing {
    /// Tells it by the first bytes; a name may lie.
    pub fn of(head: &[u8]) -> Option<Packing> {
        match head {
            [0x1f, 0x8b, ..] => Some(Packing::Gzip),
            // A frame, or one that readers skip: such a one may come first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Packing::Zstd)
            }
            // The second one is empty.
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Packing::Zip),
            _ => None,
        }
    }

    /// Reads a `Content-Encoding`.
    pub fn of_encoding(header: &str) -> Result<Option<Packing>> {
        let names = header
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase());
        let names: Vec<_> = names
            .filter(|name| !NOT_PACKED.contains(&name.as_str()))
            .collect();
        match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(None),
            ["gzip" | "x-gzip"] => Ok(Some(Packing::Gzip)),
            ["zstd"] => Ok(Some(Packing::Zstd)),
            ["deflate"] => Ok(Some(Packing::Deflate)),
            _ => bail!(
                "the server has packed the file as `{header}`, although it was asked not to; \
                 expected it as it is, or as gzip, zstd or deflate"
            ),
        }
    }

    /// The name, as in a `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
            Packing::Deflate => "deflate",
            Packing::Zip => "zip",
        }
    }

    /// Whether a file of this name is supposed to be packed, in whatever way.
    pub fn is_in_any(name: &str) -> bool {
        let kinds = [Packing::Gzip, Packing::Zstd, Packing::Zip];
        kinds.iter().any(|packing| packing.is_in_name(name))
    }

    /// Whether a file of this name is supposed to be packed so.
    pub fn is_in_name(self, name: &str) -> bool {
        let ends: &[_] = match self {
            Packing::Gzip => &["gz", "gzip", "tgz", "bgz"],
            Packing::Zstd => &["zst", "zstd", "tzst"],
            Packing::Deflate => &[],
            Packing::Zip => &["zip"],
        };
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        ends.iter().any(|known| end.eq_ignore_ascii_case(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_packed_files() {
        assert_eq!(Packing::of(&[0x1f, 0x8b, 8]), Some(Packing::Gzip));
        assert_eq!(Packing::of(&[0x28, 0xb5, 0x2f, 0xfd]), Some(Packing::Zstd));
        assert_eq!(Packing::of(&[0x5a, 0x2a, 0x4d, 0x18]), Some(Packing::Zstd));
        assert_eq!(Packing::of(b"PK\x03\x04\x14"), Some(Packing::Zip));
        assert_eq!(Packing::of(b"PK\x05\x06"), Some(Packing::Zip));
        assert_eq!(Packing::of(b"PK,b\n"), None);
        assert_eq!(Packing::of(b"a,b\n"), None);
        assert_eq!(Packing::of(b""), None);
    }

    #[test]
    fn tells_pages_from_data() {
        let html = Some("text/html; charset=utf-8");
        let blanks = [&[b' '; 600], &b"\n<html>"[..]].concat();
        let cases: [(Option<&str>, &[u8], bool); 30] = [
            (None, b"<!DOCTYPE html><html>", true),
            (None, b"\xef\xbb\xbf \r\n<HTML lang=en>", true),
            (Some("text/csv"), b"<!doctype HTML>", true),
            (None, &blanks, true),
            (None, b"<!-- login -->\n<!-- \xe4 --><head>", true),
            (None, b"<head\n", true),
            (None, b"<body>", true),
            (None, b"<script src=x>", true),
            (None, b"<html", true),
            (
                None,
                b"<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC \"x\">",
                true,
            ),
            (
                None,
                b"<?xml version=\"1.0\"?><!-- x --><html xmlns=\"y\">",
                true,
            ),
            (html, b"<!-- login --><p>", true),
            (html, b"<!-- never closed", true),
            (html, b"<x-login>", true),
            (None, b"<!-- never closed", false),
            (None, b"<!-- data --><rows>", false),
            (None, b"<?xml version=\"1.0\"?><rows/>", false),
            (None, b"<?xml version=\"1.0\"?><title>x", false),
            (html, b"<?xml version=\"1.0\"?><rows/>", false),
            (html, b"a,b\n<html>,1\n", false),
            (html, b"<!-- x --> a,b\n", false),
            (None, b"<a>,b\n", false),
            (None, b"<headers>", false),
            (None, b"<html5>", false),
            (None, b"<table><tr>", false),
            (None, b"< html>", false),
            (None, b"<?xml", false),
            (None, b"<", false),
            (None, b"", false),
            (html, b"", false),
        ];
        for (kind, head, expected) in cases {
            assert_eq!(is_page(kind, head), expected, "{kind:?} {head:?}");
            let looked = look(head, kind, false);
            assert_eq!(looked.is_err(), expected);
            assert!(look(head, kind, true).is_ok());
        }
    }

    #[test]
    fn knows_pointers() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        assert!(look(pointer, None, true).is_err());
        assert!(look(b"version,https://git-lfs.github.com/spec/v1\n", None, false).is_ok());
    }

    #[test]
    fn knows_names_of_pages() {
        assert!(is_page_name("/a/INDEX.HTML"));
        assert!(is_page_name("a.htm"));
        assert!(!is_page_name("html"));
        assert!(!is_page_name("a.csv"));
    }

    #[test]
    fn reads_encodings() {
        for (header, expected) in [
            ("gzip", Some(Packing::Gzip)),
            ("X-GZIP", Some(Packing::Gzip)),
            (" identity , zstd", Some(Packing::Zstd)),
            ("deflate", Some(Packing::Deflate)),
            ("aws-chunked", None),
            ("UTF-8", None),
            ("", None),
        ] {
            assert_eq!(Packing::of_encoding(header).unwrap(), expected, "{header}");
        }
        for header in ["br", "compress", "gzip, gzip", "gzip,br"] {
            let error = Packing::of_encoding(header).unwrap_err().to_string();
            assert!(error.contains(&format!("`{header}`")), "{error}");
        }
    }

    #[test]
    fn knows_names_of_packed_files() {
        for (packing, name, expected) in [
            (Packing::Gzip, "/a/x.csv.GZ", true),
            (Packing::Gzip, "x.csv.zst", false),
            (Packing::Zstd, "x.csv.zst", true),
            (Packing::Gzip, "gz", false),
            (Packing::Deflate, "x.csv.gz", false),
        ] {
            assert_eq!(packing.is_in_name(name), expected, "{packing:?} {name}");
        }
    }
}
