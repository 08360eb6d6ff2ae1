//! The files of folders that are code for all we know: what git does not ignore, elsewhere what is not
//! hidden.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use process::git;

use crate::names::{relative, work_tree};

/// What git is asked for; the folders follow.
const QUESTION: [&str; 7] = [
    "--literal-pathspecs",
    "ls-files",
    "-z",
    "--cached",
    "--others",
    "--exclude-standard",
    "--",
];

/// The files of a folder by their paths from there, sorted. Some may not be there any more, and one that
/// is a folder holds a repository of its own.
pub(crate) type Listed = Vec<PathBuf>;

/// Lists the files of each folder, by one question to git for all of a work tree. `refused` is told what
/// git complains of.
pub(crate) fn list(folders: &[PathBuf], refused: &dyn Fn(&Path, &str)) -> Vec<Listed> {
    let real: Vec<PathBuf> = folders
        .iter()
        .map(|folder| fs::canonicalize(folder).unwrap_or_else(|_| folder.clone()))
        .collect();
    let tops: Vec<Option<&Path>> = real.iter().map(|folder| work_tree(folder)).collect();
    let mut listed: Vec<Listed> = vec![Vec::new(); folders.len()];
    for (first, top) in tops.iter().enumerate() {
        let Some(top) = top.filter(|_| !tops[..first].contains(top)) else {
            continue;
        };
        let of_tree: Vec<usize> = (first..real.len())
            .filter(|at| tops[*at] == Some(top))
            .collect();
        let below: Vec<PathBuf> = of_tree.iter().map(|at| relative(top, &real[*at])).collect();
        match ask(top, &below) {
            Ok(files) => {
                for (at, below) in of_tree.iter().zip(&below) {
                    listed[*at] = only_below(&files, below);
                }
            }
            Err(Some(complaint)) => refused(top, &complaint),
            Err(None) => {}
        }
    }
    for (files, folder) in listed.iter_mut().zip(&real) {
        // Also a folder of which git ignores everything: something in it is what the step runs.
        if files.is_empty() {
            *files = walk(folder);
        }
        sort(files);
    }
    listed
}

/// The files of a folder and those below that are not hidden.
pub(crate) fn walk(folder: &Path) -> Listed {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(below) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder.join(&below)) else {
            // It stands for what it holds, and nothing is equal to it.
            files.push(below);
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.as_bytes().starts_with(b".") || is_never_code(name.as_bytes()) {
                continue;
            }
            let path = below.join(name);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ => files.push(path),
            }
        }
    }
    files
}

/// Sorts by bytes, which are compared many times as fast as the parts of paths.
fn sort(files: &mut Listed) {
    files.sort_unstable_by(|left, right| left.as_os_str().cmp(right.as_os_str()));
    files.dedup_by(|left, right| left.as_os_str() == right.as_os_str());
}

/// Whether a name is one of what runs leave behind.
pub(crate) fn is_never_code(name: &[u8]) -> bool {
    name == b"__pycache__" || name == b"mlruns" || name.starts_with(b"mlflow.db")
}

/// The files of folders by their paths from the top of their work tree; or what git complains of, if
/// there is a git.
fn ask(top: &Path, folders: &[PathBuf]) -> Result<Vec<PathBuf>, Option<String>> {
    let mut words: Vec<&OsStr> = QUESTION.iter().map(OsStr::new).collect();
    words.extend(folders.iter().map(|folder| folder.as_os_str()));
    let names = match git::list_tree(top, &words) {
        Ok(answer) => answer.map_err(Some)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(None),
        Err(error) => return Err(Some(error.to_string())),
    };
    let names = names.split(|byte| *byte == 0).filter(|it| !it.is_empty());
    // A repository within is named with a slash at its end.
    let names = names.map(|name| name.strip_suffix(b"/").unwrap_or(name));
    Ok(names
        .map(|name| OsString::from_vec(name.to_vec()).into())
        .collect())
}

/// The files below a folder, by their paths from there.
fn only_below(files: &[PathBuf], folder: &Path) -> Listed {
    if folder == Path::new(".") {
        return files.to_vec();
    }
    let folder = folder.as_os_str().as_bytes();
    let below = files.iter().filter_map(|file| {
        let rest = file.as_os_str().as_bytes().strip_prefix(folder)?;
        Some(OsStr::from_bytes(rest.strip_prefix(b"/")?).into())
    });
    below.collect()
}
