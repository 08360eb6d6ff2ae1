//! The code of a step: which files it is.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use mlproject::paths::absolute;

use crate::files::Files;
use crate::listing::{is_never_code, walk};
use crate::names::text;
use crate::subject::Subject;
use crate::tree::{Item, Links, Seen, look};

/// `*` does not reach into folders, for that is what `**` is for.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// A word of `code:` that is no path and no pattern.
#[derive(Debug, thiserror::Error)]
#[error("`code:` has `{word}`, which is no pattern: {reason}")]
pub struct CodeError {
    word: String,
    reason: &'static str,
}

/// Checks the words of `code:`.
pub fn check_code(words: &[String]) -> Result<(), CodeError> {
    words.iter().try_for_each(|word| {
        let parsed = Word::parse(Path::new("/"), word.strip_prefix('!').unwrap_or(word));
        parsed.map(drop).map_err(|reason| CodeError {
            word: word.clone(),
            reason,
        })
    })
}

/// A word of `code:`, from a folder.
enum Word {
    /// A file, or a folder with all below.
    Path(PathBuf),
    /// Files below a folder, by their paths from there.
    Pattern(PathBuf, Pattern),
}

impl Word {
    fn parse(folder: &Path, word: &str) -> Result<Word, &'static str> {
        let parts: Vec<&str> = word.split('/').collect();
        let is_pattern = |part: &&str| part.contains(['*', '?', '[']);
        let Some(first) = parts.iter().position(is_pattern) else {
            return Ok(Word::Path(absolute(folder, word)));
        };
        let base = match parts[..first].join("/") {
            // The root of the file system.
            base if base.is_empty() && first > 0 => "/".into(),
            base => base,
        };
        let pattern = Pattern::new(&parts[first..].join("/")).map_err(|error| error.msg)?;
        Ok(Word::Pattern(absolute(folder, base), pattern))
    }

    /// Whether a file is meant, or a folder that it lies in.
    fn has(&self, path: &Path) -> bool {
        match self {
            Word::Path(meant) => path.starts_with(meant),
            Word::Pattern(base, pattern) => path
                .strip_prefix(base)
                .is_ok_and(|below| matches_around(pattern, below)),
        }
    }
}

/// Whether a pattern meant a path or a folder around it.
fn matches_around(pattern: &Pattern, below: &Path) -> bool {
    let mut around = below
        .ancestors()
        .filter(|part| !part.as_os_str().is_empty());
    around.any(|part| pattern.matches_path_with(part, MATCHING))
}

/// Finds the files, sorted by name, and looks at each. What a step that has just finished left counts
/// if it has to be `current`.
pub(crate) fn gather(subject: &Subject, files: &Files, current: bool) -> Vec<Item> {
    let mut gathering = Gathering {
        subject,
        files,
        current,
        items: Vec::new(),
    };
    match subject.code {
        _ if subject.commit.is_some() => {}
        None => gathering.folder(subject.folder, None),
        Some(words) => gathering.words(words),
    }
    let mut items = gathering.items;
    items.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    items.dedup_by(|left, right| left.name == right.name);
    items
}

/// Whether `code:` takes a path out, as `!build` does with all that is built there.
pub(crate) fn is_taken_out(subject: &Subject, path: &Path) -> bool {
    let words = subject.code.into_iter().flatten();
    let mut taken =
        words.filter_map(|word| Word::parse(subject.folder, word.strip_prefix('!')?).ok());
    taken.any(|word| word.has(path))
}

struct Gathering<'a> {
    subject: &'a Subject<'a>,
    files: &'a Files,
    current: bool,
    items: Vec<Item>,
}

impl Gathering<'_> {
    fn words(&mut self, words: &[String]) {
        let folder = self.subject.folder;
        // One that is wrong was found by `check_code`.
        let parse = |word: &str| Word::parse(folder, word).ok();
        let (taken, given): (Vec<&String>, Vec<&String>) =
            words.iter().partition(|word| word.starts_with('!'));
        for word in given.iter().filter_map(|word| parse(word)) {
            match word {
                Word::Path(path) => self.path(path),
                Word::Pattern(base, pattern) => self.folder(&base, Some(&pattern)),
            }
        }
        let taken: Vec<Word> = taken.iter().filter_map(|word| parse(&word[1..])).collect();
        let is_taken = |item: &Item| taken.iter().any(|word| word.has(&item.path));
        self.items.retain(|item| !is_taken(item));
    }

    /// A path that is named counts whatever git thinks of it.
    fn path(&mut self, path: PathBuf) {
        if path.is_dir() {
            return self.folder(&path, None);
        }
        self.items.push(Item {
            name: self.files.base().name(&path),
            seen: look(&path, Links::Count),
            path,
        });
    }

    /// The files that are code in a folder, or those of them that match.
    fn folder(&mut self, folder: &Path, pattern: Option<&Pattern>) {
        let listed = self.files.code(folder, self.current);
        self.listed(folder, Path::new(""), &listed, pattern);
    }

    /// Files of a folder by their paths from `inner`, a folder in it that is listed on its own.
    fn listed(
        &mut self,
        folder: &Path,
        inner: &Path,
        listed: &[PathBuf],
        pattern: Option<&Pattern>,
    ) {
        let around = folder.join(inner);
        let not_code = below(self.subject.not_code, &around);
        let prefix = self.files.base().name(&around);
        for file in listed {
            let bytes = file.as_os_str().as_bytes();
            let is_meant = pattern.is_none_or(|it| matches_around(it, &inner.join(file)));
            if bytes.split(|byte| *byte == b'/').any(is_never_code)
                || not_code.iter().any(|other| is_within(bytes, other))
            {
                continue;
            }
            let path = around.join(file);
            let seen = look(&path, Links::Count);
            match seen {
                // Deleted, though git still has it.
                Seen::Missing => {}
                Seen::Folder => self.nested(folder, &inner.join(file), pattern),
                _ if !is_meant || self.is_link_to_other(&path, &seen) => {}
                seen => self.items.push(Item {
                    name: joined(&prefix, file),
                    path,
                    seen,
                }),
            }
        }
    }

    /// A submodule, or another repository that lies here.
    fn nested(&mut self, folder: &Path, inner: &Path, pattern: Option<&Pattern>) {
        let path = folder.join(inner);
        if path.join(".git").symlink_metadata().is_ok() {
            let listed = self.files.code(&path, self.current);
            return self.listed(folder, inner, &listed, pattern);
        }
        let listed = walk(&path);
        if listed.iter().any(|file| file.as_os_str().is_empty()) {
            return self.items.push(Item {
                name: self.files.base().name(&path),
                path,
                seen: Seen::Odd("cannot be read".into()),
            });
        }
        self.listed(folder, inner, &listed, pattern);
    }

    /// Whether a link leads to what is no code. It may be written there, and counts as what it is.
    fn is_link_to_other(&self, path: &Path, seen: &Seen) -> bool {
        let leads = matches!(seen, Seen::Link(_, Some(_)));
        // One that holds the step itself says nothing of what lies beside that.
        let others = self.subject.not_code.iter();
        let mut others = others.filter(|other| !self.subject.folder.starts_with(other));
        leads
            && path
                .canonicalize()
                .is_ok_and(|real| others.any(|other| real.starts_with(other)))
    }
}

/// The paths that lie in a folder, from there.
fn below<'a>(paths: &'a [PathBuf], folder: &Path) -> Vec<&'a [u8]> {
    let below = paths
        .iter()
        .filter_map(|path| path.strip_prefix(folder).ok());
    below
        .map(|path| path.as_os_str().as_bytes())
        .filter(|path| !path.is_empty())
        .collect()
}

/// As `Path::starts_with`, of which 10,000 files would need many.
fn is_within(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.first().is_none_or(|next| *next == b'/'))
}

fn joined(prefix: &str, file: &Path) -> String {
    match (prefix, file.to_str()) {
        (".", Some(file)) => file.to_owned(),
        (_, Some(file)) if !prefix.starts_with('\0') => format!("{prefix}/{file}"),
        // Bytes cannot stand behind text.
        _ => text(&Path::new(prefix).join(file)),
    }
}
