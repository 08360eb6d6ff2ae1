//! A local file.

use std::fs::{File, Metadata};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};

use crate::keep::record::stamp;
use crate::remote::ask::{Answer, Ask, Incoming};
use crate::remote::body::{Body, LocalBody};
use crate::remote::failure::Failure;
use crate::remote::version::Version;

/// A local file that is open.
pub struct Local {
    path: PathBuf,
    file: File,
    metadata: Metadata,
}

impl Local {
    /// Opens the file at `path` for reading.
    pub fn new(path: PathBuf) -> Result<Local> {
        let shown = path.display();
        let file = File::open(&path).map_err(|error| {
        let hint = if is_like_a_host(&path) {
            format!("; is it `https://{shown}`?")
        } else {
            String::new()
        };
        anyhow!(
            "cannot open `{shown}`: {error}; expected an http, https or file URL or the path of a \
                 file{hint}"
        )
    })?;
        let metadata = file.metadata().with_context(|| cannot_read(&path))?;
        ensure!(!metadata.is_dir(), "`{shown}` is a folder, expected a file");
        Ok(Local {
            path,
            file,
            metadata,
        })
    }

    /// What the system knows about the file.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// It may be the output itself: it is read to its end before anything replaces it.
    pub fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let version = version(&self.metadata);
        if version.etag.is_some() && ask.unless == Some(&version) {
            return Ok(Answer::Unchanged);
        }
        let file = self.file.try_clone();
        let file = file.with_context(|| cannot_read(&self.path));
        Ok(Answer::Bytes(Box::new(Incoming {
            start: 0,
            content_type: None,
            body: Body::Local(LocalBody {
                file: file.map_err(Failure::Final)?,
                left: version.length,
                cannot_read: cannot_read(&self.path),
            }),
            version,
        })))
    }
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
        // Some files of the system say 0 and hold more.
        length: Some(metadata.len()).filter(|length| is_file && *length > 0),
        ..Version::default()
    }
}

fn cannot_read(source: &Path) -> String {
    format!("cannot read `{}`", source.display())
}
