//! The file `PIPELINE_METRICS`, in which a step may tell numbers of its own.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::record::{self, Metric};
use super::spool::Spool;
use process::console::warn;
use process::files;

/// The largest part of it that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// So many complaints about it are told.
const SHOWN: usize = 5;

/// It is beside the file of the records, so that it does not stay when we are killed; in a temporary
/// folder only where that has no place.
#[derive(Debug)]
pub(crate) struct MetricsFile {
    path: PathBuf,
    spool: Spool,
    /// Removed when it is dropped.
    temporary: Option<tempfile::TempPath>,
}

impl MetricsFile {
    pub(crate) fn new(spool: &Spool, step: &str) -> Option<MetricsFile> {
        if let Some(path) = spool.metrics_file() {
            return Some(MetricsFile {
                path,
                spool: spool.clone(),
                temporary: None,
            });
        }
        let made = tempfile::Builder::new()
            .prefix("pipeline-metrics-")
            .tempfile();
        let warned = made.map_err(|error| {
            warn(&format!("step `{step}`: no file for its metrics: {error}"));
        });
        let temporary = warned.ok()?.into_temp_path();
        Some(MetricsFile {
            path: temporary.to_path_buf(),
            spool: spool.clone(),
            temporary: Some(temporary),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the step wrote, told as of `end`. The file is emptied or removed.
    pub(crate) fn read(self, step: &str, end: u64) -> Vec<Metric> {
        let (text, is_emptied) = self.text(step);
        if is_emptied && self.temporary.is_none() {
            self.spool.give_back(self.path);
        } else {
            std::fs::remove_file(&self.path).ok();
        }
        let (metrics, complaints) = record::metrics(&text, end);
        for complaint in complaints.iter().take(SHOWN) {
            warn(&format!("step `{step}`: PIPELINE_METRICS, {complaint}"));
        }
        if complaints.len() > SHOWN {
            let more = complaints.len() - SHOWN;
            warn(&format!(
                "step `{step}`: PIPELINE_METRICS, {more} more such lines"
            ));
        }
        metrics
    }

    /// What is in the file, and whether it is empty now.
    fn text(&self, step: &str) -> (String, bool) {
        let mut bytes = Vec::new();
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return (String::new(), false);
        };
        // A step may have put anything in its place.
        let read = files::open_folder(folder)
            .and_then(|folder| files::open_in(&folder, Path::new(name), OFlags::RDWR))
            .and_then(|mut file| {
                (&mut file).take(MAX_FILE + 1).read_to_end(&mut bytes)?;
                // Another name of it is the step's own.
                Ok(file.metadata()?.nlink() == 1 && file.set_len(0).is_ok())
            });
        let is_emptied = read.unwrap_or_else(|error| {
            if error.kind() != std::io::ErrorKind::NotFound {
                warn(&format!(
                    "step `{step}`: its PIPELINE_METRICS does not count: {error}"
                ));
            }
            false
        });
        let text = String::from_utf8_lossy(&bytes);
        if text.len() as u64 <= MAX_FILE {
            return (text.into_owned(), is_emptied);
        }
        warn(&format!(
            "step `{step}`: of its PIPELINE_METRICS only the first MiB counts"
        ));
        let whole = text.rfind('\n').unwrap_or(0);
        (text[..whole].to_owned(), is_emptied)
    }
}
