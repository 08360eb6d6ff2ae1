//! What the README shows is what happens.

use crate::harness::{Folder, repository};

fn readme() -> String {
    std::fs::read_to_string(repository().join("README.md")).unwrap()
}

/// The code blocks of a language, without their fences.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let fenced = text.split("```").skip(1).step_by(2);
    let blocks = fenced.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'));
    blocks.map(str::to_owned).collect()
}

/// What the section "Environments" shows for one kind, as one script.
pub(crate) fn kind(name: &str) -> String {
    let blocks = blocks("sh");
    let block = blocks
        .iter()
        .find(|block| block.contains("mkdir -p kinds"))
        .unwrap();
    let mut parts = block.split("\n\n");
    let folders = parts.next().unwrap();
    let step = parts
        .find(|part| part.contains(&format!("--steps {name}")))
        .unwrap();
    format!("set -e\n{folders}\n{step}\n")
}

#[test]
fn a_local_step_can_be_copied() {
    let folder = Folder::new();
    let ended = folder
        .program_in_path("bash", &["-c", &kind("local")])
        .run();
    ended.ends(0);
    assert!(
        ended.stdout().starts_with("Python 3."),
        "{}",
        ended.stdout()
    );
}

/// The blocks that begin with their file name, as a comment.
fn files() -> Vec<(String, String)> {
    let named = blocks("yaml").into_iter().chain(blocks("python"));
    let named = named.filter_map(|block| {
        let (first, _) = block.split_once('\n')?;
        let name = first.strip_prefix("# ")?.to_owned();
        Some((name, block))
    });
    named.collect()
}

#[test]
fn the_step_in_python_counts_the_survivors() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    let files = files();
    assert_eq!(files.len(), 2, "{files:?}");
    for (name, content) in files {
        folder.file(&name, content);
    }
    folder.file("clean_data.csv", "Survived,Pclass\n1,3\n0,3\n1,1\n1,3\n");
    folder
        .orchestrator(&["--steps", "survivors"])
        .run()
        .succeeds("");
    assert_eq!(folder.read("survivors.txt"), "class 1: 1\nclass 3: 2\n");
}

#[test]
fn the_definition_is_one() {
    let definition = blocks("yaml")
        .into_iter()
        .find(|block| block.contains("steps:"))
        .unwrap();
    let folder = Folder::new();
    folder
        .file("MLproject", definition)
        .file("data/raw.csv", "");
    let main = "parameters: {raw_data: {default: x}, epochs: {default: 1}, seed: {default: 1}}\ncommand: echo {raw_data} {epochs} {seed}";
    for step in ["data_download", "data_cleaning"] {
        folder.step(step, main);
    }
    let project = "entry_points:\n  main:\n    parameters: {epochs: int, seed: int}\n    command: echo {epochs} {seed}\n";
    folder.file(
        "train/MLproject",
        format!("{project}  large: {{command: echo large}}\n"),
    );
    let expected = "x 1 7\ndata/raw.csv 1 7\n1 7\n";
    folder.orchestrator(&[]).run().succeeds(expected);
    folder
        .orchestrator(&["--steps", "train_large"])
        .run()
        .succeeds("large\n");
}

#[test]
fn the_changelog_names_this_version() {
    let changelog = std::fs::read_to_string(repository().join("CHANGELOG.md")).unwrap();
    let heading = concat!("\n## ", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        changelog.matches(heading).count(),
        1,
        "{heading} in CHANGELOG.md"
    );
}
