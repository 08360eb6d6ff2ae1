//! What the steps of one run share: hashes that are known, and the code of their folders.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use process::console;

use crate::content::{Failure, Hash, Hashed, Stat, hash_file};
use crate::listing::{self, Listed};
use crate::names::Base;
use crate::progress::Progress;

/// Whether a run leaves out what is up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// Every file is hashed.
    On,
    /// Large files are recorded by their stat alone.
    Off,
}

/// The largest file that is hashed in any case, in bytes.
pub(crate) const ALWAYS_HASHED: u64 = 64 << 20;

/// What the steps of one run share: hashes that are known, and the code of their folders. Copies of it
/// are the same.
#[derive(Clone)]
pub struct Files(Arc<Shared>);

struct Shared {
    base: Base,
    caching: Caching,
    is_interrupted: Box<dyn Fn() -> bool + Send + Sync>,
    /// By device and stat, as far as that is trusted.
    hashes: Mutex<HashMap<(u64, Stat), Hash>>,
    /// With the number of steps that were finished before.
    listed: Mutex<HashMap<PathBuf, (u64, Arc<Listed>)>>,
    finished: AtomicU64,
    is_refusal_told: AtomicBool,
}

impl fmt::Debug for Files {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = &self.0.base;
        formatter
            .debug_struct("Files")
            .field("base", base)
            .finish_non_exhaustive()
    }
}

impl Files {
    /// For a run of the pipeline in this folder. Hashing ends when the closure says that the run was
    /// interrupted.
    pub fn new(
        root: &Path,
        caching: Caching,
        is_interrupted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Files {
        Files(Arc::new(Shared {
            base: Base::new(root),
            caching,
            is_interrupted: Box::new(is_interrupted),
            hashes: Mutex::default(),
            listed: Mutex::default(),
            finished: AtomicU64::new(0),
            is_refusal_told: AtomicBool::new(false),
        }))
    }

    /// Finds the code in these folders, by one question to git for each work tree. Steps whose folders
    /// are not named here ask on their own.
    pub fn list_code(&self, folders: &[&Path]) {
        self.listed(folders.iter().map(|it| it.to_path_buf()).collect());
    }

    pub(crate) fn base(&self) -> &Base {
        &self.0.base
    }

    pub(crate) fn hashes_all(&self) -> bool {
        self.0.caching == Caching::On
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        (self.0.is_interrupted)()
    }

    /// The code in a folder. What a finished step may have made there counts if it has to be `current`.
    pub(crate) fn code(&self, folder: &Path, current: bool) -> Arc<Listed> {
        let finished = self.0.finished.load(Ordering::SeqCst);
        let listed = lock(&self.0.listed).get(folder).cloned();
        if let Some((_, files)) = listed.filter(|(then, _)| !current || *then == finished) {
            return files;
        }
        let mut listed = self.listed(vec![folder.to_owned()]);
        listed.pop().unwrap_or_default()
    }

    /// A step has ended: it may have made files that are code.
    pub(crate) fn forget_code(&self) {
        self.0.finished.fetch_add(1, Ordering::SeqCst);
    }

    fn listed(&self, folders: Vec<PathBuf>) -> Vec<Arc<Listed>> {
        let refused = |top: &Path, complaint: &str| {
            if !self.0.is_refusal_told.swap(true, Ordering::SeqCst) {
                let first = complaint.lines().next().unwrap_or_default();
                let top = mlproject::paths::shown(top);
                console::warn(&format!(
                    "git does not list the code in {top}, so every file that is not hidden counts: {first}"
                ));
            }
        };
        // Nobody lists the same meanwhile.
        let mut known = lock(&self.0.listed);
        let finished = self.0.finished.load(Ordering::SeqCst);
        let listed = listing::list(&folders, &refused).into_iter().map(Arc::new);
        let listed: Vec<Arc<Listed>> = listed.collect();
        let entries = folders.into_iter().zip(&listed);
        known.extend(entries.map(|(folder, files)| (folder, (finished, Arc::clone(files)))));
        listed
    }

    /// The hash of a file that was seen with this stat.
    pub(crate) fn hash(
        &self,
        path: &Path,
        device: u64,
        stat: Stat,
        progress: &mut Progress,
    ) -> Result<Hashed, Failure> {
        if let Some(hash) = self.known(device, stat) {
            return Ok(Hashed {
                stat,
                hash,
                is_settled: true,
            });
        }
        let hashed = hash_file(path, progress)?;
        if hashed.is_settled {
            self.learn(device, hashed.stat, hashed.hash);
        }
        Ok(hashed)
    }

    pub(crate) fn known(&self, device: u64, stat: Stat) -> Option<Hash> {
        lock(&self.0.hashes).get(&(device, stat)).copied()
    }

    /// The stat is trusted to stand for this content.
    pub(crate) fn learn(&self, device: u64, stat: Stat, hash: Hash) {
        lock(&self.0.hashes).insert((device, stat), hash);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
