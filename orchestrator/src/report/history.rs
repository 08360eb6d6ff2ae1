//! `--history`: the last runs of a pipeline, a line for each.

use std::io;

use process::printable::one_line;
use process::styled::{cut, width};
use process::text::seconds;
use serde_json::{Value, json};
use tracking::{Change, Changes, Listed, PastRun};

use super::columns::{Clock, filled, number};
use super::output;
use crate::invocation::Format;

/// What stands between two columns.
const GAP: usize = 2;

/// Names of runs are cut to so many columns, values to so many.
const NAME: usize = 12;
const VALUE: usize = 20;

/// What is left for the last two columns, at least; else they are left out.
const LAST: usize = 20;

/// How many digits of an id are shown.
const ID: usize = 8;

/// Prints the runs in the form that was asked for.
pub(crate) fn print(runs: &[Listed], format: Format) -> io::Result<()> {
    match format {
        Format::Json => {
            let all = runs.iter().map(json);
            output::print_json(&all.collect::<Value>())
        }
        _ => output::print(&text(runs, &Clock::local(), output::columns())),
    }
}

fn json(listed: &Listed) -> Value {
    let mut run = listed.past.json();
    run["all_up_to_date"] = json!(listed.past.run.is_up_to_date);
    run["changed"] = json!(listed.changes);
    run
}

/// A line for each run, none of more than so many columns.
fn text(runs: &[Listed], clock: &Clock, columns: usize) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let header = [
        "RUN", "NAME", "STATE", "STARTED", "TIME", "CHANGED", "METRICS",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(runs.iter().map(|listed| row(listed, clock)));
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max();
    let mut widths: Vec<usize> = (0..header.len()).filter_map(widest).collect();
    fit(&mut widths, columns);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| filled(&cut(cell, *width), *width))
            .collect();
        text += cells.join(&" ".repeat(GAP)).trim_end();
        text.push('\n');
    }
    text
}

/// Narrows the columns: the last two to what is left, and where that is too little the name.
fn fit(widths: &mut Vec<usize>, columns: usize) {
    let fixed: usize = widths[..5].iter().map(|width| width + GAP).sum();
    let left = columns.saturating_sub(fixed + GAP);
    if left < LAST {
        widths.truncate(5);
        let too_many = (fixed - GAP).saturating_sub(columns);
        widths[1] = widths[1].saturating_sub(too_many).max(1);
        return;
    }
    let (changed, metrics) = (widths[5], widths[6]);
    widths[5] = changed.min((left / 2).max(left.saturating_sub(metrics)));
    widths[6] = metrics.min(left - widths[5]);
}

fn row(listed: &Listed, clock: &Clock) -> [String; 7] {
    let run = &listed.past.run;
    let metrics = run.told_metrics();
    let metrics = metrics.map(|(name, value)| format!("{} {}", one_line(name), number(*value)));
    [
        short_id(&run.id),
        cut(&one_line(&run.name), NAME),
        state(run),
        clock.short(run.start),
        run.time().map_or_else(|| "-".to_owned(), seconds),
        changed(listed),
        metrics.collect::<Vec<_>>().join(", "),
    ]
}

/// The beginning of an id.
pub(super) fn short_id(id: &str) -> String {
    one_line(&id.chars().take(ID).collect::<String>()).into_owned()
}

/// MLflow's word in small letters.
pub(super) fn state(run: &PastRun) -> String {
    cut(&one_line(&run.status).to_lowercase(), NAME)
}

fn changed(listed: &Listed) -> String {
    match &listed.changes {
        None => "first run".to_owned(),
        Some(_) if listed.past.run.is_up_to_date => "nothing ran".to_owned(),
        Some(changes) if changes.is_empty() => "nothing".to_owned(),
        Some(changes) => described(changes),
    }
}

fn described(changes: &Changes) -> String {
    let mut all: Vec<String> = parameters(&changes.parameters, VALUE).collect();
    let steps = |steps: &[&str], what: &str| {
        (!steps.is_empty()).then(|| format!("{}: {what}", one_line(&steps.join(", "))))
    };
    let code: Vec<&str> = changes.code.iter().map(String::as_str).collect();
    all.extend(steps(&code, "code"));
    let commit = changes.commit.as_ref().filter(|_| code.is_empty());
    let commit = commit.and_then(|change| change.new.as_deref());
    all.extend(commit.map(|commit| format!("commit {}", short_id(commit))));
    let environments = changes.environments.iter();
    let environments: Vec<&str> = environments.map(|change| &*change.name).collect();
    all.extend(steps(&environments, "environment"));
    all.join(", ")
}

/// What changed of each parameter, with values of so many columns.
pub(super) fn parameters(changes: &[Change], limit: usize) -> impl Iterator<Item = String> {
    changes.iter().map(move |change| {
        let same_name = changes.iter().filter(|other| other.name == change.name);
        let name = if same_name.count() == 1 || change.steps.is_empty() {
            one_line(&change.name).into_owned()
        } else {
            let steps = change.steps.join(",");
            format!("{}.{}", one_line(&steps), one_line(&change.name))
        };
        let shown = |value: &str| cut(&one_line(value), limit);
        match (&change.old, &change.new) {
            (Some(old), Some(new)) => format!("{name} {} -> {}", shown(old), shown(new)),
            (None, Some(new)) => format!("{name} = {}", shown(new)),
            (_, None) => format!("{name} is gone"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracking::Past;

    fn listed(id: &str, metrics: &[(&str, f64)], changes: Option<Changes>) -> Listed {
        let metrics = metrics.iter();
        let run = PastRun {
            id: id.to_owned(),
            name: "rides".to_owned(),
            status: "FINISHED".to_owned(),
            start: 1_000,
            end: Some(5_300),
            metrics: metrics
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
            ..PastRun::default()
        };
        let past = Past {
            run,
            steps: Vec::new(),
            reused: Vec::new(),
        };
        Listed { past, changes }
    }

    fn change(name: &str, steps: &[&str], old: Option<&str>, new: Option<&str>) -> Change {
        Change {
            name: name.to_owned(),
            steps: steps.iter().map(|step| (*step).to_owned()).collect(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        }
    }

    #[test]
    fn a_run_is_a_line() {
        let rows = Changes {
            parameters: vec![change("rows", &["make_data"], Some("1000"), Some("5000"))],
            ..Changes::default()
        };
        let code = Changes {
            code: vec!["train".to_owned()],
            ..Changes::default()
        };
        let runs = [
            listed("d41e7c02aaaa", &[("train/error", 2.016)], Some(rows)),
            listed("8b90f3aabbbb", &[("train/error", 2.0)], Some(code)),
            listed("2fa8b915cccc", &[("train/error", 2.34)], None),
        ];
        let expected = "\
RUN       NAME   STATE     STARTED     TIME   CHANGED            METRICS
d41e7c02  rides  finished  1970-01-01  4.3 s  rows 1000 -> 5000  train/error 2.016
8b90f3aa  rides  finished  1970-01-01  4.3 s  train: code        train/error 2
2fa8b915  rides  finished  1970-01-01  4.3 s  first run          train/error 2.34
";
        assert_eq!(text(&runs, &Clock::local(), 82), expected);
        assert_eq!(text(&[], &Clock::local(), 80), "");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = "日本\u{1b}[2J".repeat(40);
        let parameters = vec![
            change("lr", &["a"], Some(&long), Some("2")),
            change("lr", &["b"], None, Some("3")),
            change(&long, &[], Some("1"), None),
        ];
        let changes = Changes {
            parameters,
            ..Changes::default()
        };
        let mut run = listed(&long, &[(&long, 1.0), ("a/b", 2.0)], Some(changes));
        run.past.run.name = long.clone();
        run.past.run.status = long;
        for columns in [40, 60, 80, 200] {
            let text = text(std::slice::from_ref(&run), &Clock::local(), columns);
            assert!(!text.contains('\u{1b}'));
            assert_eq!(text.lines().count(), 2);
            if columns >= 80 {
                assert!(text.lines().all(|line| width(line) <= columns), "{text}");
            }
        }
    }

    #[test]
    fn a_parameter_names_its_steps_where_they_differ() {
        let changes = [
            change("lr", &["a"], Some("1"), Some("2")),
            change("lr", &["b", "c"], None, Some("3")),
            change("x", &["a"], Some("1"), None),
        ];
        let told: Vec<String> = parameters(&changes, 80).collect();
        assert_eq!(told, ["a.lr 1 -> 2", "b,c.lr = 3", "x is gone"]);
    }
}
