//! Why there is no such value.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::paths::shown;
use crate::pyyaml;

/// Why a config cannot be read, or a value of it be had.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum ConfigError {
    #[error("cannot read the config file `{}`: {error}", shown(.path))]
    Read { path: PathBuf, error: io::Error },
    #[error("{}: not valid UTF-8", shown(.0))]
    NotUtf8(PathBuf),
    #[error("{}:{}:{}: {error}", shown(.path), .error.line, .error.column)]
    Yaml { path: PathBuf, error: pyyaml::Error },
    #[error("{}: a config should be a mapping of names to values", shown(.0))]
    NotAMapping(PathBuf),
    #[error("the value of `config.{key}` is not YAML: {error}")]
    Override { key: String, error: pyyaml::Error },
    #[error(
        "{}{} is not in {}{}",
        begin(.via.as_deref()),
        place(.key),
        shown(.path),
        above(.key, .known, kind)
    )]
    Missing {
        /// The file that says most of what is above it.
        path: PathBuf,
        key: Vec<String>,
        /// What stands beside it.
        known: Vec<String>,
        /// What the value above it is.
        kind: &'static str,
        /// What asks for it, where that is a value itself.
        via: Option<String>,
    },
    #[error("`{text}` of {} asks for something outside of the config", place(.key))]
    Resolver { key: Vec<String>, text: String },
    #[error("`{text}` of {} is not closed or names nothing", place(.key))]
    Malformed { key: Vec<String>, text: String },
    #[error("{} stands for itself, through other values", place(.0))]
    Cycle(Vec<String>),
    #[error("{} grows too large with its values filled in", place(.0))]
    TooLarge(Vec<String>),
    #[error("{} is `???`: its value has to be given", place(.0))]
    Mandatory(Vec<String>),
    #[error("{} holds {what}, which {format} cannot say", place(.key))]
    Unwritable {
        key: Vec<String>,
        what: &'static str,
        format: &'static str,
    },
}

impl ConfigError {
    /// What is wrong with the YAML of a file, if that is it.
    pub fn yaml(&self) -> Option<&pyyaml::Error> {
        match self {
            ConfigError::Yaml { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// A value as a placeholder names it.
fn place(keys: &[String]) -> String {
    let mut text = "`config".to_owned();
    for key in keys {
        text.extend(["[", key, "]"]);
    }
    text + "`"
}

fn begin(via: Option<&str>) -> String {
    via.map(|via| format!("{via}: ")).unwrap_or_default()
}

/// Why there is nothing below what stands above.
fn above(keys: &[String], known: &[String], kind: &str) -> String {
    match keys.split_last() {
        Some((_, above)) if known.is_empty() && !above.is_empty() => {
            format!(": {} is {kind}", place(above))
        }
        _ => String::new(),
    }
}

/// What asks for a value in the place of another.
pub(super) fn asked_by(text: &str, keys: &[String]) -> String {
    format!("`{text}` of {}", place(keys))
}
