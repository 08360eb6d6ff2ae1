//! What is shown where not everything fits.

use std::cmp::Reverse;

use crate::Step;
use crate::units::count;

/// The places of the steps, the most interesting ones first: those that failed, then the slowest.
pub(crate) fn by_importance(steps: &[Step]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|place| {
        let step = &steps[*place];
        (!step.state.is_bad(), Reverse(step.time()))
    });
    order
}

/// The items that fit.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Their places, in order.
    pub(crate) places: Vec<usize>,
    /// Their texts, in the same order.
    pub(crate) items: Vec<String>,
    /// How many there are that did not fit.
    left_out: usize,
}

impl Choice {
    /// As many of the items at these places as `limit` and the size of their texts in bytes allow.
    pub(crate) fn of(
        order: &[usize],
        limit: usize,
        budget: usize,
        item: impl Fn(usize) -> String,
    ) -> Choice {
        let (mut chosen, mut size) = (Vec::new(), 0);
        for place in order.iter().take(limit) {
            let item = item(*place);
            size += item.len();
            if size > budget {
                break;
            }
            chosen.push((*place, item));
        }
        chosen.sort_by_key(|(place, _)| *place);
        let left_out = order.len() - chosen.len();
        let (places, items) = chosen.into_iter().unzip();
        Choice {
            places,
            items,
            left_out,
        }
    }

    /// A note of those that did not fit, behind a comma; nothing if all do.
    pub(crate) fn more(&self) -> String {
        match self.left_out {
            0 => String::new(),
            more => format!(", and {} more", count(more as u64)),
        }
    }
}
