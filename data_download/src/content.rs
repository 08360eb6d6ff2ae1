//! What the bytes of a file are, by their first ones and by what is said about them.
//!
//! Pure.

use anyhow::{Result, bail};

/// As many first bytes as a decision needs.
pub(crate) const HEAD: usize = 512;

/// How bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
    /// Only as a `Content-Encoding`: nothing in its first bytes tells it for certain.
    Deflate,
}

/// What some servers name as the encoding of bytes that are not packed.
const NOT_PACKED: [&str; 6] = ["", "identity", "none", "binary", "utf-8", "aws-chunked"];

impl Packing {
    /// Tells it by the first bytes; a name may lie.
    pub(crate) fn of(head: &[u8]) -> Option<Packing> {
        match head {
            [0x1f, 0x8b, ..] => Some(Packing::Gzip),
            // A frame, or one that readers skip: such a one may come first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Packing::Zstd)
            }
            _ => None,
        }
    }

    /// Reads a `Content-Encoding`.
    pub(crate) fn of_encoding(header: &str) -> Result<Option<Packing>> {
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

    /// The name as a `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
            Packing::Deflate => "deflate",
        }
    }

    /// Whether a file of this name is supposed to be packed so.
    pub(crate) fn is_in_name(self, name: &str) -> bool {
        let ends: &[_] = match self {
            Packing::Gzip => &["gz", "gzip", "tgz", "bgz"],
            Packing::Zstd => &["zst", "zstd", "tzst"],
            Packing::Deflate => &[],
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
        assert_eq!(Packing::of(b"a,b\n"), None);
        assert_eq!(Packing::of(b""), None);
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
