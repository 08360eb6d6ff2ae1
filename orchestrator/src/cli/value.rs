//! The values of our options: texts to types.

use std::num::NonZero;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, StringValueParser, TypedValueParser};

use mlproject::{Backend, Manager};

use plan::request::{Force, step_names};

/// How many at once.
pub(super) fn count(text: &str) -> Result<NonZero<usize>, &'static str> {
    text.parse().map_err(|_| "expected a number from 1 on")
}

/// How many of the last runs: a number, or none for `all`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last(pub(super) Option<usize>);

#[derive(Debug, Clone, thiserror::Error)]
#[error("expected a number or `all`")]
pub(super) struct LastError;

impl FromStr for Last {
    type Err = LastError;

    fn from_str(text: &str) -> Result<Self, LastError> {
        match text {
            "all" => Ok(Last(None)),
            number => number
                .parse()
                .map(|it| Last(Some(it)))
                .map_err(|_| LastError),
        }
    }
}

/// `NAME=VALUE`, split at the first `=` as `mlflow run -P` does.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("expected NAME=VALUE")]
pub(super) struct AssignmentError;

impl FromStr for Assignment {
    type Err = AssignmentError;

    fn from_str(text: &str) -> Result<Self, AssignmentError> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Assignment {
                name: name.into(),
                value: value.into(),
            }),
            _ => Err(AssignmentError),
        }
    }
}

/// `NAME=VALUE`, split at the first `=`, or `NAME` for a flag, as `mlflow run -A` takes them.
#[derive(Debug, Clone)]
pub(super) struct DockerArgument {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("expected NAME=VALUE or NAME")]
pub(super) struct DockerArgumentError;

impl FromStr for DockerArgument {
    type Err = DockerArgumentError;

    fn from_str(text: &str) -> Result<Self, DockerArgumentError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        match name {
            "" => Err(DockerArgumentError),
            name => Ok(DockerArgument {
                name: name.to_owned(),
                value,
            }),
        }
    }
}

/// Names of steps.
#[derive(Debug, Clone)]
pub(super) struct Names(pub(super) Vec<String>);

pub(super) fn names() -> impl TypedValueParser<Value = Names> {
    StringValueParser::new().try_map(|text| step_names(&text).map(Names))
}

pub(super) fn forced() -> impl TypedValueParser<Value = Force> {
    StringValueParser::new().try_map(|text| match text.as_str() {
        "" => Ok(Force::All),
        text => step_names(text).map(Force::Named),
    })
}

pub(super) fn managers() -> impl TypedValueParser<Value = Manager> {
    PossibleValuesParser::new(Manager::ALL.map(Manager::name))
        .try_map(|name| name.parse::<Manager>())
}

pub(super) fn backends() -> impl TypedValueParser<Value = Backend> {
    PossibleValuesParser::new(Backend::ALL.map(Backend::name))
        .try_map(|name| name.parse::<Backend>())
}

/// A time as people write it.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a time with its unit, such as 90s, 15m or 2h".to_owned())
}
