//! Reads in a thread of its own, while what was read before is looked through.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

use crate::csv::filter::{Next, ROOM};

/// The bytes read at once: more would not stay in the processor's cache until they are used, and
/// with less the threads would wake each other too often.
const PIECE: usize = 1 << 20;

/// The bytes of the first piece, of which the next ones have twice as many each: to clear the memory
/// for them would take longer than all else with a small file.
const FIRST: usize = 64 << 10;

/// How many pieces may lie ready.
const READY: usize = 1;

/// The pieces of a source, some of them read before they are asked for.
pub(crate) fn read_ahead(source: impl Read + Send + 'static) -> Next {
    let (sender, pieces) = sync_channel(READY);
    let (used, empty) = channel();
    thread::spawn(move || read_all(source, &sender, &empty));
    Box::new(move |piece| {
        // The thread may have ended.
        used.send(piece).ok();
        // It ends without a last piece only if it panics.
        let stopped = |_| Err(io::Error::other("reading has stopped"));
        pieces.recv().unwrap_or_else(stopped)
    })
}

/// Reads until the end, an error, or nobody takes the pieces any more.
fn read_all(
    mut source: impl Read,
    pieces: &SyncSender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
) {
    let mut size = FIRST;
    loop {
        let mut piece = empty.try_recv().unwrap_or_default();
        piece.resize(ROOM + size, 0);
        let read = match source.read(&mut piece[ROOM..]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read,
        };
        let is_last = !matches!(read, Ok(1..));
        if matches!(read, Ok(read) if read == size) {
            size = PIECE.min(2 * size);
        }
        let piece = read.map(|read| {
            piece.truncate(ROOM + read);
            piece
        });
        if pieces.send(piece).is_err() || is_last {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads to the end or an error.
    fn read(source: impl Read + Send + 'static) -> (Vec<u8>, io::Result<()>) {
        let (mut next, mut found, mut used) = (read_ahead(source), Vec::new(), Vec::new());
        loop {
            match next(used) {
                Ok(piece) if piece.len() == ROOM => return (found, Ok(())),
                Ok(piece) => {
                    found.extend_from_slice(&piece[ROOM..]);
                    used = piece;
                }
                Err(error) => return (found, Err(error)),
            }
        }
    }

    #[test]
    fn all_bytes_come_in_order_and_then_the_end() {
        let bytes = b"0123456789+".repeat(PIECE);
        let (found, end) = read(io::Cursor::new(bytes.clone()));
        assert!(found == bytes && end.is_ok());
    }

    #[test]
    fn an_error_comes_after_the_bytes_before_it() {
        struct Failing(bool);
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                assert!(self.0, "a fault of the source");
                Err(io::Error::other("the disk is broken"))
            }
        }
        for (broken, message) in [(true, "the disk is broken"), (false, "reading has stopped")] {
            let (found, end) = read(io::Cursor::new(b"ab").chain(Failing(broken)));
            assert_eq!(found, b"ab");
            assert_eq!(end.unwrap_err().to_string(), message);
        }
    }
}
