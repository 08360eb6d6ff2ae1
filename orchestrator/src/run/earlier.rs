//! The runs of earlier steps, of which later ones take values.

use std::sync::PoisonError;

use freshness::{Made, last_run};
use plan::PlannedStep;
use tracking::StoredRun;

use super::Run;
use super::error::RunError;

impl Run<'_> {
    /// Finds the runs of steps that are not part of this run, before anything else is done.
    pub(super) fn find_earlier_runs(&self) -> Result<(), RunError> {
        for step in &self.plan.steps {
            for of in step.deferred.iter().flat_map(|it| &it.steps) {
                if self.plan.steps.iter().any(|other| other.name == *of) {
                    continue;
                }
                let run = last_run(&self.plan.root, of).and_then(|id| self.tracker.run(&id));
                let run = run.or_else(|| self.newest_run(of));
                if run.is_none() {
                    return Err(no_run(step, of));
                }
                self.note_run(of, run);
            }
        }
        Ok(())
    }

    /// Remembers the run of a step, if another one takes values of it.
    pub(super) fn note_run(&self, step: &str, run: Option<StoredRun>) {
        if let Some(run) = run.filter(|_| self.is_wanted(step)) {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.insert(step.to_owned(), run);
        }
    }

    /// As [`Run::note_run`], of a step that is up to date.
    pub(super) fn note_earlier_run(&self, step: &str, made: &Made) {
        if self.is_wanted(step) {
            let run = made.run.as_deref().and_then(|id| self.tracker.run(id));
            self.note_run(step, run.or_else(|| self.newest_run(step)));
        }
    }

    /// The step with the values of earlier runs; none if it takes none.
    pub(super) fn filled_in(&self, step: &PlannedStep) -> Result<Option<PlannedStep>, RunError> {
        let Some(deferred) = &step.deferred else {
            return Ok(None);
        };
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of) = deferred.steps.iter().find(|of| !runs.contains_key(*of)) {
            return Err(no_run(step, of));
        }
        let wrong = |problem| RunError::Value {
            step: step.name.clone(),
            problem: Box::new(problem),
        };
        let filled = step.filled_in(&runs).transpose().map_err(wrong)?;
        match filled.as_ref().and_then(PlannedStep::wrong_path) {
            Some(problem) => Err(wrong(problem)),
            None => Ok(filled),
        }
    }

    fn is_wanted(&self, name: &str) -> bool {
        let mut deferred = self.plan.steps.iter().flat_map(|step| &step.deferred);
        deferred.any(|deferred| deferred.steps.iter().any(|wanted| wanted == name))
    }

    fn newest_run(&self, step: &str) -> Option<StoredRun> {
        self.tracker.newest_run(&self.plan.pipeline, step)
    }
}

fn no_run(step: &PlannedStep, of: &str) -> RunError {
    RunError::NoRun {
        step: step.name.clone(),
        of: of.to_owned(),
    }
}
