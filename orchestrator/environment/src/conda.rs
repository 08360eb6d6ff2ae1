//! Conda environments, under the names that MLflow gives them: what it has made is found and reused.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use super::make::Builder;
use super::ours::{self, Left};
use super::store::{Store, is_nowhere};
use super::{EnvironmentError, MakeError, Manager, Record, files, hash};
use mlproject::shell::quote;
use process::Launch;
use process::Question;
use process::host;

/// The programs that do what conda does, in the order in which they are looked for.
const CONDAS: [&str; 3] = ["conda", "mamba", "micromamba"];

/// How long conda may take to say what it has, and to remove an environment.
const LOOKING: Duration = Duration::from_mins(1);
const REMOVING: Duration = Duration::from_mins(30);

/// The variable that tells conda where its environments are.
const ENVIRONMENTS: &str = "CONDA_ENVS_PATH";

#[derive(Debug, Clone)]
pub(crate) struct Conda {
    pub name: String,
    file: Option<PathBuf>,
    /// `conda-lock.yml` beside the file, installed by `conda-lock`.
    lock: Option<PathBuf>,
    /// None of them is there when this is none.
    programs: Option<Programs>,
}

#[derive(Debug, Clone)]
struct Programs {
    conda: String,
    /// Which may be another one: `MLFLOW_CONDA_CREATE_ENV_CMD`.
    create: String,
}

impl Conda {
    pub(crate) fn plan(file: Option<&Path>) -> Result<Conda, EnvironmentError> {
        let text = file.map(|file| files::read(file, files::LIMIT));
        let text = text.transpose()?.unwrap_or_default();
        let lock = file
            .and_then(|file| Some(file.parent()?.join("conda-lock.yml")))
            .filter(|lock| lock.is_file() && host::find("conda-lock").is_some());
        let mut name = format!("mlflow-{}", hash(&as_python_reads(&text)));
        if let Some(lock) = &lock {
            let text = files::read(lock, files::LOCK_LIMIT)?;
            name.extend(["-", &hash(&String::from_utf8_lossy(&text))]);
        }
        Ok(Conda {
            name,
            file: file.map(Path::to_owned),
            lock,
            programs: Programs::find(),
        })
    }

    pub(crate) fn is_ready(&self, store: &Store) -> bool {
        let record = store.record(&self.name);
        record.is_some_and(|record| record.prefix.join("conda-meta").is_dir())
    }

    /// Whether conda has an environment of this name that is not one of ours, half-made.
    pub(crate) fn is_made_by_another(&self, store: &Store) -> bool {
        let programs = self.programs.as_ref();
        let is_listed = programs.is_some_and(|it| !it.list(&self.name, store).is_empty());
        is_listed && !store.is_begun(&self.name)
    }

    pub(crate) fn check(&self) -> Option<EnvironmentError> {
        let tools = Programs::missing(self.programs.as_ref())?;
        let read = self.file.as_deref().map(mlproject::load_conda);
        Some(EnvironmentError::NoConda {
            tools,
            other: match host::find("uv") {
                Some(_) => Manager::Uv,
                None => Manager::Virtualenv,
            },
            // A file that pip cannot be given at all is told when that is tried.
            only: read
                .and_then(Result::ok)
                .map_or(Vec::new(), |environment| environment.conda_only),
        })
    }

    pub(crate) fn tool(&self) -> String {
        let programs = self.programs.as_ref();
        programs.map_or_else(|| "conda".to_owned(), Programs::tool)
    }
    pub(crate) fn make(&self, builder: &Builder) -> Result<Record, MakeError> {
        let programs = self
            .programs
            .as_ref()
            .expect("the plan has looked for them");
        let store = builder.store();
        let record =
            |prefix, is_ours| Record::new(self.tool(), prefix, self.file.as_deref(), is_ours);
        if store.is_begun(&self.name) {
            // A run of ours was killed in the middle of it.
            self.remove(programs, builder);
        } else if let Some(prefix) = programs.list(&self.name, store).into_iter().next() {
            return Ok(record(prefix, false));
        }
        builder.begin()?;
        let creation = self.creation(programs);
        let setting = setting(store).map(|folder| {
            let folder = quote(&folder.to_string_lossy());
            format!("{ENVIRONMENTS}={folder} ")
        });
        match builder.run(&(setting.unwrap_or_default() + &creation)) {
            Ok(()) => {}
            // There may be little time; the next run finds the note and removes what is left.
            Err(MakeError::Interrupted) => return Err(MakeError::Interrupted),
            Err(error) => {
                self.remove(programs, builder);
                store.end(&self.name);
                return Err(error);
            }
        }
        let mut listed = programs.list(&self.name, store);
        listed.retain(|prefix| is_placed(prefix, store));
        let prefix = listed.into_iter().next();
        let prefix = prefix.ok_or(MakeError::Lost { command: creation })?;
        Ok(record(prefix, true))
    }

    /// The same command lines as MLflow's; micromamba has others.
    fn creation(&self, programs: &Programs) -> String {
        let (create, name) = (quote(&programs.create), &self.name);
        if let Some(lock) = &self.lock {
            let lock = quote(&lock.to_string_lossy());
            return format!("conda-lock install --name {name} {lock}");
        }
        let Some(file) = &self.file else {
            return format!(
                "{create} create --channel conda-forge --yes --override-channels -n {name} python"
            );
        };
        let file = quote(&file.to_string_lossy());
        if is_micromamba(&programs.create) {
            return format!("{create} create --yes -n {name} --file {file}");
        }
        format!("{create} env create -n {name} --file {file}")
    }

    /// Removes what a creation has left. Nothing can be done when that fails, too; conda says so
    /// in the log, and when it is asked to create the environment again.
    fn remove(&self, programs: &Programs, builder: &Builder) {
        let Ok(Some(prefix)) = programs.begun(&self.name, builder.store()) else {
            return;
        };
        let conda = quote(&programs.conda);
        let words = programs.removal(&prefix);
        let words: Vec<String> = words
            .iter()
            .map(|word| quote(&word.to_string_lossy()))
            .collect();
        let removed = builder.run(&format!("{conda} {}", words.join(" ")));
        if removed.is_err() {
            std::fs::remove_dir_all(prefix).ok();
        }
    }

    /// What `conda activate` does, without conda: it would take half a second.
    ///
    /// The scripts that packages have in the environment run before the command, and what they print
    /// goes to stderr, as under MLflow.
    pub(crate) fn wrap(&self, command: &str, store: &Store) -> Launch {
        let Some(record) = store.record(&self.name) else {
            return Launch::plain(command);
        };
        let prefix = record.prefix;
        let scripts = files_in(&prefix.join("etc/conda/activate.d"), "sh");
        let scripts: Vec<String> = scripts
            .iter()
            .map(|script| format!(". {};", quote(&script.to_string_lossy())))
            .collect();
        Launch {
            command: match scripts.as_slice() {
                [] => command.to_owned(),
                scripts => format!("{{ {} }} 1>&2\n{command}", scripts.join(" ")),
            },
            variables: self.variables(&prefix),
            bracket: None,
        }
    }

    fn variables(&self, prefix: &Path) -> Vec<(OsString, Option<OsString>)> {
        let outer = host::variable("CONDA_PREFIX").map(PathBuf::from);
        let level: u32 = std::env::var("CONDA_SHLVL")
            .ok()
            .and_then(|level| level.parse().ok())
            .unwrap_or(0);
        let outer_bin = outer.as_ref().map(|outer| outer.join("bin"));
        let mut variables: Vec<(OsString, Option<OsString>)> = vec![
            (
                "PATH".into(),
                Some(super::path_with(&prefix.join("bin"), outer_bin.as_deref())),
            ),
            ("CONDA_PREFIX".into(), Some(prefix.into())),
            ("CONDA_DEFAULT_ENV".into(), Some(self.name.clone().into())),
            (
                "CONDA_PROMPT_MODIFIER".into(),
                Some(format!("({}) ", self.name).into()),
            ),
            ("CONDA_SHLVL".into(), Some((level + 1).to_string().into())),
        ];
        if let Some(outer) = outer {
            variables.push((format!("CONDA_PREFIX_{level}").into(), Some(outer.into())));
        }
        let files = files_in(&prefix.join("etc/conda/env_vars.d"), "json");
        let of_packages = files.iter().filter_map(|file| json(file));
        let of_state =
            json(&prefix.join("conda-meta/state")).and_then(|state| state.get("env_vars").cloned());
        for object in of_packages.chain(of_state) {
            for (name, value) in object.as_object().into_iter().flatten() {
                variables.extend(
                    value
                        .as_str()
                        .map(|value| (name.into(), Some(value.into()))),
                );
            }
        }
        variables
    }
}

impl Programs {
    /// As MLflow looks for them: in the folder that a variable names, even if they are not there; else
    /// on PATH, where ours may also be mamba or micromamba.
    fn find() -> Option<Programs> {
        let home = host::variable("MLFLOW_CONDA_HOME").map(|home| PathBuf::from(home).join("bin"));
        let folder = home.or_else(|| {
            Some(
                PathBuf::from(host::variable("CONDA_EXE")?)
                    .parent()?
                    .to_owned(),
            )
        });
        let in_folder = |program: &str| match &folder {
            Some(folder) => folder.join(program).to_string_lossy().into_owned(),
            None => program.to_owned(),
        };
        let conda = match &folder {
            Some(_) => in_folder("conda"),
            None => CONDAS
                .into_iter()
                .find(|program| host::find(program).is_some())?
                .to_owned(),
        };
        let create = std::env::var("MLFLOW_CONDA_CREATE_ENV_CMD").ok();
        let create = create
            .filter(|create| !create.is_empty())
            .map(|create| in_folder(&create));
        Some(Programs {
            create: create.unwrap_or_else(|| conda.clone()),
            conda,
        })
    }

    /// What is not there of what is needed.
    fn missing(programs: Option<&Programs>) -> Option<Vec<String>> {
        let Some(programs) = programs else {
            return Some(CONDAS.map(str::to_owned).into());
        };
        let mut needed = [&programs.conda, &programs.create].into_iter();
        let absent = needed.find(|program| host::find(program).is_none());
        absent.map(|program| vec![program.clone()])
    }

    /// The name of the program that creates environments.
    fn tool(&self) -> String {
        let name = self.create.rsplit('/').next();
        name.unwrap_or(&self.create).to_owned()
    }

    /// What conda says, by its path and in a folder that is nobody's.
    fn ask(&self, words: &[&OsStr], store: &Store, limit: Duration) -> io::Result<Output> {
        let program = std::path::absolute(&self.conda);
        let program = program.ok().filter(|_| self.conda.contains('/'));
        let folder = setting(store);
        let unusable = || io::Error::new(io::ErrorKind::InvalidInput, "the folder is not UTF-8");
        let folder = folder.as_ref().map(|it| it.to_str().ok_or_else(unusable));
        let variable = folder
            .transpose()?
            .map(|folder| (ENVIRONMENTS, Some(folder)));
        process::ask_server(&Question {
            program: program
                .as_deref()
                .and_then(Path::to_str)
                .unwrap_or(&self.conda),
            arguments: words,
            folder: Path::new("/"),
            variables: variable.as_slice(),
            limit,
        })
    }

    /// The folders of the environments of that name.
    fn list(&self, name: &str, store: &Store) -> Vec<PathBuf> {
        self.listed(name, store).unwrap_or_default()
    }

    fn listed(&self, name: &str, store: &Store) -> Option<Vec<PathBuf>> {
        let output = self.ask(
            &["env", "list", "--json"].map(AsRef::as_ref),
            store,
            LOOKING,
        );
        let output = output.ok()?;
        let listed: Value = serde_json::from_slice(&output.stdout).ok()?;
        let folders = listed.get("envs")?.as_array()?.iter();
        let folders = folders.filter_map(Value::as_str).map(PathBuf::from);
        let is_named = |folder: &PathBuf| {
            folder.is_absolute() && folder.file_name().is_some_and(|last| last == name)
        };
        Some(folders.filter(is_named).collect())
    }

    /// The folder of an environment that we have begun, and that nobody else can have made.
    fn begun(&self, name: &str, store: &Store) -> Result<Option<PathBuf>, Left> {
        let mut listed = self.list(name, store);
        listed.retain(|prefix| is_placed(prefix, store));
        match listed.as_slice() {
            [] => Ok(None),
            [prefix] => ours::check_folder(prefix).map(|()| Some(prefix.clone())),
            [..] => Err(Left::NoRecord),
        }
    }

    /// The words with which an environment is removed.
    fn removal(&self, prefix: &Path) -> Vec<OsString> {
        let (verb, last): (&[&str], &[&str]) = if is_micromamba(&self.conda) {
            (&["env", "remove", "--yes", "--prefix"], &[])
        } else {
            (&["remove", "--yes", "--prefix"], &["--all"])
        };
        let mut words: Vec<OsString> = verb.iter().map(OsString::from).collect();
        words.push(prefix.into());
        words.extend(last.iter().map(OsString::from));
        words
    }
}

/// Whether there is a program that makes conda environments.
pub(crate) fn is_there() -> bool {
    Programs::missing(Programs::find().as_ref()).is_none()
}

/// Has conda remove an environment that we made by its record, or began by its note.
pub(crate) fn remove(store: &Store, name: &str, record: Option<&Record>) -> Result<(), Left> {
    if record.is_some_and(|record| is_nowhere(&record.prefix)) {
        return store.forget(name);
    }
    let programs = Programs::find().ok_or(Left::NoConda)?;
    let prefix = match record {
        Some(record) => check(record, name, store, &programs)?,
        None => match programs.begun(name, store)? {
            Some(prefix) => prefix,
            None => return Ok(()),
        },
    };
    let words = programs.removal(&prefix);
    let words: Vec<&OsStr> = words.iter().map(AsRef::as_ref).collect();
    let output = programs.ask(&words, store, REMOVING);
    let output = output.map_err(Left::Failed)?;
    if is_nowhere(&prefix) {
        return store.forget(name);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.trim().lines().last().unwrap_or("it is still there");
    Err(Left::Failed(io::Error::other(format!(
        "{}: {reason}",
        programs.conda
    ))))
}

/// Whether what a record names is an environment of conda's, and ours.
fn check(record: &Record, name: &str, store: &Store, programs: &Programs) -> Result<PathBuf, Left> {
    let prefix = &record.prefix;
    if !CONDAS.contains(&record.tool.as_str()) && record.tool != programs.tool() {
        let reason = format!("no environment of that name is made by `{}`", record.tool);
        return Err(Left::Record(reason));
    }
    if !is_placed(prefix, store) {
        let reason = format!("it is about the folder `{}`", prefix.display());
        return Err(Left::Record(reason));
    }
    ours::check_folder(prefix)?;
    if !programs.list(name, store).contains(prefix) {
        return Err(Left::NotListed);
    }
    Ok(prefix.clone())
}

/// With `--env-root`, conda keeps its environments there, too.
fn setting(store: &Store) -> Option<PathBuf> {
    store.is_explicit.then(|| store.root.join("conda"))
}

/// Whether an environment lies where conda makes it for us, and not somewhere else of that name.
fn is_placed(prefix: &Path, store: &Store) -> bool {
    let Some(folder) = setting(store) else {
        return true;
    };
    prefix.parent() == Some(folder.as_path())
        && folder.symlink_metadata().is_ok_and(|data| data.is_dir())
}

fn is_micromamba(program: &str) -> bool {
    program.rsplit('/').next() == Some("micromamba")
}

/// The text of a file as Python's `open` reads it, which MLflow hashes: line ends are newlines.
fn as_python_reads(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .replace("\r\n", "\n")
        .replace('\r', "\n")
}

fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn json(file: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}
