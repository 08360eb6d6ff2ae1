//! A place in the YAML document: its value, and where it is written.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::{Error, Place};
use crate::pyyaml::{Document, Object};

/// One value of an MLproject, with the keys that lead to it.
pub(super) struct Node<'a> {
    value: &'a Object,
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

    pub(super) fn value(&self) -> &'a Object {
        self.value
    }

    /// The value of a key, none when it is absent or left empty.
    pub(super) fn get(&self, key: &'a str) -> Option<Node<'a>> {
        let value = self
            .value
            .get(key)
            .filter(|value| **value != Object::None)?;
        Some(self.child(key, value))
    }

    /// The value of a key, none when Python takes it for false: MLflow asks so for environments.
    pub(super) fn get_if_true(&self, key: &'a str) -> Option<Node<'a>> {
        self.get(key).filter(|node| node.value.is_true())
    }

    /// Whether the key is written at all, be it left empty.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some()
    }

    /// The text that Python would print for the value of a key.
    pub(super) fn text_of(&self, key: &'a str) -> Option<String> {
        self.get(key).map(|node| node.value.to_string())
    }

    /// The value itself, which has to be a string.
    pub(super) fn string(&self, expected: &'static str) -> Result<String, Error> {
        self.value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| self.shape(expected))
    }

    /// The items of a list of strings below a key, empty when the key is; none when it is absent.
    pub(super) fn strings_of(
        &self,
        key: &'a str,
        expected: &'static str,
    ) -> Result<Option<Vec<String>>, Error> {
        match self.get(key) {
            None => Ok(self.has(key).then(Vec::new)),
            Some(list) => list.texts(expected).map(Some),
        }
    }

    /// As [`Node::strings_of`], with whatever Python takes for false counting as empty.
    pub(super) fn texts_of(
        &self,
        key: &'a str,
        expected: &'static str,
    ) -> Result<Vec<String>, Error> {
        self.get_if_true(key)
            .map_or(Ok(Vec::new()), |list| list.texts(expected))
    }

    /// The items of this list of strings.
    pub(super) fn texts(&self, expected: &'static str) -> Result<Vec<String>, Error> {
        let texts = self.value.as_list().and_then(|items| {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect()
        });
        texts.ok_or_else(|| self.shape(expected))
    }

    /// The value of a key in one of our own sections, none when it is absent or left empty.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        key: &'a str,
        expected: &'static str,
    ) -> Result<Option<T>, Error> {
        let Some(node) = self.get(key) else {
            return Ok(None);
        };
        let value = scalar(node.value).and_then(|value| serde_yaml::from_value(value).ok());
        value.map(Some).ok_or_else(|| node.shape(expected))
    }

    /// The entries of a mapping, in order; an empty value counts as an empty mapping.
    pub(super) fn entries(&self, expected: &'static str) -> Result<Vec<Entry<'a>>, Error> {
        match self.value {
            Object::None => Ok(Vec::new()),
            Object::Dict(pairs) => Ok(pairs
                .iter()
                .map(|(key, value)| match key.as_str() {
                    Some(name) => Entry::Named(name, self.child(name, value)),
                    None => Entry::Odd(key.to_string()),
                })
                .collect()),
            _ => Err(self.shape(expected)),
        }
    }

    /// As [`Node::entries`], with every key a string.
    pub(super) fn named_entries(
        &self,
        expected: &'static str,
    ) -> Result<Vec<(&'a str, Node<'a>)>, Error> {
        self.entries(expected)?
            .into_iter()
            .map(|entry| match entry {
                Entry::Named(name, node) => Ok((name, node)),
                Entry::Odd(key) => Err(Error::Shape {
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

    /// The keys that lead here.
    pub(super) fn name(&self) -> String {
        self.trail.join(".")
    }

    /// The same place with another value.
    pub(super) fn with(&self, value: &'a Object) -> Node<'a> {
        Node {
            value,
            trail: self.trail.clone(),
            document: self.document,
            file: self.file,
        }
    }

    /// The complaint that this value should be something else.
    pub(super) fn shape(&self, expected: &'static str) -> Error {
        let item = match self.trail.as_slice() {
            [] => "an MLproject".to_owned(),
            trail => format!("`{}`", trail.join(".")),
        };
        Error::Shape {
            place: self.place(),
            item,
            expected,
        }
    }

    fn child(&self, key: &'a str, value: &'a Object) -> Node<'a> {
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

/// A scalar as serde knows it; none for what only Python has.
fn scalar(object: &Object) -> Option<serde_yaml::Value> {
    Some(match object {
        Object::Bool(value) => (*value).into(),
        Object::Int(digits) => digits.parse::<i64>().ok()?.into(),
        Object::Float(number) => (*number).into(),
        Object::Str(text) => text.clone().into(),
        _ => return None,
    })
}

/// One entry of a mapping.
pub(super) enum Entry<'a> {
    Named(&'a str, Node<'a>),
    /// The key is no string; this is how Python prints it.
    Odd(String),
}
