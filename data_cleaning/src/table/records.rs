//! The records of a CSV file that stay, in portions.

use std::mem;

use anyhow::Result;

/// The bytes of text in a portion, unless a single record has more.
const PORTION: usize = 8 << 20;

/// Collects the records that stay, and gives them to `each` as soon as they fill a portion.
pub struct Records<F> {
    each: F,
    bytes: Vec<u8>,
}

impl<F: FnMut(&str) -> Result<()>> Records<F> {
    pub fn new(each: F) -> Self {
        Self {
            each,
            bytes: Vec::new(),
        }
    }

    /// Takes whole records.
    pub fn put(&mut self, records: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(records);
        if self.bytes.len() >= PORTION {
            (self.each)(str::from_utf8(&self.bytes)?)?;
            self.bytes.clear();
        }
        Ok(())
    }

    /// Gives the last records, after all of the file was read.
    pub fn finish(mut self) -> Result<()> {
        let bytes = mem::take(&mut self.bytes);
        (self.each)(str::from_utf8(&bytes)?)
    }
}
