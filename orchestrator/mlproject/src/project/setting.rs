//! The values of a definition: `parameters:` and `env:` with their placeholders, and the files of `config:`.

use super::node::Node;
use super::{Error, Place, parse_all};
use crate::config::Format;
use crate::pyyaml::{MAX_DEPTH, Object};
use crate::strformat;

/// A value that a definition gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The name of a parameter or a variable.
    pub name: String,
    /// What it is.
    pub value: Value,
    /// Where it is written.
    pub place: Place,
}

/// What a definition says that something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A template for [`crate::strformat::fill`].
    Text(String),
    /// `{json: "config[a][b]"}`: the path of a file with a part of the config.
    Part {
        /// The form of the file.
        format: Format,
        /// The keys that lead to the part.
        keys: Vec<String>,
    },
}

/// A file of the key `config:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// The key below which its values stand, with dots; none for the root.
    pub group: Option<String>,
    /// Relative to the pipeline's folder.
    pub file: String,
    /// Where that is written.
    pub place: Place,
}

/// Variables that only the orchestrator sets, as the record of a run depends on them.
const RESERVED: [&str; 5] = [
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_TRACKING_URI",
    "PIPELINE_METRICS",
];

/// The values of `parameters:` of a step.
pub(super) fn parameters(node: &Node) -> Result<Vec<Setting>, Error> {
    let Some(section) = node.get("parameters") else {
        return Ok(Vec::new());
    };
    parse_all(&section, "a mapping of parameter values", |name, node| {
        let value = match node.value() {
            Object::Dict(_) => part(name, node)?,
            other => Value::Text(other.to_string()),
        };
        Ok(setting(name, value, node))
    })
}

/// The variables of `env:`.
pub(super) fn variables(node: &Node) -> Result<Vec<Setting>, Error> {
    let Some(section) = node.get("env") else {
        return Ok(Vec::new());
    };
    parse_all(
        &section,
        "a mapping of variables to values",
        |name, node| {
            if RESERVED.contains(&name) {
                return Err(Error::Reserved {
                    place: node.place(),
                    name: name.to_owned(),
                });
            }
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(node.shape("named by a text without `=`"));
            }
            let value = match node.value() {
                Object::Dict(_) => return Err(quotes(name, node, "a text or a number")),
                other => Value::Text(other.to_string()),
            };
            Ok(setting(name, value, node))
        },
    )
}

fn setting(name: &str, value: Value, node: &Node) -> Setting {
    Setting {
        name: name.to_owned(),
        value,
        place: node.place(),
    }
}

/// `{json: "config[a]"}`. Anything else is mostly a placeholder without quotes.
fn part(name: &str, node: &Node) -> Result<Value, Error> {
    const EXPECTED: &str = "a text, a number, or `{json: \"config[KEY]\"}`";
    let wrong = || quotes(name, node, EXPECTED);
    let [(key, value)] = node.value().as_dict().unwrap_or_default() else {
        return Err(wrong());
    };
    let format = match key.as_str() {
        Some("json") => Format::Json,
        Some("yaml") => Format::Yaml,
        _ => return Err(wrong()),
    };
    match value.as_str().and_then(strformat::indexes) {
        Some(("config", keys)) => Ok(Value::Part { format, keys }),
        _ => Err(node.shape("a part of the config, such as `{json: \"config[KEY]\"}`")),
    }
}

/// The complaint about a mapping; `{name}` without quotes is one in YAML.
fn quotes(name: &str, node: &Node, expected: &'static str) -> Error {
    match node.value().as_dict() {
        Some([(Object::Str(inside), Object::None)]) => Error::Unquoted {
            place: node.place(),
            item: node.name(),
            name: name.to_owned(),
            inside: inside.clone(),
        },
        _ => node.shape(expected),
    }
}

/// The files of `config:`: one, a list of them, or a mapping from a group to its file.
pub(super) fn config(root: &Node) -> Result<Vec<ConfigFile>, Error> {
    let Some(node) = root.get("config") else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    let items = match node.value() {
        Object::List(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    for item in items {
        match item {
            Object::Str(file) => files.push((None, file)),
            Object::Dict(pairs) => {
                for pair in pairs {
                    let (Object::Str(group), Object::Str(file)) = pair else {
                        return Err(node.shape(CONFIG));
                    };
                    files.push((Some(group.clone()), file));
                }
            }
            _ => return Err(node.shape(CONFIG)),
        }
    }
    let is_wrong = |(group, file): &(Option<String>, &String)| {
        let group = group.as_deref().unwrap_or("group");
        let is_too_deep = group.split('.').nth(MAX_DEPTH).is_some();
        file.is_empty() || is_too_deep || group.split('.').any(str::is_empty)
    };
    if files.iter().any(is_wrong) {
        return Err(node.shape(CONFIG));
    }
    let file = |(group, file): (_, &String)| ConfigFile {
        group,
        file: file.clone(),
        place: node.place(),
    };
    Ok(files.into_iter().map(file).collect())
}

/// What `config:` is.
const CONFIG: &str =
    "a file such as `config.yaml`, a list of files, or a mapping such as `{model: model.yaml}`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Project;
    use std::path::Path;

    fn project(text: &str) -> Result<Project, Error> {
        Project::parse(text, Path::new("/p/MLproject"), Path::new("/p"))
    }

    fn files(text: &str) -> String {
        let files = project(text).map(|project| {
            let files = project.config.into_iter();
            let files = files.map(|it| format!("{}={}", it.group.unwrap_or_default(), it.file));
            files.collect::<Vec<_>>().join(" ")
        });
        files.unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn a_config_is_files_and_groups() {
        for (text, expected) in [
            ("config: a.yaml", "=a.yaml"),
            (
                "config: [a.yaml, {m: b.yaml, a.b: c.yaml}]",
                "=a.yaml m=b.yaml a.b=c.yaml",
            ),
            ("config: {m: b.yaml}", "m=b.yaml"),
            ("config:", ""),
            ("name: x", ""),
        ] {
            assert_eq!(files(text), expected, "{text}");
        }
        // Each dot is a level, and a stranger may write many.
        let deep = format!("config:\n  ? {}b\n  : c.yaml", "a.".repeat(200_000));
        for text in [
            "config: 3",
            "config: [[a]]",
            "config: {m: 1}",
            "config: ['']",
            "config: {a..b: c.yaml}",
            &deep,
        ] {
            assert!(
                files(text).contains("/p/MLproject:1: `config` should be a file"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_value_is_a_template_or_a_part_of_the_config() {
        let text = "steps:\n  s:\n    parameters:\n      a: \"{b}\"\n      c: 1.50\n      d: {yaml: \"config[e][0]\"}\n";
        let [step] = project(text).unwrap().steps.unwrap().try_into().unwrap();
        let values: Vec<Value> = step.parameters.iter().map(|it| it.value.clone()).collect();
        let part = Value::Part {
            format: Format::Yaml,
            keys: vec!["e".into(), "0".into()],
        };
        assert_eq!(
            values,
            [Value::Text("{b}".into()), Value::Text("1.5".into()), part]
        );
        assert_eq!(step.parameters[1].place.line, Some(5));
    }

    #[test]
    fn what_is_no_value_is_told_with_its_line() {
        for (text, expected) in [
            (
                "steps:\n  s:\n    parameters:\n      rows: {seed}",
                "/p/MLproject:4: `steps.s.parameters.rows` is a placeholder without quotes; write `rows: \"{seed}\"`",
            ),
            (
                "steps: {s: {parameters: {x: {json: conf}}}}",
                "/p/MLproject:1: `steps.s.parameters.x` should be a part of the config",
            ),
            (
                "steps: {s: {parameters: {x: {a: 1}}}}",
                "/p/MLproject:1: `steps.s.parameters.x` should be a text, a number, or",
            ),
            (
                "env: {MLFLOW_RUN_ID: 1}",
                "/p/MLproject:1: `env` cannot set `MLFLOW_RUN_ID`",
            ),
            (
                "steps: {s: {env: {PIPELINE_METRICS: 1}}}",
                "/p/MLproject:1: `env` cannot set `PIPELINE_METRICS`",
            ),
            ("env: {X: {y}}", "/p/MLproject:1: `env.X` is a placeholder"),
            (
                "env: {'X=': y}",
                "/p/MLproject:1: `env.X=` should be named by",
            ),
            (
                "env: [X]",
                "/p/MLproject:1: `env` should be a mapping of variables",
            ),
        ] {
            let error = project(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
