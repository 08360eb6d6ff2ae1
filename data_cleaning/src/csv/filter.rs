//! The way of the bytes: units of records are scanned, several at once, and what stays of them is
//! handed on in their order.
//!
//! A record that is longer than a unit is scanned in pieces, one after the other.

use std::any::Any;
use std::io::Read;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;

use crate::counts::Counts;
use crate::csv::Failure;
use crate::csv::classes::Classes;
use crate::csv::classify::{Classifier, Work, with_fastest};
use crate::csv::copy::{Copy, Sink, distance};
use crate::csv::header::Header;
use crate::csv::scan::{Cut, Judge, Scanner};
use crate::csv::units::{Unit, Units};

/// With more threads they would wait for the reading and the writing, which one of them does at a time.
const MOST_THREADS: usize = 4;

/// A CSV file whose header has been read.
pub(crate) struct Reader {
    units: Units,
    pub(crate) header: Header,
}

impl Reader {
    /// Reads the header. The rest is going to be read in units of about `usual` bytes.
    pub(crate) fn open(
        text: impl Read + Send + 'static,
        delimiter: u8,
        usual: usize,
    ) -> Result<Self> {
        let mut units = Units::new(text, usual);
        let header = loop {
            let bytes = units.bytes();
            if let Some(header) = Header::read(bytes, delimiter, units.ended())? {
                break header;
            }
            // Twice as much each time: the header is looked through anew.
            let more = 2 * bytes.len();
            units.read()?;
            while units.bytes().len() < more && !units.ended() {
                units.read()?;
            }
        };
        units.skip(header.end);
        Ok(Self { units, header })
    }

    /// Gives the records that stay to `sink`, without the header.
    pub(crate) fn filter(
        self,
        judge: Judge,
        sink: &mut (impl Sink + Send),
    ) -> Result<Counts, Failure> {
        let threads = if self.units.ended() {
            1
        } else {
            thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS))
        };
        let columns = self.header.names.len();
        let filter = Filter {
            classes: Classes::new(judge.delimiter, judge.nulls),
            judge,
            columns,
            units: Mutex::new(self.units),
            output: Mutex::new(Output {
                next: 0,
                stopped: None,
                lines: self.header.lines,
                long: Long {
                    scanner: Scanner::new(judge, columns),
                    left: Vec::new(),
                    record: 0,
                },
                sink,
            }),
            turn: Condvar::new(),
        };
        let mut counts = Counts::new(columns);
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| filter.run())).collect();
            counts.add(&filter.run());
            for other in others {
                counts.add(&other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
        });
        let output = filter.output.into_inner();
        let output = output.unwrap_or_else(PoisonError::into_inner);
        match output.stopped {
            Some(Stop::Failure(failure)) => Err(failure),
            Some(Stop::Panic(panic)) => resume_unwind(panic),
            None => {
                counts.add(&output.long.scanner.into_counts());
                Ok(counts)
            }
        }
    }
}

/// What the threads share.
struct Filter<'a, S> {
    judge: Judge<'a>,
    classes: Classes,
    columns: usize,
    units: Mutex<Units>,
    output: Mutex<Output<'a, S>>,
    /// Tells of every change of [`Output::next`] and [`Output::stopped`].
    turn: Condvar,
}

struct Output<'a, S> {
    /// The number of the unit whose turn it is.
    next: u64,
    stopped: Option<Stop>,
    /// The line feeds before it.
    lines: u64,
    long: Long<'a>,
    sink: &'a mut S,
}

/// Why nothing more is handed on.
enum Stop {
    Failure(Failure),
    Panic(Box<dyn Any + Send>),
}

impl<S: Sink + Send> Filter<'_, S> {
    /// Filters units until there are no more, and gives the figures of those that hold whole records.
    fn run(&self) -> Counts {
        let mut scanner = Scanner::new(self.judge, self.columns);
        // After a panic its unit is never handed on, and the others would wait for their turn for ever.
        let work = AssertUnwindSafe(|| self.filter_units(&mut scanner));
        if let Err(panic) = catch_unwind(work) {
            lock(&self.output).stopped.get_or_insert(Stop::Panic(panic));
            self.turn.notify_all();
        }
        scanner.into_counts()
    }

    /// Takes one unit after the other: reads it, scans it beside the other threads, and hands on what
    /// stays when it is its turn.
    fn filter_units(&self, scanner: &mut Scanner) {
        let (mut unit, mut kept) = (Unit::default(), Vec::new());
        loop {
            let mut units = lock(&self.units);
            let number = units.given();
            let next = units.next(&self.classes, mem::take(&mut unit));
            drop(units);
            let stays = match next {
                None => return,
                Some(Ok(next)) => {
                    unit = next;
                    Ok(self.scan(scanner, &unit, &mut kept))
                }
                Some(Err(error)) => Err(Failure::Input(error.into())),
            };
            let output = lock(&self.output);
            let waits = |output: &mut Output<S>| output.next != number && output.stopped.is_none();
            let output = self.turn.wait_while(output, waits);
            let mut output = output.unwrap_or_else(PoisonError::into_inner);
            if output.stopped.is_some() {
                return;
            }
            let handed_on = stays.and_then(|stays| output.take(&unit, stays, &kept, &self.classes));
            output.stopped = handed_on.err().map(Stop::Failure);
            output.next += 1;
            drop(output);
            self.turn.notify_all();
        }
    }

    /// Scans a unit of whole records; `kept` is what stays, if that is not all of it.
    fn scan(&self, scanner: &mut Scanner, unit: &Unit, kept: &mut Vec<u8>) -> Stays {
        if !(unit.begins && unit.ends) {
            return Stays::Unknown;
        }
        kept.clear();
        scanner.begin(unit.offset, 0);
        let mut copy = Copy::new(unit.bytes(), unit.offset, 0, kept);
        let scan = Scan {
            scanner,
            bytes: unit.bytes(),
            ended: true,
            copy: &mut copy,
        };
        let result = with_fastest(&self.classes, scan).and_then(|()| scanner.end(&mut copy));
        let lines = scanner.lines();
        match result {
            // It is going to be found again in order, when its line is known.
            Err(_) => Stays::Unknown,
            Ok(()) if copy.start == unit.offset => Stays::All { lines },
            Ok(()) => {
                let put = copy.put(unit.offset + unit.bytes().len() as u64);
                put.map_or(Stays::Unknown, |()| Stays::Some { lines })
            }
        }
    }
}

/// A lock that holds no half-done work: a thread that panicked has stopped everything.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much of a unit stays.
#[derive(Clone, Copy)]
enum Stays {
    /// All, with so many line feeds.
    All { lines: u64 },
    /// A part, of a unit with so many line feeds.
    Some { lines: u64 },
    /// It has parts of records or an error, and is scanned in order.
    Unknown,
}

impl<S: Sink> Output<'_, S> {
    /// Hands on what stays of the unit whose turn it is.
    fn take(
        &mut self,
        unit: &Unit,
        stays: Stays,
        kept: &[u8],
        classes: &Classes,
    ) -> Result<(), Failure> {
        let (bytes, lines) = match stays {
            Stays::All { lines } => (unit.bytes(), lines),
            Stays::Some { lines } => (kept, lines),
            Stays::Unknown => {
                self.lines = self.long.take(unit, self.lines, classes, self.sink)?;
                return Ok(());
            }
        };
        self.lines += lines;
        let put = self.sink.put(bytes);
        let settled = put.and_then(|()| self.sink.settle(self.sink.position()));
        settled.map_err(Failure::Output)
    }
}

/// What is known of a record that is longer than a unit.
struct Long<'a> {
    scanner: Scanner<'a>,
    /// The last bytes, which can be scanned only together with the next ones.
    left: Vec<u8>,
    /// The position in the sink of the record that is not over.
    record: u64,
}

impl Long<'_> {
    /// Scans a unit that is after so many line feeds, and gives the number of those after it.
    fn take(
        &mut self,
        unit: &Unit,
        lines: u64,
        classes: &Classes,
        sink: &mut impl Sink,
    ) -> Result<u64, Failure> {
        if unit.begins {
            self.scanner.begin(unit.offset, lines);
            self.record = sink.position();
        }
        self.left.extend_from_slice(unit.bytes());
        let offset = self.scanner.offset();
        let mut copy = Copy::new(&self.left, offset, self.record, sink);
        let scan = Scan {
            scanner: &mut self.scanner,
            bytes: &self.left,
            ended: unit.ends,
            copy: &mut copy,
        };
        with_fastest(classes, scan)?;
        let end = self.scanner.offset();
        copy.end(self.scanner.record_start(), end)?;
        if unit.ends {
            self.scanner.end(&mut copy)?;
            sink.settle(sink.position()).map_err(Failure::Output)?;
        } else {
            self.record = copy.record;
        }
        self.left.drain(..distance(offset, end));
        Ok(self.scanner.lines())
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

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor};

    use super::*;
    use crate::null_values::NullValues;
    use crate::rules::{Required, Rules};

    const UNIT: usize = 100;

    /// The rows of a file, and then a fault.
    struct Faulty {
        rows: Cursor<Vec<u8>>,
        panics: bool,
    }

    impl Read for Faulty {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.rows.read(buffer)?;
            assert!(read > 0 || !self.panics, "a fault of the source");
            match read {
                0 => Err(io::Error::other("the disk is broken")),
                read => Ok(read),
            }
        }
    }

    /// Takes so many bytes.
    struct Full(usize, Vec<u8>);

    impl Sink for Full {
        fn put(&mut self, bytes: &[u8]) -> Result<()> {
            self.1.extend_from_slice(bytes);
            anyhow::ensure!(self.1.len() <= self.0, "the disk is full");
            Ok(())
        }

        fn position(&self) -> u64 {
            self.1.len() as u64
        }

        fn rewind(&mut self, _: u64) -> Result<()> {
            panic!("a fault of the sink")
        }

        fn settle(&mut self, _: u64) -> Result<()> {
            Ok(())
        }
    }

    fn filter(text: impl Read + Send + 'static, sink: &mut (impl Sink + Send)) -> String {
        let rules = Rules {
            columns: None,
            required: Required::All,
        };
        let work = || {
            let reader = Reader::open(text, b',', UNIT).unwrap();
            let judge = Judge {
                delimiter: b',',
                nulls: &NullValues::pandas(),
                verdict: &rules.resolve(&reader.header.labels()).unwrap(),
                drop_ragged: false,
            };
            match reader.filter(judge, sink) {
                Ok(counts) => format!("{} of {}", counts.kept, counts.rows),
                Err(Failure::Input(error)) => format!("input: {error}"),
                Err(Failure::Output(error)) => format!("output: {error}"),
            }
        };
        let panic = |panic: Box<dyn Any + Send>| panic.downcast_ref::<&str>().unwrap().to_string();
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panic)
    }

    #[test]
    fn a_fault_ends_all_threads_and_is_told() {
        let rows = |end: &str| format!("a,b\n{}{end}", "1,2\n,3\n".repeat(1_000)).into_bytes();
        let mut sink = Vec::new();
        for (panics, message) in [
            (false, "input: the disk is broken"),
            (true, "a fault of the source"),
        ] {
            sink.clear();
            let rows = Cursor::new(rows(""));
            assert_eq!(filter(Faulty { rows, panics }, &mut sink), message);
            assert!("1,2\n".repeat(1_000).as_bytes().starts_with(&sink));
        }
        let long = format!("\"{}\",\n", "x".repeat(3 * UNIT));
        for (room, end, message) in [
            (4_000, "", "1000 of 2000"),
            (3_999, "", "output: the disk is full"),
            (9_999, &*long, "a fault of the sink"),
        ] {
            let mut sink = Full(room, Vec::new());
            assert_eq!(filter(Cursor::new(rows(end)), &mut sink), message);
        }
    }

    #[test]
    fn the_first_error_of_the_file_is_told() {
        for rows in 0..200 {
            let text = format!("a,b\n{}1\n1,2,3\n\"\n1", "1,\"\n\"\n".repeat(rows));
            let mut kept = Vec::new();
            let message = filter(Cursor::new(text), &mut kept);
            let line = 2 + 2 * rows;
            let expected =
                format!("input: line {line}: expected 2 fields as in the header, found 1");
            assert!(message.starts_with(&expected), "{message}");
        }
    }
}
