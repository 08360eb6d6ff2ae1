//! The parameters of an entry point.

use super::error::{Error, Place};
use super::node::Node;
use crate::pyyaml::Object;

/// A parameter that an entry point declares.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its key below `parameters:`.
    pub name: String,
    /// The declared type.
    pub kind: ParameterKind,
    /// `default:`, as Python prints it.
    pub default: Option<String>,
    /// `description:`, which MLflow ignores.
    pub description: Option<String>,
    /// Where it is written.
    pub place: Place,
}

/// The type of a parameter. MLflow gives a meaning only to `path` and `uri`; names are case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterKind {
    /// `int`: what Python's `int()` takes.
    Int,
    /// `float`: what Python's `float()` takes.
    Float,
    /// `path`: a file or folder that exists.
    Path,
    /// `uri`: a text with a scheme.
    Uri,
    /// Any other name, such as `string`.
    Other(String),
}

impl ParameterKind {
    /// The name by which it is declared.
    pub fn name(&self) -> &str {
        match self {
            ParameterKind::Int => "int",
            ParameterKind::Float => "float",
            ParameterKind::Path => "path",
            ParameterKind::Uri => "uri",
            ParameterKind::Other(name) => name,
        }
    }
}

impl From<String> for ParameterKind {
    fn from(name: String) -> Self {
        match name.as_str() {
            "int" => ParameterKind::Int,
            "float" => ParameterKind::Float,
            "path" => ParameterKind::Path,
            "uri" => ParameterKind::Uri,
            _ => ParameterKind::Other(name),
        }
    }
}

impl Default for ParameterKind {
    /// What a parameter without a type is, as in MLflow.
    fn default() -> Self {
        ParameterKind::Other("string".to_owned())
    }
}

impl Parameter {
    /// `name: type`, `name: {type: …, default: …}`, or nothing at all.
    pub(super) fn parse(name: &str, node: &Node) -> Result<Parameter, Error> {
        let kind = match node.value() {
            Object::None => None,
            Object::Str(kind) => Some(kind.clone()),
            Object::Dict(_) => node.text_of("type"),
            _ => return Err(node.shape("a type, or a mapping with `type` and `default`")),
        };
        Ok(Parameter {
            name: name.to_owned(),
            kind: kind.map_or_else(ParameterKind::default, ParameterKind::from),
            default: node.text_of("default"),
            description: node.text_of("description"),
            place: node.place(),
        })
    }
}
