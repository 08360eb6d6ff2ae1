//! All about a step, folded.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::Step;
use crate::choice::Choice;
use crate::html::{Escaped, cut, prose};
use crate::units::{number, plural, seconds, size};

/// How many steps have details at most.
pub(crate) const STEPS: usize = 40;
/// What the parameters, variables, outputs and numbers of a step may take each, in bytes.
const LIST: usize = 2000;
/// How long a command and a value may be, in characters.
const COMMAND: usize = 1000;
const VALUE: usize = 200;
/// What the last lines may take, in bytes.
const LINES: usize = 5000;

/// The places of the steps that have details, which take no more than `budget` bytes.
pub(crate) fn chosen(steps: &[Step], order: &[usize], budget: usize) -> BTreeSet<usize> {
    let choice = Choice::of(order, STEPS, budget, |place| item(&steps[place], place));
    choice.places.into_iter().collect()
}

/// The section; nothing if no step has details.
pub(crate) fn section(steps: &[Step], chosen: &BTreeSet<usize>) -> String {
    if chosen.is_empty() {
        return String::new();
    }
    let note = match chosen.len() {
        all if all == steps.len() => String::new(),
        some => format!(
            "<p>{some} of {}: those that failed, then the slowest.</p>",
            plural(steps.len(), "step")
        ),
    };
    let items = chosen.iter().map(|place| item(&steps[*place], *place));
    format!(
        "<section><h2>Details</h2>{note}\n{}</section>\n",
        items.collect::<String>()
    )
}

fn item(step: &Step, place: usize) -> String {
    let (state, name) = (step.state, cut(&step.name, VALUE));
    let open = if state.is_bad() { " open" } else { "" };
    let mut text = format!(
        "<details{open}><summary><span class={}>{} <b>{}</b> {}</span></summary><dl id=s{place}>\n",
        state.class(),
        state.sign(),
        Escaped(&name),
        state.word()
    );
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            // Memory takes all.
            writeln!(text, "<dt>{name}<dd>{value}").ok();
        }
    };
    if let Some(ending) = &step.ending {
        row("How it ended", &prose(&cut(ending, COMMAND)));
    }
    let lines = last_lines(&step.last_lines);
    if state.is_bad() {
        row("Last lines", &lines);
    }
    if let [_, _, ..] = step.attempts.as_slice() {
        row("Tries", &tries(step));
    }
    row(
        "Command",
        &format!("<pre>{}</pre>", Escaped(&cut(&step.command, COMMAND))),
    );
    row(
        "Parameters",
        &pairs(&step.parameters, |value| cut(value, VALUE).into_owned()),
    );
    row(
        "Environment",
        &Escaped(&cut(&step.environment, VALUE)).to_string(),
    );
    row(
        "Variables",
        &pairs(&step.variables, |value| cut(value, VALUE).into_owned()),
    );
    row("Numbers", &pairs(&step.numbers, |value| number(*value)));
    let outputs = step.outputs.iter().map(|output| {
        let path = cut(&output.path, VALUE);
        let size = output.bytes.map(|bytes| format!(", {}", size(bytes)));
        (
            output.name.clone(),
            format!("{path}{}", size.unwrap_or_default()),
        )
    });
    row(
        "Outputs",
        &pairs(&outputs.collect::<Vec<_>>(), Clone::clone),
    );
    if !state.is_bad() {
        row("Last lines", &lines);
    }
    text + "</dl></details>\n"
}

fn tries(step: &Step) -> String {
    let told = step.attempts.iter().map(|attempt| {
        format!(
            "{} {} after {}",
            attempt.state.sign(),
            attempt.state.word(),
            seconds(attempt.time)
        )
    });
    let told: Vec<String> = told.collect();
    cut(&told.join(", "), VALUE).into_owned()
}

/// Names and values, each pair on a line of its own.
fn pairs<T>(pairs: &[(String, T)], shown: impl Fn(&T) -> String) -> String {
    let item = |place: usize| {
        let (name, value) = &pairs[place];
        format!(
            "<li>{} <code>{}</code>",
            Escaped(&cut(name, VALUE)),
            Escaped(&shown(value))
        )
    };
    let order: Vec<usize> = (0..pairs.len()).collect();
    let choice = Choice::of(&order, usize::MAX, LIST, item);
    if pairs.is_empty() {
        return String::new();
    }
    let more = choice.more();
    let more = more.strip_prefix(", ").map(|more| format!("<li>{more}"));
    format!(
        "<ul>{}{}</ul>",
        choice.items.concat(),
        more.unwrap_or_default()
    )
}

/// As many of the last lines as fit.
fn last_lines(lines: &[String]) -> String {
    let order: Vec<usize> = (0..lines.len()).rev().collect();
    let line = |place: usize| format!("{}\n", Escaped(&lines[place]));
    let lines = Choice::of(&order, usize::MAX, LINES, line).items.concat();
    match lines.trim_end() {
        "" => String::new(),
        lines => format!("<pre>{lines}</pre>"),
    }
}
