//! Functions of Python and its libraries whose results are known.

use mlproject::pyyaml::Object;
use tree_sitter::Node;

use super::Interpreter;
use super::call::Arguments;
use crate::path;
use crate::value::{Format, Piece, Text, Value, set};

impl<'t> Interpreter<'t> {
    /// A call of what is imported or built in.
    pub(super) fn known_function(
        &mut self,
        node: Node<'t>,
        name: &str,
        arguments: &Arguments,
    ) -> Value {
        match name {
            "mlflow.run" | "mlflow.projects.run" => self.run_step(node, arguments),
            "mlflow.get_run" => self.run_of(node, arguments),
            "mlflow.set_tracking_uri" => self.left_out(node, "is left to `--tracking-uri`"),
            "mlflow.set_experiment" => self.left_out(node, "is left to `--experiment-name`"),
            "os.system"
            | "subprocess.run"
            | "subprocess.call"
            | "subprocess.check_call"
            | "subprocess.check_output"
            | "subprocess.Popen" => {
                self.left_out(node, "runs a command; a step would have to be made of it")
            }
            "argparse.ArgumentParser" => self.new_parser(),
            "typer.run" | "fire.Fire" => match arguments.first() {
                Some(Value::Function(number)) => self.run_function(*number, node),
                _ => self.unknown(node),
            },
            "hydra.compose" => {
                let folder = self.config_folder.clone();
                self.hydra(arguments, Some(&folder));
                Value::Config(Vec::new())
            }
            "hydra.initialize" => {
                let folder = arguments
                    .get(0, "config_path")
                    .and_then(|value| self.concrete(value));
                self.config_folder = folder.map(|folder| folder.to_string()).unwrap_or_default();
                Value::NONE
            }
            "os.getenv"
            | "os.environ.get"
            | "os.environ.setdefault"
            | "os.environ.update"
            | "os.putenv" => self.environ(node, name, arguments),
            _ if name.starts_with("os.")
                || name.starts_with("pathlib.")
                || name.starts_with("hydra.utils.") =>
            {
                let text = self.path_function(name, arguments);
                text.map_or_else(|| self.unknown_call(node, arguments), Value::Text)
            }
            "mlflow.utils.file_utils.path_to_local_file_uri" => {
                let text = self.path_function(name, arguments);
                text.map_or_else(|| self.unknown_call(node, arguments), Value::Text)
            }
            _ if name.starts_with("tempfile.") => Value::Text(vec![Piece::Temporary]),
            _ => self
                .file_function(node, name, arguments)
                .or_else(|| self.conversion(name, arguments))
                .unwrap_or_else(|| self.unknown_call(node, arguments)),
        }
    }

    /// A call that has an effect which the definition cannot have.
    fn left_out(&mut self, node: Node<'t>, why: &str) -> Value {
        let text = format!("`{}` {why}", self.source.shortened(node));
        self.note(node, text);
        self.unknown(node)
    }

    /// The first argument that is not understood explains more than the call.
    pub(super) fn unknown_call(&self, node: Node, arguments: &Arguments) -> Value {
        self.first_unknown(node, &arguments.positional)
    }

    fn environ(&mut self, node: Node<'t>, name: &str, arguments: &Arguments) -> Value {
        if name == "os.environ.update" {
            let entries = arguments.first().and_then(|value| self.entries(value));
            for (key, value) in entries
                .unwrap_or_default()
                .into_iter()
                .chain(arguments.keyword.iter().cloned())
            {
                self.set_variable(node, &key, value);
            }
            return Value::NONE;
        }
        let variable = arguments
            .get(0, "key")
            .and_then(|value| self.concrete(value));
        let Some(variable) = variable.map(|variable| variable.to_string()) else {
            return self.unknown(node);
        };
        let other = arguments
            .get(1, "default")
            .or(arguments.named("value"))
            .cloned();
        if matches!(name, "os.environ.setdefault" | "os.putenv") {
            self.set_variable(node, &variable, other.unwrap_or(Value::NONE));
            return Value::NONE;
        }
        self.variable(node, &variable, other)
    }

    /// What the program reads from an environment variable: what it has set itself, or a default.
    pub(super) fn variable(&mut self, node: Node<'t>, name: &str, default: Option<Value>) -> Value {
        if let Some((_, value)) = self.environment.iter().find(|(known, _)| known == name) {
            return value.clone();
        }
        match default {
            // MLflow sets these for the program, so that it never meets the default.
            Some(default) if !name.starts_with("MLFLOW_") && default != Value::NONE => {
                let text = format!(
                    "the environment variable `{name}` is not read; its default is written"
                );
                self.note(node, text);
                default
            }
            _ => self.unknown(node),
        }
    }

    fn path_function(&self, name: &str, arguments: &Arguments) -> Option<Text> {
        let texts: Option<Vec<Text>> = arguments
            .positional
            .iter()
            .map(|value| self.stringify(value))
            .collect();
        let texts = texts?;
        let first = texts.first();
        match name {
            "os.getcwd" | "os.getcwdb" | "hydra.utils.get_original_cwd" | "pathlib.Path.cwd" => {
                Some(vec![Piece::Root])
            }
            "os.path.join" => texts
                .into_iter()
                .reduce(|base, part| self.joined(&base, &part)),
            "pathlib.Path" | "pathlib.PurePath" | "pathlib.PosixPath" => {
                let joined = texts
                    .into_iter()
                    .reduce(|base, part| self.joined(&base, &part));
                Some(joined.unwrap_or_else(|| vec![Piece::Literal(".".to_owned())]))
            }
            "os.path.abspath" | "os.path.realpath" | "hydra.utils.to_absolute_path" => {
                first.map(|text| self.absolute(text))
            }
            "mlflow.utils.file_utils.path_to_local_file_uri" => {
                first.map(|text| path::file_uri(text))
            }
            "os.path.normpath" | "os.fspath" => first.cloned(),
            "os.path.dirname" => first.and_then(|text| path::parent(text)),
            "os.path.basename" => {
                let name = first.and_then(|text| path::name(text))?;
                Some(vec![Piece::Literal(name)])
            }
            "os.path.curdir" => Some(vec![Piece::Literal(".".to_owned())]),
            _ => None,
        }
    }

    /// Functions that give their argument in another form.
    fn conversion(&self, name: &str, arguments: &Arguments) -> Option<Value> {
        let first = arguments.first();
        match name {
            "str" => match first {
                Some(value) => self.stringify(value).map(Value::Text),
                None => Some(Value::literal("")),
            },
            "int" | "float" => match first? {
                // What the command line or the config gives is a number already, or a text that means one.
                value @ (Value::Text(_) | Value::Config(_) | Value::Scalar(_)) => {
                    Some(value.clone())
                }
                _ => None,
            },
            "bool" => match first? {
                Value::Scalar(object) => Some(Value::bool(object.is_true())),
                _ => None,
            },
            "list" | "tuple" | "set" | "sorted" => match first {
                None => Some(Value::List(Vec::new())),
                Some(value @ (Value::Selection(_) | Value::Config(_) | Value::List(_))) => {
                    Some(value.clone())
                }
                Some(value) => self.items(value).map(Value::List),
            },
            "dict" | "copy.copy" | "copy.deepcopy" | "vars" => {
                self.copied(first, &arguments.keyword)
            }
            "len" => {
                let Value::List(items) = first? else {
                    return None;
                };
                Some(Value::Scalar(Object::Int(items.len().to_string())))
            }
            "range" => Self::range(&arguments.positional),
            "enumerate" => self.enumerated(first?),
            "zip" => self.zipped(&arguments.positional),
            _ => None,
        }
    }

    fn enumerated(&self, list: &Value) -> Option<Value> {
        let items = self.items(list)?.into_iter().enumerate();
        let number = |at: usize| Value::Scalar(Object::Int(at.to_string()));
        let pairs = items.map(|(at, item)| Value::List(vec![number(at), item]));
        Some(Value::List(pairs.collect()))
    }

    fn zipped(&self, lists: &[Value]) -> Option<Value> {
        let lists: Option<Vec<Vec<Value>>> = lists.iter().map(|list| self.items(list)).collect();
        let lists = lists?;
        let shortest = lists.iter().map(Vec::len).min()?;
        let row = |at: usize| Value::List(lists.iter().map(|list| list[at].clone()).collect());
        Some(Value::List((0..shortest).map(row).collect()))
    }

    /// `dict(config["a"].items(), b=1)`: a part of the config alone stays one.
    fn copied(&self, first: Option<&Value>, keyword: &[(String, Value)]) -> Option<Value> {
        let value = match first {
            None => Value::Dict(Vec::new()),
            Some(value @ (Value::Config(_) | Value::Dict(_) | Value::List(_) | Value::Text(_))) => {
                value.clone()
            }
            Some(Value::Namespace(entries)) => Value::Dict(entries.clone()),
            Some(_) => return None,
        };
        if keyword.is_empty() {
            return Some(value);
        }
        let mut entries = self.entries(&value)?;
        for (key, value) in keyword {
            set(&mut entries, key, value.clone());
        }
        Some(Value::Dict(entries))
    }

    fn range(arguments: &[Value]) -> Option<Value> {
        let numbers: Option<Vec<i64>> = arguments
            .iter()
            .map(|value| match value {
                Value::Scalar(Object::Int(digits)) => digits.parse().ok(),
                _ => None,
            })
            .collect();
        let (start, end) = match numbers?[..] {
            [end] => (0, end),
            [start, end] => (start, end),
            _ => return None,
        };
        let is_small = end.checked_sub(start)? <= 1000;
        let number = |number: i64| Value::Scalar(Object::Int(number.to_string()));
        is_small.then(|| Value::List((start..end).map(number).collect()))
    }

    /// `json.dumps(part)`, `OmegaConf.to_yaml(part)`: the text of a file.
    pub(super) fn dumped(&self, node: Node, format: Format, value: Option<&Value>) -> Value {
        let part = match value {
            Some(Value::Config(path)) if !path.is_empty() => Ok(path.clone()),
            _ => Err(self.not_understood(node)),
        };
        Value::Dump(format, part)
    }
}
