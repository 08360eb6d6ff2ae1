//! From a `main.py` that runs a pipeline by hand to the section `steps:` of its MLproject.
//!
//! [`propose`] reads the MLproject of a folder and the program that its `main` runs, and gives the text
//! of the MLproject with the sections `config:`, `env:` and `steps:` added: one step for each call of
//! `mlflow.run`. The program is read as a syntax tree; nothing of the folder is run, and nothing is
//! written. What a definition cannot say stands in it as a comment and is told.

#![warn(missing_docs)]

mod command;
mod config;
mod edit;
mod error;
mod folders;
mod interpret;
mod path;
mod section;
mod smallest;
mod source;
mod step;
mod told;
mod value;
mod yaml;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mlproject::pyyaml::{self, Object};
use mlproject::{Project, file};

pub use crate::edit::created;
pub use crate::error::{InitError, Note};
pub use crate::smallest::smallest;

use crate::command::Command;
use crate::config::{Entry, is_inside};
use crate::error::MAX_LINES;
use crate::interpret::{Pipeline, follow};
use crate::section::Section;
use crate::source::Source;
use crate::step::{Setting, Step};

/// The name of the file where there is none.
pub const FILE: &str = "MLproject";

/// The largest program that is looked at, in bytes.
const MAX_PROGRAM: u64 = 1 << 20;

/// How many programs are looked at where none is named.
const MAX_PROGRAMS: usize = 200;

/// What is to be written, and what has to be told of it.
#[derive(Debug)]
pub struct Proposal {
    /// The MLproject.
    pub path: PathBuf,
    /// Its text as it is; none if there is no such file.
    pub old: Option<String>,
    /// Its text with the new sections.
    pub new: String,
    /// The difference between the two, in the unified format. Texts of a stranger stand in it: escape
    /// control characters where it is shown.
    pub diff: String,
    /// The program that the steps were read from, if it was one.
    pub program: Option<PathBuf>,
    /// The names of the steps.
    pub steps: Vec<String>,
    /// What was not understood, and stands in the new text as a comment.
    pub not_understood: Vec<Note>,
    /// What is different from before.
    pub warnings: Vec<String>,
}

/// What the steps were read from.
struct Definition {
    program: Option<String>,
    config: Vec<Entry>,
    steps: Vec<Step>,
    notes: Vec<Note>,
    warnings: Vec<String>,
}

/// What the section is added to.
struct Base {
    project: Project,
    path: PathBuf,
    text: String,
    is_new: bool,
}

impl Base {
    /// The MLproject of a folder, else a new one whose `main` is the program that runs the steps.
    fn of(root: &Path) -> Result<Base, InitError> {
        if let Some(project) = Project::load(root)? {
            let path = project.place.file.clone();
            return Ok(Base {
                text: read_project(&path)?,
                project,
                path,
                is_new: false,
            });
        }
        let none = || InitError::NoProject {
            folder: root.to_owned(),
        };
        let program = program(root, &Command::default()).ok_or_else(none)?;
        let (path, text) = (root.join(FILE), smallest::of_program(root, &program));
        Ok(Base {
            project: Project::parse(&text, &path, root)?,
            path,
            text,
            is_new: true,
        })
    }
}

/// Proposes the section `steps:` for the pipeline in `root`, which should be absolute.
pub fn propose(root: &Path) -> Result<Proposal, InitError> {
    let Base {
        project,
        path,
        text,
        is_new,
    } = Base::of(root)?;
    let document = pyyaml::parse(&text).map_err(|error| mlproject::Error::Yaml {
        path: path.clone(),
        error,
    })?;
    if project.steps.is_some() {
        let line = document.line(&["steps"]).unwrap_or(1);
        return Err(InitError::HasSteps { file: path, line });
    }
    let (mut definition, project) = define(root, project)?;
    let environment = shared_environment(&mut definition.steps);
    let mut section = Section {
        program: definition.program.as_deref().unwrap_or_default(),
        config: &definition.config,
        environment,
        steps: &definition.steps,
        notes: &definition.notes,
    };
    let not_understood = told::not_understood(&section);
    let mut warnings = std::mem::take(&mut definition.warnings);
    leave_out_what_is_there(&document.value, &mut section, &mut warnings);
    warnings.extend(told::warnings(root, &project, &definition, &section));
    let lines = section.lines();
    if lines.len() > MAX_LINES {
        let lines = lines.len();
        return Err(InitError::TooLarge { file: path, lines });
    }
    let edited =
        edit::insert(&text, &lines).ok_or_else(|| InitError::Style { file: path.clone() })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Proposal {
        diff: if is_new {
            created(&name, &edited.text)
        } else {
            edit::diff(&name, &text, &edited)
        },
        new: edited.text,
        old: (!is_new).then_some(text),
        program: definition
            .program
            .as_ref()
            .map(|program| root.join(program)),
        steps: definition.steps.into_iter().map(|step| step.name).collect(),
        not_understood,
        warnings,
        path,
    })
}

/// Sections that are there stay as they are; what they should say is told.
fn leave_out_what_is_there(project: &Object, section: &mut Section, warnings: &mut Vec<String>) {
    let config: Vec<&str> = section
        .config
        .iter()
        .map(|(_, file)| file.as_str())
        .collect();
    if project.get("config").is_some() && !config.is_empty() {
        let names = config.join("`, `");
        warnings.push(format!(
            "`config:` is there already; it should name `{names}`"
        ));
        section.config = &[];
    }
    let variables: Vec<&str> = section
        .environment
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    if project.get("env").is_some() && !variables.is_empty() {
        let names = variables.join("`, `");
        warnings.push(format!("`env:` is there already; it should set `{names}`"));
        section.environment.clear();
    }
}

fn read_project(path: &Path) -> Result<String, InitError> {
    let bytes = file::read_regular(path, pyyaml::MAX_BYTES as u64);
    // The project was read before: it is text.
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    text.map_err(|source| InitError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The steps of the program, else those of the folders, else the other entry points.
fn define(root: &Path, project: Project) -> Result<(Definition, Project), InitError> {
    let template = project
        .entry_point("main")
        .and_then(|main| main.command.clone());
    let command = Command::parse(template.as_deref().unwrap_or_default());
    let mut project = project;
    let mut warnings = Vec::new();
    if let Some(script) = program(root, &command) {
        let source = Source::load(&root.join(&script))?;
        let pipeline = Pipeline {
            root: root.to_owned(),
            project,
            command,
            script,
        };
        let found = follow(&source, &pipeline);
        project = pipeline.project;
        let is_known = found.steps.iter().any(|step| step.is_located);
        if is_known {
            let definition = Definition {
                program: Some(pipeline.script),
                config: found.config.files,
                steps: found.steps,
                notes: found.notes,
                warnings: found.warnings,
            };
            return Ok((definition, project));
        }
        warnings.extend(found.warnings);
        warnings.push(format!(
            "no call of `mlflow.run` in `{}` was understood",
            pipeline.script
        ));
    }
    let names = names_of(root, &project).ok_or_else(|| InitError::NoSteps {
        file: project.place.file.clone(),
        found: "no `mlflow.run` in a program of this folder, and no folder with an MLproject",
        next: "`orchestrator` runs its `main` as it is",
    })?;
    let quoted = names.join("`, `");
    warnings.push(format!("the steps `{quoted}` stand in the order of their names; put them into that in which they run"));
    let definition = Definition {
        program: None,
        config: Vec::new(),
        steps: names.into_iter().map(Step::named).collect(),
        notes: Vec::new(),
        warnings,
    };
    Ok((definition, project))
}

fn names_of(root: &Path, project: &Project) -> Option<Vec<String>> {
    let folders = folders::step_names(root);
    if !folders.is_empty() {
        return Some(folders);
    }
    let others = project
        .entry_points
        .iter()
        .map(|entry_point| entry_point.name.clone());
    let others: Vec<String> = others.filter(|name| name != "main").collect();
    (others.len() > 1).then_some(others)
}

/// The program that runs the steps, relative to the folder: the one that the project starts, `main.py`,
/// else the only one that calls `mlflow.run`.
fn program(root: &Path, command: &Command) -> Option<String> {
    let named = command.script.iter().map(|script| {
        let mut script = script.as_str();
        while let Some(rest) = script.strip_prefix("./") {
            script = rest;
        }
        script.to_owned()
    });
    let mut named = named.chain(["main.py".to_owned()]);
    if let Some(script) = named.find(|script| runs_steps(root, script)) {
        return Some(script);
    }
    let entries = std::fs::read_dir(root).ok()?.take(MAX_PROGRAMS);
    let files = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut programs =
        files.filter(|name| path::has_extension(name, &["py"]) && runs_steps(root, name));
    match (programs.next(), programs.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Whether it is a program of the pipeline with a call of `mlflow.run` in it, in any spelling.
fn runs_steps(root: &Path, script: &str) -> bool {
    if !is_inside(script) {
        return false;
    }
    let text = match file::read_regular(&root.join(script), MAX_PROGRAM) {
        Ok(text) => text,
        // It is there, and whoever reads it says why that fails.
        Err(error) => {
            return matches!(
                error.kind(),
                ErrorKind::FileTooLarge | ErrorKind::PermissionDenied
            );
        }
    };
    let has = |word: &[u8]| text.windows(word.len()).any(|window| window == word);
    let calls: [&[u8]; 4] = [
        b"mlflow.run",
        b"mlflow.projects",
        b"from mlflow import",
        b"mlflow as ",
    ];
    calls.iter().any(|call| has(call))
}

/// Takes out of the steps the variables that all of them have.
fn shared_environment(steps: &mut [Step]) -> Vec<(String, Setting)> {
    let first = steps
        .first()
        .map(|step| step.environment.clone())
        .unwrap_or_default();
    let is_shared =
        |variable: &(String, Setting)| steps.iter().all(|step| step.environment.contains(variable));
    let shared: Vec<(String, Setting)> = first.into_iter().filter(is_shared).collect();
    for step in steps {
        step.environment
            .retain(|variable| !shared.contains(variable));
    }
    shared
}
