//! Given and declared parameters to values, or every complaint at once. Pure.

use std::path::{Path, PathBuf};

use super::fill::{self, Filled, Part, Scope, qualified};
use super::later::Later;
use super::note::Note;
use super::problem::Slot;
use super::{Problem, ProblemKind};
use mlproject::paths::absolute;
use mlproject::uri::{has_scheme, is_web, local_path};
use mlproject::{EntryPoint, Parameter, ParameterKind, Place, Setting, number};

/// A parameter of one step with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub name: String,
    pub value: String,
    /// Whether the entry point declares it; others are appended to the command.
    pub declared: bool,
    /// The local path that a `path` parameter, an input or an output means.
    pub path: Option<PathBuf>,
    /// The http(s) address that has to be downloaded to the value before the step starts.
    pub download: Option<String>,
    /// The file that the value names, if that holds a part of the config.
    pub part: Option<Part>,
    /// How it is filled in when the step starts, if it has to be.
    pub later: Option<Later>,
    /// What is told of a default that its own type refuses.
    pub odd: Option<Note>,
    /// The text by which it counts for what is up to date, where that is another one.
    pub counts_as: Option<String>,
}

/// A variable that the definition sets for a step.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub name: String,
    pub value: String,
    /// As of a parameter.
    pub later: Option<Later>,
}

impl Resolved {
    fn new(name: String, filled: Filled, declared: bool) -> Resolved {
        let Filled {
            value, part, later, ..
        } = filled;
        Resolved {
            name,
            value,
            declared,
            path: None,
            download: None,
            // Where the file is does not matter, what is in it does.
            counts_as: part.as_ref().map(|part| part.text.clone()),
            part,
            later,
            odd: None,
        }
    }
}

/// Where values come from, for one step.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    pub step: &'a str,
    /// What is said on the command line, where a name may be qualified as `step.name`, and by the pipeline.
    pub(super) scope: Scope<'a>,
    /// From the step's entry in `steps:`.
    pub defined: &'a [Setting],
    /// From `env:` of the root, and of the step's entry.
    pub variables: [&'a [Setting]; 2],
    /// The step's folder.
    pub folder: &'a Path,
    /// Where remote values of `path` parameters go, for this step alone.
    pub storage: PathBuf,
}

/// Who said a value; decides which folder a relative path starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    CommandLine,
    Pipeline,
    Step,
}

/// A value before it is checked.
struct Found {
    filled: Filled,
    origin: Origin,
}

impl Found {
    fn new(value: String, origin: Origin) -> Found {
        Found {
            filled: Filled::plain(value),
            origin,
        }
    }
}

/// Gives every declared parameter its value, then adds the undeclared ones that are meant for this step.
pub(crate) fn resolve(
    entry_point: &EntryPoint,
    sources: &Sources,
) -> (Vec<Resolved>, Vec<Problem>) {
    let (mut resolved, mut problems) = (Vec::new(), Vec::new());
    let in_step = |problem: Box<Problem>| Problem {
        step: Some(sources.step.to_owned()),
        ..*problem
    };
    for parameter in &entry_point.parameters {
        let checked = find(parameter, sources).and_then(|found| {
            check(parameter, found, entry_point, sources)
                .map_err(|kind| Box::new(Problem::general(Some(&parameter.place), kind)))
        });
        match checked {
            Ok(value) => resolved.push(value),
            Err(problem) => problems.push(in_step(problem)),
        }
    }
    for (name, value) in extra(entry_point, sources) {
        match value {
            Ok(filled) => resolved.push(Resolved::new(name, filled, false)),
            Err(problem) => problems.push(in_step(problem)),
        }
    }
    (resolved, problems)
}

/// The variables that the definition sets for a step; its own are stronger than those of all steps.
pub(super) fn variables(sources: &Sources) -> (Vec<Variable>, Vec<Problem>) {
    let [of_all, of_step] = sources.variables;
    let is_own = |name: &str| of_step.iter().any(|own| own.name == name);
    let of_all = of_all.iter().filter(|setting| !is_own(&setting.name));
    let (mut variables, mut problems) = (Vec::new(), Vec::new());
    for setting in of_all.chain(of_step) {
        let slot = Slot::Variable(setting.name.clone());
        match sources.scope.fill(&slot, setting) {
            Ok(filled) if filled.value.contains('\0') => {
                let kind = ProblemKind::Nul { slot };
                problems.push(Problem::general(Some(&setting.place), kind));
            }
            Ok(Filled { value, later, .. }) => variables.push(Variable {
                name: setting.name.clone(),
                value,
                later,
            }),
            Err(problem) => problems.push(*problem),
        }
    }
    for problem in &mut problems {
        problem.step = Some(sources.step.to_owned());
    }
    (variables, problems)
}

/// The value of a parameter, from the strongest source that has one.
fn find(parameter: &Parameter, sources: &Sources) -> Result<Found, Box<Problem>> {
    let name = parameter.name.as_str();
    let scope = &sources.scope;
    let mut given = scope.given.iter();
    let for_this_step = given.find(|(given, _)| qualified(given, sources.step) == Some(name));
    let for_this_step = for_this_step.map(|(_, value)| value.clone());
    let setting = sources.defined.iter().find(|it| it.name == name);
    // What is given for all goes into a value that is made of it: `title: "{title}, 2026"`.
    let is_made_of_it = setting.is_some_and(|setting| fill::names_parameter(setting, name));
    let for_all = || scope.given(name).filter(|_| !is_made_of_it);
    if let Some(value) = for_this_step.or_else(for_all) {
        return Ok(Found::new(value, Origin::CommandLine));
    }
    if let Some(setting) = setting {
        return Ok(Found {
            filled: scope.fill(&Slot::Parameter(name.to_owned()), setting)?,
            origin: Origin::Pipeline,
        });
    }
    if let Some(value) = scope.default(name) {
        return Ok(Found::new(value, Origin::Pipeline));
    }
    if let Some(value) = &parameter.default {
        return Ok(Found::new(value.clone(), Origin::Step));
    }
    let kind = ProblemKind::MissingParameter {
        name: name.into(),
        step: sources.step.into(),
    };
    Err(Box::new(Problem::general(Some(&parameter.place), kind)))
}

/// What MLflow appends to the command: names that the entry point does not declare.
///
/// Only values that were meant for this very step count; a name for the whole pipeline would reach
/// steps that never heard of it.
fn extra(
    entry_point: &EntryPoint,
    sources: &Sources,
) -> Vec<(String, Result<Filled, Box<Problem>>)> {
    let plain = |value: &String| Filled::plain(value.clone());
    let given = sources.scope.given.iter().filter_map(|(name, value)| {
        Some((qualified(name, sources.step)?.to_owned(), Ok(plain(value))))
    });
    let given: Vec<(String, Result<Filled, Box<Problem>>)> = given.collect();
    let defined = sources.defined.iter();
    let defined = defined.filter(|setting| given.iter().all(|(known, _)| *known != setting.name));
    let defined = defined.filter(|setting| entry_point.parameter(&setting.name).is_none());
    let defined: Vec<_> = defined
        .map(|setting| {
            let slot = Slot::Parameter(setting.name.clone());
            (setting.name.clone(), sources.scope.fill(&slot, setting))
        })
        .collect();
    let all = defined.into_iter().chain(given);
    all.filter(|(name, _)| entry_point.parameter(name).is_none())
        .collect()
}

/// The type of number that a value should be and is not.
fn refused_as(kind: &ParameterKind, value: &str) -> Option<&'static str> {
    match kind {
        ParameterKind::Int if !number::is_int(value) => Some("int"),
        ParameterKind::Float if !number::is_float(value) => Some("float"),
        _ => None,
    }
}

/// Where a value is written that is a default which its own type refuses.
fn odd_default(
    parameter: &Parameter,
    origin: Origin,
    value: &str,
    pipeline: &[Parameter],
) -> Option<Place> {
    let own = match origin {
        Origin::CommandLine => return None,
        Origin::Step => parameter,
        Origin::Pipeline => pipeline.iter().find(|it| it.name == parameter.name)?,
    };
    let is_odd = refused_as(&own.kind, value).is_some() && own.default.as_deref() == Some(value);
    is_odd.then(|| own.place.clone())
}

/// Checks the value against the parameter's type and makes relative files absolute.
fn check(
    parameter: &Parameter,
    found: Found,
    entry_point: &EntryPoint,
    sources: &Sources,
) -> Result<Resolved, ProblemKind> {
    let Found { filled, origin } = found;
    let name = parameter.name.clone();
    if filled.later.is_some() {
        // What it is nobody knows yet.
        if entry_point.is_output(&name) {
            return Err(ProblemKind::DeferredOutput { name });
        }
        return Ok(Resolved::new(name, filled, true));
    }
    if filled.is_unread {
        return Ok(Resolved::new(name, filled, true));
    }
    let value = filled.value.clone();
    if let Some(kind) = refused_as(&parameter.kind, &value) {
        let own = odd_default(parameter, origin, &value, sources.scope.pipeline);
        let Some(place) = own else {
            return Err(ProblemKind::NotANumber { name, kind, value });
        };
        let odd = Some(Note::OddDefault {
            name: name.clone(),
            kind,
            value,
            place,
        });
        return Ok(Resolved {
            odd,
            ..Resolved::new(name, filled, true)
        });
    }
    if filled.part.is_some() {
        // It is not there yet, and who wrote the definition may not know where it is.
        return Ok(Resolved::new(name, filled, true));
    }
    if parameter.kind == ParameterKind::Path && local_path(&value).is_none() && is_web(&value) {
        return Ok(downloaded(parameter, &value, entry_point, sources));
    }
    let names_a_file = entry_point.is_input(&name) || entry_point.is_output(&name);
    let (value, path) = located(parameter, value, origin, names_a_file, sources)?;
    Ok(Resolved {
        path,
        ..Resolved::new(name, Filled::plain(value), true)
    })
}

/// The local file that a value means, if it means one, and the value that then is handed on.
fn located(
    parameter: &Parameter,
    value: String,
    origin: Origin,
    names_a_file: bool,
    sources: &Sources,
) -> Result<(String, Option<PathBuf>), ProblemKind> {
    let name = parameter.name.clone();
    let base = match origin {
        Origin::CommandLine => sources.scope.caller,
        Origin::Pipeline => sources.scope.root,
        Origin::Step => sources.folder,
    };
    Ok(match (&parameter.kind, local_path(&value)) {
        (ParameterKind::Path, None) => return Err(ProblemKind::RemotePath { name, value }),
        (ParameterKind::Path, Some(path)) if path.as_os_str().is_empty() => {
            return Err(ProblemKind::NoSuchPath { name, value });
        }
        (ParameterKind::Uri, _) if value.is_empty() => {
            return Err(ProblemKind::NotAUri { name, value });
        }
        // MLflow starts from the folder of whoever calls `mlflow run`, for the step's defaults too.
        (ParameterKind::Path, Some(path)) if origin == Origin::Step => {
            anchored(sources.scope.caller, &path)
        }
        (ParameterKind::Path, Some(path)) => anchored(base, &path),
        // MLflow documents that a local file becomes its absolute path, though its code refuses it.
        (ParameterKind::Uri, Some(path)) if !has_scheme(&value) => anchored(base, &path),
        (_, Some(path)) if names_a_file && !value.is_empty() => match anchored(base, &path) {
            // The step's own default stays as written: it starts from the step's folder anyway.
            (_, path) if origin == Origin::Step || has_scheme(&value) => (value, path),
            anchored => anchored,
        },
        _ => (value, None),
    })
}

/// A remote file, under its own name in a folder of its own as MLflow does it: `param_0/data.csv`.
fn downloaded(
    parameter: &Parameter,
    uri: &str,
    entry_point: &EntryPoint,
    sources: &Sources,
) -> Resolved {
    let position = entry_point
        .parameters
        .iter()
        .position(|known| known.name == parameter.name);
    let folder = format!("param_{}", position.unwrap_or_default());
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    let after_host = uri[..end].splitn(4, '/').nth(3).unwrap_or_default();
    let name = after_host
        .rsplit('/')
        .next()
        .filter(|name| !["", ".", ".."].contains(name));
    let target = sources
        .storage
        .join(folder)
        .join(name.unwrap_or("download"));
    let value = target.to_string_lossy().into_owned();
    Resolved {
        download: Some(uri.to_owned()),
        ..Resolved::new(parameter.name.clone(), Filled::plain(value), true)
    }
}

fn anchored(base: &Path, path: &Path) -> (String, Option<PathBuf>) {
    let path = absolute(base, path);
    (path.to_string_lossy().into_owned(), Some(path))
}

/// The parts of the config that the values name.
pub(super) fn parts(resolved: &[Resolved]) -> Vec<(String, Part)> {
    let parts = resolved.iter();
    parts
        .filter_map(|value| Some((value.name.clone(), value.part.clone()?)))
        .collect()
}

/// What is to be downloaded, and where to.
pub(super) fn downloads(resolved: &[Resolved]) -> Vec<(String, PathBuf)> {
    let remote = resolved
        .iter()
        .filter_map(|value| Some((value.download.clone()?, &value.value)));
    remote
        .map(|(uri, target)| (uri, PathBuf::from(target)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fill::Values;
    use super::*;

    fn place() -> Place {
        Place {
            file: "/p/s/MLproject".into(),
            line: Some(1),
        }
    }

    fn parameter(name: &str, kind: &str, default: Option<&str>) -> Parameter {
        let default = default.map(str::to_owned);
        Parameter {
            name: name.into(),
            kind: kind.to_owned().into(),
            default,
            description: None,
            place: place(),
        }
    }

    fn entry_point(parameters: Vec<Parameter>) -> EntryPoint {
        EntryPoint {
            name: "main".into(),
            description: None,
            parameters,
            command: None,
            inputs: Some(vec!["raw".into()]),
            outputs: Some(vec!["clean".into()]),
            code: None,
            variables: Vec::new(),
            cached: None,
            place: place(),
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// Resolves for step `s` of the pipeline in `/p`, called from `/home`.
    fn resolve_with(
        parameters: Vec<Parameter>,
        given: &[(&str, &str)],
        defined: &[(&str, &str)],
        pipeline: &[Parameter],
    ) -> Result<Vec<(String, String)>, Vec<String>> {
        let given = pairs(given);
        let setting = |(name, value)| Setting {
            name,
            value: mlproject::Value::Text(value),
            place: place(),
        };
        let defined: Vec<Setting> = pairs(defined).into_iter().map(setting).collect();
        let scope = Scope {
            given: &given,
            pipeline,
            config: &Values::None,
            caller: Path::new("/home"),
            root: Path::new("/p"),
        };
        let sources = Sources {
            step: "s",
            scope,
            defined: &defined,
            variables: [&[], &[]],
            folder: Path::new("/p/s"),
            storage: "/tmp/s".into(),
        };
        let (resolved, problems) = resolve(&entry_point(parameters), &sources);
        let pair = |value: Resolved| (value.name, value.value);
        if problems.is_empty() {
            Ok(resolved.into_iter().map(pair).collect())
        } else {
            Err(problems
                .into_iter()
                .map(|problem| problem.kind.to_string())
                .collect())
        }
    }

    #[test]
    fn the_strongest_source_wins() {
        let declared = || vec![parameter("x", "string", Some("own"))];
        let pipeline = [parameter("x", "string", Some("pipeline"))];
        let value = |given: &[(&str, &str)], defined: &[(&str, &str)], pipeline: &[Parameter]| {
            resolve_with(declared(), given, defined, pipeline).unwrap()[0]
                .1
                .clone()
        };
        assert_eq!(
            value(
                &[("x", "wide"), ("s.x", "step")],
                &[("x", "defined")],
                &pipeline
            ),
            "step"
        );
        assert_eq!(
            value(
                &[("x", "wide"), ("t.x", "other")],
                &[("x", "defined")],
                &pipeline
            ),
            "wide"
        );
        assert_eq!(value(&[], &[("x", "defined")], &pipeline), "defined");
        let made_of_it = [("x", "{x}, too")];
        assert_eq!(value(&[("x", "wide")], &made_of_it, &pipeline), "wide, too");
        assert_eq!(value(&[("s.x", "step")], &made_of_it, &pipeline), "step");
        assert_eq!(value(&[], &[], &pipeline), "pipeline");
        assert_eq!(value(&[], &[], &[]), "own");
    }

    #[test]
    fn all_missing_parameters_are_told_at_once() {
        let declared = vec![parameter("a", "string", None), parameter("b", "int", None)];
        let problems = resolve_with(declared, &[], &[], &[]).unwrap_err();
        assert_eq!(
            problems,
            [
                "no value for the required parameter `a`",
                "no value for the required parameter `b`"
            ]
        );
    }

    #[test]
    fn undeclared_names_for_this_step_are_kept_as_extra() {
        let resolved = resolve_with(
            vec![],
            &[("s.x", "1"), ("t.y", "2"), ("z", "3")],
            &[("w", "4"), ("x", "5")],
            &[],
        );
        assert_eq!(resolved.unwrap(), pairs(&[("w", "4"), ("x", "1")]));
    }

    #[test]
    fn a_value_of_the_definition_takes_parameters_of_the_pipeline() {
        let pipeline = [parameter("seed", "int", Some("7"))];
        let declared = || vec![parameter("x", "string", None)];
        let resolved = resolve_with(
            declared(),
            &[("seed", "8")],
            &[("x", "seed is {seed}")],
            &pipeline,
        );
        assert_eq!(resolved.unwrap(), pairs(&[("x", "seed is 8")]));
        let problems = resolve_with(declared(), &[], &[("x", "{sede}")], &pipeline).unwrap_err();
        assert!(
            problems[0].starts_with("the value of parameter `x` cannot be filled in"),
            "{problems:?}"
        );
    }

    #[test]
    fn a_relative_file_starts_from_the_folder_of_whoever_said_it() {
        let declared = || {
            vec![
                parameter("raw", "string", Some("../raw.csv")),
                parameter("note", "string", Some("x")),
            ]
        };
        let pipeline = [parameter("raw", "string", Some("data/raw.csv"))];
        let value = |given: &[(&str, &str)], pipeline: &[Parameter]| {
            resolve_with(declared(), given, &[], pipeline).unwrap()[0]
                .1
                .clone()
        };
        assert_eq!(value(&[("raw", "a/../raw.csv")], &[]), "/home/raw.csv");
        assert_eq!(value(&[], &pipeline), "/p/data/raw.csv");
        assert_eq!(value(&[], &[]), "../raw.csv");
        assert_eq!(
            value(&[("raw", "s3://bucket/raw.csv")], &[]),
            "s3://bucket/raw.csv"
        );
        let other = resolve_with(declared(), &[("note", "a/b")], &[], &[]).unwrap();
        assert_eq!(
            other[1].1, "a/b",
            "only declared inputs and outputs are files"
        );
    }

    #[test]
    fn path_and_uri_follow_mlflow() {
        let one = |kind: &str, value: &str| {
            resolve_with(vec![parameter("x", kind, Some(value))], &[], &[], &[])
                .map(|resolved| resolved[0].1.clone())
        };
        assert_eq!(one("path", "data").unwrap(), "/home/data");
        assert_eq!(one("path", "file:///a%20b").unwrap(), "/a b");
        assert!(
            one("path", "s3://bucket/x").unwrap_err()[0]
                .contains("use a local path or an http(s) URL")
        );
        assert_eq!(
            one("path", "HTTPS://h/a/b.csv?x=/y").unwrap(),
            "/tmp/s/param_0/b.csv"
        );
        assert_eq!(one("path", "http://h").unwrap(), "/tmp/s/param_0/download");
        assert_eq!(one("uri", "mailto:a").unwrap(), "mailto:a");
        assert_eq!(one("uri", "data.csv").unwrap(), "/p/s/data.csv");
        assert_eq!(
            one("Path", "data").unwrap(),
            "data",
            "types are case-sensitive"
        );
    }
}
