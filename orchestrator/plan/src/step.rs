//! One step: what it runs, with which values, and everything that is wrong with it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use environment::{Environment, Settings};
use mlproject::{Backend, EntryPoint, Place, Project, Resources, shell};
use schedule::{Files, Paths};

use super::command::{find_entry_point, render, without_secrets};
use super::deferred::{Deferred, wanted_steps};
use super::fill::{Scope, Values};
use super::freshness::{Ingredients, is_cached};
use super::links::Links;
use super::note::Note;
use super::preflight::Cluster;
use super::values::{self, Resolved, Sources, Variable};
use super::{Limits, PlannedStep, Problem, ProblemKind, backend, manager, own_name, settings};
use crate::definition::error::{ProjectError, SelectionError};
use crate::definition::{MAIN, Pipeline, Step};
use crate::engine::slurm::JobRequest;
use crate::request::Request;

/// The pause before the first retry of a step that does not say how long it should be.
const RETRY_DELAY: Duration = Duration::from_secs(10);

/// What is wrong with a step, and where it is written.
pub(super) type Complaint = (Option<Place>, ProblemKind);

/// What every step's plan depends on.
pub(super) struct Context<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) request: &'a Request,
    pub(super) caller: &'a Path,
    /// Where this run downloads to, not made yet, on this machine and where nodes of a cluster see it.
    storage: PathBuf,
    pub(super) attempts: PathBuf,
    pub(super) cluster: Cluster,
    pub(super) settings: Settings,
    pub(super) links: Links,
    pub(super) config: Values,
    /// What is wrong with the config.
    pub(super) of_config: Vec<Problem>,
}

/// A step whose parameters have their values, as far as they can.
pub(super) struct Draft<'a> {
    pub(super) step: &'a Step,
    project: &'a Project,
    pub(super) entry_point: Cow<'a, EntryPoint>,
    pub(super) resolved: Vec<Resolved>,
    variables: Vec<Variable>,
    unresolved: Vec<Problem>,
    /// The steps whose runs it takes values of.
    pub(super) wanted: Vec<String>,
    /// What is odd about it.
    pub(super) notes: Vec<Note>,
    pub(super) files: Files,
    /// Whether nothing is said of what it needs.
    pub(super) is_fence: bool,
}

/// What stands before a step.
pub(super) struct Before<'a> {
    /// By their numbers what all steps of the plan write.
    pub(super) written: &'a Paths<'a>,
    pub(super) steps: &'a [PlannedStep],
    /// Whether the steps are in their order; else any may come to stand before any other.
    pub(super) is_ordered: bool,
}

impl<'a> Context<'a> {
    pub(super) fn new(pipeline: &'a Pipeline, request: &'a Request, caller: &'a Path) -> Self {
        let has_step = |name: &str| pipeline.step(name).is_some();
        let (config, of_config) = Values::load(&pipeline.project, &request.parameters, has_step);
        Context {
            pipeline,
            request,
            caller,
            storage: std::env::temp_dir().join(own_name()),
            attempts: pipeline.root().join("mlruns/.attempts").join(own_name()),
            cluster: Cluster::default(),
            settings: settings(request, caller),
            links: Links::default(),
            config,
            of_config,
        }
    }
}

impl Context<'_> {
    /// Finds what a step runs, and the values of its parameters.
    pub(super) fn draft<'a>(&self, step: &'a Step) -> Result<Draft<'a>, Box<Problem>> {
        let in_step = |(place, kind)| Problem {
            step: Some(step.name.clone()),
            place,
            kind,
        };
        let (project, entry_point) = self.locate(step).map_err(|it| Box::new(in_step(*it)))?;
        let sources = self.sources(step, project);
        let (resolved, mut unresolved) = values::resolve(&entry_point, &sources);
        let (variables, of_variables) = values::variables(&sources);
        unresolved.extend(of_variables);
        let says_needs = step
            .entry
            .as_ref()
            .is_some_and(|entry| entry.needs.is_some());
        Ok(Draft {
            notes: self.notes(step, &entry_point, &resolved),
            wanted: wanted_steps(&resolved, &variables),
            files: self.files(&entry_point, &resolved),
            is_fence: entry_point.inputs.is_none() && entry_point.outputs.is_none() && !says_needs,
            step,
            project,
            entry_point,
            resolved,
            variables,
            unresolved,
        })
    }

    fn notes(&self, step: &Step, entry_point: &EntryPoint, resolved: &[Resolved]) -> Vec<Note> {
        let asked = step.entry_point_name(&self.request.entry_point);
        let instead = (asked != entry_point.name).then(|| Note::MainInstead {
            step: step.name.clone(),
            asked: asked.to_owned(),
        });
        let odd = resolved.iter().filter_map(|value| value.odd.clone());
        let extra = resolved.iter().filter(|value| !value.declared);
        let names: Vec<String> = extra.map(|value| value.name.clone()).collect();
        let command = entry_point.command.as_deref().unwrap_or_default();
        let behind = shell::dead_end(command).filter(|_| !names.is_empty());
        let lost = behind.map(|behind| Note::Lost {
            step: step.name.clone(),
            names,
            behind,
            place: entry_point.place.clone(),
        });
        instead.into_iter().chain(odd).chain(lost).collect()
    }

    /// Plans the step that stands behind others. One with problems is planned as far as it goes.
    pub(super) fn step(&self, mut draft: Draft, before: &Before) -> (PlannedStep, Vec<Problem>) {
        let (name, unresolved) = (&draft.step.name, std::mem::take(&mut draft.unresolved));
        let in_step = |(place, kind)| Problem {
            step: Some(name.clone()),
            place,
            kind,
        };
        let of_files = self.file_problems(&draft, before);
        let (planned, complaints) = self.fill_in(draft, of_files);
        // A command cannot be complete without the values that are missing.
        let is_told = |(_, kind): &Complaint| {
            unresolved.is_empty() || !matches!(kind, ProblemKind::Command { .. })
        };
        let told = complaints.into_iter().filter(is_told).map(in_step);
        let mut problems: Vec<Problem> = told.collect();
        problems.extend(unresolved);
        (planned, problems)
    }

    /// The project and entry point of a step.
    fn locate<'a>(
        &self,
        step: &'a Step,
    ) -> Result<(&'a Project, Cow<'a, EntryPoint>), Box<Complaint>> {
        let project = step.project.as_ref().map_err(|error| {
            // A project that was neither found nor fetched has no line of its own to point to.
            let is_elsewhere = matches!(
                **error,
                ProjectError::Missing { .. } | ProjectError::Source(_)
            );
            let entry = step.entry.as_ref().filter(|_| is_elsewhere);
            (
                entry.map(|entry| entry.place.clone()),
                ProblemKind::Project(Arc::clone(error)),
            )
        })?;
        let name = self
            .pipeline
            .entry_point_name(step, &self.request.entry_point);
        if step.entry.is_some() && name == MAIN && project.folder == self.pipeline.root() {
            let kind = ProblemKind::Selection(SelectionError::Itself {
                name: step.name.clone(),
            });
            return Err(Box::new((Some(project.place.clone()), kind)));
        }
        let entry_point = find_entry_point(project, name).ok_or_else(|| {
            let known = project
                .entry_points
                .iter()
                .map(|known| known.name.clone())
                .collect();
            let (name, folder) = (name.to_owned(), project.folder.clone());
            let kind = ProblemKind::UnknownEntryPoint {
                name,
                project: folder,
                known,
            };
            (Some(project.place.clone()), kind)
        })?;
        Ok((project, entry_point))
    }

    /// The plan of a step whose parameters have their values.
    fn fill_in(&self, mut draft: Draft, of_files: Vec<Complaint>) -> (PlannedStep, Vec<Complaint>) {
        let (step, project) = (draft.step, draft.project);
        let manager = manager(self.pipeline, self.request, step, project);
        let defined = pairs(&draft.variables);
        let (environment, wrong) = self.settings.plan(manager, project, &defined);
        if environment.moves_the_project() {
            draft.resolved = with_absolute_files(draft.resolved);
        }
        let entry_point = &draft.entry_point;
        let command = render(entry_point, &draft.resolved);
        let ran = (&environment, &command);
        let mut complaints = self.complaints((step, project), entry_point, &draft.resolved, ran);
        let of_project = wrong
            .into_iter()
            .map(|error| (Some(project.place.clone()), ProblemKind::Environment(error)));
        let of_runs = draft.wanted.iter().filter(|of| {
            let of = self.pipeline.step(of);
            of.is_some_and(|of| !self.is_recorded(of))
        });
        let of_runs = of_runs.map(|of| ProblemKind::Unrecorded { of: of.clone() });
        complaints.extend(of_runs.map(|kind| (Some(entry_point.place.clone()), kind)));
        complaints.splice(0..0, of_project.chain(of_files));
        let planned = self.planned(draft, environment, command.unwrap_or_default());
        (planned, complaints)
    }

    /// The step as it will run.
    fn planned(&self, draft: Draft, environment: Environment, command: String) -> PlannedStep {
        let Draft {
            step,
            project,
            entry_point,
            resolved,
            variables,
            files,
            ..
        } = draft;
        let (root, entry) = (self.pipeline.root(), step.entry.as_ref());
        let pairs = pairs(&variables);
        let cached = entry.and_then(|entry| entry.cached).or(entry_point.cached);
        PlannedStep {
            name: step.name.clone(),
            project: project.folder.clone(),
            entry_point: entry_point.name.clone(),
            cwd: project.folder.clone(),
            command,
            shown_command: render(&entry_point, &without_secrets(&resolved)).unwrap_or_default(),
            experiment: entry.and_then(|entry| entry.experiment.clone()),
            is_recorded: self.is_recorded(step),
            allow_failure: entry.is_some_and(|entry| entry.allow_failure),
            files,
            ingredients: Ingredients::new(&entry_point, &resolved, &pairs, (&project.folder, root)),
            deferred: Deferred::new(&entry_point, &resolved, &variables, root.to_owned())
                .map(Box::new),
            variables: pairs,
            is_cached: is_cached(self.request, cached, self.pipeline.project.cached),
            waits: Vec::new(),
            job: self.job(step),
            // On a cluster it takes nothing of this machine.
            resources: match backend::of_step(self.pipeline, self.request, step) {
                Backend::Local => resources(step),
                Backend::Slurm => Resources::default(),
            },
            source: entry.and_then(|entry| entry.project.clone()),
            downloads: values::downloads(&resolved),
            parts: values::parts(&resolved),
            limits: self.limits(step),
            parameters: resolved
                .into_iter()
                .map(|value| (value.name, value.value))
                .collect(),
            environment,
        }
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            pipeline: self.pipeline.parameters(),
            given: &self.request.parameters,
            config: &self.config,
            caller: self.caller,
            root: self.pipeline.root(),
        }
    }

    fn sources<'a>(&'a self, step: &'a Step, project: &'a Project) -> Sources<'a> {
        Sources {
            step: &step.name,
            // `mlflow run -e NAME .` knows nothing of the parameters of `main`.
            scope: match step.entry_point_name(&self.request.entry_point) {
                other if other != MAIN && self.pipeline.is_own_main(step) => Scope {
                    pipeline: &[],
                    ..self.scope()
                },
                _ => self.scope(),
            },
            defined: step.entry.as_ref().map_or(&[], |entry| &entry.parameters),
            variables: [
                &self.pipeline.project.env,
                step.entry.as_ref().map_or(&[][..], |entry| &entry.env),
            ],
            folder: &project.folder,
            storage: match backend::of_step(self.pipeline, self.request, step) {
                Backend::Local => &self.storage,
                Backend::Slurm => &self.attempts,
            }
            .join(step.name.replace('/', "_")),
        }
    }

    /// Whether a step has runs of its own.
    pub(super) fn is_recorded(&self, step: &Step) -> bool {
        let of_step = step.entry.as_ref().and_then(|entry| entry.tracking);
        let of_all = self.pipeline.project.tracking;
        !self.request.tracking.off && of_all != Some(false) && of_step != Some(false)
    }

    /// What a step asks of a cluster, if it runs there.
    fn job(&self, step: &Step) -> Option<JobRequest> {
        if backend::of_step(self.pipeline, self.request, step) == Backend::Local {
            return None;
        }
        let found = self.cluster.find(self.pipeline, self.request, self.caller);
        let timeout = self.limits(step).timeout;
        Some(JobRequest::new(
            &found.bin,
            &found.config,
            resources(step),
            timeout,
            self.request.grace,
        ))
    }

    fn limits(&self, step: &Step) -> Limits {
        let entry = step.entry.as_ref();
        Limits {
            timeout: self
                .request
                .timeout
                .or(entry.and_then(|entry| entry.timeout)),
            retries: self
                .request
                .retries
                .or(entry.and_then(|entry| entry.retries))
                .unwrap_or(0),
            retry_delay: entry
                .and_then(|entry| entry.retry_delay)
                .unwrap_or(RETRY_DELAY),
        }
    }
}

fn pairs(variables: &[Variable]) -> Vec<(String, String)> {
    let pairs = variables.iter();
    let pairs = pairs.map(|variable| (variable.name.clone(), variable.value.clone()));
    pairs.collect()
}

fn resources(step: &Step) -> Resources {
    let entry = step.entry.as_ref();
    entry.map_or_else(Resources::default, |entry| entry.resources)
}

/// The files of a step by their absolute path, for a place where relative ones lead elsewhere.
fn with_absolute_files(resolved: Vec<Resolved>) -> Vec<Resolved> {
    let absolute = |value: Resolved| match &value.path {
        Some(path) => Resolved {
            value: path.display().to_string(),
            ..value
        },
        None => value,
    };
    resolved.into_iter().map(absolute).collect()
}
