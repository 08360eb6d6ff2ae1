//! Brings a file from a server into the partial file, however often the connection breaks.

use std::hint::black_box;
use std::io::IoSlice;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::content::{self, HEAD, Packing};
use crate::keep::Partial;
use crate::limits::MaxBytes;
use crate::output::Output;
use crate::progress;
use crate::remote::Remote;
use crate::remote::ask::{Answer, Ask, Incoming};
use crate::remote::failure::Failure;
use crate::remote::version::Version;
use crate::retry::{Attempts, MOST_PATIENCE};
use crate::terminal::say;

/// Number of chunks between the network and the disk. hyper's chunks have up to half a MiB, and so
/// many of them still fit into the caches of a processor when they are written.
const QUEUE: usize = 4;

/// More than all the chunks that there are at once.
const CHUNKS: usize = 8 << 20;

/// What the user wants.
pub struct Wishes<'a> {
    /// The URL as people may see it.
    pub shown: &'a str,
    /// The version that need not be fetched again.
    pub known: Option<&'a Version>,
    pub max_bytes: MaxBytes,
    pub allow_html: bool,
    /// What the file is called, there and here.
    pub names: [String; 2],
    pub retries: u32,
    pub retry_delay: Duration,
}

/// How a download ended well.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Unchanged,
    /// All bytes are in the partial file.
    Complete,
}

/// A download that is going on.
pub struct Download<'a> {
    pub remote: &'a Remote,
    pub runtime: &'a Runtime,
    pub output: &'a Output,
    pub wishes: Wishes<'a>,
}

impl Download<'_> {
    /// Fills the partial file.
    pub fn run(&self, partial: &mut Partial) -> Result<Outcome> {
        keep_freed_memory();
        let mut attempts = Attempts::new(self.wishes.retries, self.wishes.retry_delay);
        loop {
            match self.attempt(partial) {
                Ok(outcome) => return Ok(outcome),
                Err(Failure::StartOver) => partial.start(Version::default())?,
                Err(Failure::Final(error)) => return Err(self.failed(error, attempts.made + 1)),
                Err(Failure::Retry { error, after }) => {
                    let Some(wait) = attempts.failed(partial.length(), after) else {
                        return Err(self.failed(impatient(error, after), attempts.made));
                    };
                    let (error, wait_shown) = (one_line(&error), wait.as_secs_f64());
                    say(&format!(
                        "data_download: {error}; trying again in {wait_shown:.1} s"
                    ));
                    thread::sleep(wait);
                }
            }
        }
    }

    fn failed(&self, error: Error, attempts: u32) -> Error {
        let shown = self.wishes.shown;
        error.context(match attempts {
            1 => format!("cannot download `{shown}`"),
            _ => format!("cannot download `{shown}` in {attempts} attempts"),
        })
    }

    /// One request, and as much of its body as comes.
    fn attempt(&self, partial: &mut Partial) -> Result<Outcome, Failure> {
        let ask = Ask {
            resume: partial.resume(),
            unless: self.wishes.known,
        };
        let Answer::Bytes(incoming) = self.runtime.block_on(self.remote.ask(&ask))? else {
            return Ok(Outcome::Unchanged);
        };
        if incoming.start == 0 {
            let started = partial.start(incoming.version.clone());
            started.map_err(Failure::Final)?;
        }
        let announced = incoming.version.length;
        self.check_size(announced.unwrap_or(0), partial)
            .map_err(Failure::Final)?;

        let received = self.transfer(*incoming, partial);
        let here = partial.length();
        match received {
            // A server may answer with less than it was asked for.
            Ok(()) if announced.is_none_or(|length| length == here) => Ok(Outcome::Complete),
            Ok(()) => Err(Failure::passing(anyhow!("{}", cut(here, announced)))),
            Err(Failure::Retry { error, after }) => {
                let error = error.context(cut(here, announced));
                Err(Failure::Retry { error, after })
            }
            Err(failure) => Err(failure),
        }
    }

    fn check_size(&self, bytes: u64, partial: &mut Partial) -> Result<()> {
        let checked = self.wishes.max_bytes.check(bytes);
        if checked.is_err() {
            partial.discard();
        }
        checked
    }

    /// Reads from the network while another thread writes to the disk.
    fn transfer(&self, mut incoming: Incoming, partial: &mut Partial) -> Result<(), Failure> {
        let (queue, queued) = mpsc::channel(QUEUE);
        let content_type = incoming.content_type.take();
        thread::scope(|scope| {
            let writer = scope.spawn(|| self.store(queued, partial, content_type.as_deref()));
            let received = self.runtime.block_on(self.receive(incoming, queue));
            let stored = writer.join().unwrap_or_else(|panic| resume_unwind(panic));
            // It may also be why nothing was received any more.
            stored.map_err(Failure::Final)?;
            received
        })
    }

    async fn receive(&self, incoming: Incoming, queue: Sender<Bytes>) -> Result<(), Failure> {
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

    fn store(
        &self,
        mut queued: Receiver<Bytes>,
        partial: &mut Partial,
        content_type: Option<&str>,
    ) -> Result<()> {
        let mut chunks = Vec::with_capacity(QUEUE);
        // What is packed is looked at when it is unpacked.
        let mut unseen = self.encoding(partial.version()).is_none();
        let mut open = true;
        while open {
            open = queued.blocking_recv_many(&mut chunks, QUEUE) > 0;
            let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
            let written = partial.write(&mut slices);
            written.with_context(|| self.output.cannot_write())?;
            chunks.clear();
            self.check_size(partial.length(), partial)?;
            if unseen && (!open || partial.length() >= HEAD as u64) {
                unseen = false;
                self.check_content(partial, content_type)?;
            }
        }
        Ok(())
    }

    /// How the bytes are packed to be sent. Where the file is called as if it were packed so, it is, and
    /// the server only says so once more.
    pub fn encoding(&self, version: &Version) -> Option<Packing> {
        let is_named = |packing: Packing| {
            let mut names = self.wishes.names.iter();
            names.any(|name| packing.is_in_name(name))
        };
        version.encoding.filter(|packing| !is_named(*packing))
    }

    fn check_content(&self, partial: &mut Partial, content_type: Option<&str>) -> Result<()> {
        let mut buffer = [0; HEAD];
        let head = partial.head(&mut buffer);
        let head = head.with_context(|| self.output.cannot_write())?;
        let checked = self.wishes.check(content_type, head);
        if checked.is_err() {
            partial.discard();
        }
        checked
    }
}

impl Wishes<'_> {
    /// Refuses what is not data, by its first bytes.
    pub fn check(&self, content_type: Option<&str>, head: &[u8]) -> Result<()> {
        content::look(head, content_type, self.allow_html)
    }
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

fn impatient(error: Error, after: Option<Duration>) -> Error {
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

fn one_line(error: &Error) -> String {
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    causes.join(": ")
}
