//! Copies a local file into the partial file.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::partial::Partial;
use crate::progress;

const BUFFER: usize = 256 * 1024;

/// Copies `source` and returns the number of bytes. The source may be the output itself: it is
/// read to its end before anything replaces it.
pub(crate) fn copy(source: &Path, partial: &mut Partial) -> Result<u64> {
    let shown = source.display();
    let file = File::open(source).with_context(|| {
        format!("cannot open `{shown}`, expected an http, https or file URL or the path of a file")
    })?;
    let cannot_read = || format!("cannot read `{shown}`");
    let metadata = file.metadata().with_context(cannot_read)?;
    ensure!(!metadata.is_dir(), "`{shown}` is a folder, expected a file");

    let progress = progress::bar(metadata.is_file().then_some(metadata.len()));
    let mut reader = BufReader::with_capacity(BUFFER, file);
    let mut copied = 0;
    loop {
        let bytes = reader.fill_buf().with_context(cannot_read)?;
        if bytes.is_empty() {
            return Ok(copied);
        }
        partial.write(bytes)?;
        let length = bytes.len();
        reader.consume(length);
        copied += length as u64;
        progress.set_position(copied);
    }
}
