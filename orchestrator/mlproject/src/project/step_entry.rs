//! The section `steps:`, which is ours alone and therefore strict.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;

use super::node::Node;
use super::{
    Backend, Error, Manager, Place, Resources, Setting, parse_all, read_backend, read_bool,
    read_manager, setting,
};
use crate::pyyaml::Object;

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
    /// Values for this step.
    pub parameters: Vec<Setting>,
    /// Variables for this step, stronger than the pipeline's.
    pub env: Vec<Setting>,
    /// `env_manager:`, stronger than the pipeline's.
    pub env_manager: Option<Manager>,
    /// `backend:`, where it runs.
    pub backend: Option<Backend>,
    /// Whether the step is part of `--steps all`.
    pub default: bool,
    /// How long the step may take.
    pub timeout: Option<Duration>,
    /// How often a failed step is tried again.
    pub retries: Option<u32>,
    /// The pause before the first of these tries; it doubles with each.
    pub retry_delay: Option<Duration>,
    /// Whether its failure neither stops nor fails the run.
    pub allow_failure: bool,
    /// The earlier steps that it waits for beside those that make its inputs; none when nothing is said.
    pub needs: Option<Vec<String>>,
    /// What it takes of the machine.
    pub resources: Resources,
    /// The experiment of its runs, by name; by default the pipeline's.
    pub experiment: Option<String>,
    /// Whether it has runs of its own.
    pub tracking: Option<bool>,
    /// Whether it may be left out when it is up to date.
    pub cached: Option<bool>,
    /// Where it is written.
    pub place: Place,
}

const STEP_KEYS: [&str; 17] = [
    "project",
    "version",
    "entry_point",
    "parameters",
    "env",
    "env_manager",
    "backend",
    "default",
    "timeout",
    "retries",
    "retry_delay",
    "allow_failure",
    "needs",
    "resources",
    "cached",
    "experiment",
    "tracking",
];

impl StepEntry {
    /// The section `steps:`: a mapping, or a list of names where there is nothing to say of the steps.
    pub(super) fn parse_all(section: &Node) -> Result<Vec<StepEntry>, Error> {
        if section.value().as_list().is_none() {
            return parse_all(section, EXPECTED, StepEntry::parse);
        }
        let names = section.texts(EXPECTED)?;
        let mut seen = HashSet::new();
        if !names.iter().all(|name| seen.insert(name)) {
            return Err(section.shape("a list in which each step stands once"));
        }
        let empty = section.with(&Object::None);
        names
            .iter()
            .map(|name| StepEntry::parse(name, &empty))
            .collect()
    }

    fn parse(name: &str, node: &Node) -> Result<StepEntry, Error> {
        let entries = node.named_entries("a mapping, or nothing")?;
        known_keys(&entries, &STEP_KEYS, || format!("steps.{name}"))?;
        Ok(StepEntry {
            name: name.to_owned(),
            project: node.text_of("project"),
            version: node.text_of("version"),
            entry_point: node.text_of("entry_point"),
            parameters: setting::parameters(node)?,
            env: setting::variables(node)?,
            timeout: read_time(node, "timeout")?,
            retries: node.read("retries", "a number of tries")?,
            retry_delay: read_time(node, "retry_delay")?,
            env_manager: read_manager(node)?,
            backend: read_backend(node)?,
            default: read_bool(node, "default")?.unwrap_or(true),
            allow_failure: read_bool(node, "allow_failure")?.unwrap_or(false),
            needs: node.strings_of("needs", "a list of step names")?,
            resources: Resources::parse(node)?,
            experiment: read_experiment(node)?,
            tracking: read_bool(node, "tracking")?,
            cached: read_bool(node, "cached")?,
            place: node.place(),
        })
    }
}

fn read_experiment(node: &Node) -> Result<Option<String>, Error> {
    const EXPECTED: &str = "the name of an experiment";
    let Some(experiment) = node.get("experiment") else {
        return Ok(None);
    };
    let name = experiment.string(EXPECTED)?;
    if name.is_empty() {
        return Err(experiment.shape(EXPECTED));
    }
    Ok(Some(name))
}

/// What `steps:` is.
const EXPECTED: &str = "a mapping of step names, or a list of them";

/// Refuses a key that has no meaning in a section that is ours alone.
pub(super) fn known_keys(
    entries: &[(&str, Node)],
    known: &'static [&'static str],
    section: impl Fn() -> String,
) -> Result<(), Error> {
    let unknown = entries.iter().find(|(key, _)| !known.contains(key));
    unknown.map_or(Ok(()), |(key, value)| {
        Err(Error::UnknownKey {
            place: value.place(),
            section: section(),
            key: (*key).to_owned(),
            known,
        })
    })
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
