//! A file in units of whole records, which can be filtered apart from each other.

use std::io::{self, ErrorKind, Read};
use std::mem;

use crate::csv::classes::Classes;
use crate::csv::classify::{Classifier, Work, with_fastest};
use crate::csv::scan::{BLOCK, prefix_parity};

/// The bytes read at first; the next time twice as many, and so on. To clear the memory for more
/// would take longer than all else with a small file.
const FIRST: usize = 64 << 10;

/// The bytes of a unit, about: more would not stay in the processor's cache between the two times
/// that they are looked at, and with less the threads would wait for each other more often.
pub(crate) const USUAL: usize = 1 << 20;

/// The bytes of a file that are still to be filtered.
pub(crate) struct Units {
    text: Box<dyn Read + Send>,
    /// The bytes read so far that were not given away, and room for more.
    bytes: Vec<u8>,
    filled: usize,
    /// How many of them were looked through. There is no end of a record in these.
    seen: usize,
    /// Whether these end within quotes.
    inside: bool,
    /// How many bytes to read the next time, and at most.
    size: usize,
    most: usize,
    /// Where the bytes begin, from the start of the file.
    offset: u64,
    /// Whether the unit before has ended within a record.
    within: bool,
    /// Whether the file has no more bytes.
    ended: bool,
    /// How many units have been given away.
    given: u64,
}

/// Some bytes of a file.
#[derive(Default)]
pub(crate) struct Unit {
    bytes: Vec<u8>,
    length: usize,
    /// Where it begins, from the start of the file.
    pub(crate) offset: u64,
    /// Whether it begins with a record; else it goes on with the last one of the unit before.
    pub(crate) begins: bool,
    /// Whether its last record ends with it; else that is so long that the next unit goes on with it.
    pub(crate) ends: bool,
}

impl Unit {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Units {
    /// Units of about `usual` bytes, at least one.
    pub(crate) fn new(text: impl Read + Send + 'static, usual: usize) -> Self {
        Self {
            text: Box::new(text),
            bytes: Vec::new(),
            filled: 0,
            seen: 0,
            inside: false,
            size: FIRST.min(usual),
            most: usual,
            offset: 0,
            within: false,
            ended: false,
            given: 0,
        }
    }

    /// The bytes that have been read and not given away.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Whether the file has no more bytes than these.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// How many units have been given away, an error counted.
    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    /// Reads more bytes, unless the file ends.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        let end = self.filled + self.size;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        while self.filled < end && !self.ended {
            match self.text.read(&mut self.bytes[self.filled..end]) {
                Ok(read) => {
                    self.filled += read;
                    self.ended = read == 0;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.size = self.most.min(2 * self.size);
        Ok(())
    }

    /// Passes over the header, which has so many bytes.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.bytes.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
        self.offset += bytes as u64;
    }

    /// The next unit; none after the last one, or an error. `used` is one that has been filtered.
    pub(crate) fn next(&mut self, classes: &Classes, used: Unit) -> Option<io::Result<Unit>> {
        let end = loop {
            if let Some(end) = self.look(classes) {
                break Some(end);
            }
            if self.ended || self.filled >= self.most {
                break None;
            }
            if let Err(error) = self.read() {
                (self.ended, self.filled, self.seen, self.within) = (true, 0, 0, false);
                self.given += 1;
                return Some(Err(error));
            }
        };
        if self.ended && self.filled == 0 && !self.within {
            return None;
        }
        let length = end.unwrap_or(self.filled);
        let ends = end.is_some() || self.ended;
        let mut rest = used.bytes;
        let left = self.filled - length;
        if rest.len() < left {
            rest.resize(left, 0);
        }
        rest[..left].copy_from_slice(&self.bytes[length..self.filled]);
        let unit = Unit {
            bytes: mem::replace(&mut self.bytes, rest),
            length,
            offset: self.offset,
            begins: !mem::replace(&mut self.within, !ends),
            ends,
        };
        (self.filled, self.seen) = (left, left);
        self.offset += length as u64;
        self.given += 1;
        Some(Ok(unit))
    }

    /// Looks through the bytes that are new: behind the last end of a record among them.
    fn look(&mut self, classes: &Classes) -> Option<usize> {
        let look = Look {
            bytes: &self.bytes[self.seen..self.filled],
            inside: &mut self.inside,
        };
        let end = with_fastest(classes, look).map(|end| self.seen + end);
        self.seen = self.filled;
        end
    }
}

/// Finds the last end of a record by the quotes alone, which is enough in a well-formed file; in one
/// that is not, some unit has an error before the first wrong end.
struct Look<'a> {
    bytes: &'a [u8],
    /// Whether the bytes begin within quotes, and then whether they end there.
    inside: &'a mut bool,
}

impl Work for Look<'_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run(self, classifier: &impl Classifier) -> Option<usize> {
        let (blocks, rest) = self.bytes.as_chunks::<BLOCK>();
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let block = |number| blocks.get(number).unwrap_or(&last);
        let numbers = 0..=blocks.len();
        // An even number of quotes in one place of all blocks is as good as none.
        let quotes = numbers
            .clone()
            .map(|number| classifier.classify(block(number)).quote);
        *self.inside ^= is_odd(quotes.fold(0, |some, more| some ^ more));
        let mut inside = *self.inside;
        for number in numbers.rev() {
            let masks = classifier.classify(block(number));
            inside ^= is_odd(masks.quote);
            let parity = prefix_parity(masks.quote) ^ u64::from(inside).wrapping_neg();
            let ends = masks.line_feed & !parity;
            if ends != 0 {
                return Some(number * BLOCK + ends.ilog2() as usize + 1);
            }
        }
        None
    }
}

fn is_odd(bits: u64) -> bool {
    bits.count_ones() % 2 == 1
}
