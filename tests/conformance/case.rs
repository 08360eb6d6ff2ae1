//! One project, what it is asked for, and where we deliberately differ from MLflow.

use std::path::Path;

/// A step `s` in a folder of its own, and the values that it is given.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) rule: &'static str,
    /// Files below the folder; `s/` is the project.
    files: Vec<(String, Vec<u8>)>,
    pub(crate) entry_point: String,
    pub(crate) values: Vec<(String, String)>,
    pub(crate) difference: Option<Claim>,
}

/// The claim that we differ, with the command that we give instead, none when we refuse.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) difference: Difference,
    pub(crate) ours: Option<String>,
}

/// Where we differ from MLflow on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    Empty,
    FinalBlanks,
    Number,
    LocalUri,
    NonTextPath,
    PathSpelling,
    EmptyPath,
    EnvironmentFolder,
    Attribute,
    Digits,
    NonTextName,
    EveryEntryPoint,
    OwnKeys,
    Misspelled,
    Databricks,
    Surrogate,
    Recursion,
    Limit,
}

impl Difference {
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Empty => {
                "what is left empty (`entry_points`, an entry point, `parameters`, a parameter) counts as empty"
            }
            Self::FinalBlanks => {
                "blanks and newlines at a command's end are cut before undeclared parameters are appended"
            }
            Self::Number => {
                "a given value of type `int` or `float` has to be one that Python's int() or float() takes"
            }
            Self::LocalUri => {
                "a file or folder that exists can be given for a `uri`; its absolute path is the value"
            }
            Self::NonTextPath => {
                "a default of type `path` that YAML reads as a number is the file of that name"
            }
            Self::PathSpelling => {
                "a `path` without `file:` is taken literally, `%20` included; `x/../y`, `y/` and `//y` mean `y`"
            }
            Self::EmptyPath => "an empty `path` is refused; MLflow copies the caller's folder",
            Self::EnvironmentFolder => "an environment file has to be a file, not a folder",
            Self::Attribute => "attribute access in a placeholder, as in `{a.upper}`, is refused",
            Self::Digits => "only 0 to 9 are digits in a placeholder",
            Self::NonTextName => {
                "a parameter's name has to be a text; an entry point whose name is none is passed over"
            }
            Self::EveryEntryPoint => {
                "every entry point of a project has to be well formed, not only the one that runs"
            }
            Self::OwnKeys => {
                "our own keys (`env_manager`, `steps`, `inputs`, `outputs`) have to be well formed"
            }
            Self::Misspelled => "a key that is spelled almost as one that has a meaning is refused",
            Self::Databricks => "a section `databricks_spark_job` is ignored",
            Self::Surrogate => "half a character, as the escape `\\ud800` alone, is refused",
            Self::Recursion => "an alias inside of what it stands for is refused",
            Self::Limit => {
                "a file over 1 MiB, with over 200,000 values or 100 levels, a command that Linux does not start (128 KiB) or a format over 256 bytes is refused"
            }
        }
    }
}

impl Case {
    /// A project whose MLproject has this text.
    pub(crate) fn new(rule: &'static str, mlproject: impl Into<Vec<u8>>) -> Case {
        Case::without_mlproject(rule).file("s/MLproject", mlproject)
    }

    pub(crate) fn without_mlproject(rule: &'static str) -> Case {
        let case = Case {
            rule,
            files: Vec::new(),
            entry_point: "main".into(),
            values: Vec::new(),
            difference: None,
        };
        case.file("s/.keep", "")
    }

    /// A project with one entry point `main`, by its parameters and command as they stand in YAML.
    pub(crate) fn main(rule: &'static str, parameters: &str, command: &str) -> Case {
        let parameters = if parameters.is_empty() {
            String::new()
        } else {
            format!("    parameters: {parameters}\n")
        };
        Case::new(
            rule,
            format!("name: s\nentry_points:\n  main:\n{parameters}    command: {command}\n"),
        )
    }

    pub(crate) fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Case {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    pub(crate) fn entry_point(mut self, name: &str) -> Case {
        name.clone_into(&mut self.entry_point);
        self
    }

    pub(crate) fn value(mut self, name: &str, value: &str) -> Case {
        self.values.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Claims that we give this command where MLflow gives another one, or none.
    pub(crate) fn gives(self, difference: Difference, ours: &str) -> Case {
        self.claim(difference, Some(ours.to_owned()))
    }

    /// Claims that we refuse what MLflow accepts.
    pub(crate) fn refuses(self, difference: Difference) -> Case {
        self.claim(difference, None)
    }

    fn claim(self, difference: Difference, ours: Option<String>) -> Case {
        Case {
            difference: Some(Claim { difference, ours }),
            ..self
        }
    }

    /// Writes the project, and a pipeline of which it is the one step.
    pub(crate) fn write(&self, folder: &Path) {
        let entry_point = quoted(&self.entry_point);
        let root = format!("name: p\nsteps:\n  s: {{project: s, entry_point: {entry_point}}}\n");
        let root = ("MLproject".to_owned(), root.into_bytes());
        for (name, content) in self.files.iter().chain([&root]) {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }

    /// The MLproject, to show.
    pub(crate) fn text(&self) -> String {
        let mlproject = self
            .files
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("s/mlproject"));
        mlproject.map_or_else(String::new, |(_, content)| {
            String::from_utf8_lossy(content).into_owned()
        })
    }
}

/// A text in double quotes, in ASCII characters that YAML takes.
pub(crate) fn quoted(text: &str) -> String {
    let escape = |character: char| match character {
        '"' | '\\' => format!("\\{character}"),
        ' '..='~' => character.to_string(),
        _ => format!("\\U{:08x}", u32::from(character)),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// The lines of a table, and further texts that cannot be written there.
pub(crate) fn lines<'t>(table: &'t str, further: &[&'t str]) -> impl Iterator<Item = &'t str> {
    let further: Vec<&str> = further.to_vec();
    table.lines().filter(|line| !line.is_empty()).chain(further)
}
