//! Which step makes what another one reads. Pure: paths are compared as they are, absolute.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

/// The files that a step reads and writes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Files {
    /// What its parameters name, but for the outputs.
    pub(crate) inputs: Vec<PathBuf>,
    /// The parameters that name files to write, and the files.
    pub(crate) outputs: Vec<(String, PathBuf)>,
}

/// The edges between steps, which are counted from 0 in their order.
#[derive(Debug)]
pub(crate) struct Graph {
    writers: BTreeMap<PathBuf, Vec<usize>>,
    needs: Vec<Vec<usize>>,
}

impl Graph {
    /// The graph of steps in their order: one needs every earlier one that writes what it reads.
    ///
    /// Two paths are the same when they are equal, or one is a folder that holds the other.
    pub(crate) fn of<'a>(steps: impl Iterator<Item = &'a Files> + Clone) -> Graph {
        let mut graph = Graph {
            writers: BTreeMap::new(),
            needs: Vec::new(),
        };
        for (step, files) in steps.clone().enumerate() {
            for (_, output) in &files.outputs {
                let writers = graph.writers.entry(output.clone()).or_default();
                writers.push(step);
            }
        }
        graph.needs = steps
            .enumerate()
            .map(|(step, files)| {
                let inputs = files.inputs.iter();
                let makers = inputs.flat_map(|input| graph.makers(input));
                let mut needs: Vec<usize> = makers.filter(|maker| *maker < step).collect();
                needs.sort_unstable();
                needs.dedup();
                needs
            })
            .collect();
        graph
    }

    /// The earlier steps that make what a step reads, in their order.
    pub(crate) fn needs(&self, step: usize) -> &[usize] {
        &self.needs[step]
    }

    /// The steps that write a path, a folder that holds it, or something below it.
    pub(crate) fn makers(&self, path: &Path) -> impl Iterator<Item = usize> {
        let above = path.ancestors().filter_map(|above| self.writers.get(above));
        // What is below a folder follows it, as paths are ordered part by part.
        let below = self
            .writers
            .range::<Path, _>((Bound::Excluded(path), Bound::Unbounded))
            .take_while(move |(output, _)| output.starts_with(path));
        let below = below.map(|(_, writers)| writers);
        above.chain(below).flatten().copied()
    }

    /// The first step that writes exactly this path.
    pub(crate) fn writer(&self, path: &Path) -> Option<usize> {
        self.writers.get(path)?.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(inputs: &[&str], outputs: &[&str]) -> Files {
        Files {
            inputs: inputs.iter().map(PathBuf::from).collect(),
            outputs: outputs
                .iter()
                .map(|path| ("o".to_owned(), PathBuf::from(path)))
                .collect(),
        }
    }

    #[test]
    fn a_step_needs_the_earlier_ones_that_write_what_it_reads() {
        for (steps, needs) in [
            (
                vec![files(&[], &["/a"]), files(&["/a"], &[])],
                vec![vec![], vec![0]],
            ),
            // A later one does not count.
            (
                vec![files(&["/a"], &[]), files(&[], &["/a"])],
                vec![vec![], vec![]],
            ),
            // A folder and what is in it, both ways; not what only begins with the same letters.
            (
                vec![
                    files(&[], &["/d"]),
                    files(&[], &["/e/x/y"]),
                    files(&["/d/x", "/e/x"], &[]),
                    files(&["/d2", "/e/x/yz", "/e/w"], &[]),
                ],
                vec![vec![], vec![], vec![0, 1], vec![]],
            ),
            // Once each, in their order, and none needs itself.
            (
                vec![
                    files(&[], &["/a", "/b"]),
                    files(&[], &["/c"]),
                    files(&["/c", "/b", "/a", "/d"], &["/d"]),
                ],
                vec![vec![], vec![], vec![0, 1]],
            ),
        ] {
            let graph = Graph::of(steps.iter());
            let found: Vec<&[usize]> = (0..steps.len()).map(|step| graph.needs(step)).collect();
            assert_eq!(found, needs, "{steps:?}");
        }
    }

    #[test]
    fn a_path_has_its_first_writer_and_all_its_makers() {
        let steps = [
            files(&[], &["/a/b"]),
            files(&[], &["/a", "/a-b"]),
            files(&[], &["/a/b"]),
        ];
        let graph = Graph::of(steps.iter());
        assert_eq!(graph.writer(Path::new("/a/b")), Some(0));
        assert_eq!(graph.writer(Path::new("/a/b/c")), None);
        let makers = |path: &str| {
            let mut makers: Vec<usize> = graph.makers(Path::new(path)).collect();
            makers.sort_unstable();
            makers
        };
        assert_eq!(makers("/a"), [0, 1, 2]);
        assert_eq!(makers("/a/b/c"), [0, 1, 2]);
        assert_eq!(makers("/a/c"), [1]);
        assert_eq!(makers("/b"), [0; 0]);
    }
}
