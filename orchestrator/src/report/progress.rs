//! What has become of the steps so far: as a line at the bottom of the terminal while they run, and as a
//! table at the end.

use std::time::{Duration, Instant};

use process::styled::{Line, Style, width};
use process::text::seconds;

use super::columns::number;

/// Blanks between the columns of the table.
const GAP: usize = 2;

/// With less room than this a reason says nothing.
const SHORTEST_REASON: usize = 12;

/// The steps of a run, in their order.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) steps: Vec<Step>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) state: State,
    /// Why it runs, or does not.
    pub(super) why: String,
    pub(super) time: Option<Duration>,
    /// What it has told itself, by name.
    pub(super) metrics: Vec<(String, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    NotRun,
    Running(Instant),
    UpToDate,
    Finished,
    Failed,
    Stopped,
    LeftOut,
}

impl State {
    fn word(self) -> (Style, &'static str) {
        match self {
            State::NotRun => (Style::Faint, "not run"),
            State::Running(_) => (Style::Busy, "running"),
            State::UpToDate => (Style::Good, "up to date"),
            State::Finished => (Style::Good, "finished"),
            State::Failed => (Style::Bad, "failed"),
            State::Stopped => (Style::Bad, "stopped"),
            State::LeftOut => (Style::Odd, "left out"),
        }
    }
}

impl Progress {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Progress {
        let steps = names.map(|name| Step {
            name: name.to_owned(),
            state: State::NotRun,
            why: String::new(),
            time: None,
            metrics: Vec::new(),
        });
        Progress {
            steps: steps.collect(),
        }
    }

    /// What runs now, since when, and how much is done, in at most so many columns. Empty before the
    /// first step.
    pub(super) fn bottom(&self, columns: usize) -> Line {
        let is_begun = |step: &&Step| step.state != State::NotRun;
        if !self.steps.iter().any(|step| is_begun(&step)) {
            return Line::new();
        }
        let running: Vec<(usize, &Step, Instant)> = self
            .steps
            .iter()
            .enumerate()
            .filter_map(|(number, step)| match step.state {
                State::Running(since) => Some((number, step, since)),
                _ => None,
            })
            .collect();
        let begun = self.steps.iter().filter(is_begun).count();
        let mut line = Line::new().and(&format!(
            "{}/{} done",
            begun - running.len(),
            self.steps.len()
        ));
        for (position, (number, step, since)) in running.iter().enumerate() {
            let before = if position == 0 { ": " } else { ", " };
            let longer = line
                .clone()
                .and(before)
                .with(Style::Step(*number), &step.name)
                .with(
                    Style::Faint,
                    &format!(" {}", whole_seconds(since.elapsed())),
                );
            let others = running.len() - position - 1;
            let rest = format!(", +{others}");
            let needed = if others == 0 { 0 } else { width(&rest) };
            // The first one is cut rather than left out.
            if position > 0 && longer.width() + needed > columns {
                return line.and(&format!(", +{}", others + 1));
            }
            line = longer;
        }
        line
    }

    /// A row for each step, below a header, in at most so many columns.
    pub(super) fn table(&self, columns: usize) -> Vec<Line> {
        let header = ["STEP", "STATE", "WHY", "TIME", "METRICS"];
        let rows: Vec<Row> = self.steps.iter().enumerate().map(row).collect();
        // A column without content has no header either.
        let widest = |column: usize| match rows.iter().map(|row| width(&row[column].1)).max() {
            None | Some(0) => 0,
            Some(most) => most.max(header[column].len()),
        };
        let [name, state, time] = [widest(0).min(columns / 3), widest(1), widest(3)];
        let taken = name + GAP + state + GAP + time;
        let (why, metrics) = shares(widest(2), widest(4), columns.saturating_sub(taken));
        let widths = [name, state, why, time, metrics];
        let header = header.map(|text| (Style::Faint, text.to_owned()));
        let lines = std::iter::once(header).chain(rows);
        lines.map(|row| line(&row, widths)).collect()
    }
}

/// Name, state, reason, time, metrics.
type Row = [(Style, String); 5];

fn row((position, step): (usize, &Step)) -> Row {
    let metrics = step.metrics.iter();
    let metrics: Vec<String> = metrics
        .map(|(name, value)| format!("{name} {}", number(*value)))
        .collect();
    let (style, state) = step.state.word();
    [
        (Style::Step(position), step.name.clone()),
        (style, state.to_owned()),
        (Style::Plain, step.why.clone()),
        (Style::Faint, step.time.map(seconds).unwrap_or_default()),
        (Style::Plain, metrics.join(", ")),
    ]
}

fn line(row: &Row, widths: [usize; 5]) -> Line {
    let cells = row.iter().zip(widths).filter(|(_, width)| *width > 0);
    cells.fold(Line::new(), |line, ((style, text), width)| {
        let gap = if line == Line::new() { 0 } else { GAP };
        line.and(&" ".repeat(gap)).cell(*style, text, width)
    })
}

/// How many columns reasons and metrics have of those that are left; none is none at all. Reasons were
/// told before, so they make room.
fn shares(why: usize, metrics: usize, left: usize) -> (usize, usize) {
    let with_gap = |columns: usize| if columns == 0 { 0 } else { GAP + columns };
    let metrics = match with_gap(why) + with_gap(metrics) <= left {
        true => metrics,
        // Many of them leave half to the reasons.
        false if left > 4 * SHORTEST_REASON && why > 0 => metrics.min(left / 2 - GAP),
        false => metrics.min(left.saturating_sub(GAP)),
    };
    let rest = left.saturating_sub(with_gap(metrics) + GAP);
    let why = if rest < SHORTEST_REASON && rest < why {
        0
    } else {
        why.min(rest)
    };
    (why, metrics)
}

/// A time that is shown while it passes.
fn whole_seconds(time: Duration) -> String {
    let time = Duration::from_secs(time.as_secs());
    if time < Duration::from_mins(1) {
        return format!("{} s", time.as_secs());
    }
    seconds(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_metrics_share_what_is_left() {
        for (why, metrics, left, expected) in [
            (0, 0, 40, (0, 0)),
            (20, 10, 40, (20, 10)),
            (20, 0, 40, (20, 0)),
            (50, 10, 52, (38, 10)),
            (50, 60, 60, (28, 28)),
            // Too little for a reason.
            (30, 10, 20, (0, 10)),
            (30, 30, 10, (0, 8)),
            (5, 0, 10, (5, 0)),
            (5, 5, 0, (0, 0)),
        ] {
            let found = shares(why, metrics, left);
            assert_eq!(found, expected, "{why} {metrics} {left}");
        }
    }

    #[test]
    fn the_bottom_has_as_many_steps_as_fit() {
        let mut progress = Progress::new(["one", "two", "three", "four"].into_iter());
        assert_eq!(progress.bottom(80), Line::new());
        for step in &mut progress.steps[1..] {
            step.state = State::Running(Instant::now());
        }
        progress.steps[0].state = State::Finished;
        let text = |columns| {
            let line = progress.bottom(columns);
            assert!(line.width() <= columns || columns < 20);
            line
        };
        let all = text(80);
        assert_eq!(all.width(), "1/4 done: two 0 s, three 0 s, four 0 s".len());
        assert_eq!(text(38), all);
        assert_eq!(text(37).width(), "1/4 done: two 0 s, three 0 s, +1".len());
        assert_eq!(text(31).width(), "1/4 done: two 0 s, +2".len());
        assert_eq!(text(10).width(), "1/4 done: two 0 s, +2".len());
    }
}
