//! What `--history` prints: the last runs of a pipeline, as the store has them. Pure.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use process::printable::one_line;

/// A run of the pipeline, and those of its steps in the order in which they started.
#[derive(Debug)]
pub(crate) struct Past {
    pub run: PastRun,
    pub steps: Vec<PastRun>,
}

#[derive(Debug)]
pub(crate) struct PastRun {
    pub id: String,
    pub name: String,
    /// MLflow's word.
    pub status: String,
    /// Milliseconds since 1970.
    pub start: u64,
    pub end: Option<u64>,
    pub artifacts: String,
    /// The step's name; a run that something else nested under the pipeline has none.
    pub step: Option<String>,
}

impl PastRun {
    fn seconds(&self) -> Option<f64> {
        let milliseconds = self.end?.saturating_sub(self.start);
        Some(Duration::from_millis(milliseconds).as_secs_f64())
    }

    fn duration(&self) -> String {
        self.seconds()
            .map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s"))
    }

    fn json(&self) -> Value {
        json!({
            "run_id": self.id,
            "name": self.name,
            "status": self.status,
            "start": moment(self.start),
            "end": self.end.map(moment),
            "seconds": self.seconds(),
        })
    }
}

/// A point in time, in UTC.
fn moment(milliseconds: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(milliseconds);
    humantime::format_rfc3339_seconds(time).to_string()
}

/// One line per run: when, how it ended, how long it took, its id, and its steps.
pub(crate) fn text(past: &[Past]) -> String {
    let mut text = String::new();
    for Past { run, steps } in past {
        let steps: Vec<String> = steps.iter().map(step).collect();
        writeln!(
            text,
            "{}  {:<8}  {:>8}  {}  {}",
            moment(run.start),
            one_line(&run.status),
            run.duration(),
            one_line(&run.id),
            steps.join(", ")
        )
        .expect("writing to a String cannot fail");
    }
    text
}

fn step(step: &PastRun) -> String {
    let name = one_line(step.step.as_deref().unwrap_or(&step.name));
    match step.status.as_str() {
        "FINISHED" => format!("{name} {}", step.duration()),
        status => format!("{name} {} {}", one_line(status), step.duration()),
    }
}

/// The same as JSON: a list of runs, each with its `steps`.
pub(crate) fn json(past: &[Past]) -> String {
    let runs = past.iter().map(|past| {
        let mut run = past.run.json();
        run["steps"] = past.steps.iter().map(PastRun::json).collect();
        run
    });
    Value::Array(runs.collect()).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, status: &str, start: u64, end: Option<u64>) -> PastRun {
        PastRun {
            id: format!("id-of-{name}"),
            name: name.into(),
            status: status.into(),
            start,
            end,
            artifacts: String::new(),
            step: None,
        }
    }

    #[test]
    fn a_run_is_a_line() {
        let past = [Past {
            run: run("demo", "FAILED", 1_800_000_000_000, Some(1_800_000_061_500)),
            steps: vec![
                run("a", "FINISHED", 0, Some(1500)),
                run("b", "RUNNING", 0, None),
            ],
        }];
        let expected =
            "2027-01-15T08:00:00Z  FAILED      61.5 s  id-of-demo  a 1.5 s, b RUNNING -\n";
        assert_eq!(text(&past), expected);
        let json: Value = serde_json::from_str(&json(&past)).unwrap();
        assert_eq!(json[0]["seconds"], 61.5);
        assert_eq!(json[0]["steps"][1]["end"], Value::Null);
    }
}
