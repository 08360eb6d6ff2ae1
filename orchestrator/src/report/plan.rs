//! `--dry-run`: the plan as a text.

use std::io;
use std::path::Path;

use environment::Environment;
use freshness::Reason;
use process::printable::one_line;
use process::redact::shown_value;
use process::text::names;
use serde::Serialize;

use super::output;
use crate::invocation::Format;
use plan::deferred::Deferred;
use plan::freshness::{State, made_by};
use plan::request::Force;
use plan::{Plan, PlannedStep};

/// A plan with what is known of its steps beforehand.
#[derive(Serialize)]
struct Looked<'a> {
    pipeline: &'a str,
    root: &'a Path,
    steps: Vec<LookedStep<'a>>,
}

#[derive(Serialize)]
struct LookedStep<'a> {
    #[serde(flatten)]
    step: &'a PlannedStep,
    state: &'static str,
    reasons: &'a [Reason],
    made_by: Option<&'a str>,
}

/// Prints the plan in the form that was asked for, and where steps may be left out, which will be.
pub(crate) fn print(plan: &Plan, force: Option<&Force>, format: Format) -> io::Result<()> {
    let states = plan.is_caching().then(|| plan.states(force));
    match (format, states) {
        (Format::Json, None) => output::print_json(plan),
        (Format::Json, Some(states)) => output::print_json(&looked(plan, &states)),
        (_, states) => output::print(&text(plan, states.as_deref())),
    }
}

fn looked<'a>(plan: &'a Plan, states: &'a [State]) -> Looked<'a> {
    let step = |(step, state): (&'a PlannedStep, &'a State)| {
        let (word, reasons, made_by) = match state {
            State::UpToDate(made) => ("up_to_date", &[][..], made.run.as_deref()),
            State::Run(reasons) => ("run", reasons.as_slice(), None),
            State::Forced => ("run", &[][..], None),
            State::Depends(_) => ("depends", &[][..], None),
        };
        LookedStep {
            step,
            state: word,
            reasons,
            made_by,
        }
    };
    Looked {
        pipeline: &plan.pipeline,
        root: &plan.root,
        steps: plan.steps.iter().zip(states).map(step).collect(),
    }
}

/// What will become of a step, a line for each reason.
fn lines(state: &State) -> Vec<String> {
    match state {
        State::UpToDate(made) => vec![format!("up to date, {}", made_by(made))],
        State::Run(reasons) if reasons.is_empty() => vec!["would run".to_owned()],
        State::Run(reasons) => {
            let reasons = reasons.iter();
            reasons
                .map(|reason| format!("would run: {}", reason.detailed()))
                .collect()
        }
        State::Forced => vec!["would run: was forced".to_owned()],
        State::Depends(makers) => vec![format!("depends on what {} makes", names(makers))],
    }
}

/// The plan for people.
fn text(plan: &Plan, states: Option<&[State]>) -> String {
    let mut text = format!(
        "pipeline {} in {}\n",
        one_line(&plan.pipeline),
        path(&plan.root)
    );
    for (number, step) in plan.steps.iter().enumerate() {
        let state = states.map(|states| &states[number]);
        text += &of_step(plan, number, step, state);
    }
    text
}

fn path(path: &Path) -> String {
    one_line(&path.display().to_string()).into_owned()
}

/// A step with all that is known of it, behind an empty line.
fn of_step(plan: &Plan, number: usize, step: &PlannedStep, state: Option<&State>) -> String {
    let mut text = String::new();
    let mut add = |line: String| {
        text += &line;
        text.push('\n');
    };
    add(String::new());
    let (name, entry_point) = (one_line(&step.name), one_line(&step.entry_point));
    add(format!(
        "{}. {name} ({entry_point} in {})",
        number + 1,
        path(&step.cwd)
    ));
    for line in state.map(lines).unwrap_or_default() {
        add(format!("   {}", one_line(&line)));
    }
    let parameters = step.parameters.iter().map(|it| ("", " = ", it));
    let variables = step.variables.iter().map(|it| ("env ", "=", it));
    for (before, is, (name, value)) in parameters.chain(variables) {
        let (later, value) = (later(step, name), shown_value(name, value));
        let (name, value) = (one_line(name), one_line(&value));
        add(format!("   {before}{name}{is}{value}{later}"));
    }
    add(format!(
        "   environment: {}",
        environment(&step.environment)
    ));
    if let Some(job) = &step.job {
        add(format!(
            "   on Slurm: srun {}",
            one_line(&job.options.join(" "))
        ));
    }
    if !step.environment.from_pypi.is_empty() {
        add(format!(
            "   from PyPI: {}",
            step.environment.from_pypi.join(", ")
        ));
    }
    if let Some(experiment) = &step.experiment {
        add(format!("   experiment: {}", one_line(experiment)));
    }
    if let Some(after) = after(plan, number) {
        add(format!("   after: {}", one_line(&after)));
    }
    let command = step.shown_command.trim_end();
    add(format!(
        "   command: {}",
        command.replace('\n', "\n            ")
    ));
    text
}

/// What is told behind a value that is not known yet.
fn later(step: &PlannedStep, name: &str) -> &'static str {
    let deferred = step.deferred.as_deref().map(Deferred::names);
    let is_later = deferred.is_some_and(|names| names.iter().any(|known| known == name));
    if is_later {
        " (when the step starts)"
    } else {
        ""
    }
}

/// What a step runs in.
pub(super) fn environment(environment: &Environment) -> String {
    let file = environment.file.as_ref();
    let file = file.map(|file| format!(" ({})", one_line(&file.display().to_string())));
    let name = environment
        .name
        .as_ref()
        .map(|name| format!(", {}", one_line(name)));
    format!(
        "{}{}{}",
        environment.manager,
        file.unwrap_or_default(),
        name.unwrap_or_default()
    )
}

/// What a step waits for, where that is not just the one before it.
fn after(plan: &Plan, number: usize) -> Option<String> {
    let waits = plan.graph.waits_otherwise(number)?;
    Some(if waits.is_empty() {
        "nothing".to_owned()
    } else {
        plan.steps[number].waits.join(", ")
    })
}
