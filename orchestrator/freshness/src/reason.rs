//! Why a step runs, as text and as values. Pure.

use std::fmt;

use serde::Serialize;

/// How many files a reason names at most.
const NAMED: usize = 5;

/// How much of a value is shown, in characters.
const WIDTH: usize = 60;

/// What a reason is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonKind {
    /// The step has no declared outputs, so nobody can tell whether they are there.
    NoOutputs,
    /// An input is an output, or one of them lies in the other.
    ReadsItsOutput,
    /// Another step writes into its output.
    SharedOutput,
    /// There is no record of these outputs.
    NotRecorded,
    /// An output is not what the step has made.
    Output,
    /// Another command.
    Command,
    /// Another entry point.
    EntryPoint,
    /// Another value of a parameter.
    Parameter,
    /// Another content of an input.
    Input,
    /// A file of its code changed or is gone, or another commit.
    Code,
    /// A file that was not there.
    NewFile,
    /// A program of its command is another one.
    Program,
    /// Another environment.
    Environment,
    /// Another value of a variable.
    Variable,
    /// The run was interrupted before all was looked at.
    Interrupted,
}

/// Why a step runs. Its text stands behind "running: "; it may hold what a stranger wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What it is about.
    pub kind: ReasonKind,
    /// The name of the parameter, variable or program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What was recorded; for files, what is wrong with them if they did not just change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What is there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// The first of the files that it is about, from the step's folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// How many files it is about.
    #[serde(skip_serializing_if = "is_zero")]
    pub count: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Reason {
    pub(crate) fn only(kind: ReasonKind) -> Reason {
        Reason {
            kind,
            name: None,
            old: None,
            new: None,
            files: Vec::new(),
            count: 0,
        }
    }

    pub(crate) fn between(
        kind: ReasonKind,
        name: Option<String>,
        old: Option<&str>,
        new: Option<&str>,
    ) -> Reason {
        Reason {
            name,
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            ..Reason::only(kind)
        }
    }

    pub(crate) fn of_files(kind: ReasonKind, mut files: Vec<String>) -> Reason {
        let count = files.len();
        files.truncate(NAMED);
        Reason {
            files,
            count,
            ..Reason::only(kind)
        }
    }

    pub(crate) fn with(self, name: Option<String>, new: &str) -> Reason {
        Reason {
            name,
            new: Some(new.to_owned()),
            ..self
        }
    }

    /// The text with as many files as are known, up to five.
    pub fn detailed(&self) -> impl fmt::Display {
        self.text(NAMED)
    }

    fn text(&self, named: usize) -> String {
        let files = self.listed(named);
        let name = self.name.as_deref().unwrap_or_default();
        let new = self.new.as_deref();
        let what = new.unwrap_or("changed");
        match self.kind {
            ReasonKind::NoOutputs => "has no declared outputs".into(),
            ReasonKind::ReadsItsOutput => "reads what it writes".into(),
            ReasonKind::SharedOutput => format!("another step writes into its output {files}"),
            ReasonKind::NotRecorded => "has not run before".into(),
            ReasonKind::Output => {
                let what = new.unwrap_or("was changed by hand");
                format!("its output {files} {what}")
            }
            ReasonKind::Command => self.change("its command"),
            ReasonKind::EntryPoint => self.change("its entry point"),
            ReasonKind::Parameter => self.change(&format!("parameter `{name}`")),
            ReasonKind::Variable => self.change(&format!("variable `{name}`")),
            ReasonKind::Environment => {
                let (old, new) = (self.old.as_deref(), new.unwrap_or_default());
                format!("environment changed: {new} (was {})", old.unwrap_or("none"))
            }
            ReasonKind::Input => format!("its input {name} ({files}) {what}"),
            ReasonKind::Code => match (&self.old, new) {
                (Some(old), Some(new)) => format!("code changed: commit {new} (was {old})"),
                (None, Some(what)) => format!("code {what}: {files}"),
                _ => format!("code changed: {files}"),
            },
            ReasonKind::NewFile => {
                let files_word = if self.count > 1 { "files" } else { "file" };
                format!(
                    "new {files_word} {files} in its folder (git-ignore it, or name the code with `code:`)"
                )
            }
            ReasonKind::Program => format!("program {name} {what}"),
            ReasonKind::Interrupted => "was not looked at to the end".into(),
        }
    }

    fn listed(&self, named: usize) -> String {
        let named = named.min(self.files.len());
        let first = self.files[..named].join(", ");
        match self.count - named {
            0 => first,
            1 => format!("{first} and 1 more file"),
            more => format!("{first} and {more} more files"),
        }
    }

    fn change(&self, what: &str) -> String {
        let (Some(old), Some(new)) = (&self.old, &self.new) else {
            return match (&self.old, &self.new) {
                (None, Some(new)) => format!("{what} is {} (was not given)", value(new)),
                (Some(old), _) => format!("{what} is not given (was {})", value(old)),
                (None, None) => format!("{what} changed"),
            };
        };
        // Also of two secrets.
        if old == new {
            return format!("{what} changed");
        }
        format!("{what} is {} (was {})", value(new), value(old))
    }
}

/// A value as part of a sentence.
fn value(text: &str) -> String {
    if text.is_empty() {
        return "empty".into();
    }
    let mut characters = text.chars();
    let shown: String = characters.by_ref().take(WIDTH).collect();
    match characters.next() {
        None => format!("`{shown}`"),
        Some(_) => format!("`{shown}…`"),
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_sentences() {
        use ReasonKind::*;
        let between = |kind, name: &str, old, new| {
            Reason::between(kind, Some(name.to_owned()), old, new).to_string()
        };
        let rows = between(Parameter, "rows", Some("1000"), Some("5000"));
        assert_eq!(rows, "parameter `rows` is `5000` (was `1000`)");
        let empty = between(Parameter, "columns", Some(""), Some("Age"));
        assert_eq!(empty, "parameter `columns` is `Age` (was empty)");
        let gone = between(Variable, "X", Some("1"), None);
        assert_eq!(gone, "variable `X` is not given (was `1`)");
        let came = between(Parameter, "x", None, Some(""));
        assert_eq!(came, "parameter `x` is empty (was not given)");
        let secret = between(Parameter, "token", Some("***"), Some("***"));
        assert_eq!(secret, "parameter `token` changed");
        let (shown, long) = ("b".repeat(WIDTH), "b".repeat(100));
        let long = between(Command, "", Some("a"), Some(&long));
        assert_eq!(long, format!("its command is `{shown}…` (was `a`)"));
        let environment = between(Environment, "", Some("a"), Some("b"));
        assert_eq!(environment, "environment changed: b (was a)");
    }

    #[test]
    fn many_files_are_counted() {
        let files = |count: usize| {
            let files = (0..count).map(|at| format!("{at}.py")).collect();
            Reason::of_files(ReasonKind::Code, files)
        };
        assert_eq!(files(1).to_string(), "code changed: 0.py");
        assert_eq!(files(2).to_string(), "code changed: 0.py and 1 more file");
        assert_eq!(files(3).to_string(), "code changed: 0.py and 2 more files");
        let detailed = files(9).detailed().to_string();
        assert_eq!(
            detailed,
            "code changed: 0.py, 1.py, 2.py, 3.py, 4.py and 4 more files"
        );
    }

    #[test]
    fn reasons_are_json_without_what_they_do_not_have() {
        let json = |reason: Reason| serde_json::to_string(&reason).unwrap();
        let reason = Reason::between(ReasonKind::Parameter, Some("x".into()), Some("1"), None);
        assert_eq!(json(reason), r#"{"kind":"parameter","name":"x","old":"1"}"#);
        let reason = Reason::of_files(ReasonKind::NewFile, vec!["a".into()]);
        assert_eq!(
            json(reason),
            r#"{"kind":"new_file","files":["a"],"count":1}"#
        );
    }
}
