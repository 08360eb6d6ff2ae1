//! The file under construction, and how it becomes the output.
//!
//! It lies beside the output as `NAME.partial`, so that putting it into place is one rename: at
//! every moment the output is the old file or the whole new one. While `NAME.partial.source` tells
//! which version of which file its bytes are, the next run continues it. At every moment, and so
//! wherever the program is killed, the record is that of the bytes, or there are no bytes.
//!
//! | event | function | bytes | record | after an error |
//! |---|---|---|---|---|
//! | opened, nothing is there | [`open`](Partial::open) | none | none | removed |
//! | opened, of this request and resumable | [`open`](Partial::open) | stay | stays | kept, and told |
//! | opened, of another request | [`open`](Partial::open) | stay | stays | left, and not told |
//! | a whole file begins, resumable | [`begin`](Partial::begin) | emptied first | written then | kept, and told |
//! | a whole file begins, not resumable | [`begin`](Partial::begin) | emptied | removed | removed |
//! | the rest or more comes | [`write`](Partial::write) | appended | stays | as before |
//! | cannot be continued, or its hash is wrong | [`start_over`](Partial::start_over) | emptied | removed | removed |
//! | refused | [`discard`](Partial::discard) | – | – | removed |
//! | nothing is new | [`leave`](Partial::leave) | removed if of this request | removed with them | – |
//! | complete | [`put_into_place`](Partial::put_into_place) | synced, renamed | removed before | – |
//!
//! Resumable is what has a validator and came since the machine started. For standard output the file has
//! no name, and nothing stays of it.

pub mod known;
pub mod leftovers;
pub mod lock;
pub mod record;

use std::fs::{self, File};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tempfile::tempfile;

use crate::access::{Access, draft_mode};
use crate::files::{self, is_same};
use crate::hash::{add, hex};
use crate::keep::leftovers::{Keep, Leftovers};
use crate::keep::lock::lock;
use crate::keep::record::Record;
use crate::output::{Output, Place, cannot_keep};
use crate::remote::ask::Resume;
use crate::remote::version::Version;

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
            record: Record::of_bytes(request),
            access,
            leftovers,
            place: place.cloned(),
        };
        if let Some(place) = place {
            let there = partial.file.metadata().map_or(0, |metadata| metadata.len());
            let keep = if there > 0 { Keep::Untouched } else { Keep::No };
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
        if !record.fits(&self.record) || !record.version.is_resumable() || there == 0 {
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
        let possible = self.length > 0 && self.record.version.is_resumable();
        possible.then_some(Resume {
            offset: self.length,
            version: &self.record.version,
        })
    }

    /// Throws the bytes away, so that all of them are asked for.
    pub fn start_over(&mut self) -> Result<()> {
        self.begin(Version::default())
    }

    /// Throws the bytes away and makes ready for those of `version`.
    pub fn begin(&mut self, version: Version) -> Result<()> {
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
        if self.record.version.is_resumable() {
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

    /// Ends it, as nothing is new; the bytes of another request stay.
    pub fn leave(self) {
        if self.length > 0 {
            self.leftovers.keep(Keep::No);
        }
        self.leftovers.settle();
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const OLD: &[u8] = b"12345";

    fn tagged(length: u64) -> Version {
        Version {
            validator: Some("\"a\"".to_owned()),
            length: Some(length),
            ..Version::default()
        }
    }

    fn open(folder: &Path, request: &str) -> Partial {
        let output = Output::new(&folder.join("x")).unwrap();
        Partial::open(&output, request, false, Leftovers::default()).unwrap()
    }

    /// What lies in a folder after an error, and whether it is told.
    fn left(folder: &Path, partial: Partial) -> (Vec<u8>, bool, bool) {
        let told = partial.leftovers.settle().is_some();
        drop(partial);
        let bytes = fs::read(folder.join("x.partial")).unwrap_or_default();
        let record = folder.join("x.partial.source").exists();
        (bytes, record, told)
    }

    /// A folder where a cut download of `request` left 5 bytes.
    fn with_old(request: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut partial = open(folder.path(), request);
        partial.begin(tagged(9)).unwrap();
        partial.write(&mut [IoSlice::new(OLD)]).unwrap();
        assert_eq!(left(folder.path(), partial), (OLD.to_vec(), true, true));
        folder
    }

    #[test]
    fn each_event_leaves_what_the_table_says() {
        type Event = fn(&mut Partial);
        let cases: [(&str, Event, &[u8], bool, bool); 11] = [
            ("same", |_| {}, OLD, true, true),
            ("other", |_| {}, OLD, true, false),
            (
                "same",
                |partial| partial.begin(tagged(3)).unwrap(),
                b"",
                false,
                false,
            ),
            (
                "other",
                |partial| {
                    partial.begin(tagged(3)).unwrap();
                    partial.write(&mut [IoSlice::new(b"ab")]).unwrap();
                },
                b"ab",
                true,
                true,
            ),
            (
                "same",
                |partial| {
                    partial.begin(Version::default()).unwrap();
                    partial.write(&mut [IoSlice::new(b"ab")]).unwrap();
                },
                b"",
                false,
                false,
            ),
            (
                "same",
                |partial| {
                    assert_eq!((partial.length(), partial.continued()), (5, 5));
                    partial.write(&mut [IoSlice::new(b"67")]).unwrap();
                },
                b"1234567",
                true,
                true,
            ),
            (
                "same",
                |partial| partial.start_over().unwrap(),
                b"",
                false,
                false,
            ),
            (
                "other",
                |partial| partial.start_over().unwrap(),
                b"",
                false,
                false,
            ),
            ("same", Partial::discard, b"", false, false),
            (
                "same",
                |partial| {
                    partial.begin(tagged(3)).unwrap();
                    partial.write(&mut [IoSlice::new(b"ab")]).unwrap();
                    partial.discard();
                },
                b"",
                false,
                false,
            ),
            (
                "same",
                |partial| assert_eq!(partial.resume().unwrap().offset, 5),
                OLD,
                true,
                true,
            ),
        ];
        for (number, (request, event, bytes, record, told)) in (1..).zip(cases) {
            let folder = with_old("same");
            let mut partial = open(folder.path(), request);
            event(&mut partial);
            let expected = (bytes.to_vec(), record, told);
            assert_eq!(left(folder.path(), partial), expected, "case {number}");
        }
    }

    #[test]
    fn what_is_not_new_leaves_the_bytes_of_another_request() {
        for (request, stays) in [("same", false), ("other", true)] {
            let folder = with_old("same");
            open(folder.path(), request).leave();
            assert_eq!(folder.path().join("x.partial").exists(), stays);
            assert_eq!(folder.path().join("x.partial.source").exists(), stays);
        }
    }

    #[test]
    fn what_is_complete_leaves_only_the_output() {
        let folder = with_old("same");
        let mut partial = open(folder.path(), "same");
        partial.write(&mut [IoSlice::new(b"6789")]).unwrap();
        partial.put_into_place(None).unwrap();
        assert_eq!(fs::read(folder.path().join("x")).unwrap(), b"123456789");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// No server confirms a version without sending some of it.
    #[test]
    fn the_last_byte_of_a_whole_file_is_asked_for_again() {
        let folder = with_old("same");
        let mut partial = open(folder.path(), "same");
        partial.write(&mut [IoSlice::new(b"6789")]).unwrap();
        partial.leftovers.settle();
        drop(partial);
        let partial = open(folder.path(), "same");
        assert_eq!(partial.resume().unwrap().offset, 8);
    }
}
