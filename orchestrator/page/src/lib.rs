//! A run of a pipeline as one HTML page: values in, text out.
//!
//! The page loads nothing and runs nothing, so it looks the same from disk and in MLflow's sandboxed
//! frame. It never has more than 100,000 bytes: where the steps are too many, those that failed and the
//! slowest ones are shown.

#![warn(missing_docs)]

mod bars;
mod choice;
mod details;
mod graph;
mod html;
mod steps;
mod units;

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use choice::Choice;
use html::{Escaped, cut};

/// How large a page may be, in bytes.
const PAGE: usize = 100_000;
/// What the frames of its sections may take of that, and the bars in words.
const FRAMES: usize = 4000;
/// What the parameters that changed may take.
const CHANGES: usize = 2500;
/// How long a name in the page's head may be, in characters.
const NAME: usize = 150;
/// How long the command line may be, and what went wrong.
const LONG: usize = 500;

/// What has become of a run, a step or an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It succeeded.
    Finished,
    /// It did not run, as its result was there.
    UpToDate,
    /// It ended by itself, and not well.
    Failed,
    /// A signal or a timeout ended it.
    Stopped,
    /// It did not run, as it needs what another one did not make.
    LeftOut,
    /// It had begun when the page was written.
    Running,
    /// It had not begun when the page was written.
    NotStarted,
}

impl State {
    /// A sign for it, which the word stands beside.
    fn sign(self) -> char {
        match self {
            State::Finished => '✓',
            State::Failed | State::Stopped => '✗',
            State::Running => '…',
            State::UpToDate | State::LeftOut | State::NotStarted => '–',
        }
    }

    fn word(self) -> &'static str {
        match self {
            State::Finished => "finished",
            State::UpToDate => "up to date",
            State::Failed => "failed",
            State::Stopped => "stopped",
            State::LeftOut => "left out",
            State::Running => "running",
            State::NotStarted => "not started",
        }
    }

    /// The class that has its colour.
    fn class(self) -> &'static str {
        match self {
            State::Finished => "ok",
            State::Failed => "bad",
            State::Stopped => "cut",
            State::Running => "run",
            State::UpToDate | State::LeftOut | State::NotStarted => "no",
        }
    }

    /// Whether somebody will want to know why.
    fn is_bad(self) -> bool {
        matches!(self, State::Failed | State::Stopped)
    }
}

/// A run. All its texts are shown as they are, so secrets have to be hidden in them already.
#[derive(Debug, Clone)]
pub struct Run {
    /// The pipeline's name.
    pub pipeline: String,
    /// How it ended.
    pub state: State,
    /// When it began.
    pub start: SystemTime,
    /// How long it took, or has taken so far.
    pub time: Duration,
    /// Who started it.
    pub user: String,
    /// The commit of the pipeline, if it has one.
    pub commit: Option<String>,
    /// Its id in the tracking store, if it is recorded.
    pub id: Option<String>,
    /// What was typed.
    pub command_line: String,
    /// What went wrong, in lines, if something did.
    pub error: Option<String>,
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// How the parameters differ from those of the run before, if there is one.
    pub changes: Option<Changes>,
}

/// A step of a run.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What has become of it.
    pub state: State,
    /// Why it ran or did not, as far as that is known.
    pub why: Option<String>,
    /// The steps that it waits for, by their places, which are before its own.
    pub waits: Vec<usize>,
    /// Its tries.
    pub attempts: Vec<Attempt>,
    /// What the last try has measured.
    pub numbers: Vec<(String, f64)>,
    /// How the last try ended, if not well.
    pub ending: Option<String>,
    /// The command.
    pub command: String,
    /// Names and values.
    pub parameters: Vec<(String, String)>,
    /// What it runs in.
    pub environment: String,
    /// Names and values of variables that the pipeline sets.
    pub variables: Vec<(String, String)>,
    /// The files that it makes.
    pub outputs: Vec<Output>,
    /// The last lines of the last try's log.
    pub last_lines: Vec<String>,
}

/// A try of a step.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// How long after the run it began.
    pub start: Duration,
    /// How long it took.
    pub time: Duration,
    /// How it ended.
    pub state: State,
}

/// A file or folder that a step makes.
#[derive(Debug, Clone)]
pub struct Output {
    /// The parameter that names it.
    pub name: String,
    /// Where it is.
    pub path: String,
    /// The size of a file that is there, in bytes.
    pub bytes: Option<u64>,
}

/// How the parameters of a run differ from those of the run before it.
#[derive(Debug, Clone)]
pub struct Changes {
    /// When that began.
    pub since: SystemTime,
    /// The parameters that differ.
    pub parameters: Vec<Change>,
}

/// A parameter with another value than before; none where it is only in one of the two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name, as `step.name` if it is one of a step.
    pub name: String,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub now: Option<String>,
}

impl Step {
    /// The time of all tries.
    fn time(&self) -> Duration {
        self.attempts.iter().map(|attempt| attempt.time).sum()
    }
}

/// The places of the steps that people will ask for first, those that failed and the slowest ones: only
/// they can have details, with last lines and outputs.
pub fn most_important(steps: &[Step]) -> Vec<usize> {
    let mut order = choice::by_importance(steps);
    order.truncate(details::STEPS);
    order
}

/// The whole page.
pub fn render(run: &Run) -> String {
    let order = choice::by_importance(&run.steps);
    let top = [head(run), "<main>".to_owned(), top(run), error(run)].concat();
    let graph = graph::section(&run.steps, &order);
    let changes = run.changes.as_ref().map(changes).unwrap_or_default();
    // The rest is for what grows with the steps.
    let room = PAGE - FRAMES - top.len() - graph.len() - changes.len();
    let detailed = details::chosen(&run.steps, &order, room / 100 * 24);
    let parts = [
        top.as_str(),
        "<div class=pair>",
        &graph,
        &bars::section(run, &order, room / 100 * 31),
        "</div>\n",
        &steps::section(&run.steps, &order, &detailed, room / 100 * 45),
        &changes,
        &details::section(&run.steps, &detailed),
        "</main></html>\n",
    ];
    parts.concat()
}

fn head(run: &Run) -> String {
    let (sign, word) = (run.state.sign(), run.state.word());
    let pipeline = cut(&run.pipeline, NAME);
    let style = include_str!("page.css");
    format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{sign} {}: {word}</title>\n<style>\n{style}</style></head>\n",
        Escaped(&pipeline)
    )
}

/// What, when, by whom and how.
fn top(run: &Run) -> String {
    let (state, pipeline) = (badge(run.state), cut(&run.pipeline, NAME));
    let mut text = format!("<header><h1>{} {state}</h1>\n<dl>", Escaped(&pipeline));
    let mut fact = |name: &str, value: &str| {
        // Memory takes all.
        write!(text, "<div><dt>{name}<dd>{value}</div>").ok();
    };
    fact("Started", &units::moment(run.start));
    fact("Took", &units::seconds(run.time));
    fact("By", &Escaped(&cut(&run.user, NAME)).to_string());
    if let Some(commit) = &run.commit {
        fact(
            "Commit",
            &format!("<code>{}</code>", Escaped(&cut(commit, 40))),
        );
    }
    if let Some(id) = &run.id {
        fact("Run", &format!("<code>{}</code>", Escaped(&cut(id, 64))));
    }
    let line = cut(&run.command_line, LONG);
    text + &format!(
        "<div class=wide><dt>Command line<dd><code>{}</code></div></dl></header>\n",
        Escaped(&line)
    )
}

fn error(run: &Run) -> String {
    match &run.error {
        None => String::new(),
        Some(error) => format!(
            "<section class=error><h2>What went wrong</h2><pre>{}</pre></section>\n",
            Escaped(&cut(error.trim_end(), LONG))
        ),
    }
}

/// The sign and the word of a state.
fn badge(state: State) -> String {
    let (class, sign, word) = (state.class(), state.sign(), state.word());
    format!("<span class={class}>{sign} {word}</span>")
}

fn changes(changes: &Changes) -> String {
    let title = "<section><h2>Changed parameters</h2>";
    let since = units::moment(changes.since);
    if changes.parameters.is_empty() {
        return format!("{title}<p>None, against the run before of {since}.</p></section>\n");
    }
    let value = |value: &Option<String>| match value {
        Some(value) => format!("<code>{}</code>", Escaped(&cut(value, 200))),
        None => "–".to_owned(),
    };
    let row = |place: usize| {
        let Change { name, before, now } = &changes.parameters[place];
        let (name, before, now) = (cut(name, 200), value(before), value(now));
        format!(
            "<tr><th scope=row>{}<td>{before}<td>{now}\n",
            Escaped(&name)
        )
    };
    let order: Vec<usize> = (0..changes.parameters.len()).collect();
    let choice = Choice::of(&order, usize::MAX, CHANGES, row);
    format!(
        "{title}<p>Against the run before of {since}{}.</p>\
         <div class=scroll tabindex=0 role=region aria-label=\"Changed parameters\"><table>\
         <thead><tr><th scope=col>Parameter<th scope=col>before<th scope=col>now<tbody>\n{}</table></div></section>\n",
        choice.more(),
        choice.items.concat()
    )
}
