//! The environment in which a step's command runs: local, conda, a virtual environment or a container.
//!
//! [`Settings::plan`] looks for everything that an environment needs before the first step runs,
//! [`make_all`] makes what is not there yet, and [`Environment::wrap`] says how a command runs in it.

#![warn(missing_docs)]

mod conda;
mod container;
mod error;
mod files;
mod make;
mod name;
mod ours;
mod prune;
mod python;
mod record;
mod reference;
mod requirements;
mod store;
mod venv;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use serde::Serialize;
use sha1::{Digest, Sha1};

use conda::Conda;
pub use container::Container;
use make::Builder;
use mlproject::{EnvironmentFile, Manager, Project, PythonEnvironment};
use process::{Launch, capture};
use record::Record;
use venv::Venv;

pub use error::{EnvironmentError, Failure, MakeError};
pub use make::{BuildOptions, Leases, make_all};
pub use prune::{list, prune};
pub use store::Store;

/// What a step's environment is made by, and from.
#[derive(Debug, Clone, Serialize)]
pub struct Environment {
    /// What makes it; `local` makes nothing.
    pub manager: Manager,
    /// The project's environment file, also when the manager does not use it.
    pub file: Option<PathBuf>,
    /// By which conda, our folder of environments or the engine knows it; none for `local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The packages that its file names as conda's, and that are installed from PyPI.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from_pypi: Vec<String>,
    #[serde(skip)]
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Local,
    Conda(Conda),
    Venv(Venv),
    Docker(Container),
}

/// What the command line says about containers.
#[derive(Debug, Clone, Default)]
pub struct DockerOptions {
    /// Whether the project's files are built into an image, instead of being mounted.
    pub build_image: bool,
    /// Options for the engine's `run`, each with its value if it has one.
    pub arguments: Vec<(String, Option<String>)>,
}

/// What the command line says about environments, and where they are.
#[derive(Debug)]
pub struct Settings {
    /// The folder of environments; without one, every manager but `local` is a problem.
    pub store: Option<Store>,
    /// Whether nothing is made that is not there yet.
    pub is_offline: bool,
    /// What counts for containers alone.
    pub docker: DockerOptions,
}

impl Settings {
    /// The environment of a project by a manager, and everything that is missing for it. `defined` are the
    /// variables that the pipeline's definition sets for the step.
    pub fn plan(
        &self,
        manager: Manager,
        project: &Project,
        defined: &[(String, String)],
    ) -> (Environment, Vec<EnvironmentError>) {
        let (kind, problems) = match self.kind(manager, project, defined) {
            Ok(kind) => {
                let problem = self.check(&kind);
                (kind, problem.into_iter().collect())
            }
            Err(problem) => {
                // Conda can be told to be missing without a file to read.
                let conda = (manager == Manager::Conda)
                    .then(|| Conda::plan(None).ok()?.check())
                    .flatten();
                (Kind::Local, [problem].into_iter().chain(conda).collect())
            }
        };
        let environment = Environment {
            manager,
            file: project.environment.file().map(Path::to_owned),
            name: kind.name().map(str::to_owned),
            from_pypi: match &kind {
                Kind::Venv(venv) => venv.from_pypi.clone(),
                _ => Vec::new(),
            },
            kind,
        };
        (environment, problems)
    }

    fn kind(
        &self,
        manager: Manager,
        project: &Project,
        defined: &[(String, String)],
    ) -> Result<Kind, EnvironmentError> {
        let file = project.environment.file();
        if let Some(file) = file.filter(|file| !file.is_file()) {
            let file = file.to_owned();
            return Err(EnvironmentError::NoFile { file });
        }
        if manager == Manager::Local {
            return Ok(Kind::Local);
        }
        let unusable = |error| EnvironmentError::File(Arc::new(error));
        let store = self.store.as_ref().ok_or(EnvironmentError::NoStore)?;
        let venv = |asked| {
            let venv = Venv::plan(manager, asked, file, &project.folder, store);
            venv.map(Kind::Venv)
        };
        match (manager, &project.environment) {
            (Manager::Local, _) => Ok(Kind::Local),
            (Manager::Docker, EnvironmentFile::Docker(docker)) => {
                let docker = Container::plan(docker, project, defined, &self.docker);
                docker.map(Kind::Docker)
            }
            (Manager::Docker, _) => Err(EnvironmentError::NoDockerEnv),
            (Manager::Conda, EnvironmentFile::Python(file)) => {
                let file = file.clone();
                Err(EnvironmentError::PythonByConda { file })
            }
            (Manager::Conda, EnvironmentFile::Conda(file)) => {
                mlproject::check_conda(file).map_err(unusable)?;
                Conda::plan(Some(file)).map(Kind::Conda)
            }
            (Manager::Conda, _) => Conda::plan(None).map(Kind::Conda),
            (Manager::Virtualenv | Manager::Uv, EnvironmentFile::Python(file)) => {
                venv(mlproject::load_python(file).map_err(unusable)?)
            }
            (Manager::Virtualenv | Manager::Uv, EnvironmentFile::Conda(file)) => {
                venv(mlproject::load_conda(file).map_err(unusable)?)
            }
            (Manager::Virtualenv | Manager::Uv, _) => venv(PythonEnvironment::default()),
        }
    }

    fn check(&self, kind: &Kind) -> Option<EnvironmentError> {
        let (name, store) = (kind.name()?, self.store.as_ref()?);
        if kind.is_ready(store) {
            return None;
        }
        if self.is_offline && !kind.works_offline(store) {
            let name = name.to_owned();
            return Some(EnvironmentError::Offline { name });
        }
        let of_tool = match kind {
            Kind::Conda(conda) => conda.check(),
            Kind::Venv(venv) => venv.check(),
            Kind::Local | Kind::Docker(_) => return None,
        };
        of_tool.or_else(|| store.unwritable())
    }
}

impl Environment {
    /// Whether it can be used as it is; nothing is started to find out.
    fn is_ready(&self, store: &Store) -> bool {
        self.kind.is_ready(store)
    }

    /// Under which name it is locked and recorded.
    fn key(&self) -> String {
        match &self.kind {
            Kind::Docker(docker) => docker.key(),
            kind => kind.name().unwrap_or_default().to_owned(),
        }
    }

    /// The program that makes it.
    fn tool(&self) -> String {
        match &self.kind {
            Kind::Local => String::new(),
            Kind::Conda(conda) => conda.tool(),
            Kind::Venv(venv) => venv.tool().to_owned(),
            Kind::Docker(docker) => docker.tool(),
        }
    }

    /// Makes it, and tells what to record.
    fn make(&self, builder: &Builder) -> Result<Option<Record>, MakeError> {
        match &self.kind {
            Kind::Local => Ok(None),
            Kind::Conda(conda) => conda.make(builder).map(Some),
            Kind::Venv(venv) => venv.make(builder).map(Some),
            Kind::Docker(docker) => docker.make(builder).map(|()| None),
        }
    }

    fn is_recorded(&self) -> bool {
        matches!(self.kind, Kind::Conda(_) | Kind::Venv(_))
    }

    /// Whether relative paths mean something else in it than in the project's folder.
    pub fn moves_the_project(&self) -> bool {
        matches!(&self.kind, Kind::Docker(docker) if docker.moves_the_project())
    }

    /// The container that it is, if it is one.
    pub fn container(&self) -> Option<&Container> {
        match &self.kind {
            Kind::Docker(container) => Some(container),
            _ => None,
        }
    }

    /// What tells it from other environments: the manager, the name, and for a container its image and the
    /// volumes that its project names.
    pub fn identity(&self) -> String {
        let mut identity = self.manager.to_string();
        identity.extend(self.name.iter().flat_map(|name| [" ", name]));
        let Some(container) = self.container() else {
            return identity;
        };
        identity.extend(container.id.iter().map(|id| format!(" ({id})")));
        let volumes = container.environment.volumes.iter();
        identity.extend(volumes.flat_map(|volume| [" -v ", volume]));
        if !container.arguments.is_empty() {
            // They may hold secrets, which an identity shows.
            let arguments = hash(&format!("{:?}", container.arguments));
            identity.extend([" -A ", &arguments[..8]]);
        }
        identity
    }

    /// The variables that its project sets in it, or takes from the caller, with their values.
    pub fn variables(&self) -> Vec<(String, Option<String>)> {
        let set = self
            .container()
            .map(|container| container.environment.variables.as_slice());
        let value = |(name, value): &(String, Option<String>)| {
            let of_caller = || Some(std::env::var_os(name)?.to_string_lossy().into_owned());
            (name.clone(), value.clone().or_else(of_caller))
        };
        set.unwrap_or_default().iter().map(value).collect()
    }

    /// How a command runs in it on this machine. A container cannot be told by this: see
    /// [`Environment::container`].
    pub fn wrap(&self, command: &str, store: Option<&Store>) -> Launch {
        match (&self.kind, store) {
            (Kind::Conda(conda), Some(store)) => conda.wrap(command, store),
            (Kind::Venv(venv), _) => venv.wrap(command),
            (Kind::Local | Kind::Conda(_) | Kind::Docker(_), _) => Launch::plain(command),
        }
    }
}

impl Kind {
    fn name(&self) -> Option<&str> {
        match self {
            Kind::Local => None,
            Kind::Conda(conda) => Some(&conda.name),
            Kind::Venv(venv) => Some(&venv.name),
            Kind::Docker(docker) => Some(&docker.image),
        }
    }

    /// Whether nothing has to be installed or downloaded, although it is not ready: MLflow has made it, or
    /// the project is only copied into an image.
    fn works_offline(&self, store: &Store) -> bool {
        match self {
            Kind::Conda(conda) => conda.is_made_by_another(store),
            Kind::Docker(docker) => docker.id.is_some(),
            Kind::Local | Kind::Venv(_) => false,
        }
    }

    fn is_ready(&self, store: &Store) -> bool {
        match self {
            Kind::Local => true,
            Kind::Conda(conda) => conda.is_ready(store),
            Kind::Venv(venv) => venv.is_ready(store),
            Kind::Docker(docker) => docker.is_ready(),
        }
    }
}

/// What a tool says that the plan has to ask: without input, and in a folder that is nobody's, so that
/// nothing beside a project is read by it.
fn ask(program: &Path, arguments: &[&OsStr]) -> io::Result<Output> {
    let program = std::path::absolute(program)?;
    let unusable = || io::Error::new(io::ErrorKind::InvalidInput, "its path is not UTF-8");
    let program = program.to_str().ok_or_else(unusable)?;
    capture(program, arguments, None)
}

/// The SHA-1 of a text in hexadecimal, as MLflow names environments.
fn hash(text: &str) -> String {
    use std::fmt::Write;
    let mut hexadecimal = String::new();
    for byte in Sha1::digest(text.as_bytes()) {
        write!(hexadecimal, "{byte:02x}").expect("writing to a String cannot fail");
    }
    hexadecimal
}

/// The caller's PATH with a folder before it, and without the folder of an environment that was active.
fn path_with(folder: &Path, without: Option<&Path>) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).filter(|other| Some(other.as_path()) != without);
    let folders: Vec<PathBuf> = std::iter::once(folder.to_owned()).chain(others).collect();
    // A folder whose name holds a colon cannot be on PATH.
    std::env::join_paths(folders).unwrap_or(path)
}
