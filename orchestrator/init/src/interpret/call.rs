//! Calls: whose function it is decides what they give.

use tree_sitter::Node;

use super::Interpreter;
use crate::source::children;
use crate::value::{Value, set};

/// What a call hands over.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Value>,
    pub(super) keyword: Vec<(String, Value)>,
}

impl Arguments {
    pub(super) fn named(&self, key: &str) -> Option<&Value> {
        let mut keyword = self.keyword.iter();
        keyword
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
    }

    /// An argument that is given by its position or by its name.
    pub(super) fn get(&self, position: usize, key: &str) -> Option<&Value> {
        self.positional.get(position).or_else(|| self.named(key))
    }

    pub(super) fn first(&self) -> Option<&Value> {
        self.positional.first()
    }
}

impl<'t> Interpreter<'t> {
    pub(super) fn call(&mut self, node: Node<'t>) -> Value {
        let Some(function) = node.child_by_field_name("function") else {
            return self.unknown(node);
        };
        if function.kind() == "attribute" {
            let fields = ["object", "attribute"].map(|field| function.child_by_field_name(field));
            let [Some(object), Some(name)] = fields else {
                return self.unknown(node);
            };
            let value = self.eval(object);
            if !matches!(value, Value::Global(_) | Value::Namespace(_)) {
                let name = self.source.text(name).to_owned();
                let arguments = self.arguments(node);
                return self.method(node, object, value, &name, &arguments);
            }
        }
        match self.eval(function) {
            Value::Global(name) => {
                let arguments = self.arguments(node);
                self.known_function(node, &name, &arguments)
            }
            Value::Function(number) => {
                let arguments = self.arguments(node);
                self.enter(number, arguments, node)
            }
            _ => {
                // What is handed over may start a step.
                let arguments = self.arguments(node);
                self.unknown_call(node, &arguments)
            }
        }
    }

    pub(super) fn arguments(&mut self, call: Node<'t>) -> Arguments {
        let mut arguments = Arguments::default();
        let Some(list) = call.child_by_field_name("arguments") else {
            return arguments;
        };
        if list.kind() == "generator_expression" {
            let value = self.eval(list);
            arguments.positional.push(value);
            return arguments;
        }
        for argument in children(list) {
            match argument.kind() {
                "keyword_argument" => {
                    let fields = ["name", "value"].map(|field| argument.child_by_field_name(field));
                    if let [Some(name), Some(value)] = fields {
                        let name = self.source.text(name).to_owned();
                        let value = self.eval(value);
                        set(&mut arguments.keyword, &name, value);
                    }
                }
                "list_splat" | "dictionary_splat" => self.splat(argument, &mut arguments),
                _ => {
                    let value = self.eval(argument);
                    arguments.positional.push(value);
                }
            }
        }
        arguments
    }

    /// `*values` and `**values`; what is not understood of them is left out.
    fn splat(&mut self, argument: Node<'t>, arguments: &mut Arguments) {
        let Some(value) = argument.named_child(0).map(|inner| self.eval(inner)) else {
            return;
        };
        if argument.kind() == "list_splat" {
            arguments
                .positional
                .extend(self.items(&value).unwrap_or_default());
            return;
        }
        for (key, value) in self.entries(&value).unwrap_or_default() {
            set(&mut arguments.keyword, &key, value);
        }
    }

    /// Whether a node calls the function of that full name.
    pub(super) fn is_call_of(&self, node: Node<'t>, name: &str) -> bool {
        let function = node.child_by_field_name("function");
        node.kind() == "call" && function.is_some_and(|function| self.full_name(function) == name)
    }

    /// The name of a function by its imports, without following anything.
    fn full_name(&self, node: Node<'t>) -> String {
        let text = self.source.text(node);
        let (first, rest) = text
            .split_once('.')
            .map_or((text, None), |(first, rest)| (first, Some(rest)));
        let first = match self.lookup(first) {
            Some(Value::Global(module)) => module,
            _ => first,
        };
        rest.map_or_else(|| first.to_owned(), |rest| format!("{first}.{rest}"))
    }
}
