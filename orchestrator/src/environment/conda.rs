//! Conda environments, under the names that MLflow gives them: what it has made is found and reused.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::make::Workshop;
use super::store::{Record, Store};
use super::{EnvironmentError, MakeError, Manager, Wrapped, hash};
use crate::process;
use crate::system;
use mlproject::strformat::quote;

#[derive(Debug)]
pub(crate) struct Conda {
    pub(super) name: String,
    file: Option<PathBuf>,
    /// `conda-lock.yml` beside the file, installed by `conda-lock`.
    lock: Option<PathBuf>,
    /// None of them is there when this is none.
    programs: Option<Programs>,
}

#[derive(Debug)]
struct Programs {
    conda: String,
    /// Which may be another one: `MLFLOW_CONDA_CREATE_ENV_CMD`.
    create: String,
}

impl Conda {
    pub(super) fn plan(file: Option<&Path>) -> Conda {
        let text = file
            .and_then(|file| std::fs::read(file).ok())
            .unwrap_or_default();
        let lock = file
            .and_then(|file| Some(file.parent()?.join("conda-lock.yml")))
            .filter(|lock| lock.is_file() && system::find("conda-lock").is_some());
        let mut name = format!("mlflow-{}", hash(&as_python_reads(&text)));
        if let Some(text) = lock
            .as_ref()
            .and_then(|lock| std::fs::read_to_string(lock).ok())
        {
            name.extend(["-", &hash(&text)]);
        }
        Conda {
            name,
            file: file.map(Path::to_owned),
            lock,
            programs: Programs::find(),
        }
    }

    pub(super) fn is_ready(&self, store: &Store) -> bool {
        let record = store.record(&self.name);
        record.is_some_and(|record| record.prefix.join("conda-meta").is_dir())
    }

    /// Whether conda has an environment of this name that is not one of ours, half-made.
    pub(super) fn is_made_by_another(&self, store: &Store) -> bool {
        let programs = self.programs.as_ref();
        let listed = programs.and_then(|it| it.list(&self.name, setting(store).as_deref()));
        listed.is_some() && !store.path(&self.name, "making").exists()
    }

    pub(super) fn check(&self) -> Option<EnvironmentError> {
        let missing = |tools: &[&str]| EnvironmentError::NoTool {
            manager: Manager::Conda,
            tools: tools.iter().map(|&tool| tool.to_owned()).collect(),
        };
        let Some(programs) = &self.programs else {
            return Some(missing(&["conda", "mamba", "micromamba"]));
        };
        let absent = [&programs.conda, &programs.create]
            .into_iter()
            .find(|program| system::find(program).is_none());
        absent.map(|program| missing(&[program.as_str()]))
    }

    pub(super) fn tool(&self) -> String {
        let programs = self.programs.as_ref();
        let program = programs.map_or("conda", |programs| programs.create.as_str());
        program.rsplit('/').next().unwrap_or(program).to_owned()
    }

    pub(super) fn make(&self, workshop: &Workshop) -> Result<Record, MakeError> {
        let programs = self
            .programs
            .as_ref()
            .expect("the plan has looked for them");
        let store = workshop.store();
        let setting = setting(store);
        let making = store.path(&self.name, "making");
        let record = |prefix, is_ours| Record {
            tool: self.tool(),
            prefix,
            file: self.file.clone(),
            is_ours,
        };
        if making.exists() {
            // A run of ours was killed in the middle of it.
            self.remove(programs, workshop);
        } else if let Some(prefix) = programs.list(&self.name, setting.as_deref()) {
            return Ok(record(prefix, false));
        }
        workshop.write("making", "")?;
        let creation = self.creation(programs);
        let setting_text = setting
            .as_deref()
            .map(|text| format!("{} ", quote_setting(text)));
        let made = workshop.run(&(setting_text.unwrap_or_default() + &creation));
        match made {
            Ok(()) => {}
            // There may be little time; the next run finds the note and removes what is left.
            Err(MakeError::Interrupted) => return Err(MakeError::Interrupted),
            Err(error) => {
                self.remove(programs, workshop);
                self.has_been_made(store);
                return Err(error);
            }
        }
        let prefix = programs.list(&self.name, setting.as_deref());
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
    fn remove(&self, programs: &Programs, workshop: &Workshop) {
        let Some(prefix) = programs.list(&self.name, setting(workshop.store()).as_deref()) else {
            return;
        };
        let conda = quote(&programs.conda);
        let removed = workshop.run(&programs.removal(&conda, &self.name, &prefix));
        let is_ours = prefix
            .file_name()
            .is_some_and(|name| name == self.name.as_str());
        if removed.is_err() && is_ours {
            std::fs::remove_dir_all(prefix).ok();
        }
    }

    /// From now on the environment is not half-made any more, whoever finds it.
    pub(super) fn has_been_made(&self, store: &Store) {
        std::fs::remove_file(store.path(&self.name, "making")).ok();
    }

    /// What `conda activate` does, without conda: it would take half a second.
    ///
    /// The scripts that packages have in the environment run before the command, and what they print
    /// goes to stderr, as under MLflow.
    pub(super) fn wrap(&self, command: &str, store: &Store) -> Wrapped {
        let Some(record) = store.record(&self.name) else {
            return Wrapped::plain(command);
        };
        let prefix = record.prefix;
        let scripts = files_in(&prefix.join("etc/conda/activate.d"), "sh");
        let scripts: Vec<String> = scripts
            .iter()
            .map(|script| format!(". {};", quote(&script.to_string_lossy())))
            .collect();
        Wrapped {
            command: match scripts.as_slice() {
                [] => command.to_owned(),
                scripts => format!("{{ {} }} 1>&2\n{command}", scripts.join(" ")),
            },
            variables: self.variables(&prefix),
            elsewhere: None,
        }
    }

    fn variables(&self, prefix: &Path) -> Vec<(OsString, Option<OsString>)> {
        let outer = system::variable("CONDA_PREFIX").map(PathBuf::from);
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
        let home =
            system::variable("MLFLOW_CONDA_HOME").map(|home| PathBuf::from(home).join("bin"));
        let folder = home.or_else(|| {
            Some(
                PathBuf::from(system::variable("CONDA_EXE")?)
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
            None => ["conda", "mamba", "micromamba"]
                .into_iter()
                .find(|program| system::find(program).is_some())?
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

    /// The folder of the environment of that name.
    fn list(&self, name: &str, setting: Option<&str>) -> Option<PathBuf> {
        let mut words: Vec<&str> = setting.into_iter().collect();
        words.extend([self.conda.as_str(), "env", "list", "--json"]);
        let words: Vec<&std::ffi::OsStr> = words.into_iter().map(AsRef::as_ref).collect();
        let output = process::capture("env", &words, None).ok()?;
        let listed: Value = serde_json::from_slice(&output.stdout).ok()?;
        let folders = listed
            .get("envs")?
            .as_array()?
            .iter()
            .filter_map(Value::as_str);
        let mut folders = folders.map(PathBuf::from);
        folders.find(|folder| folder.file_name().is_some_and(|last| last == name))
    }

    fn removal(&self, conda: &str, name: &str, prefix: &Path) -> String {
        if is_micromamba(&self.conda) {
            let prefix = quote(&prefix.to_string_lossy());
            return format!("{conda} env remove --yes --prefix {prefix}");
        }
        format!("{conda} remove --yes --name {name} --all")
    }
}

/// Removes an environment that was made earlier; tells whether it is gone.
pub(super) fn remove(record: &Record, name: &str) -> bool {
    let Some(programs) = Programs::find() else {
        return false;
    };
    let prefix = record.prefix.as_os_str();
    let arguments: Vec<&std::ffi::OsStr> = if is_micromamba(&programs.conda) {
        ["env", "remove", "--yes", "--prefix"]
            .iter()
            .map(AsRef::as_ref)
            .chain([prefix])
            .collect()
    } else {
        ["remove", "--yes", "--prefix"]
            .iter()
            .map(AsRef::as_ref)
            .chain([prefix, "--all".as_ref()])
            .collect()
    };
    let removed = process::capture(&programs.conda, &arguments, None);
    let is_ours = record.prefix.file_name().is_some_and(|last| last == name);
    if !removed.is_ok_and(|output| output.status.success()) && is_ours {
        std::fs::remove_dir_all(&record.prefix).ok();
    }
    !record.prefix.exists()
}

/// With `--env-root`, conda keeps its environments there, too.
fn setting(store: &Store) -> Option<String> {
    let folder = store.is_explicit.then(|| store.root.join("conda"))?;
    Some(format!("CONDA_ENVS_PATH={}", folder.display()))
}

/// An assignment before a command.
fn quote_setting(setting: &str) -> String {
    let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
    format!("{name}={}", quote(value))
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
