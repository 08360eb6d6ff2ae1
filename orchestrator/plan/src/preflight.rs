//! What Slurm says of the steps that are to run there, before the first one starts: a job that no node can take
//! would wait for ever.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use process::console::warn;
use process::printable::one_line;
use process::{Question, ask, host};

use crate::backend::{self, Config, ConfigError};
use crate::definition::Pipeline;
use crate::engine::slurm::JobRequest;
use crate::request::Request;
use crate::{PlannedStep, Problem, ProblemKind};

/// How long Slurm may take to answer; it says itself after some seconds that its controller does not.
const ANSWERING: Duration = Duration::from_secs(20);

/// Why steps cannot run on a cluster.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    #[error("`--backend slurm` runs steps by `srun`, which is not on PATH")]
    NoSrun,
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("`allocation` is true, but this is not inside of a job of Slurm")]
    NoAllocation,
    #[error("Slurm refuses its job{}: {reason} (`srun {options}`)", of_others(*.others))]
    Refused {
        /// How many other steps ask for the same.
        others: usize,
        options: String,
        reason: String,
    },
    #[error("cannot ask Slurm: {0}")]
    Unanswered(String),
}

fn of_others(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(
            ", and that of {}",
            process::text::plural(count, "other step")
        ),
    }
}

impl BackendError {
    /// What to type or look for next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            BackendError::Config(error) => return error.hint(),
            BackendError::NoSrun => {
                "start the pipeline where Slurm's commands are, or run the steps here: `--backend local`"
            }
            BackendError::NoAllocation => {
                "start it by `salloc` or `sbatch`, or take `allocation` out of the backend config"
            }
            BackendError::Refused { .. } => {
                "`sinfo` shows what there is; the options come from the backend config, `resources:` and `timeout:`"
            }
            BackendError::Unanswered(_) => {
                "wait for Slurm's controller (`scontrol ping`), or run the steps here: `--backend local`"
            }
        };
        Some(hint.to_owned())
    }
}

/// Where the cluster is, and what is asked of it for all steps; looked for when the first step needs it.
#[derive(Default)]
pub(super) struct Cluster {
    found: OnceCell<Found>,
}

#[derive(Default)]
pub(super) struct Found {
    /// The folder of Slurm's commands.
    pub(super) bin: PathBuf,
    pub(super) config: Config,
    problems: Vec<Arc<BackendError>>,
}

impl Cluster {
    pub(super) fn find(&self, pipeline: &Pipeline, request: &Request, caller: &Path) -> &Found {
        self.found.get_or_init(|| {
            let mut found = Found::default();
            let srun = host::find("srun");
            match srun.as_deref().and_then(Path::parent) {
                Some(bin) => bin.clone_into(&mut found.bin),
                None => found.problems.push(Arc::new(BackendError::NoSrun)),
            }
            match backend::load(pipeline, request, caller) {
                Ok(config) => found.config = config,
                Err(error) => found.problems.push(Arc::new(error.into())),
            }
            if found.config.is_allocation && host::variable("SLURM_JOB_ID").is_none() {
                found.problems.push(Arc::new(BackendError::NoAllocation));
            }
            found
        })
    }

    /// Everything that keeps the jobs of these steps from running, asked once for each set of options.
    pub(super) fn problems(&self, steps: &[PlannedStep]) -> Vec<Problem> {
        let Some(found) = self.found.get() else {
            return Vec::new();
        };
        let of_step = |step: &PlannedStep, error| Problem {
            step: Some(step.name.clone()),
            place: None,
            kind: ProblemKind::Backend(Arc::new(error)),
        };
        let general = found.problems.iter();
        let general =
            general.map(|it| Problem::general(None, ProblemKind::Backend(Arc::clone(it))));
        let mut problems: Vec<Problem> = general.collect();
        if !found.problems.is_empty() {
            return problems;
        }
        if found.config.is_partly_ignored {
            warn(
                "`sbatch-script-file` of the backend config is ignored: steps run by `srun`, without a script",
            );
        }
        if found.config.is_allocation {
            // There is no job that could be refused.
            return problems;
        }
        let sets = sets(steps);
        if let Some(error) = sets.first().and_then(|(_, job, _)| ping(job).err()) {
            let kind = ProblemKind::Backend(Arc::new(error));
            problems.push(Problem::general(None, kind));
            return problems;
        }
        for (step, job, others) in sets {
            match test(job, others) {
                Ok(None) => {}
                Ok(Some(refused)) => problems.push(of_step(step, refused)),
                Err(error) => {
                    // The next question would not be answered either.
                    let kind = ProblemKind::Backend(Arc::new(error));
                    problems.push(Problem::general(None, kind));
                    break;
                }
            }
        }
        problems
    }
}

/// The sets of options that steps ask for: the first step with each, and how many others have it.
fn sets(steps: &[PlannedStep]) -> Vec<(&PlannedStep, &JobRequest, usize)> {
    let mut sets: Vec<(&PlannedStep, &JobRequest, usize)> = Vec::new();
    let mut known: HashMap<&[String], usize> = HashMap::new();
    for step in steps {
        let Some(job) = &step.job else { continue };
        if let Some(set) = known.get(job.options.as_slice()) {
            sets[*set].2 += 1;
        } else {
            known.insert(&job.options, sets.len());
            sets.push((step, job, 0));
        }
    }
    sets
}

/// Asks whether the controller is there; `srun` would try to reach it for a long time.
fn ping(job: &JobRequest) -> Result<(), BackendError> {
    let output = ask_slurm(job, "scontrol", |arguments| {
        arguments.push("ping".to_owned());
    });
    let output = output.map_err(|error| BackendError::Unanswered(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() || said.contains(" is UP") {
        return Ok(());
    }
    let said = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    let said = said.lines().next().unwrap_or_default();
    Err(BackendError::Unanswered(one_line(said).into_owned()))
}

/// Asks whether Slurm would take a job; errs if it does not say so.
fn test(job: &JobRequest, others: usize) -> Result<Option<BackendError>, BackendError> {
    let output = ask_slurm(job, "srun", |arguments| {
        arguments.push("--test-only".to_owned());
        arguments.extend(job.options.iter().cloned());
        arguments.push("true".to_owned());
    });
    let output = output.map_err(|error| BackendError::Unanswered(error.to_string()))?;
    if output.status.success() {
        return Ok(None);
    }
    let reason = reason(&String::from_utf8_lossy(&output.stderr));
    if reason.contains("contact slurm controller") {
        return Err(BackendError::Unanswered(reason));
    }
    let options = job.options.join(" ");
    Ok(Some(BackendError::Refused {
        others,
        options,
        reason,
    }))
}

/// Asks one of Slurm's tools, without the variables of a job that we may be in.
pub fn ask_slurm(
    job: &JobRequest,
    tool: &str,
    add: impl FnOnce(&mut Vec<String>),
) -> io::Result<Output> {
    let cleared = job.cleared(std::env::vars_os().map(|(name, _)| name));
    let variables: Vec<(&str, Option<&str>)> = cleared
        .iter()
        .filter_map(|name| Some((name.to_str()?, None)))
        .collect();
    let mut arguments = Vec::new();
    add(&mut arguments);
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let tool = job.bin.join(tool);
    ask(&Question {
        program: &tool.to_string_lossy(),
        arguments: &arguments,
        folder: Path::new("/"),
        variables: &variables,
        limit: ANSWERING,
    })
}

/// Why `srun` refuses a job: the last thing that it says, which is about the job as a whole; the more special
/// thing that it has said before, if it can say nothing then.
fn reason(said: &str) -> String {
    let lines = said.lines().map(|line| {
        let line = line.strip_prefix("srun: ").unwrap_or(line);
        let line = line.strip_prefix("error: ").unwrap_or(line);
        line.strip_prefix("allocation failure: ")
            .unwrap_or(line)
            .trim()
    });
    let mut lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.retain(|line| *line != "No error" && !line.starts_with("Try "));
    lines
        .last()
        .map_or_else(|| "it does not say why".to_owned(), |&line| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_srun_says_last() {
        for (said, expected) in [
            (
                "allocation failure: Requested node configuration is not available\n",
                "Requested node configuration is not available",
            ),
            (
                "srun: error: invalid partition specified: nope\nallocation failure: Invalid partition name specified\n",
                "Invalid partition name specified",
            ),
            (
                "srun: error: Invalid generic resource (gres) specification\nallocation failure: No error\n",
                "Invalid generic resource (gres) specification",
            ),
            (
                "srun: unrecognized option '--nonsense'\nTry \"srun --help\" for more information\n",
                "unrecognized option '--nonsense'",
            ),
            ("", "it does not say why"),
        ] {
            assert_eq!(reason(said), expected);
        }
    }
}
