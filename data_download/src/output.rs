//! The file to write, and the names of those that lie beside it meanwhile.

use std::env;
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::access::may_follow;
use crate::files;

/// The name that stands for standard output.
const STANDARD: &str = "-";

/// Where the file is to be put.
pub enum Output {
    /// Standard output, which nothing is known about and which gets the bytes when all are there.
    Standard,
    File(Place),
}

/// A file to write, and the names beside it.
#[derive(Clone)]
pub struct Place {
    given: PathBuf,
    target: PathBuf,
}

/// Whether a path stands for standard output.
pub fn is_standard(path: &Path) -> bool {
    path == STANDARD
}

impl Output {
    /// Checks what the user gave.
    pub fn new(given: &Path) -> Result<Output> {
        if !is_standard(given) {
            return Place::new(given).map(Output::File);
        }
        ensure!(
            !io::stdout().is_terminal(),
            "standard output is a terminal, which would obey what is in the file; \
             expected a file or a pipe, such as `--output - | less`"
        );
        Ok(Output::Standard)
    }

    /// The file, if it is one.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Output::Standard => None,
            Output::File(place) => Some(place),
        }
    }

    /// How people see it.
    pub fn shown(&self) -> String {
        match self {
            Output::Standard => shown(Path::new(STANDARD)),
            Output::File(place) => shown(&place.given),
        }
    }

    /// What an error of writing the bytes begins with.
    pub fn cannot_write(&self) -> String {
        match self {
            Output::Standard => cannot_keep(),
            Output::File(place) => place.cannot_write(),
        }
    }
}

/// How people see what was given as the output.
pub fn shown(given: &Path) -> String {
    if is_standard(given) {
        return "standard output".to_owned();
    }
    given.display().to_string()
}

/// What an error of writing begins with, before the bytes go to standard output.
pub fn cannot_keep() -> String {
    let folder = env::temp_dir();
    format!("cannot write a file in folder `{}`", folder.display())
}

impl Place {
    /// Checks the path that the user gave. A link is followed, so that it stays one; a device or
    /// pipe is refused, as a rename would replace it by a file.
    fn new(given: &Path) -> Result<Place> {
        let shown = given.display();
        ensure!(
            !is_descriptor(given),
            "output `{shown}` stands for an open file, which a download would replace; \
             expected the name of a file, or `-` for standard output"
        );
        let names_a_folder = given.file_name().is_none() || shown.to_string().ends_with('/');
        ensure!(
            !names_a_folder && !given.is_dir(),
            "output `{shown}` is a folder, expected the name of a file"
        );
        ensure!(
            !given.exists() || given.is_file(),
            "output `{shown}` is not a regular file"
        );
        let target = if given.is_symlink() {
            ensure!(
                may_follow(given, folder(given)),
                "output `{shown}` is another user's link, in a folder that everybody can write to"
            );
            fs::canonicalize(given).with_context(|| format!("cannot follow the link `{shown}`"))?
        } else {
            given.to_owned()
        };
        Ok(Place {
            given: given.to_owned(),
            target,
        })
    }

    /// The path as the user gave it.
    pub fn shown(&self) -> std::path::Display<'_> {
        self.given.display()
    }

    /// The path to rename to.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The bytes that have come so far.
    pub fn partial(&self) -> PathBuf {
        self.beside(".partial")
    }

    /// The record of the version whose bytes those are.
    pub fn partial_record(&self) -> PathBuf {
        self.beside(".partial.source")
    }

    /// The unpacked bytes before they are put into place.
    pub fn unpacked(&self) -> PathBuf {
        self.beside(".partial.unpacked")
    }

    /// The record of where the file that is there comes from.
    pub fn record(&self) -> PathBuf {
        self.beside(".source")
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut path = self.target.as_os_str().to_owned();
        path.push(end);
        PathBuf::from(path)
    }

    /// Checks that nothing is in the way of the files beside the output that are going to be made:
    /// those that are always needed, the record if the download is `remembered`, and the unpacked
    /// file if it is to be `unpacked`.
    pub fn check_names(&self, remembered: bool, unpacked: bool) -> Result<()> {
        let record = remembered.then(|| self.record());
        let unpacked = unpacked.then(|| self.unpacked());
        for path in [Some(self.partial_record()), record, unpacked] {
            if let Some(path) = path.filter(|path| path.is_dir() && !path.is_symlink()) {
                return Err(files::in_the_way(&path, io::ErrorKind::IsADirectory.into()));
            }
        }
        Ok(())
    }

    /// Makes the name of a file that was put into place durable.
    pub fn sync_folder(&self) -> Result<()> {
        let folder = File::open(folder(&self.target)).with_context(|| self.cannot_write())?;
        match folder.sync_all() {
            // Some file systems, mostly remote ones, cannot do this for a folder.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced.with_context(|| self.cannot_write()),
        }
    }

    pub fn cannot_create(&self) -> String {
        format!(
            "cannot create a file in folder `{}`",
            folder(&self.target).display()
        )
    }

    pub fn cannot_write(&self) -> String {
        format!("cannot write `{}`", self.target.display())
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != "" => parent,
        _ => Path::new("."),
    }
}

/// Whether a path leads to what a process has open, as `/dev/stdout` does. The file behind it has more
/// than the download in it.
fn is_descriptor(path: &Path) -> bool {
    // As many links as Linux follows.
    let mut path = path.to_owned();
    for _ in 0..40 {
        let folder = folder(&path).canonicalize().unwrap_or_default();
        if folder.starts_with("/proc") && folder.ends_with("fd") || folder == Path::new("/dev/fd") {
            return true;
        }
        let Ok(next) = fs::read_link(&path) else {
            return false;
        };
        path = folder.join(next);
    }
    false
}
