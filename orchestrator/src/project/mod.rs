//! MLproject text to [`Project`]. The only folder that names serde_yaml.
//!
//! The rules are those of MLflow's project loader: unknown keys are ignored, values are what PyYAML
//! makes of them, and their text is what Python prints. Where MLflow would end in a traceback the
//! answer is an error with file and line, or the obvious meaning of a key that is left empty. The
//! section `steps:` of a pipeline is ours alone and therefore strict.

mod environment_file;
mod node;
mod python_text;
mod yaml;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde_yaml::Value;

use crate::environment::Manager;
use crate::error::{Place, ProjectError};
use crate::file;
use node::{Entry, Node};
use python_text::python_str;

pub(crate) use environment_file::{PythonEnvironment, check_conda, load_conda, load_python};
pub(crate) use python_text::python_repr_str;
pub(crate) use yaml::Error as YamlError;

/// One folder with an MLproject file.
#[derive(Debug)]
pub(crate) struct Project {
    /// The project's folder, absolute.
    pub(crate) folder: PathBuf,
    pub(crate) name: Option<String>,
    pub(crate) entry_points: Vec<EntryPoint>,
    pub(crate) environment: EnvironmentFile,
    /// `env_manager:`, the pipeline's default for its steps.
    pub(crate) env_manager: Option<Manager>,
    /// `steps:`, absent when the file has no such section.
    pub(crate) steps: Option<Vec<StepEntry>>,
    pub(crate) place: Place,
}

/// The environment that a project asks for, before any `--env-manager`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EnvironmentFile {
    Conda(PathBuf),
    Python(PathBuf),
    Docker(DockerEnvironment),
    /// Nothing asked for: MLflow makes a bare environment of the current Python.
    None,
}

/// The section `docker_env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DockerEnvironment {
    pub(crate) image: String,
    /// As for `docker run -v`.
    pub(crate) volumes: Vec<String>,
    /// Variables, with their value or else with the caller's.
    pub(crate) variables: Vec<(String, Option<String>)>,
}

#[derive(Debug, Clone)]
pub(crate) struct EntryPoint {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) command: Option<String>,
    /// Names of the parameters that name files to read.
    pub(crate) inputs: Vec<String>,
    /// Names of the parameters that name files to write.
    pub(crate) outputs: Vec<String>,
    pub(crate) place: Place,
}

#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// The declared type; MLflow gives a meaning only to `path` and `uri`.
    pub(crate) kind: String,
    pub(crate) default: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) place: Place,
}

/// One entry of `steps:`.
#[derive(Debug)]
pub(crate) struct StepEntry {
    pub(crate) name: String,
    /// Where the step's project is; by default the folder of that name.
    pub(crate) project: Option<String>,
    /// The commit, tag or branch of a project in a git repository.
    pub(crate) version: Option<String>,
    pub(crate) entry_point: Option<String>,
    /// Values for this step; a `{name}` in them takes the pipeline's parameter of that name.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) env_manager: Option<Manager>,
    /// Whether the step is part of `--steps all`.
    pub(crate) default: bool,
    /// How long the step may take.
    pub(crate) timeout: Option<Duration>,
    /// How often a failed step is tried again.
    pub(crate) retries: Option<u32>,
    /// The pause before the first of these tries; it doubles with each.
    pub(crate) retry_delay: Option<Duration>,
    /// Whether `--keep-going` runs on when it fails.
    pub(crate) allow_failure: bool,
    pub(crate) place: Place,
}

const STEP_KEYS: [&str; 10] = [
    "project",
    "version",
    "entry_point",
    "parameters",
    "env_manager",
    "default",
    "timeout",
    "retries",
    "retry_delay",
    "allow_failure",
];

impl Project {
    /// Reads the project in `folder`, which should be absolute.
    ///
    /// The file is the one whose name is `MLproject` in any letter case. Gives none when there is no
    /// such file (or folder).
    pub(crate) fn load(folder: &Path) -> Result<Option<Project>, ProjectError> {
        let Some(path) = find_file(folder)? else {
            return Ok(None);
        };
        Project::parse(&read_text(&path)?, &path, folder).map(Some)
    }

    /// A folder without an MLproject; MLflow runs the scripts in it by their file name.
    pub(crate) fn empty(folder: &Path) -> Project {
        Project {
            folder: folder.to_owned(),
            name: None,
            entry_points: Vec::new(),
            environment: EnvironmentFile::default_of(folder),
            env_manager: None,
            steps: None,
            place: Place {
                file: folder.to_owned(),
                line: None,
            },
        }
    }

    /// Reads the text of the MLproject file at `path`.
    pub(crate) fn parse(text: &str, path: &Path, folder: &Path) -> Result<Project, ProjectError> {
        let document = yaml::parse(text).map_err(|error| ProjectError::Yaml {
            path: path.to_owned(),
            error,
        })?;
        let root = Node::root(&document, path);
        if !root.value().is_mapping() {
            return Err(root.shape("a mapping with a key `entry_points`"));
        }
        Ok(Project {
            folder: folder.to_owned(),
            name: root.text_of("name"),
            entry_points: parse_entry_points(&root)?,
            environment: EnvironmentFile::parse(&root, folder)?,
            env_manager: parse_manager(&root)?,
            steps: match root.get("steps") {
                None => root.has("steps").then(Vec::new),
                Some(steps) => Some(parse_all(
                    &steps,
                    "a mapping of step names",
                    StepEntry::parse,
                )?),
            },
            place: root.place(),
        })
    }

    /// The entry point of exactly that name.
    pub(crate) fn entry_point(&self, name: &str) -> Option<&EntryPoint> {
        self.entry_points
            .iter()
            .find(|entry_point| entry_point.name == name)
    }
}

fn read_text(path: &Path) -> Result<String, ProjectError> {
    let limit = yaml::MAX_BYTES as u64;
    let bytes = file::read_regular(path, limit).map_err(|source| ProjectError::Read {
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + String::from_utf8_lossy(valid).matches('\n').count();
        ProjectError::NotUtf8 {
            path: path.to_owned(),
            line,
        }
    })
}

/// The path below a base, without `.` and `..`, as Python's `os.path.abspath` writes it.
pub(crate) fn absolute(base: &Path, path: impl AsRef<Path>) -> PathBuf {
    use std::path::Component;
    let mut result = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(result.pop()),
            component => result.push(component),
        }
    }
    result
}

/// The project file of a folder; `MLproject` itself goes before other letter cases.
fn find_file(folder: &Path) -> Result<Option<PathBuf>, ProjectError> {
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
            return Err(ProjectError::Read {
                path: folder.to_owned(),
                source,
            });
        }
    };
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .filter(|name| name.eq_ignore_ascii_case("mlproject"))
        .collect();
    names.sort_by_key(|name| (name != "MLproject", name.clone()));
    Ok(names.first().map(|name| folder.join(name)))
}

/// Entry points whose name is no string are left out: no name on the command line can mean them.
fn parse_entry_points(root: &Node) -> Result<Vec<EntryPoint>, ProjectError> {
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
    parse: impl Fn(&str, &Node) -> Result<T, ProjectError>,
) -> Result<Vec<T>, ProjectError> {
    section
        .named_entries(expected)?
        .iter()
        .map(|(name, node)| parse(name, node))
        .collect()
}

fn parse_manager(node: &Node) -> Result<Option<Manager>, ProjectError> {
    let Some(manager) = node.get("env_manager") else {
        return Ok(None);
    };
    let known = manager
        .value()
        .as_str()
        .and_then(|name| Manager::from_str(name, false).ok());
    known
        .map(Some)
        .ok_or_else(|| manager.shape("local, conda, virtualenv, uv or docker"))
}

fn parse_bool<'a>(node: &Node<'a>, key: &'a str) -> Result<Option<bool>, ProjectError> {
    let parse = |value: Node| {
        let parsed = value.value().as_bool();
        parsed.ok_or_else(|| value.shape("true or false"))
    };
    node.get(key).map(parse).transpose()
}

fn parse_time<'a>(node: &Node<'a>, key: &'a str) -> Result<Option<Duration>, ProjectError> {
    let Some(time) = node.get(key) else {
        return Ok(None);
    };
    let parsed = time
        .value()
        .as_str()
        .and_then(|text| humantime::parse_duration(text).ok());
    parsed
        .map(Some)
        .ok_or_else(|| time.shape("a time with its unit, such as 90s or 2h"))
}

impl EntryPoint {
    fn parse(name: &str, node: &Node) -> Result<EntryPoint, ProjectError> {
        node.entries("a mapping with a `command`")?;
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
            inputs: node.strings_of("inputs")?,
            outputs: node.strings_of("outputs")?,
            place: node.place(),
        })
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
    }
}

impl Parameter {
    /// `name: type`, `name: {type: …, default: …}`, or nothing at all.
    fn parse(name: &str, node: &Node) -> Result<Parameter, ProjectError> {
        let kind = match node.value() {
            Value::Null => None,
            Value::String(kind) => Some(kind.clone()),
            Value::Mapping(_) => node.text_of("type"),
            _ => return Err(node.shape("a type, or a mapping with `type` and `default`")),
        };
        Ok(Parameter {
            name: name.to_owned(),
            kind: kind.unwrap_or_else(|| "string".to_owned()),
            default: node.text_of("default"),
            description: node.text_of("description"),
            place: node.place(),
        })
    }
}

impl EnvironmentFile {
    /// The one environment key that may be present, else the default files in MLflow's order.
    fn parse(root: &Node, folder: &Path) -> Result<EnvironmentFile, ProjectError> {
        let keys: Vec<&'static str> = ["python_env", "conda_env", "docker_env"]
            .into_iter()
            .filter(|key| root.has(key))
            .collect();
        if keys.len() > 1 {
            return Err(ProjectError::Environments {
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

    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            EnvironmentFile::Conda(file) | EnvironmentFile::Python(file) => Some(file),
            EnvironmentFile::Docker(_) | EnvironmentFile::None => None,
        }
    }

    /// What MLflow uses when no `--env-manager` is given.
    pub(crate) fn default_manager(&self) -> Manager {
        match self {
            EnvironmentFile::Conda(_) => Manager::Conda,
            EnvironmentFile::Python(_) | EnvironmentFile::None => Manager::Virtualenv,
            EnvironmentFile::Docker(_) => Manager::Docker,
        }
    }
}

impl DockerEnvironment {
    /// What MLflow asks of the section: an image, texts as volumes, names or pairs as variables.
    fn parse(docker: &Node) -> Result<DockerEnvironment, ProjectError> {
        const IMAGE: &str = "a mapping with a key `image`";
        docker.entries(IMAGE)?;
        let image = docker
            .get_if_true("image")
            .map(|image| python_str(image.value()));
        let variables = match docker.get_if_true("environment") {
            None => Vec::new(),
            Some(list) => {
                let items = list.value().as_sequence().map(|items| items.iter());
                let parsed = items.and_then(|items| items.map(variable).collect());
                parsed.ok_or_else(|| list.shape("a list of names and of pairs `[NAME, value]`"))?
            }
        };
        Ok(DockerEnvironment {
            image: image.ok_or_else(|| docker.shape(IMAGE))?,
            volumes: docker.texts_of("volumes", "a list of texts such as `/from:/to`")?,
            variables,
        })
    }
}

fn variable(item: &Value) -> Option<(String, Option<String>)> {
    if let Some(name) = node::text(item) {
        return Some((name.to_owned(), None));
    }
    let [name, value, ..] = item.as_sequence()?.as_slice() else {
        return None;
    };
    Some((python_str(name), Some(python_str(value))))
}

impl StepEntry {
    fn parse(name: &str, node: &Node) -> Result<StepEntry, ProjectError> {
        let entries = node.named_entries("a mapping, or nothing")?;
        if let Some((key, value)) = entries.iter().find(|(key, _)| !STEP_KEYS.contains(key)) {
            return Err(ProjectError::UnknownKey {
                place: value.place(),
                section: format!("steps.{name}"),
                key: (*key).to_owned(),
                known: &STEP_KEYS,
            });
        }
        let text = |name: &str, node: &Node| Ok((name.to_owned(), python_str(node.value())));
        Ok(StepEntry {
            name: name.to_owned(),
            project: node.text_of("project"),
            version: node.text_of("version"),
            entry_point: node.text_of("entry_point"),
            parameters: match node.get("parameters") {
                None => Vec::new(),
                Some(section) => parse_all(&section, "a mapping of parameter values", text)?,
            },
            timeout: parse_time(node, "timeout")?,
            retries: match node.get("retries") {
                None => None,
                Some(retries) => {
                    let count = retries
                        .value()
                        .as_u64()
                        .and_then(|count| u32::try_from(count).ok());
                    Some(count.ok_or_else(|| retries.shape("a number of tries"))?)
                }
            },
            retry_delay: parse_time(node, "retry_delay")?,
            env_manager: parse_manager(node)?,
            default: parse_bool(node, "default")?.unwrap_or(true),
            allow_failure: parse_bool(node, "allow_failure")?.unwrap_or(false),
            place: node.place(),
        })
    }
}
