//! The input as a stream of bytes, unpacked, and watched while it is read.

use std::env;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use flate2::read::MultiGzDecoder;

use crate::files::format::{Format, check_csv};
use crate::files::is_standard;
use crate::files::progress::Progress;

/// The bytes that are read of a compressed file at once.
const COMPRESSED: usize = 128 << 10;

/// The first bytes of the text, which tell what is no CSV.
const START: u64 = 1 << 10;

const CHANGED: &str = "it changed while it was read";

/// An open file, and what it was like when it was opened.
pub struct Input {
    file: File,
    /// What the file of this name was like when it was opened.
    opened: Metadata,
    /// What the file that is read was like before.
    state: Metadata,
    /// Whether it can be read again from its start.
    is_regular: bool,
    /// The bytes that came of the [text](Self::text), and whether anybody asked for it.
    counter: Arc<AtomicU64>,
    streamed: AtomicBool,
    progress: Arc<Mutex<Progress>>,
}

impl Input {
    /// Opens a file or a pipe; who waits for a pipe for long is told so.
    pub fn open(path: &Path) -> Result<Self> {
        let is_standard = is_standard(path);
        let file = if is_standard {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            open(path)?
        };
        let before = file.metadata()?;
        ensure!(!before.is_dir(), "it is a folder, expected a file");
        let size = before.is_file().then_some(before.len());
        let progress = Arc::new(Mutex::new(Progress::new(size)));
        Ok(Self {
            // Others may have read a part of what comes in already.
            is_regular: before.is_file() && !is_standard,
            file,
            opened: before.clone(),
            state: before,
            counter: Arc::default(),
            streamed: AtomicBool::new(false),
            progress,
        })
    }

    /// Whether the file can be read again from its start.
    pub fn is_regular(&self) -> bool {
        self.is_regular
    }

    /// What the file was like when it was opened.
    pub fn opened(&self) -> &Metadata {
        &self.opened
    }

    /// The text of a CSV or NDJSON file, unpacked, from where the file was read to.
    pub fn text(&self, format: Format) -> Result<Box<dyn Read + Send>> {
        let mut raw = self.counted()?;
        let mut start = Vec::new();
        raw.by_ref().take(4).read_to_end(&mut start)?;
        let packed = Packed::of(&start);
        let raw = io::Cursor::new(start).chain(raw);
        let buffered = |raw| BufReader::with_capacity(COMPRESSED, raw);
        let mut text: Box<dyn Read + Send> = match packed {
            Packed::No => Box::new(raw),
            Packed::Gzip => Box::new(MultiGzDecoder::new(buffered(raw))),
            Packed::Zstd => Box::new(zstd::Decoder::with_buffer(buffered(raw))?),
        };
        let mut start = Vec::new();
        text.by_ref().take(START).read_to_end(&mut start)?;
        if format == Format::Csv {
            check_csv(&start)?;
        }
        Ok(Box::new(io::Cursor::new(start).chain(text)))
    }

    /// The bytes as they are, from where the file was read to.
    fn counted(&self) -> Result<Counted> {
        self.streamed.store(true, Ordering::Relaxed);
        Ok(Counted {
            file: self.file.try_clone()?,
            counter: Arc::clone(&self.counter),
            progress: Arc::clone(&self.progress),
        })
    }

    /// The bytes read of the file, after making sure that it is still what it was.
    pub fn finish(&self) -> Result<u64> {
        lock(&self.progress).finish();
        self.unchanged()?;
        if !self.streamed.load(Ordering::Relaxed) {
            // Read wherever its parts lie, and so as a whole.
            return Ok(self.state.len());
        }
        let read = self.counter.load(Ordering::Relaxed);
        ensure!(!self.is_regular() || read >= self.state.len(), CHANGED);
        Ok(read)
    }

    /// Makes sure that the file is what it was when it was opened.
    pub fn unchanged(&self) -> Result<()> {
        let after = self.file.metadata()?;
        let state = |of: &Metadata| (of.len(), of.mtime(), of.mtime_nsec());
        let same = !self.is_regular() || state(&after) == state(&self.state);
        ensure!(same, CHANGED);
        Ok(())
    }
}

/// For what is not read once, from the start to the end.
impl Input {
    /// Makes sure that the file can be read again: what comes from a pipe is put into a file
    /// without a name, and then read from there.
    pub fn keep(&mut self) -> Result<()> {
        if !self.is_regular {
            let raw = self.counted()?;
            self.put_aside(raw)?;
        }
        Ok(())
    }

    /// The same for text, which is unpacked by that.
    #[cfg(feature = "tables")]
    pub fn keep_unpacked(&mut self, format: Format) -> Result<()> {
        let mut start = Vec::new();
        if self.is_regular {
            self.at_start()?.take(4).read_to_end(&mut start)?;
            self.rewind()?;
        }
        if !self.is_regular || Packed::of(&start) != Packed::No {
            let text = self.text(format)?;
            self.put_aside(text)?;
        }
        Ok(())
    }

    /// Copies all of it into a file without a name, and takes that in its place.
    fn put_aside(&mut self, mut bytes: impl Read) -> Result<()> {
        let copied = tempfile::tempfile().and_then(|mut file| {
            io::copy(&mut bytes, &mut file)?;
            Ok(file)
        });
        let folder = env::temp_dir();
        let why = || {
            format!(
                "it has to be read twice, and copied to `{}`",
                folder.display()
            )
        };
        let file = copied.with_context(why)?;
        self.finish()?;
        self.file = file;
        self.state = self.file.metadata()?;
        self.is_regular = true;
        self.streamed.store(false, Ordering::Relaxed);
        self.rewind()
    }

    /// Goes back to the start, to read everything again.
    pub fn rewind(&self) -> Result<()> {
        self.at_start()?;
        self.counter.store(0, Ordering::Relaxed);
        lock(&self.progress).restart();
        Ok(())
    }

    /// The file at its start, without any progress to be seen.
    pub fn at_start(&self) -> Result<File> {
        let mut file = self.file.try_clone()?;
        io::Seek::rewind(&mut file)?;
        Ok(file)
    }
}

#[cfg(feature = "tables")]
impl Input {
    /// Shows that so much of all was read, wherever in the file it is.
    pub fn show(&self, part: u64, all: u64) {
        let size = u128::from(self.state.len());
        let bytes = size * u128::from(part) / u128::from(all.max(part).max(1));
        lock(&self.progress).reach(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// Opens a file for reading, a named pipe only when something comes or its other end was closed.
///
/// The system would wait without a word until somebody opens a named pipe for writing.
#[cfg(target_os = "linux")]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::FileTypeExt;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
    use rustix::io::retry_on_intr;

    // How long there may be nothing to read before that is told.
    const PATIENCE: Timespec = Timespec {
        tv_sec: 2,
        tv_nsec: 0,
    };

    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.file_type().is_fifo() {
        let mut ready = [PollFd::new(&file, PollFlags::IN)];
        if retry_on_intr(|| poll(&mut ready, Some(&PATIENCE)))? == 0 {
            let path = path.to_string_lossy();
            crate::console::say(&format!(
                "data_cleaning: waiting for something to read from the pipe `{}`",
                crate::console::printable(&path)
            ));
            retry_on_intr(|| poll(&mut ready, None))?;
        }
    }
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// What was counted stands, even if a thread that counted panicked.
fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(PartialEq)]
enum Packed {
    No,
    Gzip,
    Zstd,
}

impl Packed {
    /// How a file is packed that begins with these bytes.
    fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // The second is that of a frame to be skipped, which parallel packers begin with.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::No,
        }
    }
}

/// A file that tells how far it has been read.
struct Counted {
    file: File,
    counter: Arc<AtomicU64>,
    progress: Arc<Mutex<Progress>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let before = self.counter.fetch_add(read as u64, Ordering::Relaxed);
        lock(&self.progress).reach(before + read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;

    /// Reads a file whose content is changed after its start was read.
    fn read_while(change: impl FnOnce(&Path)) -> Result<u64, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "a,b\n1,2\n".repeat(100)).unwrap();
        // Time enough to tell the change from the writing.
        let earlier = std::time::SystemTime::now() - std::time::Duration::from_mins(1);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_modified(earlier).unwrap();

        let input = Input::open(&path).unwrap();
        let mut text = input.text(Format::Csv).unwrap();
        text.read_exact(&mut [0; 50]).unwrap();
        change(&path);
        io::copy(&mut text, &mut io::sink()).unwrap();
        input.finish().map_err(|error| error.to_string())
    }

    #[test]
    fn a_change_is_noticed() {
        let changed = Err("it changed while it was read".to_owned());
        assert_eq!(read_while(|_| ()), Ok(800));
        let append = |path: &Path| {
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(b"3,4\n").unwrap();
        };
        assert_eq!(read_while(append), changed);
        assert_eq!(read_while(|path| fs::write(path, "x").unwrap()), changed);
        let same_size = |path: &Path| fs::write(path, "3,4\n".repeat(200)).unwrap();
        assert_eq!(read_while(same_size), changed);
        // The open file is still the old one.
        assert_eq!(read_while(|path| fs::remove_file(path).unwrap()), Ok(800));
    }
}
