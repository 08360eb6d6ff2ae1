//! `--list`: the steps of a pipeline and what they take.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::invocation::Format;
use crate::report::output;
use mlproject::{Manager, Parameter, Value, shell};
use plan::definition::error::ProjectError;
use plan::definition::{Pipeline, Step};
use plan::request::Request;
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
    /// The parameters that name files to read and to write.
    inputs: &'a [String],
    outputs: &'a [String],
    /// The steps that it waits for when all run; none when it is not among these.
    needs: Option<Vec<String>>,
    /// Whether these are more, or others, than the step before.
    #[serde(skip)]
    waits_otherwise: bool,
    environment: Option<Manager>,
    /// Why the step cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct ListedParameter<'a> {
    name: &'a str,
    r#type: &'a str,
    /// What it is unless the command line says otherwise; none where it has to.
    default: Option<Cow<'a, str>>,
    description: Option<&'a str>,
}

/// Prints the steps in the order of the definition, in the form that was asked for.
pub(crate) fn print(
    pipeline: &Pipeline,
    request: &Request,
    format: Format,
    caller: &Path,
) -> io::Result<()> {
    let defaults = pipeline.defaults().into_iter().map(std::ptr::from_ref);
    let defaults: HashSet<*const Step> = defaults.collect();
    let steps = pipeline.steps.iter();
    let steps = steps.map(|step| Listed {
        default: defaults.contains(&std::ptr::from_ref(step)),
        ..list(pipeline, request, step)
    });
    let mut listed: Vec<Listed> = steps.collect();
    // What is wrong with the order is for the plan to say.
    if let Ok(sketch) = plan::sketch(pipeline, request, caller) {
        let numbers = sketch.steps.iter().enumerate();
        let numbers: HashMap<&str, usize> = numbers
            .map(|(number, (name, _))| (name.as_str(), number))
            .collect();
        for step in &mut listed {
            if let Some(number) = numbers.get(step.name).copied() {
                step.waits_otherwise = sketch.graph.waits_otherwise(number).is_some();
                let needs = sketch.waits(number).into_iter();
                step.needs = Some(needs.map(str::to_owned).collect());
            }
        }
    }
    match format {
        Format::Json => output::print_json(&listed),
        _ => output::print(&plain_text(&listed)),
    }
}

fn list<'a>(pipeline: &'a Pipeline, request: &'a Request, step: &'a Step) -> Listed<'a> {
    let name = pipeline.entry_point_name(step, &request.entry_point);
    let project = step.project.as_ref();
    let entry_point = project.ok().and_then(|it| it.entry_point(name));
    Listed {
        name: &step.name,
        description: entry_point
            .and_then(|entry_point| entry_point.description.as_deref())
            .or_else(|| project.ok()?.name.as_deref()),
        default: false,
        entry_point: name,
        parameters: entry_point.map_or(Vec::new(), |entry_point| {
            let listed = entry_point.parameters.iter();
            listed.map(|it| parameter(pipeline, step, it)).collect()
        }),
        inputs: entry_point
            .and_then(|it| it.inputs.as_deref())
            .unwrap_or_default(),
        outputs: entry_point
            .and_then(|it| it.outputs.as_deref())
            .unwrap_or_default(),
        needs: None,
        waits_otherwise: false,
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

fn parameter<'a>(
    pipeline: &'a Pipeline,
    step: &'a Step,
    parameter: &'a Parameter,
) -> ListedParameter<'a> {
    let name = parameter.name.as_str();
    let shown = |value: &'a str| shown_value(name, value);
    let mut of_entry = step.entry.iter().flat_map(|entry| &entry.parameters);
    let default = if let Some(setting) = of_entry.find(|setting| setting.name == name) {
        as_written(pipeline, &setting.value).map(|value| match value {
            Cow::Borrowed(value) => shown(value),
            Cow::Owned(value) => value.into(),
        })
    } else {
        let of_pipeline = default_of(pipeline, name).filter(|_| !pipeline.is_own_main(step));
        of_pipeline.or(parameter.default.as_deref()).map(shown)
    };
    ListedParameter {
        name,
        r#type: parameter.kind.name(),
        default,
        description: parameter.description.as_deref(),
    }
}

fn default_of<'a>(pipeline: &'a Pipeline, name: &str) -> Option<&'a str> {
    let mut declared = pipeline.parameters().iter();
    let declared = declared.find(|known| known.name == name)?;
    declared.default.as_deref()
}

/// A value of the definition: the default of what it stands for, else as it is written.
fn as_written<'a>(pipeline: &'a Pipeline, value: &'a Value) -> Option<Cow<'a, str>> {
    match value {
        Value::Text(template) => {
            let inside = template
                .strip_prefix('{')
                .and_then(|it| it.strip_suffix('}'));
            let mut declared = pipeline.parameters().iter();
            match declared.find(|known| Some(known.name.as_str()) == inside) {
                Some(known) => known.default.as_deref().map(Cow::Borrowed),
                None => Some(template.into()),
            }
        }
        Value::Part { format, keys } => {
            let keys = keys.join("][");
            Some(format!("{{{}: config[{keys}]}}", format.name()).into())
        }
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
        let needs = step.needs.as_deref().filter(|_| step.waits_otherwise);
        let needs = needs.unwrap_or_default();
        for (what, names) in [
            ("reads", step.inputs),
            ("writes", step.outputs),
            ("after", needs),
        ] {
            if !names.is_empty() {
                lines.push(format!("    {what} {}", one_line(&names.join(", "))));
            }
        }
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
