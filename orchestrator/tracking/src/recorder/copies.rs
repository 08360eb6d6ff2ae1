//! What the pipeline's run gets of the runs of its steps, so that one row shows a whole run.

use super::Recorder;
use crate::artifacts::is_id;
use crate::names;
use crate::past::{REUSED, UP_TO_DATE};
use crate::record::{self, Pairs, Record};

impl Recorder {
    /// Gives the run of somebody else the parameters that it does not have, as far as the store says which
    /// these are: it has taken the run already, so this is no reason to run nothing.
    pub(super) fn add_parameters(&mut self, parameters: Pairs) {
        let parameters = record::parameters(parameters);
        if let Ok(parameters) = self.store.missing(&self.pipeline, parameters) {
            self.send(vec![Record::Parameters {
                run: self.pipeline.clone(),
                parameters,
            }]);
        }
    }

    /// Notes in the pipeline's run which run has made the result of a step before, with its metrics.
    pub(crate) fn note_reused(&mut self, step: &str, run: Option<&str>) {
        let tag = format!("{REUSED}{}", names::part_of_name(step));
        self.note(vec![(tag, run.unwrap_or("unrecorded").to_owned())]);
        // A file says which run that was.
        if let Some(from) = run.filter(|run| is_id(run)) {
            self.keep(vec![self.copy(from, step, record::now())]);
        }
    }

    /// Notes that nothing had to run. A run of somebody else is not ours to call so.
    pub(crate) fn note_up_to_date(&mut self) {
        if self.is_ours {
            self.note(vec![(UP_TO_DATE.to_owned(), "true".to_owned())]);
        }
    }

    /// Asks for the metrics of a step's run, as of `time`.
    pub(super) fn copy(&self, from: &str, step: &str, time: u64) -> Record {
        Record::Copy {
            run: self.pipeline.clone(),
            from: from.to_owned(),
            step: step.to_owned(),
            time,
        }
    }
}
