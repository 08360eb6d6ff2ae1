//! Expressions other than calls.

use mlproject::pyyaml::Object;
use tree_sitter::Node;

use super::{Interpreter, MAX_DEPTH, MAX_WEIGHT};
use crate::path;
use crate::source::children;
use crate::value::{Piece, Value, set};

/// Names that need no import.
const BUILTINS: [&str; 22] = [
    "bool",
    "dict",
    "enumerate",
    "exit",
    "float",
    "int",
    "isinstance",
    "len",
    "list",
    "map",
    "open",
    "print",
    "quit",
    "range",
    "repr",
    "set",
    "sorted",
    "str",
    "tuple",
    "type",
    "vars",
    "zip",
];

impl<'t> Interpreter<'t> {
    pub(super) fn eval(&mut self, node: Node<'t>) -> Value {
        if self.depth >= MAX_DEPTH || !self.burn(1) {
            return self.unknown(node);
        }
        self.depth += 1;
        let value = self.eval_node(node);
        self.depth -= 1;
        let weight = value.weight();
        if weight > MAX_WEIGHT || !self.burn(weight / 16) {
            return self.unknown(node);
        }
        value
    }

    fn eval_node(&mut self, node: Node<'t>) -> Value {
        match node.kind() {
            "identifier" => self.identifier(node),
            "string" => self.string(node),
            "concatenated_string" => {
                let parts = children(node);
                self.concatenated(node, &parts)
            }
            "integer" | "float" => {
                let number = number(self.source.text(node));
                number.map_or_else(|| self.unknown(node), Value::Scalar)
            }
            "true" => Value::bool(true),
            "false" => Value::bool(false),
            "none" => Value::NONE,
            "list" | "tuple" | "set" | "expression_list" => self.list(node),
            "dictionary" => self.dictionary(node),
            "attribute" => self.attribute(node),
            "subscript" => self.subscript(node),
            "call" => self.call(node),
            "binary_operator" => self.binary(node),
            "unary_operator" => self.unary(node),
            "boolean_operator" => self.boolean(node),
            "comparison_operator" | "not_operator" => {
                let condition = self.condition(node);
                match condition.outcome {
                    Some(outcome) if condition.is_fixed => Value::bool(outcome),
                    _ => self.unknown(node),
                }
            }
            "conditional_expression" => self.conditional(node),
            "list_comprehension" | "generator_expression" | "set_comprehension" => {
                self.comprehension(node)
            }
            "assignment" | "augmented_assignment" => self.assignment(node),
            "named_expression" => {
                let [name, value] = children(node)[..] else {
                    return self.unknown(node);
                };
                let value = self.eval(value);
                self.assign(name, value.clone());
                value
            }
            "parenthesized_expression" | "await" => match children(node)[..] {
                [inner] => self.eval(inner),
                _ => self.unknown(node),
            },
            _ => self.unknown(node),
        }
    }

    fn identifier(&mut self, node: Node<'t>) -> Value {
        let name = self.source.text(node);
        if let Some(value) = self.lookup(name) {
            return value.clone();
        }
        match name {
            "__name__" => Value::literal("__main__"),
            "__file__" => {
                let script = Piece::Literal(self.pipeline.script.clone());
                Value::Text(path::join(&[Piece::Root], &[script]))
            }
            _ if BUILTINS.contains(&name) => Value::Global(name.to_owned()),
            _ => self.unknown(node),
        }
    }

    fn list(&mut self, node: Node<'t>) -> Value {
        let mut items = Vec::new();
        for item in children(node) {
            if item.kind() == "list_splat" {
                let more = item.named_child(0).map(|more| self.eval(more));
                let Some(more) = more.and_then(|more| self.items(&more)) else {
                    return self.unknown(item);
                };
                items.extend(more);
            } else {
                items.push(self.eval(item));
            }
        }
        Value::List(items)
    }

    fn dictionary(&mut self, node: Node<'t>) -> Value {
        let mut entries = Vec::new();
        for part in children(node) {
            if part.kind() == "dictionary_splat" {
                let more = part.named_child(0).map(|more| self.eval(more));
                let Some(more) = more.and_then(|more| self.entries(&more)) else {
                    return self.unknown(part);
                };
                for (key, value) in more {
                    set(&mut entries, &key, value);
                }
                continue;
            }
            let fields = ["key", "value"].map(|field| part.child_by_field_name(field));
            let [Some(key), Some(value)] = fields else {
                return self.unknown(part);
            };
            let key = self.eval(key);
            let Some(key) = self.concrete(&key) else {
                return self.unknown(part);
            };
            let value = self.eval(value);
            set(&mut entries, &key.to_string(), value);
        }
        Value::Dict(entries)
    }

    /// The entries of a dictionary, or of a part of the config that is one.
    pub(super) fn entries(&self, value: &Value) -> Option<Vec<(String, Value)>> {
        match value {
            Value::Dict(entries) | Value::Namespace(entries) => Some(entries.clone()),
            Value::Config(path) => self.config_entries(path),
            _ => None,
        }
    }

    fn attribute(&mut self, node: Node<'t>) -> Value {
        let fields = ["object", "attribute"].map(|field| node.child_by_field_name(field));
        let [Some(object), Some(name)] = fields else {
            return self.unknown(node);
        };
        let name = self.source.text(name);
        let value = self.eval(object);
        match (&value, name) {
            (Value::Global(module), _) => self.global(&format!("{module}.{name}")),
            (Value::Config(path), _) => {
                let mut path = path.clone();
                path.push(name.to_owned());
                Value::Config(path)
            }
            (Value::Namespace(entries), _) => {
                let entry = entries.iter().find(|(known, _)| known == name);
                entry.map_or_else(|| self.unknown(node), |(_, value)| value.clone())
            }
            (Value::Run(step), "run_id" | "run_uuid") => {
                Value::Text(vec![Piece::Run(step.clone(), "run_id")])
            }
            (Value::Run(step), "artifact_uri") => {
                Value::Text(vec![Piece::Run(step.clone(), "artifact_uri")])
            }
            (Value::Text(text), "parent") => {
                path::parent(text).map_or_else(|| self.unknown(node), Value::Text)
            }
            (Value::Text(text), "name") => {
                path::name(text).map_or_else(|| self.unknown(node), Value::literal)
            }
            (Value::File(text), "name") => Value::Text(text.clone()),
            (Value::Run(_), "info") | (Value::Unknown(_), _) => value,
            _ => self.unknown(node),
        }
    }

    /// An attribute of a module.
    fn global(&self, name: &str) -> Value {
        if name == "sys.argv" {
            let script = Value::literal(self.pipeline.script.as_str());
            let words = self.pipeline.command.words.iter().cloned();
            return Value::List(
                std::iter::once(script)
                    .chain(words.map(Value::Text))
                    .collect(),
            );
        }
        Value::Global(name.to_owned())
    }

    fn subscript(&mut self, node: Node<'t>) -> Value {
        let fields = ["value", "subscript"].map(|field| node.child_by_field_name(field));
        let [Some(object), Some(key)] = fields else {
            return self.unknown(node);
        };
        let value = self.eval(object);
        if key.kind() == "slice" {
            return self.slice(node, &value, key);
        }
        let key = self.eval(key);
        let Some(key) = self.concrete(&key) else {
            return self.unknown(node);
        };
        match value {
            Value::Config(mut path) => {
                path.push(key.to_string());
                Value::Config(path)
            }
            Value::Dict(_) | Value::Namespace(_) => match value.entry(&key.to_string()) {
                Some(entry) => entry.clone(),
                None => self.unknown(node),
            },
            Value::List(items) => {
                let index = key.to_string().parse::<isize>().ok();
                let index = index.and_then(|index| match usize::try_from(index) {
                    Ok(index) => Some(index),
                    Err(_) => items.len().checked_sub(index.unsigned_abs()),
                });
                let item = index.and_then(|index| items.get(index));
                item.map_or_else(|| self.unknown(node), Clone::clone)
            }
            Value::Global(name) if name == "os.environ" => {
                self.variable(node, &key.to_string(), None)
            }
            Value::Unknown(_) => value,
            _ => self.unknown(node),
        }
    }

    /// `sys.argv[1:]`, the only kind that programs of this kind need.
    fn slice(&mut self, node: Node<'t>, value: &Value, slice: Node<'t>) -> Value {
        let text = self.source.text(slice).replace(' ', "");
        let start = text
            .strip_suffix(':')
            .and_then(|start| start.parse::<usize>().ok());
        match (value, start) {
            (Value::List(items), Some(start)) => {
                Value::List(items.iter().skip(start).cloned().collect())
            }
            (value, None) if text == ":" => value.clone(),
            _ => self.unknown(node),
        }
    }

    /// What is not understood of these values, else the expression that they stand in.
    pub(super) fn first_unknown(&self, node: Node, values: &[Value]) -> Value {
        let mut unknown = values
            .iter()
            .filter(|value| matches!(value, Value::Unknown(_)));
        unknown
            .next()
            .map_or_else(|| self.unknown(node), Clone::clone)
    }

    /// One loop over known items; of a choice of steps it is a choice still: `[s.strip() for s in steps]`.
    fn comprehension(&mut self, node: Node<'t>) -> Value {
        let parts = children(node);
        let [body, clause, conditions @ ..] = parts.as_slice() else {
            return self.unknown(node);
        };
        let fields = ["left", "right"].map(|field| clause.child_by_field_name(field));
        let [Some(left), Some(right)] = fields else {
            return self.unknown(node);
        };
        let value = self.eval(right);
        if matches!(value, Value::Selection(_)) {
            return value;
        }
        let items = self.iterated(right, &value);
        let (Some(items), true) = (items, conditions.iter().all(|it| it.kind() == "if_clause"))
        else {
            return self.first_unknown(node, &[value]);
        };
        let mut results = Vec::new();
        'items: for item in items {
            self.assign(left, item);
            for clause in conditions {
                let condition = clause.named_child(0).map(|test| self.condition(test));
                if condition.and_then(|condition| condition.outcome) == Some(false) {
                    continue 'items;
                }
            }
            results.push(self.eval(*body));
        }
        Value::List(results)
    }

    fn assignment(&mut self, node: Node<'t>) -> Value {
        let fields = ["left", "right"].map(|field| node.child_by_field_name(field));
        let [Some(left), Some(right)] = fields else {
            return Value::NONE;
        };
        let mut value = self.eval(right);
        if node.kind() == "augmented_assignment" {
            let operator = self.operator(node);
            let before = self.eval(left);
            value = self.operate(node, operator.trim_end_matches('='), before, value);
        }
        self.assign(left, value.clone());
        value
    }
}

fn number(text: &str) -> Option<Object> {
    let digits = text.replace('_', "").to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            let number = i128::from_str_radix(digits, radix).ok()?;
            return Some(Object::Int(number.to_string()));
        }
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = digits.trim_start_matches('0');
        let digits = if digits.is_empty() { "0" } else { digits };
        return Some(Object::Int(digits.to_owned()));
    }
    digits.parse().ok().map(Object::Float)
}
