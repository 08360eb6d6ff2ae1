//! Lines of several steps on one output: each with the name of its step before it, and whole.

use std::time::{Duration, Instant};

use memchr::memchr;
use rustix::io::Errno;

use crate::control::Target;
use crate::styled::{Style, is_coloured};
use crate::transcript::Transcript;

/// What goes into one write, in bytes: a pipe takes so many as one piece, so that the lines of two
/// steps never mix.
const WRITE: usize = 4096;

/// What goes into one write where a lock keeps writers apart.
const LOCKED_WRITE: usize = 64 * 1024;

/// Of what is painted over, such as a progress bar, a line is shown so often.
const BAR: Duration = Duration::from_secs(1);

/// Names the lines of a step where those of several are shown together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// What stands before ` | `, filled up so that all are of one width.
    pub name: String,
    /// Steps beside each other have different numbers; a terminal shows them in different colours.
    pub number: usize,
}

impl Label {
    /// Every line of `text` with the label before it.
    fn before(&self, is_coloured: bool) -> Vec<u8> {
        let mark = format!("{} |", self.name);
        let painted = Style::Step(self.number).paint(&mark, is_coloured);
        (painted + " ").into_bytes()
    }

    /// As one argument.
    pub(crate) fn to_argument(&self) -> String {
        format!("{}:{}", self.number, self.name)
    }

    /// From an argument; none if it is empty.
    pub(crate) fn from_argument(argument: &str) -> Option<Label> {
        let (number, name) = argument.split_once(':')?;
        Some(Label {
            name: name.to_owned(),
            number: number.parse().ok()?,
        })
    }
}

/// One stream of a step on its way to an output that others share.
pub(crate) struct Lines {
    transcript: Transcript,
    before: Vec<u8>,
    /// What is to be shown of the current line.
    line: Vec<u8>,
    /// What is about to be written: whole lines.
    out: Vec<u8>,
    /// How much of it goes into one write.
    most: usize,
}

impl Lines {
    pub(crate) fn new(label: &Label, target: Target, is_locked: bool) -> Lines {
        Lines {
            transcript: Transcript::with_bars(BAR, Instant::now()),
            before: label.before(is_coloured(target)),
            line: Vec::new(),
            out: Vec::with_capacity(WRITE),
            most: if is_locked { LOCKED_WRITE } else { WRITE },
        }
    }

    /// Takes what the step printed, and writes the lines that are complete.
    pub(crate) fn write(
        &mut self,
        bytes: &[u8],
        mut write: impl FnMut(&[u8]) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut text = Vec::with_capacity(bytes.len());
        // Memory takes all.
        self.transcript.write(bytes, &mut text).ok();
        self.lines(&text, &mut write)?;
        self.flush(&mut write)
    }

    /// Writes what is left at the end of the stream, as a line.
    pub(crate) fn finish(
        &mut self,
        mut write: impl FnMut(&[u8]) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut text = Vec::new();
        self.transcript.finish(&mut text).ok();
        self.lines(&text, &mut write)?;
        if !self.line.is_empty() {
            self.end_line(&mut write)?;
        }
        self.flush(&mut write)
    }

    fn lines(
        &mut self,
        mut text: &[u8],
        write: &mut impl FnMut(&[u8]) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let room = WRITE.saturating_sub(self.before.len() + 1).max(1);
        while !text.is_empty() {
            let end = memchr(b'\n', text);
            let length = end.unwrap_or(text.len()).min(room - self.line.len());
            self.line.extend_from_slice(&text[..length]);
            // A longer line goes on in the next one.
            if self.line.len() == room && end != Some(length) {
                text = &text[length..];
                let cut = whole_characters(&self.line);
                let rest = self.line.split_off(cut);
                self.end_line(write)?;
                self.line = rest;
            } else if end == Some(length) {
                text = &text[length + 1..];
                self.end_line(write)?;
            } else {
                text = &text[length..];
            }
        }
        Ok(())
    }

    fn end_line(
        &mut self,
        write: &mut impl FnMut(&[u8]) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        if self.out.len() + self.before.len() + self.line.len() + 1 > self.most {
            self.flush(write)?;
        }
        self.out.extend_from_slice(&self.before);
        self.out.append(&mut self.line);
        self.out.push(b'\n');
        Ok(())
    }

    fn flush(&mut self, write: &mut impl FnMut(&[u8]) -> Result<(), Errno>) -> Result<(), Errno> {
        if self.out.is_empty() {
            return Ok(());
        }
        let written = write(&self.out);
        self.out.clear();
        written
    }
}

/// How many of the bytes are whole characters, if they are text.
fn whole_characters(bytes: &[u8]) -> usize {
    let is_begin = |byte: &u8| *byte & 0b1100_0000 != 0b1000_0000;
    let last = bytes.iter().rev().take(4).position(is_begin);
    match last.map(|back| bytes.len() - 1 - back) {
        Some(begin) if begin > 0 && std::str::from_utf8(&bytes[begin..]).is_err() => begin,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written, write by write, of text that comes in pieces.
    fn written(name: &str, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let label = Label {
            name: name.to_owned(),
            number: 0,
        };
        let mut lines = Lines {
            transcript: Transcript::with_bars(BAR, Instant::now()),
            before: label.before(false),
            line: Vec::new(),
            out: Vec::new(),
            most: WRITE,
        };
        let mut writes = Vec::new();
        let mut write = |bytes: &[u8]| {
            writes.push(bytes.to_vec());
            Ok(())
        };
        for piece in pieces {
            lines.write(piece, &mut write).unwrap();
        }
        lines.finish(&mut write).unwrap();
        writes
    }

    fn text(name: &str, pieces: &[&[u8]]) -> String {
        String::from_utf8(written(name, pieces).concat()).unwrap()
    }

    #[test]
    fn every_line_has_the_name_before_it() {
        for (pieces, expected) in [
            (vec![&b"a\nb\n"[..]], "s | a\ns | b\n"),
            (vec![b"a", b"b\n", b"\n", b"c"], "s | ab\ns | \ns | c\n"),
            (vec![b""], ""),
            // What is painted over is left out, and so are the cursor's movements.
            (vec![b"10%\r", b"50%\r100%\n"], "s | 100%\n"),
            (vec![b"\x1b[2Ka\x1b[1mb\x1b[0m\n"], "s | ab\n"),
            // Also behind a byte that no text holds.
            (vec![b"a\0b\x1b[2Jc\n\0d"], "s | abc\ns | d\n"),
        ] {
            assert_eq!(text("s", &pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn no_write_is_longer_than_a_pipe_takes_at_once_and_nothing_is_lost() {
        let long = "ü".repeat(600_000);
        let short = "x\n".repeat(10_000);
        let all = format!("{short}{long}\n{short}");
        let writes = written("name", &[all.as_bytes()]);
        assert!(
            writes
                .iter()
                .all(|write| write.len() <= WRITE && write.ends_with(b"\n"))
        );
        let lines = String::from_utf8(writes.concat()).unwrap();
        let lines: Vec<&str> = lines
            .lines()
            .map(|line| line.strip_prefix("name | ").unwrap())
            .collect();
        assert_eq!(
            lines[..10_000].concat() + &lines[lines.len() - 10_000..].concat(),
            short.replace('\n', "").repeat(2)
        );
        assert_eq!(lines[10_000..lines.len() - 10_000].concat(), long);
    }

    #[test]
    fn a_bar_is_shown_now_and_then() {
        let mut transcript = Transcript::with_bars(Duration::ZERO, Instant::now());
        let mut shown = Vec::new();
        transcript.write(b"1%\r2%\r3%\r", &mut shown).unwrap();
        transcript.finish(&mut shown).unwrap();
        assert_eq!(String::from_utf8(shown).unwrap(), "1%\n2%\n3%");
    }

    #[test]
    fn a_label_survives_its_argument() {
        let label = Label {
            name: "a:b ".to_owned(),
            number: 12,
        };
        assert_eq!(Label::from_argument(&label.to_argument()), Some(label));
        assert_eq!(Label::from_argument(""), None);
    }
}
