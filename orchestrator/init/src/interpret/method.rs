//! Methods of what is known.

use tree_sitter::Node;

use super::call::Arguments;
use super::{Interpreter, is_fixed};
use crate::path;
use crate::value::{Piece, Text, Value, append, constant, set};

impl<'t> Interpreter<'t> {
    pub(super) fn method(
        &mut self,
        node: Node<'t>,
        object: Node<'t>,
        value: Value,
        name: &str,
        arguments: &Arguments,
    ) -> Value {
        // Whatever the client is: `MlflowClient().get_run(run.run_id)`.
        if name == "get_run" {
            return self.run_of(node, arguments);
        }
        let result = match value {
            Value::Text(text) => self.text_method(&text, name, arguments),
            Value::List(items) => self.list_method(object, items, name, arguments),
            Value::Dict(entries) => self.dict_method(object, entries, name, arguments),
            Value::Config(path) => self.config_method(&path, name, arguments),
            Value::File(text) => self.file_method(text, name, arguments),
            Value::Parser(parser) => self.parser_method(node, parser, name, arguments),
            Value::Run(_) if name == "wait" => Some(Value::bool(true)),
            Value::Selection(_) if name == "copy" => Some(value),
            unknown @ Value::Unknown(_) => return unknown,
            _ => None,
        };
        result.unwrap_or_else(|| self.unknown_call(node, arguments))
    }

    /// The run that an id belongs to.
    pub(super) fn run_of(&self, node: Node, arguments: &Arguments) -> Value {
        match arguments.get(0, "run_id") {
            Some(Value::Text(text)) => match text.as_slice() {
                [Piece::Run(step, "run_id")] => Value::Run(step.clone()),
                _ => self.unknown(node),
            },
            _ => self.unknown_call(node, arguments),
        }
    }

    fn text_method(&mut self, text: &Text, name: &str, arguments: &Arguments) -> Option<Value> {
        let argument = || {
            let first = arguments.first()?;
            self.concrete(first).map(|first| first.to_string())
        };
        match name {
            "format" => {
                let template = constant(text)?;
                self.format(&template, &arguments.positional, &arguments.keyword)
                    .map(Value::Text)
            }
            "join" => self.joined_texts(text, arguments.first()?),
            "joinpath" => self.joined_path(text, &arguments.positional),
            "resolve" | "absolute" => Some(Value::Text(self.absolute(text))),
            "as_uri" => Some(Value::Text(path::file_uri(text))),
            "as_posix" | "expanduser" => Some(Value::Text(text.clone())),
            "read_text" | "open" => Some(Value::File(text.clone())),
            "write_text" => {
                let content = arguments.first().cloned()?;
                self.write(&Value::Text(text.clone()), content);
                Some(Value::NONE)
            }
            "split" => self.split(text, argument().as_deref()),
            // What surrounds a value of the config or the command line is nothing, as a rule.
            "strip" | "rstrip" | "lstrip" if arguments.positional.is_empty() => {
                match constant(text) {
                    Some(constant) => Some(Value::literal(constant.trim())),
                    None => Some(Value::Text(text.clone())),
                }
            }
            "lower" => constant(text).map(|text| Value::literal(text.to_lowercase())),
            "upper" => constant(text).map(|text| Value::literal(text.to_uppercase())),
            "replace" => {
                let [from, to] = arguments.positional.as_slice() else {
                    return None;
                };
                let (from, to) = (
                    self.concrete(from)?.to_string(),
                    self.concrete(to)?.to_string(),
                );
                constant(text).map(|text| Value::literal(text.replace(&from, &to)))
            }
            _ => None,
        }
    }

    /// `", ".join(items)`.
    fn joined_texts(&self, separator: &Text, items: &Value) -> Option<Value> {
        let mut joined = Text::new();
        for (position, item) in self.items(items)?.iter().enumerate() {
            if position > 0 {
                append(&mut joined, separator);
            }
            append(&mut joined, &self.stringify(item)?);
        }
        Some(Value::Text(joined))
    }

    fn joined_path(&self, base: &Text, parts: &[Value]) -> Option<Value> {
        let mut path = base.clone();
        for part in parts {
            path = self.joined(&path, &self.stringify(part)?);
        }
        Some(Value::Text(path))
    }

    /// A constant falls apart; what is given at the start is a choice of steps.
    fn split(&self, text: &Text, separator: Option<&str>) -> Option<Value> {
        let whole = self.concrete_text(text);
        let parts = whole.map(|whole| match separator {
            Some(separator) => whole
                .split(separator)
                .map(|part| part.trim().to_owned())
                .collect::<Vec<_>>(),
            None => whole.split_whitespace().map(str::to_owned).collect(),
        });
        if is_fixed(&Value::Text(text.clone())) {
            Some(Value::List(
                parts?.into_iter().map(Value::literal).collect(),
            ))
        } else {
            Some(Value::Selection(parts))
        }
    }

    fn list_method(
        &mut self,
        object: Node<'t>,
        mut items: Vec<Value>,
        name: &str,
        arguments: &Arguments,
    ) -> Option<Value> {
        match name {
            "copy" => return Some(Value::List(items)),
            "append" => items.push(arguments.first()?.clone()),
            "extend" => items.extend(self.items(arguments.first()?)?),
            _ => return None,
        }
        self.assign(object, Value::List(items));
        Some(Value::NONE)
    }

    fn dict_method(
        &mut self,
        object: Node<'t>,
        mut entries: Vec<(String, Value)>,
        name: &str,
        arguments: &Arguments,
    ) -> Option<Value> {
        let pair = |(key, value): (String, Value)| Value::List(vec![Value::literal(key), value]);
        match name {
            "copy" => Some(Value::Dict(entries)),
            "items" => Some(Value::List(entries.into_iter().map(pair).collect())),
            "keys" => Some(Value::List(
                entries
                    .into_iter()
                    .map(|(key, _)| Value::literal(key))
                    .collect(),
            )),
            "values" => Some(Value::List(
                entries.into_iter().map(|(_, value)| value).collect(),
            )),
            "get" => {
                let key = self.concrete(arguments.first()?)?.to_string();
                let found = entries.into_iter().find(|(known, _)| *known == key);
                let other = || arguments.positional.get(1).cloned().unwrap_or(Value::NONE);
                Some(found.map_or_else(other, |(_, value)| value))
            }
            "pop" => {
                let key = self.concrete(arguments.first()?)?.to_string();
                let at = entries.iter().position(|(known, _)| *known == key)?;
                let (_, value) = entries.remove(at);
                self.assign(object, Value::Dict(entries));
                Some(value)
            }
            "update" => {
                let more = arguments.first().map(|more| self.entries(more));
                let more = more.unwrap_or(Some(Vec::new()))?.into_iter();
                for (key, value) in more.chain(arguments.keyword.iter().cloned()) {
                    set(&mut entries, &key, value);
                }
                self.assign(object, Value::Dict(entries));
                Some(Value::NONE)
            }
            _ => None,
        }
    }

    fn config_method(
        &mut self,
        path: &[String],
        name: &str,
        arguments: &Arguments,
    ) -> Option<Value> {
        let whole = Value::Config(path.to_vec());
        match name {
            // A part of the config stays one, so that it can be dumped: `dict(config["a"].items())`.
            "items" | "copy" => Some(whole),
            "keys" => self.config_items(path).map(Value::List),
            "values" => {
                let entries = self.config_entries(path)?.into_iter();
                Some(Value::List(entries.map(|(_, value)| value).collect()))
            }
            "get" => {
                let key = self.concrete(arguments.first()?)?.to_string();
                let path: Vec<String> = path.iter().cloned().chain([key]).collect();
                match (self.config.get(&path), arguments.positional.get(1)) {
                    (None, Some(default)) => Some(default.clone()),
                    _ => Some(Value::Config(path)),
                }
            }
            // Methods of a text that the config holds.
            "split" | "strip" | "format" | "lower" | "upper" | "join" | "replace" => {
                let text = self.stringify(&whole)?;
                self.text_method(&text, name, arguments)
            }
            _ => None,
        }
    }

    fn file_method(&mut self, text: Text, name: &str, arguments: &Arguments) -> Option<Value> {
        match name {
            "read" => Some(Value::File(text)),
            "write" => {
                let content = arguments.first().cloned()?;
                self.write(&Value::File(text), content);
                Some(Value::NONE)
            }
            _ => None,
        }
    }

    fn parser_method(
        &mut self,
        node: Node<'t>,
        parser: usize,
        name: &str,
        arguments: &Arguments,
    ) -> Option<Value> {
        match name {
            "add_argument" => {
                self.add_argument(parser, node, arguments);
                Some(Value::NONE)
            }
            "add_argument_group" | "add_mutually_exclusive_group" => Some(Value::Parser(parser)),
            "parse_args" => Some(self.parse_args(parser)),
            "parse_known_args" => {
                let namespace = self.parse_args(parser);
                Some(Value::List(vec![namespace, Value::List(Vec::new())]))
            }
            _ => None,
        }
    }
}
