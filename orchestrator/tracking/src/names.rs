//! Which names MLflow takes.

/// MLflow's `MAX_ENTITY_KEY_LENGTH`, in characters.
const MAX_NAME: usize = 250;

/// Why MLflow would refuse a name of a parameter or metric, as the end of a sentence; none if it takes it.
///
/// The rules of MLflow's `validate_param_and_metric_name` and `path_not_unique`: letters, digits,
/// `_`, `-`, `.`, `:`, `/` and blanks, and a name that as a path would be itself.
pub fn refused_name(name: &str) -> Option<&'static str> {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    if name.is_empty() {
        Some("it is empty")
    } else if name.chars().count() > MAX_NAME {
        Some("it has over 250 characters")
    } else if !name.chars().all(is_allowed) {
        Some("only letters, digits, `_`, `-`, `.`, `:`, `/` and blanks are allowed")
    } else if name.starts_with("..") || !name.split('/').all(is_part) {
        Some("as a path it would name something else")
    } else {
        None
    }
}

/// Whether MLflow takes a character in a name.
fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || "_-.:/ ".contains(c)
}

/// A part of a name, made of the name of a step: with `_` for what MLflow would refuse.
pub(crate) fn part_of_name(step: &str) -> String {
    allowed(step, MAX_NAME / 2)
}

/// The name that something of a step has in the pipeline's run: `STEP/NAME`, or none that MLflow takes.
pub(crate) fn of_step(step: &str, name: &str) -> Option<String> {
    taken(&format!("{}/{name}", part_of_name(step)))
}

/// The name, or if MLflow would refuse it the one that is most like it, if there is any.
pub(crate) fn taken(name: &str) -> Option<String> {
    if refused_name(name).is_none() {
        return Some(name.to_owned());
    }
    Some(allowed(name, MAX_NAME)).filter(|name| refused_name(name).is_none())
}

/// A metric that a step has told itself: neither what is measured here nor what MLflow's client measures of
/// the machine.
pub(crate) fn is_of_step(metric: &str) -> bool {
    let is_measured = metric == DURATION || metric.ends_with(SIZE);
    !is_measured && !metric.starts_with("system/")
}

/// The metric with the time that a run has taken, in seconds.
pub(crate) const DURATION: &str = "duration_seconds";

/// How the metric with the size of an output ends.
pub(crate) const SIZE: &str = "_bytes";

fn allowed(name: &str, limit: usize) -> String {
    let allowed = name.chars().map(|c| if is_allowed(c) { c } else { '_' });
    // Empty parts of a path are refused, too, and so are `.` and `..`.
    let parts: String = allowed.take(limit).collect();
    let parts = parts
        .split('/')
        .filter(|part| !["", ".", ".."].contains(part));
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_mlflow_takes() {
        for name in [
            "a",
            "step.name",
            "Größe",
            "a b/c-d_e:f",
            "a.",
            "a/..b",
            &"x".repeat(250),
        ] {
            assert_eq!(refused_name(name), None, "{name}");
        }
        for name in [
            "",
            "a'b",
            "a;b",
            "/a",
            "a/",
            "a//b",
            "./a",
            "a/..",
            ".",
            "..a",
            "a\nb",
            &"x".repeat(251),
        ] {
            assert!(refused_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn every_step_has_a_name_for_tags() {
        for (step, part) in [
            ("train", "train"),
            ("a/b", "a/b"),
            ("../it's", "it_s"),
            ("./a//b/", "a/b"),
            ("two\nlines", "two_lines"),
        ] {
            assert_eq!(part_of_name(step), part);
            assert_eq!(refused_name(&format!("pipeline.reused.{part}")), None);
        }
        assert_eq!(part_of_name(&"x".repeat(300)).len(), 125);
    }

    #[test]
    fn what_a_step_tells_has_a_name_in_the_pipelines_run() {
        for (step, name, expected) in [
            ("train", "loss", Some("train/loss")),
            ("../x", "val/loss of it", Some("x/val/loss of it")),
            ("it's", "a", Some("it_s/a")),
            ("..", "..", None),
        ] {
            assert_eq!(of_step(step, name).as_deref(), expected);
        }
        let long = of_step(&"s".repeat(300), &"m".repeat(250)).unwrap();
        assert_eq!((long.len(), refused_name(&long)), (250, None));
        assert!(["loss", "bytes", "systems/x"].into_iter().all(is_of_step));
        let measured = ["duration_seconds", "out_bytes", "system/cpu"];
        assert!(!measured.into_iter().any(is_of_step));
    }
}
