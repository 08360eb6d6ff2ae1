//! The steps of a plan in their order: those that are asked for, arranged, and narrowed.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use schedule::{Files, Graph, Node, OrderError, order};

use super::problem::By;
use super::step::{Context, Draft};
use super::{Problem, ProblemKind};
use crate::definition::error::SelectionError;
use crate::definition::{MAIN, Pipeline, Step};
use crate::request::{Force, Narrowing};
use process::lock;

/// A step that may run.
pub(super) struct Candidate<'a> {
    pub(super) step: &'a Step,
    pub(super) draft: Result<Draft<'a>, Box<Problem>>,
}

/// What a step has to do with whose project cannot be used: nobody knows.
static UNKNOWN: LazyLock<Files> = LazyLock::new(Files::default);

impl Candidate<'_> {
    pub(super) fn files(&self) -> &Files {
        self.draft.as_ref().map_or(&UNKNOWN, |draft| &draft.files)
    }

    /// The names of the steps that it needs, and what says so.
    fn needs(&self) -> impl Iterator<Item = (By, &String)> {
        let entry = self.step.entry.iter();
        let named = entry.flat_map(|entry| entry.needs.iter().flatten());
        let wanted = self.draft.iter().flat_map(|draft| &draft.wanted);
        let named = named.map(|name| (By::Needs, name));
        named.chain(wanted.map(|name| (By::Placeholder, name)))
    }
}

/// The steps that are asked for, in the order in which they run; of how many they are left, if they were
/// narrowed; and what is wrong with that.
pub(super) fn select<'a>(
    context: &'a Context,
) -> (Vec<Candidate<'a>>, Option<usize>, Vec<Problem>) {
    let (pipeline, request) = (context.pipeline, context.request);
    let selected = match pipeline.select(request.steps.as_ref()) {
        Ok(selected) => selected,
        Err(errors) => {
            let problems = errors.into_iter().map(Problem::of_selection);
            return (Vec::new(), None, problems.collect());
        }
    };
    if selected.iter().any(|step| is_running(step, context)) {
        let problem = Problem::of_selection(SelectionError::Running);
        return (Vec::new(), None, vec![problem]);
    }
    let fixed = selected
        .iter()
        .take_while(|step| step.entry.is_some())
        .count();
    let candidate = |step| Candidate {
        step,
        draft: context.draft(step),
    };
    let mut candidates: Vec<Candidate> = selected.into_iter().map(candidate).collect();
    let mut problems: Vec<Problem> = candidates
        .iter()
        .flat_map(|candidate| wrong_needs(candidate, pipeline))
        .collect();
    if problems.is_empty() {
        match order(&nodes(&candidates), fixed) {
            Ok(order) => candidates = arranged(candidates, &order),
            Err(error) => problems.push(problem_of_order(&candidates, error)),
        }
    }
    let mut of = None;
    if problems.is_empty() && request.narrowing.is_some() {
        of = Some(candidates.len());
        match narrowed(&candidates, &request.narrowing, pipeline) {
            Ok(chosen) => candidates = arranged(candidates, &Vec::from_iter(chosen)),
            Err(errors) => problems.extend(errors.into_iter().map(Problem::of_selection)),
        }
    }
    if let Some(Force::Named(names)) = &request.force {
        problems.extend(names.iter().filter_map(|name| {
            let is_known = candidates.iter().any(|it| it.step.name == *name);
            (!is_known).then(|| Problem::of_selection(not_selected(name, &candidates, pipeline)))
        }));
    }
    (candidates, of, problems)
}

/// Whether a step is the `main` of the pipeline in whose run we are: it would start us again and again.
fn is_running(step: &Step, context: &Context) -> bool {
    let pipeline = context.pipeline;
    pipeline.is_own_main(step)
        && step.entry_point_name(&context.request.entry_point) == MAIN
        && lock::is_inside(pipeline.root())
}

/// What the graph knows of the steps.
pub(super) fn nodes<'a>(candidates: &'a [Candidate]) -> Vec<Node<'a>> {
    let numbers = candidates.iter().enumerate();
    let numbers: HashMap<&str, usize> = numbers
        .map(|(number, it)| (it.step.name.as_str(), number))
        .collect();
    let node = |candidate: &'a Candidate| {
        let needs = candidate.needs();
        Node {
            files: candidate.files(),
            is_fence: candidate
                .draft
                .as_ref()
                .map_or(true, |draft| draft.is_fence),
            needs: needs
                .filter_map(|(_, name)| numbers.get(name.as_str()).copied())
                .collect(),
        }
    };
    candidates.iter().map(node).collect()
}

fn arranged<T>(items: Vec<T>, order: &[usize]) -> Vec<T> {
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    order
        .iter()
        .filter_map(|number| items[*number].take())
        .collect()
}

/// What is wrong with what a step needs, whatever is selected.
fn wrong_needs(candidate: &Candidate, pipeline: &Pipeline) -> Vec<Problem> {
    let step = candidate.step;
    let Some(entry) = &step.entry else {
        return Vec::new();
    };
    let listed = || {
        pipeline
            .steps
            .iter()
            .take_while(|step| step.entry.is_some())
    };
    let wrong = candidate.needs().filter_map(|(by, name)| {
        let kind = if *name == step.name {
            ProblemKind::NeedsItself { by }
        } else if pipeline.step(name).is_none() {
            let (name, known) = (name.clone(), pipeline.step_names());
            ProblemKind::UnknownNeed { by, name, known }
        } else if listed()
            .skip_while(|it| it.name != step.name)
            .any(|later| later.name == *name)
        {
            let name = name.clone();
            ProblemKind::LaterNeed { by, name }
        } else {
            return None;
        };
        Some(Problem {
            step: Some(step.name.clone()),
            place: Some(entry.place.clone()),
            kind,
        })
    });
    wrong.collect()
}

fn problem_of_order(candidates: &[Candidate], error: OrderError) -> Problem {
    let name = |number: &usize| candidates[*number].step.name.clone();
    match error {
        OrderError::Reversed {
            reader,
            input,
            writer,
            right,
        } => {
            let file = &candidates[reader].files().inputs[input];
            let kind = ProblemKind::Reversed {
                input: file.name.clone(),
                path: file.path.clone(),
                reader: name(&reader),
                writer: name(&writer),
                right: right.iter().map(name).collect(),
            };
            Problem {
                step: Some(name(&reader)),
                place: candidates[reader]
                    .step
                    .entry
                    .as_ref()
                    .map(|entry| entry.place.clone()),
                kind,
            }
        }
        OrderError::Cycle(cycle) => {
            // Whoever reads it from left to right reads what each waits for.
            let steps = cycle.iter().chain(cycle.first()).map(name).collect();
            Problem::general(None, ProblemKind::Cycle(steps))
        }
    }
}

/// The numbers of the steps that `--from`, `--until` and `--skip` leave.
fn narrowed(
    candidates: &[Candidate],
    narrowing: &Narrowing,
    pipeline: &Pipeline,
) -> Result<BTreeSet<usize>, Vec<SelectionError>> {
    let mut errors = Vec::new();
    let mut numbers = |names: &[String]| {
        let mut found = Vec::new();
        for name in names {
            match candidates.iter().position(|it| it.step.name == *name) {
                Some(number) => found.push(number),
                None => errors.push(not_selected(name, candidates, pipeline)),
            }
        }
        found
    };
    let from = numbers(&narrowing.from);
    let until = numbers(&narrowing.until);
    let skip = numbers(&narrowing.skip);
    let graph = Graph::of(&nodes(candidates));
    let mut chosen: BTreeSet<usize> = (0..candidates.len()).collect();
    if !narrowing.from.is_empty() {
        let from = graph.from(&from);
        chosen.retain(|step| from.contains(step));
    }
    if !narrowing.until.is_empty() {
        let until = graph.until(&until);
        chosen.retain(|step| until.contains(step));
    }
    chosen.retain(|step| !skip.contains(step));
    if errors.is_empty() && chosen.is_empty() {
        errors.push(SelectionError::NothingLeft);
    }
    if errors.is_empty() {
        Ok(chosen)
    } else {
        Err(errors)
    }
}

/// Why there is no step of that name among those that are selected.
fn not_selected(name: &str, candidates: &[Candidate], pipeline: &Pipeline) -> SelectionError {
    let name = name.to_owned();
    let selected = candidates.iter().map(|it| it.step.name.clone()).collect();
    if pipeline.step(&name).is_some() {
        SelectionError::NotSelected { name, selected }
    } else {
        let known = selected;
        SelectionError::Unknown { name, known }
    }
}
