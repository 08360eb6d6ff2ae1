//! What is sent to a store: the records of runs, within the limits that MLflow sets. Pure.

use crate::names::{self, refused_name};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use process::redact;

/// MLflow's `MAX_PARAM_VAL_LENGTH`, in characters.
const MAX_PARAMETER: usize = 6000;
/// The limit of MLflow 2.x, in characters; 3.x takes 8,000.
const MAX_TAG: usize = 5000;
/// MLflow's `MAX_PARAMS_TAGS_PER_BATCH`.
pub(crate) const MAX_BATCH: usize = 100;
/// MLflow's `MAX_METRICS_PER_BATCH`, less the tags of the same batch: 1,000 in all are allowed.
pub(crate) const MAX_METRICS: usize = 900;

/// Names and values, in order, as they are shown: secrets are hidden already.
pub type Pairs = Vec<(String, String)>;

/// One thing that a store has to know. A run is named by its key, which is its id too where the
/// store lets us choose it; a server gives it another one when it hears of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Record {
    Start(NewRun),
    Parameters {
        run: String,
        parameters: Pairs,
    },
    Facts {
        run: String,
        metrics: Vec<Metric>,
        tags: Pairs,
    },
    /// A file for the artifacts of a run whose store is not this machine's file system.
    Log {
        run: String,
        file: PathBuf,
    },
    /// The newest values of the metrics of a step's run, for the pipeline's run: what the step has told
    /// itself, read back from the store.
    Copy {
        run: String,
        /// The key of the step's run, or the id of one of an earlier process.
        from: String,
        step: String,
        /// Milliseconds since 1970. It stands for their own, so that a later try counts.
        time: u64,
    },
    /// The last word on a run. How a step ended counts, also when its own MLflow client has said
    /// something else before: a run whose client ended it well may fail afterwards.
    End {
        run: String,
        status: Status,
        /// Milliseconds since 1970.
        end: u64,
    },
}

impl Record {
    /// The key of the run that this is about.
    pub(crate) fn run(&self) -> &str {
        match self {
            Record::Start(run) => &run.key,
            Record::Parameters { run, .. }
            | Record::Facts { run, .. }
            | Record::Log { run, .. }
            | Record::Copy { run, .. }
            | Record::End { run, .. } => run,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NewRun {
    pub key: String,
    pub name: String,
    /// The key of the run above.
    pub parent: Option<String>,
    pub user: String,
    /// Milliseconds since 1970.
    pub start: u64,
    /// Without those that follow from the other fields: name, parent and user.
    pub tags: Pairs,
    /// The id of its experiment, where that is not the one of the pipeline's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
}

impl NewRun {
    /// All tags of the run; `id_of` gives the id under which the store knows the run above.
    pub(crate) fn all_tags<'a>(&'a self, id_of: impl Fn(&'a str) -> Option<&'a str>) -> Pairs {
        let parent = self.parent.as_deref().and_then(id_of);
        let own = [
            ("mlflow.runName", Some(self.name.as_str())),
            ("mlflow.user", Some(self.user.as_str())),
            ("mlflow.parentRunId", parent),
        ];
        let own = own
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        own.chain(self.tags.iter().cloned()).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metric {
    pub name: String,
    #[serde(with = "number")]
    pub value: f64,
    /// Milliseconds since 1970.
    pub time: u64,
    /// The position among the values of the same name.
    pub step: u64,
}

/// JSON has no NaN and no infinity: numbers are written as texts, as MLflow's protocol allows.
mod number {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// How a run ended, by MLflow's `RunStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It did what it should.
    Finished,
    /// It ended by itself, and something went wrong.
    Failed,
    /// A signal ended it, or its time was over.
    Killed,
}

impl Status {
    /// MLflow's name, in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Status::Finished => "FINISHED",
            Status::Failed => "FAILED",
            Status::Killed => "KILLED",
        }
    }
}

/// Now, in milliseconds since 1970.
pub(crate) fn now() -> u64 {
    milliseconds(SystemTime::now())
}

/// A point in time, given in milliseconds since 1970, in UTC.
pub(crate) fn moment(milliseconds: u64) -> String {
    // As far as the format goes: a store may say anything.
    let time = UNIX_EPOCH + Duration::from_millis(milliseconds.min(LAST_MOMENT));
    humantime::format_rfc3339_seconds(time).to_string()
}

/// The end of the year 9999.
const LAST_MOMENT: u64 = 253_402_300_799_000;

/// A point in time in milliseconds since 1970.
pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The parameters as they may be seen by others, with names and values that MLflow would refuse made fit.
pub fn parameters(values: impl IntoIterator<Item = (String, String)>) -> Pairs {
    let mut seen = Pairs::new();
    for (name, value) in values {
        let value = redact::shown_value(&name, &value).into_owned();
        let Some(name) = names::taken(&name) else {
            continue;
        };
        // MLflow refuses a second value of the same name.
        if seen.iter().all(|(known, _)| *known != name) {
            seen.push((name, cut(value, MAX_PARAMETER)));
        }
    }
    seen
}

/// The metrics of a step's run as they stand in the pipeline's.
pub(crate) fn copied(metrics: &[(String, f64)], step: &str, time: u64) -> Vec<Metric> {
    let own = metrics.iter().filter(|(name, _)| names::is_of_step(name));
    let copied = own.filter_map(|(name, value)| {
        Some(Metric {
            name: names::of_step(step, name)?,
            value: *value,
            time,
            step: 0,
        })
    });
    copied.collect()
}

/// The tags, with values that MLflow would refuse cut. Empty ones say nothing and are left out.
pub(crate) fn tags(values: impl IntoIterator<Item = (String, String)>) -> Pairs {
    values
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, cut(value, MAX_TAG)))
        .collect()
}

/// The text, or as much of it as fits and a note of how long it was.
fn cut(text: String, limit: usize) -> String {
    // Bytes are at least as many as characters, and quicker to count.
    if text.len() <= limit {
        return text;
    }
    let count = text.chars().count();
    if count <= limit {
        return text;
    }
    let note = format!("… ({count} characters, cut here)");
    let kept = limit - note.chars().count();
    text.chars().take(kept).chain(note.chars()).collect()
}

/// The lines `NAME VALUE` that a step wrote, and what is wrong with the others.
///
/// Several values of one name are the steps of a series. They get distinct times, which end at
/// `end`: a database made here keeps one value per name and millisecond until MLflow upgrades it.
pub(crate) fn metrics(text: &str, end: u64) -> (Vec<Metric>, Vec<String>) {
    let (mut metrics, mut complaints): (Vec<Metric>, Vec<String>) = (Vec::new(), Vec::new());
    let mut counts: std::collections::HashMap<String, u64> = std::collections::HashMap::new();
    for (position, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match metric(line) {
            Ok((name, value)) => {
                let count = counts.entry(name.clone()).or_default();
                let (step, time) = (*count, end);
                *count += 1;
                metrics.push(Metric {
                    name,
                    value,
                    time,
                    step,
                });
            }
            Err(reason) => complaints.push(format!("line {}: {reason}", position + 1)),
        }
    }
    for metric in &mut metrics {
        let later = counts[&metric.name] - 1 - metric.step;
        metric.time = metric.time.saturating_sub(later);
    }
    (metrics, complaints)
}

/// The last value of each name, in the order of the names' first.
pub(crate) fn last_values(metrics: &[Metric]) -> Vec<(String, f64)> {
    let mut last: Vec<(String, f64)> = Vec::new();
    for Metric { name, value, .. } in metrics {
        match last.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = *value,
            None => last.push((name.clone(), *value)),
        }
    }
    last
}

fn metric(line: &str) -> Result<(String, f64), String> {
    let shown: String = line.chars().take(60).collect();
    let (name, value) = line
        .trim()
        .rsplit_once([' ', '\t'])
        .ok_or_else(|| format!("`{shown}` should be NAME VALUE"))?;
    let value = value
        .parse()
        .map_err(|_| format!("`{shown}` should end in a number"))?;
    let name = name.trim_end();
    match refused_name(name) {
        Some(reason) => Err(format!(
            "`{shown}` has a name that MLflow refuses: {reason}"
        )),
        None => Ok((name.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_with_a_note() {
        let long = "ü".repeat(20_000);
        let parameters = parameters([("a".into(), long), ("b".into(), "ü".repeat(6000))]);
        assert_eq!(parameters[0].1.chars().count(), 6000);
        assert!(parameters[0].1.ends_with("ü… (20000 characters, cut here)"));
        assert_eq!(parameters[1].1, "ü".repeat(6000));
        assert_eq!(tags([("a".into(), String::new())]), []);
    }

    #[test]
    fn metrics_are_lines_of_a_name_and_a_number() {
        let text =
            "rows 12\n\nloss 0.5\n  loss\t0.25\nnulls of Age -1e3\nx nan\nbad\nworse y\na;b 1\n";
        let (metrics, complaints) = metrics(text, 1000);
        let seen: Vec<(&str, String, u64, u64)> = metrics
            .iter()
            .map(|metric| {
                let name = metric.name.as_str();
                (name, metric.value.to_string(), metric.step, metric.time)
            })
            .collect();
        let expected = [
            ("rows", "12", 0, 1000),
            ("loss", "0.5", 0, 999),
            ("loss", "0.25", 1, 1000),
            ("nulls of Age", "-1000", 0, 1000),
            ("x", "NaN", 0, 1000),
        ];
        assert_eq!(
            seen,
            expected.map(|(name, value, step, time)| (name, value.to_owned(), step, time))
        );
        assert_eq!(complaints.len(), 3);
        assert_eq!(complaints[0], "line 7: `bad` should be NAME VALUE");
        assert_eq!(complaints[1], "line 8: `worse y` should end in a number");
    }

    #[test]
    fn a_record_survives_its_file() {
        let metric = |value| Metric {
            name: "m".into(),
            value,
            time: 1,
            step: 0,
        };
        for value in [0.1, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            let text = serde_json::to_string(&metric(value)).unwrap();
            assert_eq!(
                serde_json::from_str::<Metric>(&text).unwrap(),
                metric(value)
            );
        }
    }
}
