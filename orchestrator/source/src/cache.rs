//! The folder for what was fetched.

use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use super::SourceError;
use process::host;
use process::redact::without_credentials;

/// The longest name of a file that is made of an address; file systems have room for 255 bytes.
const LONGEST_NAME: usize = 200;

/// The folder for one kind of sources.
pub(crate) fn folder(kind: &str) -> Result<PathBuf, SourceError> {
    Ok(host::cache().ok_or(SourceError::NoCache)?.join(kind))
}

/// A folder under construction in the cache; removed unless it is kept.
pub(crate) struct Fresh {
    folder: tempfile::TempDir,
}

impl Fresh {
    pub(crate) fn new(place: &Path) -> Result<Fresh, SourceError> {
        let cannot_write = |source| SourceError::Cache {
            folder: place.to_owned(),
            source,
        };
        std::fs::create_dir_all(place).map_err(cannot_write)?;
        let folder = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(place)
            .map_err(cannot_write)?;
        Ok(Fresh { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts the folder into its place. If another run was faster, its folder is the same.
    pub(crate) fn keep_as(self, target: &Path) -> Result<PathBuf, SourceError> {
        match std::fs::rename(self.path(), target) {
            Err(_) if target.is_dir() => {}
            renamed => renamed.map_err(|source| SourceError::Cache {
                folder: target.to_owned(),
                source,
            })?,
        }
        Ok(target.to_owned())
    }
}

/// A file name for a URL, without its credentials; different URLs have different names.
pub(crate) fn file_name(url: &str) -> String {
    let url = without_credentials(url);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let mut name = String::new();
    for byte in url.bytes() {
        if is_plain(byte) {
            name.push(char::from(byte));
        } else {
            name.push('%');
            name.push_str(&hexadecimal(&[byte]));
        }
    }
    if name.len() > LONGEST_NAME {
        let hash = hexadecimal(&Sha1::digest(&name));
        name.truncate(LONGEST_NAME - hash.len());
        name += &hash;
    }
    name
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_name_is_one_file_name_without_credentials() {
        assert_eq!(
            file_name("https://user:secret@host/a b"),
            "https%3a%2f%2fhost%2fa%20b"
        );
        assert_eq!(file_name("git@host:org/b.git"), "git%40host%3aorg%2fb.git");
        let (one, other) = ("x".repeat(300), "x".repeat(301));
        assert_eq!(file_name(&one).len(), LONGEST_NAME);
        assert_ne!(file_name(&one), file_name(&other));
    }
}
