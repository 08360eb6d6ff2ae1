//! MLproject text to [`Project`].
//!
//! The rules are those of MLflow's project loader: unknown keys are ignored, values are what PyYAML
//! makes of them, and their text is what Python prints. Where MLflow would end in a traceback the
//! answer is an error with file and line, or the obvious meaning of a key that is left empty. A key
//! that is spelled almost as one that has a meaning is an error, too. The
//! section `steps:` of a pipeline is ours alone and therefore strict.

mod backend;
mod docker;
mod environment_file;
mod error;
mod manager;
mod match_spec;
mod misspelled;
mod node;
mod parameter;
mod pypi;
mod resources;
mod setting;
mod step_entry;

use std::path::{Path, PathBuf};

use crate::file;
use crate::pyyaml;
use node::{Entry, Node};

pub use backend::Backend;
pub use environment_file::{
    CondaOnly, PythonEnvironment, Reason, check_conda, load_conda, load_python,
};
pub use error::{Error, Place};
pub use manager::Manager;
pub use parameter::{Parameter, ParameterKind};
pub use resources::Resources;
pub use setting::{ConfigFile, Setting, Value};
pub use step_entry::StepEntry;

/// One folder with an MLproject file.
#[derive(Debug)]
pub struct Project {
    /// The project's folder, absolute.
    pub folder: PathBuf,
    /// `name:`.
    pub name: Option<String>,
    /// `entry_points:`, in their order.
    pub entry_points: Vec<EntryPoint>,
    /// What its commands run in.
    pub environment: EnvironmentFile,
    /// `env_manager:`, the pipeline's default for its steps.
    pub env_manager: Option<Manager>,
    /// `backend:`, where the pipeline's steps run.
    pub backend: Option<Backend>,
    /// `backend_config:`, a file relative to the pipeline's folder.
    pub backend_config: Option<String>,
    /// `cached:`, the pipeline's default for leaving out what is up to date.
    pub cached: Option<bool>,
    /// `tracking:`, whether anything is recorded.
    pub tracking: Option<bool>,
    /// `config:`, in the order in which later files win.
    pub config: Vec<ConfigFile>,
    /// `env:`, variables of all steps.
    pub env: Vec<Setting>,
    /// `steps:`, absent when the file has no such section.
    pub steps: Option<Vec<StepEntry>>,
    /// The file.
    pub place: Place,
}

/// The environment that a project asks for, before any `--env-manager`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvironmentFile {
    /// The file that `conda_env` names, or `conda.yaml`.
    Conda(PathBuf),
    /// The file that `python_env` names, or `python_env.yaml`.
    Python(PathBuf),
    /// The section `docker_env`.
    Docker(DockerEnvironment),
    /// Nothing asked for: MLflow makes a bare environment of the current Python.
    None,
}

/// The section `docker_env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerEnvironment {
    /// The name of the image.
    pub image: String,
    /// As for `docker run -v`.
    pub volumes: Vec<String>,
    /// Variables, with their value or else with the caller's.
    pub variables: Vec<(String, Option<String>)>,
}

/// One way to run a project.
#[derive(Debug, Clone)]
pub struct EntryPoint {
    /// Its key below `entry_points:`.
    pub name: String,
    /// `description:`, which MLflow ignores.
    pub description: Option<String>,
    /// `parameters:`, in their order.
    pub parameters: Vec<Parameter>,
    /// `command:`, a template of [`crate::strformat`].
    pub command: Option<String>,
    /// Names of the parameters that name files to read; none when nothing is said of them.
    pub inputs: Option<Vec<String>>,
    /// Names of the parameters that name files to write; none when nothing is said of them.
    pub outputs: Option<Vec<String>>,
    /// The files and globs that are its code, by default the project's folder; `!` takes some out.
    pub code: Option<Vec<String>>,
    /// Names of variables of the caller on which the result depends.
    pub variables: Vec<String>,
    /// Whether it may be left out when it is up to date.
    pub cached: Option<bool>,
    /// Where it is written.
    pub place: Place,
}

impl Project {
    /// Reads the project in `folder`, which should be absolute.
    ///
    /// The file is the one whose name is `MLproject` in any letter case. Gives none when there is no
    /// such file (or folder).
    pub fn load(folder: &Path) -> Result<Option<Project>, Error> {
        let Some(path) = find_file(folder)? else {
            return Ok(None);
        };
        Project::parse(&read_text(&path)?, &path, folder).map(Some)
    }

    /// A folder without an MLproject; MLflow runs the scripts in it by their file name.
    pub fn empty(folder: &Path) -> Project {
        Project {
            folder: folder.to_owned(),
            name: None,
            entry_points: Vec::new(),
            environment: EnvironmentFile::default_of(folder),
            env_manager: None,
            backend: None,
            backend_config: None,
            cached: None,
            tracking: None,
            config: Vec::new(),
            env: Vec::new(),
            steps: None,
            place: Place {
                file: folder.to_owned(),
                line: None,
            },
        }
    }

    /// Reads the text of the MLproject file at `path`.
    pub fn parse(text: &str, path: &Path, folder: &Path) -> Result<Project, Error> {
        let document = pyyaml::parse(text).map_err(|error| {
            let (file, line) = (path.to_owned(), Some(error.line));
            let path = path.to_owned();
            misspelled::brace(text, &Place { file, line }).unwrap_or(Error::Yaml { path, error })
        })?;
        let root = Node::root(&document, path);
        if root.value().as_dict().is_none() {
            return Err(root.shape("a mapping with a key `entry_points`"));
        }
        misspelled::check_root(&root)?;
        Ok(Project {
            folder: folder.to_owned(),
            name: root.text_of("name"),
            entry_points: parse_entry_points(&root)?,
            environment: EnvironmentFile::parse(&root, folder)?,
            env_manager: read_manager(&root)?,
            backend: read_backend(&root)?,
            backend_config: root
                .get("backend_config")
                .map(|file| file.string("the name of a JSON file"))
                .transpose()?,
            cached: read_bool(&root, "cached")?,
            tracking: read_bool(&root, "tracking")?,
            config: setting::config(&root)?,
            env: setting::variables(&root)?,
            steps: match root.get("steps") {
                None => root.has("steps").then(Vec::new),
                Some(steps) => Some(StepEntry::parse_all(&steps)?),
            },
            place: root.place(),
        })
    }

    /// The entry point of exactly that name.
    pub fn entry_point(&self, name: &str) -> Option<&EntryPoint> {
        self.entry_points
            .iter()
            .find(|entry_point| entry_point.name == name)
    }
}

fn read_text(path: &Path) -> Result<String, Error> {
    let limit = pyyaml::MAX_BYTES as u64;
    let bytes = file::read_regular(path, limit).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + String::from_utf8_lossy(valid).matches('\n').count();
        Error::NotUtf8 {
            path: path.to_owned(),
            line,
        }
    })
}

/// The project file of a folder; `MLproject` itself goes before other letter cases.
fn find_file(folder: &Path) -> Result<Option<PathBuf>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(source) => {
            return Err(Error::Read {
                path: folder.to_owned(),
                source,
            });
        }
    };
    let mut names: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.file_name().eq_ignore_ascii_case("mlproject"))
        // A folder of that name is none, as in a repository of this crate.
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
        .map(|entry| entry.file_name())
        .collect();
    names.sort_by_key(|name| (name != "MLproject", name.clone()));
    Ok(names.first().map(|name| folder.join(name)))
}

/// Entry points whose name is no string are left out: no name on the command line can mean them.
fn parse_entry_points(root: &Node) -> Result<Vec<EntryPoint>, Error> {
    let Some(section) = root.get("entry_points") else {
        return Ok(Vec::new());
    };
    let entries = section.entries("a mapping of entry points")?;
    let named = entries.into_iter().filter_map(|entry| match entry {
        Entry::Named(name, node) => Some(EntryPoint::parse(name, &node)),
        Entry::Odd(_) => None,
    });
    named.collect()
}

fn parse_all<T>(
    section: &Node,
    expected: &'static str,
    parse: impl Fn(&str, &Node) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    section
        .named_entries(expected)?
        .iter()
        .map(|(name, node)| parse(name, node))
        .collect()
}

fn read_bool<'a>(node: &Node<'a>, key: &'a str) -> Result<Option<bool>, Error> {
    node.read(key, "true or false")
}

fn read_manager(node: &Node) -> Result<Option<Manager>, Error> {
    node.read("env_manager", "local, conda, virtualenv, uv or docker")
}

fn read_backend(node: &Node) -> Result<Option<Backend>, Error> {
    node.read("backend", "local or slurm")
}

/// What `inputs` and `outputs` are.
const PARAMETERS: &str = "a list of parameter names";

fn is_in(names: Option<&[String]>, name: &str) -> bool {
    names.is_some_and(|names| names.iter().any(|known| known == name))
}

impl EntryPoint {
    fn parse(name: &str, node: &Node) -> Result<EntryPoint, Error> {
        node.entries("a mapping with a `command`")?;
        misspelled::check_entry_point(node)?;
        Ok(EntryPoint {
            name: name.to_owned(),
            description: node.text_of("description"),
            parameters: match node.get("parameters") {
                None => Vec::new(),
                Some(section) => {
                    parse_all(&section, "a mapping of parameter names", Parameter::parse)?
                }
            },
            command: node
                .get("command")
                .map(|command| command.string("a text"))
                .transpose()?,
            inputs: node.strings_of("inputs", PARAMETERS)?,
            outputs: node.strings_of("outputs", PARAMETERS)?,
            code: node.strings_of("code", "a list of files, folders and globs")?,
            variables: node
                .strings_of("variables", "a list of names of variables")?
                .unwrap_or_default(),
            cached: read_bool(node, "cached")?,
            place: node.place(),
        })
    }

    /// Whether a parameter names a file to read.
    pub fn is_input(&self, name: &str) -> bool {
        is_in(self.inputs.as_deref(), name)
    }

    /// Whether a parameter names a file to write.
    pub fn is_output(&self, name: &str) -> bool {
        is_in(self.outputs.as_deref(), name)
    }

    /// The declared parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
    }
}

impl EnvironmentFile {
    /// The one environment key that may be present, else the default files in MLflow's order.
    fn parse(root: &Node, folder: &Path) -> Result<EnvironmentFile, Error> {
        let keys: Vec<&'static str> = ["python_env", "conda_env", "docker_env"]
            .into_iter()
            .filter(|key| root.has(key))
            .collect();
        if keys.len() > 1 {
            return Err(Error::Environments {
                place: root.place(),
                keys,
            });
        }
        let file = |node: Node| Ok(folder.join(node.string("the name of a file")?));
        if let Some(docker) = root.get_if_true("docker_env") {
            return DockerEnvironment::parse(&docker).map(EnvironmentFile::Docker);
        }
        if let Some(python) = root.get_if_true("python_env") {
            return file(python).map(EnvironmentFile::Python);
        }
        if let Some(conda) = root.get_if_true("conda_env") {
            return file(conda).map(EnvironmentFile::Conda);
        }
        Ok(EnvironmentFile::default_of(folder))
    }

    /// The files that count without being named.
    fn default_of(folder: &Path) -> EnvironmentFile {
        let (python, conda) = (folder.join("python_env.yaml"), folder.join("conda.yaml"));
        if python.exists() {
            EnvironmentFile::Python(python)
        } else if conda.exists() {
            EnvironmentFile::Conda(conda)
        } else {
            EnvironmentFile::None
        }
    }

    /// The file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            EnvironmentFile::Conda(file) | EnvironmentFile::Python(file) => Some(file),
            EnvironmentFile::Docker(_) | EnvironmentFile::None => None,
        }
    }

    /// What MLflow uses when no `--env-manager` is given.
    pub fn default_manager(&self) -> Manager {
        match self {
            EnvironmentFile::Conda(_) => Manager::Conda,
            EnvironmentFile::Python(_) | EnvironmentFile::None => Manager::Virtualenv,
            EnvironmentFile::Docker(_) => Manager::Docker,
        }
    }
}
