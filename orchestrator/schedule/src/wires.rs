//! The files by which steps are wired. Pure: paths are compared as they are, absolute.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

/// A file or folder that a parameter names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The parameter.
    pub name: String,
    /// As the step is told.
    pub path: PathBuf,
    /// Through the links of what exists, so that two names of one file are the same.
    pub real: PathBuf,
}

/// The files that a step reads and writes.
#[derive(Debug, Default, Clone)]
pub struct Files {
    /// What its parameters name, but for files that are only written.
    pub inputs: Vec<NamedFile>,
    /// What its parameters name as files to write.
    pub outputs: Vec<NamedFile>,
}

impl Files {
    /// Whether it reads a path, something in it, or a folder that holds it.
    pub fn read_of(&self, path: &Path) -> bool {
        let mut inputs = self.inputs.iter();
        inputs.any(|input| input.real.starts_with(path) || path.starts_with(&input.real))
    }

    /// Whether it reads exactly this path.
    pub fn reads(&self, path: &Path) -> bool {
        self.inputs.iter().any(|input| input.real == path)
    }
}

/// Steps by paths that they have to do with.
///
/// Two paths are the same when they are equal, or one is a folder that holds the other.
#[derive(Debug, Default)]
pub struct Paths<'a>(BTreeMap<&'a Path, Vec<usize>>);

impl<'a> Paths<'a> {
    /// The outputs of steps, which are counted from 0.
    pub fn written(steps: impl Iterator<Item = &'a Files>) -> Paths<'a> {
        Paths::of(steps.map(|files| files.outputs.as_slice()))
    }

    /// The inputs of steps, which are counted from 0.
    pub fn read(steps: impl Iterator<Item = &'a Files>) -> Paths<'a> {
        Paths::of(steps.map(|files| files.inputs.as_slice()))
    }

    fn of(steps: impl Iterator<Item = &'a [NamedFile]>) -> Paths<'a> {
        let mut paths = Paths::default();
        for (step, files) in steps.enumerate() {
            for file in files {
                paths.0.entry(&file.real).or_default().push(step);
            }
        }
        paths
    }

    /// The steps that have to do with a path, a folder that holds it, or something below it.
    pub fn overlapping(&self, path: &Path) -> impl Iterator<Item = usize> {
        let above = path.ancestors().filter_map(|above| self.0.get(above));
        // What is below a folder follows it, as paths are ordered part by part.
        let below = self
            .0
            .range::<Path, _>((Bound::Excluded(path), Bound::Unbounded))
            .take_while(move |(other, _)| other.starts_with(path));
        let below = below.map(|(_, steps)| steps);
        above.chain(below).flatten().copied()
    }

    /// The first step that has to do with exactly this path.
    pub fn first(&self, path: &Path) -> Option<usize> {
        self.0.get(path)?.first().copied()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn files(inputs: &[&str], outputs: &[&str]) -> Files {
        let named = |paths: &[&str]| {
            let file = |path: &&str| NamedFile {
                name: "file".to_owned(),
                path: path.into(),
                real: path.into(),
            };
            paths.iter().map(file).collect()
        };
        Files {
            inputs: named(inputs),
            outputs: named(outputs),
        }
    }

    #[test]
    fn a_path_has_its_first_writer_and_all_that_overlap() {
        let steps = [
            files(&[], &["/a/b"]),
            files(&[], &["/a", "/a-b"]),
            files(&[], &["/a/b"]),
        ];
        let written = Paths::written(steps.iter());
        assert_eq!(written.first(Path::new("/a/b")), Some(0));
        assert_eq!(written.first(Path::new("/a/b/c")), None);
        let makers = |path: &str| {
            let mut makers: Vec<usize> = written.overlapping(Path::new(path)).collect();
            makers.sort_unstable();
            makers
        };
        assert_eq!(makers("/a"), [0, 1, 2]);
        assert_eq!(makers("/a/b/c"), [0, 1, 2]);
        assert_eq!(makers("/a/c"), [1]);
        assert_eq!(makers("/b"), [0; 0]);
    }
}
