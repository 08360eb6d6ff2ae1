//! What is recorded when: a run for the pipeline and, nested in it, one for each try of a step, in
//! the tracking store that MLflow's own tools show.
//!
//! The store has to be there before the first step. When it goes away later the steps go on: what
//! it did not take is kept in a file, in order, and sent when it is back.

#![warn(missing_docs)]

mod alias;
mod answer;
mod artifacts;
mod check;
mod client;
mod compare;
mod delivery;
mod error;
mod experiments;
mod facts;
mod follow;
mod http;
mod leftover;
mod look;
mod metrics;
mod names;
mod origin;
mod past;
mod record;
mod recorder;
mod resend;
mod rest;
mod settings;
mod spool;
mod sqlite;
mod store;
mod stored;
mod subject;
mod thread;
mod tls;
mod tracker;
mod waiting;
mod wire;

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use settings::Settings;

pub use check::check;
pub use compare::{Change, Changes, Difference, Measured, difference};
pub use error::{TrackingError, Waiting};
pub use experiments::experiments;
pub use look::{Found, Listed, Records};
pub use names::refused_name;
pub use origin::{Before, Origin};
pub use past::{Past, PastRun};
pub use record::{Pairs, Status, parameters as as_recorded};
pub use resend::resend;
pub use stored::StoredRun;
pub use subject::{Attempt, Ending, Pipeline, signal_tag};
pub use tracker::{StepRun, Tracker};

/// What the command line says of tracking. Where it says nothing MLflow's variables count.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The store, by default `MLFLOW_TRACKING_URI`, then `mlflow.db` in the pipeline's folder: http(s), or
    /// `sqlite:///FILE`, relative to the caller's folder.
    pub uri: Option<String>,
    /// Whether nothing is recorded, whatever the rest says.
    pub off: bool,
    /// The experiment by its name, by default `MLFLOW_EXPERIMENT_NAME`; made if there is none. With neither
    /// name nor id it is MLflow's own, with id 0.
    pub experiment_name: Option<String>,
    /// The experiment by its id, by default `MLFLOW_EXPERIMENT_ID`; it has to be there.
    pub experiment_id: Option<String>,
    /// The name of the pipeline's run, by default `MLFLOW_RUN_NAME`, then that of the pipeline.
    pub run_name: Option<String>,
}

/// The sqlite file in which a run would be recorded, if it is one. `root` and `caller` are as for [`Tracker::open`].
pub fn database(options: &Options, root: &Path, caller: &Path) -> Option<PathBuf> {
    match Settings::new(options, root, caller).ok()?.place? {
        settings::Place::Database(database) => Some(database.path),
        settings::Place::Server(_) => None,
    }
}

/// 32 hexadecimal digits that nobody else has, as MLflow's run ids are.
pub fn new_key() -> String {
    // Each of these states has random keys of its own.
    let half = || RandomState::new().hash_one((SystemTime::now(), std::process::id()));
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_a_key_of_its_own() {
        let keys = [new_key(), new_key(), new_key()];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        let is_hexadecimal = |key: &String| key.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(
            keys.iter()
                .all(|key| key.len() == 32 && is_hexadecimal(key))
        );
    }
}
