//! The file under construction, and how it becomes the output.
//!
//! It lies beside the output as `NAME.partial`, so that putting it into place is one rename: at
//! every moment the output is the old file or the whole new one. While `NAME.partial.source` tells
//! which version of which file its bytes are, the next run continues it. At every moment, and so
//! wherever the program is killed, the record is that of the bytes, or there are no bytes.

use std::fs::{self, File, TryLockError};
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::leftovers::{Keep, Leftovers};
use crate::output::Output;
use crate::record::{Record, hex};
use crate::terminal::say;
use crate::version::Version;

/// What a cut download can go on from.
pub(crate) struct Resume<'a> {
    /// Number of bytes that are there.
    pub(crate) offset: u64,
    pub(crate) version: &'a Version,
}

/// A file that becomes the output by [`Partial::put_into_place`].
pub(crate) struct Partial {
    file: File,
    length: u64,
    /// How many of them came from an earlier run.
    continued: u64,
    /// Of the bytes so far, if anybody wants to know it.
    hash: Option<Sha256>,
    record: Record,
    leftovers: Leftovers,
}

impl Partial {
    /// Opens the partial file of `output` and locks it against other downloads to the same
    /// output; waits for one that is running. Bytes of an earlier run are continued if they are
    /// of the same `request`.
    pub(crate) fn open(
        output: &Output,
        request: &str,
        hashing: bool,
        leftovers: Leftovers,
    ) -> Result<Partial> {
        let file = lock(output)?;
        let there = file.metadata().map_or(0, |metadata| metadata.len());
        let keep = if there > 0 { Keep::Silently } else { Keep::No };
        leftovers.begin(output, keep);

        let mut partial = Partial {
            file,
            length: 0,
            continued: 0,
            hash: hashing.then(Sha256::new),
            record: Record {
                request: request.to_owned(),
                mark: boot(),
                version: Version::default(),
            },
            leftovers,
        };
        partial.continue_earlier(output, there)?;
        Ok(partial)
    }

    /// Takes over the `there` bytes of an earlier run, if it can be.
    fn continue_earlier(&mut self, output: &Output, there: u64) -> Result<()> {
        let Some(record) = Record::load(&output.partial_record()) else {
            return Ok(());
        };
        let fits = record.request == self.record.request && record.mark == self.record.mark;
        if !fits || record.version.validator.is_none() || there == 0 {
            return Ok(());
        }
        // Of a file that is all there, the last byte is asked for again: no server confirms a
        // version without sending some of it.
        let total = record.version.length.unwrap_or(u64::MAX);
        self.length = there.min(total.saturating_sub(1));
        self.continued = self.length;
        self.leftovers.keep(Keep::For(record.version.length));
        self.record = record;
        let cannot_read = || format!("cannot read `{}`", output.partial().display());
        self.file.set_len(self.length).with_context(cannot_read)?;
        if let Some(hash) = &mut self.hash {
            add(hash, &mut self.file).with_context(cannot_read)?;
        }
        let end = SeekFrom::Start(self.length);
        self.file.seek(end).with_context(cannot_read)?;
        Ok(())
    }

    /// Number of bytes so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// How many of them came from an earlier run.
    pub(crate) fn continued(&self) -> u64 {
        self.continued
    }

    /// The version whose bytes these are.
    pub(crate) fn version(&self) -> &Version {
        &self.record.version
    }

    /// What there is to go on from, if the server can be asked for the rest of exactly that.
    pub(crate) fn resume(&self) -> Option<Resume<'_>> {
        let possible = self.length > 0 && self.record.version.validator.is_some();
        possible.then_some(Resume {
            offset: self.length,
            version: &self.record.version,
        })
    }

    /// Throws the bytes away and makes ready for those of `version`.
    pub(crate) fn start(&mut self, output: &Output, version: Version) -> Result<()> {
        let record_path = output.partial_record();
        // In this order: a record must never stand beside the bytes of another version.
        self.file
            .set_len(0)
            .with_context(|| output.cannot_write())?;
        self.file.rewind().with_context(|| output.cannot_write())?;
        self.length = 0;
        self.continued = 0;
        self.hash = self.hash.take().map(|_| Sha256::new());
        self.record.version = version;
        self.leftovers.keep(Keep::No);
        if self.record.version.validator.is_some() {
            let saved = self.record.save(&record_path);
            saved.with_context(|| output.cannot_write())?;
            let total = self.record.version.length;
            self.leftovers.keep(Keep::For(total));
        } else {
            fs::remove_file(&record_path).ok();
        }
        Ok(())
    }

    /// Makes sure that nobody goes on from these bytes.
    pub(crate) fn discard(&mut self) {
        self.leftovers.keep(Keep::No);
    }

    /// Does so, but lets the bytes of another request be.
    pub(crate) fn discard_own(&mut self) {
        if self.length > 0 {
            self.discard();
        }
    }

    /// Appends all of `slices`.
    pub(crate) fn write(&mut self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        if let Some(hash) = &mut self.hash {
            for slice in slices.iter() {
                hash.update(&**slice);
            }
        }
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match self.file.write_vectored(slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.length += count as u64;
                    IoSlice::advance_slices(&mut slices, count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The first bytes, as many as there are and `buffer` takes.
    pub(crate) fn head<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let length = self.file.read_at(buffer, 0)?;
        Ok(&buffer[..length])
    }

    /// Whether this is the file with this metadata.
    pub(crate) fn is(&self, other: &fs::Metadata) -> bool {
        self.file.metadata().is_ok_and(|own| is_same(&own, other))
    }

    /// The hash of the bytes so far as hex digits, if it was wanted.
    pub(crate) fn sha256(&self) -> Option<String> {
        self.hash.clone().map(|hash| hex(&hash.finalize()))
    }

    /// Makes the bytes durable, then the name: after a power failure a new name must not stand
    /// for missing bytes. `unpacked` is what becomes the output in place of the bytes themselves.
    pub(crate) fn put_into_place(self, output: &Output, unpacked: Option<&File>) -> Result<()> {
        let cannot_write = || output.cannot_write();
        let file = unpacked.unwrap_or(&self.file);
        file.sync_all().with_context(cannot_write)?;
        let placed = self.leftovers.finish(|| {
            if unpacked.is_none() {
                return fs::rename(output.partial(), output.target());
            }
            fs::rename(output.unpacked(), output.target())?;
            fs::remove_file(output.partial())
        });
        placed.with_context(cannot_write)?;
        output.sync_folder()
    }
}

/// Opens the partial file, for this process alone.
fn lock(output: &Output) -> Result<File> {
    let path = output.partial();
    let shown = path.display();
    let mut told = false;
    loop {
        let is_file = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file());
        ensure!(
            is_file || !path.is_symlink() && !path.exists(),
            "`{shown}` is in the way: not a regular file"
        );
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        // Made as any new file is: the umask decides who may read it.
        let file = options
            .open(&path)
            .with_context(|| output.cannot_create())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                if !told {
                    let target = output.shown();
                    say(&format!(
                        "data_download: waiting for another download to `{target}`"
                    ));
                    told = true;
                }
                file.lock()
                    .with_context(|| format!("cannot lock `{shown}`"))?;
            }
            // A file system without locks: everything works but this.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => {
                bail!(anyhow::Error::new(error).context(format!("cannot lock `{shown}`")))
            }
        }
        // The other download has renamed or removed the file meanwhile.
        let now = fs::symlink_metadata(&path);
        let own = file.metadata().with_context(|| output.cannot_create())?;
        if now.is_ok_and(|now| is_same(&now, &own)) {
            return Ok(file);
        }
    }
}

fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Changes when the machine starts anew. After a power failure a file may have its length but not
/// its bytes, so those of an earlier start are not continued. Empty where the system has no such
/// thing.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

/// Reads a whole file, and returns its hash as hex digits.
pub(crate) fn hash_of(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    add(&mut hash, &mut File::open(path)?)?;
    Ok(hex(&hash.finalize()))
}

fn add(hash: &mut Sha256, file: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            length => hash.update(&buffer[..length]),
        }
    }
}
