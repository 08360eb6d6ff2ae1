//! A file in units of whole records, which can be filtered apart from each other, and what stays of them.

use std::io::{self, ErrorKind, Read};
use std::mem;

/// The bytes read at first; the next time twice as many, and so on. To clear the memory for more
/// would take longer than all else with a small file.
const FIRST: usize = 64 << 10;

/// The bytes of a unit, about: more would not stay in the processor's cache between the two times
/// that they are looked at, and with less the threads would wait for each other more often.
pub const USUAL: usize = 1 << 20;

/// The bytes of the longest record, and of the longest header: these have to be in memory.
pub const LONGEST: usize = 64 << 20;

/// The bytes of a file that are still to be filtered.
pub struct Units {
    text: Box<dyn Read + Send>,
    /// The bytes read so far that were not handed out, and room for more.
    bytes: Vec<u8>,
    filled: usize,
    /// How many bytes to read the next time, and usually at most.
    size: usize,
    most: usize,
    at_eof: bool,
    handed_out: u64,
}

/// Some whole records of a file.
#[derive(Default)]
pub struct Unit {
    bytes: Vec<u8>,
    length: usize,
    /// The units before it.
    pub number: u64,
    /// Whether it is only the beginning of a record that is too long.
    pub is_cut: bool,
}

impl Unit {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Units {
    /// Units of about `usual` bytes, at least one.
    pub fn new(text: impl Read + Send + 'static, usual: usize) -> Self {
        Self {
            text: Box::new(text),
            bytes: Vec::new(),
            filled: 0,
            size: FIRST.min(usual),
            most: usual,
            at_eof: false,
            handed_out: 0,
        }
    }

    /// The bytes that have been read and not handed out.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Whether the file has no more bytes than these.
    pub fn at_eof(&self) -> bool {
        self.at_eof
    }

    /// How many units have been handed out, an error counted.
    pub fn handed_out(&self) -> u64 {
        self.handed_out
    }

    /// Reads more bytes, unless the file ends or there are as many as the longest record may have.
    ///
    /// At least as many as there are: they are looked through anew.
    pub fn read(&mut self) -> io::Result<()> {
        let end = (self.filled + self.size.max(self.filled)).min(LONGEST.max(self.most));
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        while self.filled < end && !self.at_eof {
            match self.text.read(&mut self.bytes[self.filled..end]) {
                Ok(read) => {
                    self.filled += read;
                    self.at_eof = read == 0;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.size = self.most.min(2 * self.size);
        Ok(())
    }

    /// Passes over the header, which has so many bytes.
    pub fn skip(&mut self, bytes: usize) {
        self.bytes.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
    }

    /// The next unit; none after the last one, or an error. `used` is one that has been filtered.
    ///
    /// `last_end` says where the last whole record ends.
    pub fn next(
        &mut self,
        last_end: impl Fn(&[u8]) -> Option<usize>,
        used: Unit,
    ) -> Option<io::Result<Unit>> {
        let (length, is_cut) = loop {
            if let Some(end) = last_end(self.bytes()) {
                break (end, false);
            }
            if self.at_eof || self.filled >= LONGEST {
                break (self.filled, !self.at_eof);
            }
            if let Err(error) = self.read() {
                (self.at_eof, self.filled) = (true, 0);
                self.handed_out += 1;
                return Some(Err(error));
            }
        };
        if length == 0 {
            return None;
        }
        let mut rest = used.bytes;
        let left = self.filled - length;
        if rest.len() < left {
            rest.resize(left, 0);
        }
        rest[..left].copy_from_slice(&self.bytes[length..self.filled]);
        let unit = Unit {
            bytes: mem::replace(&mut self.bytes, rest),
            length,
            number: self.handed_out,
            is_cut,
        };
        self.filled = left;
        self.handed_out += 1;
        Some(Ok(unit))
    }
}

/// Collects everything but what is cut, in runs as long as possible.
pub struct Kept<'a> {
    unit: &'a [u8],
    /// Up to where everything has been collected or cut.
    from: usize,
    bytes: &'a mut Vec<u8>,
}

impl<'a> Kept<'a> {
    /// Nothing is cut of the unit yet; `bytes` is memory to use.
    pub fn new(unit: &'a [u8], bytes: &'a mut Vec<u8>) -> Self {
        bytes.clear();
        Self {
            unit,
            from: 0,
            bytes,
        }
    }

    /// Takes out what lies between these two places. Comes in the order of the unit.
    #[inline(always)]
    pub fn cut(&mut self, start: usize, end: usize) {
        if start > self.from {
            self.bytes.extend_from_slice(&self.unit[self.from..start]);
        }
        self.from = end;
    }

    /// What stays. A unit of which nothing was cut has not been copied.
    pub fn finish(self) -> &'a [u8] {
        if self.from == 0 {
            return self.unit;
        }
        self.bytes.extend_from_slice(&self.unit[self.from..]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use memchr::memrchr;

    use super::*;

    #[test]
    fn all_but_what_is_cut_stays() {
        for (cuts, expected) in [
            (&[][..], "abcdef"),
            (&[(0, 2)], "cdef"),
            (&[(0, 2), (2, 3)], "def"),
            (&[(1, 2), (4, 6)], "acd"),
            (&[(0, 6)], ""),
        ] {
            let mut bytes = b"used before".to_vec();
            let mut kept = Kept::new(b"abcdef", &mut bytes);
            for (start, end) in cuts {
                kept.cut(*start, *end);
            }
            assert_eq!(kept.finish(), expected.as_bytes(), "{cuts:?}");
        }
    }

    fn lines(bytes: &[u8]) -> Option<usize> {
        memrchr(b'\n', bytes).map(|end| end + 1)
    }

    #[test]
    fn units_hold_whole_records_and_all_of_the_file() {
        for text in ["", "a", "a\n", "ab\ncde\n\nf", "long line\nx\n"] {
            for usual in 1..12 {
                let mut units = Units::new(text.as_bytes(), usual);
                let (mut all, mut used, mut number) = (Vec::new(), Unit::default(), 0);
                while let Some(unit) = units.next(lines, used) {
                    let unit = unit.unwrap();
                    all.extend_from_slice(unit.bytes());
                    assert!(unit.bytes().ends_with(b"\n") || all.len() == text.len());
                    assert_eq!((unit.number, unit.is_cut), (number, false));
                    number += 1;
                    used = unit;
                }
                assert_eq!(all, text.as_bytes(), "{usual}");
            }
        }
    }

    #[test]
    fn a_record_may_be_as_long_as_the_limit() {
        for (length, is_cut) in [(LONGEST, false), (LONGEST + 1, true)] {
            let mut text = vec![b'x'; length];
            *text.last_mut().unwrap() = b'\n';
            let mut units = Units::new(io::Cursor::new(text), USUAL);
            let unit = units.next(lines, Unit::default()).unwrap().unwrap();
            assert_eq!((unit.bytes().len(), unit.is_cut), (LONGEST, is_cut));
        }
    }
}
