//! What is remembered about a file: where it comes from, and which version it is.
//!
//! A small text file beside it. No URL and no header stands in it, as they may hold secrets, only
//! a hash of them.

use std::fs::{self, File, Metadata};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use reqwest::header::HeaderMap;
use sha2::{Digest, Sha256};

use crate::content::Packing;
use crate::files;
use crate::hash::hex;
use crate::remote::version::Version;
use crate::source::is_secret;

const FORMAT: &str = "data_download 2";

/// No record is longer, as no header is.
const MOST: u64 = 1 << 20;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// What was asked for; see [`request`].
    pub request: String,
    /// What has to be as it was, so that the record still speaks of the file.
    pub mark: String,
    pub version: Version,
}

impl Record {
    /// That of bytes that came for `request` since the machine started.
    pub fn of_bytes(request: &str) -> Record {
        Record {
            request: request.to_owned(),
            mark: boot(),
            version: Version::default(),
        }
    }

    /// That of a whole file that came for `request`.
    pub fn of_output(request: &str, version: Version, data: &Metadata) -> Record {
        Record {
            request: request.to_owned(),
            mark: stamp(data),
            version,
        }
    }

    /// Whether both speak of the same file that nothing has happened to.
    pub fn fits(&self, other: &Record) -> bool {
        (&self.request, &self.mark) == (&other.request, &other.mark)
    }

    /// Reads the record at `path` of a file with the metadata `data`; none if there is none, or
    /// none that can be understood. It counts if it is the user's own, or of whoever owns the file,
    /// who could as well have changed that.
    pub fn load(path: &Path, data: &Metadata) -> Option<Record> {
        let (file, metadata) = files::open(path, File::options().read(true)).ok()?;
        if metadata.uid() != data.uid() && !files::is_own(&metadata) {
            return None;
        }
        let text = files::read_small(file, MOST).ok()?;
        Self::parse(str::from_utf8(&text).ok()?)
    }

    pub fn save(&self, path: &Path) -> Result<()> {
        let mut file = files::replace(path, 0o666)?;
        let written = file.write_all(self.text().as_bytes());
        written.with_context(|| format!("cannot write `{}`", path.display()))
    }

    fn text(&self) -> String {
        let version = &self.version;
        let length = version.length.map(|length| length.to_string());
        let encoding = version.encoding.map(|packing| packing.name().to_owned());
        let lines = [
            ("request", Some(&self.request)),
            ("mark", Some(&self.mark)),
            ("etag", version.etag.as_ref()),
            ("last_modified", version.last_modified.as_ref()),
            ("validator", version.validator.as_ref()),
            ("length", length.as_ref()),
            ("encoding", encoding.as_ref()),
        ];
        let lines = lines
            .iter()
            .filter_map(|(name, value)| Some(format!("{name} {}\n", (*value)?)));
        // The last line shows that none is missing.
        format!("{FORMAT}\n{}end\n", lines.collect::<String>())
    }

    fn parse(text: &str) -> Option<Record> {
        let mut lines = text.strip_suffix("\nend\n")?.lines();
        if lines.next()? != FORMAT {
            return None;
        }
        let mut record = Record::default();
        for line in lines {
            let (name, value) = line.split_once(' ')?;
            let value = value.to_owned();
            match name {
                "request" => record.request = value,
                "mark" => record.mark = value,
                "etag" => record.version.etag = Some(value),
                "last_modified" => record.version.last_modified = Some(value),
                "validator" => record.version.validator = Some(value),
                "length" => record.version.length = Some(value.parse().ok()?),
                "encoding" => record.version.encoding = Packing::of_encoding(&value).ok()?,
                _ => return None,
            }
        }
        Some(record)
    }
}

/// Identifies a request by a hash: what is asked for, the headers that may choose among several
/// files (so not those for credentials, which change), and what is done with it.
pub fn request(source: &str, headers: &HeaderMap, how: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{source}\n{how}\n"));
    for (name, value) in headers {
        if !is_secret(name.as_str()) && name != "cookie" {
            hash.update(format!("{name}: "));
            hash.update(value.as_bytes());
            hash.update("\n");
        }
    }
    hex(&hash.finalize())
}

/// Changes when the machine starts anew. After a power failure a file may have its length but not
/// its bytes, so those of an earlier start are not continued. Empty where the system has no such
/// thing.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

/// Changes with the content of a file: its length and the time of its last change.
pub fn stamp(metadata: &Metadata) -> String {
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    format!("{} {seconds}.{nanoseconds:09}", metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_nothing_less() {
        let record = Record {
            request: "abc".to_owned(),
            mark: "1 2".to_owned(),
            version: Version {
                etag: Some("\"a b\"".to_owned()),
                last_modified: None,
                length: Some(7),
                encoding: Some(Packing::Deflate),
                validator: Some("\"a b\"".to_owned()),
            },
        };
        let text = record.text();
        assert_eq!(Record::parse(&text), Some(record));
        for end in 0..text.len() {
            assert_eq!(Record::parse(&text[..end]), None, "{end}");
        }
        assert_eq!(Record::parse("data_download 1\nend\n"), None);
    }

    #[test]
    fn tells_requests_apart() {
        let of = |source: &str, header: &str, value: &str| {
            let name = reqwest::header::HeaderName::try_from(header).unwrap();
            let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
            request(source, &headers, "")
        };
        let one = of("http://h/a?key=1", "authorization", "t1");
        assert_eq!(one, of("http://h/a?key=1", "authorization", "t2"));
        assert_ne!(one, of("http://h/a?key=2", "authorization", "t1"));
        assert_ne!(one, of("http://h/a?key=1", "accept", "text/csv"));
    }
}
