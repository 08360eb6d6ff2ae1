//! The records of a CSV file that stay, in portions.

use std::mem;

use anyhow::Result;

use crate::csv::copy::Sink;

/// The bytes of text in a portion, unless a single record has more.
const PORTION: usize = 8 << 20;

/// Collects the records that stay, and gives them to `each` as soon as they fill a portion.
pub(crate) struct Records<F> {
    each: F,
    /// Whole records, and the beginning of one that may yet be taken back.
    bytes: Vec<u8>,
    /// The bytes that were given away.
    given: u64,
}

impl<F: FnMut(&str) -> Result<()>> Records<F> {
    pub(crate) fn new(each: F) -> Self {
        Self {
            each,
            bytes: Vec::new(),
            given: 0,
        }
    }

    /// Gives the last records, after all of the file was read.
    pub(crate) fn finish(mut self) -> Result<()> {
        let bytes = mem::take(&mut self.bytes);
        (self.each)(str::from_utf8(&bytes)?)
    }
}

impl<F: FnMut(&str) -> Result<()>> Sink for Records<F> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn position(&self) -> u64 {
        self.given + self.bytes.len() as u64
    }

    fn rewind(&mut self, position: u64) -> Result<()> {
        // Never behind what was given: that stays.
        self.bytes.truncate(usize::try_from(position - self.given)?);
        Ok(())
    }

    fn settle(&mut self, position: u64) -> Result<()> {
        let whole = usize::try_from(position - self.given)?;
        if whole < PORTION {
            return Ok(());
        }
        (self.each)(str::from_utf8(&self.bytes[..whole])?)?;
        self.bytes.drain(..whole);
        self.given = position;
        Ok(())
    }
}
