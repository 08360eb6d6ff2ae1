//! Why no section `steps:` can be proposed.

use std::fmt;
use std::io;
use std::path::PathBuf;

use mlproject::paths::shown;

/// How many lines the new sections may have.
pub(crate) const MAX_LINES: usize = 10_000;

/// Why nothing is proposed; each names the file and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The root MLproject cannot be used, whatever it is asked for.
    #[error(transparent)]
    Project(#[from] mlproject::Error),
    /// The folder has no MLproject; [`crate::smallest()`] gives the text of one.
    #[error("no MLproject in `{}`; expected the folder of a pipeline, which `-C` names", shown(.folder))]
    NoProject {
        /// The folder.
        folder: PathBuf,
    },
    /// The section is there.
    #[error(
        "{}:{line}: the section `steps:` is there already; edit it, or remove it and type `orchestrator --init` again", shown(.file)
    )]
    HasSteps {
        /// The root MLproject.
        file: PathBuf,
        /// The line of the key.
        line: usize,
    },
    /// The root mapping is written in braces, or ends where nothing can be added.
    #[error(
        "{}: expected a key on each line, such as `entry_points:`, for a section to be put in between; \
         write the file so, then type `orchestrator --init` again", shown(.file)
    )]
    Style {
        /// The root MLproject.
        file: PathBuf,
    },
    /// A file of the pipeline cannot be read.
    #[error("cannot read `{}`", shown(.path))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program of the pipeline is no text.
    #[error("{}:{line}: expected UTF-8; save the file so, then type `orchestrator --init` again", shown(.file))]
    NotUtf8 {
        /// The program.
        file: PathBuf,
        /// The line of the first byte that is wrong.
        line: usize,
    },
    /// The program of the pipeline is no Python.
    #[error(
        "{}:{line}: expected Python, found `{text}`; `python3 -m py_compile` tells what is wrong there", shown(.file)
    )]
    Syntax {
        /// The program.
        file: PathBuf,
        /// The line where it stops to be Python.
        line: usize,
        /// What stands there, shortened.
        text: String,
    },
    /// The section would be larger than a file that anybody reads.
    #[error(
        "{}: the steps would have {lines} lines; expected at most {MAX_LINES}, so write them by hand", shown(.file)
    )]
    TooLarge {
        /// The program, or the MLproject.
        file: PathBuf,
        /// How many lines there would be.
        lines: usize,
    },
    /// There is nothing to make steps of.
    #[error("{}: found no steps: {found}; {next}", shown(.file))]
    NoSteps {
        /// The root MLproject, or the program.
        file: PathBuf,
        /// What was looked at.
        found: &'static str,
        /// What to type.
        next: &'static str,
    },
}

/// A part of the program that has no place in the definition, and stands there as a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its line in the program, from 1; none for what is no single line.
    pub line: Option<usize>,
    /// What it is, and what can be done.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "line {line}: {}", self.text),
            None => formatter.write_str(&self.text),
        }
    }
}
