//! The way of the bytes: read in large pieces, scanned, and handed on where they stay.

use std::io::{ErrorKind, Read};

use anyhow::Result;

use crate::counts::Counts;
use crate::csv::Failure;
use crate::csv::classes::Classes;
use crate::csv::classify::{Classifier, Work, with_fastest};
use crate::csv::header::Header;
use crate::csv::scan::{Cut, Judge, Scanner};

/// The bytes read at once. Larger ones do not stay in the processor's cache between the read, the
/// scan and the write.
pub(crate) const PIECE: usize = 256 << 10;

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

/// A CSV file whose header has been read.
pub(crate) struct Reader<R> {
    input: Input<R>,
    piece: usize,
    pub(crate) header: Header,
}

impl<R: Read> Reader<R> {
    pub(crate) fn open(input: R, delimiter: u8, piece: usize) -> Result<Self> {
        let mut input = Input::new(input);
        let header = loop {
            if let Some(header) = Header::read(input.bytes(), delimiter, input.ended)? {
                break header;
            }
            // Twice as much each time: the header is looked through anew.
            input.read(piece.max(input.bytes().len()))?;
        };
        input.consume(header.end);
        Ok(Self {
            input,
            piece,
            header,
        })
    }

    /// Gives the records that stay to `sink`, without the header.
    pub(crate) fn filter(mut self, judge: Judge, sink: &mut impl Sink) -> Result<Counts, Failure> {
        let classes = Classes::new(judge.delimiter, judge.nulls);
        let (columns, offset) = (self.header.names.len(), self.header.end as u64);
        let mut scanner = Scanner::new(judge, columns, offset, self.header.lines);
        let mut record = sink.position();
        loop {
            let (bytes, ended) = (self.input.bytes(), self.input.ended);
            let offset = scanner.offset();
            let mut copy = Copy {
                bytes,
                offset,
                start: offset,
                record,
                sink,
            };
            let scan = Scan {
                scanner: &mut scanner,
                bytes,
                ended,
                copy: &mut copy,
            };
            with_fastest(&classes, scan)?;
            let end = scanner.offset();
            copy.end(scanner.record_start(), end)?;
            if ended {
                let counts = scanner.finish(&mut copy)?;
                sink.settle(sink.position()).map_err(Failure::Output)?;
                return Ok(counts);
            }
            record = copy.record;
            self.input.consume(distance(offset, end));
            self.input.read(self.piece).map_err(Failure::Input)?;
        }
    }
}

/// The bytes of a file from some place on.
struct Input<R> {
    source: R,
    buffer: Vec<u8>,
    /// What is in the buffer and not yet consumed.
    start: usize,
    end: usize,
    /// Whether there are no more bytes to read.
    ended: bool,
}

impl<R: Read> Input<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn consume(&mut self, size: usize) {
        self.start += size;
    }

    /// Reads up to `size` bytes more.
    fn read(&mut self, size: usize) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let needed = self.end + size;
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        }
        let read = loop {
            match self.source.read(&mut self.buffer[self.end..needed]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                result => break result?,
            }
        };
        self.end += read;
        self.ended = read == 0;
        Ok(())
    }
}

struct Scan<'a, 'b, C> {
    scanner: &'a mut Scanner<'b>,
    bytes: &'a [u8],
    ended: bool,
    copy: &'a mut C,
}

impl<C: Cut> Work for Scan<'_, '_, C> {
    type Output = Result<(), Failure>;

    #[inline(always)]
    fn run(self, classifier: &impl Classifier) -> Result<(), Failure> {
        self.scanner
            .scan(classifier, self.bytes, self.ended, self.copy)
    }
}

/// Copies everything but what is cut, in runs as long as possible.
///
/// A record that goes on after the piece it begins in is copied before it is known to stay, and
/// taken back if it does not: so no record has to be held in memory, however long it is.
struct Copy<'a, S> {
    bytes: &'a [u8],
    /// Where the bytes begin, from the start of the file.
    offset: u64,
    /// Up to where everything has been copied or cut.
    start: u64,
    /// The position in the sink of the record that goes on from the last piece.
    record: u64,
    sink: &'a mut S,
}

impl<S: Sink> Copy<'_, S> {
    #[inline(always)]
    fn put(&mut self, end: u64) -> Result<(), Failure> {
        let run = distance(self.offset, self.start)..distance(self.offset, end);
        self.sink.put(&self.bytes[run]).map_err(Failure::Output)
    }

    /// Copies the rest of the piece, up to `scanned`.
    fn end(&mut self, record_start: u64, scanned: u64) -> Result<(), Failure> {
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
fn distance(start: u64, end: u64) -> usize {
    usize::try_from(end - start).expect("a piece fits into memory")
}
