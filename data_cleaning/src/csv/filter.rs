//! The way of the bytes: they come in large pieces, are scanned, and handed on where they stay.

use std::io;
use std::mem;

use anyhow::Result;

use crate::counts::Counts;
use crate::csv::Failure;
use crate::csv::classes::Classes;
use crate::csv::classify::{Classifier, Work, with_fastest};
use crate::csv::header::Header;
use crate::csv::scan::{Cut, Judge, Scanner};

/// The bytes at the start of each piece that are free, for what is left of the piece before.
pub(crate) const ROOM: usize = 1 << 10;

/// Gives the next piece of a file, after [`ROOM`] bytes; one without any bytes is the end of the file.
///
/// It takes a piece that was used, to be filled again.
pub(crate) type Next = Box<dyn FnMut(Vec<u8>) -> io::Result<Vec<u8>>>;

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
pub(crate) struct Reader {
    input: Input,
    pub(crate) header: Header,
}

impl Reader {
    pub(crate) fn open(next: Next, delimiter: u8) -> Result<Self> {
        let mut input = Input::new(next);
        let header = loop {
            let bytes = input.bytes();
            if let Some(header) = Header::read(bytes, delimiter, input.ended)? {
                break header;
            }
            // Twice as much each time: the header is looked through anew.
            let more = 2 * bytes.len();
            input.read()?;
            while input.bytes().len() < more && !input.ended {
                input.read()?;
            }
        };
        input.start += header.end;
        Ok(Self { input, header })
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
            self.input.start += distance(offset, end);
            self.input.read().map_err(Failure::Input)?;
        }
    }
}

/// The bytes of a file from some place on.
struct Input {
    next: Next,
    piece: Vec<u8>,
    /// Where in the piece the bytes begin that are still to be looked at.
    start: usize,
    /// Whether there are no more bytes to read.
    ended: bool,
}

impl Input {
    fn new(next: Next) -> Self {
        Self {
            next,
            piece: Vec::new(),
            start: 0,
            ended: false,
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.piece[self.start..]
    }

    /// Reads the next piece and puts what is left of the last one before it.
    fn read(&mut self) -> Result<()> {
        let left = self.bytes().to_vec();
        self.piece = (self.next)(mem::take(&mut self.piece))?;
        self.ended = self.piece.len() == ROOM;
        if let Some(start) = ROOM.checked_sub(left.len()) {
            self.piece[start..ROOM].copy_from_slice(&left);
            self.start = start;
        } else {
            // A long header, or a long null value.
            self.piece.splice(..ROOM, left);
            self.start = 0;
        }
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
