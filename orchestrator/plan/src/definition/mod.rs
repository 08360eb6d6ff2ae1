//! Which steps a pipeline has, where they are and in which order they run.
//!
//! A step's name is looked up as an entry of `steps:` in the root MLproject, else as a folder with an
//! MLproject (`NAME`, `src/NAME`, `components/NAME`, or a path), else as another entry point of the
//! root project. `main` or `.` alone is the pipeline itself, which also runs where there is no step:
//! as under `mlflow run .`.

pub mod error;
pub mod place;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::request::{ParameterOption, Steps};
use error::{ProjectError, SelectionError};
use mlproject::paths::absolute;
use mlproject::{Parameter, Project, StepEntry};
use process::printable::{flowed, one_line};
use process::redact::shown_value;
use source::Access;

/// The entry point by which a project is run when nothing else is said, as in MLflow.
pub const MAIN: &str = "main";

/// Where the folders of steps are looked for, below the pipeline's folder.
const PLACES: [&str; 3] = ["", "src", "components"];

/// The root project and all the steps that are known by name.
#[derive(Debug)]
pub struct Pipeline {
    pub name: String,
    pub project: Rc<Project>,
    /// The steps of `steps:` in their order, then those found in folders, then the entry points.
    pub steps: Vec<Step>,
    /// The projects that were read, by their folders: many steps may be one project.
    read: RefCell<HashMap<PathBuf, Rc<Project>>>,
}

/// One step by name, before anything is asked of it.
#[derive(Debug)]
pub struct Step {
    pub name: String,
    /// The entry point that the definition fixes.
    pub entry_point: Option<String>,
    /// A project that cannot be read matters only if its step is to run.
    pub project: Result<Rc<Project>, Arc<ProjectError>>,
    /// The entry of `steps:`.
    pub entry: Option<StepEntry>,
}

impl Pipeline {
    /// Reads the root MLproject in the folder `typed` of `caller` (absolute) and finds the steps.
    ///
    /// Those that are `requested` are found by path, too, and fetched if they are elsewhere and `access`
    /// allows it.
    pub fn load(
        caller: &Path,
        typed: &Path,
        requested: Option<&Steps>,
        access: Access,
    ) -> Result<Pipeline, ProjectError> {
        let root = &absolute(caller, typed);
        let mut project =
            Project::load(root)?.ok_or_else(|| place::without_project(root, typed))?;
        let entries = project.steps.take();
        let has_section = entries.is_some();
        let fallback = root.file_name().map_or_else(
            || "pipeline".into(),
            |name| name.to_string_lossy().into_owned(),
        );
        let mut pipeline = Pipeline {
            name: project.name.clone().unwrap_or(fallback),
            project: Rc::new(project),
            steps: Vec::new(),
            read: RefCell::default(),
        };
        let requested = requested.cloned().or_else(|| pipeline.default_steps().ok());
        let names: &[String] = match &requested {
            Some(Steps::Named(names)) => names,
            Some(Steps::All) | None => &[],
        };
        for entry in entries.unwrap_or_default() {
            let is_wanted = if names.is_empty() {
                entry.default
            } else {
                names.contains(&entry.name)
            };
            // Only steps that are to run are fetched.
            let access = if is_wanted { access } else { Access::Look };
            let step = pipeline.defined(entry, access);
            pipeline.steps.push(step);
        }
        for name in folders(root).iter().chain(names) {
            if pipeline.step(name).is_none() {
                pipeline.steps.extend(pipeline.folder(name));
            }
        }
        let is_alone = !has_section && pipeline.steps.is_empty();
        let known: HashSet<String> = pipeline.step_names().into_iter().collect();
        for entry_point in &Rc::clone(&pipeline.project).entry_points {
            if entry_point.name != MAIN && !known.contains(&entry_point.name) {
                let step = pipeline.own_entry_point(&entry_point.name, None);
                pipeline.steps.push(step);
            }
        }
        let has_main = pipeline.project.entry_point(MAIN).is_some();
        if is_alone && has_main || names.iter().any(|name| pipeline.is_itself(name)) {
            let main = pipeline.own_main();
            pipeline.steps.push(main);
        }
        Ok(pipeline)
    }

    pub fn root(&self) -> &Path {
        &self.project.folder
    }

    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Whether a name means the pipeline itself, as in `mlflow run .`.
    fn is_itself(&self, name: &str) -> bool {
        let is_root = || absolute(self.root(), name) == self.root();
        (name == MAIN || is_root()) && self.step(name).is_none_or(|step| self.is_own_main(step))
    }

    /// Whether a step is the pipeline's own entry point, run as by `mlflow run .`.
    pub fn is_own_main(&self, step: &Step) -> bool {
        let is_root = |project: &Rc<Project>| Rc::ptr_eq(project, &self.project);
        step.entry.is_none()
            && step.entry_point.is_none()
            && step.project.as_ref().is_ok_and(is_root)
    }

    /// The steps of `--steps all`, if there are any.
    pub fn defaults(&self) -> Vec<&Step> {
        self.all().unwrap_or_default()
    }

    pub fn step_names(&self) -> Vec<String> {
        self.steps.iter().map(|step| step.name.clone()).collect()
    }

    /// The names of all entry points of all steps, once each.
    pub fn entry_point_names(&self) -> Vec<String> {
        let projects = self
            .steps
            .iter()
            .filter_map(|step| step.project.as_ref().ok());
        let entry_points = projects.flat_map(|project| &project.entry_points);
        let mut names: Vec<String> = entry_points.map(|it| it.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The entry point of a step that runs. Of those that do not have the one that was asked for, which others
    /// have, it is `main`.
    pub fn entry_point_name<'a>(&self, step: &'a Step, asked_for: &'a str) -> &'a str {
        let name = step.entry_point_name(asked_for);
        let project = step.project.as_ref().ok();
        let has = |name| project.is_some_and(|project| project.entry_point(name).is_some());
        let is_elsewhere = project.is_some_and(|project| project.folder != self.root());
        let lacks = step.entry_point.is_none() && is_elsewhere && !has(name) && has(MAIN);
        if lacks && self.entry_point_names().iter().any(|known| known == name) {
            MAIN
        } else {
            name
        }
    }

    /// The pipeline's own parameters: those of its `main`.
    pub fn parameters(&self) -> &[Parameter] {
        self.project
            .entry_point(MAIN)
            .map_or(&[], |main| &main.parameters)
    }

    /// Every parameter that the pipeline or one of its steps declares, once each.
    pub fn options(&self) -> Vec<ParameterOption> {
        let mut seen = HashSet::new();
        let projects = self.steps.iter().filter_map(|step| {
            let project = step.project.as_ref().ok()?;
            // Many steps may be entry points of one project.
            seen.insert(Rc::as_ptr(project)).then_some(project)
        });
        let of_steps = projects
            .flat_map(|project| &project.entry_points)
            .flat_map(|entry_point| &entry_point.parameters);
        let mut options: Vec<ParameterOption> = Vec::new();
        for parameter in self.parameters().iter().chain(of_steps) {
            if options.iter().all(|known| known.name != parameter.name) {
                options.push(ParameterOption {
                    name: parameter.name.clone(),
                    help: help(parameter),
                });
            }
        }
        options
    }

    /// The steps to run, in the order in which they run.
    ///
    /// The definition's order wins over that of the command line; steps outside of it come last.
    pub fn select(&self, request: Option<&Steps>) -> Result<Vec<&Step>, Vec<SelectionError>> {
        let steps = match request {
            Some(steps) => steps.clone(),
            None => self.default_steps()?,
        };
        let names = match steps {
            Steps::All => return self.all(),
            Steps::Named(names) => names,
        };
        if let Some(name) = names.iter().find(|name| self.is_itself(name)) {
            let main = self.steps.iter().filter(|step| self.is_own_main(step));
            return match names.len() {
                1 => Ok(main.collect()),
                _ => Err(vec![SelectionError::Itself { name: name.clone() }]),
            };
        }
        let (mut selected, mut problems) = (Vec::new(), Vec::new());
        for name in names {
            match self
                .steps
                .iter()
                .enumerate()
                .find(|(_, step)| step.name == name)
            {
                Some((position, step)) => selected.push((position, step)),
                None => problems.push(self.unknown(name)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        selected.sort_by_key(|(position, step)| {
            if step.entry.is_some() {
                *position
            } else {
                usize::MAX
            }
        });
        Ok(selected.into_iter().map(|(_, step)| step).collect())
    }

    /// The default of the pipeline's own parameter `steps`, else all.
    fn default_steps(&self) -> Result<Steps, Vec<SelectionError>> {
        let declared = self
            .parameters()
            .iter()
            .find(|parameter| parameter.name == "steps");
        let Some((parameter, text)) =
            declared.and_then(|parameter| Some((parameter, parameter.default.as_ref()?)))
        else {
            return Ok(Steps::All);
        };
        text.parse().map_err(|error| {
            vec![SelectionError::Default {
                source: error,
                place: parameter.place.clone(),
            }]
        })
    }

    fn all(&self) -> Result<Vec<&Step>, Vec<SelectionError>> {
        let defaults = self
            .steps
            .iter()
            .filter(|step| step.entry.as_ref().is_some_and(|entry| entry.default));
        let mut defaults: Vec<&Step> = defaults.collect();
        if defaults.is_empty() {
            let main = self.steps.iter().filter(|step| self.is_own_main(step));
            defaults.extend(main);
        }
        if defaults.is_empty() {
            return Err(vec![SelectionError::NoSteps {
                known: self.step_names(),
                has_main: self.project.entry_point(MAIN).is_some(),
                place: self.project.place.clone(),
            }]);
        }
        Ok(defaults)
    }

    fn unknown(&self, name: String) -> SelectionError {
        SelectionError::Unknown {
            name,
            known: self.step_names(),
        }
    }

    /// A step of the section `steps:`.
    fn defined(&self, entry: StepEntry, access: Access) -> Step {
        let elsewhere = entry
            .project
            .as_deref()
            .or(entry.version.as_ref().map(|_| entry.name.as_str()));
        let project = match elsewhere {
            Some(uri) => self
                .load_from(uri, entry.version.as_deref(), access)
                .map_err(Arc::new),
            None => match self.folder(&entry.name) {
                Some(step) => step.project,
                None if self.project.entry_point(&entry.name).is_some() => {
                    return self.own_entry_point(&entry.name.clone(), Some(entry));
                }
                None => Err(Arc::new(self.missing(&entry.name))),
            },
        };
        Step {
            name: entry.name.clone(),
            entry_point: entry.entry_point.clone(),
            project,
            entry: Some(entry),
        }
    }

    /// A folder without an MLproject is a project too: MLflow runs scripts in it by their file name.
    fn load_from(
        &self,
        uri: &str,
        version: Option<&str>,
        access: Access,
    ) -> Result<Rc<Project>, ProjectError> {
        let folder = source::folder(uri, version, self.root(), access)?;
        let project = self.read(&folder)?;
        Ok(project.unwrap_or_else(|| Rc::new(Project::empty(&folder))))
    }

    /// The project in a folder, if there is one.
    fn read(&self, folder: &Path) -> Result<Option<Rc<Project>>, mlproject::Error> {
        if let Some(project) = self.read.borrow().get(folder) {
            return Ok(Some(Rc::clone(project)));
        }
        let project = Project::load(folder)?.map(Rc::new);
        if let Some(project) = &project {
            let known = (folder.to_owned(), Rc::clone(project));
            self.read.borrow_mut().extend([known]);
        }
        Ok(project)
    }

    /// The step that is a folder with an MLproject.
    fn folder(&self, name: &str) -> Option<Step> {
        let project = PLACES.iter().find_map(|place| {
            let folder = absolute(&self.root().join(place), name);
            (folder != self.root())
                .then(|| self.read(&folder).transpose())
                .flatten()
        })?;
        Some(Step {
            name: name.to_owned(),
            entry_point: None,
            project: project.map_err(|error| Arc::new(error.into())),
            entry: None,
        })
    }

    /// Why a step of the section `steps:` has no project; a folder that is there was not misspelled.
    fn missing(&self, name: &str) -> ProjectError {
        let folder = self.root().join(name);
        let mut known = Vec::new();
        if !folder.is_dir() {
            known = folders(self.root());
            known.retain(|name| self.folder(name).is_some());
            let entry_points = self.project.entry_points.iter().map(|it| it.name.clone());
            known.extend(entry_points.filter(|name| name != MAIN));
        }
        let name = name.to_owned();
        ProjectError::Missing {
            folder,
            name,
            known,
        }
    }

    /// The pipeline's own `main`, or the entry point that `-e` names.
    fn own_main(&self) -> Step {
        Step {
            name: MAIN.to_owned(),
            entry_point: None,
            project: Ok(Rc::clone(&self.project)),
            entry: None,
        }
    }

    fn own_entry_point(&self, name: &str, entry: Option<StepEntry>) -> Step {
        let entry_point = Some(name.to_owned());
        Step {
            name: name.to_owned(),
            entry_point,
            project: Ok(Rc::clone(&self.project)),
            entry,
        }
    }
}

impl Step {
    /// The entry point that runs: what the definition fixes, else what was asked for.
    pub fn entry_point_name<'a>(&'a self, asked_for: &'a str) -> &'a str {
        self.entry_point.as_deref().unwrap_or(asked_for)
    }
}

/// The names of the folders in which steps may be, in alphabetical order.
fn folders(root: &Path) -> Vec<String> {
    let entries = PLACES
        .iter()
        .filter_map(|place| std::fs::read_dir(root.join(place)).ok())
        .flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            (!name.starts_with('.') && entry.path().is_dir()).then_some(name)
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

fn help(parameter: &Parameter) -> String {
    let description = flowed(parameter.description.as_deref().unwrap_or_default());
    match &parameter.default {
        Some(default) => {
            let default = shown_value(&parameter.name, default);
            format!("{description} [default: {}]", one_line(&default))
        }
        None => description,
    }
}
