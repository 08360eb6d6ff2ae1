//! Small pipelines in the shapes that people write, and the MLproject that each is to get.
//!
//! `INIT_WRITE=1 cargo test -p init` writes what is expected anew; the difference is for the eye.

#![expect(
    clippy::unwrap_used,
    reason = "a pipeline that cannot be read fails its test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use init::{Proposal, propose};
use mlproject::Project;
use mlproject::pyyaml::{self, Object};

const NAMES: [&str; 8] = [
    "argparse",
    "artifact",
    "components_from_git",
    "conda_names",
    "docker",
    "hydra_groups",
    "json_part",
    "wandb",
];

fn folder(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("tests/pipelines").join(name)
}

fn told(proposal: &Proposal) -> String {
    let notes = proposal
        .not_understood
        .iter()
        .map(|note| format!("{note}\n"));
    let warnings = proposal
        .warnings
        .iter()
        .map(|warning| format!("warning: {warning}\n"));
    notes.chain(warnings).collect()
}

#[track_caller]
fn check(path: &Path, found: &str) {
    if std::env::var_os("INIT_WRITE").is_some() {
        fs::write(path, found).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, expected, "{}", path.display());
}

#[test]
fn each_pipeline_gets_its_section() {
    for name in NAMES {
        let proposal = propose(&folder(name)).unwrap();
        check(&folder(name).join("MLproject.expected"), &proposal.new);
        check(&folder(name).join("told.expected"), &told(&proposal));
    }
}

#[test]
fn what_was_there_is_kept() {
    for name in NAMES {
        let proposal = propose(&folder(name)).unwrap();
        let mut lines = proposal.new.lines();
        for line in proposal.old.as_deref().unwrap().lines() {
            assert!(lines.any(|kept| kept == line), "{name}: {line}");
        }
        let (old, new) = (
            pyyaml::parse(proposal.old.as_deref().unwrap()).unwrap(),
            pyyaml::parse(&proposal.new).unwrap(),
        );
        for (key, value) in old.value.as_dict().unwrap() {
            assert_eq!(new.value.get(key.as_str().unwrap()), Some(value), "{name}");
        }
    }
}

#[test]
fn the_result_is_a_definition() {
    for name in NAMES {
        let proposal = propose(&folder(name)).unwrap();
        let document = pyyaml::parse(&proposal.new).unwrap();
        let steps = document
            .value
            .get("steps")
            .and_then(Object::as_dict)
            .unwrap();
        let names: Vec<&str> = steps.iter().filter_map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, proposal.steps, "{name}");
        let project = Project::parse(&proposal.new, &proposal.path, &folder(name)).unwrap();
        let steps = project.steps.unwrap_or_default();
        let read: Vec<String> = steps.into_iter().map(|step| step.name).collect();
        assert_eq!(read, proposal.steps, "{name}");
    }
}

#[test]
fn the_difference_is_the_section() {
    let proposal = propose(&folder("conda_names")).unwrap();
    let added = |line: &&str| line.starts_with('+') && !line.starts_with("+++");
    let added: Vec<&str> = proposal.diff.lines().filter(added).collect();
    assert!(
        proposal
            .diff
            .starts_with("--- MLproject\n+++ MLproject\n@@ -1,6 +1,")
    );
    let grown = proposal.new.lines().count() - proposal.old.as_deref().unwrap().lines().count();
    assert_eq!(added.len(), grown);
    assert!(
        !proposal
            .diff
            .lines()
            .skip(2)
            .any(|line| line.starts_with('-'))
    );
}

#[test]
fn it_takes_less_than_a_twentieth_of_a_second() {
    let start = std::time::Instant::now();
    for name in NAMES {
        propose(&folder(name)).unwrap();
    }
    // Eight of them, on a machine that may do other things: the limit is that of one.
    assert!(start.elapsed().as_millis() < 8 * 50);
}
