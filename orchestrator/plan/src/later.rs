//! Values that are known when a step starts: those of the runs of earlier steps. Pure.

use std::collections::BTreeMap;

use mlproject::strformat::{self, TemplateError};
use tracking::StoredRun;

/// The runs of steps that ended well, by the steps' names.
pub type Runs = BTreeMap<String, StoredRun>;

/// What a placeholder wants of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    RunId,
    ArtifactUri,
}

/// A placeholder such as `{steps[train][run_id]}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// What stands in the braces.
    name: String,
    step: String,
    fact: Fact,
}

impl Wanted {
    /// The placeholder of that name, which has these indexes; none if it asks for something else.
    pub(super) fn parse(name: &str, indexes: &[String]) -> Option<Wanted> {
        let [step, fact] = indexes else {
            return None;
        };
        let fact = match fact.as_str() {
            "run_id" => Fact::RunId,
            "artifact_uri" => Fact::ArtifactUri,
            _ => return None,
        };
        Some(Wanted {
            name: name.to_owned(),
            step: step.clone(),
            fact,
        })
    }
}

/// A value that is filled in later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Later {
    pub(super) template: String,
    /// What its other placeholders stand for.
    pub(super) known: Vec<(String, String)>,
    pub(super) wanted: Vec<Wanted>,
}

impl Later {
    /// The names of the steps whose runs it wants.
    pub(super) fn steps(&self) -> impl Iterator<Item = &str> {
        self.wanted.iter().map(|wanted| wanted.step.as_str())
    }

    /// The value for people: with its placeholders as they are written.
    pub(super) fn shown(&self) -> Result<String, TemplateError> {
        let is_wanted = |name: &str| self.wanted.iter().any(|wanted| wanted.name == name);
        strformat::fill(&strformat::keep(&self.template, is_wanted)?, &self.known)
    }

    /// The value that a step gets.
    pub(super) fn filled(&self, runs: &Runs) -> Result<String, TemplateError> {
        self.with(|wanted| {
            let run = runs.get(&wanted.step)?;
            Some(match wanted.fact {
                Fact::RunId => run.id.clone(),
                Fact::ArtifactUri => run.artifact_uri.clone(),
            })
        })
    }

    /// The value by which it counts: wherever artifacts are kept, another run makes another value.
    pub(super) fn counted(&self, runs: &Runs) -> Result<String, TemplateError> {
        self.with(|wanted| {
            let id = &runs.get(&wanted.step)?.id;
            Some(match wanted.fact {
                Fact::RunId => id.clone(),
                Fact::ArtifactUri => format!("runs:/{id}"),
            })
        })
    }

    fn with(&self, value: impl Fn(&Wanted) -> Option<String>) -> Result<String, TemplateError> {
        let wanted = self.wanted.iter();
        let wanted = wanted.filter_map(|wanted| Some((wanted.name.clone(), value(wanted)?)));
        let values: Vec<(String, String)> = self.known.iter().cloned().chain(wanted).collect();
        strformat::fill(&self.template, &values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_a_run_is_filled_in_and_counts_by_its_id() {
        let name = "steps[fit][artifact_uri]";
        let indexes = ["fit".to_owned(), "artifact_uri".to_owned()];
        let later = Later {
            template: format!("{{{name}}}/{{file}}"),
            known: vec![("file".to_owned(), "a.csv".to_owned())],
            wanted: vec![Wanted::parse(name, &indexes).unwrap()],
        };
        let run = StoredRun {
            id: "r1".to_owned(),
            artifact_uri: "s3://b/r1/artifacts".to_owned(),
        };
        let runs = Runs::from([("fit".to_owned(), run)]);
        for (text, expected) in [
            (later.shown(), "{steps[fit][artifact_uri]}/a.csv"),
            (later.filled(&runs), "s3://b/r1/artifacts/a.csv"),
            (later.counted(&runs), "runs:/r1/a.csv"),
        ] {
            assert_eq!(text.as_deref(), Ok(expected));
        }
        assert!(later.filled(&Runs::new()).is_err());
        assert_eq!(Wanted::parse("steps[fit]", &indexes[..1]), None);
        assert_eq!(
            Wanted::parse("steps[a][b]", &["a".to_owned(), "b".to_owned()]),
            None
        );
    }
}
