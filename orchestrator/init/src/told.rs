//! What is told about a proposal: what was not understood, and what is another way than before.

use std::path::Path;

use mlproject::Project;

use crate::Definition;
use crate::config::{self, is_inside};
use crate::error::Note;
use crate::folders;
use crate::section::Section;
use crate::step::{Setting, Step};

/// What is not understood, in the order of the program.
pub(crate) fn not_understood(section: &Section) -> Vec<Note> {
    let mut not_understood = notes(section.steps, &section.environment);
    not_understood.extend(section.notes.iter().cloned());
    not_understood.sort_by_key(|note| note.line);
    not_understood.dedup();
    not_understood
}

/// What means something else than under the program.
pub(crate) fn warnings(
    root: &Path,
    project: &Project,
    definition: &Definition,
    section: &Section,
) -> Vec<String> {
    let mut warnings = parameter_warnings(root, project, section.steps, &section.environment);
    warnings.extend(environment_warning(project, definition));
    warnings
}

/// `mlflow.run` without `env_manager` takes what the project of the step says; in the definition the
/// pipeline's `env_manager:` goes before that.
fn environment_warning(project: &Project, definition: &Definition) -> Option<String> {
    let (manager, _) = (project.env_manager?, definition.program.as_ref()?);
    let steps = definition.steps.iter();
    let silent: Vec<&str> = steps
        .filter(|step| step.leaves_manager)
        .map(|step| step.name.as_str())
        .collect();
    (!silent.is_empty()).then(|| {
        format!(
            "`env_manager: {}` of the pipeline now counts for what the program ran without one: `{}`",
            manager.name(),
            silent.join("`, `")
        )
    })
}

/// What is not understood in the steps and variables.
fn notes(steps: &[Step], environment: &[(String, Setting)]) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut settings = |what: &dyn Fn(&str) -> String, settings: &[(String, Setting)]| {
        for (name, setting) in settings {
            if let Setting::NotUnderstood(unknown) = setting {
                notes.push(Note {
                    line: Some(unknown.line),
                    text: format!("{}: `{}`", what(name), unknown.text),
                });
            }
        }
    };
    settings(&|name| format!("variable `{name}`"), environment);
    for step in steps {
        settings(
            &|name| format!("step `{}`, variable `{name}`", step.name),
            &step.environment,
        );
        settings(
            &|name| format!("step `{}`, parameter `{name}`", step.name),
            &step.parameters,
        );
    }
    for step in steps {
        notes.extend(step.remarks.iter().map(|unknown| Note {
            line: Some(unknown.line),
            text: format!("step `{}`: `{}`", step.name, unknown.text),
        }));
    }
    notes
}

/// Parameters of the pipeline that lose their meaning, or reach a step that they did not reach before.
fn parameter_warnings(
    root: &Path,
    project: &Project,
    steps: &[Step],
    environment: &[(String, Setting)],
) -> Vec<String> {
    let mut warnings = Vec::new();
    let parameters = project
        .entry_point("main")
        .map_or(&[][..], |main| &main.parameters);
    let shared = Step {
        environment: environment.to_vec(),
        ..Step::named("")
    };
    for parameter in parameters
        .iter()
        .filter(|parameter| parameter.name != "steps")
    {
        let name = &parameter.name;
        let mut is_used = shared.names(name) || steps.iter().any(|step| step.names(name));
        for step in steps {
            let is_given = step.parameters.iter().any(|(known, _)| known == name);
            if !is_given && declares(root, project, step, name) {
                is_used = true;
                warnings.push(format!(
                    "step `{}` now gets the pipeline's parameter `{name}`, which the program did not hand on", step.name
                ));
            }
        }
        if !is_used {
            warnings.push(format!(
                "parameter `{name}` of `main` reaches no step any more; values of a config are given as `-P config.KEY=VALUE`, steps by `--steps`"
            ));
        }
    }
    warnings
}

/// Whether the step's entry point has a parameter of that name.
fn declares(root: &Path, project: &Project, step: &Step, parameter: &str) -> bool {
    let mut folders = match &step.project {
        Some(folder) => vec![folder.clone()],
        None => folders::PLACES
            .iter()
            .map(|place| config::below(place, &step.name))
            .collect(),
    };
    folders.retain(|folder| is_inside(folder));
    let loaded = folders
        .iter()
        .find_map(|folder| Project::load(&root.join(folder)).ok().flatten());
    let (project, default) = match &loaded {
        Some(loaded) => (loaded, "main"),
        None => (project, step.name.as_str()),
    };
    let entry_point = project.entry_point(step.entry_point.as_deref().unwrap_or(default));
    entry_point.is_some_and(|entry_point| entry_point.parameter(parameter).is_some())
}
