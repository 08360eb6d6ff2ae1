//! What happens in a run, for those who listen.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use freshness::Made;
use tracking::Tracker;

use super::error::RunError;

/// A step by its place in the plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position<'a> {
    /// Counted from 1.
    pub(crate) number: usize,
    /// Of how many.
    pub(crate) count: usize,
    pub(crate) step: &'a str,
}

/// Who hears what happens in a run, from any thread.
pub(crate) type Listener = Arc<dyn Fn(Event) + Send + Sync>;

/// Something that happened in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event<'a> {
    /// The run has begun, and this records it.
    Begun { tracker: &'a Tracker },
    /// A step starts, if that is known for this reason.
    Started {
        position: Position<'a>,
        why: Option<&'a str>,
    },
    /// A step is left out, as its result is there.
    UpToDate {
        position: Position<'a>,
        made: &'a Made,
    },
    /// The job of a step waits for a node of the cluster.
    Queued {
        position: Position<'a>,
        /// Slurm's word for what it waits for.
        reason: &'a str,
    },
    /// The job of a step that has waited runs.
    OnNode {
        position: Position<'a>,
        node: &'a str,
    },
    /// An attempt at a step failed, and the step is tried again after a pause.
    Retry {
        position: Position<'a>,
        error: &'a RunError,
        /// Counted from 1.
        retry: u32,
        retries: u32,
        pause: Duration,
    },
    /// An attempt at a step has ended.
    Attempted {
        position: Position<'a>,
        start: Instant,
        time: Duration,
        result: Result<(), &'a RunError>,
        /// Where its output is, if it could be kept.
        log: Option<&'a Path>,
        /// What it has told itself, by name.
        metrics: &'a [(String, f64)],
    },
    /// A step succeeded.
    Finished {
        position: Position<'a>,
        time: Duration,
        /// What it has told itself, by name.
        metrics: &'a [(String, f64)],
    },
    /// A step did not succeed, or was stopped.
    Unfinished {
        position: Position<'a>,
        error: &'a RunError,
        time: Duration,
    },
    /// A step failed, and the others go on.
    Failed {
        error: &'a RunError,
        /// Whether the run may succeed all the same.
        is_allowed: bool,
    },
    /// A step failed, and the run ends with those that run beside it.
    Waiting {
        step: &'a str,
        others: &'a [&'a str],
    },
    /// A step does not run, as another one did not make what it needs.
    LeftOut {
        position: Position<'a>,
        maker: &'a str,
    },
    /// All steps succeeded, but for those that need not.
    Done {
        pipeline: &'a str,
        count: usize,
        up_to_date: usize,
        unfinished: &'a [String],
        time: Duration,
    },
    /// The run is over; its record is not closed yet.
    Ended { result: Result<(), &'a RunError> },
    /// A signal ends this process while no step runs.
    Stopped { signal: i32 },
}
