//! What of a step is text: its command, parameters, environment. Secrets are kept as hashes. Pure.

use std::collections::BTreeMap;

use process::redact::shown_value;
use serde::{Deserialize, Serialize};

use crate::content::Hash;
use crate::reason::{Reason, ReasonKind};
use crate::subject::Subject;

/// A text as people may read it; and a hash of the text itself if that is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Value {
    pub(crate) shown: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<Hash>,
}

/// All texts of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Values {
    pub(crate) entry_point: Value,
    pub(crate) command: Value,
    pub(crate) parameters: BTreeMap<String, Option<Value>>,
    pub(crate) commit: Option<String>,
    pub(crate) environment: Value,
    pub(crate) variables: BTreeMap<String, Option<Value>>,
}

impl Value {
    /// The salt keeps hashes of the same secret in different records apart.
    fn new(name: &str, text: &str, salt: &str) -> Value {
        let shown = shown_value(name, text);
        let key = || blake3::derive_key("orchestrator freshness: a secret value", salt.as_bytes());
        let hash = (shown != text).then(|| Hash(blake3::keyed_hash(&key(), text.as_bytes())));
        Value {
            shown: shown.into_owned(),
            hash,
        }
    }
}

impl Values {
    pub(crate) fn new(subject: &Subject, salt: &str) -> Values {
        let value = |name: &str, text: &str| Value::new(name, text, salt);
        let parameters = subject.parameters.iter();
        let variables = subject.variables.iter();
        Values {
            entry_point: value("", subject.entry_point),
            command: value("", subject.command),
            parameters: parameters
                .map(|(name, text)| (name.clone(), Some(value(name, text))))
                .collect(),
            commit: subject.commit.map(str::to_owned),
            environment: value("", subject.environment),
            variables: variables
                .map(|(name, text)| (name.clone(), text.as_deref().map(|it| value(name, it))))
                .collect(),
        }
    }

    /// What differs of command, entry point and parameters.
    pub(crate) fn command_reasons(&self, old: &Values) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let commands = [
            (ReasonKind::Command, &self.command, &old.command),
            (ReasonKind::EntryPoint, &self.entry_point, &old.entry_point),
        ];
        for (kind, new, old) in commands {
            if new != old {
                reasons.push(Reason::between(
                    kind,
                    None,
                    Some(&old.shown),
                    Some(&new.shown),
                ));
            }
        }
        let parameters = between(ReasonKind::Parameter, &old.parameters, &self.parameters);
        reasons.extend(parameters);
        reasons
    }

    /// What differs of the environment and the variables.
    pub(crate) fn environment_reasons(&self, old: &Values) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.environment != old.environment {
            let (old, new) = (&old.environment.shown, &self.environment.shown);
            let kind = ReasonKind::Environment;
            reasons.push(Reason::between(kind, None, Some(old), Some(new)));
        }
        reasons.extend(between(
            ReasonKind::Variable,
            &old.variables,
            &self.variables,
        ));
        reasons
    }
}

type Named = BTreeMap<String, Option<Value>>;

fn between(kind: ReasonKind, old: &Named, new: &Named) -> Vec<Reason> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let value = |of: &Named, name: &String| of.get(name).cloned().flatten();
    let pairs = names
        .into_iter()
        .map(|name| (name, value(old, name), value(new, name)));
    pairs
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| {
            let [old, new] = [&old, &new].map(|it| it.as_ref().map(|it| it.shown.as_str()));
            Reason::between(kind, Some(name.clone()), old, new)
        })
        .collect()
}
