//! Copies a local file into the partial file.

use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, IoSlice};
use std::path::{Component, Path};

use anyhow::{Context, Result, anyhow, ensure};

use crate::keep::Partial;
use crate::keep::record::stamp;
use crate::limits::MaxBytes;
use crate::output::Output;
use crate::progress;
use crate::remote::version::Version;

const BUFFER: usize = 256 * 1024;

/// Opens `source` for reading and tells its version.
pub fn open(source: &Path) -> Result<(File, Version)> {
    let shown = source.display();
    let file = File::open(source).map_err(|error| {
        let hint = if is_like_a_host(source) {
            format!("; is it `https://{shown}`?")
        } else {
            String::new()
        };
        anyhow!(
            "cannot open `{shown}`: {error}; expected an http, https or file URL or the path of a file{hint}"
        )
    })?;
    let metadata = file.metadata().with_context(|| cannot_read(source))?;
    ensure!(!metadata.is_dir(), "`{shown}` is a folder, expected a file");
    let version = version(&metadata);
    Ok((file, version))
}

/// Whether a path begins like `example.com/`, so that its scheme was forgotten.
fn is_like_a_host(path: &Path) -> bool {
    let mut parts = path.components();
    let Some(Component::Normal(first)) = parts.next() else {
        return false;
    };
    let is_domain = first.to_str().and_then(|first| first.split_once('.'));
    is_domain.is_some_and(|(name, top)| !name.is_empty() && !top.is_empty())
        && parts.next().is_some()
        && !Path::new(first).exists()
}

/// A file has no tag; its stamp stands for one.
fn version(metadata: &Metadata) -> Version {
    let is_file = metadata.is_file();
    Version {
        etag: is_file.then(|| stamp(metadata)),
        length: is_file.then_some(metadata.len()),
        ..Version::default()
    }
}

/// Copies all of `file`, which was opened from `source`. It may be the output itself: it is read
/// to its end before anything replaces it.
pub fn copy(
    (source, file): (&Path, File),
    output: &Output,
    partial: &mut Partial,
    max_bytes: MaxBytes,
) -> Result<()> {
    let metadata = file.metadata().with_context(|| cannot_read(source))?;
    ensure!(
        !partial.is(&metadata),
        "`{}` is where the download itself is kept, expected another file",
        source.display()
    );
    let version = version(&metadata);
    let progress = progress::bar(version.length, 0);
    partial.start(version)?;
    let mut reader = BufReader::with_capacity(BUFFER, file);
    loop {
        let bytes = reader.fill_buf().with_context(|| cannot_read(source))?;
        if bytes.is_empty() {
            return Ok(());
        }
        let written = partial.write(&mut [IoSlice::new(bytes)]);
        written.with_context(|| output.cannot_write())?;
        let length = bytes.len();
        reader.consume(length);
        progress.inc(length as u64);
        max_bytes.check(partial.length())?;
    }
}

fn cannot_read(source: &Path) -> String {
    format!("cannot read `{}`", source.display())
}
