//! What is there, looked at: the steps of a pipeline, and the records of its runs. Nothing is started or
//! written.

use std::path::Path;

use plan::definition::Pipeline;
use tracking::{Found, Past, Records, TrackingError, difference};

use super::written;
use crate::error::Error;
use crate::invocation::{Action, Invocation};
use crate::report::output::print_log;
use crate::report::{details, graph, history, list};

/// Does what is asked for.
pub(super) fn act(
    invocation: &Invocation,
    pipeline: &Pipeline,
    caller: &Path,
) -> Result<(), Error> {
    let (request, format) = (&invocation.request, invocation.format);
    let records = || {
        let place = (pipeline.name.as_str(), pipeline.root(), caller);
        Records::open(&request.tracking, place)
    };
    match &invocation.action {
        Action::List => written(list::print(pipeline, request, format, caller)),
        Action::Graph => {
            let sketch = plan::sketch(pipeline, request, caller).map_err(Error::Plan)?;
            written(graph::print(&pipeline.name, &sketch, format))
        }
        Action::History(limit) => {
            let runs = records()?.last(limit.unwrap_or(usize::MAX), limit.is_none())?;
            written(history::print(&runs, format))
        }
        Action::Show(run) => {
            let mut records = records()?;
            let found = records.find(run)?;
            written(details::show(&found, &records, format))
        }
        Action::Diff(old, new) => {
            let mut records = records()?;
            let (old, new) = (whole(&mut records, old)?, whole(&mut records, new)?);
            let difference = difference(&old, &new);
            written(details::diff((&old.run, &new.run), &difference, format))
        }
        Action::Logs { step, follow: true } => {
            written(print_log(records()?.follow(step.as_deref())?))
        }
        Action::Logs { step, .. } => written(print_log(records()?.newest_log(step.as_deref())?)),
        _ => Ok(()),
    }
}

/// The run of the pipeline whose id begins so.
fn whole(records: &mut Records, begin: &str) -> Result<Past, TrackingError> {
    match records.find(begin)? {
        Found::Run(past) => Ok(*past),
        Found::Step(found) => Err(TrackingError::RunOfStep {
            run: begin.to_owned(),
            step: found.0.step.unwrap_or_default(),
            pipeline: found.1.id,
        }),
    }
}
