//! The page about a run, and the run before it.

use std::path::{Path, PathBuf};

use process::console::warn;
use process::files::replace;

use super::Recorder;
use crate::origin::{Before, Origin, PAGE};
use crate::store::LogFolder;

/// The page about a run.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// Where it is written, absolute.
    pub(super) file: PathBuf,
    /// Its place below the folder that has `mlruns`, if it has to be sent from there to the store.
    pub(super) to_send: Option<PathBuf>,
    /// Whether it could not be written, which is said once.
    is_lost: bool,
}

impl Recorder {
    /// What is known of the pipeline's run, which has begun.
    pub(crate) fn origin(&mut self, pipeline: &str, root: &Path) -> Origin {
        let known = self.store.known.get(&self.pipeline);
        let run = known.map(|known| known.id.clone());
        self.looks_back_for = Some(pipeline.to_owned());
        Origin {
            user: self.user.clone(),
            commit: self.trees.commit(root),
            run,
            page: Some(self.page().file),
        }
    }

    /// Finds the run before this one, once, if somebody wants to know. That it cannot be found is no harm.
    pub(crate) fn look_back(&mut self) -> Option<Before> {
        let pipeline = self.looks_back_for.take()?;
        let run = self.store.known.get(&self.pipeline)?.id.clone();
        if self.is_away {
            return None;
        }
        self.store.before(&pipeline, &run).ok().flatten()
    }

    /// Where the page about the run is. In a run of somebody else a page of that name stays as it is.
    pub(super) fn page(&mut self) -> Page {
        if let Some(page) = &self.page {
            return page.clone();
        }
        let (folder, is_elsewhere) = match self.store.log_folder(&self.pipeline) {
            LogFolder::Final(folder) => (folder, false),
            LogFolder::Ours(folder) => (self.base.join(folder), true),
        };
        let mut file = folder.join(PAGE);
        for number in 2.. {
            if self.is_ours || file.symlink_metadata().is_err() {
                break;
            }
            file.set_file_name(format!("report-{number}.html"));
        }
        let below = file.strip_prefix(&self.base).ok();
        let to_send = below.filter(|_| is_elsewhere).map(Path::to_owned);
        if let (true, Some(below)) = (self.is_ours, &to_send) {
            // For one who has to end the run in our place.
            let noted = self.spool.log_at(&self.pipeline, below);
            self.check(noted);
        }
        let is_lost = false;
        let page = Page {
            file,
            to_send,
            is_lost,
        };
        self.page.insert(page).clone()
    }

    /// Writes the page about the run anew.
    pub(crate) fn write_page(&mut self, text: &str) {
        let Page { file, is_lost, .. } = self.page();
        if let Err(error) = replace(&file, text.as_bytes())
            && !is_lost
        {
            let shown = mlproject::paths::shown(&file);
            warn(&format!("the report {shown} cannot be written: {error}"));
            if let Some(page) = &mut self.page {
                page.is_lost = true;
            }
        }
    }
}
