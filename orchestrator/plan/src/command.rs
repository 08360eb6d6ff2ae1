//! From an entry point and its values to the command.

use std::borrow::Cow;

use mlproject::{EntryPoint, Project};
use mlproject::{shell, strformat};
use process::redact::{is_secret_parameter, shown_value};

use super::ProblemKind;
use super::values::Resolved;

/// The declared entry point, else a script by its file name as MLflow runs it.
pub(super) fn find_entry_point<'a>(
    project: &'a Project,
    name: &str,
) -> Option<Cow<'a, EntryPoint>> {
    if let Some(declared) = project.entry_point(name) {
        return Some(Cow::Borrowed(declared));
    }
    // As Python's `os.path.splitext`: dots that begin the file's name begin no extension.
    let file = name.rsplit('/').next()?;
    let (_, extension) = file.trim_start_matches('.').rsplit_once('.')?;
    let command = match extension {
        "py" => format!("python {}", shell::quote(name)),
        "sh" => {
            let shell = std::env::var("SHELL").unwrap_or_else(|_| "bash".to_owned());
            format!("{shell} {}", shell::quote(name))
        }
        "R" => {
            let name = shell::quote(name);
            format!("Rscript -e \"mlflow::mlflow_source('{name}')\" --args")
        }
        _ => return None,
    };
    Some(Cow::Owned(EntryPoint {
        name: name.to_owned(),
        description: None,
        parameters: Vec::new(),
        command: Some(command),
        inputs: None,
        outputs: None,
        code: None,
        variables: Vec::new(),
        cached: None,
        place: project.place.clone(),
    }))
}

pub(super) fn render(
    entry_point: &EntryPoint,
    resolved: &[Resolved],
) -> Result<String, ProblemKind> {
    let Some(template) = &entry_point.command else {
        let name = entry_point.name.clone();
        return Err(ProblemKind::NoCommand { name });
    };
    let pairs = |declared| {
        let of_kind = resolved
            .iter()
            .filter(move |value| value.declared == declared);
        of_kind
            .map(|value| (value.name.clone(), value.value.clone()))
            .collect::<Vec<_>>()
    };
    strformat::render(template, &pairs(true), &pairs(false)).map_err(|source| {
        let declared = entry_point.parameters.iter();
        ProblemKind::Command {
            source,
            known: declared.map(|it| it.name.clone()).collect(),
        }
    })
}

/// The names below `inputs` and `outputs` that no parameter has.
pub(super) fn undeclared_files(entry_point: &EntryPoint) -> Vec<ProblemKind> {
    let of_key = |key, names: &'_ Option<Vec<String>>| {
        let names = names.iter().flatten();
        names.map(|name| (key, name.clone())).collect::<Vec<_>>()
    };
    let inputs = of_key("inputs", &entry_point.inputs).into_iter();
    let outputs = of_key("outputs", &entry_point.outputs);
    let undeclared = inputs
        .chain(outputs)
        .filter(|(_, name)| entry_point.parameter(name).is_none());
    undeclared
        .map(|(key, name)| ProblemKind::UndeclaredFile {
            key,
            name,
            entry_point: entry_point.name.clone(),
            known: entry_point
                .parameters
                .iter()
                .map(|parameter| parameter.name.clone())
                .collect(),
        })
        .collect()
}

/// The values as people may read them.
pub(super) fn without_secrets(resolved: &[Resolved]) -> Vec<Resolved> {
    let shown = |value: &Resolved| Resolved {
        value: if is_secret_parameter(&value.name) {
            shown_value(&value.name, &value.value).into_owned()
        } else {
            value.value.clone()
        },
        ..value.clone()
    };
    resolved.iter().map(shown).collect()
}
