//! Which steps are up to date, and why the others run.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use freshness::{Caching, Files, Made, Reason, Subject, Verdict, last_run, look};
use mlproject::EntryPoint;
use schedule::NamedFile;
use tracking::StoredRun;

use super::later::Runs;
use super::values::Resolved;
use super::{Plan, PlannedStep};
use crate::engine;
use crate::request::{Force, Request};

/// What the result of a step depends on beside its files and its environment.
#[derive(Debug, Clone, Default)]
pub struct Ingredients {
    /// The command as it is written.
    template: String,
    /// The values; files are named from the pipeline's folder, downloads by their address.
    parameters: Vec<(String, String)>,
    code: Option<Vec<String>>,
    /// What stands for the code of a project that was fetched by git.
    commit: Option<String>,
    /// The variables that count, with the definition's or else the caller's values.
    variables: Vec<(String, Option<String>)>,
    /// What others write in or around its outputs.
    pub(super) outputs_of_others: Vec<PathBuf>,
}

impl Ingredients {
    /// `defined` are the variables that the definition sets; the folders those of the project and of the
    /// pipeline.
    pub(super) fn new(
        entry_point: &EntryPoint,
        resolved: &[Resolved],
        defined: &[(String, String)],
        (folder, root): (&Path, &Path),
    ) -> Ingredients {
        let value = |value: &Resolved| match (&value.download, &value.path) {
            _ if value.counts_as.is_some() => value.counts_as.clone().unwrap_or_default(),
            (Some(address), _) => address.clone(),
            (None, Some(path)) => path
                .strip_prefix(root)
                .unwrap_or(path)
                .to_string_lossy()
                .into_owned(),
            (None, None) => value.value.clone(),
        };
        let of_caller = |name: &String| {
            let value = std::env::var_os(name);
            (
                name.clone(),
                value.map(|value| value.to_string_lossy().into_owned()),
            )
        };
        let is_defined = |name: &String| defined.iter().any(|(known, _)| known == name);
        let of_caller = entry_point
            .variables
            .iter()
            .filter(|name| !is_defined(name))
            .map(of_caller);
        let of_definition = defined.iter().cloned();
        Ingredients {
            template: entry_point.command.clone().unwrap_or_default(),
            parameters: resolved
                .iter()
                .map(|it| (it.name.clone(), value(it)))
                .collect(),
            code: entry_point.code.clone(),
            commit: source::commit(folder),
            variables: of_definition
                .map(|(name, value)| (name, Some(value)))
                .chain(of_caller)
                .collect(),
            outputs_of_others: Vec::new(),
        }
    }
}

/// Whether a step is left out when it is up to date: the command line decides, then the step's entry, its
/// entry point, the pipeline.
///
/// What says `cached: false` of a step alone is not overruled.
pub(super) fn is_cached(
    request: &Request,
    of_step: Option<bool>,
    of_pipeline: Option<bool>,
) -> bool {
    match (request.cached, of_step) {
        (Some(false), _) | (_, Some(false)) => false,
        (Some(true), _) | (None, Some(true)) => true,
        (None, None) => of_pipeline.unwrap_or(false),
    }
}

/// Whether a step runs, as far as that can be told beforehand.
#[derive(Debug)]
pub enum State {
    UpToDate(Made),
    /// It runs, for these reasons; without any it would in any case.
    Run(Vec<Reason>),
    /// It was asked for.
    Forced,
    /// That depends on what these steps make.
    Depends(Vec<String>),
}

impl Plan {
    /// Whether anything is left out that is up to date.
    pub fn is_caching(&self) -> bool {
        self.steps.iter().any(|step| step.is_cached)
    }

    /// What the steps of a run share.
    pub fn files(&self, is_interrupted: impl Fn() -> bool + Send + Sync + 'static) -> Files {
        let caching = if self.is_caching() {
            Caching::On
        } else {
            Caching::Off
        };
        Files::new(&self.root, caching, is_interrupted)
    }

    /// Finds the code of all steps of which something is recorded.
    pub fn list_code(&self, files: &Files) {
        let recorded = self
            .steps
            .iter()
            .filter(|step| !step.files.outputs.is_empty() && step.ingredients.commit.is_none());
        let mut folders: Vec<&Path> = recorded.map(|step| step.project.as_path()).collect();
        folders.sort_unstable();
        folders.dedup();
        if !folders.is_empty() {
            files.list_code(&folders);
        }
    }

    /// Does something with what a step is made of.
    pub fn with_subject<T>(&self, step: &PlannedStep, work: impl FnOnce(&Subject) -> T) -> T {
        let made = &step.ingredients;
        let named = |files: &[NamedFile]| {
            let files = files.iter();
            files
                .map(|file| (file.name.clone(), file.path.clone()))
                .collect::<Vec<_>>()
        };
        let is_local = |(name, _): &(String, PathBuf)| {
            // What is downloaded counts by its address.
            let mut downloads = step.downloads.iter();
            let file = step.files.inputs.iter().find(|file| file.name == *name);
            !file.is_some_and(|file| downloads.any(|(_, target)| *target == file.path))
        };
        let inputs: Vec<_> = named(&step.files.inputs)
            .into_iter()
            .filter(is_local)
            .collect();
        let mut variables = made.variables.clone();
        variables.extend(step.environment.variables());
        work(&Subject {
            root: &self.root,
            step: &step.name,
            folder: &step.project,
            entry_point: &step.entry_point,
            command: &made.template,
            line: &step.command,
            parameters: &made.parameters,
            environment: &step.environment.identity(),
            path: &engine::programs(&step.environment, self.store.as_ref()),
            variables: &variables,
            inputs: &inputs,
            outputs: &named(&step.files.outputs),
            outputs_of_others: &made.outputs_of_others,
            code: made.code.as_deref(),
            commit: made.commit.as_deref(),
            not_code: &self.not_code,
        })
    }

    /// What would run, and why. Writes nothing.
    pub fn states(&self, force: Option<&Force>) -> Vec<State> {
        let files = self.files(|| false);
        self.list_code(&files);
        let mut states: Vec<State> = Vec::new();
        for (number, step) in self.steps.iter().enumerate() {
            let state = if is_forced(force, step) {
                State::Forced
            } else if !step.is_cached {
                State::Run(Vec::new())
            } else {
                self.state(number, &states, &files)
            };
            states.push(state);
        }
        states
    }

    /// What becomes of a step that may be left out; `before` are the states of those before it.
    fn state(&self, number: usize, before: &[State], files: &Files) -> State {
        let step = &self.steps[number];
        let runs = |maker: &&usize| !matches!(before[**maker], State::UpToDate(_));
        let makers = self.graph.needs(number).iter().filter(runs);
        let makers: Vec<String> = makers
            .map(|maker| self.steps[*maker].name.clone())
            .collect();
        if step.deferred.is_some() && !makers.is_empty() {
            return State::Depends(makers);
        }
        let filled = match step.filled_in(&self.earlier_runs(step, before)) {
            // No run of a step that it wants is known.
            Some(Err(_)) => return State::Run(Vec::new()),
            Some(Ok(filled)) => Some(filled),
            None => None,
        };
        let step = filled.as_ref().unwrap_or(step);
        match self.with_subject(step, |subject| look(subject, files)) {
            Verdict::Stale(reasons) => State::Run(reasons),
            Verdict::UpToDate(_) if !makers.is_empty() => State::Depends(makers),
            Verdict::UpToDate(made) => State::UpToDate(made),
        }
    }

    /// The runs that a step wants, as far as they are known without the tracking store.
    fn earlier_runs(&self, step: &PlannedStep, before: &[State]) -> Runs {
        let wanted = step.deferred.iter().flat_map(|it| &it.steps);
        let run = |name: &String| {
            let number = self.steps.iter().position(|other| other.name == *name);
            let id = match number.and_then(|number| before.get(number)) {
                Some(State::UpToDate(made)) => made.run.clone(),
                _ => last_run(&self.root, name),
            };
            let run = StoredRun {
                id: id?,
                artifact_uri: String::new(),
            };
            Some((name.clone(), run))
        };
        wanted.filter_map(run).collect()
    }
}

/// Whether a step runs although it is up to date.
pub fn is_forced(force: Option<&Force>, step: &PlannedStep) -> bool {
    match force {
        None => false,
        Some(Force::All) => true,
        Some(Force::Named(names)) => names.contains(&step.name),
    }
}

/// Who has made what is up to date, and how long ago.
pub fn made_by(made: &Made) -> String {
    let age = SystemTime::now()
        .duration_since(made.time)
        .unwrap_or_default();
    let by = match &made.run {
        // It is read from a file.
        Some(run) if run.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            format!(" by run {}", run.get(..8).unwrap_or(run))
        }
        _ => String::new(),
    };
    format!("made {} ago{by}", ago(age))
}

/// A time in one unit.
fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_unit() {
        let ago = |seconds| ago(Duration::from_secs(seconds));
        assert_eq!(
            [
                ago(0),
                ago(59),
                ago(60),
                ago(3599),
                ago(3600),
                ago(172_799),
                ago(172_800)
            ],
            ["0 s", "59 s", "1 min", "59 min", "1 h", "47 h", "2 days"]
        );
    }
}
