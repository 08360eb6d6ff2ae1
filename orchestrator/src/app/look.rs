//! The records of earlier runs, looked at: nothing is started or written.

use std::path::Path;

use tracking::{Found, Past, Records, TrackingError, difference};

use super::written;
use crate::error::Error;
use crate::invocation::{Action, Format};
use crate::report::output::print_log;
use crate::report::{details, history};

/// Does what is asked for with the records of a pipeline: its name and folder, and the caller's folder.
pub(super) fn act(
    action: &Action,
    format: Format,
    options: &tracking::Options,
    place: (&str, &Path, &Path),
) -> Result<(), Error> {
    let mut records = Records::open(options, place)?;
    match action {
        Action::History(limit) => {
            let runs = records.last(limit.unwrap_or(usize::MAX), limit.is_none())?;
            written(history::print(&runs, format))
        }
        Action::Show(run) => {
            let found = records.find(run)?;
            written(details::show(&found, &records, format))
        }
        Action::Diff(old, new) => {
            let (old, new) = (whole(&mut records, old)?, whole(&mut records, new)?);
            let difference = difference(&old, &new);
            written(details::diff((&old.run, &new.run), &difference, format))
        }
        Action::Logs { step, follow: true } => written(print_log(records.follow(step.as_deref())?)),
        Action::Logs { step, .. } => written(print_log(records.newest_log(step.as_deref())?)),
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
