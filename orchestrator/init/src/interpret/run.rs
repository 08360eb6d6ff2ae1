//! A call of `mlflow.run` as a step.

use std::collections::HashMap;

use mlproject::pyyaml::Object;
use mlproject::{Manager, Project};
use tree_sitter::Node;

use super::call::Arguments;
use super::{Interpreter, is_fixed};
use crate::config::{below, is_inside};
use crate::folders::PLACES;
use crate::path::{self, has_extension};
use crate::source::children;
use crate::step::{Setting, Step};
use crate::value::{Unknown, Value};

/// How many steps are written.
const MAX_STEPS: usize = 500;

/// What a step would do in any case, or what has no effect on what it does.
const WITHOUT_EFFECT: [&str; 3] = ["run_name", "backend_config", "storage_dir"];

/// Where the project of a step is.
enum Location {
    /// The pipeline's own project.
    Root,
    /// A folder of the pipeline, from its folder on.
    Folder(String),
    /// A repository, or a folder elsewhere.
    Elsewhere(String),
    Unknown(Unknown),
}

impl<'t> Interpreter<'t> {
    /// Adds the step, and gives its run.
    pub(super) fn run_step(&mut self, node: Node<'t>, arguments: &Arguments) -> Value {
        if self.steps.len() >= MAX_STEPS {
            self.warn(format!("only the first {MAX_STEPS} steps are written"));
            return self.unknown(node);
        }
        let location = self.location(node, arguments.get(0, "uri"));
        let mut remarks: Vec<Unknown> = self
            .guards
            .iter()
            .filter_map(|guard| guard.remark.clone())
            .collect();
        let mut plain =
            |position, key| self.plain(node, arguments.get(position, key), key, &mut remarks);
        let entry_point = plain(1, "entry_point").unwrap_or_else(|| "main".to_owned());
        let version = plain(2, "version");
        let experiment = plain(5, "experiment_name");
        let env_manager = self.manager(node, arguments, &mut remarks);
        let name = self.step_name(&location, &entry_point);
        let mut step = Step {
            is_default: self.guards.iter().all(|guard| guard.is_default),
            version,
            experiment,
            env_manager,
            leaves_manager: !names_manager(arguments),
            remarks,
            ..Step::named(name.as_str())
        };
        self.locate(&mut step, location, entry_point);
        self.set_parameters(node, arguments.get(3, "parameters"), &mut step);
        step.environment = self
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), self.setting(value, node)))
            .collect();
        self.check_rest(node, arguments, &mut step.remarks);
        self.steps.push(step);
        Value::Run(name)
    }

    /// The text of a key that takes no placeholder.
    fn plain(
        &mut self,
        node: Node<'t>,
        value: Option<&Value>,
        key: &str,
        remarks: &mut Vec<Unknown>,
    ) -> Option<String> {
        let value = value.filter(|value| **value != Value::NONE)?;
        let Some(object) = self.concrete(value) else {
            let Unknown { line, text } = match value {
                Value::Unknown(unknown) => unknown.clone(),
                _ => self.not_understood(node),
            };
            let text = format!("{key}={text}");
            remarks.push(Unknown { line, text });
            return None;
        };
        if !is_fixed(value) {
            let written = self
                .stringify(value)
                .and_then(|text| crate::value::template(&text));
            self.warn_fixed(key, &written.unwrap_or_default());
        }
        (object != Object::None).then(|| object.to_string())
    }

    fn warn_fixed(&mut self, key: &str, written: &str) {
        let key = if key == "experiment_name" {
            "experiment"
        } else {
            key
        };
        self.warn(format!(
            "`{key}: {written}` is written as it is now; `{key}:` takes no placeholder"
        ));
    }

    fn location(&mut self, node: Node<'t>, uri: Option<&Value>) -> Location {
        let Some(uri) = uri else {
            return Location::Unknown(self.not_understood(node));
        };
        let unknown = match uri {
            Value::Unknown(unknown) => unknown.clone(),
            _ => self.not_understood(node),
        };
        let Some(text) = self.stringify(uri).map(|uri| path::of_uri(&uri)) else {
            return Location::Unknown(unknown);
        };
        if !is_fixed(&Value::Text(text.clone())) {
            let written = crate::value::template(&text).unwrap_or_default();
            self.warn_fixed("project", &written);
        }
        if let Some(whole) = self.concrete_text(&text)
            && (is_elsewhere(&whole) || whole.starts_with('/'))
        {
            return Location::Elsewhere(whole);
        }
        match self.relative(&text) {
            Some(folder) if folder.is_empty() => Location::Root,
            Some(folder) => Location::Folder(folder),
            None => Location::Unknown(unknown),
        }
    }

    /// The name that a condition asks for, else that of the folder or of the entry point.
    fn step_name(&mut self, location: &Location, entry_point: &str) -> String {
        let own = match location {
            // A script of the folder that runs by its name.
            Location::Root | Location::Folder(_)
                if has_extension(entry_point, &["py", "sh", "R"]) =>
            {
                entry_point
                    .rsplit_once('.')
                    .map_or(entry_point, |(stem, _)| stem)
            }
            Location::Root => entry_point,
            Location::Folder(folder) => folder.rsplit('/').next().unwrap_or(folder),
            Location::Elsewhere(uri) => {
                let last = uri
                    .trim_end_matches('/')
                    .rsplit(['/', '#', ':'])
                    .next()
                    .unwrap_or(uri);
                last.strip_suffix(".git").unwrap_or(last)
            }
            Location::Unknown(_) => "step",
        };
        let own = if own.is_empty() { "step" } else { own }.to_owned();
        let asked_for = self
            .guards
            .iter_mut()
            .rev()
            .find_map(|guard| guard.name.take());
        let is_free = |name: &str| self.steps.iter().all(|step| step.name != name);
        let with_entry_point = format!("{own}_{entry_point}");
        let wanted = asked_for.unwrap_or(own);
        if is_free(&wanted) {
            return wanted;
        }
        if entry_point != "main" && is_free(&with_entry_point) {
            return with_entry_point;
        }
        let mut numbered = (2..).map(|number| format!("{wanted}_{number}"));
        numbered.find(|name| is_free(name)).unwrap_or(wanted)
    }

    /// Writes down where the project is, where the name alone does not lead there.
    fn locate(&mut self, step: &mut Step, location: Location, entry_point: String) {
        let found = self.found_by_name(&step.name);
        match location {
            Location::Root => {
                let is_own = self.pipeline.project.entry_point(&step.name).is_some();
                if found.is_some() || !is_own || step.name != entry_point {
                    step.project = Some(".".to_owned());
                    step.entry_point = Some(entry_point);
                }
                return;
            }
            Location::Folder(folder) => {
                if !self.pipeline.root.join(&folder).is_dir() {
                    let text = format!(
                        "there is no folder `{folder}`, which step `{}` runs",
                        step.name
                    );
                    self.warn(text);
                }
                step.project = (found.as_ref() != Some(&folder)).then_some(folder);
            }
            Location::Elsewhere(uri) => step.project = Some(uri),
            Location::Unknown(unknown) => {
                step.is_located = false;
                step.remarks.push(unknown);
            }
        }
        step.entry_point = (entry_point != "main").then_some(entry_point);
    }

    /// The folder that a step of that name is looked for in, when nothing else is said.
    fn found_by_name(&self, name: &str) -> Option<String> {
        let mut places = PLACES.iter().map(|place| below(place, name));
        places.find(|folder| {
            let project =
                is_inside(folder).then(|| Project::load(&self.pipeline.root.join(folder)));
            !matches!(project, None | Some(Ok(None)))
        })
    }

    fn manager(
        &mut self,
        node: Node<'t>,
        arguments: &Arguments,
        remarks: &mut Vec<Unknown>,
    ) -> Option<String> {
        if arguments.named("use_conda") == Some(&Value::bool(false)) {
            return self.unless_default("local");
        }
        let value = self.plain(node, arguments.named("env_manager"), "env_manager", remarks)?;
        let known = ["local", "conda", "virtualenv", "uv", "docker"];
        if known.contains(&value.as_str()) {
            return self.unless_default(&value);
        }
        let Unknown { line, .. } = self.not_understood(node);
        let text = format!("env_manager={value}");
        remarks.push(Unknown { line, text });
        None
    }

    fn unless_default(&self, manager: &str) -> Option<String> {
        let default = self
            .pipeline
            .project
            .env_manager
            .map(|default| match default {
                Manager::Local => "local",
                Manager::Conda => "conda",
                Manager::Virtualenv => "virtualenv",
                Manager::Uv => "uv",
                Manager::Docker => "docker",
            });
        (default != Some(manager)).then(|| manager.to_owned())
    }

    fn set_parameters(&mut self, node: Node<'t>, parameters: Option<&Value>, step: &mut Step) {
        let Some(parameters) = parameters.filter(|value| **value != Value::NONE) else {
            return;
        };
        let Some(entries) = self.entries(parameters) else {
            let unknown = match parameters {
                Value::Unknown(unknown) => unknown.clone(),
                _ => self.not_understood(node),
            };
            step.remarks.push(unknown);
            return;
        };
        let written = self.written(node);
        step.parameters = entries
            .into_iter()
            .map(|(name, value)| {
                let place = written.get(name.as_str()).copied().unwrap_or(node);
                let setting = self.setting(&value, place);
                (name, setting)
            })
            .collect();
    }

    /// Where the call itself writes the values of its parameters.
    fn written(&self, call: Node<'t>) -> HashMap<&'t str, Node<'t>> {
        let arguments = call.child_by_field_name("arguments");
        let arguments = arguments.map(children).unwrap_or_default().into_iter();
        let values = arguments.map(|it| it.child_by_field_name("value").unwrap_or(it));
        let pairs = values
            .filter(|it| it.kind() == "dictionary")
            .flat_map(children);
        let named = pairs.filter_map(|pair| {
            let key = self.source.text(pair.child_by_field_name("key")?);
            Some((
                key.trim_matches(['"', '\'']),
                pair.child_by_field_name("value")?,
            ))
        });
        named.collect()
    }

    /// What else is handed to `mlflow.run`, unless it says what holds anyway.
    fn check_rest(&self, node: Node<'t>, arguments: &Arguments, remarks: &mut Vec<Unknown>) {
        let understood = [
            "uri",
            "entry_point",
            "version",
            "parameters",
            "experiment_name",
            "env_manager",
            "use_conda",
        ];
        for (key, value) in &arguments.keyword {
            if understood.contains(&key.as_str()) || WITHOUT_EFFECT.contains(&key.as_str()) {
                continue;
            }
            let text = self.concrete(value).map(|value| value.to_string());
            let holds_anyway = matches!(
                (key.as_str(), text.as_deref()),
                (_, Some("None"))
                    | ("synchronous", Some("True"))
                    | ("backend", Some("local"))
                    | ("build_image", Some("False"))
            );
            if !holds_anyway {
                let Unknown { line, .. } = self.not_understood(node);
                let text = text.unwrap_or_else(|| "…".to_owned());
                remarks.push(Unknown {
                    line,
                    text: format!("{key}={text}"),
                });
            }
        }
    }
}

/// Whether it names a project that is not a folder of this machine, as MLflow tells them apart.
fn is_elsewhere(uri: &str) -> bool {
    uri.contains("://")
        || uri.contains('#')
        || uri.starts_with("git@")
        || has_extension(uri, &["git"])
}

impl Step {
    /// Whether anything in it names that parameter of the pipeline.
    pub(crate) fn names(&self, parameter: &str) -> bool {
        let placeholder = format!("{{{parameter}}}");
        let mut settings = self.parameters.iter().chain(&self.environment);
        settings.any(|(_, setting)| match setting {
            Setting::Template(text) => text.contains(&placeholder),
            Setting::File(..) | Setting::NotUnderstood(_) => false,
        })
    }
}

/// Whether a call says what the step runs in; None says nothing.
fn names_manager(arguments: &Arguments) -> bool {
    let manager = arguments.named("env_manager");
    manager.is_some_and(|value| *value != Value::NONE)
        || arguments.named("use_conda") == Some(&Value::bool(false))
}
