//! YAML 1.1's own tags; any other is refused, so that no text ever names an object to make.

use super::graph::Content;
use super::kind::Kind;
use super::{ErrorKind, shortened};

/// What `!!` stands for.
pub(super) const STANDARD_TAG: &str = "tag:yaml.org,2002:";

/// The type that a tag gives a scalar.
pub(super) fn tagged_kind(tag: &str) -> Result<Kind, ErrorKind> {
    Ok(match standard(tag)? {
        "null" => Kind::Null,
        "bool" => Kind::Bool,
        "int" => Kind::Int,
        "float" => Kind::Float,
        "timestamp" => Kind::Timestamp,
        "binary" => Kind::Binary,
        "str" => Kind::Str,
        "merge" => Kind::Merge,
        "value" => Kind::Equals,
        name => return Err(mismatch(name)),
    })
}

/// What a list is by its tag, still empty.
pub(super) fn sequence(tag: Option<&str>) -> Result<Content, ErrorKind> {
    match tag {
        None | Some("!") => Ok(Content::Sequence(Vec::new())),
        Some(tag) => match standard(tag)? {
            "seq" => Ok(Content::Sequence(Vec::new())),
            "omap" | "pairs" => Ok(Content::Pairs(Vec::new())),
            name => Err(mismatch(name)),
        },
    }
}

/// What a mapping is by its tag, still empty.
pub(super) fn mapping(tag: Option<&str>) -> Result<Content, ErrorKind> {
    match tag {
        None | Some("!") => Ok(Content::Mapping(Vec::new())),
        Some(tag) => match standard(tag)? {
            "map" => Ok(Content::Mapping(Vec::new())),
            "set" => Ok(Content::Set(Vec::new())),
            name => Err(mismatch(name)),
        },
    }
}

/// The complaint that a tag does not fit what it stands at.
fn mismatch(name: &str) -> ErrorKind {
    let expected = match name {
        "seq" | "omap" | "pairs" => "a list",
        "map" | "set" => "a mapping",
        _ => "a text or number",
    };
    ErrorKind::Mismatch { expected }
}

/// The name of one of YAML 1.1's own tags.
fn standard(tag: &str) -> Result<&str, ErrorKind> {
    match tag.strip_prefix(STANDARD_TAG) {
        None => Err(ErrorKind::UnknownTag(shortened(tag))),
        Some(name) => match name {
            "null" | "bool" | "int" | "float" | "timestamp" | "binary" | "str" | "merge"
            | "value" | "seq" | "omap" | "pairs" | "map" | "set" => Ok(name),
            _ => Err(ErrorKind::UnknownTag(shortened(&format!("!!{name}")))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{printed, refused};
    use super::*;

    #[test]
    fn standard_tags_convert() {
        let table = [
            ("!!int '7'", "7"),
            ("!!int 0o17", "15"),
            ("!!float 3", "3.0"),
            ("!!bool YeS", "True"),
            ("!!null anything", "None"),
            ("!!timestamp 2020-1-5", "2020-01-05"),
            ("!!binary aGn/", "b'hi\\xff'"),
            ("!!binary a G k = x", "b'hi'"),
            ("!!set {a, b}", "{'a', 'b'}"),
            ("!!set {}", "set()"),
            ("!!omap [a: 1, b: x]", "[('a', 1), ('b', 'x')]"),
            ("!!pairs [a: 1, a: 2]", "[('a', 1), ('a', 2)]"),
            ("!!seq [1]", "[1]"),
            ("!!map {a: 1}", "{'a': 1}"),
            ("! '12'", "12"),
            ("!<tag:yaml.org,2002:str> 12", "12"),
        ];
        for (text, expected) in table {
            assert_eq!(printed(text), expected, "{text}");
        }
        assert_eq!(
            refused("a: 1\nb: !!python/object:os.system x"),
            ErrorKind::UnknownTag("!!python/object:os.system".to_owned())
        );
        assert_eq!(
            refused("!custom {a: 1}"),
            ErrorKind::UnknownTag("!custom".to_owned())
        );
        assert_eq!(
            refused("!!map [a]"),
            ErrorKind::Mismatch {
                expected: "a mapping"
            }
        );
        assert_eq!(
            refused("!!int [a]"),
            ErrorKind::Mismatch {
                expected: "a text or number"
            }
        );
        assert_eq!(
            refused("!!omap [1]"),
            ErrorKind::Mismatch {
                expected: "mappings of one pair"
            }
        );
        for wrong in [
            "!!int x",
            "!!int ''",
            "!!bool maybe",
            "!!float x",
            "!!binary a",
            "!!timestamp x",
            "0b_",
        ] {
            assert!(
                matches!(refused(wrong), ErrorKind::Scalar { .. }),
                "{wrong}"
            );
        }
        for wrong in [
            "2020-02-30",
            "2021-02-29",
            "0000-01-01",
            "2020-01-01 24:00:00",
            "2020-01-01 00:00:00+24",
        ] {
            assert!(
                matches!(refused(wrong), ErrorKind::Scalar { .. }),
                "{wrong}"
            );
        }
    }
}
