//! The content of one file: by its stat as long as that is trusted, else by its hash.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mlproject::file::open_regular;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::progress::{Progress, Stopped};

/// How much is read at once, in bytes.
const PIECE: u64 = 256 * 1024;

/// How often a file is hashed that changes meanwhile.
const TRIES: usize = 3;

const SECOND: i64 = 1_000_000_000;

/// The clock of a file system moves in steps of up to 10 ms; what changes within one keeps its times.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// The same for a file system that has whole seconds, and for FAT with its two.
const COARSE_TICK: i64 = 2 * SECOND;

/// What changes when a file does: size, time of change and time of change of the inode in ns, inode.
/// Not the device, which may have another number after each start of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Stat(u64, i64, i64, u64);

impl Stat {
    pub(crate) fn of(data: &Metadata) -> Stat {
        let time = |seconds: i64, rest| seconds.saturating_mul(SECOND).saturating_add(rest);
        Stat(
            data.len(),
            time(data.mtime(), data.mtime_nsec()),
            time(data.ctime(), data.ctime_nsec()),
            data.ino(),
        )
    }

    pub(crate) fn size(self) -> u64 {
        self.0
    }

    /// When the content changed last, as far as the file says.
    pub(crate) fn changed(self) -> i64 {
        self.1
    }

    /// Whether a change after this moment is sure to give the file other times. It is not if the file
    /// changed just before, or in the future, as after a clock was set back.
    pub(crate) fn is_settled(self, moment: i64) -> bool {
        let Stat(_, mtime, ctime, _) = self;
        let is_coarse = mtime % SECOND == 0 && ctime % SECOND == 0;
        let tick = if is_coarse {
            COARSE_TICK
        } else {
            i64::try_from(TICK.as_nanos()).unwrap_or(i64::MAX)
        };
        mtime.max(ctime) < moment.saturating_sub(tick)
    }
}

/// Now, in ns as the times of files.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |it| i64::try_from(it.as_nanos()).unwrap_or(i64::MAX))
}

/// A hash that is recorded as hexadecimal text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) blake3::Hash);

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.to_hex())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_hex())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        struct Hexadecimal;
        impl Visitor<'_> for Hexadecimal {
            type Value = Hash;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a hash")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hash, E> {
                blake3::Hash::from_hex(text).map(Hash).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Hexadecimal)
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Hashed {
    pub(crate) stat: Stat,
    pub(crate) hash: Hash,
    /// Whether the stat stands for this content from now on.
    pub(crate) is_settled: bool,
}

/// Why there is no hash.
#[derive(Debug)]
pub(crate) enum Failure {
    Missing,
    BeingWritten,
    Unreadable(String),
    Interrupted,
}

impl From<Stopped> for Failure {
    fn from(_: Stopped) -> Failure {
        Failure::Interrupted
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::NotFound => Failure::Missing,
            _ => Failure::Unreadable(error.to_string()),
        }
    }
}

/// Hashes a regular file; again if it changes meanwhile.
pub(crate) fn hash_file(path: &Path, progress: &mut Progress) -> Result<Hashed, Failure> {
    for _ in 0..TRIES {
        let file = open_regular(path)?;
        let moment = now();
        let before = Stat::of(&file.metadata()?);
        let hash = hash_of(&file, before.size(), progress)?;
        let after = Stat::of(&file.metadata()?);
        if before == after {
            return Ok(Hashed {
                stat: after,
                hash,
                is_settled: after.is_settled(moment),
            });
        }
    }
    Err(Failure::BeingWritten)
}

/// Plain reads, as a mapped file that shrinks would kill us.
fn hash_of(mut file: &File, size: u64, progress: &mut Progress) -> Result<Hash, Failure> {
    let mut hasher = blake3::Hasher::new();
    // One byte more, so that most files are read at once and end with the second read.
    let piece = usize::try_from(PIECE.min(size + 1)).unwrap_or(usize::MAX);
    let mut buffer = vec![0; piece];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(Hash(hasher.finalize())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        hasher.update(&buffer[..count]);
        progress.advance(count as u64)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::fs;
    use std::io::Write;

    fn hash(path: &Path, at_each_piece: &dyn Fn() -> bool) -> Result<Hashed, Failure> {
        hash_file(path, &mut Progress::new("x".into(), 0, at_each_piece))
    }

    fn append(path: &Path) {
        let mut file = File::options().append(true).open(path).unwrap();
        file.write_all(b"more").unwrap();
    }

    #[test]
    fn a_file_is_hashed_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            fs::write(&path, &bytes).unwrap();
            let hashed = hash(&path, &|| false).unwrap();
            assert_eq!(hashed.hash.0, blake3::hash(&bytes), "{size}");
            assert_eq!(hashed.stat.size(), size);
            assert!(!hashed.is_settled, "it was written just now");
        }
    }

    #[test]
    fn a_file_that_changes_is_hashed_again_and_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "text").unwrap();
        let writes = Cell::new(0);
        let once = || {
            if writes.replace(writes.get() + 1) == 0 {
                append(&path);
            }
            false
        };
        let hashed = hash(&path, &once).unwrap();
        assert_eq!(hashed.hash.0, blake3::hash(b"textmore"));
        let always = || {
            append(&path);
            // As much as is read is written; a limit keeps a failure of the test from filling the disk.
            writes.replace(writes.get() + 1) > 1000
        };
        let length = fs::metadata(&path).unwrap().len();
        let ended = hash(&path, &always);
        assert!(ended.is_err(), "{ended:?}");
        assert!(fs::metadata(&path).unwrap().len() > length);
    }

    #[test]
    fn what_vanishes_or_cannot_be_read_has_no_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "text").unwrap();
        let vanish = || {
            fs::remove_file(&path).ok();
            false
        };
        assert!(matches!(hash(&path, &vanish), Err(Failure::Missing)));
        assert!(matches!(
            hash(folder.path(), &|| false),
            Err(Failure::Unreadable(_))
        ));
        fs::write(&path, "text").unwrap();
        assert!(matches!(hash(&path, &|| true), Err(Failure::Interrupted)));
    }

    #[test]
    fn times_are_trusted_when_they_are_clearly_over() {
        let moment = 1_000 * SECOND;
        let fine = |before: i64| Stat(1, moment - before, moment - before, 1).is_settled(moment);
        assert!(!fine(0));
        assert!(!fine(49_000_001));
        assert!(fine(50_000_001));
        // Whole seconds are taken for all that a file system has.
        assert!(!fine(SECOND) && !fine(2 * SECOND) && fine(3 * SECOND));
        assert!(fine(SECOND + 1));
        // The clock was set back.
        assert!(!fine(-SECOND) && !fine(-1));
        // A time of change that was set to long ago does not hide a change.
        assert!(!Stat(1, 5, moment - 1, 1).is_settled(moment));
    }
}
