//! Environment files: `python_env.yaml`, and `conda.yml` as far as it is understood without conda.

use std::path::Path;

use super::error::{Error, Place};
use super::node::Node;
use super::read_text;
use crate::pyyaml::{self, Document, Object};

/// A Python environment: an interpreter and what pip installs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PythonEnvironment {
    /// The version asked for, such as `3.11` or `3.11.7`; none for the current Python.
    pub python: Option<String>,
    /// Installed first, in pip's notation.
    pub build_dependencies: Vec<String>,
    /// Installed then, each a line of a requirements file.
    pub dependencies: Vec<String>,
    /// Packages that only conda has.
    pub foreign: Vec<String>,
}

const PYTHON_KEYS: [&str; 3] = ["python", "build_dependencies", "dependencies"];

/// What says which Python it is.
const VERSION: &str = "a version in quotes, such as \"3.11\"";

/// What conda takes for an environment file.
const CONDA: &str = "a mapping with a list of `dependencies`";

/// Reads a `python_env.yaml` as MLflow's `_PythonEnv.from_yaml` does; a key that it does not know is an
/// error there, too.
pub fn load_python(path: &Path) -> Result<PythonEnvironment, Error> {
    let document = parse(path)?;
    let root = Node::root(&document, path);
    if root.value().as_dict().is_none() {
        return Err(not_one(path, "a mapping with `python` and `dependencies`"));
    }
    for (key, node) in root.named_entries("a mapping")? {
        if !PYTHON_KEYS.contains(&key) {
            return Err(Error::UnknownKey {
                place: node.place(),
                section: path
                    .file_name()
                    .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
                key: key.to_owned(),
                known: &PYTHON_KEYS,
            });
        }
    }
    let python = root.get_if_true("python");
    let python = python.map(|node| match node.string(VERSION) {
        Ok(version) if !is_version(&version) => Err(node.shape(VERSION)),
        version => version,
    });
    Ok(PythonEnvironment {
        python: python.transpose()?,
        build_dependencies: root.texts_of("build_dependencies", "a list of packages")?,
        dependencies: root.texts_of("dependencies", "a list of packages")?,
        foreign: Vec::new(),
    })
}

/// Looks whether a file can be one of conda's. What it means is conda's to say.
pub fn check_conda(path: &Path) -> Result<(), Error> {
    let document = parse(path)?;
    let root = Node::root(&document, path);
    if root.value().as_dict().is_none() {
        return Err(not_one(path, CONDA));
    }
    match root.get("dependencies") {
        Some(list) if list.value().as_list().is_none() => Err(list.shape("a list of packages")),
        _ => Ok(()),
    }
}

/// Reads a conda environment file, by the rules of MLflow's `get_dependencies_from_conda_yaml`.
///
/// MLflow drops packages that pip cannot install with a warning; here they are told apart.
pub fn load_conda(path: &Path) -> Result<PythonEnvironment, Error> {
    let document = parse(path)?;
    let root = Node::root(&document, path);
    if root.value().as_dict().is_none() {
        return Err(not_one(path, CONDA));
    }
    let mut environment = PythonEnvironment::default();
    let Some(dependencies) = root.get("dependencies") else {
        return Ok(environment);
    };
    let items = dependencies.value().as_list();
    for item in items.ok_or_else(|| dependencies.shape("a list of packages"))? {
        match item {
            Object::Str(package) => environment.add_conda(package, &dependencies)?,
            Object::Dict(_) if item.get("pip").is_some() => {
                let pip = item.get("pip").and_then(Object::as_list);
                let pip = pip.ok_or_else(|| dependencies.shape("a list of packages in `pip`"))?;
                environment
                    .dependencies
                    .extend(pip.iter().map(Object::to_string));
            }
            _ => return Err(dependencies.shape("a list of packages, and one mapping `pip`")),
        }
    }
    Ok(environment)
}

impl PythonEnvironment {
    /// One package in conda's notation, such as `python=3.11` or `pip`.
    fn add_conda(&mut self, package: &str, list: &Node) -> Result<(), Error> {
        let end = package.find(['<', '>', '=', '!']).unwrap_or(package.len());
        let (name, rest) = package.split_at(end);
        let version = rest.trim_start_matches(['<', '>', '=', '!']);
        let operator = &rest[..rest.len() - version.len()];
        let is_plain = version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        match name {
            "python" if self.python.is_none() => {
                let version = version.trim_end_matches('.');
                if !is_plain || !is_version(version) || !["<=", ">=", "=", "=="].contains(&operator)
                {
                    return Err(list.shape("a list in which Python is pinned, such as python=3.11"));
                }
                self.python = Some(version.to_owned());
            }
            "pip" | "setuptools" | "wheel" if is_plain => {
                // `=` is no operator of pip's.
                let operator = if operator == "=" { "==" } else { operator };
                self.build_dependencies
                    .push(format!("{name}{operator}{version}"));
            }
            _ => self.foreign.push(package.to_owned()),
        }
        Ok(())
    }
}

/// Whether a text is a version of Python such as `3`, `3.11`, `3.11.7`, `3.11.*` or `3.14.0rc1`.
///
/// It becomes an argument of programs that take paths and names of programs as well.
fn is_version(text: &str) -> bool {
    let numbers = text.strip_suffix(".*").unwrap_or_else(|| {
        let end = text.trim_end_matches(|last: char| last.is_ascii_digit());
        let stages = ["a", "b", "rc"].into_iter();
        let mut before = stages.filter_map(|stage| end.strip_suffix(stage));
        before
            .next()
            .filter(|_| end.len() < text.len())
            .unwrap_or(text)
    });
    let is_number = |part: &str| {
        (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    numbers.split('.').all(is_number) && numbers.split('.').count() <= 3
}

fn parse(path: &Path) -> Result<Document, Error> {
    pyyaml::parse(&read_text(path)?).map_err(|error| Error::Yaml {
        path: path.to_owned(),
        error,
    })
}

fn not_one(path: &Path, expected: &'static str) -> Error {
    Error::Shape {
        place: Place {
            file: path.to_owned(),
            line: None,
        },
        item: "an environment file".to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_nothing_else() {
        for text in [
            "3",
            "3.11",
            "3.8.18",
            "2.7",
            "3.11.*",
            "3.*",
            "3.14.0rc1",
            "3.15.0a2",
            "3.14b1",
        ] {
            assert!(is_version(text), "{text}");
        }
        for text in [
            "",
            " ",
            "-3",
            "--python",
            "-h",
            "3.11 ",
            " 3.11",
            "3.11\n",
            "3..11",
            ".3",
            "3.",
            ".*",
            "*",
            "3.*.1",
            "3.11.*.*",
            "3.11.7.1",
            "../../evil/python",
            "/bin/sh",
            "./3.11",
            "3.11/..",
            "python",
            "python3.11",
            "cpython@3.11",
            "pypy3.10",
            ">=3.8",
            "==3.11",
            "3.11,<3.12",
            "3.11;x",
            "3.11rc",
            "rc1",
            "3.11x1",
            "99999.1",
            "３.11",
            "3.11\u{202e}",
            "$(x)",
            "any",
        ] {
            assert!(!is_version(text), "{text:?}");
        }
    }
}
