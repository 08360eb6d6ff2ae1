//! What is started.

use std::ffi::OsString;

use crate::bracket::Bracket;

/// How a command runs in its environment.
#[derive(Debug)]
pub struct Launch {
    /// The text for `bash -c`, all parameters filled in.
    pub command: String,
    /// Changes to the caller's variables; none stands for one to take out.
    pub variables: Vec<(OsString, Option<OsString>)>,
    /// What it needs around it, if an engine runs it.
    pub bracket: Option<Bracket>,
}

impl Launch {
    /// A command that runs as it is, as in MLflow's `local` environment.
    pub fn plain(command: &str) -> Launch {
        Launch {
            command: command.to_owned(),
            variables: Vec::new(),
            bracket: None,
        }
    }

    /// Whether it only waits here for what runs elsewhere, and takes no input.
    pub fn is_remote(&self) -> bool {
        let bracket = self.bracket.as_ref();
        bracket.is_some_and(|bracket| bracket.ask.is_some())
    }
}
