//! Where steps run, and what a backend's config says: `--backend` and `--backend-config`, `backend:` and
//! `backend_config:`.
//!
//! The keys of the config are those of mlflow-slurm, so that its files can be used as they are, and some
//! of ours. It may come with a repository: what it says becomes options of `srun` that choose where a job
//! runs, never one that names a file or a program.

use std::io;
use std::path::{Path, PathBuf};

use mlproject::Backend;
use mlproject::file::read_regular;
use mlproject::paths::{absolute, shown};
use process::text::suggestion;
use serde_json::Value;

use crate::definition::{Pipeline, Step};
use crate::request::Request;

/// The largest config that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// The keys whose value, a text or a number, is that of an option of `srun` with a name like theirs.
const OPTIONS: [&str; 10] = [
    "partition",
    "account",
    "qos",
    "constraint",
    "gres",
    "gpus_per_node",
    "mem",
    "time",
    "nodes",
    "ntasks",
];

/// The other keys.
const OTHERS: [&str; 7] = [
    "exclusive",
    "environment",
    "exports",
    "modules",
    "extra",
    "allocation",
    IGNORED,
];

/// mlflow-slurm names the script that it submits; here is none.
const IGNORED: &str = "sbatch-script-file";

/// The options that `extra` cannot have, as we give them ourselves or as they name a file or a program
/// of the machine that we run on; nor what these begin with, which `srun` would take for them.
const REFUSED: [&str; 25] = [
    "bbf",
    "bcast",
    "chdir",
    "clusters",
    "container",
    "epilog",
    "error",
    "export",
    "export-file",
    "gid",
    "help",
    "input",
    "job-name",
    "jobid",
    "multi-prog",
    "no-allocate",
    "output",
    "prolog",
    "pty",
    "task-epilog",
    "task-prolog",
    "test-only",
    "uid",
    "usage",
    "version",
];

/// What a config says of the jobs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Config {
    /// Options of `srun`.
    pub options: Vec<String>,
    /// Whether several tasks are asked for, in each of which the command runs.
    pub has_tasks: bool,
    /// Variables for the steps.
    pub variables: Vec<(String, String)>,
    /// What `module load` loads before the command.
    pub modules: Vec<String>,
    /// Whether the steps are those of the job that we are in, instead of jobs of their own.
    pub is_allocation: bool,
    /// Whether something is said that has no meaning here.
    pub is_partly_ignored: bool,
}

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the backend config {}: {source}", shown(.path))]
    Read { path: PathBuf, source: io::Error },
    /// It is no JSON object.
    #[error("{name} should be a JSON object, such as {{\"partition\": \"gpu\"}}: {reason}")]
    Json { name: String, reason: String },
    /// A key that has no meaning.
    #[error("{name}: `{key}` is not a key of a Slurm config")]
    Unknown { name: String, key: String },
    /// A value of the wrong kind.
    #[error("{name}: `{key}` should be {expected}")]
    Shape {
        name: String,
        key: String,
        expected: &'static str,
    },
    /// An option that would do something else than to choose where the job runs.
    #[error("{name}: `extra` cannot have `{option}`, as it names a file or what is set already")]
    Refused { name: String, option: String },
}

impl ConfigError {
    /// What to type or look for next.
    pub fn hint(&self) -> Option<String> {
        let ConfigError::Unknown { key, .. } = self else {
            return None;
        };
        let known: Vec<&str> = OPTIONS.into_iter().chain(OTHERS).collect();
        let other = "for another option of srun, `\"extra\": [\"--NAME=VALUE\"]`";
        Some(format!("{}; {other}", suggestion(key, &known)))
    }
}

/// Where a step runs: as its own entry says if that is `local`, for what has to stay here; else as the command
/// line decides, then the entry, then the pipeline.
pub(super) fn of_step(pipeline: &Pipeline, request: &Request, step: &Step) -> Backend {
    let of_entry = step.entry.as_ref().and_then(|entry| entry.backend);
    match of_entry {
        Some(Backend::Local) => Backend::Local,
        _ => request
            .backend
            .or(of_entry)
            .or(pipeline.project.backend)
            .unwrap_or_default(),
    }
}

/// Reads the config that the command line names, from the caller's folder, else the pipeline's own.
pub(super) fn load(
    pipeline: &Pipeline,
    request: &Request,
    caller: &Path,
) -> Result<Config, ConfigError> {
    // `mlflow run` takes the text of a config, too.
    if let Some(text) = &request.backend_config
        && text.trim_start().starts_with('{')
    {
        return Config::parse("the backend config", text);
    }
    let given = request.backend_config.as_deref();
    let given = given.map(|file| absolute(caller, file));
    let own = pipeline.project.backend_config.as_deref();
    let own = own.map(|file| absolute(pipeline.root(), file));
    let Some(path) = given.or(own) else {
        return Ok(Config::default());
    };
    let failed = |source| ConfigError::Read {
        path: path.clone(),
        source,
    };
    let bytes = read_regular(&path, LARGEST).map_err(failed)?;
    let not_text = |error| failed(io::Error::new(io::ErrorKind::InvalidData, error));
    let text = String::from_utf8(bytes).map_err(not_text)?;
    Config::parse(&shown(&path).to_string(), &text)
}

impl Config {
    /// Reads the text of a config; `name` says of which one in errors.
    fn parse(name: &str, text: &str) -> Result<Config, ConfigError> {
        let wrong = |reason: String| ConfigError::Json {
            name: name.to_owned(),
            reason,
        };
        let value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let Value::Object(entries) = value else {
            return Err(wrong("it is another value".to_owned()));
        };
        let mut config = Config::default();
        for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
            let entry = Entry { name, key, value };
            match key.as_str() {
                key if OPTIONS.contains(&key) => config.option(&entry)?,
                "exclusive" if entry.bool()? => config.options.push("--exclusive".to_owned()),
                "exclusive" => {}
                "environment" => config.variables = entry.variables()?,
                // All variables are exported.
                "exports" => drop(entry.texts(NAMES, is_name)?),
                "modules" => config.modules = entry.texts(MODULES, |it| !it.is_empty())?,
                "extra" => config.options.extend(entry.extra()?),
                "allocation" => config.is_allocation = entry.bool()?,
                IGNORED => config.is_partly_ignored = true,
                _ => {
                    let (name, key) = (name.to_owned(), key.clone());
                    return Err(ConfigError::Unknown { name, key });
                }
            }
        }
        Ok(config)
    }

    fn option(&mut self, entry: &Entry) -> Result<(), ConfigError> {
        let text = match entry.value {
            Value::String(text) if !text.contains('\0') => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(entry.shape("a text or a number")),
        };
        if ["nodes", "ntasks"].contains(&entry.key) {
            if text.parse::<u32>().is_ok_and(|count| count == 0) || text.parse::<u32>().is_err() {
                return Err(entry.shape("a number from 1 on"));
            }
            self.has_tasks |= text != "1";
        }
        // An empty one, or no graphics processor, is nothing that a job could ask for.
        if !text.is_empty() && (entry.key != "gpus_per_node" || text != "0") {
            let option = entry.key.replace('_', "-");
            self.options.push(format!("--{option}={text}"));
        }
        Ok(())
    }
}

/// A key of a config, with its value.
struct Entry<'a> {
    name: &'a str,
    key: &'a str,
    value: &'a Value,
}

const NAMES: &str = "a list of names of variables";
const MODULES: &str = "a list of names of modules";
const VARIABLES: &str = "a list of variables, each as `NAME=VALUE`";
const EXTRA: &str = "a list of long options of srun, each as `--NAME` or `--NAME=VALUE`";

fn is_name(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Entry<'_> {
    fn shape(&self, expected: &'static str) -> ConfigError {
        ConfigError::Shape {
            name: self.name.to_owned(),
            key: self.key.to_owned(),
            expected,
        }
    }

    fn bool(&self) -> Result<bool, ConfigError> {
        let value = self.value.as_bool();
        value.ok_or_else(|| self.shape("true or false"))
    }

    fn texts(
        &self,
        expected: &'static str,
        is_right: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, ConfigError> {
        let texts = self.value.as_array().and_then(|items| {
            let texts = items.iter().map(|item| item.as_str());
            texts.collect::<Option<Vec<&str>>>()
        });
        let texts = texts.filter(|texts| {
            texts
                .iter()
                .all(|text| !text.contains('\0') && is_right(text))
        });
        let texts = texts.ok_or_else(|| self.shape(expected))?;
        Ok(texts.into_iter().map(str::to_owned).collect())
    }

    fn variables(&self) -> Result<Vec<(String, String)>, ConfigError> {
        let is_variable = |text: &str| text.split_once('=').is_some_and(|(name, _)| is_name(name));
        let texts = self.texts(VARIABLES, is_variable)?;
        let pairs = texts.iter().filter_map(|text| text.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(pairs.collect())
    }

    fn extra(&self) -> Result<Vec<String>, ConfigError> {
        let options = self.texts(EXTRA, |text| {
            text.strip_prefix("--")
                .is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
        })?;
        let is_refused = |option: &&String| {
            let name = option.trim_start_matches('-');
            let name = name.split('=').next().unwrap_or_default();
            REFUSED.iter().any(|refused| refused.starts_with(name))
        };
        match options.iter().find(is_refused) {
            Some(option) => Err(ConfigError::Refused {
                name: self.name.to_owned(),
                option: option.clone(),
            }),
            None => Ok(options),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse("c.json", text).map_err(|error| match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        })
    }

    #[test]
    fn a_config_of_mlflow_slurm_is_options_of_srun() {
        let config = parse(
            r#"{"partition": "gpu", "account": "a b", "environment": ["A=1=2", "B="], "exports": ["HOME"],
                "gpus_per_node": "a100:2", "gres": "", "mem": "64g", "modules": ["python/3.11"], "nodes": 1,
                "ntasks": 1, "exclusive": true, "time": 90, "sbatch-script-file": "x.sh", "qos": null}"#,
        );
        let options = [
            "--partition=gpu",
            "--account=a b",
            "--gpus-per-node=a100:2",
            "--mem=64g",
            "--nodes=1",
            "--ntasks=1",
            "--exclusive",
            "--time=90",
        ];
        let variables = [("A", "1=2"), ("B", "")];
        let expected = Config {
            options: options.map(str::to_owned).into(),
            has_tasks: false,
            variables: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            modules: vec!["python/3.11".to_owned()],
            is_allocation: false,
            is_partly_ignored: true,
        };
        assert_eq!(config, Ok(expected));
    }

    #[test]
    fn our_keys_are_qos_constraint_extra_and_allocation() {
        let config = parse(
            r#"{"qos": "q", "constraint": "a|b", "extra": ["--mem-per-cpu=4G", "--overcommit"], "allocation": true}"#,
        );
        let config = config.unwrap();
        assert_eq!(
            config.options,
            [
                "--qos=q",
                "--constraint=a|b",
                "--mem-per-cpu=4G",
                "--overcommit"
            ]
        );
        assert!(config.is_allocation && !config.is_partly_ignored);
        // No graphics processor is nothing to ask for.
        let none = parse(r#"{"gpus_per_node": 0, "exclusive": false}"#).unwrap();
        assert_eq!(none, Config::default());
        assert!(parse(r#"{"nodes": 2}"#).unwrap().has_tasks);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("", "c.json should be a JSON object"),
            ("[]", "c.json should be a JSON object"),
            (
                r#"{"partiton": "x"}"#,
                "c.json: `partiton` is not a key of a Slurm config; did you mean `partition`? known are `partition`, `account`",
            ),
            (
                r#"{"mem": ["x"]}"#,
                "c.json: `mem` should be a text or a number",
            ),
            (
                r#"{"mem": "\u0000"}"#,
                "c.json: `mem` should be a text or a number",
            ),
            (
                r#"{"nodes": 0}"#,
                "c.json: `nodes` should be a number from 1 on",
            ),
            (
                r#"{"nodes": "1-4"}"#,
                "c.json: `nodes` should be a number from 1 on",
            ),
            (
                r#"{"exclusive": 1}"#,
                "c.json: `exclusive` should be true or false",
            ),
            (
                r#"{"modules": "x"}"#,
                "c.json: `modules` should be a list of names of modules",
            ),
            (
                r#"{"exports": ["A-B"]}"#,
                "c.json: `exports` should be a list of names of variables",
            ),
            (
                r#"{"environment": ["A"]}"#,
                "c.json: `environment` should be a list of variables",
            ),
            (
                r#"{"extra": ["-n2"]}"#,
                "c.json: `extra` should be a list of long options",
            ),
            (
                r#"{"extra": ["touch"]}"#,
                "c.json: `extra` should be a list of long options",
            ),
            (
                r#"{"extra": ["--"]}"#,
                "c.json: `extra` should be a list of long options",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn no_option_names_a_file_or_a_program() {
        for option in [
            "--prolog=/tmp/x",
            "--prol=/tmp/x",
            "--task-p=/tmp/x",
            "--output=/tmp/x",
            "--o=/tmp/x",
            "--export=NONE",
            "--export-file=3",
            "--bcast",
            "--job-name=x",
            "--test-only",
        ] {
            let error = parse(&format!(r#"{{"extra": ["{option}"]}}"#));
            let is_refused = error
                .clone()
                .is_err_and(|error| error.contains(&format!("cannot have `{option}`")));
            assert!(is_refused, "{option}: {error:?}");
        }
    }
}
