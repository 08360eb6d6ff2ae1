//! Files that the program reads its config from, and files that it writes parts of it to.

use mlproject::pyyaml::Object;
use mlproject::{Parameter, ParameterKind};
use tree_sitter::Node;

use super::Interpreter;
use super::call::Arguments;
use crate::config::{Config, is_inside};
use crate::path;
use crate::value::{Format, Piece, Text, Value};

impl<'t> Interpreter<'t> {
    /// A function that opens, reads or writes; none for any other.
    pub(super) fn file_function(
        &mut self,
        node: Node<'t>,
        name: &str,
        arguments: &Arguments,
    ) -> Option<Value> {
        let short = name.strip_prefix("omegaconf.").unwrap_or(name);
        match short {
            "open" | "io.open" | "codecs.open" => {
                let text = arguments
                    .get(0, "file")
                    .and_then(|path| self.stringify(path))?;
                Some(Value::File(text))
            }
            "yaml.safe_load" | "yaml.load" | "yaml.full_load" | "json.load" | "json.loads"
            | "OmegaConf.load" => {
                let source = arguments.first().or(arguments.named("file_"))?;
                Some(self.load(node, source))
            }
            "json.dump" | "yaml.dump" | "yaml.safe_dump" | "OmegaConf.save" | "json.dumps"
            | "OmegaConf.to_yaml" => Some(self.dump(node, short, arguments)),
            "OmegaConf.to_container" | "OmegaConf.to_object" | "OmegaConf.create" => arguments
                .first()
                .filter(|value| !matches!(value, Value::Unknown(_)))
                .cloned(),
            "OmegaConf.merge" => {
                let is_whole =
                    |value: &&Value| matches!(value, Value::Config(path) if path.is_empty());
                let files = arguments.positional.iter().filter(is_whole).count();
                (files == arguments.positional.len()).then(|| Value::Config(Vec::new()))
            }
            "omegaconf.read_write" | "open_dict" => Some(Value::NONE),
            _ => None,
        }
    }

    /// Writes a part of the config to a file, or makes the text of one.
    fn dump(&mut self, node: Node<'t>, name: &str, arguments: &Arguments) -> Value {
        let format = if name.starts_with("json") {
            Format::Json
        } else {
            Format::Yaml
        };
        let dump = self.dumped(node, format, arguments.get(0, "config"));
        let names = ["fp", "stream", "f"];
        let stream = || names.iter().find_map(|name| arguments.named(name));
        let is_text = matches!(name, "json.dumps" | "OmegaConf.to_yaml");
        match arguments
            .positional
            .get(1)
            .or_else(stream)
            .filter(|_| !is_text)
        {
            Some(file) => {
                self.write(file, dump);
                Value::NONE
            }
            None => dump,
        }
    }

    /// The config in a file of the pipeline.
    fn load(&mut self, node: Node<'t>, source: &Value) -> Value {
        let (Value::File(text) | Value::Text(text)) = source else {
            return self.first_unknown(node, std::slice::from_ref(source));
        };
        let relative = self.relative(text);
        let Some(file) = relative.filter(|file| is_inside(file)) else {
            return self.unknown(node);
        };
        if text
            .iter()
            .any(|piece| matches!(piece, Piece::Parameter(_) | Piece::Config(_)))
        {
            let text =
                format!("the config file is `{file}` always: `config:` takes no placeholder");
            self.note(node, text);
        }
        let root = self.pipeline.root.clone();
        if self.config.add(&root, &file) {
            Value::Config(Vec::new())
        } else {
            self.unknown(node)
        }
    }

    /// A path of the pipeline, from its folder on; none for any other.
    pub(super) fn relative(&self, text: &[Piece]) -> Option<String> {
        let absolute = path::absolute(text);
        let (Piece::Root, rest) = absolute.split_first()? else {
            return None;
        };
        let rest = self.concrete_text(rest)?;
        // What the config gives may be absolute, or go up.
        let is_joined = rest.is_empty() || (rest.starts_with('/') && !rest.starts_with("//"));
        is_joined.then(|| tidy(rest.trim_start_matches('/')))
    }

    /// `os.path.join(base, part)`.
    pub(super) fn joined(&self, base: &Text, part: &Text) -> Text {
        if self.is_given_absolute(part) {
            part.clone()
        } else {
            path::join(base, part)
        }
    }

    /// `os.path.abspath(path)`.
    pub(super) fn absolute(&self, path: &Text) -> Text {
        if self.is_given_absolute(path) {
            path.clone()
        } else {
            path::absolute(path)
        }
    }

    /// Whether the path begins with what the config or the command line gives as an absolute one.
    /// Parameters of type `path` always are: MLflow makes them so.
    fn is_given_absolute(&self, path: &Text) -> bool {
        match path.first() {
            Some(Piece::Parameter(name)) => {
                let main = self.pipeline.project.entry_point("main");
                let parameter = main.and_then(|main| main.parameter(name));
                let is_path = |parameter: &Parameter| parameter.kind == ParameterKind::Path;
                parameter.is_some_and(is_path)
                    || self
                        .concrete_text(&path[..1])
                        .is_some_and(|text| text.starts_with('/'))
            }
            Some(first @ Piece::Config(_)) => {
                let given = self.concrete_text(std::slice::from_ref(first));
                given.is_some_and(|text| text.starts_with('/'))
            }
            _ => false,
        }
    }

    /// Notes what is written to a file.
    pub(super) fn write(&mut self, file: &Value, content: Value) {
        let (Value::File(text) | Value::Text(text)) = file else {
            return;
        };
        if let Value::Dump(format, part) = content {
            let file: Text = path::absolute(text);
            self.dumps.push((file, format, part));
        }
    }

    /// The keys of a part of the config, each with its own part.
    pub(super) fn config_entries(&self, path: &[String]) -> Option<Vec<(String, Value)>> {
        let object = self.config.get(path)?;
        let pairs = object.as_dict()?.iter();
        Some(
            pairs
                .map(|(key, _)| (key.to_string(), part(path, &key.to_string())))
                .collect(),
        )
    }

    /// What a loop over a part of the config goes through.
    pub(super) fn config_items(&self, path: &[String]) -> Option<Vec<Value>> {
        match self.config.get(path)? {
            Object::List(items) => {
                // Names of steps and the like are known; a change of the list is one of the definition.
                let known = items.iter().map(|item| item.as_str().map(Value::literal));
                let parts = (0..items.len()).map(|at| part(path, &at.to_string()));
                Some(
                    known
                        .zip(parts)
                        .map(|(known, part)| known.unwrap_or(part))
                        .collect(),
                )
            }
            Object::Dict(pairs) => Some(
                pairs
                    .iter()
                    .map(|(key, _)| Value::literal(key.to_string()))
                    .collect(),
            ),
            _ => None,
        }
    }
}

fn part(path: &[String], key: &str) -> Value {
    Value::Config(path.iter().cloned().chain([key.to_owned()]).collect())
}

fn tidy(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    parts.join("/")
}

impl Config {
    /// A value with its interpolations `${a.b}` filled in; none where that cannot be.
    pub(super) fn resolved(&self, path: &[String]) -> Option<Object> {
        let object = self.get(path)?.clone();
        match &object {
            Object::Str(text) if text.contains("${") => self.interpolated(text, 0).map(Object::Str),
            _ => Some(object),
        }
    }

    fn interpolated(&self, text: &str, depth: usize) -> Option<String> {
        let Some((before, rest)) = text.split_once("${") else {
            return Some(text.to_owned());
        };
        let (key, behind) = rest.split_once('}')?;
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        let value = self.get(&path)?.to_string();
        if depth >= 8 || value.len() > 10_000 {
            return None;
        }
        let value = self.interpolated(&value, depth + 1)?;
        Some(format!(
            "{before}{value}{}",
            self.interpolated(behind, depth + 1)?
        ))
    }
}
