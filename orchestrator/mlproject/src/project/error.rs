//! Why a file cannot be used, and where in it the reason stands.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::paths::shown;
use crate::pyyaml;

/// Why an `MLproject` or an environment file cannot be used, whatever it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read, or it is too large.
    #[error("cannot read `{}`", shown(.path))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its bytes are no text.
    #[error("{}:{line}: not valid UTF-8", shown(.path))]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line of the first byte that is wrong, from 1.
        line: usize,
    },
    /// It is not YAML as PyYAML reads it.
    #[error("{}:{}:{}: {error}", shown(.path), .error.line, .error.column)]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong with the document.
        error: pyyaml::Error,
    },
    /// A value is of the wrong kind.
    #[error("{place}: {item} should be {expected}")]
    Shape {
        /// Where it stands.
        place: Place,
        /// What it is, with its keys in backticks.
        item: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A key that has no meaning stands where every key has one.
    #[error("{place}: `{key}` is not a key of `{section}`")]
    UnknownKey {
        /// Where it stands.
        place: Place,
        /// The section that it stands in.
        section: String,
        /// The key.
        key: String,
        /// The keys that the section can have.
        known: &'static [&'static str],
    },
    /// A key that MLflow ignores and that is spelled almost as one that has a meaning.
    #[error("{place}: `{key}` has no meaning; did you mean `{meant}`?")]
    Misspelled {
        /// Where it stands.
        place: Place,
        /// The key.
        key: String,
        /// The key that it resembles.
        meant: &'static str,
    },
    /// A placeholder without quotes has made the text no YAML.
    #[error("{place}: in YAML a brace opens a mapping; quote it: `{key}: \"{value}\"`")]
    Brace {
        /// Where it stands.
        place: Place,
        /// The key.
        key: String,
        /// Its value as it was meant.
        value: String,
    },
    /// A variable that the definition cannot set.
    #[error(
        "{place}: `env` cannot set `{name}`, which the orchestrator sets itself: give `--tracking-uri` or `--experiment-name`, or `experiment:` of a step"
    )]
    Reserved {
        /// Where it stands.
        place: Place,
        /// The variable.
        name: String,
    },
    /// `{name}` without quotes, which is a mapping in YAML.
    #[error("{place}: `{item}` is a placeholder without quotes; write `{name}: \"{{{inside}}}\"`")]
    Unquoted {
        /// Where it stands.
        place: Place,
        /// The keys that lead to it.
        item: String,
        /// The last of them.
        name: String,
        /// What stands in the braces.
        inside: String,
    },
    /// The project names several environments.
    #[error("{place}: a project can have one environment, but this one names {}", quoted(.keys))]
    Environments {
        /// The file.
        place: Place,
        /// The keys by which it names them.
        keys: Vec<&'static str>,
    },
}

impl Error {
    /// What is wrong with the YAML of the file, if that is it.
    pub fn yaml(&self) -> Option<&pyyaml::Error> {
        match self {
            Error::Yaml { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// A position in a file, printed as `file:line`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, or the folder of a project without one.
    pub file: PathBuf,
    /// From 1; none for the file as a whole.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}", shown(&self.file)),
            None => write!(formatter, "{}", shown(&self.file)),
        }
    }
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
