//! Steps with values of the runs of earlier steps.

use std::path::PathBuf;

use mlproject::paths::absolute;
use mlproject::uri::local_path;
use mlproject::{EntryPoint, ParameterKind};
use serde::{Serialize, Serializer};

use super::command::{render, without_secrets};
use super::freshness::Ingredients;
use super::later::{Later, Runs};
use super::values::{Resolved, Variable};
use super::{PlannedStep, ProblemKind, Slot};

/// What a step is filled in from when it starts.
#[derive(Debug, Clone)]
pub struct Deferred {
    entry_point: EntryPoint,
    resolved: Vec<Resolved>,
    variables: Vec<Variable>,
    /// The pipeline's folder.
    root: PathBuf,
    /// The steps whose runs it wants, each once.
    pub steps: Vec<String>,
}

impl Serialize for Deferred {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl Deferred {
    /// None for a step that wants nothing.
    pub(super) fn new(
        entry_point: &EntryPoint,
        resolved: &[Resolved],
        variables: &[Variable],
        root: PathBuf,
    ) -> Option<Deferred> {
        let steps = wanted_steps(resolved, variables);
        (!steps.is_empty()).then(|| Deferred {
            entry_point: entry_point.clone(),
            resolved: resolved.to_vec(),
            variables: variables.to_vec(),
            root,
            steps,
        })
    }

    /// What is known only later, for the plan.
    pub fn names(&self) -> Vec<String> {
        let resolved = self.resolved.iter();
        let resolved = resolved.filter(|it| it.later.is_some()).map(|it| &it.name);
        let variables = self.variables.iter();
        let variables = variables.filter(|it| it.later.is_some()).map(|it| &it.name);
        resolved.chain(variables).cloned().collect()
    }

    /// A path of an earlier run that is not there, or not on this machine.
    fn wrong_path(&self, value: &Resolved) -> Option<ProblemKind> {
        let parameter = self.entry_point.parameter(&value.name)?;
        if value.later.is_none() || parameter.kind != ParameterKind::Path {
            return None;
        }
        let (name, value) = (value.name.clone(), value.value.clone());
        match local_path(&value) {
            None => Some(ProblemKind::RemotePath { name, value }),
            Some(path) if path.exists() => None,
            Some(_) => Some(ProblemKind::NoSuchPath { name, value }),
        }
    }
}

/// The steps whose runs are wanted, each once, in order.
pub(super) fn wanted_steps(resolved: &[Resolved], variables: &[Variable]) -> Vec<String> {
    let of_parameters = resolved.iter().filter_map(|it| it.later.as_ref());
    let of_variables = variables.iter().filter_map(|it| it.later.as_ref());
    let mut steps: Vec<String> = Vec::new();
    for step in of_parameters.chain(of_variables).flat_map(Later::steps) {
        if steps.iter().all(|known| known != step) {
            steps.push(step.to_owned());
        }
    }
    steps
}

impl PlannedStep {
    /// The step with the values of earlier runs; none if it wants none.
    pub fn filled_in(&self, runs: &Runs) -> Option<Result<PlannedStep, ProblemKind>> {
        let deferred = self.deferred.as_deref()?;
        Some(self.with_values(deferred, runs))
    }

    fn with_values(&self, deferred: &Deferred, runs: &Runs) -> Result<PlannedStep, ProblemKind> {
        let mut resolved = deferred.resolved.clone();
        for value in &mut resolved {
            let slot = || Slot::Parameter(value.name.clone());
            let Some((text, counted)) = texts(value.later.as_ref(), runs, slot)? else {
                continue;
            };
            let kind = deferred.entry_point.parameter(&value.name);
            let is_path = kind.is_some_and(|it| it.kind == ParameterKind::Path);
            value.value = match local_path(&text).filter(|_| is_path) {
                Some(path) => absolute(&deferred.root, path).display().to_string(),
                None => text,
            };
            value.counts_as = Some(counted);
        }
        let (mut variables, mut counted) = (Vec::new(), Vec::new());
        for variable in &deferred.variables {
            let slot = || Slot::Variable(variable.name.clone());
            let (text, counts) = texts(variable.later.as_ref(), runs, slot)?
                .unwrap_or_else(|| (variable.value.clone(), variable.value.clone()));
            variables.push((variable.name.clone(), text));
            counted.push((variable.name.clone(), counts));
        }
        let entry_point = &deferred.entry_point;
        let mut ingredients = Ingredients::new(
            entry_point,
            &resolved,
            &counted,
            (&self.project, &deferred.root),
        );
        ingredients
            .outputs_of_others
            .clone_from(&self.ingredients.outputs_of_others);
        Ok(PlannedStep {
            command: render(entry_point, &resolved)?,
            shown_command: render(entry_point, &without_secrets(&resolved)).unwrap_or_default(),
            ingredients,
            variables,
            parameters: resolved
                .iter()
                .map(|value| (value.name.clone(), value.value.clone()))
                .collect(),
            deferred: Some(Box::new(Deferred {
                resolved,
                ..deferred.clone()
            })),
            ..self.clone()
        })
    }

    /// What is wrong with the values of a step that is filled in.
    pub fn wrong_path(&self) -> Option<ProblemKind> {
        let deferred = self.deferred.as_deref()?;
        let mut values = deferred.resolved.iter();
        values.find_map(|value| deferred.wrong_path(value))
    }
}

/// What a value is, and by what it counts; none if it was known before.
fn texts(
    later: Option<&Later>,
    runs: &Runs,
    slot: impl Fn() -> Slot,
) -> Result<Option<(String, String)>, ProblemKind> {
    let Some(later) = later else {
        return Ok(None);
    };
    let wrong = |source| ProblemKind::Value {
        slot: slot(),
        source,
        known: Vec::new(),
    };
    let filled = later.filled(runs).map_err(wrong)?;
    let counted = later.counted(runs).map_err(wrong)?;
    Ok(Some((filled, counted)))
}
