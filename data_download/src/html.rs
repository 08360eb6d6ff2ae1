//! Tells a web page, such as a login form or an error page sent with status 200, from data.
//!
//! Pure.

/// Whether a body of this content type that begins with `head` is an HTML page. The type alone is
/// no proof: servers send CSV as `text/html`, and pages as `text/csv`.
pub(crate) fn is_page(content_type: Option<&str>, head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let head = head.trim_ascii_start();
    let starts_with = |tag: &[u8]| {
        let start = head.get(..tag.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    let says_so = content_type.is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("text/html") || kind.starts_with("application/xhtml+xml")
    });
    starts_with(b"<!doctype html") || starts_with(b"<html") || (says_so && starts_with(b"<"))
}

/// Whether a file of this name is supposed to be a page.
pub(crate) fn is_page_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".html", ".htm", ".xhtml"]
        .iter()
        .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_pages_from_data() {
        let html = Some("text/html; charset=utf-8");
        let cases: [(Option<&str>, &[u8], bool); 9] = [
            (None, b"<!DOCTYPE html><html>", true),
            (None, b"\xef\xbb\xbf \r\n<HTML lang=en>", true),
            (Some("text/csv"), b"<!doctype HTML>", true),
            (html, b"<!-- login --><head>", true),
            (html, b"a,b\n<html>,1\n", false),
            (None, b"<a>,b\n", false),
            (None, b"<?xml version=\"1.0\"?>", false),
            (None, b"", false),
            (html, b"", false),
        ];
        for (kind, head, expected) in cases {
            assert_eq!(is_page(kind, head), expected, "{kind:?} {head:?}");
        }
    }

    #[test]
    fn knows_names_of_pages() {
        assert!(is_page_name("/a/INDEX.HTML"));
        assert!(is_page_name("a.htm"));
        assert!(!is_page_name("html"));
        assert!(!is_page_name("a.csv"));
    }
}
