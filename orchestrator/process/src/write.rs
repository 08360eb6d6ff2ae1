//! Writing to outputs of ours, which others share.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Writes all of it, however often others interrupt.
pub(crate) fn all(target: BorrowedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(target, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(target),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until there is room. Somebody who shares an output with us may have made it one that does not
/// wait by itself.
pub(crate) fn wait(target: BorrowedFd) {
    let mut polled = [PollFd::from_borrowed_fd(target, PollFlags::OUT)];
    poll(&mut polled, None::<&Timespec>).ok();
}

/// Whether two descriptors are of one file, terminal or pipe.
pub(crate) fn is_same(left: BorrowedFd, right: BorrowedFd) -> bool {
    let identity = |fd| {
        let status = rustix::fs::fstat(fd).ok()?;
        Some((status.st_dev, status.st_ino))
    };
    identity(left).is_some_and(|left| Some(left) == identity(right))
}
