//! Where the output of a step is kept: among the artifacts of its run, where MLflow keeps those of a
//! local run (`mlruns/EXPERIMENT/RUN/artifacts`). Nothing is ever deleted there.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::fold::Fold;

/// How much of a log's end is looked at for its last lines, in bytes.
const END: u64 = 64 * 1024;

/// How many last lines of a log a message shows, at most.
const LAST_LINES: usize = 20;

/// How many characters of a line are shown.
const WIDTH: usize = 400;

/// Makes the log of one attempt at a step, in the folder for the artifacts of its run.
pub(crate) fn create(folder: &Path, step: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let log = folder.join(name(step));
    File::create_new(&log)?;
    Ok(log)
}

/// The name of a step's log: that of the step.
pub(crate) fn name(step: &str) -> String {
    step.replace('/', "_") + ".log"
}

/// The last lines of a log, made fit to be printed on a terminal.
pub(crate) fn tail(log: &Path) -> io::Result<Vec<String>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    // A log of what went through a pipe has everything that a program prints for a terminal.
    let (mut fold, mut shown) = (Fold::default(), Vec::new());
    fold.write(&end, &mut shown)?;
    fold.finish(&mut shown)?;
    let text = String::from_utf8_lossy(&shown);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    Ok(last.iter().map(|line| printable(line)).collect())
}

fn printable(line: &str) -> String {
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
