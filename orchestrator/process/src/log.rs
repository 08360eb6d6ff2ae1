//! Where the output of a step is kept: among the artifacts of its run, where MLflow keeps those of a
//! local run (`mlruns/EXPERIMENT/RUN/artifacts`). Nothing is ever deleted there.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::printable;
use crate::transcript::Transcript;
use mlproject::file::open_regular;

/// How much of a log's end is looked at for its last lines, in bytes.
const END: u64 = 64 * 1024;

/// How many last lines of a log a message shows, at most.
const LAST_LINES: usize = 20;

/// How many characters of a line are shown.
const WIDTH: usize = 400;

/// Makes the empty log of one attempt at a step, in the folder for the artifacts of its run, which is
/// made if need be. Errs when there is one already.
pub fn create(folder: &Path, step: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let log = folder.join(name(step));
    File::create_new(&log)?;
    Ok(log)
}

/// The name of a step's log: that of the step with `_` for `/`, and `.log`.
pub fn name(step: &str) -> String {
    step.replace('/', "_") + ".log"
}

/// The last lines of a log, at most 20 of at most 400 characters each, made fit to be printed on a
/// terminal. Empty ones at the end do not count. Errs when it is no regular file that can be read.
pub fn tail(log: &Path) -> io::Result<Vec<String>> {
    let mut file = open_regular(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    // A log of what went through a pipe has everything that a program prints for a terminal.
    let (mut transcript, mut shown) = (Transcript::default(), Vec::new());
    transcript.write(&end, &mut shown)?;
    transcript.finish(&mut shown)?;
    let text = String::from_utf8_lossy(&shown);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    Ok(last.iter().map(|line| cut(line)).collect())
}

/// Prints a log to its end: as it is, or made fit for a terminal, which would obey what it holds.
/// Errs when either end fails, after what came before.
///
/// What looks like a log may be anything, such as one that came with a folder from elsewhere.
pub fn print(mut log: impl Read, target: &mut impl Write, is_terminal: bool) -> io::Result<()> {
    let mut buffer = vec![0; 32 * 1024];
    let mut kept = 0;
    loop {
        let count = match log.read(&mut buffer[kept..]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = &buffer[..kept + count];
        if !is_terminal {
            target.write_all(bytes)?;
            // What comes may be all for a while.
            target.flush()?;
            if count == 0 {
                return Ok(());
            }
            continue;
        }
        let mut text = String::new();
        let mut seen = 0;
        for chunk in bytes.utf8_chunks() {
            text += &printable::printable(chunk.valid());
            seen += chunk.valid().len();
            // The rest of a character may come with the next piece.
            let is_cut = bytes.len() - seen == chunk.invalid().len() && is_begun(chunk.invalid());
            if count > 0 && is_cut {
                break;
            }
            seen += chunk.invalid().len();
            for byte in chunk.invalid() {
                write!(text, "\\x{byte:02x}").map_err(io::Error::other)?;
            }
        }
        target.write_all(text.as_bytes())?;
        target.flush()?;
        if count == 0 {
            return Ok(());
        }
        let end = bytes.len();
        buffer.copy_within(seen..end, 0);
        kept = end - seen;
    }
}

/// Whether these bytes may be the first of a character.
fn is_begun(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// A line as far as it is shown.
fn cut(line: &str) -> String {
    let mut characters = line.chars().map(|character| match character {
        '\t' => character,
        _ if character.is_control() => char::REPLACEMENT_CHARACTER,
        _ => character,
    });
    let mut shown: String = characters.by_ref().take(WIDTH).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(text: &[u8]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, text).unwrap();
        tail(&log).unwrap()
    }

    #[test]
    fn a_tail_is_the_last_lines() {
        assert_eq!(tail_of(b""), [""; 0]);
        assert_eq!(tail_of(b"a\n\nb\n\n"), ["a", "", "b"]);
        let lines: Vec<String> = (0..30).map(|line| line.to_string()).collect();
        assert_eq!(tail_of(lines.join("\n").as_bytes()), lines[10..]);
        assert_eq!(
            tail_of(b"\x00\xff\x1b[1m\t."),
            ["\u{fffd}\u{fffd}\u{fffd}[1m\t."]
        );
    }

    #[test]
    fn a_terminal_obeys_nothing_in_a_log() {
        /// Gives one byte at a time.
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let one = buffer.len().min(1);
                self.0.read(&mut buffer[..one])
            }
        }
        let log = "a\tü\r\n\u{1b}]52;c;x\u{7}\u{9b}31m\u{202e}€".as_bytes();
        let log = [log, b"\xff\x9b\xe2\x82"].concat();
        let shown = "a\tü\\r\n\\u{1b}]52;c;x\\u{7}\\u{9b}31m\\u{202e}€\\xff\\x9b\\xe2\\x82";
        let (mut whole, mut slow, mut piped) = (Vec::new(), Vec::new(), Vec::new());
        print(&log[..], &mut whole, true).unwrap();
        print(Slow(&log), &mut slow, true).unwrap();
        print(&log[..], &mut piped, false).unwrap();
        assert_eq!(String::from_utf8(whole).unwrap(), shown);
        assert_eq!(String::from_utf8(slow).unwrap(), shown);
        assert_eq!(piped, log);
    }

    #[test]
    fn a_long_line_is_cut() {
        let lines = tail_of(&vec![b'x'; 1_000_000]);
        assert_eq!(lines, ["x".repeat(WIDTH) + "…"]);
    }

    #[test]
    fn a_log_is_new_and_named_like_its_step() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("run/artifacts");
        let log = create(&below, "a/b").unwrap();
        assert_eq!(log, below.join("a_b.log"));
        assert!(create(&below, "a/b").is_err());
    }
}
