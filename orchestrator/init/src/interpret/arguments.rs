//! What the program takes from its command line: by argparse, click, typer, fire or hydra.

use mlproject::pyyaml::Object;
use tree_sitter::Node;

use super::Interpreter;
use super::call::Arguments;
use crate::command::Given;
use crate::config::below;
use crate::path::has_extension;
use crate::value::{Value, set};

/// A reader of the command line.
#[derive(Default)]
pub(super) struct Parser {
    options: Vec<Opt>,
}

/// One option, or one argument that stands alone.
struct Opt {
    /// Its spellings; none for what stands alone.
    flags: Vec<String>,
    /// The attribute that it sets.
    name: String,
    default: Value,
    /// What it is when it is given, if it is given without a value.
    constant: Option<Value>,
}

impl Opt {
    /// From the arguments of `add_argument` or `click.option`.
    fn read(interpreter: &Interpreter, call: Node, arguments: &Arguments) -> Option<Opt> {
        let names = arguments
            .positional
            .iter()
            .filter_map(|name| interpreter.concrete(name));
        let names: Vec<String> = names.map(|name| name.to_string()).collect();
        // click: `--no-x` behind a slash turns the flag off.
        let names = names
            .iter()
            .map(|name| name.split('/').next().unwrap_or_default().to_owned());
        let (flags, plain): (Vec<String>, Vec<String>) =
            names.partition(|name| name.starts_with('-'));
        let text = |key: &str| {
            let value = arguments
                .named(key)
                .and_then(|value| interpreter.concrete(value));
            value.map(|value| value.to_string())
        };
        let longest = flags
            .iter()
            .find(|flag| flag.starts_with("--"))
            .or(flags.first());
        let derived = longest.map(|flag| flag.trim_start_matches('-').replace('-', "_"));
        let name = text("dest").or(plain.first().cloned()).or(derived)?;
        let action = text("action");
        let is_flag = text("is_flag").as_deref() == Some("True");
        let constant = match action.as_deref() {
            Some("store_true") => Some(Value::bool(true)),
            Some("store_false") => Some(Value::bool(false)),
            Some("store_const") => arguments.named("const").cloned(),
            _ => is_flag.then(|| Value::bool(true)),
        };
        let default = arguments
            .named("default")
            .cloned()
            .unwrap_or_else(|| match &constant {
                // Without a value the program does not run.
                None if text("required").as_deref() == Some("True") => interpreter.unknown(call),
                Some(Value::Scalar(Object::Bool(set))) => Value::bool(!set),
                _ => Value::NONE,
            });
        Some(Opt {
            flags,
            name,
            default,
            constant,
        })
    }
}

impl<'t> Interpreter<'t> {
    pub(super) fn new_parser(&mut self) -> Value {
        self.parsers.push(Parser::default());
        Value::Parser(self.parsers.len() - 1)
    }

    pub(super) fn add_argument(&mut self, parser: usize, call: Node, arguments: &Arguments) {
        if let Some(option) = Opt::read(self, call, arguments) {
            self.parsers[parser].options.push(option);
        }
    }

    pub(super) fn parse_args(&mut self, parser: usize) -> Value {
        let parser = std::mem::take(&mut self.parsers[parser]);
        let entries = self.given(&parser.options);
        Value::Namespace(entries)
    }

    /// What the options are, by their names.
    fn given(&self, options: &[Opt]) -> Vec<(String, Value)> {
        let command = &self.pipeline.command;
        let without_value = options.iter().filter(|option| option.constant.is_some());
        let without_value: Vec<String> = without_value
            .flat_map(|option| option.flags.clone())
            .collect();
        let mut positionals = command.positionals(&without_value).into_iter();
        let mut entries = Vec::new();
        for option in options {
            let given = if option.flags.is_empty() {
                positionals.next().map(Given::Value)
            } else {
                command.option(&option.flags)
            };
            let value = match (given, &option.constant) {
                (Some(_), Some(constant)) => constant.clone(),
                (Some(Given::Value(text)), None) => Value::Text(text),
                _ => option.default.clone(),
            };
            set(&mut entries, &option.name, value);
        }
        entries
    }

    /// What decorators give to a function: options of click, the config of hydra (without a name).
    pub(super) fn decorated(&mut self, decorators: &[Node<'t>]) -> Vec<(String, Value)> {
        let mut options = Vec::new();
        let mut given = Vec::new();
        for decorator in decorators {
            let Some(call) = decorator.named_child(0).filter(|it| it.kind() == "call") else {
                continue;
            };
            let name = call
                .child_by_field_name("function")
                .map(|function| self.eval(function));
            let arguments = self.arguments(call);
            match name {
                Some(Value::Global(name)) if name == "hydra.main" => {
                    self.hydra(&arguments, None);
                    given.push((String::new(), Value::Config(Vec::new())));
                }
                Some(Value::Global(name))
                    if matches!(name.as_str(), "click.option" | "click.argument") =>
                {
                    options.extend(Opt::read(self, call, &arguments));
                }
                _ => {}
            }
        }
        given.extend(self.given(&options));
        given
    }

    /// Reads the config of `hydra.main`, or that of `hydra.compose` from the folder of `hydra.initialize`.
    pub(super) fn hydra(&mut self, arguments: &Arguments, folder: Option<&str>) {
        let text = |this: &Self, position, key: &str| {
            let value = arguments
                .get(position, key)
                .and_then(|value| this.concrete(value));
            value
                .filter(|value| *value != Object::None)
                .map(|value| value.to_string())
        };
        let (path, name) = match folder {
            None => (text(self, 0, "config_path"), text(self, 1, "config_name")),
            Some(folder) => (Some(folder.to_owned()), text(self, 0, "config_name")),
        };
        let path = path.unwrap_or_default();
        // Hydra before 1.0 had the file in the path.
        let (path, name) = match name {
            Some(name) => (path.as_str(), name),
            None if has_extension(&path, &["yaml", "yml"]) => {
                let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
                (folder, name.to_owned())
            }
            None => return,
        };
        let beside = self
            .pipeline
            .script
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        let folder = below(beside, path);
        let folder = tidy(&folder);
        let root = self.pipeline.root.clone();
        let mut config =
            std::mem::replace(&mut self.config, crate::config::Config::new(Vec::new()));
        let chosen: Vec<(String, Option<String>)> = config
            .overrides
            .iter()
            .map(|(key, text)| (key.clone(), self.concrete_text(text)))
            .collect();
        config.add_hydra(&root, &folder, &name, |group| {
            let mut chosen = chosen.iter();
            chosen
                .find(|(key, _)| key == group)
                .and_then(|(_, option)| option.clone())
        });
        self.config = config;
    }

    /// `typer.run(main)`, `fire.Fire(main)`: every parameter is an option of its name.
    pub(super) fn run_function(&mut self, number: usize, call: Node<'t>) -> Value {
        let mut arguments = Arguments::default();
        for (name, default) in self.parameters(number) {
            let flags = [format!("--{name}"), format!("--{}", name.replace('_', "-"))];
            let value = match self.pipeline.command.option(&flags) {
                Some(Given::Value(text)) => Value::Text(text),
                Some(Given::Flag) => Value::bool(true),
                None => match default {
                    Some(default) => self.declared_default(default),
                    None => continue,
                },
            };
            arguments.keyword.push((name, value));
        }
        self.enter(number, arguments, call)
    }

    /// `= 5`, or `= typer.Option(5, …)`.
    fn declared_default(&mut self, node: Node<'t>) -> Value {
        if self.is_call_of(node, "typer.Option") || self.is_call_of(node, "typer.Argument") {
            let arguments = self.arguments(node);
            return arguments.get(0, "default").cloned().unwrap_or(Value::NONE);
        }
        self.eval(node)
    }
}

/// A folder without `.` and `a/..`.
fn tidy(folder: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." && parts.last().is_some_and(|last| *last != "..") {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    let start = if folder.starts_with('/') { "/" } else { "" };
    format!("{start}{}", parts.join("/"))
}
