//! All steps, resolved and checked, before anything runs.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::cli::Request;
use crate::command;
use crate::definition::{Pipeline, Step};
use crate::environment::{Environment, Manager};
use crate::error::{Problem, ProblemKind, ProjectError};
use crate::parameters::{self, Resolved, Sources};
use crate::project::{EntryPoint, Project};

/// What will run, in order. What `--dry-run` prints is the value that is executed.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    pub(crate) pipeline: String,
    pub(crate) root: PathBuf,
    pub(crate) steps: Vec<PlannedStep>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PlannedStep {
    pub(crate) name: String,
    pub(crate) project: PathBuf,
    pub(crate) entry_point: String,
    pub(crate) cwd: PathBuf,
    /// The text for `bash -c`, before any environment is wrapped around it.
    pub(crate) command: String,
    /// The values as they are, without shell quotes.
    #[serde(serialize_with = "as_map")]
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) environment: Environment,
    #[serde(skip)]
    outputs: Vec<PathBuf>,
}

fn as_map<S: Serializer>(
    parameters: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(parameters.iter().map(|(name, value)| (name, value)))
}

/// Plans every step that is asked for, or tells everything that is wrong with them, step by step.
pub(crate) fn make(
    pipeline: &Pipeline,
    request: &Request,
    caller: &Path,
) -> Result<Plan, Vec<Problem>> {
    let context = Context {
        pipeline,
        request,
        caller,
    };
    let mut problems = context.unknown_parameters();
    let mut steps: Vec<PlannedStep> = Vec::new();
    match pipeline.select(request.steps.as_ref()) {
        Err(unknown) => problems.extend(unknown),
        Ok(selected) => {
            for step in selected {
                let (planned, complaints) = context.step(step, &steps);
                problems.extend(complaints);
                steps.extend(planned);
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Plan {
        pipeline: pipeline.name.clone(),
        root: pipeline.root().to_owned(),
        steps,
    })
}

/// What every step's plan depends on.
struct Context<'a> {
    pipeline: &'a Pipeline,
    request: &'a Request,
    caller: &'a Path,
}

impl Context<'_> {
    /// Plans one step after those that are `earlier`. A step with complaints is planned as far as it goes.
    fn step(&self, step: &Step, earlier: &[PlannedStep]) -> (Option<PlannedStep>, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut complain = |place, kind| {
            problems.push(Problem {
                step: Some(step.name.clone()),
                place,
                kind,
            });
        };
        let project = match &step.project {
            Ok(project) => project,
            Err(error) => {
                // A project that is not there has no line of its own to point to.
                let is_missing = matches!(**error, ProjectError::Missing(_));
                let entry = step.entry.as_ref().filter(|_| is_missing);
                complain(
                    entry.map(|entry| entry.place.clone()),
                    ProblemKind::Project(Arc::clone(error)),
                );
                return (None, problems);
            }
        };
        let name = step.entry_point_name(&self.request.entry_point);
        let Some(entry_point) = find_entry_point(project, name) else {
            let known = project
                .entry_points
                .iter()
                .map(|known| known.name.clone())
                .collect();
            let kind = ProblemKind::UnknownEntryPoint {
                name: name.to_owned(),
                project: project.folder.clone(),
                known,
            };
            complain(Some(project.place.clone()), kind);
            return (None, problems);
        };
        for kind in undeclared_files(&entry_point) {
            complain(Some(entry_point.place.clone()), kind);
        }
        let manager = manager(self.pipeline, self.request, step, project);
        let environment = Environment {
            manager,
            file: project.environment.file().map(Path::to_owned),
        };
        for kind in environment_problems(&environment) {
            complain(Some(project.place.clone()), kind);
        }
        let (resolved, unresolved) =
            parameters::resolve(&entry_point, &self.sources(step, project));
        for (value, kind) in self.file_problems(step, &entry_point, &resolved, earlier) {
            let declared = entry_point.parameter(&value.name);
            complain(declared.map(|parameter| parameter.place.clone()), kind);
        }
        let command = match &entry_point.command {
            _ if !unresolved.is_empty() => String::new(),
            None => {
                complain(
                    Some(entry_point.place.clone()),
                    ProblemKind::NoCommand {
                        name: name.to_owned(),
                    },
                );
                String::new()
            }
            Some(template) => render(template, &resolved).unwrap_or_else(|source| {
                complain(
                    Some(entry_point.place.clone()),
                    ProblemKind::Command { source },
                );
                String::new()
            }),
        };
        problems.extend(unresolved);
        let planned = PlannedStep {
            name: step.name.clone(),
            project: project.folder.clone(),
            entry_point: name.to_owned(),
            cwd: project.folder.clone(),
            command,
            outputs: outputs(&entry_point, &resolved)
                .map(Path::to_owned)
                .collect(),
            parameters: resolved
                .into_iter()
                .map(|value| (value.name, value.value))
                .collect(),
            environment,
        };
        (Some(planned), problems)
    }

    fn sources<'a>(&'a self, step: &'a Step, project: &'a Project) -> Sources<'a> {
        Sources {
            step: &step.name,
            given: &self.request.parameters,
            defined: step.entry.as_ref().map_or(&[], |entry| &entry.parameters),
            pipeline: self.pipeline.parameters(),
            caller: self.caller,
            root: self.pipeline.root(),
            folder: &project.folder,
        }
    }

    /// Given names that no declaration knows; also those of steps which are not selected count as known.
    fn unknown_parameters(&self) -> Vec<Problem> {
        let known: Vec<String> = self
            .pipeline
            .options()
            .into_iter()
            .map(|option| option.name)
            .collect();
        let is_known = |name: &str| {
            known.iter().any(|known| known == name)
                || self
                    .pipeline
                    .steps
                    .iter()
                    .any(|step| parameters::qualified(name, &step.name).is_some())
        };
        let unknown = self
            .request
            .parameters
            .iter()
            .filter(|(name, _)| !is_known(name));
        unknown
            .map(|(name, _)| {
                let kind = ProblemKind::UnknownParameter {
                    name: name.clone(),
                    known: known.clone(),
                };
                Problem::general(None, kind)
            })
            .collect()
    }

    /// Files that should exist, or be made by an earlier step, and outputs that two steps would write.
    fn file_problems<'a>(
        &self,
        step: &Step,
        entry_point: &EntryPoint,
        resolved: &'a [Resolved],
        earlier: &[PlannedStep],
    ) -> Vec<(&'a Resolved, ProblemKind)> {
        let mut problems = Vec::new();
        for value in resolved {
            let Some(path) = &value.path else { continue };
            let name = value.name.clone();
            let made = earlier
                .iter()
                .flat_map(|step| &step.outputs)
                .any(|output| overlap(output, path));
            let kind = entry_point
                .parameter(&name)
                .map_or("", |parameter| parameter.kind.as_str());
            if entry_point.outputs.contains(&name) {
                let other = earlier
                    .iter()
                    .find(|earlier| earlier.outputs.contains(path));
                if let Some(other) = other.filter(|_| !entry_point.inputs.contains(&name)) {
                    let kind = ProblemKind::SameOutput {
                        name,
                        path: path.clone(),
                        other: other.name.clone(),
                    };
                    problems.push((value, kind));
                }
            } else if made || path.exists() {
            } else if entry_point.inputs.contains(&name) {
                let maker = self.maker(path, &step.name);
                problems.push((
                    value,
                    ProblemKind::MissingInput {
                        name,
                        path: path.clone(),
                        maker,
                    },
                ));
            } else if kind == "uri" {
                problems.push((
                    value,
                    ProblemKind::NotAUri {
                        name,
                        value: value.value.clone(),
                    },
                ));
            } else {
                problems.push((
                    value,
                    ProblemKind::NoSuchPath {
                        name,
                        value: value.value.clone(),
                    },
                ));
            }
        }
        problems
    }

    /// The step that would make a file, were it selected.
    fn maker(&self, path: &Path, for_step: &str) -> Option<String> {
        let makes = |step: &&Step| {
            let Ok(project) = &step.project else {
                return false;
            };
            let Some(entry_point) = step.entry_point(&self.request.entry_point) else {
                return false;
            };
            let (resolved, _) = parameters::resolve(entry_point, &self.sources(step, project));
            outputs(entry_point, &resolved).any(|output| overlap(output, path))
        };
        let mut others = self
            .pipeline
            .steps
            .iter()
            .filter(|step| step.name != for_step);
        others.find(makes).map(|step| step.name.clone())
    }
}

/// Which tool makes a step's environment: the command line decides, then the step's entry, then the
/// pipeline, then the project itself.
pub(crate) fn manager(
    pipeline: &Pipeline,
    request: &Request,
    step: &Step,
    project: &Project,
) -> Manager {
    let of_entry = step.entry.as_ref().and_then(|entry| entry.env_manager);
    let said = request
        .env_manager
        .or(of_entry)
        .or(pipeline.project.env_manager);
    said.unwrap_or_else(|| project.environment.default_manager())
}

/// The declared entry point, else a script by its file name as MLflow runs it.
fn find_entry_point<'a>(project: &'a Project, name: &str) -> Option<Cow<'a, EntryPoint>> {
    if let Some(declared) = project.entry_point(name) {
        return Some(Cow::Borrowed(declared));
    }
    let extension = Path::new(name).extension()?.to_str()?;
    let command = match extension {
        "py" => format!("python {}", command::quote(name)),
        "sh" => {
            let shell = std::env::var("SHELL").unwrap_or_else(|_| "bash".to_owned());
            format!("{shell} {}", command::quote(name))
        }
        "R" => format!("Rscript -e \"mlflow::mlflow_source('{name}')\" --args"),
        _ => return None,
    };
    Some(Cow::Owned(EntryPoint {
        name: name.to_owned(),
        description: None,
        parameters: Vec::new(),
        command: Some(command),
        inputs: Vec::new(),
        outputs: Vec::new(),
        place: project.place.clone(),
    }))
}

fn undeclared_files(entry_point: &EntryPoint) -> Vec<ProblemKind> {
    let inputs = entry_point.inputs.iter().map(|name| ("inputs", name));
    let outputs = entry_point.outputs.iter().map(|name| ("outputs", name));
    let undeclared = inputs
        .chain(outputs)
        .filter(|(_, name)| entry_point.parameter(name).is_none());
    undeclared
        .map(|(key, name)| ProblemKind::UndeclaredFile {
            key,
            name: name.clone(),
            entry_point: entry_point.name.clone(),
            known: entry_point
                .parameters
                .iter()
                .map(|parameter| parameter.name.clone())
                .collect(),
        })
        .collect()
}

fn environment_problems(environment: &Environment) -> Vec<ProblemKind> {
    let file = environment.file.as_ref().filter(|file| !file.is_file());
    let missing = file.map(|file| ProblemKind::NoEnvironmentFile { file: file.clone() });
    let manager = environment.manager;
    let unsupported = (manager != Manager::Local).then_some(ProblemKind::Manager { manager });
    missing.into_iter().chain(unsupported).collect()
}

fn render(template: &str, resolved: &[Resolved]) -> Result<String, command::TemplateError> {
    let pair = |value: &Resolved| (value.name.clone(), value.value.clone());
    let (declared, extra): (Vec<&Resolved>, Vec<&Resolved>) =
        resolved.iter().partition(|value| value.declared);
    let declared: Vec<(String, String)> = declared.into_iter().map(pair).collect();
    let extra: Vec<(String, String)> = extra.into_iter().map(pair).collect();
    command::render(template, &declared, &extra)
}

fn outputs<'a>(
    entry_point: &'a EntryPoint,
    resolved: &'a [Resolved],
) -> impl Iterator<Item = &'a Path> {
    let written = resolved
        .iter()
        .filter(|value| entry_point.outputs.contains(&value.name));
    written.filter_map(|value| value.path.as_deref())
}

/// Whether two paths are the same, or one is a folder that holds the other.
fn overlap(left: &Path, right: &Path) -> bool {
    left.starts_with(right) || right.starts_with(left)
}

/// The plan for people.
impl std::fmt::Display for Plan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            formatter,
            "pipeline {} in {}",
            self.pipeline,
            self.root.display()
        )?;
        for (position, step) in self.steps.iter().enumerate() {
            writeln!(
                formatter,
                "\n{}. {} ({} in {})",
                position + 1,
                step.name,
                step.entry_point,
                step.cwd.display()
            )?;
            for (name, value) in &step.parameters {
                writeln!(formatter, "   {name} = {value}")?;
            }
            write!(formatter, "   environment: {}", step.environment.manager)?;
            if let Some(file) = &step.environment.file {
                write!(formatter, " ({})", file.display())?;
            }
            writeln!(formatter, "\n   command: {}", step.command)?;
        }
        Ok(())
    }
}
