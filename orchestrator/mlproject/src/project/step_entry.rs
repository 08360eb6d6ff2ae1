//! The section `steps:`, which is ours alone and therefore strict.

use std::time::Duration;

use serde::Deserialize;

use super::node::Node;
use super::{Error, Manager, Place, parse_all, read_manager};

/// One entry of `steps:`.
#[derive(Debug)]
pub struct StepEntry {
    /// The step's name.
    pub name: String,
    /// Where the step's project is; by default the folder of that name.
    pub project: Option<String>,
    /// The commit, tag or branch of a project in a git repository.
    pub version: Option<String>,
    /// The entry point that runs.
    pub entry_point: Option<String>,
    /// Values for this step; a `{name}` in them takes the pipeline's parameter of that name.
    pub parameters: Vec<(String, String)>,
    /// `env_manager:`, stronger than the pipeline's.
    pub env_manager: Option<Manager>,
    /// Whether the step is part of `--steps all`.
    pub default: bool,
    /// How long the step may take.
    pub timeout: Option<Duration>,
    /// How often a failed step is tried again.
    pub retries: Option<u32>,
    /// The pause before the first of these tries; it doubles with each.
    pub retry_delay: Option<Duration>,
    /// Whether `--keep-going` runs on when it fails.
    pub allow_failure: bool,
    /// Where it is written.
    pub place: Place,
}

const STEP_KEYS: [&str; 10] = [
    "project",
    "version",
    "entry_point",
    "parameters",
    "env_manager",
    "default",
    "timeout",
    "retries",
    "retry_delay",
    "allow_failure",
];

impl StepEntry {
    pub(super) fn parse(name: &str, node: &Node) -> Result<StepEntry, Error> {
        let entries = node.named_entries("a mapping, or nothing")?;
        if let Some((key, value)) = entries.iter().find(|(key, _)| !STEP_KEYS.contains(key)) {
            return Err(Error::UnknownKey {
                place: value.place(),
                section: format!("steps.{name}"),
                key: (*key).to_owned(),
                known: &STEP_KEYS,
            });
        }
        let text = |name: &str, node: &Node| Ok((name.to_owned(), node.value().to_string()));
        Ok(StepEntry {
            name: name.to_owned(),
            project: node.text_of("project"),
            version: node.text_of("version"),
            entry_point: node.text_of("entry_point"),
            parameters: match node.get("parameters") {
                None => Vec::new(),
                Some(section) => parse_all(&section, "a mapping of parameter values", text)?,
            },
            timeout: read_time(node, "timeout")?,
            retries: node.read("retries", "a number of tries")?,
            retry_delay: read_time(node, "retry_delay")?,
            env_manager: read_manager(node)?,
            default: read_bool(node, "default")?.unwrap_or(true),
            allow_failure: read_bool(node, "allow_failure")?.unwrap_or(false),
            place: node.place(),
        })
    }
}

/// A time as people write it.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Time(Duration);

impl TryFrom<String> for Time {
    type Error = humantime::DurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        humantime::parse_duration(&text).map(Time)
    }
}

fn read_time<'a>(node: &Node<'a>, key: &'a str) -> Result<Option<Duration>, Error> {
    let time: Option<Time> = node.read(key, "a time with its unit, such as 90s or 2h")?;
    Ok(time.map(|Time(time)| time))
}

fn read_bool<'a>(node: &Node<'a>, key: &'a str) -> Result<Option<bool>, Error> {
    node.read(key, "true or false")
}
