//! Where an attempt at a step runs: from the step and its environment to what is started.

mod docker;
pub mod slurm;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use environment::{Environment, Store};
use process::Launch;

/// A command that is to run in an environment.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    pub step: &'a str,
    pub command: &'a str,
    /// The pipeline's folder.
    pub root: &'a Path,
    /// The folder in which the command runs.
    pub folder: &'a Path,
    /// The files that the parameters name, to read and to write; the latter with the parameters' names.
    pub reads: &'a [PathBuf],
    pub writes: &'a [(String, PathBuf)],
    /// Changes to the caller's variables; none stands for one to take out.
    pub variables: &'a [(&'a str, Option<OsString>)],
    /// The variables that the definition sets.
    pub defined: &'a [(String, String)],
    /// The job of Slurm that it is to be, if it does not run on this machine.
    pub submission: Option<slurm::Submission<'a>>,
}

/// What to start for a command: a container where the environment is one, else a process of this machine; or
/// a job that does so on another.
/// `store` is the folder of environments, if there is one.
pub fn launch(job: &Job, environment: &Environment, store: Option<&Store>) -> Launch {
    let mut launch = match environment.container() {
        Some(container) => docker::launch(container, job),
        None => environment.wrap(job.command, store),
    };
    // What makes the environment, such as its `PATH`, stays; else it would be another one.
    let is_set = |name: &str| launch.variables.iter().any(|(set, _)| set == name);
    let defined = job.defined.iter().filter(|(name, _)| !is_set(name));
    let defined: Vec<_> = defined
        .map(|(name, value)| (name.into(), Some(value.into())))
        .collect();
    launch.variables.extend(defined);
    let ours = job.variables.iter();
    let ours = ours.map(|(name, value)| ((*name).into(), value.clone()));
    launch.variables.extend(ours);
    match &job.submission {
        Some(submission) => {
            let caller = std::env::vars_os().map(|(name, _)| name);
            slurm::launch(launch, job.folder, submission, caller)
        }
        None => launch,
    }
}

/// The folders in which a command's programs are looked up; none that we could look into where it runs in
/// a container.
pub fn programs(environment: &Environment, store: Option<&Store>) -> Vec<PathBuf> {
    if environment.container().is_some() {
        return Vec::new();
    }
    let variables = environment.wrap("", store).variables;
    let path = variables.into_iter().find(|(name, _)| name == "PATH");
    let path = path.map_or_else(|| std::env::var_os("PATH"), |(_, path)| path);
    std::env::split_paths(&path.unwrap_or_default()).collect()
}
