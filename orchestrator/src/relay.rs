//! Passes on what a step prints, as it comes, and keeps it in the step's log.
//!
//! The step's stdout and stderr are pseudo-terminals where ours are terminals, so that its progress
//! bars and colours look as they should, and pipes elsewhere. Where both of ours are one and the same
//! file, so are those of the step, and the order of what it prints on them is kept exactly; else it is
//! the order of arrival.

use std::fs::File;
use std::io::{self, BufWriter, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, FdFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{self, LocalModes, OptionalActions, OutputModes, Winsize};

use crate::fold::Fold;

/// How much is read at once, in bytes: what a pipe holds, where its size can be chosen.
const PIECE: usize = 256 * 1024;

/// Both outputs of a step, on their way to ours and to the log.
pub(crate) struct Relay {
    streams: Vec<Stream>,
    log: Option<BufWriter<File>>,
}

struct Stream {
    source: File,
    target: Target,
    fold: Fold,
    /// The size that the pseudo-terminal has; none for a pipe.
    size: Option<Winsize>,
}

#[derive(Clone, Copy)]
enum Target {
    Stdout,
    Stderr,
}

impl Target {
    fn fd(self) -> BorrowedFd<'static> {
        match self {
            Target::Stdout => rustix::stdio::stdout(),
            Target::Stderr => rustix::stdio::stderr(),
        }
    }
}

impl Relay {
    /// Makes the step's stdout and stderr, and the relay that empties them.
    pub(crate) fn new(log: File) -> io::Result<(Relay, Stdio, Stdio)> {
        let (stream, stdout) = Stream::new(Target::Stdout)?;
        let mut streams = vec![stream];
        let stderr = if is_same(Target::Stdout.fd(), Target::Stderr.fd()) {
            stdout.try_clone()?
        } else {
            let (stream, stderr) = Stream::new(Target::Stderr)?;
            streams.push(stream);
            stderr
        };
        let log = Some(BufWriter::with_capacity(PIECE, log));
        Ok((Relay { streams, log }, stdout.into(), stderr.into()))
    }

    /// Relays until the step has closed both outputs, or, once `is_over` is closed, until nothing is
    /// left to be read: a process that we do not know of may hold an output open for ever.
    pub(crate) fn run(mut self, is_over: &PipeReader) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        while !self.streams.is_empty() {
            let (ready, is_over) = self.wait(is_over)?;
            if is_over && ready.is_empty() {
                break;
            }
            // Backwards, as the positions behind one that is removed change.
            for position in ready.into_iter().rev() {
                self.pass_on(position, &mut buffer);
            }
        }
        while !self.streams.is_empty() {
            self.end(0);
        }
        Ok(())
    }

    /// Waits until something can be read or the step is over: the streams with something to read, and
    /// whether it is over.
    fn wait(&self, is_over: &PipeReader) -> io::Result<(Vec<usize>, bool)> {
        let sources = self.streams.iter().map(|stream| stream.source.as_fd());
        let mut polled: Vec<PollFd> = std::iter::once(is_over.as_fd())
            .chain(sources)
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        while let Err(error) = poll(&mut polled, None::<&Timespec>) {
            if error != Errno::INTR {
                return Err(error.into());
            }
        }
        let mut ready = (0..)
            .zip(&polled)
            .filter(|(_, fd)| !fd.revents().is_empty());
        let ready: Vec<usize> = ready.by_ref().map(|(position, _)| position).collect();
        let is_over = ready.first() == Some(&0);
        let streams = ready.iter().filter_map(|position| position.checked_sub(1));
        Ok((streams.collect(), is_over))
    }

    /// Passes on what can be read of a stream at once.
    fn pass_on(&mut self, position: usize, buffer: &mut [u8]) {
        let stream = &mut self.streams[position];
        let length = match stream.source.read(buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            // A pseudo-terminal that nobody has open any more.
            Err(_) => 0,
        };
        let bytes = &buffer[..length];
        stream.follow_size();
        // An output of ours that is closed is closed for the step, too, which then knows.
        let is_open = length > 0 && write_all(stream.target.fd(), bytes).is_ok();
        if let Some(log) = &mut self.log {
            let kept = stream.fold.write(bytes, log).and_then(|()| log.flush());
            self.check(kept);
        }
        if !is_open {
            self.end(position);
        }
    }

    fn end(&mut self, position: usize) {
        let mut stream = self.streams.remove(position);
        if let Some(log) = &mut self.log {
            let kept = stream.fold.finish(log).and_then(|()| log.flush());
            self.check(kept);
        }
    }

    /// A log that cannot be written, as on a full disk, is no reason to disturb the step.
    fn check(&mut self, kept: io::Result<()>) {
        let Err(error) = kept else { return };
        writeln!(
            io::stderr(),
            "warning: the output is no longer kept: {error}"
        )
        .ok();
        // Not dropped, which would try to write once more.
        self.log.take().map(BufWriter::into_parts);
    }
}

impl Stream {
    /// A stream to one of our outputs, and the step's end of it.
    fn new(target: Target) -> io::Result<(Stream, OwnedFd)> {
        let is_terminal = termios::isatty(target.fd());
        let (source, sink) = if is_terminal {
            pseudo_terminal()?
        } else {
            let (reader, writer) = io::pipe()?;
            // Fewer and larger pieces pass faster; the system may grant less.
            #[cfg(target_os = "linux")]
            rustix::pipe::fcntl_setpipe_size(&reader, PIECE).ok();
            (reader.into(), writer.into())
        };
        let mut stream = Stream {
            source: File::from(source),
            target,
            fold: Fold::default(),
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

/// Both ends of a pseudo-terminal that passes bytes on unchanged: the terminal behind it does the rest.
fn pseudo_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let source = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&source, FdFlags::CLOEXEC)?;
    rustix::pty::grantpt(&source)?;
    rustix::pty::unlockpt(&source)?;
    let name = rustix::pty::ptsname(&source, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let sink = rustix::fs::open(name, flags, Mode::empty())?;
    let mut modes = termios::tcgetattr(&sink)?;
    modes.output_modes.remove(OutputModes::OPOST);
    modes.local_modes.remove(LocalModes::ECHO);
    termios::tcsetattr(&sink, OptionalActions::Now, &modes)?;
    Ok((source, sink))
}

/// Whether two descriptors are of one file, terminal or pipe.
fn is_same(left: BorrowedFd, right: BorrowedFd) -> bool {
    let identity = |fd| {
        let status = rustix::fs::fstat(fd).ok()?;
        Some((status.st_dev, status.st_ino))
    };
    identity(left).is_some_and(|left| Some(left) == identity(right))
}

fn write_all(target: BorrowedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(target, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Somebody who shares it with us made it so.
            Err(Errno::AGAIN) => {
                let mut polled = [PollFd::from_borrowed_fd(target, PollFlags::OUT)];
                poll(&mut polled, None::<&Timespec>).ok();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
