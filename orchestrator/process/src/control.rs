//! The line between the orchestrator and one supervisor: a socket, which is the supervisor's stdin.
//!
//! Signals could be ignored or blocked by whatever has started us, and do not say who sent them. Over
//! this go the step's own stdin and what is shared of the terminal (`screen.rs`), then, to the
//! supervisor, the signals that are to reach the step, and back from it, at last, what its exit status
//! cannot tell. Its end tells that the other one has died.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The orchestrator's end.
#[derive(Debug)]
pub struct Control {
    socket: UnixStream,
}

/// What a supervisor tells before it ends. None means that it was killed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Whether the step was stopped because its time was over.
    pub timed_out: bool,
    /// What of the step's output could not be passed on.
    pub unwritten: Option<Unwritten>,
}

/// An output of ours that could not be written, other than because its reader has gone away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwritten {
    /// Which of ours.
    pub target: Target,
    /// The system's number of the error, as in `errno`.
    pub errno: i32,
}

/// One of our outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Target {
    /// Its descriptor in this process.
    pub fn fd(self) -> BorrowedFd<'static> {
        match self {
            Target::Stdout => rustix::stdio::stdout(),
            Target::Stderr => rustix::stdio::stderr(),
        }
    }
}

impl std::fmt::Display for Unwritten {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let target = match self.target {
            Target::Stdout => "standard output",
            Target::Stderr => "standard error",
        };
        let error = io::Error::from_raw_os_error(self.errno);
        write!(formatter, "cannot write to {target}: {error}")
    }
}

impl Control {
    /// A line, and what is to be the supervisor's stdin.
    pub fn new() -> io::Result<(Control, OwnedFd)> {
        let (socket, stdin) = UnixStream::pair()?;
        Ok((Control { socket }, stdin.into()))
    }

    /// Gives the step's stdin to the supervisor, and what is shared of the terminal that it prints on.
    pub fn hand_over(&self, stdin: BorrowedFd, screen: Option<BorrowedFd>) -> io::Result<()> {
        let descriptors: Vec<BorrowedFd> = [stdin].into_iter().chain(screen).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(
            &self.socket,
            &[IoSlice::new(&[0])],
            &mut rights,
            SendFlags::empty(),
        )?;
        Ok(())
    }

    /// Has a signal passed on to the step. The supervisor may have ended by now.
    pub fn send(&self, signal: i32) {
        let byte = u8::try_from(signal).unwrap_or_default();
        (&self.socket).write_all(&[byte]).ok();
    }

    /// What the supervisor told, which has ended.
    pub fn report(&self) -> Option<Report> {
        self.socket.set_nonblocking(true).ok()?;
        let mut told = [0; 3];
        (&self.socket).read_exact(&mut told).ok()?;
        let [timed_out, target, errno] = told;
        let target = match target {
            1 => Some(Target::Stdout),
            2 => Some(Target::Stderr),
            _ => None,
        };
        let errno = i32::from(errno);
        Some(Report {
            timed_out: timed_out != 0,
            unwritten: target.map(|target| Unwritten { target, errno }),
        })
    }
}

/// The supervisor's end.
pub(crate) fn socket() -> BorrowedFd<'static> {
    rustix::stdio::stdin()
}

/// Waits for the step's stdin, and what is shared of the terminal, if it prints on one.
pub(crate) fn receive() -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    // A system without this flag has the descriptor for a moment in what is started meanwhile: nothing.
    #[cfg(target_os = "linux")]
    let flags = RecvFlags::CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = RecvFlags::empty();
    recvmsg(
        socket(),
        &mut [IoSliceMut::new(&mut byte)],
        &mut rights,
        flags,
    )?;
    let received = rights.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let mut received = received.flatten();
    let stdin = received.next().ok_or(io::ErrorKind::UnexpectedEof)?;
    let screen = received.next();
    for descriptor in std::iter::once(&stdin).chain(&screen) {
        rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok((stdin, screen))
}

/// The signals that have arrived; none when the orchestrator has died.
pub(crate) fn signals() -> Option<Vec<i32>> {
    let mut bytes = [0; 16];
    match rustix::io::read(socket(), &mut bytes) {
        Ok(0) => None,
        Ok(count) => Some(bytes[..count].iter().map(|byte| i32::from(*byte)).collect()),
        Err(rustix::io::Errno::INTR) => Some(Vec::new()),
        Err(_) => None,
    }
}

/// Tells the orchestrator, which may have died.
pub(crate) fn report(report: Report) {
    let (target, errno) = match report.unwritten {
        Some(Unwritten { target, errno }) => (1 + u8::from(target == Target::Stderr), errno),
        None => (0, 0),
    };
    let errno = u8::try_from(errno).unwrap_or_default();
    rustix::io::write(socket(), &[u8::from(report.timed_out), target, errno]).ok();
}
