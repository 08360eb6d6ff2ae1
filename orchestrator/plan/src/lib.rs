//! What a pipeline is to run: every step resolved and checked, before the first one starts.
//!
//! [`definition::Pipeline::load`] reads the root MLproject and finds the steps; [`make`] turns it and a
//! [`request::Request`] into a [`Plan`], or into everything that is wrong with them.
//! `freshness` then says of a planned step whether it is up to date, and [`engine::launch`] what starts
//! an attempt at it. Nothing here runs a step or writes into its folder.

pub mod backend;
mod command;
mod complaints;
pub mod deferred;
pub mod definition;
pub mod engine;
mod files;
mod fill;
pub mod freshness;
pub mod later;
mod links;
pub mod note;
mod preflight;
pub mod problem;
pub mod request;
mod selection;
pub mod start;
mod step;
mod values;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use environment::{Environment, Settings, Store};
use mlproject::paths::absolute;
use mlproject::{EnvironmentFile, Manager, Project, Resources};
use process::redact::shown_value;
use schedule::{Files, Graph, Paths};
use serde::{Serialize, Serializer};

use crate::definition::{Pipeline, Step};
use crate::engine::slurm::JobRequest;
use crate::request::Request;
use deferred::Deferred;
use freshness::Ingredients;
use note::Note;
use selection::Candidate;
use step::{Before, Context};

pub use fill::Part;
pub use preflight::ask_slurm;
pub use problem::{Problem, ProblemKind, Slot};

/// What will run, in order. What `--dry-run` prints is the value that is executed.
#[derive(Debug, Serialize)]
pub struct Plan {
    pub pipeline: String,
    pub root: PathBuf,
    pub steps: Vec<PlannedStep>,
    /// Which step waits for which.
    #[serde(skip)]
    pub graph: Graph,
    /// Of how many steps these are what `--from`, `--until` and `--skip` leave, if one of them is given.
    #[serde(skip)]
    pub narrowed_from: Option<usize>,
    /// What is odd, and no reason not to run it.
    #[serde(skip)]
    pub notes: Vec<Note>,
    /// What is no code in the folder of a step: the files that steps declare, and MLprojects.
    #[serde(skip)]
    pub not_code: Vec<PathBuf>,
    /// The pipeline's own values, for its record: what was given, and the defaults of the rest.
    #[serde(skip)]
    pub parameters: Vec<(String, String)>,
    /// Whether the definition wants a record.
    #[serde(skip)]
    pub is_recorded: bool,
    /// The folder for what the nodes of a cluster have to see, not made yet.
    #[serde(skip)]
    pub attempts: PathBuf,
    /// Where environments are kept; none when all are local and there is no home.
    #[serde(skip)]
    pub store: Option<Store>,
}

#[derive(Debug, Clone, Serialize)]
pub struct PlannedStep {
    pub name: String,
    pub project: PathBuf,
    pub entry_point: String,
    pub cwd: PathBuf,
    /// The text for `bash -c`, before any environment is wrapped around it.
    #[serde(skip)]
    pub command: String,
    /// The command for people: with secrets hidden.
    #[serde(rename = "command")]
    pub shown_command: String,
    /// The values as they are, without shell quotes; people see them without secrets.
    #[serde(serialize_with = "as_map")]
    pub parameters: Vec<(String, String)>,
    /// The variables that the definition sets, shown as the parameters are.
    #[serde(rename = "env", serialize_with = "as_map")]
    pub variables: Vec<(String, String)>,
    /// The experiment of its runs, if it has one for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// Whether it has runs of its own.
    #[serde(rename = "tracking")]
    pub is_recorded: bool,
    /// What of these is known only when the step starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferred: Option<Box<Deferred>>,
    pub environment: Environment,
    /// The steps whose end it waits for.
    #[serde(rename = "needs")]
    pub waits: Vec<String>,
    #[serde(skip)]
    pub files: Files,
    /// What it asks of Slurm, if it runs there.
    #[serde(rename = "slurm", skip_serializing_if = "Option::is_none")]
    pub job: Option<JobRequest>,
    #[serde(skip)]
    pub resources: Resources,
    /// What else its result depends on.
    #[serde(skip)]
    pub ingredients: Ingredients,
    /// Whether it is left out when it is up to date.
    #[serde(skip)]
    pub is_cached: bool,
    /// Whether its failure neither stops nor fails the run.
    #[serde(skip)]
    pub allow_failure: bool,
    /// Where the project comes from, if the pipeline says so.
    #[serde(skip)]
    pub source: Option<String>,
    #[serde(skip)]
    pub limits: Limits,
    /// Remote values of `path` parameters, and where they are downloaded to before the step starts.
    #[serde(skip)]
    pub downloads: Vec<(String, PathBuf)>,
    /// The parts of the config that its parameters name.
    #[serde(skip)]
    pub parts: Vec<(String, Part)>,
}

/// How long a step may take, and how often it is tried again when it fails.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub timeout: Option<Duration>,
    pub retries: u32,
    /// The pause before the first retry; it doubles with each.
    pub retry_delay: Duration,
}

fn as_map<S: Serializer>(
    parameters: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let shown = parameters
        .iter()
        .map(|(name, value)| (name, shown_value(name, value)));
    serializer.collect_map(shown)
}

/// Plans every step that is asked for, or tells everything that is wrong with them, step by step.
pub fn make(pipeline: &Pipeline, request: &Request, caller: &Path) -> Result<Plan, Vec<Problem>> {
    let context = Context::new(pipeline, request, caller);
    let mut problems = context.general_problems();
    let (candidates, narrowed_from, of_selection) = selection::select(&context);
    let is_ordered = of_selection.is_empty();
    problems.extend(of_selection);
    let graph = Graph::of(&selection::nodes(&candidates));
    let files: Vec<Files> = candidates.iter().map(|it| it.files().clone()).collect();
    let written = Paths::written(files.iter());
    let not_code = not_code(&context, &candidates);
    let mut steps: Vec<PlannedStep> = Vec::new();
    let mut notes = note::unused(pipeline, request);
    for Candidate { draft, .. } in candidates {
        match draft {
            // Without problems every step has a draft, and the same number here and there.
            Ok(draft) => {
                // Steps may share what they are told of.
                let new = draft.notes.iter().filter(|note| !notes.contains(note));
                let new: Vec<Note> = new.cloned().collect();
                notes.extend(new);
                let before = Before {
                    written: &written,
                    steps: &steps,
                    is_ordered,
                };
                let (planned, complaints) = context.step(draft, &before);
                problems.extend(complaints);
                steps.push(planned);
            }
            Err(problem) => problems.push(*problem),
        }
    }
    problems.extend(context.cluster.problems(&steps));
    if !problems.is_empty() {
        return Err(problems);
    }
    for number in 0..steps.len() {
        steps[number].ingredients.outputs_of_others = others(&written, number, &steps);
        let waits = graph.waits(number).iter();
        steps[number].waits = waits.map(|earlier| steps[*earlier].name.clone()).collect();
    }
    Ok(Plan {
        pipeline: pipeline.name.clone(),
        root: pipeline.root().to_owned(),
        parameters: pipeline_values(pipeline, request, &steps),
        is_recorded: pipeline.project.tracking != Some(false),
        attempts: context.attempts,
        store: context.settings.store,
        steps,
        graph,
        narrowed_from,
        notes,
        not_code,
    })
}

impl Plan {
    /// The experiments that steps have for themselves, each once.
    pub fn experiments(&self) -> Vec<String> {
        let recorded = self.steps.iter().filter(|step| step.is_recorded);
        let mut names: Vec<String> = recorded.filter_map(|it| it.experiment.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// What others write in or around the outputs of a step.
fn others(written: &Paths, number: usize, steps: &[PlannedStep]) -> Vec<PathBuf> {
    let outputs = steps[number].files.outputs.iter();
    let others = outputs.flat_map(|output| written.overlapping(&output.real));
    let others = others.filter(|other| *other != number);
    let files = others.flat_map(|other| &steps[other].files.outputs);
    files.map(|file| file.real.clone()).collect()
}

/// The files that are no code wherever they lie, whichever steps are selected.
fn not_code(context: &Context, candidates: &[Candidate]) -> Vec<PathBuf> {
    let selected: HashSet<*const Step> = candidates
        .iter()
        .map(|it| std::ptr::from_ref(it.step))
        .collect();
    let is_selected = |step: &Step| selected.contains(&std::ptr::from_ref(step));
    let steps = context.pipeline.steps.iter();
    let others = steps.clone().filter(|step| !is_selected(step));
    let others: Vec<Files> = others
        .filter_map(|step| Some(context.draft(step).ok()?.files))
        .collect();
    let files = candidates.iter().map(Candidate::files).chain(&others);
    let files = files.flat_map(|files| files.inputs.iter().chain(&files.outputs));
    let files = files.flat_map(|file| [file.path.clone(), file.real.clone()]);
    let projects = steps.filter_map(|step| Some(step.project.as_ref().ok()?.place.file.clone()));
    let mut all: Vec<PathBuf> = files.chain(projects).collect();
    all.push(context.pipeline.project.place.file.clone());
    all.sort_unstable();
    all.dedup();
    all
}

/// Which step waits for which, as far as that can be told from values that are known.
#[derive(Debug)]
pub struct Sketch {
    pub steps: Vec<(String, Files)>,
    pub graph: Graph,
}

/// Looks at the steps that are asked for, in their order. Starts and fetches nothing.
pub fn sketch(
    pipeline: &Pipeline,
    request: &Request,
    caller: &Path,
) -> Result<Sketch, Vec<Problem>> {
    let context = Context::new(pipeline, request, caller);
    let (candidates, _, mut problems) = selection::select(&context);
    problems.extend(context.of_config.iter().cloned());
    if !problems.is_empty() {
        return Err(problems);
    }
    let steps = candidates
        .iter()
        .map(|it| (it.step.name.clone(), it.files().clone()));
    Ok(Sketch {
        steps: steps.collect(),
        graph: Graph::of(&selection::nodes(&candidates)),
    })
}

impl Sketch {
    /// The names of the steps that a step waits for.
    pub fn waits(&self, step: usize) -> Vec<&str> {
        let waits = self.graph.waits(step).iter();
        waits
            .map(|earlier| self.steps[*earlier].0.as_str())
            .collect()
    }
}

/// The pipeline's own parameters: `steps` as it was understood, what was given (for a step as `STEP/NAME`),
/// the defaults of the rest.
fn pipeline_values(
    pipeline: &Pipeline,
    request: &Request,
    steps: &[PlannedStep],
) -> Vec<(String, String)> {
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    let mut values = vec![("steps".to_owned(), names.join(","))];
    let defaults = pipeline
        .parameters()
        .iter()
        .filter_map(|parameter| Some((parameter.name.clone(), parameter.default.clone()?)));
    let given = request.parameters.iter().map(|(name, value)| {
        let mut steps = pipeline.steps.iter();
        let of_step = steps.find_map(|step| {
            let own = fill::qualified(name, &step.name)?;
            Some(format!("{}/{own}", step.name))
        });
        (of_step.unwrap_or_else(|| name.clone()), value.clone())
    });
    for (name, value) in given.chain(defaults) {
        if values.iter().all(|(known, _)| *known != name) {
            values.push((name, value));
        }
    }
    values
}

/// A name for a folder of this run; nobody else can tell it beforehand.
fn own_name() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let instant = since.unwrap_or_default().as_nanos();
    format!("orchestrator-{}-{instant}", std::process::id())
}

/// What the command line says about environments.
pub fn settings(request: &Request, caller: &Path) -> Settings {
    let options = &request.environments;
    let root = options.root.as_ref().map(|root| absolute(caller, root));
    Settings {
        store: Store::new(root.as_deref()),
        is_offline: options.is_offline,
        docker: options.docker.clone(),
    }
}

/// Which tool makes a step's environment: the command line decides, then the step's entry, then the
/// pipeline, then the project itself.
///
/// A project with a container has nothing for the others to make an environment from: as under MLflow
/// it stays in its container, unless it is to run in none.
pub fn manager(pipeline: &Pipeline, request: &Request, step: &Step, project: &Project) -> Manager {
    let of_entry = step.entry.as_ref().and_then(|entry| entry.env_manager);
    let said = request
        .env_manager
        .or(of_entry)
        .or(pipeline.project.env_manager);
    let by_project = project.environment.default_manager();
    match (said, &project.environment) {
        (Some(Manager::Local), _) => Manager::Local,
        (_, EnvironmentFile::Docker(_)) | (None, _) => by_project,
        (Some(said), _) => said,
    }
}
