//! `--show` and `--diff`: what is known of one run, and what is another in a second one.

use std::fmt::Write;
use std::io;

use process::printable::one_line;
use process::text::seconds;
use serde_json::json;
use tracking::{Change, Difference, Found, Measured, Past, PastRun, Records};

use super::columns::{Clock, filled, number};
use super::history::{parameters, short_id, state};
use super::output;
use crate::invocation::Format;

/// The width of what stands before the values.
const LABEL: usize = 12;

/// Longer values are cut.
const VALUE: usize = 1000;

/// Prints a run in the form that was asked for.
pub(crate) fn show(found: &Found, records: &Records, format: Format) -> io::Result<()> {
    let clock = Clock::local();
    match (found, format) {
        (Found::Run(past), Format::Json) => {
            let mut run = past.json();
            for (key, runs) in [("steps", &past.steps), ("up_to_date", &past.reused)] {
                for (number, step) in runs.iter().enumerate() {
                    run[key][number]["log"] = json!(records.log_place(step));
                }
            }
            output::print_json(&run)
        }
        (Found::Step(found), Format::Json) => {
            let (step, pipeline) = &**found;
            let mut run = step.json();
            run["log"] = json!(records.log_place(step));
            run["part_of"] = json!(pipeline.id);
            output::print_json(&run)
        }
        (Found::Run(past), _) => output::print(&whole(past, records, &clock)),
        (Found::Step(found), _) => {
            let (step, pipeline) = &**found;
            let mut block = of_step(step, records, &clock);
            block.add("part of", [format!("run {}", one_line(&pipeline.id))]);
            output::print(&block.0)
        }
    }
}

/// A title, and below it values with what they are.
struct Block(String);

impl Block {
    fn new(title: &str) -> Block {
        Block(format!("{}\n", one_line(title)))
    }

    fn add(&mut self, label: &str, values: impl IntoIterator<Item = String>) {
        for (number, value) in values.into_iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            // Memory takes all.
            writeln!(self.0, "  {}{}", filled(label, LABEL), one_line(&value)).ok();
        }
    }
}

fn whole(past: &Past, records: &Records, clock: &Clock) -> String {
    let run = &past.run;
    let mut block = Block::new(&format!("run {}", run.id));
    block.add("name", [run.name.clone()]);
    add_ending(&mut block, run, clock);
    let commit = run.tag("mlflow.source.git.commit");
    block.add("commit", commit.map(str::to_owned));
    add_values(&mut block, run);
    let mut text = block.0;
    for step in &past.steps {
        text.push('\n');
        text += &of_step(step, records, clock).0;
    }
    for step in &past.reused {
        let title = format!("step {}: up to date", step.step.as_deref().unwrap_or("-"));
        let mut block = Block::new(&title);
        block.add("made by", [format!("run {}", step.id)]);
        add_values(&mut block, step);
        block.add("log", records.log_place(step));
        text.push('\n');
        text += &block.0;
    }
    text
}

fn of_step(run: &PastRun, records: &Records, clock: &Clock) -> Block {
    let attempt = run
        .tag("pipeline.attempt")
        .filter(|attempt| *attempt != "1");
    let attempt = attempt.map(|attempt| format!(" (try {attempt})"));
    let title = match &run.step {
        Some(step) => format!("step {step}{}", attempt.unwrap_or_default()),
        None => format!("run {}", run.name),
    };
    let mut block = Block::new(&title);
    block.add("run", [run.id.clone()]);
    add_ending(&mut block, run, clock);
    add_values(&mut block, run);
    let environment = run.tag("pipeline.environment");
    block.add("environment", environment.map(str::to_owned));
    block.add("log", records.log_place(run));
    block
}

fn add_ending(block: &mut Block, run: &PastRun, clock: &Clock) {
    block.add("state", [state(run)]);
    block.add("error", run.tag("pipeline.error").map(str::to_owned));
    block.add("started", [clock.time(run.start)]);
    block.add("time", run.time().map(seconds));
}

fn add_values(block: &mut Block, run: &PastRun) {
    let parameters = run.parameters.iter();
    let parameters = parameters.map(|(name, value)| format!("{name} = {value}"));
    block.add("parameters", parameters);
    let metrics = run.told_metrics();
    let metrics = metrics.map(|(name, value)| format!("{name} = {}", number(*value)));
    block.add("metrics", metrics);
}

/// Prints what is not the same in two runs, in the form that was asked for.
pub(crate) fn diff(
    (old, new): (&PastRun, &PastRun),
    difference: &Difference,
    format: Format,
) -> io::Result<()> {
    if format == Format::Json {
        let mut all = json!({ "old": old.id, "new": new.id });
        let difference = serde_json::to_value(difference)?;
        if let (Some(all), serde_json::Value::Object(difference)) =
            (all.as_object_mut(), difference)
        {
            all.extend(difference);
        }
        return output::print_json(&all);
    }
    output::print(&difference_text((old, new), difference, &Clock::local()))
}

fn difference_text(
    (old, new): (&PastRun, &PastRun),
    difference: &Difference,
    clock: &Clock,
) -> String {
    let named = |run: &PastRun| format!("{} ({})", short_id(&run.id), clock.short(run.start));
    let mut block = Block::new(&format!("run {} -> run {}", named(old), named(new)));
    let title = block.0.len();
    let changes = &difference.changes;
    block.add("parameters", parameters(&changes.parameters, VALUE));
    block.add("metrics", difference.metrics.iter().map(metric));
    block.add("code", changes.code.iter().cloned());
    let commit = changes.commit.iter();
    block.add("commit", commit.map(|change| from_to(change, "")));
    let environments = changes.environments.iter();
    let environments = environments.map(|change| from_to(change, &format!("{} ", change.name)));
    block.add("environment", environments);
    let steps = difference.steps.iter().map(|change| {
        let of = if change.old.is_some() { old } else { new };
        format!("{} only in {}", change.name, short_id(&of.id))
    });
    block.add("steps", steps);
    if block.0.len() == title {
        block.add(
            "nothing",
            ["differs in parameters, metrics, code and environments".to_owned()],
        );
    }
    block.0
}

fn metric(change: &Change<Measured>) -> String {
    let name = &change.name;
    match (change.old, change.new) {
        (Some(Measured(old)), Some(Measured(new))) => {
            let sign = if new > old { "+" } else { "" };
            let (by, old, new) = (number(new - old), number(old), number(new));
            format!("{name} {old} -> {new} ({sign}{by})")
        }
        (None, Some(Measured(new))) => format!("{name} = {}", number(new)),
        (_, None) => format!("{name} is gone"),
    }
}

fn from_to(change: &Change, name: &str) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    format!("{name}{} -> {}", shown(&change.old), shown(&change.new))
}
