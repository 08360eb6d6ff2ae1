//! What MLflow's client says in a step that fails, and what that means for a pipeline. Pure.

/// Texts that stand in one line together, and what to do then.
const SAID: [(&[&str], &str); 7] = [
    (
        &["does not match environment run ID"],
        "the step chooses another experiment than that of its run: say `experiment: NAME` in its entry of `steps:`, or take `mlflow.set_experiment` out",
    ),
    (&["Run with id=", "not found"], OTHER_STORE),
    (&["Run '", "' not found"], OTHER_STORE),
    (&["out-of-date database schema"], OTHER_VERSION),
    (&["Can't locate revision identified by"], OTHER_VERSION),
    (&["OperationalError", "already exists"], AT_ONCE),
    (&["OperationalError", "duplicate column name"], AT_ONCE),
];

const OTHER_STORE: &str = "the step looks for its run in another store: name that one with --tracking-uri, or take `mlflow.set_tracking_uri` out";

const OTHER_VERSION: &str = "another version of MLflow has made or upgraded the database, and an sqlite file is for one version alone: start `mlflow server` on it and name that with --tracking-uri";

const AT_ONCE: &str = "the MLflow of two steps has made its tables in the new database at the same moment: run again, or record on a server (`--tracking-uri http://HOST`)";

/// What to do about the newest line of these that is known.
pub(super) fn hint(lines: &[String]) -> Option<&'static str> {
    let known = |line: &String| {
        let mut said = SAID.iter();
        said.find(|(texts, _)| texts.iter().all(|text| line.contains(text)))
    };
    let (_, hint) = lines.iter().rev().find_map(known)?;
    Some(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_line_that_is_known_counts() {
        let of = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            hint(&lines)
        };
        assert_eq!(of(&["Run with id=1 is there", "file not found"]), None);
        let lost = "mlflow.exceptions.MlflowException: Run with id=abc not found";
        assert_eq!(of(&[lost]), Some(OTHER_STORE));
        let old = "alembic.util.exc.CommandError: Can't locate revision identified by 'c4'";
        assert_eq!(of(&[lost, old, "Exit 1"]), Some(OTHER_VERSION));
        let twice = "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) table trace_info already exists";
        assert_eq!(of(&[twice]), Some(AT_ONCE));
    }
}
