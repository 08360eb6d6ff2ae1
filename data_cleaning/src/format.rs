//! The formats of files, and how they are told.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;

/// How a table is written in a file.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Format {
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
    pub(crate) fn of(path: &Path) -> Self {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.to_ascii_lowercase().as_str() {
            "parquet" | "pq" => Self::Parquet,
            "arrow" | "ipc" | "feather" => Self::Arrow,
            "ndjson" | "jsonl" => Self::Ndjson,
            _ => Self::Csv,
        }
    }
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

/// Refuses a format that this program was built without.
pub(crate) fn check_built(format: Format) -> Result<()> {
    ensure!(
        cfg!(feature = "tables") || format == Format::Csv,
        "this data_cleaning was built for CSV alone and knows no {format}; in the folder of its \
         sources, `cargo build --release` builds it with all formats"
    );
    Ok(())
}

/// Refuses to write a file under a name that says it is compressed.
pub(crate) fn check_output(path: &Path) -> Result<()> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    ensure!(
        !["gz", "zst"].contains(&ending.to_ascii_lowercase().as_str()),
        "a compressed file can be read but not written, expected a name without `.{ending}`"
    );
    Ok(())
}

/// Refuses what is no CSV file, told by its first bytes.
pub(crate) fn check_csv(start: &[u8]) -> Result<()> {
    let what = match start {
        [b'P', b'A', b'R', b'1', ..] => "a Parquet file; `--input_format parquet` reads it as one",
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => {
            "an Arrow file; `--input_format arrow` reads it as one"
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            "text in UTF-16, expected UTF-8 or another encoding with the characters of ASCII"
        }
        [b'P', b'K', 3, 4, ..] => "a zip file, expected a CSV file",
        _ => return Ok(()),
    };
    bail!("it begins like {what}")
}

/// Refuses what is no file of a format other than CSV, told by its first bytes.
#[cfg(feature = "tables")]
pub(crate) fn check_start(format: Format, start: &[u8]) -> Result<()> {
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
        ] {
            assert_eq!(Format::of(Path::new(path)), format, "{path}");
        }
    }

    #[test]
    fn other_files_are_no_csv() {
        for start in [&b"PAR1"[..], b"ARROW1\0\0", b"\xff\xfea\0", b"PK\x03\x04x"] {
            assert!(check_csv(start).is_err(), "{start:?}");
        }
        for start in [&b""[..], b"PAR", b"PK,x", b"\xef\xbb\xbfa", b"\xe9"] {
            assert!(check_csv(start).is_ok(), "{start:?}");
        }
    }
}
