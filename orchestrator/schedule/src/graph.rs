//! Which step waits for which, and in which order they stand. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::wires::{Files, Paths};

/// What the graph knows of a step.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    /// What it reads and writes.
    pub files: &'a Files,
    /// Whether nothing is said of what it needs: it waits for all before it, and all after it for it.
    pub is_fence: bool,
    /// The steps of its `needs:`.
    pub needs: Vec<usize>,
}

/// The edges between steps, which are counted from 0 in their order.
#[derive(Debug, Default)]
pub struct Graph {
    needs: Vec<Vec<usize>>,
    waits: Vec<Vec<usize>>,
}

impl Graph {
    /// The graph of steps in their order, in which each waits for earlier ones alone.
    pub fn of(nodes: &[Node]) -> Graph {
        let written = Paths::written(nodes.iter().map(|node| node.files));
        let read = Paths::read(nodes.iter().map(|node| node.files));
        let mut graph = Graph::default();
        let mut fence = None;
        for (step, node) in nodes.iter().enumerate() {
            let before = |other: &usize| *other < step;
            let inputs = node.files.inputs.iter();
            let makers = inputs.flat_map(|input| written.overlapping(&input.real));
            let needs: BTreeSet<usize> = makers
                .chain(node.needs.iter().copied())
                .filter(before)
                .collect();
            let outputs = node.files.outputs.iter();
            let others = outputs.flat_map(|output| {
                // They read what this one overwrites, or write into the same folder.
                let readers = read.overlapping(&output.real);
                readers.chain(written.overlapping(&output.real))
            });
            let mut waits: BTreeSet<usize> =
                others.filter(before).chain(needs.iter().copied()).collect();
            // What is before the last fence has ended when that has.
            waits.extend(fence);
            if node.is_fence {
                waits.extend(fence.unwrap_or(0)..step);
                fence = Some(step);
            }
            graph.needs.push(needs.into_iter().collect());
            graph.waits.push(waits.into_iter().collect());
        }
        graph
    }

    /// The earlier steps without whose success a step cannot run, in their order: they make what it reads,
    /// or are named by its `needs:`.
    pub fn needs(&self, step: usize) -> &[usize] {
        &self.needs[step]
    }

    /// The earlier steps whose end a step waits for, in their order. Those that it waits for through others
    /// may be left out.
    pub fn waits(&self, step: usize) -> &[usize] {
        &self.waits[step]
    }

    /// As [`Graph::waits`]; none where that is just the step before, or the step is the first.
    pub fn waits_otherwise(&self, step: usize) -> Option<&[usize]> {
        let before = step.checked_sub(1)?;
        let waits = self.waits(step);
        (waits != [before]).then_some(waits)
    }

    /// These steps and all that wait for them.
    pub fn from(&self, steps: &[usize]) -> BTreeSet<usize> {
        let mut chosen: BTreeSet<usize> = steps.iter().copied().collect();
        for (step, waits) in self.waits.iter().enumerate() {
            if waits.iter().any(|earlier| chosen.contains(earlier)) {
                chosen.insert(step);
            }
        }
        chosen
    }

    /// These steps and all that they wait for.
    pub fn until(&self, steps: &[usize]) -> BTreeSet<usize> {
        let mut chosen: BTreeSet<usize> = steps.iter().copied().collect();
        for step in (0..self.waits.len()).rev() {
            if chosen.contains(&step) {
                chosen.extend(&self.waits[step]);
            }
        }
        chosen
    }
}

/// Why there is no order.
#[derive(Debug, PartialEq, Eq)]
pub enum OrderError {
    /// The definition lists a step before the one that makes what it reads, by this input.
    Reversed {
        /// The step that reads it.
        reader: usize,
        /// The input, by its place among those of the reader.
        input: usize,
        /// The step that makes it.
        writer: usize,
        /// The order in which it would be right.
        right: Vec<usize>,
    },
    /// Each waits for the next, and the last for the first.
    Cycle(Vec<usize>),
}

/// The order of steps. The first ones are `fixed`: the definition lists them, so they stay in their order;
/// the others stand behind what they need, and else as they are named.
pub fn order(nodes: &[Node], fixed: usize) -> Result<Vec<usize>, OrderError> {
    let written = Paths::written(nodes.iter().map(|node| node.files));
    let wires = wires(nodes, &written);
    let reversed = nodes[..fixed]
        .iter()
        .enumerate()
        .find_map(|(reader, node)| {
            node.files
                .inputs
                .iter()
                .enumerate()
                .find_map(|(input, file)| {
                    let mut makers = written.overlapping(&file.real);
                    // Then it reads what that one has made.
                    if makers.by_ref().any(|maker| maker < reader) {
                        return None;
                    }
                    let later = |maker: &usize| {
                        (reader..fixed).contains(maker) && wires[reader].contains(maker)
                    };
                    let writer = written.overlapping(&file.real).find(later)?;
                    Some((reader, input, writer))
                })
        });
    if let Some((reader, input, writer)) = reversed {
        let right = sorted(&wires)?;
        return Err(OrderError::Reversed {
            reader,
            input,
            writer,
            right,
        });
    }
    let mut edges = wires;
    for (step, before) in edges.iter_mut().enumerate().take(fixed) {
        // The definition's order stands, so what is wired against it is none of these edges.
        before.retain(|maker| *maker >= fixed || *maker < step);
        before.extend(step.checked_sub(1));
    }
    sorted(&edges)
}

/// For each step those that have to stand before it: they make what it reads, or it needs them.
fn wires(nodes: &[Node], written: &Paths) -> Vec<BTreeSet<usize>> {
    let of_step = |(step, node): (usize, &Node)| {
        let inputs = node.files.inputs.iter();
        let makers = inputs.flat_map(|input| {
            let makers = written.overlapping(&input.real);
            // One that reads it too changes what is there, and one that needs this step comes after it.
            makers.filter(move |maker| {
                let maker = &nodes[*maker];
                !maker.files.reads(&input.real) && !maker.needs.contains(&step)
            })
        });
        let all = makers.chain(node.needs.iter().copied());
        all.filter(|other| *other != step).collect()
    };
    nodes.iter().enumerate().map(of_step).collect()
}

/// The steps in an order in which each stands behind those of its edges; the first that can, first.
fn sorted(edges: &[BTreeSet<usize>]) -> Result<Vec<usize>, OrderError> {
    let mut followers = vec![Vec::new(); edges.len()];
    let mut left: Vec<usize> = edges.iter().map(BTreeSet::len).collect();
    for (step, before) in edges.iter().enumerate() {
        for earlier in before {
            followers[*earlier].push(step);
        }
    }
    let free = (0..edges.len()).filter(|step| left[*step] == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = free.map(Reverse).collect();
    let mut order = Vec::with_capacity(edges.len());
    while let Some(Reverse(step)) = ready.pop() {
        order.push(step);
        for follower in &followers[step] {
            left[*follower] -= 1;
            if left[*follower] == 0 {
                ready.push(Reverse(*follower));
            }
        }
    }
    if order.len() == edges.len() {
        return Ok(order);
    }
    // Every step that is left waits for another one that is left.
    let is_left = |step: &usize| left[*step] > 0;
    let mut trail: Vec<usize> = (0..edges.len()).find(is_left).into_iter().collect();
    while let Some(next) = trail
        .last()
        .and_then(|last| edges[*last].iter().copied().find(is_left))
    {
        if let Some(begin) = trail.iter().position(|step| *step == next) {
            return Err(OrderError::Cycle(trail.split_off(begin)));
        }
        trail.push(next);
    }
    unreachable!("a step that is left waits for one that is left")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wires::tests::files;

    fn node(files: &Files) -> Node<'_> {
        Node {
            files,
            is_fence: false,
            needs: Vec::new(),
        }
    }

    fn waits(nodes: &[Node]) -> Vec<Vec<usize>> {
        let graph = Graph::of(nodes);
        (0..nodes.len())
            .map(|step| graph.waits(step).to_vec())
            .collect()
    }

    #[test]
    fn a_step_waits_for_those_before_it_that_touch_its_files() {
        for (steps, expected) in [
            (
                vec![files(&[], &["/a"]), files(&["/a"], &[])],
                vec![vec![], vec![0]],
            ),
            // What it overwrites is read before; and a folder is written by both.
            (
                vec![files(&["/a"], &[]), files(&[], &["/a"])],
                vec![vec![], vec![0]],
            ),
            (
                vec![files(&[], &["/d/x"]), files(&[], &["/d"])],
                vec![vec![], vec![0]],
            ),
            // Two may read one file.
            (
                vec![files(&["/a"], &[]), files(&["/a"], &[])],
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
            // Once each, in their order, and none waits for itself.
            (
                vec![
                    files(&[], &["/a", "/b"]),
                    files(&[], &["/c"]),
                    files(&["/c", "/b", "/a", "/d"], &["/d"]),
                ],
                vec![vec![], vec![], vec![0, 1]],
            ),
        ] {
            let nodes: Vec<Node> = steps.iter().map(node).collect();
            assert_eq!(waits(&nodes), expected, "{steps:?}");
        }
    }

    #[test]
    fn overwriting_orders_and_hands_on_no_failure() {
        let steps = [
            files(&["/a"], &[]),
            files(&[], &["/a"]),
            files(&["/a"], &[]),
        ];
        let graph = Graph::of(&steps.each_ref().map(node));
        assert_eq!([graph.needs(1), graph.needs(2)], [&[][..], &[1]]);
    }

    #[test]
    fn a_fence_waits_for_all_and_all_wait_for_it() {
        let none = Files::default();
        let nodes = [false, false, true, false, true, true].map(|is_fence| Node {
            is_fence,
            ..node(&none)
        });
        assert_eq!(
            waits(&nodes),
            [vec![], vec![], vec![0, 1], vec![2], vec![2, 3], vec![4]]
        );
        let graph = Graph::of(&nodes);
        assert_eq!(Vec::from_iter(graph.from(&[3])), [3, 4, 5]);
        assert_eq!(Vec::from_iter(graph.until(&[2])), [0, 1, 2]);
        assert_eq!(Vec::from_iter(graph.until(&[1])), [1]);
    }

    #[test]
    fn what_is_needed_by_name_is_waited_for_and_hands_its_failure_on() {
        let none = Files::default();
        let nodes = [vec![], vec![], vec![0]].map(|needs| Node {
            needs,
            ..node(&none)
        });
        let graph = Graph::of(&nodes);
        assert_eq!((graph.waits(2), graph.needs(2)), (&[0][..], &[0][..]));
    }

    #[test]
    fn free_steps_stand_behind_what_they_need() {
        let steps = [
            files(&["/model", "/test"], &["/score"]),
            files(&["/train"], &["/model"]),
            files(&["/raw"], &["/train", "/test"]),
            files(&[], &["/other"]),
        ];
        let mut nodes = steps.each_ref().map(node);
        assert_eq!(order(&nodes, 0), Ok(vec![2, 1, 0, 3]));
        nodes[2].needs = vec![3];
        assert_eq!(order(&nodes, 0), Ok(vec![3, 2, 1, 0]));
        nodes[3].needs = vec![0];
        assert_eq!(order(&nodes, 0), Err(OrderError::Cycle(vec![0, 1, 2, 3])));
    }

    #[test]
    fn a_free_step_may_stand_before_a_listed_one() {
        let steps = [
            files(&["/b"], &[]),
            files(&["/c"], &[]),
            files(&[], &["/b"]),
        ];
        assert_eq!(order(&steps.each_ref().map(node), 2), Ok(vec![2, 0, 1]));
        // Then the listed ones would have to change places.
        let steps = [
            files(&["/b"], &[]),
            files(&[], &["/c"]),
            files(&["/c"], &["/b"]),
        ];
        let cycle = OrderError::Cycle(vec![0, 2, 1]);
        assert_eq!(order(&steps.each_ref().map(node), 2), Err(cycle));
    }

    #[test]
    fn a_listed_reader_before_its_writer_is_told_with_the_right_order() {
        let steps = [
            files(&["/x"], &[]),
            files(&["/a"], &["/b"]),
            files(&[], &["/a"]),
            files(&[], &["/c"]),
        ];
        let nodes = steps.each_ref().map(node);
        let expected = OrderError::Reversed {
            reader: 1,
            input: 0,
            writer: 2,
            right: vec![0, 2, 1, 3],
        };
        assert_eq!(order(&nodes, 4), Err(expected));
        // One who says that it needs the reader comes after it on purpose.
        let mut nodes = steps.each_ref().map(node);
        nodes[2].needs = vec![1];
        assert_eq!(order(&nodes, 4), Ok(vec![0, 1, 2, 3]));
        // So does one that reads the file itself, or overwrites what an earlier one has made.
        for steps in [
            vec![files(&["/a"], &[]), files(&["/a"], &["/a"])],
            vec![
                files(&[], &["/d/a"]),
                files(&["/d/a"], &[]),
                files(&[], &["/d"]),
            ],
        ] {
            let nodes: Vec<Node> = steps.iter().map(node).collect();
            let all: Vec<usize> = (0..steps.len()).collect();
            assert_eq!(order(&nodes, steps.len()), Ok(all));
        }
    }

    const PATHS: [&str; 8] = ["/a", "/a/b", "/a/b/c", "/a-b", "/d", "/d/e", "/f", "/g/h"];

    /// Every edge by the definition of each, without a shortcut.
    #[test]
    fn the_graph_of_random_steps_is_that_of_the_rules() {
        let mut state = 7_u64;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..300 {
            let count = 1 + random(12);
            let mut some = || {
                let many = random(3);
                (0..many)
                    .map(|_| PATHS[random(PATHS.len())])
                    .collect::<Vec<_>>()
            };
            let steps: Vec<Files> = (0..count).map(|_| files(&some(), &some())).collect();
            let nodes: Vec<Node> = steps
                .iter()
                .enumerate()
                .map(|(step, files)| Node {
                    files,
                    is_fence: random(5) == 0,
                    needs: if step > 0 && random(4) == 0 {
                        vec![random(step)]
                    } else {
                        vec![]
                    },
                })
                .collect();
            let graph = Graph::of(&nodes);
            let touch = |left: &[crate::NamedFile], right: &[crate::NamedFile]| {
                left.iter().any(|left| {
                    right.iter().any(|right| {
                        left.real.starts_with(&right.real) || right.real.starts_with(&left.real)
                    })
                })
            };
            for later in 0..count {
                for earlier in 0..later {
                    let (i, j) = (&nodes[earlier], &nodes[later]);
                    let hands_on =
                        touch(&i.files.outputs, &j.files.inputs) || j.needs.contains(&earlier);
                    let waits = hands_on
                        || touch(&i.files.inputs, &j.files.outputs)
                        || touch(&i.files.outputs, &j.files.outputs)
                        || i.is_fence
                        || j.is_fence;
                    assert_eq!(graph.needs(later).contains(&earlier), hands_on);
                    let through = graph.until(&[later]);
                    assert!(!waits || through.contains(&earlier), "{steps:?}");
                    // And it waits for no other one itself.
                    assert!(waits || !graph.waits(later).contains(&earlier));
                }
            }
        }
    }
}
