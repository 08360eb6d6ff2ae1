//! Brings a file from a server into the partial file, however often the connection breaks.

use std::hint::black_box;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::cli::Wanted;
use crate::content::{self, HEAD, Packing, is_page_name};
use crate::keep::Partial;
use crate::output::Output;
use crate::progress;
use crate::remote::Remote;
use crate::remote::ask::{Answer, Ask, Incoming};
use crate::remote::failure::Failure;
use crate::remote::version::Version;
use crate::retry::{Attempts, MOST_PATIENCE};
use crate::terminal::say;
use crate::unpack::{Unpacked, Unpacking};

/// Number of chunks between the network and the disk. hyper's chunks have up to half a MiB, and so
/// many of them still fit into the caches of a processor when they are written.
const QUEUE: usize = 4;

/// More than all the chunks that there are at once.
const CHUNKS: usize = 8 << 20;

/// What becomes the output.
pub struct Arrived {
    /// In place of the bytes that came.
    pub unpacked: Option<Unpacked>,
}

/// A download that is going on.
pub struct Transfer<'a> {
    pub wanted: &'a Wanted,
    pub output: &'a Output,
    pub remote: &'a Remote,
    pub runtime: &'a Runtime,
    /// The URL or path as people may see it.
    pub shown: &'a str,
    /// The version that need not be fetched again.
    pub known: Option<&'a Version>,
}

impl Transfer<'_> {
    /// Fills the partial file, and looks at what came; none if nothing is new. What is to become of the
    /// bytes after a failure is decided here alone.
    pub fn run(&self, partial: &mut Partial) -> Result<Option<Arrived>> {
        keep_freed_memory();
        let mut attempts = Attempts::new(self.wanted.retries, self.wanted.retry_delay);
        loop {
            let failure = match self.attempt(partial) {
                Ok(arrived) => return Ok(arrived),
                Err(failure) => failure,
            };
            match failure {
                Failure::StartOver(reason) => {
                    if let Some(reason) = reason {
                        say(&format!("data_download: {reason}; starting over"));
                    }
                    partial.start_over()?;
                }
                Failure::Refused(error) => {
                    partial.discard();
                    return Err(self.failed(error, attempts.made + 1));
                }
                Failure::Final(error) => return Err(self.failed(error, attempts.made + 1)),
                Failure::Retry { error, after } => {
                    let Some(wait) = attempts.failed(partial.length(), after) else {
                        return Err(self.failed(too_long_to_wait(error, after), attempts.made));
                    };
                    let seconds = wait.as_secs_f64();
                    say(&format!(
                        "data_download: {error:#}; trying again in {seconds:.1} s"
                    ));
                    thread::sleep(wait);
                }
            }
        }
    }

    fn failed(&self, error: Error, attempts: u32) -> Error {
        let shown = self.shown;
        error.context(match attempts {
            1 => format!("cannot download `{shown}`"),
            _ => format!("cannot download `{shown}` in {attempts} attempts"),
        })
    }

    /// One request, as much of its body as comes, and if that is all, what it holds.
    fn attempt(&self, partial: &mut Partial) -> Result<Option<Arrived>, Failure> {
        let ask = Ask {
            resume: partial.resume(),
            unless: self.known,
        };
        let Answer::Bytes(incoming) = self.runtime.block_on(self.remote.ask(&ask))? else {
            return Ok(None);
        };
        if incoming.start == 0 {
            let started = partial.begin(incoming.version.clone());
            started.map_err(Failure::Final)?;
        }
        let announced = incoming.version.length;
        self.check_size(announced.unwrap_or(0))?;

        let received = self.receive_and_store(*incoming, partial);
        let here = partial.length();
        match received {
            // A server may answer with less than it was asked for.
            Ok(()) if announced.is_none_or(|length| length == here) => {
                self.unpack(partial).map(Some)
            }
            Ok(()) => Err(Failure::passing(anyhow!("{}", cut(here, announced)))),
            Err(Failure::Retry { error, after }) => {
                let error = error.context(cut(here, announced));
                Err(Failure::Retry { error, after })
            }
            Err(failure) => Err(failure),
        }
    }

    fn check_size(&self, bytes: u64) -> Result<(), Failure> {
        let checked = self.wanted.max_bytes.check(bytes);
        checked.map_err(Failure::Refused)
    }

    /// Reads from the network while another thread writes to the disk.
    fn receive_and_store(
        &self,
        mut incoming: Incoming,
        partial: &mut Partial,
    ) -> Result<(), Failure> {
        let (queue, queued) = mpsc::channel(QUEUE);
        let content_type = incoming.content_type.take();
        thread::scope(|scope| {
            let writer = scope.spawn(|| self.store(queued, partial, content_type.as_deref()));
            let received = self.runtime.block_on(receive(incoming, queue));
            let stored = writer.join().unwrap_or_else(|panic| resume_unwind(panic));
            // It may also be why nothing was received any more.
            stored?;
            received
        })
    }

    fn store(
        &self,
        mut queued: Receiver<Bytes>,
        partial: &mut Partial,
        content_type: Option<&str>,
    ) -> Result<(), Failure> {
        let mut chunks = Vec::with_capacity(QUEUE);
        // What is packed is looked at when it is unpacked.
        let mut unseen = self.encoding(partial).is_none();
        let mut open = true;
        while open {
            open = queued.blocking_recv_many(&mut chunks, QUEUE) > 0;
            let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
            let written = partial.write(&mut slices);
            self.written(written)?;
            chunks.clear();
            self.check_size(partial.length())?;
            if unseen && (!open || partial.length() >= HEAD as u64) {
                unseen = false;
                let mut buffer = [0; HEAD];
                let head = self.written(partial.head(&mut buffer))?;
                self.look(head, content_type)?;
            }
        }
        Ok(())
    }

    fn written<T>(&self, result: io::Result<T>) -> Result<T, Failure> {
        let result = result.with_context(|| self.output.cannot_write());
        result.map_err(Failure::Final)
    }

    /// Refuses what is not data, by its first bytes.
    fn look(&self, head: &[u8], content_type: Option<&str>) -> Result<(), Failure> {
        // A local page is no error in disguise.
        let may_be_page = self.wanted.allow_html
            || matches!(self.remote, Remote::Local(_))
            || self.names().iter().any(|name| is_page_name(name));
        content::look(head, content_type, may_be_page).map_err(Failure::Refused)
    }

    /// What the file is called, there and here.
    fn names(&self) -> [String; 2] {
        let path = self.shown.split(['?', '#']).next().unwrap_or_default();
        [path.to_owned(), self.output.shown()]
    }

    /// How the bytes are packed to be sent. Where the file is called as if it were packed so, it is, and
    /// the server only says so once more.
    fn encoding(&self, partial: &Partial) -> Option<Packing> {
        let is_named = |packing: &Packing| {
            let names = self.names();
            names.iter().any(|name| packing.is_in_name(name))
        };
        let encoding = partial.version().encoding;
        encoding.filter(|packing| !is_named(packing))
    }

    /// Takes away what the server packed to send the file, compares the hash of the file, and unpacks it
    /// if that is wanted.
    fn unpack(&self, partial: &Partial) -> Result<Arrived, Failure> {
        let unpacking = |hashing| Unpacking {
            output: self.output,
            max_bytes: self.wanted.max_bytes,
            hashing,
        };
        let make = || partial.unpacked();
        let packed = || partial.reader().map_err(Failure::Final);
        let decoded = match self.encoding(partial).filter(|_| partial.length() > 0) {
            None => None,
            Some(encoding) => {
                let unpacking = unpacking(self.wanted.sha256.is_some());
                let decoded = unpacking.decode(packed()?, encoding, make);
                let decoded = decoded.map_err(Failure::Refused)?;
                let mut buffer = [0; HEAD];
                let count = self.written(decoded.file.read_at(&mut buffer, 0))?;
                self.look(&buffer[..count], None)?;
                Some(decoded)
            }
        };
        self.check_hash(partial, decoded.as_ref())?;
        let mut unpacked = None;
        if self.wanted.decompress {
            let packed = match &decoded {
                Some(decoded) => self.written(decoded.file.try_clone())?,
                None => packed()?,
            };
            let decompressed = unpacking(false).decompress(packed, make);
            unpacked = decompressed.map_err(Failure::Refused)?;
        }
        Ok(Arrived {
            unpacked: unpacked.or(decoded),
        })
    }

    fn check_hash(&self, partial: &Partial, decoded: Option<&Unpacked>) -> Result<(), Failure> {
        let decoded = decoded.and_then(|decoded| decoded.sha256.clone());
        let actual = decoded.or_else(|| partial.sha256());
        let (Some(expected), Some(actual)) = (&self.wanted.sha256, actual) else {
            return Ok(());
        };
        if actual == *expected {
            return Ok(());
        }
        let error = anyhow!("the file has the SHA-256 {actual}, expected {expected}");
        // Somebody may have changed the partial file between the runs.
        Err(match partial.continued() {
            0 => Failure::Refused(error),
            _ => Failure::StartOver(Some(error)),
        })
    }
}

async fn receive(incoming: Incoming, queue: Sender<Bytes>) -> Result<(), Failure> {
    let Incoming {
        start,
        version,
        mut body,
        ..
    } = incoming;
    let progress = progress::bar(version.length, start);
    while let Some(chunk) = body.chunk().await? {
        progress.inc(chunk.len() as u64);
        if queue.send(chunk).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Makes glibc keep the memory of the chunks for the next ones. As the writer frees what the reader
/// allocates, it would go back to the system all the time, and fetching it anew, page by page, would
/// take a third of the CPU time. glibc keeps up to twice the size of the largest block that was ever
/// freed (mallopt(3), `M_MMAP_THRESHOLD`); this one is not touched, and so costs nothing.
fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity(CHUNKS)));
}

fn cut(received: u64, announced: Option<u64>) -> String {
    match announced {
        Some(length) => format!("connection closed after {received} of {length} bytes"),
        None => format!("connection closed after {received} bytes, before the end of the body"),
    }
}

fn too_long_to_wait(error: Error, after: Option<Duration>) -> Error {
    match after {
        Some(after) if after > MOST_PATIENCE => {
            let (asked, most) = (after.as_secs(), MOST_PATIENCE.as_secs());
            error.context(format!(
                "the server asks to wait {asked} s, and more than {most} s is too long"
            ))
        }
        _ => error,
    }
}
