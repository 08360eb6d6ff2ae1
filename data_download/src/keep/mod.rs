//! The file under construction, and how it becomes the output.
//!
//! It lies beside the output as `NAME.partial`, so that putting it into place is one rename: at
//! every moment the output is the old file or the whole new one. While `NAME.partial.source` tells
//! which version of which file its bytes are, the next run continues it. At every moment, and so
//! wherever the program is killed, the record is that of the bytes, or there are no bytes.

pub mod leftovers;
pub mod record;

use std::fs::{self, File, TryLockError};
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tempfile::tempfile;

use crate::access::{Access, draft_mode};
use crate::files::{self, in_the_way, is_own, is_same};
use crate::keep::leftovers::{Keep, Leftovers};
use crate::keep::record::{Record, hex};
use crate::output::{Output, Place, cannot_keep};
use crate::remote::ask::Resume;
use crate::remote::version::Version;
use crate::terminal::say;

/// A file that becomes the output by [`Partial::put_into_place`].
pub struct Partial {
    file: File,
    length: u64,
    /// How many of them came from an earlier run.
    continued: u64,
    /// Of the bytes so far, if anybody wants to know it.
    hash: Option<Sha256>,
    record: Record,
    /// That of the file that is going to be replaced.
    access: Option<Access>,
    leftovers: Leftovers,
    /// Where the file is going to be, unless that is standard output. Then this one has no name.
    place: Option<Place>,
}

impl Partial {
    /// Opens the partial file of `output` and locks it against other downloads to the same
    /// output; waits for one that is running. Bytes of an earlier run are continued if they are
    /// of the same `request`.
    pub fn open(
        output: &Output,
        request: &str,
        hashing: bool,
        leftovers: Leftovers,
    ) -> Result<Partial> {
        let place = output.place();
        let (file, access) = match place {
            Some(place) => lock(place)?,
            None => (tempfile().with_context(cannot_keep)?, None),
        };
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
            access,
            leftovers,
            place: place.cloned(),
        };
        if let Some(place) = place {
            let there = partial.file.metadata().map_or(0, |metadata| metadata.len());
            let keep = if there > 0 { Keep::Silently } else { Keep::No };
            partial.leftovers.begin(place, keep);
            partial.continue_earlier(place, there)?;
        }
        Ok(partial)
    }

    /// Takes over the `there` bytes of an earlier run, if it can be.
    fn continue_earlier(&mut self, place: &Place, there: u64) -> Result<()> {
        let own = self.file.metadata().ok();
        let record = own.and_then(|own| Record::load(&place.partial_record(), &own));
        let Some(record) = record else {
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
        let cannot_read = || format!("cannot read `{}`", place.partial().display());
        self.file.set_len(self.length).with_context(cannot_read)?;
        if let Some(hash) = &mut self.hash {
            add(hash, &mut self.file).with_context(cannot_read)?;
        }
        let end = SeekFrom::Start(self.length);
        self.file.seek(end).with_context(cannot_read)?;
        Ok(())
    }

    /// Number of bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many of them came from an earlier run.
    pub fn continued(&self) -> u64 {
        self.continued
    }

    /// The version whose bytes these are.
    pub fn version(&self) -> &Version {
        &self.record.version
    }

    /// What there is to go on from, if the server can be asked for the rest of exactly that.
    pub fn resume(&self) -> Option<Resume<'_>> {
        let possible = self.length > 0 && self.record.version.validator.is_some();
        possible.then_some(Resume {
            offset: self.length,
            version: &self.record.version,
        })
    }

    /// Throws the bytes away and makes ready for those of `version`.
    pub fn start(&mut self, version: Version) -> Result<()> {
        // In this order: a record must never stand beside the bytes of another version.
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.with_context(|| self.cannot_write())?;
        self.length = 0;
        self.continued = 0;
        self.hash = self.hash.take().map(|_| Sha256::new());
        self.record.version = version;
        self.leftovers.keep(Keep::No);
        let Some(place) = &self.place else {
            return Ok(());
        };
        let record_path = place.partial_record();
        if self.record.version.validator.is_some() {
            self.record.save(&record_path)?;
            let total = self.record.version.length;
            self.leftovers.keep(Keep::For(total));
        } else {
            files::remove(&record_path)?;
        }
        Ok(())
    }

    fn cannot_write(&self) -> String {
        self.place
            .as_ref()
            .map_or_else(cannot_keep, Place::cannot_write)
    }

    /// Makes sure that nobody goes on from these bytes.
    pub fn discard(&mut self) {
        self.leftovers.keep(Keep::No);
    }

    /// Does so, but lets the bytes of another request be.
    pub fn discard_own(&mut self) {
        if self.length > 0 {
            self.discard();
        }
    }

    /// Appends all of `slices`.
    pub fn write(&mut self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
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
    pub fn head<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let length = self.file.read_at(buffer, 0)?;
        Ok(&buffer[..length])
    }

    /// The bytes, for another reader.
    pub fn reader(&self) -> Result<File> {
        let file = self.file.try_clone();
        file.with_context(|| self.cannot_write())
    }

    /// Makes the file for the unpacked bytes.
    pub fn unpacked(&self) -> Result<File> {
        match &self.place {
            Some(place) => files::replace(&place.unpacked(), draft_mode(self.access.as_ref())),
            None => tempfile().with_context(cannot_keep),
        }
    }

    /// Whether this is the file with this metadata.
    pub fn is(&self, other: &fs::Metadata) -> bool {
        self.file.metadata().is_ok_and(|own| is_same(&own, other))
    }

    /// The hash of the bytes so far as hex digits, if it was wanted.
    pub fn sha256(&self) -> Option<String> {
        self.hash.clone().map(|hash| hex(&hash.finalize()))
    }

    /// Puts the bytes where they are to be, or `unpacked` in place of them.
    pub fn put_into_place(self, unpacked: Option<&File>) -> Result<()> {
        match &self.place {
            Some(place) => self.rename(place, unpacked),
            None => {
                copy_out(unpacked.unwrap_or(&self.file)).context("cannot write to standard output")
            }
        }
    }

    /// Makes the bytes durable, then the name: after a power failure a new name must not stand
    /// for missing bytes.
    fn rename(&self, place: &Place, unpacked: Option<&File>) -> Result<()> {
        let cannot_write = || place.cannot_write();
        let file = unpacked.unwrap_or(&self.file);
        // It may have changed since the download began.
        if let Some(access) = Access::of(place.target()).or(self.access.clone()) {
            access.give_to(file);
        }
        file.sync_all().with_context(cannot_write)?;
        let placed = self.leftovers.finish(|| {
            if unpacked.is_none() {
                return fs::rename(place.partial(), place.target());
            }
            fs::rename(place.unpacked(), place.target())?;
            fs::remove_file(place.partial())
        });
        placed.with_context(cannot_write)?;
        place.sync_folder()
    }
}

/// Copies a whole file to standard output, past the buffer that Rust has for it.
fn copy_out(mut file: &File) -> io::Result<()> {
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    file.rewind()?;
    io::copy(&mut file, &mut out)?;
    Ok(())
}

/// Opens the partial file, for this process alone; also tells the access of the file that it is
/// going to replace.
fn lock(place: &Place) -> Result<(File, Option<Access>)> {
    let path = place.partial();
    let mut told = false;
    loop {
        let access = Access::of(place.target());
        let (file, is_usable) = match files::create(&path, draft_mode(access.as_ref())) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match open_earlier(&path, access.as_ref()) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    earlier => earlier.map_err(|error| in_the_way(&path, error))?,
                }
            }
            Err(error) => return Err(error).with_context(|| place.cannot_create()),
        };
        wait_for(&file, place, &mut told)?;
        let now = fs::symlink_metadata(&path);
        let own = file.metadata().with_context(|| place.cannot_create())?;
        if !now.is_ok_and(|now| is_same(&now, &own)) {
            // The other download has renamed or removed the file meanwhile.
            continue;
        }
        if is_usable {
            return Ok((file, access));
        }
        files::remove(&path)?;
    }
}

/// Opens a partial file that is there, and tells whether it can be continued or written over: not
/// one that somebody else may change or read, or that also has another name.
fn open_earlier(path: &Path, access: Option<&Access>) -> io::Result<(File, bool)> {
    let mut options = File::options();
    let opened = files::open(path, options.read(true).write(true));
    let (file, metadata) = match opened {
        // To wait for who is writing it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let (file, _) = files::open(path, File::options().read(true))?;
            return Ok((file, false));
        }
        opened => opened?,
    };
    let is_usable = is_own(&metadata)
        && metadata.nlink() == 1
        && access.is_none_or(|access| access.covers(&metadata));
    Ok((file, is_usable))
}

/// Locks the partial file; waits for another download to the same place.
fn wait_for(file: &File, place: &Place, told: &mut bool) -> Result<()> {
    let cannot_lock = || format!("cannot lock `{}`", place.partial().display());
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            if !*told {
                let target = place.shown();
                say(&format!(
                    "data_download: waiting for another download to `{target}`"
                ));
                *told = true;
            }
            file.lock().with_context(cannot_lock)
        }
        // A file system without locks: everything works but this.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(error).with_context(cannot_lock),
    }
}

/// Changes when the machine starts anew. After a power failure a file may have its length but not
/// its bytes, so those of an earlier start are not continued. Empty where the system has no such
/// thing.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

/// Reads a whole file, and returns its hash as hex digits.
pub fn hash_of(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let (mut file, _) = files::open(path, File::options().read(true))?;
    add(&mut hash, &mut file)?;
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
