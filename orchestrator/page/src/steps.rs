//! What each step did, as a table.

use std::collections::BTreeSet;

use crate::choice::Choice;
use crate::html::{Escaped, cut, prose};
use crate::units::{count, number, plural, seconds};
use crate::{Step, badge};

/// How many steps the table has at most.
const STEPS: usize = 300;
/// How many numbers of a step are shown; of more, those that are zero are not.
const NUMBERS: usize = 12;
/// How much of a name and of a reason is shown, in characters.
const NAME: usize = 120;
const REASON: usize = 300;

/// The section, whose rows take no more than `budget` bytes. The steps at the places in `detailed` have
/// details further below.
pub(crate) fn section(
    steps: &[Step],
    order: &[usize],
    detailed: &BTreeSet<usize>,
    budget: usize,
) -> String {
    let counts = has_numbers(steps);
    let row = |place: usize| {
        row(
            &steps[place],
            detailed.contains(&place).then_some(place),
            counts,
        )
    };
    let chosen = Choice::of(order, STEPS, budget, row);
    let more = match chosen.more() {
        more if more.is_empty() => more,
        more => format!(
            "<p>{}{more}; those that failed and the slowest ones are shown.</p>",
            plural(chosen.places.len(), "step")
        ),
    };
    let numbers = if counts { "<th scope=col>Numbers" } else { "" };
    format!(
        "<section><h2>Steps</h2>{more}\
         <div class=scroll tabindex=0 role=region aria-label=Steps><table class=steps>\
         <thead><tr><th scope=col>Step<th scope=col>State<th scope=col>Time<th scope=col>Why{numbers}<tbody>\n\
         {}</table></div></section>\n",
        chosen.items.concat()
    )
}

fn has_numbers(steps: &[Step]) -> bool {
    steps.iter().any(|step| !step.numbers.is_empty())
}

fn row(step: &Step, details: Option<usize>, counts: bool) -> String {
    let name = Escaped(&cut(&step.name, NAME)).to_string();
    let name = match details {
        Some(place) => format!("<a href=\"#s{place}\">{name}</a>"),
        None => name,
    };
    let time = match step.attempts.len() {
        0 => String::new(),
        1 => seconds(step.time()),
        tries => format!("{} in {tries} tries", seconds(step.time())),
    };
    let why = step.why.as_deref().unwrap_or_default();
    let mut row = format!(
        "<tr><th scope=row>{name}<td>{}<td>{time}<td>{}",
        badge(step.state),
        prose(&cut(why, REASON))
    );
    if counts {
        row += "<td>";
        let is_shown = |value: f64| value != 0.0 || step.numbers.len() <= NUMBERS;
        let shown = step.numbers.iter().filter(|(_, value)| is_shown(*value));
        let shown = shown.take(NUMBERS);
        let shown = shown.map(|(name, value)| {
            let name = cut(name, NAME);
            format!("<span>{} <b>{}</b></span>", Escaped(&name), number(*value))
        });
        let shown: Vec<String> = shown.collect();
        row += &shown.join(" ");
        if let more @ 1.. = step.numbers.len().saturating_sub(shown.len()) {
            row += " <span>and ";
            row += &count(more as u64);
            row += " more</span>";
        }
    }
    row + "\n"
}
