//! What is recorded of: a pipeline, a try of one of its steps, and how each ended.

use std::path::PathBuf;

use mlproject::{Backend, Manager};

use crate::record::{Pairs, Status};

/// A pipeline that runs.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name, by which its runs are found again.
    pub name: String,
    /// Its folder, absolute.
    pub root: PathBuf,
    /// Its own values, as they are; what is secret is hidden when it is recorded.
    pub parameters: Vec<(String, String)>,
    /// The experiments of steps that have one of their own, by name. Those that are not there are made.
    pub experiments: Vec<String>,
}

/// A try of a step.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The step's name.
    pub step: String,
    /// Which try of the step it is, counted from 1.
    pub number: u32,
    /// The experiment of its run, by name; none for the pipeline's.
    pub experiment: Option<String>,
    /// The entry point that runs.
    pub entry_point: String,
    /// What makes its environment; `local` is not recorded.
    pub manager: Manager,
    /// What tells its environment from others.
    pub environment: String,
    /// Where it runs.
    pub backend: Backend,
    /// The folder of its project, absolute; also where a project was fetched to.
    pub project: PathBuf,
    /// Where the pipeline says that the project is; none for the folder of the step's name.
    pub source: Option<String>,
    /// Its values, as they are; what is secret is hidden when it is recorded.
    pub parameters: Vec<(String, String)>,
    /// The parameters that name files to write, and the files, absolute. Their sizes are recorded.
    pub outputs: Vec<(String, PathBuf)>,
}

/// How a run ended, in MLflow's words, and what of it does not show in these.
#[derive(Debug)]
pub struct Ending {
    /// MLflow's word.
    pub status: Status,
    /// Tags that say more, such as `pipeline.error`; empty values are left out, long ones cut.
    pub tags: Pairs,
    /// What was measured of it.
    pub metrics: Vec<(String, f64)>,
}

impl Ending {
    /// One of which nothing was measured.
    pub fn new(status: Status, tags: Pairs) -> Ending {
        let metrics = Vec::new();
        Ending {
            status,
            tags,
            metrics,
        }
    }
}

/// The tag `pipeline.signal` of the signal by which a run was ended: `SIGTERM`, or the number of one
/// without a name.
pub fn signal_tag(signal: i32) -> (String, String) {
    let name = signal_hook::low_level::signal_name(signal);
    (
        "pipeline.signal".to_owned(),
        name.map_or_else(|| signal.to_string(), str::to_owned),
    )
}
