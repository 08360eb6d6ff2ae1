//! What is recorded of: a pipeline, a try of one of its steps, and how each ended.

use std::path::PathBuf;

use mlproject::Manager;

use crate::record::{Pairs, Status};

/// A pipeline that runs.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name, by which its runs are found again.
    pub name: String,
    /// Its folder, absolute.
    pub root: PathBuf,
    /// Its own values, for the record.
    pub parameters: Vec<(String, String)>,
}

/// A try of a step.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The step's name.
    pub step: String,
    /// Counted from 1.
    pub number: u32,
    /// The entry point that runs.
    pub entry_point: String,
    /// What makes its environment.
    pub manager: Manager,
    /// The folder of its project.
    pub project: PathBuf,
    /// Where the project comes from, if the pipeline says so.
    pub source: Option<String>,
    /// Its values.
    pub parameters: Vec<(String, String)>,
    /// The parameters that name files to write, and the files.
    pub outputs: Vec<(String, PathBuf)>,
}

/// How a run ended, in MLflow's words, and what of it does not show in these.
#[derive(Debug)]
pub struct Ending {
    /// MLflow's word.
    pub status: Status,
    /// Tags that say more.
    pub tags: Pairs,
}

/// The tag that names the signal by which a run was ended.
pub fn signal_tag(signal: i32) -> (String, String) {
    let name = signal_hook::low_level::signal_name(signal);
    (
        "pipeline.signal".to_owned(),
        name.map_or_else(|| signal.to_string(), str::to_owned),
    )
}
