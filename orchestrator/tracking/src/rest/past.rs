//! What is read back: runs, by what they are named.

use std::time::Duration;

use serde_json::{Value, json};

use super::Rest;
use crate::answer::Failure;
use crate::artifacts::is_id;
use crate::origin::Before;
use crate::past::PastRun;
use crate::record::Pairs;
use crate::stored::StoreError;
use crate::waiting::Patience;
use crate::wire::{past, quoted, text};

/// How many runs are asked for at once.
const PAGE: usize = 100;

impl Rest {
    /// A run by its id, if there is one that we may see. An id may come from a file, so that a refusal is no
    /// reason to keep other records back.
    pub(crate) fn run(&self, id: &str, patience: Patience) -> Result<Option<PastRun>, StoreError> {
        self.http.retry(patience, |this| {
            match self.get("runs/get", &[("run_id", id)], this.timeout) {
                Ok(found) => Ok(Some(past(&found["run"]))),
                Err(failure) if failure.may_pass => Err(failure),
                Err(_) => Ok(None),
            }
        })
    }

    /// The parameters that a run does not have yet. MLflow refuses another value for one that it has.
    pub(crate) fn missing(
        &self,
        run: &str,
        mut parameters: Pairs,
        patience: Patience,
    ) -> Result<Pairs, StoreError> {
        let known = self.run(run, patience)?.unwrap_or_default().parameters;
        parameters.retain(|(name, _)| known.iter().all(|(known, _)| known != name));
        Ok(parameters)
    }

    /// The last runs of a pipeline that are wanted, newest first.
    pub(crate) fn runs(
        &self,
        experiment: &str,
        pipeline: &str,
        limit: usize,
        is_wanted: &dyn Fn(&PastRun) -> bool,
    ) -> Result<Vec<PastRun>, StoreError> {
        let filter = format!("tags.`pipeline.name` = {}", quoted(pipeline));
        let order = "attributes.start_time DESC";
        let (mut runs, mut next) = (Vec::new(), None);
        loop {
            let page = self.http.retry(Patience::Full, |this| {
                let limit = limit.min(PAGE);
                self.page(
                    experiment,
                    &filter,
                    order,
                    limit,
                    next.as_deref(),
                    this.timeout,
                )
            })?;
            let left = limit - runs.len();
            let wanted = page.0.iter().map(past).filter(|run| is_wanted(run));
            runs.extend(wanted.take(left));
            next = page.1;
            if runs.len() == limit || next.is_none() {
                return Ok(runs);
            }
        }
    }

    /// The runs of the steps of a pipeline's run, in the order in which they started. Those in other
    /// experiments are the ones that it names.
    pub(crate) fn steps(
        &self,
        experiment: &str,
        run: &PastRun,
    ) -> Result<Vec<PastRun>, StoreError> {
        let filter = format!("tags.mlflow.parentRunId = {}", quoted(&run.id));
        let found = self.http.retry(Patience::Full, |this| {
            let order = "attributes.start_time ASC";
            self.search(experiment, &filter, order, 1000, this.timeout)
        })?;
        let mut steps: Vec<PastRun> = found.iter().map(past).collect();
        let tags = run.tags.iter();
        let named = tags.filter(|(name, id)| name.starts_with("pipeline.step.") && is_id(id));
        for (_, id) in named {
            if steps.iter().all(|step| step.id != *id)
                && let Some(step) = self.run(id, Patience::Full)?
            {
                let place = steps.partition_point(|known| known.start <= step.start);
                steps.insert(place, step);
            }
        }
        Ok(steps)
    }

    /// The run of a pipeline before that of this id.
    pub(crate) fn before(
        &self,
        experiment: &str,
        pipeline: &str,
        run: &str,
    ) -> Result<Option<Before>, StoreError> {
        self.http.retry(Patience::Once, |this| {
            let filter = format!("tags.`pipeline.name` = {}", quoted(pipeline));
            let order = "attributes.start_time DESC";
            let newest = self.search(experiment, &filter, order, 2, this.timeout)?;
            let Some(before) = newest.iter().map(past).find(|found| found.id != run) else {
                return Ok(None);
            };
            let filter = format!("tags.mlflow.parentRunId = {}", quoted(&before.id));
            let order = "attributes.start_time ASC";
            let steps = self.search(experiment, &filter, order, 1000, this.timeout)?;
            let steps = steps.iter().map(past);
            Ok(Some(Before {
                start: before.start,
                parameters: before.parameters,
                steps: steps
                    .filter_map(|run| Some((run.step?, run.parameters)))
                    .collect(),
            }))
        })
    }

    pub(super) fn search(
        &self,
        experiment: &str,
        filter: &str,
        order: &str,
        limit: usize,
        timeout: Duration,
    ) -> Result<Vec<Value>, Failure> {
        let page = self.page(experiment, filter, order, limit, None, timeout);
        page.map(|(runs, _)| runs)
    }

    /// A page of runs, and the name of the next one.
    fn page(
        &self,
        experiment: &str,
        filter: &str,
        order: &str,
        limit: usize,
        page: Option<&str>,
        timeout: Duration,
    ) -> Result<(Vec<Value>, Option<String>), Failure> {
        let mut body = json!({
            "experiment_ids": [experiment],
            "filter": filter,
            "order_by": [order],
            "max_results": limit,
        });
        if let Some(page) = page {
            body["page_token"] = json!(page);
        }
        let mut answer = self.post("runs/search", &body, timeout)?;
        let next = text(&answer, "next_page_token");
        let next = (!next.is_empty() && Some(next.as_str()) != page).then_some(next);
        match answer["runs"].take() {
            Value::Array(runs) => Ok((runs, next)),
            // As an empty list is written.
            Value::Null => Ok((Vec::new(), None)),
            _ => Err(Failure::not_mlflows("its `runs` are no list")),
        }
    }
}
