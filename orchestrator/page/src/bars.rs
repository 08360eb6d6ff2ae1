//! When each step ran: a bar for each attempt.

use std::fmt::Write;
use std::time::Duration;

use crate::choice::Choice;
use crate::html::{Escaped, cut};
use crate::units::{plural, seconds};
use crate::{Run, Step};

/// How many steps have bars at most.
const STEPS: usize = 300;
/// How long the picture in words may be, in characters.
const WORDS: usize = 500;
/// How much of a name is shown, in characters.
const NAME: usize = 40;
/// How many attempts of a step have bars.
const ATTEMPTS: usize = 10;
/// With more rows than this they are scrolled.
const TALL: usize = 20;
/// The height of a step's row, in pixels.
const ROW: usize = 30;

/// The section; nothing if no step has run. The bars take no more than `budget` bytes.
pub(crate) fn section(run: &Run, order: &[usize], budget: usize) -> String {
    let ran: Vec<usize> = order
        .iter()
        .copied()
        .filter(|place| !run.steps[*place].attempts.is_empty())
        .collect();
    if ran.is_empty() {
        return String::new();
    }
    let ends = run
        .steps
        .iter()
        .flat_map(|step| &step.attempts)
        .map(|attempt| attempt.start + attempt.time);
    let whole = ends.max().unwrap_or_default().max(run.time);
    let chosen = Choice::of(&ran, STEPS, budget, |place| {
        row(&run.steps[place], 100, whole)
    });
    let shown = chosen.places.iter().map(|place| &run.steps[*place]);
    let rows = shown
        .clone()
        .enumerate()
        .map(|(number, step)| row(step, number, whole));
    let rows: String = rows.collect();
    let words: Vec<String> = shown.map(spoken).collect();
    let words = format!(
        "{} in {}: {}",
        plural(ran.len(), "step"),
        seconds(whole),
        words.join("; ")
    );
    let most = match at_once(&run.steps) {
        0 | 1 => String::new(),
        most => format!(", at most {most} at once"),
    };
    let rest = match chosen.more() {
        none if none.is_empty() => none,
        more => format!(" ({} with bars{more})", plural(chosen.places.len(), "step")),
    };
    let (frame, end) = match chosen.places.len() {
        ..=TALL => ("", ""),
        _ => (
            "<div class=\"scroll tall\" tabindex=0 role=region aria-label=Time>",
            "</div>",
        ),
    };
    format!(
        "<section><h2>Time</h2><p>{} ran in {}{most}{rest}.</p>{frame}\
         <svg class=bars role=img aria-label=\"{}\" width=\"100%\" height={}>\n{rows}</svg>{end}</section>\n",
        plural(ran.len(), "step"),
        seconds(run.time),
        Escaped(&cut(&words, WORDS)),
        chosen.places.len() * ROW
    )
}

/// The name, the time and the bars of a step.
fn row(step: &Step, number: usize, whole: Duration) -> String {
    let (name, top) = (cut(&step.name, NAME), number * ROW);
    let (text, bar) = (top + 13, top + 18);
    let mut row = format!(
        "<text y={text}>{}<tspan x=100%>{}</tspan></text>",
        Escaped(&name),
        seconds(step.time())
    );
    for attempt in step.attempts.iter().rev().take(ATTEMPTS).rev() {
        // Also one that took no time is to be seen.
        let width = percent(attempt.time, whole).max(0.4);
        let left = percent(attempt.start, whole).min(100.0 - width);
        let class = attempt.state.class();
        write!(
            row,
            "<rect class={class} x={left:.1}% y={bar} width={width:.1}% />"
        )
        .ok();
    }
    row + "\n"
}

fn percent(part: Duration, whole: Duration) -> f64 {
    100.0 * part.as_secs_f64() / whole.as_secs_f64().max(1e-9)
}

fn spoken(step: &Step) -> String {
    let first = step
        .attempts
        .first()
        .map_or(Duration::ZERO, |attempt| attempt.start);
    let tries = match step.attempts.len() {
        1 => String::new(),
        more => format!(" in {more} tries"),
    };
    format!(
        "{} from {} on for {}{tries}",
        step.name,
        seconds(first),
        seconds(step.time())
    )
}

/// How many steps ran at the same time at most.
fn at_once(steps: &[Step]) -> usize {
    let attempts = steps.iter().flat_map(|step| &step.attempts);
    // An end comes before a start at the same time.
    let mut changes: Vec<(Duration, bool)> = attempts
        .flat_map(|attempt| [(attempt.start, true), (attempt.start + attempt.time, false)])
        .collect();
    changes.sort_unstable();
    let (mut now, mut most) = (0_usize, 0);
    for (_, starts) in changes {
        now = if starts {
            now + 1
        } else {
            now.saturating_sub(1)
        };
        most = most.max(now);
    }
    most
}
