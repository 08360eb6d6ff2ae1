//! What is another in one run than in another: parameters, code, environments, metrics. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::names;
use crate::past::{CODE, COMMIT, ENVIRONMENT, Past, PastRun, number};
use crate::record::Pairs;

/// Something with a name that has another value, or that only one of the runs has.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Change<T = String> {
    /// Its name.
    pub name: String,
    /// The steps in which it is so; none when it is the pipeline's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// What it was.
    pub old: Option<T>,
    /// What it is.
    pub new: Option<T>,
}

/// A metric's value, which JSON cannot always hold.
#[derive(Debug, Clone, Copy)]
pub struct Measured(pub f64);

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        number(self.0).serialize(serializer)
    }
}

/// What of a run's ingredients is not what it was.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Parameters by name. Where the same change is one of several steps, it is there once.
    pub parameters: Vec<Change>,
    /// The steps that had other code.
    pub code: Vec<String>,
    /// The commit of the pipeline.
    pub commit: Option<Change>,
    /// The environments, by steps.
    pub environments: Vec<Change>,
}

impl Changes {
    /// Whether all is as it was.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

/// What is not the same in two runs.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Of what they were made.
    #[serde(flatten)]
    pub changes: Changes,
    /// The pipeline's metrics, those apart that are measured here.
    pub metrics: Vec<Change<Measured>>,
    /// The steps that only one of the runs has.
    pub steps: Vec<Change>,
}

/// What is known of a pipeline's steps after some runs.
#[derive(Debug, Default)]
pub(crate) struct State<'a> {
    run: Option<&'a PastRun>,
    steps: BTreeMap<&'a str, &'a PastRun>,
}

impl<'a> State<'a> {
    pub(crate) fn of(past: &'a Past) -> State<'a> {
        let mut state = State::default();
        state.follow(past);
        state
    }

    /// Goes on to the state after another run. A step that was not in it stays as it was.
    pub(crate) fn follow(&mut self, past: &'a Past) {
        self.run = Some(&past.run);
        for run in past.reused.iter().chain(&past.steps) {
            if let Some(step) = &run.step {
                self.steps.insert(step, run);
            }
        }
    }

    fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.run.into_iter().flat_map(|run| pairs(&run.parameters))
    }

    /// Whether a parameter of the pipeline's run shows in the steps that use it.
    fn has_in_step(&self, name: &str) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|(step, run)| {
            let mut own = run.parameters.iter().map(|(own, _)| own.as_str());
            own.any(|own| own == name || names::of_step(step, own).as_deref() == Some(name))
        })
    }
}

/// What of the second state is another than in the first. Steps and parameters of steps that only one of
/// them knows do not count.
pub(crate) fn changes(old: &State<'_>, new: &State<'_>) -> Changes {
    let both = || {
        let steps = new.steps.iter();
        steps.filter_map(|(step, new)| Some((*step, *old.steps.get(step)?, *new)))
    };
    let mut parameters = of_pipeline(old, new);
    parameters.extend(of_steps(both()));
    let tags = |name: &'static str| {
        both().filter_map(move |(step, old, new)| {
            let (old, new) = (old.tag(name)?, new.tag(name)?);
            (old != new).then(|| change(step, Some(old), Some(new)))
        })
    };
    let commit = |state: &State<'_>| state.run.and_then(|run| Some(run.tag(COMMIT)?.to_owned()));
    let (old_commit, new_commit) = (commit(old), commit(new));
    Changes {
        parameters,
        code: tags(CODE).map(|change| change.name).collect(),
        commit: (old_commit != new_commit)
            .then(|| change("commit", old_commit.as_deref(), new_commit.as_deref())),
        environments: tags(ENVIRONMENT).collect(),
    }
}

/// Everything that is not the same in two runs.
pub fn difference(old: &Past, new: &Past) -> Difference {
    let (before, after) = (State::of(old), State::of(new));
    let only = |one: &State<'_>, other: &State<'_>| -> Vec<String> {
        let steps = one.steps.keys();
        let only = steps.filter(|step| !other.steps.contains_key(*step));
        only.map(|step| (*step).to_owned()).collect()
    };
    let gone = only(&before, &after).into_iter();
    let gone = gone.map(|step| change(&step, Some("run"), None));
    let added = only(&after, &before).into_iter();
    let added = added.map(|step| change(&step, None, Some("run")));
    Difference {
        changes: changes(&before, &after),
        metrics: metrics(&old.run, &new.run),
        steps: gone.chain(added).collect(),
    }
}

fn metrics(old: &PastRun, new: &PastRun) -> Vec<Change<Measured>> {
    let of = |run: &PastRun| -> BTreeMap<String, f64> { run.told_metrics().cloned().collect() };
    let (old, new) = (of(old), of(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let is_same = |old: f64, new: f64| old.total_cmp(&new).is_eq();
    let changed = names.into_iter().filter_map(|name| {
        let (old, new) = (old.get(name).copied(), new.get(name).copied());
        if let (Some(old), Some(new)) = (old, new)
            && is_same(old, new)
        {
            return None;
        }
        Some(Change {
            name: name.clone(),
            steps: Vec::new(),
            old: old.map(Measured),
            new: new.map(Measured),
        })
    });
    changed.collect()
}

/// The parameters of the pipeline that are no step's.
fn of_pipeline(old: &State<'_>, new: &State<'_>) -> Vec<Change> {
    let (before, after): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (old.parameters().collect(), new.parameters().collect());
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let own = names
        .into_iter()
        .filter(|name| !old.has_in_step(name) && !new.has_in_step(name));
    let changed = own.filter_map(|name| {
        let (old, new) = (before.get(name).copied(), after.get(name).copied());
        (old != new).then(|| change(name, old, new))
    });
    changed.collect()
}

/// The parameters of steps, those with the same change of the same name together.
fn of_steps<'a>(steps: impl Iterator<Item = (&'a str, &'a PastRun, &'a PastRun)>) -> Vec<Change> {
    let mut changed: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (step, old, new) in steps {
        let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) = (
            pairs(&old.parameters).collect(),
            pairs(&new.parameters).collect(),
        );
        let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        for name in names {
            let (old, new) = (old.get(name).copied(), new.get(name).copied());
            if old != new {
                let steps = changed.entry((name, old, new)).or_default();
                steps.push(step.to_owned());
            }
        }
    }
    let changed = changed.into_iter();
    let changed = changed.map(|((name, old, new), steps)| Change {
        steps,
        ..change(name, old, new)
    });
    changed.collect()
}

fn pairs(pairs: &Pairs) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (&**name, &**value))
}

fn change(name: &str, old: Option<&str>, new: Option<&str>) -> Change {
    Change {
        name: name.to_owned(),
        steps: Vec::new(),
        old: old.map(str::to_owned),
        new: new.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Pairs {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn step(name: &str, parameters: &[(&str, &str)], tags: &[(&str, &str)]) -> PastRun {
        PastRun {
            step: Some(name.to_owned()),
            parameters: texts(parameters),
            tags: texts(tags),
            ..PastRun::default()
        }
    }

    fn past(parameters: &[(&str, &str)], steps: Vec<PastRun>) -> Past {
        let run = PastRun {
            parameters: texts(parameters),
            ..PastRun::default()
        };
        let reused = Vec::new();
        Past { run, steps, reused }
    }

    fn told(changes: &Changes) -> Vec<String> {
        let told = |it: &Change| format!("{} {:?} {:?} {:?}", it.name, it.steps, it.old, it.new);
        changes.parameters.iter().map(told).collect()
    }

    #[test]
    fn a_parameter_is_compared_where_it_is_used() {
        let old = past(
            &[("steps", "a,b"), ("seed", "1")],
            vec![
                step("a", &[("rows", "10"), ("lr", "1")], &[]),
                step("b", &[("rows", "10")], &[]),
            ],
        );
        // Given on the command line, for all and for one.
        let new = past(
            &[
                ("steps", "a,b"),
                ("seed", "2"),
                ("rows", "20"),
                ("a/lr", "2"),
                ("b/x", "1"),
            ],
            vec![
                step("a", &[("rows", "20"), ("lr", "2")], &[]),
                step("b", &[("rows", "20"), ("x", "1")], &[]),
                step("c", &[("rows", "20")], &[]),
            ],
        );
        let changes = changes(&State::of(&old), &State::of(&new));
        assert_eq!(
            told(&changes),
            [
                r#"seed [] Some("1") Some("2")"#,
                r#"lr ["a"] Some("1") Some("2")"#,
                r#"rows ["a", "b"] Some("10") Some("20")"#,
                r#"x ["b"] None Some("1")"#,
            ]
        );
    }

    #[test]
    fn a_step_is_compared_with_its_own_last_run() {
        let code = |code| step("a", &[], &[(CODE, code)]);
        let (first, without, last) = (
            past(&[], vec![code("1")]),
            past(&[], Vec::new()),
            past(&[], vec![code("2")]),
        );
        let mut state = State::of(&first);
        assert!(changes(&state, &State::of(&without)).is_empty());
        state.follow(&without);
        assert_eq!(changes(&state, &State::of(&last)).code, ["a"]);
    }

    #[test]
    fn two_runs_differ_in_metrics_and_steps() {
        let mut old = past(&[], vec![step("a", &[], &[(ENVIRONMENT, "local")])]);
        let mut new = past(&[], vec![step("b", &[], &[])]);
        old.run.metrics = vec![("a/x".into(), 1.0), ("n".into(), f64::NAN)];
        new.run.metrics = vec![("n".into(), f64::NAN), ("duration_seconds".into(), 2.0)];
        let difference = serde_json::to_string(&difference(&old, &new)).unwrap();
        assert_eq!(
            difference,
            r#"{"parameters":[],"code":[],"commit":null,"environments":[],"metrics":[{"name":"a/x","old":1.0,"new":null}],"steps":[{"name":"a","old":"run","new":null},{"name":"b","old":null,"new":"run"}]}"#
        );
    }
}
