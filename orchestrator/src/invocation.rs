//! What was typed, understood: what to do, and with what.

use std::path::PathBuf;

use clap::ValueEnum;
use plan::request::Request;

/// One command line.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) action: Action,
    pub(crate) format: Format,
    /// Where the report of the run is written to, as it was typed.
    pub(crate) report: Option<PathBuf>,
    /// The pipeline and what is asked of it.
    pub(crate) request: Request,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Run,
    DryRun,
    Graph,
    Check,
    List,
    EnvList,
    /// Removes what was not used for so many days.
    EnvPrune(u64),
    /// So many of the last runs, or with none also those in which everything was up to date.
    History(Option<usize>),
    /// One run, by the beginning of its id.
    Show(String),
    /// Two runs, the same.
    Diff(String, String),
    /// The newest log, of one step if it is named.
    Logs {
        step: Option<String>,
        follow: bool,
    },
    Resend,
    /// Writes the section `steps:`, or only shows it.
    Init {
        is_dry: bool,
    },
    Completions(Shell),
    Manual,
}

impl Action {
    /// Whether a plan is made, for which projects that are not here may be fetched. Everything else only
    /// looks at what is here.
    pub(crate) fn needs_plan(&self) -> bool {
        matches!(
            self,
            Action::Run | Action::DryRun | Action::Graph | Action::Check
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    /// That of Graphviz, for the graph alone.
    Dot,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}
