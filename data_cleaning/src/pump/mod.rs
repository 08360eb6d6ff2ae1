//! The way of the bytes, whatever they mean: `units` of whole records are looked through, several at
//! once, and what stays of them is handed on in their order.

pub mod units;

use std::mem;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;

use crate::failure::{Failure, Fault, Malformed};
use crate::pump::units::{Kept, LONGEST, Unit, Units};

/// With more threads they would wait for the reading and the writing, which one of them does at a
/// time.
const MOST_THREADS: usize = 4;

/// What the bytes mean.
pub trait Route: Sync {
    /// What one thread knows of the units that it looked through.
    type Scanner: Send;

    fn scanner(&self) -> Self::Scanner;

    /// Where the last whole record in the bytes ends, which begin with a record.
    fn last_end(&self, bytes: &[u8]) -> Option<usize>;

    /// Cuts out of the unit what does not stay, and gives the number of its line feeds.
    fn scan(
        &self,
        scanner: &mut Self::Scanner,
        unit: &Unit,
        kept: &mut Kept,
    ) -> Result<u64, Malformed>;
}

/// Takes the bytes that stay, whole records at a time.
pub type Put<'a> = dyn FnMut(&[u8]) -> Result<()> + Send + 'a;

/// Gives what stays of the units to `put`, and all scanners back. `lines` come before the units.
pub fn pump<R: Route>(
    route: &R,
    units: Units,
    lines: u64,
    put: &mut Put,
) -> Result<Vec<R::Scanner>, Failure> {
    let threads = if units.at_eof() {
        1
    } else {
        thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS))
    };
    let pump = Pump {
        route,
        units: Mutex::new(units),
        output: Mutex::new(Output {
            next: 0,
            lines,
            stopped: false,
            failure: None,
            put,
        }),
        turn: Condvar::new(),
    };
    let scanners = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| pump.run())).collect();
        let mut scanners = vec![pump.run()];
        for other in others {
            scanners.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        scanners
    });
    let output = pump.output.into_inner();
    match output.unwrap_or_else(PoisonError::into_inner).failure {
        Some(failure) => Err(failure),
        None => Ok(scanners),
    }
}

/// What the threads share.
struct Pump<'a, 'b, R> {
    route: &'a R,
    units: Mutex<Units>,
    output: Mutex<Output<'a, 'b>>,
    /// Tells of every change of [`Output::next`] and [`Output::stopped`].
    turn: Condvar,
}

struct Output<'a, 'b> {
    /// The number of the unit whose turn it is.
    next: u64,
    /// The line feeds before it.
    lines: u64,
    /// Whether nothing more is handed on, for this reason if it is not a panic.
    stopped: bool,
    failure: Option<Failure>,
    put: &'a mut Put<'b>,
}

impl<R: Route> Pump<'_, '_, R> {
    /// Takes one unit after the other: reads it, looks through it beside the other threads, and hands
    /// on what stays when it is its turn.
    fn run(&self) -> R::Scanner {
        let _stop = StopAtPanic(self);
        let mut scanner = self.route.scanner();
        let (mut unit, mut memory) = (Unit::default(), Vec::new());
        loop {
            let mut units = lock(&self.units);
            let number = units.handed_out();
            let next = units.next(|bytes| self.route.last_end(bytes), mem::take(&mut unit));
            drop(units);
            let result = match next {
                None => return scanner,
                Some(Ok(next)) => {
                    unit = next;
                    Ok(self.scan(&mut scanner, &unit, &mut memory))
                }
                Some(Err(error)) => Err(error),
            };
            let output = lock(&self.output);
            let waits = |output: &mut Output| output.next != number && !output.stopped;
            let output = self.turn.wait_while(output, waits);
            let mut output = output.unwrap_or_else(PoisonError::into_inner);
            if output.stopped {
                return scanner;
            }
            let taken = result
                .map_err(|error| Failure::Input(error.into()))
                .and_then(|stays| output.take(stays));
            output.failure = taken.err();
            output.stopped = output.failure.is_some();
            output.next += 1;
            drop(output);
            self.turn.notify_all();
        }
    }

    /// What stays of the unit, and its line feeds.
    fn scan<'a>(
        &self,
        scanner: &mut R::Scanner,
        unit: &'a Unit,
        memory: &'a mut Vec<u8>,
    ) -> Result<(&'a [u8], u64), Malformed> {
        let mut kept = Kept::new(unit.bytes(), memory);
        match self.route.scan(scanner, unit, &mut kept) {
            // A fault in its middle says more than its length does.
            Err(malformed) if malformed.fault.is_at_one_place() => Err(malformed),
            _ if unit.is_cut => Err(Malformed::new(0, Fault::TooLong(LONGEST))),
            lines => lines.map(|lines| (kept.finish(), lines)),
        }
    }
}

/// After a panic the turn of its unit never ends, and the others would wait for theirs for ever.
struct StopAtPanic<'a, 'b, 'c, R: Route>(&'a Pump<'b, 'c, R>);

impl<R: Route> Drop for StopAtPanic<'_, '_, '_, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(&self.0.output).stopped = true;
            self.0.turn.notify_all();
        }
    }
}

/// A lock that holds no half-done work: a thread that panicked has stopped everything.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Output<'_, '_> {
    /// Hands on what stays of the unit whose turn it is.
    fn take(&mut self, stays: Result<(&[u8], u64), Malformed>) -> Result<(), Failure> {
        let (bytes, lines) =
            stays.map_err(|malformed| Failure::Input(malformed.after(self.lines)))?;
        self.lines += lines;
        (self.put)(bytes).map_err(Failure::Output)
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::io::{self, Cursor, Read};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use memchr::memrchr;

    use super::*;

    const UNIT: usize = 100;

    /// Lines that stay, unless they are empty; a `!` is malformed, and a `?` a fault of ours.
    struct Lines;

    impl Route for Lines {
        type Scanner = u64;

        fn scanner(&self) -> u64 {
            0
        }

        fn last_end(&self, bytes: &[u8]) -> Option<usize> {
            memrchr(b'\n', bytes).map(|end| end + 1)
        }

        fn scan(&self, seen: &mut u64, unit: &Unit, kept: &mut Kept) -> Result<u64, Malformed> {
            let (mut start, mut lines) = (0, 0);
            for line in unit.bytes().split_inclusive(|byte| *byte == b'\n') {
                assert!(!line.starts_with(b"?"), "a fault of the route");
                if line.starts_with(b"!") {
                    return Err(Malformed::new(lines, Fault::Unclosed));
                }
                if line == b"\n" {
                    kept.cut(start, start + 1);
                }
                start += line.len();
                lines += 1;
            }
            *seen += lines;
            Ok(lines)
        }
    }

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

    /// How the run ends; the sink takes so many bytes, and panics at a line of `x`.
    fn run(text: impl Read + Send + 'static, room: usize, taken: &mut Vec<u8>) -> String {
        let mut put = |bytes: &[u8]| {
            taken.extend_from_slice(bytes);
            assert!(!taken.ends_with(b"x\n"), "a fault of the sink");
            anyhow::ensure!(taken.len() <= room, "the disk is full");
            Ok(())
        };
        let work = || match pump(&Lines, Units::new(text, UNIT), 0, &mut put) {
            Ok(seen) => format!("{} lines", seen.iter().sum::<u64>()),
            Err(Failure::Input(error)) => format!("input: {error}"),
            Err(Failure::Output(error)) => format!("output: {error}"),
        };
        let panic = |panic: Box<dyn Any + Send>| panic.downcast_ref::<&str>().unwrap().to_string();
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panic)
    }

    #[test]
    fn a_fault_ends_all_threads_and_is_told() {
        let rows = |end: &str| format!("{}{end}", "1,2\n\n".repeat(1_000)).into_bytes();
        let all = "1,2\n".repeat(1_000);
        for (panics, message) in [
            (false, "input: the disk is broken"),
            (true, "a fault of the source"),
        ] {
            let (mut taken, rows) = (Vec::new(), Cursor::new(rows("")));
            let found = run(Faulty { rows, panics }, usize::MAX, &mut taken);
            assert_eq!(found, message);
            assert!(all.as_bytes().starts_with(&taken));
        }
        for (room, end, message) in [
            (4_000, "", "2000 lines"),
            (3_999, "", "output: the disk is full"),
            (9_999, "x\n", "a fault of the sink"),
            (9_999, "?\n", "a fault of the route"),
        ] {
            let found = run(Cursor::new(rows(end)), room, &mut Vec::new());
            assert_eq!(found, message);
        }
    }

    #[test]
    fn the_first_error_of_the_file_is_told_by_its_line() {
        for rows in 0..200 {
            let text = format!("{}!\n!\n", "1,2\n\n".repeat(rows));
            let found = run(Cursor::new(text), usize::MAX, &mut Vec::new());
            let expected = format!("input: line {}: the quote is never closed", 2 * rows + 1);
            assert!(found.starts_with(&expected), "{found}");
        }
    }
}
