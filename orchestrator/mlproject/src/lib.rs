//! What an `MLproject` file means, as MLflow reads it: the entry points with their parameters and
//! commands, the environment, and for a pipeline the section `steps:`.
//!
//! Text is what Python would print of the objects that PyYAML makes ([`pyyaml`]), commands are filled in
//! by the grammar of `str.format` ([`strformat`]) with values quoted as `shlex.quote` does ([`shell`]). Nothing is
//! run here, and nothing but files is read.
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # std::fs::write(
//! #     folder.path().join("MLproject"),
//! #     "entry_points: {main: {parameters: {rate: {type: float, default: 1.0e-3}}, command: 'train --rate {rate}'}}",
//! # ).unwrap();
//! use mlproject::{Project, strformat};
//!
//! let project = Project::load(folder.path())?.expect("the folder has an MLproject");
//! let main = project.entry_point("main").expect("it has an entry point `main`");
//! let values: Vec<(String, String)> = main
//!     .parameters
//!     .iter()
//!     .filter_map(|parameter| Some((parameter.name.clone(), parameter.default.clone()?)))
//!     .collect();
//! let template = main.command.as_deref().unwrap_or_default();
//! assert_eq!(strformat::render(template, &values, &[])?, "train --rate 0.001");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

pub mod config;
pub mod expansion;
pub mod file;
pub mod number;
pub mod paths;
mod project;
pub mod pyyaml;
pub mod shell;
pub mod strformat;
pub mod uri;

pub use project::{
    Backend, CondaOnly, ConfigFile, DockerEnvironment, EntryPoint, EnvironmentFile, Error, Manager,
    Parameter, ParameterKind, Place, Project, PythonEnvironment, Reason, Resources, Setting,
    StepEntry, Value, check_conda, load_conda, load_python,
};
