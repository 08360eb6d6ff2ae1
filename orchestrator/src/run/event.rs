//! What happens in a run, for those who listen.

use std::time::Duration;

use freshness::Made;

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

/// Something that happened in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event<'a> {
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
    /// An attempt at a step failed, and the step is tried again after a pause.
    Retry {
        position: Position<'a>,
        error: &'a RunError,
        /// Counted from 1.
        retry: u32,
        retries: u32,
        pause: Duration,
    },
    /// A step succeeded.
    Finished {
        position: Position<'a>,
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
}
