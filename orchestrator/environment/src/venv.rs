//! Virtual environments, for the managers `virtualenv` and `uv`.
//!
//! uv makes them when it is on PATH, else `python -m venv` and pip. They are kept under a name of
//! our own and not under MLflow's: MLflow takes a folder that is there for a complete environment,
//! so one that we are still making, or that it left half-made, would be used.

use std::path::{Path, PathBuf};

use super::make::Builder;
use super::requirements::Requirements;
use super::store::Store;
use super::{EnvironmentError, MakeError, Manager, Record, conda, files, hash, python};
use mlproject::PythonEnvironment;
use mlproject::shell::quote;
use process::Launch;
use process::host;

#[derive(Debug, Clone)]
pub(crate) struct Venv {
    pub name: String,
    prefix: PathBuf,
    manager: Manager,
    file: Option<PathBuf>,
    tool: Tool,
    python: Python,
    build: Requirements,
    packages: Packages,
    /// What the file names as conda's and pip installs.
    pub from_pypi: Vec<String>,
}

/// The program that makes the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Uv,
    /// Python's own module `venv`, and pip.
    Pip,
}

#[derive(Debug, Clone)]
enum Python {
    Version(String),
    At(PathBuf),
}

#[derive(Debug, Clone)]
enum Packages {
    Listed(Requirements),
    /// A `requirements.lock`: exactly what is in it is installed.
    Locked(Requirements),
    /// A folder with `uv.lock` and `pyproject.toml`, and the text of both.
    UvLocked(PathBuf, String),
}

impl Venv {
    /// The environment that `asked` describes; `folder` is the project's.
    pub(crate) fn plan(
        manager: Manager,
        asked: PythonEnvironment,
        file: Option<&Path>,
        folder: &Path,
        store: &Store,
    ) -> Result<Venv, EnvironmentError> {
        if let Some(file) = file.filter(|_| !asked.conda_only.is_empty()) {
            return Err(EnvironmentError::CondaOnly {
                file: file.to_owned(),
                packages: asked.conda_only,
                is_conda_there: conda::is_there(),
            });
        }
        let origin = file.unwrap_or(folder);
        let base = file.and_then(Path::parent).unwrap_or(folder);
        // As MLflow, which takes what the file names from the project's folder.
        let build = Requirements::read(&asked.build_dependencies, folder, origin)?;
        let packages = Packages::find(base, folder, &asked.dependencies, origin)?;
        let python = match asked.python {
            Some(version) => Python::Version(version),
            None => Python::At(python::current(folder).ok_or(EnvironmentError::NoCurrentPython)?),
        };
        let content = format!(
            "{manager} {} {}\n{python:?}\n{}\n{}",
            std::env::consts::OS,
            std::env::consts::ARCH,
            build.content,
            packages.content(),
        );
        let name = format!("{manager}-{}", &hash(&content)[..16]);
        Ok(Venv {
            prefix: store.prefix(&name),
            name,
            manager,
            file: file.map(Path::to_owned),
            tool: if host::find("uv").is_some() {
                Tool::Uv
            } else {
                Tool::Pip
            },
            python,
            build,
            from_pypi: match packages {
                Packages::Listed(_) => asked.from_pypi,
                Packages::Locked(_) | Packages::UvLocked(..) => Vec::new(),
            },
            packages,
        })
    }

    /// Whether the environment is complete: its record is there, and its interpreter still is.
    pub(crate) fn is_ready(&self, store: &Store) -> bool {
        store.record(&self.name).is_some() && self.prefix.join("bin/python").exists()
    }

    /// What keeps the environment from being made.
    pub(crate) fn check(&self) -> Option<EnvironmentError> {
        if self.tool == Tool::Uv {
            // uv looks for a Python and can download one.
            return None;
        }
        if self.manager == Manager::Uv {
            return Some(EnvironmentError::NoTool {
                manager: self.manager,
                tools: vec!["uv".to_owned()],
            });
        }
        if let Packages::UvLocked(folder, _) = &self.packages {
            let lock = folder.join("uv.lock");
            return Some(EnvironmentError::LockNeedsUv { lock });
        }
        let Python::Version(version) = &self.python else {
            return None;
        };
        if python::find(version).is_some() {
            return None;
        }
        Some(EnvironmentError::NoPython {
            version: version.clone(),
            known: python::known_versions(),
        })
    }

    pub(crate) fn tool(&self) -> &'static str {
        match self.tool {
            Tool::Uv => "uv",
            Tool::Pip => "python -m venv",
        }
    }

    pub(crate) fn make(&self, builder: &Builder) -> Result<Record, MakeError> {
        builder.begin()?;
        builder.run(&self.creation())?;
        if let Packages::UvLocked(folder, _) = &self.packages {
            builder.run(&format!(
                "UV_PROJECT_ENVIRONMENT={} uv sync --frozen --no-dev --project {}",
                word(&self.prefix),
                word(folder)
            ))?;
        } else {
            self.install(&self.build, "build.txt", builder)?;
        }
        match &self.packages {
            Packages::Listed(requirements) | Packages::Locked(requirements) => {
                self.install(requirements, "txt", builder)?;
            }
            Packages::UvLocked(..) => {}
        }
        let (tool, prefix) = (self.tool().to_owned(), self.prefix.clone());
        Ok(Record::new(tool, prefix, self.file.as_deref(), true))
    }

    /// The command that makes the environment without any packages.
    fn creation(&self) -> String {
        let python = match &self.python {
            Python::At(program) => word(program),
            Python::Version(version) => match python::find(version) {
                Some(program) => word(&program),
                // It is one of the forms that are checked: uv also takes paths and names of programs.
                None => quote(version.trim_end_matches(".*")),
            },
        };
        let prefix = word(&self.prefix);
        match (self.tool, self.manager) {
            (Tool::Pip, _) => format!("{python} -m venv {prefix}"),
            (Tool::Uv, Manager::Uv) => format!("uv venv --no-project --python {python} {prefix}"),
            // With pip in it, as `python -m venv` leaves it.
            (Tool::Uv, _) => format!("uv venv --no-project --seed --python {python} {prefix}"),
        }
    }

    fn install(
        &self,
        requirements: &Requirements,
        extension: &str,
        builder: &Builder,
    ) -> Result<(), MakeError> {
        if requirements.is_empty() {
            return Ok(());
        }
        let python = word(&self.prefix.join("bin/python"));
        let mut command = match self.tool {
            Tool::Uv => format!("uv pip install --python {python}"),
            Tool::Pip => format!("{python} -m pip install --no-input --disable-pip-version-check"),
        };
        if requirements.has_hashes() {
            command += " --require-hashes";
        }
        if !requirements.lines.is_empty() {
            let text = requirements.lines.join("\n") + "\n";
            let file = builder.write(extension, &text)?;
            command.extend([" -r ", &word(&file)]);
        }
        for argument in &requirements.arguments {
            command.extend([" ", &quote(argument)]);
        }
        builder.run(&command)
    }

    /// What `bin/activate` does, without a shell: MLflow runs `source bin/activate && command`.
    pub(crate) fn wrap(&self, command: &str) -> Launch {
        Launch {
            command: command.to_owned(),
            variables: vec![
                ("VIRTUAL_ENV".into(), Some(self.prefix.clone().into())),
                (
                    "PATH".into(),
                    Some(super::path_with(&self.prefix.join("bin"), None)),
                ),
                ("PYTHONHOME".into(), None),
            ],
            bracket: None,
        }
    }
}

impl Packages {
    /// A lock file beside the environment file counts before the list in it.
    fn find(
        base: &Path,
        folder: &Path,
        listed: &[String],
        origin: &Path,
    ) -> Result<Packages, EnvironmentError> {
        let lock = base.join("requirements.lock");
        if lock.exists() {
            return Requirements::locked(&lock).map(Packages::Locked);
        }
        let read = |name: &str| {
            let bytes = files::read_if_there(&base.join(name), files::LOCK_LIMIT)?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        if let Some(lock) = read("uv.lock")?
            && let Some(project) = read("pyproject.toml")?
        {
            return Ok(Packages::UvLocked(base.to_owned(), lock + &project));
        }
        Requirements::read(listed, folder, origin).map(Packages::Listed)
    }

    fn content(&self) -> String {
        match self {
            Packages::Listed(requirements) => requirements.content.clone(),
            Packages::Locked(requirements) => format!("lock\n{}", requirements.content),
            // The project itself is installed, too, from where it is.
            Packages::UvLocked(folder, text) => format!("uv {}\n{text}", folder.display()),
        }
    }
}

fn word(path: &Path) -> String {
    quote(&path.to_string_lossy())
}
