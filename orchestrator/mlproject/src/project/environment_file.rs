//! Environment files: `python_env.yaml`, and `conda.yml` as far as it is understood without conda.

use std::fmt;
use std::path::Path;

use super::error::{Error, Place};
use super::match_spec::{Clause, MatchSpec, Operator, Unreadable};
use super::node::Node;
use super::{pypi, read_text};
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
    /// What of `dependencies` the file names as conda's: pip's name, with conda's if that is another one.
    pub from_pypi: Vec<String>,
    /// What cannot be installed from PyPI.
    pub conda_only: Vec<CondaOnly>,
}

/// A package of a conda environment that cannot be installed from PyPI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CondaOnly {
    /// As the file names it.
    pub package: String,
    /// Why PyPI cannot have it.
    pub reason: Reason,
}

/// Why a package in conda's notation is not installed from PyPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is not known to be on PyPI, under whatever name.
    Unknown,
    /// It is to come from a channel that may have something else under the name.
    Channel,
    /// It is to be one of several builds, such as one for CUDA.
    Build,
    /// Its version is one of several, or a pattern.
    Pattern,
}

impl fmt::Display for CondaOnly {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.package)?;
        formatter.write_str(match self.reason {
            Reason::Unknown => "",
            Reason::Channel => " (of that channel)",
            Reason::Build => " (of that build)",
            Reason::Pattern => " (pip knows no such version)",
        })
    }
}

const PYTHON_KEYS: [&str; 3] = ["python", "build_dependencies", "dependencies"];

/// What says which Python it is.
const VERSION: &str = "a version in quotes, such as \"3.11\"";

/// What says which Python it is in conda's notation.
const PYTHON: &str = "one version of Python, such as python=3.11";

/// What conda takes for a package.
const NOTATION: &str = "a package in conda's notation, such as numpy=1.26";

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
        ..PythonEnvironment::default()
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

/// Reads a conda environment file for pip. Python, pip, setuptools and wheel are read by the rules of
/// MLflow's `get_dependencies_from_conda_yaml`.
///
/// MLflow drops all other packages with a warning; here those that are known to be on PyPI are installed
/// from there, and the others are told.
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
    let items = items.ok_or_else(|| dependencies.shape("a list of packages"))?;
    let mut of_pip = Vec::new();
    for item in items {
        match item {
            Object::Str(package) => environment.add_conda(package, &dependencies)?,
            Object::Dict(_) if item.get("pip") == Some(&Object::None) => {}
            Object::Dict(_) if item.get("pip").is_some() => {
                let pip = item.get("pip").and_then(Object::as_list);
                let pip = pip.ok_or_else(|| dependencies.shape("a list of packages in `pip`"))?;
                of_pip.extend(pip.iter().map(Object::to_string));
            }
            _ => return Err(dependencies.shape("a list of packages, and one mapping `pip`")),
        }
    }
    environment.dependencies.extend(of_pip);
    Ok(environment)
}

impl PythonEnvironment {
    /// One package in conda's notation, such as `python=3.11` or `numpy >=1.20,<2`.
    fn add_conda(&mut self, package: &str, list: &Node) -> Result<(), Error> {
        let should_be = |expected| Error::Shape {
            place: list.place(),
            item: format!("`{}`", package.trim()),
            expected,
        };
        let spec = match MatchSpec::parse(package) {
            Ok(spec) => spec,
            Err(Unreadable::Notation) => return Err(should_be(NOTATION)),
            Err(Unreadable::Pattern) => {
                self.refuse(package, Reason::Pattern);
                return Ok(());
            }
        };
        if spec.name == "python" {
            // Any Python: the current one, if none is named elsewhere in the file.
            if spec.version.is_empty() {
                return Ok(());
            }
            let python = python_of(&spec.version).ok_or_else(|| should_be(PYTHON))?;
            if self.python.as_ref().is_some_and(|known| *known != python) {
                return Err(should_be("the Python that the file names before"));
            }
            self.python = Some(python);
            return Ok(());
        }
        match requirement(&spec) {
            Err(reason) => self.refuse(package, reason),
            Ok(requirement) if BUILD_PACKAGES.contains(&spec.name.as_str()) => {
                self.build_dependencies.push(requirement);
            }
            Ok(requirement) => {
                self.dependencies.push(requirement);
                let pypi = pypi::name_of(&spec.name).unwrap_or_default();
                self.from_pypi.push(if pypi == spec.name {
                    spec.name
                } else {
                    format!("{} as {pypi}", spec.name)
                });
            }
        }
        Ok(())
    }

    fn refuse(&mut self, package: &str, reason: Reason) {
        let package = package.trim().to_owned();
        self.conda_only.push(CondaOnly { package, reason });
    }
}

/// What MLflow installs before the rest.
const BUILD_PACKAGES: [&str; 3] = ["pip", "setuptools", "wheel"];

/// Channels whose packages are those of the projects on PyPI.
///
/// A package of another channel may be anything under a well-known name, and a name of one's own
/// channel may be somebody else's on PyPI.
const CHANNELS: [&str; 6] = [
    "conda-forge",
    "defaults",
    "anaconda",
    "main",
    "pkgs/main",
    "pytorch",
];

/// The version of Python that conditions begin with, if there is one.
///
/// As MLflow, which takes `>=3.9` for 3.9 and `<=3.11` for 3.11, and refuses `<`, `>` and `!=` alone. Here
/// the version has to fulfil all conditions.
fn python_of(conditions: &[Clause]) -> Option<String> {
    let rank = |clause: &&Clause| match clause.operator {
        Operator::Equal | Operator::Within | Operator::Compatible => Some(0),
        Operator::GreaterOrEqual => Some(1),
        Operator::LessOrEqual => Some(2),
        _ => None,
    };
    let named = conditions.iter().filter(|it| rank(it).is_some());
    let named = named.min_by_key(rank)?;
    let fits = conditions.iter().all(|other| other.holds(&named.version));
    (fits && is_version(&named.version)).then(|| named.version.clone())
}

impl Clause {
    /// Whether it holds for a version of Python and, as far as that tells, for its patches.
    fn holds(&self, version: &str) -> bool {
        let numbers = |text: &str| -> Vec<u32> {
            text.split('.')
                .map(|part| part.parse().unwrap_or(0))
                .collect()
        };
        let (ours, mut theirs) = (numbers(version), numbers(&self.version));
        let is_within = ours.starts_with(&theirs) || theirs.starts_with(&ours);
        match self.operator {
            Operator::Equal | Operator::Within => is_within,
            Operator::NotEqual | Operator::NotWithin => !is_within,
            Operator::Greater => ours > theirs && !is_within,
            Operator::GreaterOrEqual => ours >= theirs,
            Operator::Less => ours < theirs && !is_within,
            Operator::LessOrEqual => ours <= theirs,
            Operator::Compatible => {
                let is_enough = ours >= theirs;
                theirs.pop();
                is_enough && ours.starts_with(&theirs)
            }
        }
    }
}

/// What pip installs for a package of conda's.
fn requirement(spec: &MatchSpec) -> Result<String, Reason> {
    let is_build_package = BUILD_PACKAGES.contains(&spec.name.as_str());
    let name = if is_build_package {
        spec.name.as_str()
    } else {
        pypi::name_of(&spec.name).ok_or(Reason::Unknown)?
    };
    let channel = spec.channel.as_deref();
    if channel.is_some_and(|channel| !CHANNELS.contains(&plain_channel(channel))) {
        return Err(Reason::Channel);
    }
    if spec.build.as_deref().is_some_and(is_variant) {
        return Err(Reason::Build);
    }
    let mut conditions = Vec::new();
    for Clause { operator, version } in &spec.version {
        let is_numeric = version
            .split('.')
            .all(|part| part.bytes().all(|b| b.is_ascii_digit()));
        if version.contains('_') {
            return Err(Reason::Pattern);
        }
        // Conda's `=1.2.3` is a beginning like `=1.2`, but means one release where that has three numbers.
        let is_whole = version.split('.').count() >= 3 || is_build_package || !is_numeric;
        conditions.push(match operator {
            Operator::Equal | Operator::Within if pypi::is_longer(name) => {
                format!("=={version}.*")
            }
            Operator::Within if !is_whole => format!("=={version}.*"),
            Operator::Within | Operator::Equal => format!("=={version}"),
            Operator::NotWithin if is_numeric => format!("!={version}.*"),
            Operator::NotWithin | Operator::NotEqual => format!("!={version}"),
            Operator::Less => format!("<{version}"),
            Operator::LessOrEqual => format!("<={version}"),
            Operator::Greater => format!(">{version}"),
            Operator::GreaterOrEqual => format!(">={version}"),
            Operator::Compatible => format!("~={version}"),
        });
    }
    Ok(format!("{name}{}", conditions.join(",")))
}

/// A channel without the server where all of them are and the kind of machine.
fn plain_channel(channel: &str) -> &str {
    let name = channel.strip_prefix("https://conda.anaconda.org/");
    let name = name.unwrap_or(channel);
    let mut machines = ["/linux-64", "/linux-aarch64", "/noarch"].into_iter();
    machines
        .find_map(|machine| name.strip_suffix(machine))
        .unwrap_or(name)
}

/// Whether a build is one of several that differ in more than the Python and the file: `*cuda*`, `mkl`.
///
/// What `conda env export` writes, such as `py311h64a7726_0`, `pyhd8ed1ab_0` or `h955ad1f_0_cpython`, has no
/// counterpart on PyPI and no meaning beyond that.
fn is_variant(build: &str) -> bool {
    let is_file = build.starts_with("py") || build.starts_with(['h', '0', '1']);
    !is_file || build.contains(['*', '^'])
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

    /// What a list of packages in conda's notation means to pip.
    fn read(packages: &str) -> Result<PythonEnvironment, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conda.yml");
        std::fs::write(&path, format!("dependencies: [{packages}]\n")).unwrap();
        load_conda(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_python_is_found_in_every_form() {
        for (packages, expected) in [
            ("", None),
            ("python", None),
            ("python=*", None),
            ("python=3.11", Some("3.11")),
            ("python==3.11", Some("3.11")),
            ("python ==3.9", Some("3.9")),
            ("python == 3.11", Some("3.11")),
            ("python 3.11", Some("3.11")),
            ("python =3.11", Some("3.11")),
            ("python=3.11.*", Some("3.11")),
            ("python 3.11.*", Some("3.11")),
            ("python=3.11.7", Some("3.11.7")),
            ("python=3.11.7=h955ad1f_0_cpython", Some("3.11.7")),
            ("python=3.11=*_cpython", Some("3.11")),
            ("conda-forge::python=3.11", Some("3.11")),
            ("Python=3.11", Some("3.11")),
            ("python>=3.9", Some("3.9")),
            ("python<=3.9", Some("3.9")),
            ("python~=3.9", Some("3.9")),
            ("'python>=3.9,<3.12'", Some("3.9")),
            ("'python >=3.9, <=3.12'", Some("3.9")),
            ("'python<4,>=3.9,!=3.9.7'", None),
            ("'python<4,>=3.9,!=3.10.*'", Some("3.9")),
            ("'python[version=\">=3.9,<4\"]'", Some("3.9")),
            ("python=3.11, python", Some("3.11")),
            ("python, python=3.11", Some("3.11")),
            ("python=3.11, python==3.11", Some("3.11")),
        ] {
            let is_refused = packages.contains("!=3.9.7");
            match read(packages) {
                Ok(read) => {
                    assert!(!is_refused, "{packages}");
                    assert_eq!(read.python.as_deref(), expected, "{packages}");
                    assert_eq!(read.dependencies, [""; 0], "{packages}");
                }
                Err(error) => assert!(is_refused, "{packages}: {error}"),
            }
        }
        for packages in [
            "python>3.8",
            "python<3.12",
            "python!=3.8",
            "'python>=3.9,<3.9.5'",
            "'python>=3.9,<3'",
            "python=3.11.7.1",
            "python=3..11",
        ] {
            let error = read(packages).unwrap_err();
            assert!(error.contains("such as python=3.11"), "{packages}: {error}");
        }
        let error = read("python=3.11, python=3.12").unwrap_err();
        assert!(
            error.contains("`python=3.12` should be the Python that the file names before"),
            "{error}"
        );
        let error = read("./x").unwrap_err();
        assert!(
            error.contains("`./x` should be a package in conda's notation, such as numpy=1.26"),
            "{error}"
        );
    }

    #[test]
    fn packages_of_conda_are_requirements_of_pip() {
        for (package, expected) in [
            ("pandas", "pandas"),
            ("pandas=2.3.2", "pandas==2.3.2"),
            ("pandas==2.3.2", "pandas==2.3.2"),
            ("pandas=1.2", "pandas==1.2.*"),
            ("pandas=1", "pandas==1.*"),
            ("pandas=1.*", "pandas==1.*"),
            ("pandas=1.2.3.*", "pandas==1.2.3"),
            ("pandas==1.2", "pandas==1.2"),
            ("pandas 1.2", "pandas==1.2"),
            ("pandas=1.2=py39_0", "pandas==1.2"),
            ("pandas=2.0rc1", "pandas==2.0rc1"),
            ("pandas>=1.2,<2", "pandas>=1.2,<2"),
            ("pandas >1.2, <=2", "pandas>1.2,<=2"),
            ("pandas!=1.2.*", "pandas!=1.2.*"),
            ("pandas!=1.2.3", "pandas!=1.2.3"),
            ("pandas~=1.2", "pandas~=1.2"),
            ("PyYAML=6.0", "pyyaml==6.0.*"),
            ("conda-forge::requests=2.32.5", "requests==2.32.5"),
            ("pytorch::pytorch=2.1", "torch==2.1.*"),
            ("https://conda.anaconda.org/conda-forge/noarch::six", "six"),
            ("matplotlib-base=3.8.2", "matplotlib==3.8.2"),
            ("opencv=4.8.1", "opencv-python==4.8.1.*"),
            ("dask=2024.1.0", "dask[complete]==2024.1.0"),
        ] {
            let read = read(&format!("'{package}'")).unwrap();
            assert_eq!(read.dependencies, [expected], "{package}");
            assert_eq!(read.from_pypi.len(), 1, "{package}");
            assert!(read.conda_only.is_empty() && read.build_dependencies.is_empty());
        }
        // As MLflow, to which `=` is pip's `==` for these.
        let of_mlflow =
            read("python=3.11, pip=22.3, 'setuptools<=65.5.0', wheel, {pip: [six]}").unwrap();
        assert_eq!(
            of_mlflow.build_dependencies,
            ["pip==22.3", "setuptools<=65.5.0", "wheel"]
        );
        assert_eq!(of_mlflow.dependencies, ["six"]);
        assert!(of_mlflow.from_pypi.is_empty());
        let all = read("{pip: [six==1.17.0]}, numpy, pytorch, {pip: }").unwrap();
        assert_eq!(all.dependencies, ["numpy", "torch", "six==1.17.0"]);
        assert_eq!(all.from_pypi, ["numpy", "pytorch as torch"]);
    }

    #[test]
    fn what_only_conda_has_is_told_with_the_reason() {
        for (package, expected) in [
            ("cudatoolkit=11.8", "`cudatoolkit=11.8`"),
            ("_libgcc_mutex=0.1=main", "`_libgcc_mutex=0.1=main`"),
            ("redis", "`redis`"),
            ("mine::requests=2", "`mine::requests=2` (of that channel)"),
            (
                "https://x.org/y::requests",
                "`https://x.org/y::requests` (of that channel)",
            ),
            ("pytorch=2.1=*cuda*", "`pytorch=2.1=*cuda*` (of that build)"),
            (
                "pytorch=2.1=cuda120py311",
                "`pytorch=2.1=cuda120py311` (of that build)",
            ),
            (
                "numpy 1.7|1.8",
                "`numpy 1.7|1.8` (pip knows no such version)",
            ),
        ] {
            let read = read(&format!("'{package}'")).unwrap();
            let told: Vec<String> = read.conda_only.iter().map(CondaOnly::to_string).collect();
            assert_eq!(told, [expected]);
            assert!(read.dependencies.is_empty() && read.from_pypi.is_empty());
        }
    }

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
