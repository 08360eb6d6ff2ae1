//! What keeps a run from starting although its plan is good, found out without a trace.

use std::path::Path;
use std::sync::Arc;

use process::lock;

use super::{Plan, Problem, ProblemKind};
use crate::definition::Pipeline;
use crate::request::Request;

/// Everything that the start of a run would say. Without a plan nothing is known of the experiments of its steps.
///
/// A tracking server is asked only if the user has named it.
pub fn problems(
    pipeline: &Pipeline,
    request: &Request,
    caller: &Path,
    plan: Option<&Plan>,
) -> Vec<Problem> {
    let root = pipeline.root();
    let mut options = request.tracking.clone();
    options.off |= pipeline.project.tracking == Some(false);
    let experiments = plan.map(Plan::experiments).unwrap_or_default();
    let of_tracking = tracking::check(&options, root, caller, &experiments).into_iter();
    let of_tracking = of_tracking.map(|error| ProblemKind::Tracking(Arc::new(error)));
    // Who waits for the lock is not kept by it.
    let of_lock = (!request.wait).then(|| lock::check(root).err()).flatten();
    let of_lock = of_lock.map(|error| ProblemKind::Lock(Arc::new(error)));
    let kinds = of_tracking.chain(of_lock);
    kinds.map(|kind| Problem::general(None, kind)).collect()
}
