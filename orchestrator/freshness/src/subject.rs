//! What a step is made of.

use std::path::{Path, PathBuf};

/// What a step is made of, as its plan says. Paths are absolute and without `.` and `..`.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The pipeline's folder.
    pub root: &'a Path,
    /// The step's name.
    pub step: &'a str,
    /// The folder of the step's project.
    pub folder: &'a Path,
    /// The entry point's name.
    pub entry_point: &'a str,
    /// The command as it is written, not filled in.
    pub command: &'a str,
    /// The command as it is run; only its programs are looked for.
    pub line: &'a str,
    /// Names and values. Values of declared files are those relative to the pipeline's folder, so that
    /// a moved folder stays up to date. Secrets are recorded as `***` and a hash.
    pub parameters: &'a [(String, String)],
    /// Manager and name of the environment.
    pub environment: &'a str,
    /// The folders in which programs are looked up, in order.
    pub path: &'a [PathBuf],
    /// The variables that count, with the caller's values.
    pub variables: &'a [(String, Option<String>)],
    /// Names of parameters, and the files or folders that they name.
    pub inputs: &'a [(String, PathBuf)],
    /// As `inputs`.
    pub outputs: &'a [(String, PathBuf)],
    /// The outputs of all other steps.
    pub outputs_of_others: &'a [PathBuf],
    /// `code:` of the entry point: paths and patterns from the step's folder, `!` takes out.
    pub code: Option<&'a [String]>,
    /// What stands for the files of a project that was fetched; its folder is then not looked at.
    pub commit: Option<&'a str>,
    /// What is no code wherever it lies: declared files of all steps, and MLproject files.
    pub not_code: &'a [PathBuf],
}
