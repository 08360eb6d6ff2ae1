//! What stays, on its way to where it is taken.

use anyhow::Result;

use crate::csv::Failure;
use crate::csv::scan::Cut;

/// What takes the records that stay, byte by byte as they are in the file.
pub(crate) trait Sink {
    /// Takes the next bytes, which may be a part of a record that does not stay.
    fn put(&mut self, bytes: &[u8]) -> Result<()>;

    /// The number of bytes taken so far.
    fn position(&self) -> u64;

    /// Forgets all bytes after this position.
    fn rewind(&mut self, position: u64) -> Result<()>;

    /// Learns that the bytes before this position are whole records, and stay.
    fn settle(&mut self, position: u64) -> Result<()>;
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn position(&self) -> u64 {
        self.len() as u64
    }

    fn rewind(&mut self, position: u64) -> Result<()> {
        self.truncate(usize::try_from(position)?);
        Ok(())
    }

    fn settle(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

/// Copies everything but what is cut, in runs as long as possible.
///
/// A record that goes on after the bytes it begins in is copied before it is known to stay, and
/// taken back if it does not: so no record has to be held in memory, however long it is.
pub(crate) struct Copy<'a, S> {
    bytes: &'a [u8],
    /// Where the bytes begin, from the start of the file.
    offset: u64,
    /// Up to where everything has been copied or cut.
    pub(crate) start: u64,
    /// The position in the sink of the record that goes on from the bytes before.
    pub(crate) record: u64,
    sink: &'a mut S,
}

impl<'a, S: Sink> Copy<'a, S> {
    pub(crate) fn new(bytes: &'a [u8], offset: u64, record: u64, sink: &'a mut S) -> Self {
        Self {
            bytes,
            offset,
            start: offset,
            record,
            sink,
        }
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, end: u64) -> Result<(), Failure> {
        let run = distance(self.offset, self.start)..distance(self.offset, end);
        self.sink.put(&self.bytes[run]).map_err(Failure::Output)
    }

    /// Copies the rest of the bytes, up to `scanned`.
    pub(crate) fn end(&mut self, record_start: u64, scanned: u64) -> Result<(), Failure> {
        if record_start >= self.start {
            self.put(record_start)?;
            self.start = record_start;
            self.record = self.sink.position();
            self.sink.settle(self.record).map_err(Failure::Output)?;
        }
        self.put(scanned)?;
        self.start = scanned;
        Ok(())
    }
}

impl<S: Sink> Cut for Copy<'_, S> {
    #[inline(always)]
    fn cut(&mut self, start: u64, end: u64) -> Result<(), Failure> {
        if start > self.start {
            self.put(start)?;
        } else if start < self.start {
            self.sink.rewind(self.record).map_err(Failure::Output)?;
        }
        self.start = end;
        Ok(())
    }
}

/// The bytes between two places of one piece.
#[inline(always)]
pub(crate) fn distance(start: u64, end: u64) -> usize {
    usize::try_from(end - start).expect("a piece fits into memory")
}
