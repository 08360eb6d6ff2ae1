//! `--graph`: which step waits for which.

use std::fmt::Write;
use std::io;

use serde::Serialize;

use super::output;
use crate::invocation::Format;
use plan::Sketch;
use process::printable::one_line;

#[derive(Serialize)]
struct Step<'a> {
    name: &'a str,
    needs: Vec<&'a str>,
}

/// Prints the graph in the form that was asked for.
pub(crate) fn print(pipeline: &str, sketch: &Sketch, format: Format) -> io::Result<()> {
    match format {
        Format::Text => output::print(&text(sketch)),
        Format::Json => output::print_json(&json(sketch)),
        Format::Dot => output::print(&dot(pipeline, sketch)),
    }
}

/// A line for each step, with those that it waits for.
fn text(sketch: &Sketch) -> String {
    let names: Vec<_> = sketch
        .steps
        .iter()
        .map(|(name, _)| one_line(name))
        .collect();
    let widths = names.iter().map(|name| name.chars().count());
    let width = widths.max().unwrap_or(0);
    let line = |(step, name)| match sketch.waits(step).as_slice() {
        [] => format!("{name}\n"),
        waits => format!("{name:width$} ← {}\n", one_line(&waits.join(", "))),
    };
    names.iter().enumerate().map(line).collect()
}

fn json(sketch: &Sketch) -> Vec<Step<'_>> {
    let steps = sketch.steps.iter().enumerate();
    let steps = steps.map(|(number, (name, _))| Step {
        name,
        needs: sketch.waits(number),
    });
    steps.collect()
}

/// As Graphviz reads it: an edge has the names of the parameters whose files are handed on, and is dashed
/// where one step only waits for another.
fn dot(pipeline: &str, sketch: &Sketch) -> String {
    let begin = "rankdir=LR;\n  node [shape=box];";
    let mut text = format!("digraph {} {{\n  {begin}\n", quoted(pipeline));
    for (number, (name, files)) in sketch.steps.iter().enumerate() {
        let name = quoted(name);
        // Memory takes all.
        writeln!(text, "  {name};").ok();
        for earlier in sketch.graph.waits(number) {
            let (before, made) = &sketch.steps[*earlier];
            let handed = made
                .outputs
                .iter()
                .filter(|output| files.read_of(&output.real));
            let handed: Vec<&str> = handed.map(|output| output.name.as_str()).collect();
            let look = match handed.as_slice() {
                [] if sketch.graph.needs(number).contains(earlier) => String::new(),
                [] => " [style=dashed]".to_owned(),
                names => format!(" [label={}]", quoted(&names.join(", "))),
            };
            writeln!(text, "  {} -> {name}{look};", quoted(before)).ok();
        }
    }
    text + "}\n"
}

/// A text of DOT, in which only quotes and backslashes mean something.
fn quoted(text: &str) -> String {
    let text = one_line(text).replace('\\', "\\\\");
    format!("\"{}\"", text.replace('"', "\\\""))
}
