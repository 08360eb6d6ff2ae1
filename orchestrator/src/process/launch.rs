//! What is started.

use std::ffi::OsString;

use crate::bracket::Bracket;

/// How a command runs in its environment.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The text for `bash -c`.
    pub(crate) command: String,
    /// Variables to set, or to take out.
    pub(crate) variables: Vec<(OsString, Option<OsString>)>,
    /// What it needs around it, if an engine runs it.
    pub(crate) bracket: Option<Bracket>,
}

impl Launch {
    /// A command that runs as it is.
    pub(crate) fn plain(command: &str) -> Launch {
        Launch {
            command: command.to_owned(),
            variables: Vec::new(),
            bracket: None,
        }
    }
}
