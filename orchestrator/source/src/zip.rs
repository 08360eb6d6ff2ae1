//! The content of a zip file, in the cache.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::zip::ZipArchive;
use ::zip::result::ZipError;
use sha1::{Digest, Sha1};

use super::cache::{Fresh, file_name, folder as cache_folder, hexadecimal};
use super::{Access, SourceError};
use crate::download::{self, Limits};
use mlproject::file::open_regular;
use process::console::while_waiting;

/// The largest zip file, and the most that may come out of one, in bytes.
const LARGEST_FILE: u64 = 256 << 20;
const LARGEST_CONTENT: u64 = 1 << 30;

/// The most files and folders in one.
const MOST_ENTRIES: usize = 10_000;

/// How long a download may take.
const DOWNLOADING: Duration = Duration::from_mins(15);

/// The folder with the content of a zip file; `name` is what the pipeline says.
pub(crate) fn folder(path: &Path, name: &str, access: Access) -> Result<PathBuf, SourceError> {
    let mut file = open_regular(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::Missing(path.display().to_string()),
        _ => read_failed(path, error),
    })?;
    let target = cache_folder("zip")?.join(digest(&mut file, path)?);
    if target.is_dir() {
        return Ok(target);
    }
    if access == Access::Look {
        return Err(SourceError::NotFetched(name.to_owned()));
    }
    extracted(file, path, &target)
}

/// The folder with the content of a zip file on a server.
pub(crate) fn remote_folder(url: &str, access: Access) -> Result<PathBuf, SourceError> {
    let place = cache_folder("downloads")?;
    let target = place.join(file_name(url));
    if access == Access::Look {
        return match folder(&target, url, access) {
            Err(SourceError::Missing(_)) => Err(SourceError::NotFetched(url.to_owned())),
            found => found,
        };
    }
    std::fs::create_dir_all(&place).map_err(|source| SourceError::Cache {
        folder: place.clone(),
        source,
    })?;
    let limits = Limits {
        time: Some(DOWNLOADING),
        bytes: LARGEST_FILE,
    };
    let text = format!("waiting for {url}");
    let downloaded = while_waiting(&text, || download::to_file(url, &target, limits));
    downloaded.map_err(|source| SourceError::Download {
        uri: url.to_owned(),
        source,
    })?;
    folder(&target, url, access)
}

/// The SHA-1 of the content, by which it is kept.
fn digest(file: &mut File, path: &Path) -> Result<String, SourceError> {
    let failed = |error| read_failed(path, error);
    if file.metadata().map_err(failed)?.len() > LARGEST_FILE {
        return Err(too_large(path, "too many bytes", LARGEST_FILE));
    }
    let mut hash = Sha1::new();
    let mut buffer = vec![0; 1 << 16];
    // It may grow meanwhile.
    let mut content = file.take(LARGEST_FILE);
    loop {
        match content.read(&mut buffer).map_err(failed)? {
            0 => break,
            length => hash.update(&buffer[..length]),
        }
    }
    file.rewind().map_err(failed)?;
    Ok(hexadecimal(&hash.finalize()))
}

fn extracted(file: File, path: &Path, target: &Path) -> Result<PathBuf, SourceError> {
    let broken = |source| SourceError::Zip {
        path: path.to_owned(),
        source,
    };
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(broken)?;
    if archive.len() > MOST_ENTRIES {
        return Err(too_large(path, "too many files", MOST_ENTRIES as u64));
    }
    let fresh = Fresh::new(target.parent().unwrap_or(target))?;
    let mut room = LARGEST_CONTENT;
    for position in 0..archive.len() {
        let mut entry = archive.by_index(position).map_err(broken)?;
        let Some(name) = entry.enclosed_name() else {
            return Err(SourceError::ZipTraversal {
                path: path.to_owned(),
                name: String::from_utf8_lossy(entry.name_raw()).into_owned(),
            });
        };
        let is_executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let place = fresh.path().join(name);
        let written = if entry.is_dir() {
            std::fs::create_dir_all(place).map(|()| 0)
        } else {
            write(&mut entry, &place, is_executable, room)
        };
        room = room
            .checked_sub(written.map_err(|error| broken(ZipError::Io(error)))?)
            .ok_or_else(|| too_large(path, "too many bytes when unpacked", LARGEST_CONTENT))?;
    }
    fresh.keep_as(target)
}

/// Writes an entry and gives its length, with at most one byte more than there is room for: what the
/// archive says of itself may be wrong. As under Python's zipfile a link becomes a file that holds its
/// target, so that none can lead elsewhere.
fn write(entry: &mut impl Read, place: &Path, is_executable: bool, room: u64) -> io::Result<u64> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(if is_executable { 0o777 } else { 0o666 })
        .open(place)?;
    io::copy(&mut entry.take(room + 1), &mut file)
}

fn read_failed(path: &Path, source: io::Error) -> SourceError {
    SourceError::Read {
        path: path.to_owned(),
        source,
    }
}

fn too_large(path: &Path, what: &'static str, limit: u64) -> SourceError {
    SourceError::ZipTooLarge {
        path: path.to_owned(),
        what,
        limit: limit.to_string(),
    }
}
