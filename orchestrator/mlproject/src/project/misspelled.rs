//! Keys that nobody reads and that are spelled almost as one that has a meaning.
//!
//! MLflow ignores every key that it does not know, and so does [`crate::Project`], but for these: a
//! `conda_evn:` would silently mean another environment.

use super::node::{Entry, Node};
use super::{Error, Place};

/// The keys of an MLproject: MLflow's, then ours.
const ROOT: [&str; 15] = [
    "name",
    "entry_points",
    "python_env",
    "conda_env",
    "docker_env",
    "databricks_spark_job",
    "env_manager",
    "steps",
    "cached",
    "config",
    "env",
    "backend",
    "backend_config",
    "tracking",
    "experiment",
];

/// The keys of an entry point: MLflow's `parameters` and `command`, then ours.
const ENTRY_POINT: [&str; 8] = [
    "parameters",
    "command",
    "description",
    "inputs",
    "outputs",
    "code",
    "variables",
    "cached",
];

/// Refuses a misspelled key of an MLproject.
pub(super) fn check_root(root: &Node) -> Result<(), Error> {
    check(root, &ROOT)
}

/// Refuses a misspelled key of an entry point.
pub(super) fn check_entry_point(entry_point: &Node) -> Result<(), Error> {
    check(entry_point, &ENTRY_POINT)
}

fn check(section: &Node, known: &'static [&'static str]) -> Result<(), Error> {
    for entry in section.entries("a mapping")? {
        if let Entry::Named(key, node) = entry
            && let Some(meant) = meant(key, known)
        {
            let (place, key) = (node.place(), key.to_owned());
            return Err(Error::Misspelled { place, key, meant });
        }
    }
    Ok(())
}

/// The known key that an unknown one was to be, if it is a near miss.
///
/// One letter too many, too few, wrong or at its neighbour's place; in long names two.
fn meant(key: &str, known: &'static [&'static str]) -> Option<&'static str> {
    const LONG: usize = 9;
    if known.contains(&key) {
        return None;
    }
    let plain = key.to_lowercase().replace(['-', ' '], "_");
    known.iter().copied().find(|known| {
        let is_long = plain.len().min(known.len()) >= LONG;
        let distance = strsim::osa_distance(&plain, known);
        distance <= if is_long { 2 } else { 1 }
    })
}

/// The line that a brace without quotes has made no YAML, with the value as it was meant.
///
/// In `{rows: ${seed}}` and `rows: {seed}/x` the brace opens a mapping that does not end as one.
pub(super) fn brace(text: &str, place: &Place) -> Option<Error> {
    let number = place.line?;
    let lines = text.lines().collect::<Vec<_>>();
    // What is wrong is found behind it, which may be on the next line.
    let near = [number, number.saturating_sub(1)];
    near.into_iter().find_map(|number| {
        let (key, value) = unquoted(lines.get(number.checked_sub(1)?)?)?;
        let line = Some(number);
        let file = place.file.clone();
        let place = Place { file, line };
        Some(Error::Brace { place, key, value })
    })
}

/// The first key of a line whose value begins with a placeholder, and that value.
fn unquoted(line: &str) -> Option<(String, String)> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    let starts = line.match_indices(": ").map(|(at, _)| at);
    starts.into_iter().find_map(|at| {
        let key = line[..at].rsplit(|c| !is_name(c)).next()?;
        let value = line[at + 2..].trim_start();
        let inside = value.strip_prefix('$').unwrap_or(value).strip_prefix('{')?;
        let (name, rest) = inside.split_once('}')?;
        let is_placeholder = !name.is_empty() && name.chars().all(is_name);
        let rest = rest.split([',', '}', ' ', '#']).next()?;
        (is_placeholder && !key.is_empty()).then(|| (key.to_owned(), format!("{{{name}}}{rest}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_told_from_a_key_of_somebody_else() {
        for (key, expected) in [
            ("env_manger", Some("env_manager")),
            ("entrypoints", Some("entry_points")),
            ("entry-points", Some("entry_points")),
            ("entry_point", Some("entry_points")),
            ("step", Some("steps")),
            ("stpes", Some("steps")),
            ("Name", Some("name")),
            ("conda-env", Some("conda_env")),
            ("conda_evn", Some("conda_env")),
            ("cache", Some("cached")),
            ("envs", Some("env")),
            ("dockerenv", Some("docker_env")),
            ("steps", None),
            ("stages", None),
            ("training", None),
            ("environment", None),
            ("conda", None),
            ("docker", None),
            ("conf", None),
            ("description", None),
            ("version", None),
            ("tags", None),
            ("author", None),
            ("parameters", None),
            ("", None),
        ] {
            assert_eq!(meant(key, &ROOT), expected, "{key}");
        }
        for (key, expected) in [
            ("input", Some("inputs")),
            ("outptus", Some("outputs")),
            ("comand", Some("command")),
            ("parameter", Some("parameters")),
            ("type", None),
            ("env", None),
            ("name", None),
        ] {
            assert_eq!(meant(key, &ENTRY_POINT), expected, "{key}");
        }
    }

    #[test]
    fn the_value_that_needs_quotes_is_found() {
        for (line, expected) in [
            ("a: {parameters: {rows: ${seed}}}", Some(("rows", "{seed}"))),
            ("  rows: {seed}/x", Some(("rows", "{seed}/x"))),
            (
                "  rows: {config[a][b]} # why",
                Some(("rows", "{config[a][b]}")),
            ),
            ("{rows: {seed}x, b: 1}", Some(("rows", "{seed}x"))),
            ("rows: \"{seed}\"", None),
            ("a: {b: c}", None),
            ("a: {", None),
            (": {a}", None),
            ("", None),
        ] {
            let found = unquoted(line);
            let found = found.as_ref().map(|(key, value)| (&**key, &**value));
            assert_eq!(found, expected, "{line}");
        }
    }
}
