//! A place in the YAML document: its value, and where it is written.

use std::path::Path;

use serde_yaml::Value;

use super::python_text::python_str;
use super::yaml::Document;
use crate::error::{Place, ProjectError};

/// One value of an MLproject, with the keys that lead to it.
pub(super) struct Node<'a> {
    value: &'a Value,
    trail: Vec<&'a str>,
    document: &'a Document,
    file: &'a Path,
}

impl<'a> Node<'a> {
    pub(super) fn root(document: &'a Document, file: &'a Path) -> Node<'a> {
        Node {
            value: &document.value,
            trail: Vec::new(),
            document,
            file,
        }
    }

    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    /// The value of a key, none when it is absent or left empty.
    pub(super) fn get(&self, key: &'a str) -> Option<Node<'a>> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(self.child(key, value))
    }

    /// The value of a key, none when Python takes it for false: MLflow asks so for environments.
    pub(super) fn get_if_true(&self, key: &'a str) -> Option<Node<'a>> {
        self.get(key).filter(|node| match node.value {
            Value::Null | Value::Bool(false) => false,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Sequence(items) => !items.is_empty(),
            Value::Mapping(entries) => !entries.is_empty(),
            Value::Bool(true) | Value::Tagged(_) => true,
        })
    }

    /// Whether the key is written at all, be it left empty.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some()
    }

    /// The text that Python would print for the value of a key.
    pub(super) fn text_of(&self, key: &'a str) -> Option<String> {
        self.get(key).map(|node| python_str(node.value))
    }

    /// The value itself, which has to be a string.
    pub(super) fn string(&self, expected: &'static str) -> Result<String, ProjectError> {
        text(self.value)
            .map(str::to_owned)
            .ok_or_else(|| self.shape(expected))
    }

    /// The items of a list of strings below a key; empty when the key is.
    pub(super) fn strings_of(&self, key: &'a str) -> Result<Vec<String>, ProjectError> {
        self.get(key).map_or(Ok(Vec::new()), |list| {
            list.texts("a list of parameter names")
        })
    }

    /// As [`Node::strings_of`], with whatever Python takes for false counting as empty.
    pub(super) fn texts_of(
        &self,
        key: &'a str,
        expected: &'static str,
    ) -> Result<Vec<String>, ProjectError> {
        self.get_if_true(key)
            .map_or(Ok(Vec::new()), |list| list.texts(expected))
    }

    /// The items of this list of strings.
    fn texts(&self, expected: &'static str) -> Result<Vec<String>, ProjectError> {
        let items = self.value.as_sequence().into_iter().flatten();
        let texts = items.map(|item| text(item).map(str::to_owned));
        let texts = self.value.is_sequence().then(|| texts.collect()).flatten();
        texts.ok_or_else(|| self.shape(expected))
    }

    /// The entries of a mapping, in order; an empty value counts as an empty mapping.
    pub(super) fn entries(&self, expected: &'static str) -> Result<Vec<Entry<'a>>, ProjectError> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Mapping(mapping) => Ok(mapping
                .iter()
                .map(|(key, value)| match text(key) {
                    Some(name) => Entry::Named(name, self.child(name, value)),
                    None => Entry::Odd(python_str(key)),
                })
                .collect()),
            _ => Err(self.shape(expected)),
        }
    }

    /// As [`Node::entries`], with every key a string.
    pub(super) fn named_entries(
        &self,
        expected: &'static str,
    ) -> Result<Vec<(&'a str, Node<'a>)>, ProjectError> {
        self.entries(expected)?
            .into_iter()
            .map(|entry| match entry {
                Entry::Named(name, node) => Ok((name, node)),
                Entry::Odd(key) => Err(ProjectError::Shape {
                    place: self.place(),
                    item: format!("the key `{key}`"),
                    expected: "a text (put it in quotes)",
                }),
            })
            .collect()
    }

    pub(super) fn place(&self) -> Place {
        Place {
            file: self.file.to_owned(),
            line: self.document.line(&self.trail),
        }
    }

    /// The complaint that this value should be something else.
    pub(super) fn shape(&self, expected: &'static str) -> ProjectError {
        let item = match self.trail.as_slice() {
            [] => "an MLproject".to_owned(),
            trail => format!("`{}`", trail.join(".")),
        };
        ProjectError::Shape {
            place: self.place(),
            item,
            expected,
        }
    }

    fn child(&self, key: &'a str, value: &'a Value) -> Node<'a> {
        let mut trail = self.trail.clone();
        trail.push(key);
        Node {
            value,
            trail,
            document: self.document,
            file: self.file,
        }
    }
}

/// The text of a string. [`Value::as_str`] also has one for dates and others that are carried by a tag.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// One entry of a mapping.
pub(super) enum Entry<'a> {
    Named(&'a str, Node<'a>),
    /// The key is no string; this is how Python prints it.
    Odd(String),
}
