//! The file to write, and the names of those that lie beside it meanwhile.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::record::{Record, stamp};

/// Where the file is to be put.
pub(crate) struct Output {
    given: PathBuf,
    target: PathBuf,
}

impl Output {
    /// Checks the path that the user gave. A link is followed, so that it stays one; a device or
    /// pipe is refused, as a rename would replace it by a file.
    pub(crate) fn new(given: &Path) -> Result<Output> {
        let shown = given.display();
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
            fs::canonicalize(given).with_context(|| format!("cannot follow the link `{shown}`"))?
        } else {
            given.to_owned()
        };
        Ok(Output {
            given: given.to_owned(),
            target,
        })
    }

    /// The path as the user gave it.
    pub(crate) fn shown(&self) -> std::path::Display<'_> {
        self.given.display()
    }

    /// The path to rename to.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The bytes that have come so far.
    pub(crate) fn partial(&self) -> PathBuf {
        self.beside(".partial")
    }

    /// The record of the version whose bytes those are.
    pub(crate) fn partial_record(&self) -> PathBuf {
        self.beside(".partial.source")
    }

    /// The unpacked bytes before they are put into place.
    pub(crate) fn unpacked(&self) -> PathBuf {
        self.beside(".partial.unpacked")
    }

    fn record(&self) -> PathBuf {
        self.beside(".source")
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut path = self.target.as_os_str().to_owned();
        path.push(end);
        PathBuf::from(path)
    }

    /// What is known about the file that is there, unless somebody changed it since.
    pub(crate) fn known(&self, request: &str) -> Option<Record> {
        let record = Record::load(&self.record())?;
        let intact = record.request == request && Some(&record.mark) == self.mark().as_ref();
        intact.then_some(record)
    }

    /// Remembers where the file that is there now comes from.
    pub(crate) fn remember(&self, mut record: Record) -> Result<()> {
        let path = self.record();
        let cannot_write = || format!("cannot write `{}`", path.display());
        record.mark = self.mark().with_context(cannot_write)?;
        record.save(&path).with_context(cannot_write)
    }

    /// Makes the name of a file that was put into place durable.
    pub(crate) fn sync_folder(&self) -> Result<()> {
        let folder = File::open(self.folder()).with_context(|| self.cannot_write())?;
        match folder.sync_all() {
            // Some file systems, mostly remote ones, cannot do this for a folder.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced.with_context(|| self.cannot_write()),
        }
    }

    /// Changes with the content of the file, if there is one.
    fn mark(&self) -> Option<String> {
        fs::metadata(&self.target).ok().as_ref().map(stamp)
    }

    fn folder(&self) -> &Path {
        match self.target.parent() {
            Some(parent) if parent != "" => parent,
            _ => Path::new("."),
        }
    }

    pub(crate) fn cannot_create(&self) -> String {
        format!(
            "cannot create a file in folder `{}`",
            self.folder().display()
        )
    }

    pub(crate) fn cannot_write(&self) -> String {
        format!("cannot write `{}`", self.target.display())
    }
}
