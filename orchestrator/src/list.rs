//! `--list`: the steps of a pipeline and what they take.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::{Format, Request};
use crate::command;
use crate::definition::{Pipeline, Step};
use crate::environment::Manager;
use crate::error::{Error, ProjectError};
use crate::plan;
use crate::project::Parameter;

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
    default: Option<&'a str>,
    description: Option<&'a str>,
}

/// Prints the steps in the order of the definition.
pub(crate) fn print(pipeline: &Pipeline, request: &Request) -> Result<(), Error> {
    let listed: Vec<Listed> = pipeline
        .steps
        .iter()
        .map(|step| list(pipeline, request, step))
        .collect();
    let mut stdout = io::stdout().lock();
    match request.format {
        Format::Text => write_text(&mut stdout, &listed)?,
        Format::Json => {
            serde_json::to_writer(&mut stdout, &listed).map_err(io::Error::from)?;
            writeln!(stdout)?;
        }
    }
    Ok(stdout.flush()?)
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
        error: project
            .err()
            .map(|error: &std::sync::Arc<ProjectError>| error.to_string()),
    }
}

fn parameter(parameter: &Parameter) -> ListedParameter<'_> {
    ListedParameter {
        name: &parameter.name,
        r#type: &parameter.kind,
        default: parameter.default.as_deref(),
        description: parameter.description.as_deref(),
    }
}

fn write_text(out: &mut impl Write, listed: &[Listed]) -> io::Result<()> {
    for step in listed {
        let optional = if step.default {
            ""
        } else {
            " (not part of `all`)"
        };
        writeln!(
            out,
            "{}{}{optional}",
            step.name,
            after(": ", step.description)
        )?;
        if let Some(error) = &step.error {
            writeln!(out, "    {error}")?;
            continue;
        }
        let environment = step
            .environment
            .map(|manager| manager.to_string())
            .unwrap_or_default();
        writeln!(
            out,
            "    entry point {}, environment {environment}",
            step.entry_point
        )?;
        for parameter in &step.parameters {
            let default = match parameter.default {
                None => "required".to_owned(),
                Some(default) => format!("default: {}", command::quote(default)),
            };
            let description = after("  ", parameter.description);
            writeln!(
                out,
                "    --{} ({}, {default}){description}",
                parameter.name, parameter.r#type
            )?;
        }
    }
    Ok(())
}

fn after(separator: &str, text: Option<&str>) -> String {
    text.map(|text| format!("{separator}{text}"))
        .unwrap_or_default()
}
