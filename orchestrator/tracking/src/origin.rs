//! Whose a run is, and which one it follows.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::facts::{self, Trees};
use crate::record::Pairs;

/// The name of the page about a run among its artifacts.
pub(crate) const PAGE: &str = "report.html";

/// What is known of a pipeline's run when it begins.
#[derive(Debug, Default)]
pub struct Origin {
    /// Who has started it.
    pub user: String,
    /// The commit of the pipeline's folder, if that is in a work tree of git.
    pub commit: Option<String>,
    /// Its id in the store; none if nothing is recorded, or the store has not said.
    pub run: Option<String>,
    /// Where a page about it will be on this machine, absolute; none if nothing is recorded.
    pub page: Option<PathBuf>,
}

/// A run of the same pipeline. Its texts are what a store says: nothing in them can be trusted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// When it started, in milliseconds since 1970.
    pub(crate) start: u64,
    /// The pipeline's own parameters.
    pub parameters: Pairs,
    /// The parameters of the steps that ran, by the step's name; those of the last try come last.
    pub steps: Vec<(String, Pairs)>,
}

impl Before {
    /// When it started.
    pub fn start(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.start)
    }
}

impl Origin {
    /// That of a run that is not recorded.
    pub(crate) fn unrecorded(root: &Path) -> Origin {
        Origin {
            user: facts::user(),
            commit: Trees::default().commit(root),
            ..Origin::default()
        }
    }
}
