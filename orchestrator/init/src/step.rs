//! A step as the definition will have it.

use crate::value::{Format, Unknown};

/// One entry of `steps:`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// Whether it is known where the project is.
    pub(crate) is_located: bool,
    /// Where the project is, if the name does not say it.
    pub(crate) project: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) entry_point: Option<String>,
    pub(crate) is_default: bool,
    pub(crate) env_manager: Option<String>,
    /// Whether the call said none, so that the step's project decided.
    pub(crate) leaves_manager: bool,
    pub(crate) experiment: Option<String>,
    pub(crate) environment: Vec<(String, Setting)>,
    pub(crate) parameters: Vec<(String, Setting)>,
    /// What the definition cannot say of it.
    pub(crate) remarks: Vec<Unknown>,
}

/// The value of a parameter or variable.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Setting {
    /// A template in the grammar of `str.format`.
    Template(String),
    /// The path of a file with a part of the config in it.
    File(Format, String),
    NotUnderstood(Unknown),
}

impl Step {
    pub(crate) fn named(name: impl Into<String>) -> Step {
        Step {
            name: name.into(),
            is_located: true,
            project: None,
            version: None,
            entry_point: None,
            is_default: true,
            env_manager: None,
            leaves_manager: false,
            experiment: None,
            environment: Vec::new(),
            parameters: Vec::new(),
            remarks: Vec::new(),
        }
    }
}
