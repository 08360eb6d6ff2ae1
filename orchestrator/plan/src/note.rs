//! What is odd about a plan, and no reason not to run it.

use std::fmt;

use mlproject::{Place, Setting};
use process::redact::shown_value;
use process::text::names as quoted;

use super::fill::names_parameter;
use crate::definition::{Pipeline, Step};
use crate::request::Request;

/// Something that is told as a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A step does not have the entry point that was asked for.
    MainInstead { step: String, asked: String },
    /// A default that its own type refuses: MLflow, too, hands it on.
    OddDefault {
        name: String,
        kind: &'static str,
        value: String,
        place: Place,
    },
    /// Parameters that no placeholder takes, at the end of a command that reads nothing there.
    Lost {
        step: String,
        names: Vec<String>,
        behind: &'static str,
        place: Place,
    },
    /// A parameter of the pipeline that does nothing.
    Unused { name: String },
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::MainInstead { step, asked } => write!(
                formatter,
                "step `{step}` has no entry point `{asked}`: its `main` is taken"
            ),
            Note::OddDefault {
                name,
                kind,
                value,
                place,
            } => write!(
                formatter,
                "{place}: parameter `{name}` is of type {kind}, but its default is `{}`; write `type: str` if that is meant",
                shown_value(name, value)
            ),
            Note::Lost {
                step,
                names,
                behind,
                place,
            } => write!(
                formatter,
                "{place}: step `{step}` does not get {}, which its entry point does not declare: its command ends in {behind}; declare it below `parameters:` and write `{{NAME}}` in the command",
                quoted(names)
            ),
            Note::Unused { name } => write!(
                formatter,
                "parameter `{name}` was given, but no step takes it"
            ),
        }
    }
}

/// The parameters of the pipeline that were given and that nothing uses, whichever steps are selected.
///
/// A value that is the default says nothing: the pipeline's own `main` hands on all of them.
pub(super) fn unused(pipeline: &Pipeline, request: &Request) -> Vec<Note> {
    let is_odd = |(name, value): &&(String, String)| {
        let mut declared = pipeline.parameters().iter();
        let declared = declared.find(|known| known.name == *name);
        let is_other = declared.is_some_and(|known| known.default.as_ref() != Some(value));
        is_other && name != "steps" && !is_used(name, pipeline, request)
    };
    let odd = request.parameters.iter().filter(is_odd);
    odd.map(|(name, _)| Note::Unused { name: name.clone() })
        .collect()
}

fn is_used(name: &str, pipeline: &Pipeline, request: &Request) -> bool {
    let is_named = |setting: &Setting| names_parameter(setting, name);
    let by_step = |step: &Step| {
        let Ok(project) = &step.project else {
            // Nobody knows.
            return true;
        };
        let entry_point = pipeline.entry_point_name(step, &request.entry_point);
        let entry_point = project.entry_point(entry_point);
        let takes = entry_point.is_some_and(|it| it.parameter(name).is_some());
        let entry = step.entry.iter();
        let mut settings = entry.flat_map(|entry| entry.parameters.iter().chain(&entry.env));
        takes || settings.any(is_named)
    };
    pipeline.project.env.iter().any(is_named) || pipeline.steps.iter().any(by_step)
}
