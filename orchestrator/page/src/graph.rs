//! The picture of which step waits for which: layers from top to bottom.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::choice::Choice;
use crate::html::{Escaped, cut};
use crate::units::plural;
use crate::{State, Step};

/// How many steps the picture has at most; it is no help with more.
const STEPS: usize = 40;
/// How many edges.
const EDGES: usize = 80;
/// How long the names of the steps may be together, in bytes.
const NAMES: usize = 2500;
/// How long the picture in words may be, in characters.
const WORDS: usize = 500;
/// How much of a name is shown, in characters.
const NAME: usize = 28;

/// Lengths in pixels.
const HEIGHT: usize = 34;
const GAP: usize = 28;
const BESIDE: usize = 16;
/// Where edges go that pass by a layer.
const MARGIN: usize = 40;

/// A step in the picture.
#[derive(Debug, Clone, Copy)]
struct Node {
    layer: usize,
    x: usize,
    y: usize,
}

/// The section; nothing for a single step.
pub(crate) fn section(steps: &[Step], order: &[usize]) -> String {
    if steps.len() < 2 {
        return String::new();
    }
    let label = |place: usize| {
        let (name, state) = (cut(&steps[place].name, NAME), steps[place].state);
        format!("{} {}", state.sign(), Escaped(&name))
    };
    let chosen = Choice::of(order, STEPS, NAMES, label);
    let widest = chosen.places.iter().map(|place| width(&steps[*place].name));
    let width = widest.max().unwrap_or(0);
    let (nodes, right, bottom) = layout(steps, &chosen.places, width);
    let edges = edges(steps, &nodes, width);
    let mut boxes = String::new();
    for (place, label) in chosen.places.iter().zip(&chosen.items) {
        let (Node { x, y, .. }, step) = (nodes[place], &steps[*place]);
        let kind = match step.state {
            State::UpToDate | State::LeftOut | State::NotStarted => "no skip",
            state => state.class(),
        };
        // Memory takes all.
        writeln!(
            boxes,
            "<g class=\"{kind}\"><rect x={x} y={y} width={width} height={HEIGHT} rx=6 />\
             <text x={} y={}>{label}</text></g>",
            x + width / 2,
            y + HEIGHT / 2 + 5
        )
        .ok();
    }
    let words = cut(&words(steps, &chosen.places), WORDS).into_owned();
    let note = match chosen.places.len() {
        all if all == steps.len() => String::new(),
        some => format!(
            "<p>{some} of {}: those that failed, then the slowest.</p>",
            plural(steps.len(), "step")
        ),
    };
    format!(
        "<section style=\"flex-basis:min(100%,{}px)\"><h2>Graph</h2>{note}\
         <div class=scroll tabindex=0 role=region aria-label=Graph>\
         <svg class=graph role=img aria-label=\"{}\" width={right} height={bottom}>\
         <defs><marker id=arrow viewBox=\"0 0 8 8\" refX=7 refY=4 markerWidth=7 markerHeight=7 orient=auto>\
         <path d=\"M0 0L8 4L0 8z\" /></marker></defs>\n{edges}{boxes}</svg></div></section>\n",
        right.max(300),
        Escaped(&words)
    )
}

/// How wide the box of a step is. There is nobody to ask how wide its letters are.
fn width(name: &str) -> usize {
    let name = cut(name, NAME);
    let units = name
        .chars()
        .map(|character| if character < '\u{1100}' { 8 } else { 15 });
    units.sum::<usize>() + 44
}

/// Where the steps are, and how large the picture is.
fn layout(steps: &[Step], places: &[usize], width: usize) -> (BTreeMap<usize, Node>, usize, usize) {
    let mut nodes: BTreeMap<usize, Node> = BTreeMap::new();
    let mut rows: Vec<usize> = Vec::new();
    let mut passes = false;
    for place in places {
        let above = steps[*place]
            .waits
            .iter()
            .filter_map(|earlier| nodes.get(earlier));
        let above: Vec<usize> = above.map(|node| node.layer + 1).collect();
        let layer = above.iter().copied().max().unwrap_or(0);
        passes |= above.iter().any(|below| *below < layer);
        rows.resize(rows.len().max(layer + 1), 0);
        let x = rows[layer] * (width + BESIDE);
        rows[layer] += 1;
        let y = layer * (HEIGHT + GAP) + 1;
        nodes.insert(*place, Node { layer, x, y });
    }
    let length = |count: usize| count * (width + BESIDE) - BESIDE;
    let right = rows.iter().map(|count| length(*count)).max().unwrap_or(0);
    for node in nodes.values_mut() {
        node.x += 1 + (right - length(rows[node.layer])) / 2;
    }
    let margin = if passes { MARGIN } else { 0 };
    let bottom = rows.len() * (HEIGHT + GAP) - GAP + 2;
    (nodes, right + 2 + margin, bottom)
}

/// Lines from each step to those that wait for it.
fn edges(steps: &[Step], nodes: &BTreeMap<usize, Node>, width: usize) -> String {
    let pairs = nodes.iter().flat_map(|(place, node)| {
        let waits = steps[*place].waits.iter();
        waits.filter_map(move |earlier| Some((nodes.get(earlier)?, node)))
    });
    let line = |(from, to): (&Node, &Node)| {
        if from.layer + 1 == to.layer {
            let (x1, x2) = (from.x + width / 2, to.x + width / 2);
            let (y1, y2, middle) = (from.y + HEIGHT, to.y, to.y - GAP / 2);
            return format!("<path d=\"M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}\"/>\n");
        }
        // Around what is between. A curve comes three quarters of the way to where it is drawn to.
        let between = nodes
            .values()
            .filter(|node| (from.layer..=to.layer).contains(&node.layer));
        let right = between.map(|node| node.x).max().unwrap_or(0) + width + MARGIN / 2;
        let (x1, x2, middle) = (from.x + width, to.x + width, HEIGHT / 2);
        let bend = (4 * right - usize::midpoint(x1, x2)) / 3;
        let (y1, y2) = (from.y + middle, to.y + middle);
        format!("<path d=\"M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}\"/>\n")
    };
    pairs.take(EDGES).map(line).collect()
}

/// The picture in words, as far as there is room for them.
fn words(steps: &[Step], places: &[usize]) -> String {
    let mut words = plural(steps.len(), "step");
    let mut divider = ": ";
    for place in places {
        let step = &steps[*place];
        words += &[divider, &step.name, " ", step.state.word()].concat();
        divider = "; ";
        let mut before = ", after ";
        for earlier in &step.waits {
            words += &[before, &steps[*earlier].name].concat();
            before = ", ";
            if words.len() > 4 * WORDS {
                return words;
            }
        }
    }
    words
}
