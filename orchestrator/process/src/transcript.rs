//! A step's output as a text to be read later: what a progress bar painted over is left out, and so
//! are colours and other control sequences of a terminal (ECMA-48). All other bytes stay as they are,
//! and so does all that follows a NUL byte, which no text holds.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use memchr::{memchr3, memrchr};

use crate::screen::Cursor;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// How much of a line is held back, in bytes, as it may still be painted over. What is beyond stays.
const HELD_BACK: usize = 64 * 1024;

/// Takes one stream, in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// The end of the current line that may still be painted over.
    line: Vec<u8>,
    /// Whether the beginning of the current line has been written already.
    is_begun: bool,
    /// Whether the cursor went back to the line's beginning: what follows paints it over.
    is_returned: bool,
    state: State,
    /// Whether the cursor was moved to another line other than by a newline, or the screen changed.
    has_moved: bool,
    /// How often something of what is painted over is kept all the same, and when that was last so.
    bars: Option<(Duration, Instant)>,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    /// After the byte ESC, and intermediate bytes, if any.
    Escape,
    /// In a control sequence, `ESC [` up to a letter.
    Control,
    /// In a string for the terminal such as a window's title, up to BEL or `ESC \`.
    String,
    /// After an ESC in a string.
    StringEscape,
    /// From the first NUL byte on.
    Binary,
}

impl Transcript {
    /// One that keeps a line of what is painted over, so often, from a moment on.
    pub(crate) fn with_bars(often: Duration, begin: Instant) -> Transcript {
        Transcript {
            bars: Some((often, begin)),
            ..Transcript::default()
        }
    }

    /// Where a terminal's cursor is now: at the beginning of an empty line, as far as the stream tells.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor {
            is_at_beginning: matches!(self.state, State::Text)
                && self.line.is_empty()
                && !self.is_begun,
            is_plain: !self.has_moved,
        }
    }

    /// Writes what is certain of the stream so far.
    pub(crate) fn write(&mut self, mut bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        while let Some(&byte) = bytes.first() {
            let mut used = 1;
            self.state = match (self.state, byte) {
                (State::Text, b'\r') => {
                    self.is_returned = true;
                    State::Text
                }
                (State::Text | State::Escape | State::Control, ESCAPE)
                | (State::Escape, b' '..=b'/') => State::Escape,
                // Where several steps share a terminal nothing may reach it as it is.
                (State::Text, b'\0') if self.bars.is_some() => State::Text,
                (State::Text, b'\0') | (State::Binary, _) => {
                    self.finish(out)?;
                    out.write_all(bytes)?;
                    used = bytes.len();
                    State::Binary
                }
                (State::Text, _) => {
                    used = memchr3(b'\r', ESCAPE, b'\0', bytes).unwrap_or(bytes.len());
                    self.text(&bytes[..used], out)?;
                    State::Text
                }
                (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::String,
                (State::Escape, b'[') | (State::Control, b' '..=b'?') => State::Control,
                // Cursor to a column, in practice to the first.
                (State::Control, b'G') => {
                    self.is_returned = true;
                    State::Text
                }
                // Colours, and what is erased in the line.
                (State::Control, b'm' | b'K') => State::Text,
                (State::Escape, b'0'..=b'~') | (State::Control, b'@'..=b'~') => {
                    self.has_moved = true;
                    State::Text
                }
                (State::String | State::StringEscape, BELL) | (State::StringEscape, b'\\') => {
                    State::Text
                }
                (State::String | State::StringEscape, ESCAPE) => State::StringEscape,
                // No string goes over several lines: this was none.
                (State::String | State::StringEscape, byte) if byte != b'\n' => State::String,
                // Not a sequence after all; what made it look like one is lost.
                _ => {
                    used = 0;
                    State::Text
                }
            };
            bytes = &bytes[used..];
        }
        Ok(())
    }

    /// Writes what was held back, at the end of the stream.
    pub(crate) fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }

    fn text(&mut self, text: &[u8], out: &mut impl Write) -> io::Result<()> {
        if std::mem::take(&mut self.is_returned) && !text.starts_with(b"\n") {
            match &mut self.bars {
                Some((often, last)) if !self.line.is_empty() && last.elapsed() >= *often => {
                    *last = Instant::now();
                    out.write_all(&self.line)?;
                    out.write_all(b"\n")?;
                }
                _ => {}
            }
            self.line.clear();
            if std::mem::take(&mut self.is_begun) {
                out.write_all(b"\n")?;
            }
        }
        let (whole, rest) = text.split_at(memrchr(b'\n', text).map_or(0, |end| end + 1));
        if !whole.is_empty() {
            self.finish(out)?;
            out.write_all(whole)?;
            self.is_begun = false;
        }
        if self.line.len() + rest.len() > HELD_BACK {
            self.finish(out)?;
            self.is_begun = true;
            return out.write_all(rest);
        }
        self.line.extend_from_slice(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transcript of a text that comes in pieces of a size.
    fn of_pieces(text: &[u8], size: usize) -> Vec<u8> {
        let (mut transcript, mut out) = (Transcript::default(), Vec::new());
        for piece in text.chunks(size) {
            transcript.write(piece, &mut out).unwrap();
        }
        transcript.finish(&mut out).unwrap();
        out
    }

    #[track_caller]
    fn assert_transcript(text: &str, expected: &str) {
        for size in [1, 2, 3, 7, 1000] {
            let out = of_pieces(text.as_bytes(), size);
            assert_eq!(String::from_utf8_lossy(&out), expected, "pieces of {size}");
        }
    }

    #[test]
    fn plain_text_stays() {
        for text in [
            "",
            "a",
            "a\n",
            "\n\n",
            "größer\nnot ended",
            "tab\tbell\u{7}\n",
        ] {
            assert_transcript(text, text);
        }
    }

    #[test]
    fn what_was_painted_over_is_left_out() {
        assert_transcript("10%\r50%\r100%\ndone\n", "100%\ndone\n");
        assert_transcript("10%\r50%\r100%\r\ndone\r\n", "100%\ndone\n");
        assert_transcript("10%\r100%\r", "100%");
        assert_transcript("a\n\rb\n", "a\nb\n");
        assert_transcript("\r\n\r\r\n", "\n\n");
        assert_transcript("\r\u{1b}[2K10%\r\u{1b}[2K100%\n", "100%\n");
        assert_transcript("10%\u{1b}[2K\u{1b}[1G100%\n", "100%\n");
        assert_transcript("100%\r\u{1b}[K\n", "100%\n");
    }

    #[test]
    fn colours_and_other_sequences_are_left_out() {
        assert_transcript("\u{1b}[1;31merror\u{1b}[0m: no\n", "error: no\n");
        assert_transcript(
            "\u{1b}]0;title\u{7}a\u{1b}]8;;https://x\u{1b}\\link\n",
            "alink\n",
        );
        assert_transcript("\u{1b}(Ba\u{1b}7b\u{1b}[?25lc\n", "abc\n");
        assert_transcript("\u{1b}\u{1b}[1ma\n", "a\n");
    }

    #[test]
    fn what_is_no_sequence_costs_no_line() {
        assert_transcript("\u{1b}]never ended\nnext\n", "\nnext\n");
        assert_transcript("a\u{1b}[1\nb\u{1b}\nc\n", "a\nb\nc\n");
        assert_transcript("\u{1b}[1é\n", "é\n");
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let text: Vec<u8> = (0..=255)
            .filter(|byte| ![ESCAPE, b'\r'].contains(byte))
            .collect();
        assert_eq!(of_pieces(&text, 3), text);
    }

    #[test]
    fn it_tells_where_the_cursor_is() {
        for (text, is_at_beginning, is_plain) in [
            ("", true, true),
            ("a\n", true, true),
            ("a", false, true),
            ("50%\r", false, true),
            ("\r\u{1b}[2K50%\r\u{1b}[32m100%\u{1b}[0m\n", true, true),
            ("a\n\u{1b}[3", false, true),
            ("a\n\u{1b}[3Ab\n", true, false),
            ("\u{1b}[?1049h", true, false),
            ("\u{1b}7a\n", true, false),
            ("\u{1b}]0;title\u{7}", true, true),
            ("\0\n", false, true),
        ] {
            for size in [1, 2, 1000] {
                let mut transcript = Transcript::default();
                for piece in text.as_bytes().chunks(size) {
                    transcript.write(piece, &mut io::sink()).unwrap();
                }
                let expected = Cursor {
                    is_at_beginning,
                    is_plain,
                };
                assert_eq!(transcript.cursor(), expected, "{text:?} {size}");
            }
        }
        let mut transcript = Transcript::default();
        let long = vec![b'x'; 2 * HELD_BACK];
        transcript.write(&long, &mut io::sink()).unwrap();
        assert!(!transcript.cursor().is_at_beginning);
    }

    #[test]
    fn a_long_line_is_not_held_back() {
        let long = vec![b'x'; 3 * HELD_BACK];
        let (mut transcript, mut out) = (Transcript::default(), Vec::new());
        for piece in long.chunks(1000) {
            transcript.write(piece, &mut out).unwrap();
            assert!(transcript.line.capacity() <= 2 * HELD_BACK);
        }
        assert!(out.len() >= 2 * HELD_BACK);
        // What was written already cannot be painted over.
        transcript.write(b"\rshort\rnext\n", &mut out).unwrap();
        let end = out.len() - b"\nnext\n".len();
        assert!(out[..end].iter().all(|byte| *byte == b'x') && out[end..] == *b"\nnext\n");
    }
}
