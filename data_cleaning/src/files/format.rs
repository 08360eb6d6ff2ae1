//! The formats of files, and how they are told.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;

/// How a table is written in a file.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Format {
    Csv,
    Parquet,
    /// The file format of Arrow, also called Feather version 2
    #[value(aliases = ["ipc", "feather"])]
    Arrow,
    /// One JSON object for each row, on a line of its own
    #[value(aliases = ["jsonl"])]
    Ndjson,
}

impl Format {
    /// What the end of the file's name says; CSV if it says nothing.
    pub fn of(path: &Path) -> Self {
        let ending = ending(path);
        match ending.as_str() {
            "ndjson" | "jsonl" => Self::Ndjson,
            // Packed, these are nothing that their readers know.
            _ if is_packed(path) => Self::Csv,
            "parquet" | "pq" => Self::Parquet,
            "arrow" | "ipc" | "feather" => Self::Arrow,
            _ => Self::Csv,
        }
    }
}

/// Whether the end of the name says that the fields are between tabs.
pub fn is_tabbed(path: &Path) -> bool {
    matches!(ending(path).as_str(), "tsv" | "tab")
}

/// The end of the file's name in small letters, before the one that says that it is packed.
fn ending(path: &Path) -> String {
    let path = if is_packed(path) {
        Path::new(path.file_stem().unwrap_or_default())
    } else {
        path
    };
    last_ending(path)
}

fn last_ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    ending.to_ascii_lowercase()
}

fn is_packed(path: &Path) -> bool {
    matches!(last_ending(path).as_str(), "gz" | "zst")
}

impl Display for Format {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow",
            Self::Ndjson => "NDJSON",
        })
    }
}

/// Refuses formats that this program was built without.
pub fn check_built(format: Format, other: Format) -> Result<()> {
    let is_bytes = format == Format::Csv || (format, other) == (Format::Ndjson, Format::Ndjson);
    ensure!(
        cfg!(feature = "tables") || is_bytes,
        "this data_cleaning was built for CSV alone and knows no {format}; in the folder of its \
         sources, `cargo build --release` builds it with all formats"
    );
    Ok(())
}

/// Refuses to write a file under a name that says it is compressed.
pub fn check_output(path: &Path) -> Result<()> {
    ensure!(
        !is_packed(path),
        "a compressed file can be read but not written, expected a name without `.{}`",
        path.extension().unwrap_or_default().to_string_lossy()
    );
    Ok(())
}

/// Refuses what is no CSV file, told by its first bytes.
pub fn check_csv(start: &[u8]) -> Result<()> {
    let what = match start {
        [b'P', b'A', b'R', b'1', ..] => "a Parquet file; `--input_format parquet` reads it as one",
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => {
            "an Arrow file; `--input_format arrow` reads it as one"
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            "text in UTF-16, expected UTF-8 or another encoding with the characters of ASCII; `iconv \
             -f UTF-16 -t UTF-8` converts it"
        }
        [b'P', b'K', 3, 4, ..] => "a zip file, expected a CSV file; `unzip -p` unpacks it",
        [0x1f, 0x8b, ..] => "a gzip file within another one; `gzip -dc` unpacks the outer one",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            "a zstd file within another one; `zstd -dc` unpacks the outer one"
        }
        [b'%', b'P', b'D', b'F', b'-', ..] => "a PDF file, expected a CSV file",
        [0xd0, 0xcf, 0x11, 0xe0, ..] => "a file of Excel, expected one that was exported as CSV",
        _ if start.starts_with(b"version https://git-lfs.github.com/spec/") => {
            "a pointer of Git LFS, which only stands for the file; `git lfs pull` fetches it"
        }
        _ if is_markup(start) => {
            "an HTML or XML page, perhaps of a server that wanted a login, expected a CSV file"
        }
        [b'{', b'"', ..] => "NDJSON; `--input_format ndjson` reads it as that",
        _ => return Ok(()),
    };
    bail!("it begins like {what}")
}

/// Whether a page of the web begins so, behind blanks and comments.
fn is_markup(start: &[u8]) -> bool {
    const TAGS: [&str; 7] = [
        "<!doctype",
        "<html",
        "<head",
        "<body",
        "<script",
        "<?xml",
        "<!--",
    ];
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let start = start.trim_ascii_start();
    TAGS.iter().any(|tag| {
        let begin = start.get(..tag.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(tag.as_bytes()))
    })
}

/// Refuses what is no file of a format other than CSV, told by its first bytes.
#[cfg(feature = "tables")]
pub fn check_start(format: Format, start: &[u8]) -> Result<()> {
    ensure!(!start.is_empty(), "it is empty, expected {format}");
    let expected = match format {
        Format::Parquet => "PAR1",
        Format::Arrow => "ARROW1",
        Format::Csv | Format::Ndjson => "",
    };
    ensure!(
        start.starts_with(expected.as_bytes()),
        "it does not begin with `{expected}` as {format} does"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_name_says_the_format() {
        for (path, format) in [
            ("a.csv", Format::Csv),
            ("a.parquet.csv", Format::Csv),
            ("a", Format::Csv),
            (".parquet", Format::Csv),
            ("a.csv.gz", Format::Csv),
            ("b/a.PARQUET", Format::Parquet),
            ("a.pq", Format::Parquet),
            ("a.feather", Format::Arrow),
            ("a.ipc", Format::Arrow),
            ("a.jsonl", Format::Ndjson),
            ("a.ndjson.gz", Format::Ndjson),
            ("a.parquet.zst", Format::Csv),
            ("a.tsv", Format::Csv),
        ] {
            assert_eq!(Format::of(Path::new(path)), format, "{path}");
        }
    }

    #[test]
    fn other_files_are_no_csv() {
        for (start, what) in [
            (&b"PAR1"[..], "a Parquet file"),
            (b"ARROW1\0\0", "an Arrow file"),
            (b"\xff\xfea\0", "text in UTF-16"),
            (b"PK\x03\x04x", "a zip file"),
            (b"\x1f\x8b\x08", "a gzip file within"),
            (b"\x28\xb5\x2f\xfd", "a zstd file within"),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "a pointer of Git LFS",
            ),
            (b"\n <!DOCTYPE html>", "an HTML"),
            (b"\xef\xbb\xbf<?xml version", "an HTML or XML"),
            (b"<!-- x -->\n<html>", "an HTML"),
            (b"{\"a\":1}", "NDJSON"),
        ] {
            let error = check_csv(start).expect_err(what).to_string();
            assert!(
                error.starts_with(&format!("it begins like {what}")),
                "{error}"
            );
        }
        for start in [
            &b""[..],
            b"PAR",
            b"PK,x",
            b"\xef\xbb\xbfa",
            b"\xe9",
            b"<htm",
            b"version,b",
            b"{a}",
        ] {
            assert!(check_csv(start).is_ok(), "{start:?}");
        }
    }
}
