//! Which step starts next. Pure: it neither starts one nor waits for its end.

use std::collections::BTreeSet;

use mlproject::Resources;

use crate::graph::Graph;

/// What to do with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It runs.
    Start(usize),
    /// It cannot run, as this one did not make what it needs.
    LeaveOut {
        /// The step.
        step: usize,
        /// Of those that it needs, the first that has failed or was left out.
        maker: usize,
    },
}

/// The steps of a plan on their way: what waits, what may start, what runs.
#[derive(Debug)]
pub struct Scheduler<'a> {
    graph: &'a Graph,
    needed: &'a [Resources],
    jobs: usize,
    /// What no running step has taken of the machine.
    free: Resources,
    /// For how many ends each step waits.
    left: Vec<usize>,
    followers: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
    running: BTreeSet<usize>,
    failed: BTreeSet<usize>,
    is_stopped: bool,
}

impl<'a> Scheduler<'a> {
    /// The steps with these resources, of which at most `jobs` run at once on a machine that has so much.
    pub fn new(graph: &'a Graph, needed: &'a [Resources], machine: Resources, jobs: usize) -> Self {
        let mut followers = vec![Vec::new(); needed.len()];
        for step in 0..needed.len() {
            for earlier in graph.waits(step) {
                followers[*earlier].push(step);
            }
        }
        let left: Vec<usize> = (0..needed.len())
            .map(|step| graph.waits(step).len())
            .collect();
        Scheduler {
            graph,
            needed,
            jobs,
            free: machine,
            ready: (0..needed.len()).filter(|step| left[*step] == 0).collect(),
            left,
            followers,
            running: BTreeSet::new(),
            failed: BTreeSet::new(),
            is_stopped: false,
        }
    }

    /// What to do now; nothing until a step ends, or ever if none runs.
    ///
    /// Of those that are ready it is the first whose resources are free. Alone every step runs.
    pub fn choose(&mut self) -> Option<Next> {
        if self.is_stopped {
            return None;
        }
        // Those that are left out have their place in the order, too.
        if self.running.len() >= self.jobs {
            return None;
        }
        let chosen = self
            .ready
            .iter()
            .find_map(|step| match self.lost_maker(*step) {
                Some(maker) => Some(Next::LeaveOut { step: *step, maker }),
                None if self.running.is_empty() || self.is_free(self.needed[*step]) => {
                    Some(Next::Start(*step))
                }
                None => None,
            })?;
        match chosen {
            Next::LeaveOut { step, .. } => {
                self.ready.remove(&step);
                self.end(step, false);
            }
            Next::Start(step) => {
                self.ready.remove(&step);
                self.running.insert(step);
                self.free = each(self.free, self.needed[step], u64::saturating_sub);
            }
        }
        Some(chosen)
    }

    /// The step that did not make what this one needs.
    fn lost_maker(&self, step: usize) -> Option<usize> {
        let mut needs = self.graph.needs(step).iter();
        needs.find(|maker| self.failed.contains(maker)).copied()
    }

    /// Notes the end of a step that was started.
    pub fn ended(&mut self, step: usize, machine: Resources, is_good: bool) {
        self.running.remove(&step);
        let taken =
            |all: Resources, step: &usize| each(all, self.needed[*step], u64::saturating_sub);
        // Counted anew, as one that ran alone may have taken more than there is.
        self.free = self.running.iter().fold(machine, taken);
        self.end(step, is_good);
    }

    /// Starts nothing any more.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// What runs, in the order of the plan.
    pub fn running(&self) -> &BTreeSet<usize> {
        &self.running
    }

    fn end(&mut self, step: usize, is_good: bool) {
        if !is_good {
            self.failed.insert(step);
        }
        for follower in &self.followers[step] {
            self.left[*follower] -= 1;
            if self.left[*follower] == 0 {
                self.ready.insert(*follower);
            }
        }
    }

    fn is_free(&self, needed: Resources) -> bool {
        needed.cpus <= self.free.cpus
            && needed.memory <= self.free.memory
            && needed.gpus <= self.free.gpus
    }
}

fn each(left: Resources, right: Resources, of: fn(u64, u64) -> u64) -> Resources {
    Resources {
        cpus: of(left.cpus, right.cpus),
        memory: of(left.memory, right.memory),
        gpus: of(left.gpus, right.gpus),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Node;
    use crate::wires::Files;

    const MACHINE: Resources = Resources {
        cpus: 4,
        memory: 100,
        gpus: 1,
    };

    /// Steps that need those of the lists.
    fn graph(needs: &[&[usize]]) -> Graph {
        let files = Files::default();
        let node = |needs: &&[usize]| Node {
            files: &files,
            is_fence: false,
            needs: needs.to_vec(),
        };
        Graph::of(&needs.iter().map(node).collect::<Vec<_>>())
    }

    fn all_next(scheduler: &mut Scheduler) -> Vec<Next> {
        std::iter::from_fn(|| scheduler.choose()).collect()
    }

    #[test]
    fn what_is_ready_starts_in_order_up_to_the_limit() {
        let graph = graph(&[&[], &[], &[], &[0, 1]]);
        let needed = [Resources::default(); 4];
        let mut scheduler = Scheduler::new(&graph, &needed, MACHINE, 2);
        assert_eq!(all_next(&mut scheduler), [Next::Start(0), Next::Start(1)]);
        scheduler.ended(1, MACHINE, true);
        assert_eq!(all_next(&mut scheduler), [Next::Start(2)]);
        scheduler.ended(0, MACHINE, true);
        assert_eq!(all_next(&mut scheduler), [Next::Start(3)]);
        scheduler.ended(2, MACHINE, true);
        scheduler.ended(3, MACHINE, true);
        assert_eq!(
            (all_next(&mut scheduler), scheduler.running().len()),
            (vec![], 0)
        );
    }

    #[test]
    fn what_needs_a_failed_step_is_left_out_and_the_rest_runs() {
        let graph = graph(&[&[], &[0], &[1], &[]]);
        let needed = [Resources::default(); 4];
        let mut scheduler = Scheduler::new(&graph, &needed, MACHINE, 1);
        assert_eq!(all_next(&mut scheduler), [Next::Start(0)]);
        scheduler.ended(0, MACHINE, false);
        assert_eq!(
            all_next(&mut scheduler),
            [
                Next::LeaveOut { step: 1, maker: 0 },
                Next::LeaveOut { step: 2, maker: 1 },
                Next::Start(3)
            ]
        );
    }

    #[test]
    fn nothing_starts_after_a_stop() {
        let graph = graph(&[&[], &[0], &[]]);
        let needed = [Resources::default(); 3];
        let mut scheduler = Scheduler::new(&graph, &needed, MACHINE, 1);
        assert_eq!(all_next(&mut scheduler), [Next::Start(0)]);
        scheduler.stop();
        scheduler.ended(0, MACHINE, false);
        assert_eq!(all_next(&mut scheduler), []);
    }

    #[test]
    fn steps_that_want_too_much_together_wait_and_alone_each_runs() {
        let needs = |cpus, memory, gpus| Resources { cpus, memory, gpus };
        let needed = [
            needs(3, 0, 0),
            needs(2, 0, 0),
            needs(0, 60, 1),
            needs(1, 0, 1),
            needs(64, 0, 8),
        ];
        let graph = graph(&[&[][..]; 5]);
        let mut scheduler = Scheduler::new(&graph, &needed, MACHINE, 8);
        assert_eq!(all_next(&mut scheduler), [Next::Start(0), Next::Start(2)]);
        scheduler.ended(0, MACHINE, true);
        assert_eq!(all_next(&mut scheduler), [Next::Start(1)]);
        scheduler.ended(2, MACHINE, true);
        assert_eq!(all_next(&mut scheduler), [Next::Start(3)]);
        scheduler.ended(1, MACHINE, true);
        assert_eq!(all_next(&mut scheduler), []);
        scheduler.ended(3, MACHINE, true);
        assert_eq!(all_next(&mut scheduler), [Next::Start(4)]);
        scheduler.ended(4, MACHINE, true);
        assert_eq!(scheduler.free, MACHINE);
    }

    /// Two hundred steps that end in a random order: no edge is violated, no more run at once than may,
    /// and every step runs or is left out once.
    #[test]
    fn random_graphs_keep_their_promises() {
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..50 {
            let needs: Vec<Vec<usize>> = (0..200)
                .map(|step| {
                    (0..random(4))
                        .filter(|_| step > 0)
                        .map(|_| random(step.max(1)))
                        .collect()
                })
                .collect();
            let graph = graph(&needs.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let needed: Vec<Resources> = (0..200)
                .map(|_| Resources {
                    cpus: random(4) as u64,
                    memory: 0,
                    gpus: random(2) as u64,
                })
                .collect();
            let mut scheduler = Scheduler::new(&graph, &needed, MACHINE, 8);
            let (mut ended, mut good, mut running) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
            loop {
                while let Some(next) = scheduler.choose() {
                    match next {
                        Next::Start(step) => {
                            assert!(graph.waits(step).iter().all(|it| ended.contains(it)));
                            assert!(needs[step].iter().all(|it| good.contains(it)));
                            running.push(step);
                        }
                        Next::LeaveOut { step, maker } => {
                            assert!(
                                needs[step].contains(&maker)
                                    && ended.contains(&maker)
                                    && !good.contains(&maker)
                            );
                            assert!(ended.insert(step));
                        }
                    }
                    let taken: u64 = running.iter().map(|step| needed[*step].cpus).sum();
                    assert!(running.len() <= 8 && (taken <= 4 || running.len() == 1));
                }
                if running.is_empty() {
                    break;
                }
                let step = running.swap_remove(random(running.len()));
                let is_good = random(20) > 0;
                assert!(ended.insert(step));
                is_good.then(|| good.insert(step));
                scheduler.ended(step, MACHINE, is_good);
            }
            assert_eq!(ended.len(), 200);
        }
    }
}
