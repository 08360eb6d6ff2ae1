//! The figures of a run for other programs: the report, and the metrics of whoever runs this.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use serde_json::{Map, Value, json};

use crate::findings::Counts;
use crate::null_values::NullValues;

/// All that is known of a finished run.
pub struct Report<'a> {
    pub input: &'a Path,
    pub output: &'a Path,
    pub names: &'a [String],
    pub nulls: &'a NullValues,
    pub counts: &'a Counts,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub seconds: f64,
}

impl Report<'_> {
    /// One object; nulls that are marked by nothing stand under the empty text.
    pub fn json(&self) -> Value {
        let columns: Vec<Value> = self
            .names
            .iter()
            .zip(&self.counts.columns)
            .map(|(name, nulls)| {
                let values = self.by_value(|value| nulls.of(value));
                json!({ "name": name, "nulls": nulls.total(), "null_values": values })
            })
            .collect();
        let all = |value| {
            self.counts
                .columns
                .iter()
                .map(|nulls| nulls.of(value))
                .sum()
        };
        json!({
            "input": self.input.to_string_lossy(),
            "output": self.output.to_string_lossy(),
            "rows_read": self.counts.rows,
            "rows_kept": self.counts.kept,
            "rows_dropped": self.counts.dropped(),
            "rows_ragged": self.counts.ragged,
            "bytes_read": self.bytes_read,
            "bytes_written": self.bytes_written,
            "seconds": self.seconds,
            "null_values": self.by_value(all),
            "columns": columns,
        })
    }

    /// How often each null value was there, without those that never were.
    fn by_value(&self, count: impl Fn(usize) -> u64) -> Map<String, Value> {
        let values = self.nulls.values().iter().enumerate();
        values
            .map(|(value, text)| (text.clone(), count(value)))
            .filter(|(_, nulls)| *nulls > 0)
            .map(|(text, nulls)| (text, nulls.into()))
            .collect()
    }

    /// Adds a line for each figure to the file, its name and its value, all of them at once.
    pub fn append_metrics(&self, path: &Path) -> io::Result<()> {
        // A pipe that nobody reads is an error, not a reason to wait for ever.
        let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.append(true).create(true).custom_flags(nonblock);
        let mut file = options.open(path)?;
        file.write_all(self.metrics().as_bytes())
    }

    fn metrics(&self) -> String {
        let counts = self.counts;
        let mut text = String::new();
        for (name, value) in [
            ("bytes_read", self.bytes_read),
            ("bytes_written", self.bytes_written),
            ("rows_read", counts.rows),
            ("rows_dropped", counts.dropped()),
            ("rows_kept", counts.kept),
        ] {
            writeln!(text, "{name} {value}").ok();
        }
        writeln!(text, "seconds {:.6}", self.seconds).ok();
        let names = self.names.iter().enumerate();
        let names = distinct(names.map(|(column, name)| metric_name(name, column)));
        for (name, nulls) in names.iter().zip(&counts.columns) {
            writeln!(text, "nulls.{name} {}", nulls.total()).ok();
        }
        text
    }
}

/// The names, with a number behind each that stands before already: those that differ only in other
/// characters must not become one metric, nor one with the number of another.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: Vec<String> = names.collect();
    let mut used: HashSet<String> = HashSet::new();
    // A name that needs no number keeps its own, wherever it stands.
    let mut reserved: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut next: HashMap<&str, u64> = HashMap::new();
    let mut distinct = Vec::with_capacity(names.len());
    for name in &names {
        if reserved.remove(name.as_str()) {
            used.insert(name.clone());
            distinct.push(name.clone());
            continue;
        }
        let number = next.entry(name).or_insert(2);
        let numbered = loop {
            let numbered = format!("{name}_{number}");
            *number += 1;
            if !reserved.contains(numbered.as_str()) && used.insert(numbered.clone()) {
                break numbered;
            }
        };
        distinct.push(numbered);
    }
    distinct
}

/// The name with those characters only that `MLflow` allows in the name of a metric.
fn metric_name(name: &str, column: usize) -> String {
    const LONGEST: usize = 200;
    if name.is_empty() {
        return format!("column {}", column + 1);
    }
    // MLflow takes a name for a path, which must not have steps that lead nowhere.
    let is_path = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || "_-.: ".contains(c) || (c == '/' && is_path);
    let allowed = name.chars().map(|c| if allowed(c) { c } else { '_' });
    allowed.take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_report(names: &[&str], check: impl FnOnce(&Report)) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let nulls = NullValues::new(vec!["NA".into(), "?".into()]);
        let mut counts = Counts::new(names.len());
        (counts.rows, counts.kept, counts.ragged) = (5, 2, 1);
        for (column, value) in [(0, 0), (0, 2), (0, 2), (1, 0)] {
            counts.columns[column].add(value);
        }
        check(&Report {
            input: Path::new("in.csv"),
            output: Path::new("out.csv"),
            names: &names,
            nulls: &nulls,
            counts: &counts,
            bytes_read: 100,
            bytes_written: 50,
            seconds: 0.25,
        });
    }

    #[test]
    fn the_report_has_all_figures() {
        with_report(&["a", "b", "c"], |report| {
            assert_eq!(
                report.json().to_string(),
                r#"{"input":"in.csv","output":"out.csv","rows_read":5,"rows_kept":2,"#.to_owned()
                    + r#""rows_dropped":3,"rows_ragged":1,"bytes_read":100,"bytes_written":50,"#
                    + r#""seconds":0.25,"null_values":{"":2,"NA":2},"columns":["#
                    + r#"{"name":"a","nulls":3,"null_values":{"":1,"NA":2}},"#
                    + r#"{"name":"b","nulls":1,"null_values":{"":1}},"#
                    + r#"{"name":"c","nulls":0,"null_values":{}}]}"#
            );
        });
    }

    #[test]
    fn no_two_columns_share_a_metric() {
        for (names, expected) in [
            (&["a", "a", "a_2"][..], &["a", "a_3", "a_2"][..]),
            (&["a_2", "a", "a"], &["a_2", "a", "a_3"]),
            (&["a", "a", "a_2", "a_2"], &["a", "a_3", "a_2", "a_2_2"]),
            (&["a", "a", "a"], &["a", "a_2", "a_3"]),
        ] {
            let found = distinct(names.iter().map(|name| (*name).to_owned()));
            assert_eq!(found, expected, "{names:?}");
        }
    }

    #[test]
    fn metrics_have_names_that_mlflow_takes() {
        let names = ["a", "b c", "", "é\n%", "__?", "x/y", "x//y", "../z", "x/y"];
        with_report(&names, |report| {
            let text = report.metrics();
            let (figures, nulls) = text.split_once("nulls.").unwrap();
            assert_eq!(
                figures,
                "bytes_read 100\nbytes_written 50\nrows_read 5\nrows_dropped 3\nrows_kept 2\n\
                 seconds 0.250000\n"
            );
            let nulls: Vec<&str> = nulls.split('\n').collect();
            assert_eq!(
                nulls,
                [
                    "a 3",
                    "nulls.b c 1",
                    "nulls.column 3 0",
                    "nulls.___ 0",
                    "nulls.____2 0",
                    "nulls.x/y 0",
                    "nulls.x__y 0",
                    "nulls..._z 0",
                    "nulls.x/y_2 0",
                    ""
                ]
            );
        });
    }
}
