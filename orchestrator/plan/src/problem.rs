//! What keeps a plan from being run, and the way out.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use mlproject::Place;
use mlproject::config::ConfigError;
use mlproject::paths::shown;
use mlproject::pyyaml;
use mlproject::strformat::TemplateError;

use crate::definition::error::{ProjectError, SelectionError};
use crate::preflight::BackendError;
use environment::EnvironmentError;
use process::lock::LockError;
use process::redact::shown_value;
use process::text::suggestion;
use tracking::TrackingError;

/// Something that keeps one step, or the whole plan, from running.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The step that cannot run; none when the request as a whole is wrong.
    pub step: Option<String>,
    /// Where the cause is written.
    pub place: Option<Place>,
    pub kind: ProblemKind,
}

impl Problem {
    /// A problem of the request as a whole.
    pub fn general(place: Option<&Place>, kind: ProblemKind) -> Problem {
        Problem {
            step: None,
            place: place.cloned(),
            kind,
        }
    }

    pub(super) fn of_selection(error: SelectionError) -> Problem {
        let place = error.place().cloned();
        Problem::general(place.as_ref(), ProblemKind::Selection(error))
    }
}

/// What says that a step needs another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Its key `needs:`.
    Needs,
    /// A placeholder such as `{steps[train][run_id]}`.
    Placeholder,
}

impl fmt::Display for By {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            By::Needs => "`needs`",
            By::Placeholder => "`{steps[…]}`",
        })
    }
}

/// What gets a value of the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    Parameter(String),
    Variable(String),
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slot::Parameter(name) => write!(formatter, "parameter `{name}`"),
            Slot::Variable(name) => write!(formatter, "variable `{name}`"),
        }
    }
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum ProblemKind {
    #[error(transparent)]
    Project(Arc<ProjectError>),
    #[error(transparent)]
    Selection(SelectionError),
    #[error("no entry point `{name}` in {}", shown(.project))]
    UnknownEntryPoint {
        name: String,
        project: PathBuf,
        known: Vec<String>,
    },
    #[error("entry point `{name}` has no command")]
    NoCommand { name: String },
    #[error("no value for the required parameter `{name}`")]
    MissingParameter { name: String, step: String },
    #[error("unknown parameter `{name}`: neither the pipeline nor a step declares it")]
    UnknownParameter { name: String, known: Vec<String> },
    #[error(
        "parameter `{name}` is of type {kind}, but its value is `{}`",
        shown_value(name, value)
    )]
    NotANumber {
        name: String,
        kind: &'static str,
        value: String,
    },
    #[error(
        "parameter `{name}` should be a URI such as https://host/file or name a file that exists, but its value is `{}`",
        shown_value(name, value)
    )]
    NotAUri { name: String, value: String },
    #[error(
        "parameter `{name}` should name a file or folder that exists, but there is no `{}`",
        shown_value(name, value)
    )]
    NoSuchPath { name: String, value: String },
    #[error(
        "parameter `{name}` is a path, but its value is `{}`; use a local path or an http(s) URL",
        shown_value(name, value)
    )]
    RemotePath { name: String, value: String },
    #[error("`{key}` lists `{name}`, which is not a parameter of entry point `{entry_point}`")]
    UndeclaredFile {
        key: &'static str,
        name: String,
        entry_point: String,
        known: Vec<String>,
    },
    #[error("input `{name}` does not exist: {}", shown(.path))]
    MissingInput {
        name: String,
        path: PathBuf,
        maker: Option<String>,
    },
    #[error("the value of {slot} cannot be filled in: {source}")]
    Value {
        slot: Slot,
        source: TemplateError,
        /// The parameters of the pipeline.
        known: Vec<String>,
    },
    #[error("the value of {slot} cannot be filled in: {source}")]
    ConfigValue {
        slot: Slot,
        source: Arc<ConfigError>,
    },
    #[error("the value of {slot} cannot be filled in: `{{{name}}}` is nothing of a run")]
    NotOfARun { slot: Slot, name: String },
    #[error(
        "output `{name}` takes a value of the run of another step, so that nobody knows its place before"
    )]
    DeferredOutput { name: String },
    #[error("it takes values of the run of step `{of}`, which has none")]
    Unrecorded { of: String },
    #[error("the value of {slot} comes from the config, but this pipeline has no config")]
    NoConfig { slot: Slot },
    #[error("the value of {slot} has a NUL character in it, which no program can be given")]
    Nul { slot: Slot },
    #[error("{source}")]
    Config { source: Arc<ConfigError> },
    #[error("the command cannot be filled in: {source}")]
    Command {
        source: TemplateError,
        /// The parameters that the entry point declares.
        known: Vec<String>,
    },
    #[error("the command has {size} bytes, and the system takes at most {most}")]
    LongCommand { size: usize, most: usize },
    #[error("output `{name}` is {}, which step `{other}` writes too", shown(.path))]
    SameOutput {
        name: String,
        path: PathBuf,
        other: String,
    },
    #[error("{0}")]
    Code(String),
    #[error("{by} names the step itself")]
    NeedsItself { by: By },
    #[error("{by} names `{name}`, which is no step of this pipeline")]
    UnknownNeed {
        by: By,
        name: String,
        known: Vec<String>,
    },
    #[error("{by} names `{name}`, which stands later in `steps:`")]
    LaterNeed { by: By, name: String },
    #[error(
        "its input `{input}` ({}) is what step `{writer}` makes, which stands later in `steps:`",
        shown(.path)
    )]
    Reversed {
        input: String,
        path: PathBuf,
        reader: String,
        writer: String,
        right: Vec<String>,
    },
    #[error("each of these steps needs what the next one makes: {}", .0.join(" → "))]
    Cycle(Vec<String>),
    #[error(transparent)]
    Environment(EnvironmentError),
    /// The run could not be recorded.
    #[error(transparent)]
    Tracking(Arc<TrackingError>),
    /// Another run goes on.
    #[error(transparent)]
    Lock(Arc<LockError>),
    #[error(transparent)]
    Backend(Arc<BackendError>),
    #[error("MLflow refuses the parameter name `{name}`: {reason}")]
    RefusedName { name: String, reason: &'static str },
}

impl ProblemKind {
    /// What is wrong with the YAML of a file, if that is it.
    pub fn yaml(&self) -> Option<&pyyaml::Error> {
        match self {
            ProblemKind::Project(error) => error.yaml(),
            ProblemKind::Config { source } => source.yaml(),
            ProblemKind::Environment(EnvironmentError::File(error)) => error.yaml(),
            _ => None,
        }
    }

    /// What to type or look for next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            ProblemKind::Project(error) => return error.hint(),
            ProblemKind::Selection(error) => return error.hint(),
            ProblemKind::Tracking(error) => return error.hint(),
            ProblemKind::Lock(error) => return error.hint().map(str::to_owned),
            ProblemKind::UnknownEntryPoint { name, known, .. }
            | ProblemKind::UnknownParameter { name, known }
            | ProblemKind::UnknownNeed { name, known, .. }
            | ProblemKind::UndeclaredFile { name, known, .. } => suggestion(name, known),
            ProblemKind::NotOfARun { .. } => {
                "write `{steps[STEP][run_id]}` or `{steps[STEP][artifact_uri]}`".into()
            }
            ProblemKind::DeferredOutput { .. } => {
                "let it lie in a folder of its own, such as `{root}/out`".into()
            }
            ProblemKind::Unrecorded { .. } => {
                "run without `--no-tracking`, and without `tracking: false` for that step".into()
            }
            ProblemKind::MissingParameter { name, step } => {
                format!(
                    "give it with `-P {name}=VALUE`, or for this step alone with `-P {step}.{name}=VALUE`"
                )
            }
            ProblemKind::MissingInput {
                maker: Some(maker), ..
            } => {
                format!("step `{maker}` makes it and has to run before")
            }
            ProblemKind::ConfigValue { source, .. } | ProblemKind::Config { source } => {
                return of_config(source);
            }
            ProblemKind::NoConfig { .. } => {
                "name its file at the root, as in `config: config.yaml`".into()
            }
            ProblemKind::Command { source, known } | ProblemKind::Value { source, known, .. } => {
                return of_template(source, known);
            }
            ProblemKind::Environment(error) => return error.hint(),
            ProblemKind::Backend(error) => return error.hint(),
            ProblemKind::LongCommand { .. } => {
                "hand long values over in a file, or put the command in a script".into()
            }
            ProblemKind::RefusedName { .. } => {
                "rename it, or record nothing: `--no-tracking`".into()
            }
            _ => return self.order_hint(),
        })
    }

    /// What to write where steps cannot stand in the order in which they are.
    fn order_hint(&self) -> Option<String> {
        Some(match self {
            ProblemKind::NeedsItself { .. } => {
                "a step waits for others; take its own name out".into()
            }
            ProblemKind::LaterNeed {
                by: By::Needs,
                name,
            } => {
                format!("list `{name}` before it, or take the name out of `needs:`")
            }
            ProblemKind::LaterNeed { name, .. } => format!("list `{name}` before it"),
            ProblemKind::Reversed {
                reader,
                writer,
                right,
                ..
            } => format!(
                "the right order is: {}; if `{reader}` is to read what an earlier run has left, say `needs: [{reader}]` in the entry of `{writer}`",
                right.join(", ")
            ),
            ProblemKind::Cycle(_) => {
                "take one of these files out of `inputs:` or `outputs:`, or split a step".into()
            }
            _ => return None,
        })
    }
}

/// What was meant by a placeholder that is none, such as `{learning-rate}` or the braces of awk.
fn of_template(error: &TemplateError, known: &[String]) -> Option<String> {
    let TemplateError::UnknownName {
        name, shell: false, ..
    } = error
    else {
        return None;
    };
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let braces = format!("for braces as they are write `{{{{{name}}}}}`");
    if known.is_empty() || !name.chars().all(is_name) {
        return Some(braces);
    }
    Some(format!("{}; {braces}", suggestion(name, known)))
}

fn of_config(error: &ConfigError) -> Option<String> {
    Some(match error {
        ConfigError::Missing { key, known, .. } if !known.is_empty() => {
            suggestion(key.last()?, known)
        }
        ConfigError::Mandatory(key) => format!("give it with `-P config.{}=VALUE`", key.join(".")),
        ConfigError::Resolver { key, .. } => format!(
            "give the value with `-P config.{}=VALUE`; only `${{a.b}}`, a value of the config, is known",
            key.join(".")
        ),
        ConfigError::Malformed { .. } => "write `\\${` where no value is meant".into(),
        ConfigError::Unwritable { .. } => "put it in quotes in the config".into(),
        _ => return None,
    })
}
