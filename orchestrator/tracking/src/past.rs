//! Runs as a store has them, read back.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::names;
use crate::record::{Pairs, Status, moment};

/// A pipeline's run, with those of its steps.
#[derive(Debug)]
pub struct Past {
    /// The pipeline's own.
    pub run: PastRun,
    /// Those of its steps, one for each try, in the order in which they started.
    pub steps: Vec<PastRun>,
    /// Those that made what was up to date, as far as the store still has them.
    pub reused: Vec<PastRun>,
}

/// A run. Its texts are what a store says: nothing in them can be trusted.
#[derive(Debug, Clone, Default)]
pub struct PastRun {
    /// Its id in the store.
    pub id: String,
    /// Its name.
    pub name: String,
    /// MLflow's word, in capitals.
    pub status: String,
    /// Milliseconds since 1970.
    pub start: u64,
    /// The same; none while it goes on.
    pub end: Option<u64>,
    /// The URI of its artifacts.
    pub artifacts: String,
    /// The step's name; a run that something else nested under the pipeline has none.
    pub step: Option<String>,
    /// Whether it is a pipeline's in which every step was up to date.
    pub is_up_to_date: bool,
    /// By name.
    pub parameters: Pairs,
    /// The newest values, by name.
    pub metrics: Vec<(String, f64)>,
    /// By name.
    pub tags: Pairs,
}

/// The tag of a pipeline's run in which every step was up to date.
pub(crate) const UP_TO_DATE: &str = "pipeline.up_to_date";

/// How the tags begin that name the runs by which what is up to date was made.
pub(crate) const REUSED: &str = "pipeline.reused.";

/// The tag with the name of a step.
pub(crate) const STEP: &str = "pipeline.step";

/// The tag that tells the code of a step's run from other code.
pub(crate) const CODE: &str = "pipeline.code";

/// The tag with the environment of a step's run.
pub(crate) const ENVIRONMENT: &str = "pipeline.environment";

/// The tag with the commit of a run's source.
pub(crate) const COMMIT: &str = "mlflow.source.git.commit";

impl PastRun {
    /// How long it took; none while it goes on.
    pub fn time(&self) -> Option<Duration> {
        let milliseconds = self.end?.saturating_sub(self.start);
        Some(Duration::from_millis(milliseconds))
    }

    /// The value of a tag.
    pub fn tag(&self, name: &str) -> Option<&str> {
        let mut tags = self.tags.iter();
        let (_, value) = tags.find(|(known, _)| known == name)?;
        Some(value)
    }

    /// The metrics that steps have told themselves: not the times and sizes that are measured here.
    pub fn told_metrics(&self) -> impl Iterator<Item = &(String, f64)> {
        let is_of_step = |name: &str| names::is_of_step(name);
        self.metrics
            .iter()
            .filter(move |(name, _)| is_of_step(name))
    }

    /// Whether it has not ended, as far as the store knows.
    pub(crate) fn is_running(&self) -> bool {
        self.status == "RUNNING"
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.status == Status::Finished.name()
    }

    /// All that is known of it.
    pub fn json(&self) -> Value {
        let object = |pairs: &Pairs| -> Value {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        let metrics = self.metrics.iter();
        let metrics = metrics.map(|(name, value)| (name.clone(), number(*value)));
        json!({
            "run_id": self.id,
            "name": self.name,
            "step": self.step,
            "status": self.status,
            "start": moment(self.start),
            "end": self.end.map(moment),
            "seconds": self.time().map(|time| time.as_secs_f64()),
            "artifacts": self.artifacts,
            "parameters": object(&self.parameters),
            "metrics": Value::Object(metrics.collect::<Map<_, _>>()),
            "tags": object(&self.tags),
        })
    }
}

impl Past {
    /// All that is known of it, with its `steps` and, under `up_to_date`, what it had no need to make.
    pub fn json(&self) -> Value {
        let list = |runs: &[PastRun]| runs.iter().map(PastRun::json).collect::<Value>();
        let mut run = self.run.json();
        run["steps"] = list(&self.steps);
        run["up_to_date"] = list(&self.reused);
        run
    }

    /// The ids of the runs that made what was up to date.
    pub(crate) fn reused_ids(run: &PastRun) -> impl Iterator<Item = &str> {
        let tags = run.tags.iter();
        let reused = tags.filter(|(name, _)| name.starts_with(REUSED));
        reused.map(|(_, id)| id.as_str())
    }
}

/// JSON has neither NaN nor the infinities: they are texts, as MLflow writes them.
pub(crate) fn number(value: f64) -> Value {
    match value {
        value if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        value => json!(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_an_object_with_all_that_is_known_of_it() {
        let past = Past {
            run: PastRun {
                start: 1_800_000_000_000,
                end: Some(1_800_000_061_500),
                metrics: vec![
                    ("a/loss".into(), f64::NAN),
                    ("duration_seconds".into(), 61.5),
                ],
                tags: vec![(format!("{REUSED}b"), "r7".into())],
                ..PastRun::default()
            },
            steps: vec![PastRun::default()],
            reused: Vec::new(),
        };
        let told: Vec<&str> = past.run.told_metrics().map(|(name, _)| &**name).collect();
        assert_eq!(told, ["a/loss"]);
        assert_eq!(Past::reused_ids(&past.run).collect::<Vec<_>>(), ["r7"]);
        let json = past.json();
        assert_eq!(json["start"], "2027-01-15T08:00:00Z");
        assert_eq!(json["seconds"], 61.5);
        assert_eq!(json["metrics"]["a/loss"], "NaN");
        assert_eq!(json["steps"][0]["end"], Value::Null);
    }
}
