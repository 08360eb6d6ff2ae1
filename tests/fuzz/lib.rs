//! Fuzz targets for the two places where a user's text is taken apart.
//!
//! The orchestrator is no library, so its modules are compiled in here. What the targets find goes
//! into `corpus/`, which the end-to-end tests replay through the real binary. To fuzz for a minute,
//! with new inputs in the folder `found`:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz mlproject found tests/fuzz/corpus/mlproject -- -max_total_time=60
//! ```

#![expect(
    dead_code,
    unused_imports,
    reason = "the modules are those of a larger program"
)]

#[path = "../../orchestrator/src/command.rs"]
mod command;
#[path = "../../orchestrator/src/environment/error.rs"]
mod environment_error;
#[path = "../../orchestrator/src/error.rs"]
mod error;
#[path = "../../orchestrator/src/file.rs"]
mod file;
#[path = "../../orchestrator/src/environment/manager.rs"]
mod manager;
#[path = "../../orchestrator/src/printable.rs"]
mod printable;
#[path = "../../orchestrator/src/project/mod.rs"]
mod project;
#[path = "../../orchestrator/src/redact.rs"]
mod redact;

use std::path::Path;

use manager::Manager;

/// Stands for the errors of modules that are not compiled in, as far as `error.rs` names them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an error of another module")]
pub(crate) struct Elsewhere;

mod cli {
    pub(crate) use super::Elsewhere as StepsError;
}

mod environment {
    pub(crate) use super::environment_error::{EnvironmentError, Failure, MakeError};
    pub(crate) use super::manager::Manager;
}

mod download {
    pub(crate) use super::Elsewhere as DownloadError;
}

mod tracking {
    #[derive(Debug, thiserror::Error)]
    #[error("an error of another module")]
    pub(crate) struct TrackingError;

    impl TrackingError {
        pub(crate) fn hint(&self) -> Option<String> {
            None
        }
    }
}

mod source {
    pub(crate) use super::Elsewhere as SourceError;
}

mod lock {
    #[derive(Debug, thiserror::Error)]
    #[error("an error of another module")]
    pub(crate) enum LockError {
        Held { holder: String },
    }
}

/// Loads an MLproject, and renders the commands in it with the parameters' defaults.
pub fn load(text: &str) {
    let folder = Path::new("/nowhere");
    let Ok(project) = project::Project::parse(text, &folder.join("MLproject"), folder) else {
        return;
    };
    for entry_point in &project.entry_points {
        let default = |parameter: &project::Parameter| {
            Some((parameter.name.clone(), parameter.default.clone()?))
        };
        let values: Vec<(String, String)> =
            entry_point.parameters.iter().filter_map(default).collect();
        if let Some(template) = &entry_point.command {
            check(template, &values, &values);
        }
    }
}

/// Renders a template, which a line `===` ends; then `name=value` a line, undeclared after `===`.
pub fn render(text: &str) {
    let mut sections = text.split("\n===\n");
    let template = sections.next().unwrap_or_default();
    let mut pairs = || -> Vec<(String, String)> {
        let lines = sections.next().unwrap_or_default().lines();
        lines
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let (declared, undeclared) = (pairs(), pairs());
    check(template, &declared, &undeclared);
}

fn check(template: &str, declared: &[(String, String)], undeclared: &[(String, String)]) {
    match command::render(template, declared, undeclared) {
        Ok(command) => {
            assert!(command.len() <= command::MAX_LENGTH && !command.contains('\0'));
            let is_plain = !template.contains(['{', '}']);
            assert!(!(is_plain && undeclared.is_empty()) || command == template);
        }
        Err(error) => assert!(error.offset() <= template.len() && !error.to_string().is_empty()),
    }
}
