//! `--env-list` and `--env-prune`: the environments that were made.

use std::path::Path;

use environment::EnvironmentError;

use super::{lines, written};
use crate::error::Error;
use crate::invocation::{Action, Format, Invocation};
use crate::report::output::{print, print_json};
use plan::{Problem, ProblemKind};

/// Lists or removes environments.
pub(super) fn act(invocation: &Invocation, caller: &Path) -> Result<(), Error> {
    let Some(store) = plan::settings(&invocation.request, caller).store else {
        let kind = ProblemKind::Environment(EnvironmentError::NoStore);
        return Err(Error::Plan(vec![Problem::general(None, kind)]));
    };
    let unusable = |source| Error::Store {
        folder: store.root.clone(),
        source,
    };
    if let Action::EnvPrune(days) = invocation.action {
        let mut removed = Vec::new();
        let pruned = environment::prune(&store, days, &mut removed);
        written(print(&lines(&removed)))?;
        return pruned.map_err(unusable);
    }
    let listed = environment::list(&store).map_err(unusable)?;
    written(match invocation.format {
        Format::Json => print_json(&listed),
        _ => print(&lines(&listed)),
    })
}
