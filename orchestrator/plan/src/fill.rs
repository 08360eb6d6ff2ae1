//! The values that a definition gives, with their placeholders filled in. Pure but for the files of the config.
//!
//! A placeholder is a parameter of the pipeline, `{root}` (the pipeline's folder, unless a parameter has that
//! name), or with indexes a value of the config, `{config[a][b]}`, or of the run of an earlier step,
//! `{steps[train][run_id]}`, which is known only when the step starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mlproject::config::{Config, ConfigError, write};
use mlproject::paths::absolute;
use mlproject::pyyaml::Object;
use mlproject::uri::local_path;
use mlproject::{Parameter, ParameterKind, Project, Setting, Value, strformat};

use super::later::{Later, Wanted};
use super::problem::{Problem, ProblemKind, Slot};

/// Where the parts of configs are kept, below the pipeline's folder.
const VALUES: &str = "mlruns/.values";

/// What begins the name of an override: `-P config.a.b=VALUE`.
const CONFIG: &str = "config";

/// What begins the placeholders for values of earlier runs.
const STEPS: &str = "steps";

/// The parameter name behind `step.`, if the name is qualified for this step.
pub(super) fn qualified<'a>(name: &'a str, step: &str) -> Option<&'a str> {
    name.strip_prefix(step)?.strip_prefix('.')
}

/// Whether a value of the definition is made of a parameter of the pipeline.
pub(super) fn names_parameter(setting: &Setting, parameter: &str) -> bool {
    let Value::Text(template) = &setting.value else {
        return false;
    };
    let names = strformat::names(template).unwrap_or_default();
    let mut names = names.iter();
    names.any(|name| name.split('[').next() == Some(parameter))
}

/// The values of the pipeline's config.
#[derive(Debug)]
pub(super) enum Values {
    /// The definition names no files.
    None,
    Read(Config),
    /// They cannot be read, of which there is a problem already.
    Broken,
}

impl Values {
    /// Reads the files and puts what was given over them; tells everything that is wrong with that.
    pub(super) fn load(
        project: &Project,
        given: &[(String, String)],
        has_step: impl Fn(&str) -> bool,
    ) -> (Values, Vec<Problem>) {
        let Some(first) = project.config.first() else {
            return (Values::None, Vec::new());
        };
        let problem = |place, source| {
            let source = Arc::new(source);
            Problem::general(place, ProblemKind::Config { source })
        };
        let files = project.config.iter();
        let files = files.map(|it| (it.group.as_deref(), it.file.as_str()));
        let mut config = match Config::load(&project.folder, files) {
            Ok(config) => config,
            Err(error) => return (Values::Broken, vec![problem(Some(&first.place), error)]),
        };
        let mut problems = Vec::new();
        if !has_step(CONFIG) {
            for (name, value) in given {
                let key = qualified(name, CONFIG);
                if let Some(Err(error)) = key.map(|key| config.set(key, value)) {
                    problems.push(problem(None, error));
                }
            }
        }
        if problems.is_empty() {
            (Values::Read(config), problems)
        } else {
            (Values::Broken, problems)
        }
    }

    /// Whether a name on the command line means a value of the config.
    pub(super) fn has(&self, name: &str) -> bool {
        let is_some = !matches!(self, Values::None);
        is_some && qualified(name, CONFIG).is_some()
    }
}

/// What placeholders can stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    /// The pipeline's own parameters.
    pub(super) pipeline: &'a [Parameter],
    /// From the command line.
    pub(super) given: &'a [(String, String)],
    pub(super) config: &'a Values,
    /// The folder in which the orchestrator was started.
    pub(super) caller: &'a Path,
    /// The pipeline's folder.
    pub(super) root: &'a Path,
}

/// A value of the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filled {
    pub(super) value: String,
    /// The file that the value names, if that holds a part of the config.
    pub(super) part: Option<Part>,
    /// Whether it is of a config that cannot be read.
    pub(super) is_unread: bool,
    /// How it is filled in when the step starts, if it has to be.
    pub(super) later: Option<Later>,
}

impl Filled {
    /// A value that is what it is.
    pub(super) fn plain(value: String) -> Filled {
        Filled {
            value,
            part: None,
            is_unread: false,
            later: None,
        }
    }
}

/// A part of the config, written to a file whose name tells its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub path: PathBuf,
    pub text: String,
}

impl Scope<'_> {
    /// Fills in what the definition says of a parameter or a variable.
    pub(super) fn fill(&self, slot: &Slot, setting: &Setting) -> Result<Filled, Box<Problem>> {
        let problem = |kind| Box::new(Problem::general(Some(&setting.place), kind));
        match &setting.value {
            Value::Text(template) => self.text(slot, template).map_err(problem),
            Value::Part { format, keys } => {
                let value = self.of_config(slot, keys).map_err(problem)?;
                // Of a config that cannot be read nothing more is told.
                let is_unread = value.is_none();
                let value = value.unwrap_or(Object::None);
                let text = write(&value, *format, keys);
                let text = text.map_err(|source| problem(of_value(slot, source)))?;
                let name = format!("{}.{}", freshness::digest(text.as_bytes()), format.name());
                let path = self.root.join(VALUES).join(name);
                Ok(Filled {
                    value: path.to_string_lossy().into_owned(),
                    part: Some(Part { path, text }),
                    is_unread,
                    later: None,
                })
            }
        }
    }

    fn text(&self, slot: &Slot, template: &str) -> Result<Filled, ProblemKind> {
        let wrong = |source| ProblemKind::Value {
            slot: slot.clone(),
            source,
            known: self.pipeline.iter().map(|it| it.name.clone()).collect(),
        };
        let mut is_unread = false;
        let (mut values, mut wanted) = (Vec::new(), Vec::new());
        for name in strformat::names(template).map_err(wrong)? {
            let found = match strformat::indexes(&name) {
                Some((CONFIG, keys)) if !keys.is_empty() => {
                    let value = self.of_config(slot, &keys)?;
                    is_unread |= value.is_none();
                    let text = value.map_or_else(String::new, |value| value.to_string());
                    Some((name.clone(), text))
                }
                Some((STEPS, keys)) if !keys.is_empty() => {
                    let of_run = Wanted::parse(&name, &keys);
                    wanted.push(of_run.ok_or_else(|| ProblemKind::NotOfARun {
                        slot: slot.clone(),
                        name: name.clone(),
                    })?);
                    None
                }
                Some((parameter, _)) => {
                    let value = self.parameter(parameter);
                    value.map(|value| (parameter.to_owned(), value))
                }
                None => None,
            };
            values.extend(found);
        }
        let later = Later {
            template: template.to_owned(),
            known: values,
            wanted,
        };
        Ok(Filled {
            value: later.shown().map_err(wrong)?,
            part: None,
            is_unread,
            later: (!later.wanted.is_empty()).then_some(later),
        })
    }

    /// A value of the config; none of one that cannot be read.
    fn of_config(&self, slot: &Slot, keys: &[String]) -> Result<Option<Object>, ProblemKind> {
        match self.config {
            Values::None => Err(ProblemKind::NoConfig { slot: slot.clone() }),
            Values::Broken => Ok(None),
            Values::Read(config) => config
                .get(keys)
                .map(Some)
                .map_err(|source| of_value(slot, source)),
        }
    }

    /// What a bare placeholder stands for.
    fn parameter(&self, name: &str) -> Option<String> {
        let declared = self.pipeline.iter().find(|known| known.name == name);
        match declared {
            Some(_) => self.given(name).or_else(|| self.default(name)),
            None if name == "root" => Some(self.root.to_string_lossy().into_owned()),
            None => None,
        }
    }

    /// The value that the command line gives to a name; of a pipeline's parameter of type `path` the
    /// absolute one.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        let (_, value) = self.given.iter().rfind(|(given, _)| given == name)?;
        Some(self.anchored(name, value, self.caller))
    }

    /// The default of a parameter of the pipeline, as [`Scope::given`].
    pub(super) fn default(&self, name: &str) -> Option<String> {
        let mut declared = self.pipeline.iter();
        let default = declared
            .find(|known| known.name == name)?
            .default
            .as_ref()?;
        Some(self.anchored(name, default, self.root))
    }

    fn anchored(&self, name: &str, value: &str, base: &Path) -> String {
        let mut declared = self.pipeline.iter();
        let is_path = declared.any(|it| it.name == name && it.kind == ParameterKind::Path);
        match local_path(value).filter(|path| is_path && !path.as_os_str().is_empty()) {
            Some(path) => absolute(base, &path).to_string_lossy().into_owned(),
            None => value.to_owned(),
        }
    }
}

fn of_value(slot: &Slot, source: ConfigError) -> ProblemKind {
    ProblemKind::ConfigValue {
        slot: slot.clone(),
        source: Arc::new(source),
    }
}
