//! Where the output of a step is kept: among the artifacts of its run, where MLflow keeps those of a
//! local run (`mlruns/EXPERIMENT/RUN/artifacts`). Nothing is ever deleted there.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// MLflow's experiment `Default`.
const EXPERIMENT: &str = "0";

/// How much of a log's end is looked at for its last lines, in bytes.
const END: u64 = 64 * 1024;

/// How many characters of a line are shown.
const WIDTH: usize = 400;

/// Makes the log of one attempt at a step, below the pipeline's folder: a file named like the step in
/// the artifacts of a run of its own.
pub(crate) fn create(root: &Path, step: &str) -> io::Result<PathBuf> {
    let folder = root.join("mlruns").join(EXPERIMENT);
    let folder = folder.join(run_id()?).join("artifacts");
    fs::create_dir_all(&folder)?;
    let log = folder.join(step.replace('/', "_") + ".log");
    File::create_new(&log)?;
    Ok(log)
}

/// A new name for a run: 32 random hexadecimal digits, as MLflow's.
fn run_id() -> io::Result<String> {
    let mut random = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(random)))
}

/// The last lines of a log, `count` at most, made fit to be printed on a terminal.
pub(crate) fn tail(log: &Path, count: usize) -> io::Result<Vec<String>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(count)..];
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

    fn tail_of(text: &[u8], count: usize) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, text).unwrap();
        tail(&log, count).unwrap()
    }

    #[test]
    fn a_tail_is_the_last_lines() {
        assert_eq!(tail_of(b"", 3), [""; 0]);
        assert_eq!(tail_of(b"a\nb\n\n", 3), ["a", "b"]);
        assert_eq!(tail_of(b"a\n\nc\nd", 3), ["", "c", "d"]);
        assert_eq!(
            tail_of(b"\x00\xff\x1b[1m\t.", 3),
            ["\u{fffd}\u{fffd}\u{fffd}[1m\t."]
        );
    }

    #[test]
    fn a_long_line_is_cut() {
        let lines = tail_of(&vec![b'x'; 1_000_000], 3);
        assert_eq!(lines, ["x".repeat(WIDTH) + "…"]);
    }

    #[test]
    fn every_attempt_has_a_log_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let logs: Vec<PathBuf> = (0..3)
            .map(|_| create(folder.path(), "a/b").unwrap())
            .collect();
        assert!(logs[0] != logs[1] && logs[1] != logs[2] && logs[0] != logs[2]);
        for log in logs {
            let below = log.strip_prefix(folder.path().join("mlruns/0")).unwrap();
            let parts: Vec<_> = below.iter().map(|part| part.to_str().unwrap()).collect();
            assert!(parts[0].len() == 32 && parts[0].bytes().all(|b| b.is_ascii_hexdigit()));
            assert_eq!(parts[1..], ["artifacts", "a_b.log"]);
        }
    }
}
