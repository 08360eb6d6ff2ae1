//! Passes on what a step prints, as it comes, and keeps it in the step's log.
//!
//! The step's stdout and stderr are pseudo-terminals where ours are terminals, so that its progress
//! bars and colours look as they should, and pipes elsewhere. Where both of ours are one and the same
//! file, so are those of the step, and the order of what it prints on them is kept exactly; else it is
//! the order of arrival.

use std::fs::File;
use std::io::{self, BufWriter, PipeReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::termios::{self, Winsize};

use crate::console::warn;
use crate::control::{Target, Unwritten};
use crate::label::{Label, Lines};
use crate::screen::{self, Cursor, Screen};
use crate::terminal::{Typing, pseudo_terminal};
use crate::transcript::Transcript;
use crate::write;

/// How much is read at once, in bytes: what a pipe holds, where its size can be chosen.
const PIECE: usize = 256 * 1024;

/// How much is read of a pseudo-terminal before it is passed on, in bytes: that gives some 4 KiB at once.
const PIECES: usize = 64 * 1024;

/// How long it takes until a key that was typed while we were in the background is looked at again.
const LOOK_AGAIN: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Both outputs of a step, on their way to ours and to the log; and what is typed, on its way to it.
pub(crate) struct Tee {
    streams: Vec<Stream>,
    log: Option<BufWriter<File>>,
    keys: Option<Keys>,
    /// The first error with an output of ours.
    unwritten: Option<Unwritten>,
}

/// What is typed, for the first stream.
struct Keys {
    typing: Arc<Typing>,
    /// What was read, and has no room in the step's terminal yet.
    left: Vec<u8>,
    /// Whether there is something that is not for us.
    is_for_others: bool,
}

struct Stream {
    source: File,
    target: Target,
    transcript: Transcript,
    /// What is shown line by line, where other steps print, too.
    lines: Option<Lines>,
    /// The size that the pseudo-terminal has; none for a pipe.
    size: Option<Winsize>,
    /// The terminal that it goes to, where others write, too.
    screen: Option<&'static Screen>,
}

impl Tee {
    /// Makes the step's stdout and stderr, and the tee that empties them.
    pub(crate) fn new(log: File, label: Option<&Label>) -> io::Result<(Tee, OwnedFd, OwnedFd)> {
        let (stream, stdout) = Stream::new(Target::Stdout, label)?;
        let mut streams = vec![stream];
        let stderr = if write::is_same(Target::Stdout.fd(), Target::Stderr.fd()) {
            stdout.try_clone()?
        } else {
            let (stream, stderr) = Stream::new(Target::Stderr, label)?;
            streams.push(stream);
            stderr
        };
        screen::of_process().inspect(|screen| screen.begin_step());
        let tee = Tee {
            streams,
            log: Some(BufWriter::with_capacity(PIECE, log)),
            keys: None,
            unwritten: None,
        };
        Ok((tee, stdout, stderr))
    }

    /// Has what is typed passed on to the first terminal of the step.
    pub(crate) fn forward(&mut self, typing: &Arc<Typing>) {
        let terminals = self.streams.iter().filter(|stream| stream.size.is_some());
        for terminal in terminals.take(1) {
            // A step that does not read what is typed must not hold up its output.
            let flags = rustix::fs::fcntl_getfl(&terminal.source);
            let flags = flags.unwrap_or(OFlags::RDWR) | OFlags::NONBLOCK;
            rustix::fs::fcntl_setfl(&terminal.source, flags).ok();
            self.keys = Some(Keys {
                typing: Arc::clone(typing),
                left: Vec::new(),
                is_for_others: false,
            });
        }
    }

    /// Copies until the step has closed both outputs, or, once `is_over` is closed, until nothing is
    /// left to be read: a process that we do not know of may hold an output open for ever. What of it
    /// could not be written is told.
    pub(crate) fn run(mut self, is_over: &PipeReader) -> Option<Unwritten> {
        let mut buffer = vec![0; PIECE];
        while !self.streams.is_empty() {
            let ready = match self.wait(is_over) {
                Ok(ready) => ready,
                Err(error) => {
                    warn(&format!("cannot pass the output on: {error}"));
                    break;
                }
            };
            if ready.is_over && ready.streams.is_empty() {
                break;
            }
            if ready.has_keys {
                self.pass_keys_on(&mut buffer);
            }
            // Backwards, as the positions behind one that is removed change.
            for position in ready.streams.into_iter().rev() {
                self.pass_on(position, &mut buffer);
            }
        }
        while !self.streams.is_empty() {
            self.end(0);
        }
        self.unwritten
    }

    /// Waits until something can be done or the step is over.
    fn wait(&mut self, is_over: &PipeReader) -> Result<Ready, Errno> {
        let is_for_others = self
            .keys
            .as_mut()
            .is_some_and(|keys| std::mem::take(&mut keys.is_for_others));
        let keys = match &self.keys {
            None => None,
            Some(_) if is_for_others => None,
            Some(keys) if keys.left.is_empty() => Some((keys.typing.terminal(), PollFlags::IN)),
            Some(_) => self.terminal().map(|fd| (fd.as_fd(), PollFlags::OUT)),
        };
        let streams = self.streams.iter();
        let readable = std::iter::once(is_over.as_fd()).chain(streams.map(|it| it.source.as_fd()));
        let mut polled: Vec<PollFd> = readable
            .map(|fd| (fd, PollFlags::IN))
            .chain(keys)
            .map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags))
            .collect();
        let time = is_for_others.then_some(&LOOK_AGAIN);
        while let Err(error) = poll(&mut polled, time) {
            if error != Errno::INTR {
                return Err(error);
            }
        }
        let is_ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        let count = self.streams.len();
        Ok(Ready {
            is_over: is_ready[0],
            streams: (0..count).filter(|stream| is_ready[1 + stream]).collect(),
            has_keys: is_ready.get(1 + count) == Some(&true),
        })
    }

    /// Our end of the step's terminal that gets what is typed.
    fn terminal(&self) -> Option<&File> {
        let mut terminals = self.streams.iter().filter(|stream| stream.size.is_some());
        terminals.next().map(|stream| &stream.source)
    }

    /// Passes on what was typed, as far as there is room for it.
    fn pass_keys_on(&mut self, buffer: &mut [u8]) {
        let Some(mut keys) = self.keys.take() else {
            return;
        };
        if keys.left.is_empty() {
            if !keys.typing.is_ours() {
                keys.is_for_others = true;
                self.keys = Some(keys);
                return;
            }
            match rustix::io::read(keys.typing.terminal(), &mut *buffer) {
                Ok(length) if length > 0 => keys.left.extend_from_slice(&buffer[..length]),
                Err(Errno::INTR | Errno::AGAIN) => {}
                // Nobody can type there any more.
                _ => return,
            }
        }
        match self.terminal().map(|fd| rustix::io::write(fd, &keys.left)) {
            Some(Ok(written)) => drop(keys.left.drain(..written)),
            Some(Err(Errno::INTR | Errno::AGAIN)) => {}
            Some(Err(_)) | None => return,
        }
        self.keys = Some(keys);
    }

    /// Passes on what can be read of a stream at once.
    fn pass_on(&mut self, position: usize, buffer: &mut [u8]) {
        let stream = &mut self.streams[position];
        let length = match stream.read(buffer) {
            Ok(length) => length,
            Err(Errno::INTR | Errno::AGAIN) => return,
            // A pseudo-terminal that nobody has open any more.
            Err(_) => 0,
        };
        let bytes = &buffer[..length];
        stream.follow_size();
        let kept = stream.keep(bytes, &mut self.log);
        let written = stream.show(bytes);
        // An output of ours that is closed is closed for the step, too, which then knows.
        let is_open = length > 0 && written.is_ok();
        if let Err(error) = written
            && error != Errno::PIPE
        {
            self.unwritten.get_or_insert(Unwritten {
                target: stream.target,
                errno: error.raw_os_error(),
            });
        }
        self.check(kept);
        if !is_open {
            self.end(position);
        }
    }

    fn end(&mut self, position: usize) {
        let mut stream = self.streams.remove(position);
        if stream.size.is_some() {
            self.keys = None;
        }
        // One that cannot be written was noted before.
        stream.show_rest().ok();
        if let Some(log) = &mut self.log {
            let kept = stream.transcript.finish(log).and_then(|()| log.flush());
            self.check(kept);
        }
    }

    /// A log that cannot be written, as on a full disk, is no reason to disturb the step.
    fn check(&mut self, kept: io::Result<()>) {
        let Err(error) = kept else { return };
        warn(&format!("the output is no longer kept: {error}"));
        // Not dropped, which would try to write once more.
        self.log.take().map(BufWriter::into_parts);
    }
}

/// What can be done.
struct Ready {
    is_over: bool,
    /// The streams with something to read.
    streams: Vec<usize>,
    has_keys: bool,
}

impl Stream {
    /// A stream to one of our outputs, and the step's end of it.
    fn new(target: Target, label: Option<&Label>) -> io::Result<(Stream, OwnedFd)> {
        let is_terminal = termios::isatty(target.fd());
        let (source, sink) = if is_terminal {
            pseudo_terminal()?
        } else {
            let (reader, writer) = io::pipe()?;
            // Fewer and larger pieces pass faster; the system may grant less.
            #[cfg(target_os = "linux")]
            {
                rustix::pipe::fcntl_setpipe_size(&reader, PIECE).ok();
                if rustix::pipe::fcntl_getpipe_size(target.fd()).is_ok_and(|size| size < PIECE) {
                    rustix::pipe::fcntl_setpipe_size(target.fd(), PIECE).ok();
                }
            }
            (reader.into(), writer.into())
        };
        let screen = screen::of_process().filter(|_| is_terminal);
        let mut stream = Stream {
            source: File::from(source),
            target,
            transcript: Transcript::default(),
            lines: label.map(|label| Lines::new(label, target, screen.is_some())),
            screen,
            size: is_terminal.then_some(Winsize {
                ws_row: 0,
                ws_col: 0,
                ws_xpixel: 0,
                ws_ypixel: 0,
            }),
        };
        stream.follow_size();
        Ok((stream, sink))
    }

    /// Reads what is there, at least something.
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let mut length = rustix::io::read(&self.source, &mut *buffer)?;
        while self.size.is_some() && (1..PIECES).contains(&length) && self.has_more() {
            match rustix::io::read(&self.source, &mut buffer[length..]) {
                Ok(more) if more > 0 => length += more,
                // The same comes next time.
                _ => break,
            }
        }
        Ok(length)
    }

    fn has_more(&self) -> bool {
        let mut polled = [PollFd::new(&self.source, PollFlags::IN)];
        let at_once = Timespec::default();
        poll(&mut polled, Some(&at_once)).is_ok() && polled[0].revents().contains(PollFlags::IN)
    }

    /// Passes bytes on to our output.
    fn show(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let (target, screen) = (self.target, self.screen);
        match &mut self.lines {
            None => pass_on(screen, target, bytes, self.transcript.cursor()),
            Some(lines) => lines.write(bytes, |whole| {
                pass_on(screen, target, whole, Cursor::AFTER_LINES)
            }),
        }
    }

    /// Passes on what was held back.
    fn show_rest(&mut self) -> Result<(), Errno> {
        let (target, screen) = (self.target, self.screen);
        let lines = self.lines.as_mut();
        lines.map_or(Ok(()), |lines| {
            lines.finish(|whole| pass_on(screen, target, whole, Cursor::AFTER_LINES))
        })
    }

    /// Writes to the log: from a pipe what was written, from a terminal what was to be read there.
    fn keep(&mut self, bytes: &[u8], log: &mut Option<BufWriter<File>>) -> io::Result<()> {
        let Some(log) = log else {
            // Without a log it still tells where the cursor is.
            return self.transcript.write(bytes, &mut io::sink());
        };
        if self.size.is_none() {
            // Nothing waits in its buffer, which would only cost a copy.
            return log.get_mut().write_all(bytes);
        }
        self.transcript.write(bytes, log)?;
        log.flush()
    }

    /// Gives the pseudo-terminal the size that the terminal has now.
    fn follow_size(&mut self) {
        let Some(known) = &mut self.size else { return };
        let Ok(size) = termios::tcgetwinsize(self.target.fd()) else {
            return;
        };
        if (size.ws_row, size.ws_col) != (known.ws_row, known.ws_col) {
            termios::tcsetwinsize(&self.source, size).ok();
            *known = size;
        }
    }
}

/// Writes to an output of ours, which may be a terminal that others write to, too.
fn pass_on(
    screen: Option<&Screen>,
    target: Target,
    bytes: &[u8],
    cursor: Cursor,
) -> Result<(), Errno> {
    match screen {
        Some(screen) => screen.pass_on(target, bytes, cursor),
        None => write::all(target.fd(), bytes),
    }
}
