//! `--init`: the first definition of a pipeline. Reads, and writes the MLproject alone.

use std::path::Path;

use init::{FILE, InitError, Proposal, created, propose, smallest};
use mlproject::paths::{absolute, shown};
use mlproject::{Project, shell};
use process::console::{say, warn};
use process::files;
use process::text::plural;

use super::written;
use crate::error::Error;
use crate::report::output::print;
use plan::definition::place::no_folder;

/// Shows the definition that the pipeline in a folder gets, and writes it unless it is only to be shown.
pub(super) fn write(directory: &Path, caller: &Path, is_dry: bool) -> Result<(), Error> {
    let root = absolute(caller, directory);
    if let Some(error) = no_folder(&root, directory) {
        return Err(error.into());
    }
    match propose(&root) {
        Ok(proposal) => add(&proposal, &root, directory, is_dry),
        Err(InitError::NoProject { .. }) => create(&root, directory, is_dry),
        Err(error) => Err(Error::Init(error)),
    }
}

/// Adds the sections to the MLproject that is there.
fn add(proposal: &Proposal, root: &Path, typed: &Path, is_dry: bool) -> Result<(), Error> {
    show(&proposal.diff)?;
    let name = proposal.path.file_name().unwrap_or_default();
    let old = proposal.old.as_deref();
    let count = proposal.new.lines().count() - old.unwrap_or_default().lines().count();
    let count = plural(count, "line");
    let file = shown(&proposal.path);
    if is_dry {
        say(&format!("{file}: {count} to add; nothing was written"));
    } else {
        let (name, new) = (Path::new(name), proposal.new.as_bytes());
        files::open_folder(root)
            .and_then(|folder| match old {
                Some(old) => files::replace_in(&folder, name, old.as_bytes(), new),
                None => files::create_in(&folder, name, new),
            })
            .map_err(|source| unwritten(&proposal.path, source))?;
        say(&format!("{file}: {count} added"));
    }
    let program = proposal.program.as_deref();
    let program = program.map_or_else(|| file.to_string(), |program| shown(program).to_string());
    for note in &proposal.not_understood {
        let line = note.line.map(|line| format!(":{line}")).unwrap_or_default();
        let text = &note.text;
        say(&format!(
            "{program}{line}: a comment, as it was not understood: {text}"
        ));
    }
    for warning in &proposal.warnings {
        warn(warning);
    }
    next(typed, is_dry, proposal.not_understood.is_empty());
    Ok(())
}

/// Makes an MLproject where there is none.
fn create(root: &Path, typed: &Path, is_dry: bool) -> Result<(), Error> {
    let path = root.join(FILE);
    let folder = files::open_folder(root).map_err(|source| unwritten(&path, source))?;
    let text = smallest(root);
    show(&created(FILE, &text))?;
    let (file, count) = (shown(&path), plural(text.lines().count(), "line"));
    if is_dry {
        say(&format!("{file}: {count} to write; nothing was written"));
    } else {
        files::create_in(&folder, Path::new(FILE), text.as_bytes())
            .map_err(|source| unwritten(&path, source))?;
        say(&format!("{file}: {count} written"));
    }
    let made = Project::parse(&text, &path, root).ok();
    let has_steps = made.is_some_and(|it| it.steps.is_some_and(|steps| !steps.is_empty()));
    next(typed, is_dry, has_steps);
    Ok(())
}

/// Shows a change; the end of its lines is no part of what a terminal is to see.
fn show(diff: &str) -> Result<(), Error> {
    written(print(&diff.replace("\r\n", "\n")))
}

/// Says what to type next.
fn next(typed: &Path, is_dry: bool, is_whole: bool) {
    let here = match typed.to_string_lossy() {
        folder if folder == "." => String::new(),
        folder => format!(" -C {}", shell::quote(&folder)),
    };
    say(&match (is_dry, is_whole) {
        (true, _) => format!("next: `orchestrator{here} --init` writes it"),
        (false, true) => format!("next: `orchestrator{here} --check`, then `orchestrator{here}`"),
        (false, false) => format!(
            "next: put in what the comments lack, then `orchestrator{here} --check` and `orchestrator{here}`"
        ),
    });
}

fn unwritten(path: &Path, source: std::io::Error) -> Error {
    Error::Unwritten {
        path: path.to_owned(),
        source,
    }
}
