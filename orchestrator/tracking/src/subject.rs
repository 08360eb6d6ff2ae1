//! What is recorded of: a pipeline, a try of one of its steps, and how each ended.

use std::path::{Path, PathBuf};

use mlproject::Manager;

use crate::record::{Pairs, Status};

/// A pipeline that runs.
#[derive(Debug, Clone, Copy)]
pub struct Pipeline<'a> {
    /// Its name, by which its runs are found again.
    pub name: &'a str,
    /// Its folder, absolute.
    pub root: &'a Path,
    /// Its own values, for the record.
    pub parameters: &'a [(String, String)],
}

/// A try of a step.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The step's name.
    pub step: &'a str,
    /// Counted from 1.
    pub number: u32,
    /// The entry point that runs.
    pub entry_point: &'a str,
    /// What makes its environment.
    pub manager: Manager,
    /// The folder of its project.
    pub project: &'a Path,
    /// Where the project comes from, if the pipeline says so.
    pub source: Option<&'a str>,
    /// Its values.
    pub parameters: &'a [(String, String)],
    /// The parameters that name files to write, and the files.
    pub outputs: &'a [(String, PathBuf)],
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
