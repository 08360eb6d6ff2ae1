//! `--list`: the steps of a pipeline and what they take.

use std::borrow::Cow;
use std::io;

use serde::Serialize;

use crate::definition::error::ProjectError;
use crate::definition::{Pipeline, Step};
use crate::plan;
use crate::report::output;
use crate::request::{Format, Request};
use mlproject::Manager;
use mlproject::Parameter;
use mlproject::shell;
use process::printable::{flowed, one_line};
use process::redact::shown_value;

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    description: Option<&'a str>,
    /// Whether the step is part of `--steps all`.
    default: bool,
    entry_point: &'a str,
    parameters: Vec<ListedParameter<'a>>,
    environment: Option<Manager>,
    /// Why the step cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct ListedParameter<'a> {
    name: &'a str,
    r#type: &'a str,
    default: Option<Cow<'a, str>>,
    description: Option<&'a str>,
}

/// Prints the steps in the order of the definition, in the form that was asked for.
pub(crate) fn print(pipeline: &Pipeline, request: &Request) -> io::Result<()> {
    let steps = pipeline.steps.iter();
    let listed: Vec<Listed> = steps.map(|step| list(pipeline, request, step)).collect();
    match request.format {
        Format::Text => output::print(&plain_text(&listed)),
        Format::Json => output::print_json(&listed),
    }
}

fn list<'a>(pipeline: &Pipeline, request: &'a Request, step: &'a Step) -> Listed<'a> {
    let entry_point = step.entry_point(&request.entry_point);
    let project = step.project.as_ref();
    Listed {
        name: &step.name,
        description: entry_point
            .and_then(|entry_point| entry_point.description.as_deref())
            .or_else(|| project.ok()?.name.as_deref()),
        default: step.entry.as_ref().is_some_and(|entry| entry.default),
        entry_point: step.entry_point_name(&request.entry_point),
        parameters: entry_point.map_or(Vec::new(), |entry_point| {
            entry_point.parameters.iter().map(parameter).collect()
        }),
        environment: project
            .ok()
            .map(|project| plan::manager(pipeline, request, step, project)),
        error: project.err().map(|error| with_causes(error.as_ref())),
    }
}

/// An error and what caused it, in one line.
fn with_causes(error: &ProjectError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.extend([": ", &error.to_string()]);
        cause = error.source();
    }
    text
}

fn parameter(parameter: &Parameter) -> ListedParameter<'_> {
    ListedParameter {
        name: &parameter.name,
        r#type: parameter.kind.name(),
        default: parameter
            .default
            .as_deref()
            .map(|default| shown_value(&parameter.name, default)),
        description: parameter.description.as_deref(),
    }
}

fn plain_text(listed: &[Listed]) -> String {
    let mut lines = Vec::new();
    for step in listed {
        let optional = if step.default {
            ""
        } else {
            " (not part of `all`)"
        };
        lines.push(format!(
            "{}{}{optional}",
            one_line(step.name),
            after(": ", step.description)
        ));
        if let Some(error) = &step.error {
            lines.push(format!("    {}", one_line(error)));
            continue;
        }
        let environment = step
            .environment
            .map(|manager| manager.to_string())
            .unwrap_or_default();
        lines.push(format!(
            "    entry point {}, environment {environment}",
            one_line(step.entry_point)
        ));
        lines.extend(step.parameters.iter().map(parameter_line));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn parameter_line(parameter: &ListedParameter) -> String {
    let default = match &parameter.default {
        None => "required".to_owned(),
        Some(default) => {
            let default = shell::quote(default);
            format!("default: {}", one_line(&default))
        }
    };
    let description = after("  ", parameter.description);
    format!(
        "    --{} ({}, {default}){description}",
        one_line(parameter.name),
        one_line(parameter.r#type)
    )
}

fn after(separator: &str, text: Option<&str>) -> String {
    text.map(|text| format!("{separator}{}", flowed(text)))
        .unwrap_or_default()
}
