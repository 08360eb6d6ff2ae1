//! The same MLproject, the same command: what `--dry-run` prints against what MLflow computes.
//!
//! Every case is one project. Its command has to be MLflow's to the byte, its environment MLflow's, and
//! where MLflow fails we have to fail. A case may claim one of the differences of [`case::Difference`];
//! a claim that does not hold fails the test as an unexplained difference does.
//!
//! MLflow is asked through the `python3` on PATH, one process for all cases.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic where it stands"
)]

mod case;
mod command;
mod generated;
#[path = "../end_to_end/harness.rs"]
#[expect(dead_code, reason = "the end-to-end tests use the rest of it")]
mod harness;
mod objects;
mod project;
mod yaml;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use case::{Case, Difference};

/// A script entry point runs under the user's shell, which MLflow does not quote.
const SHELL: &str = "/opt/my shell/zsh";

/// What one of the two makes of a case; the case's folder is written as `[DIR]`.
#[derive(Debug, PartialEq)]
enum Outcome {
    Planned {
        command: String,
        environment: String,
        file: Option<PathBuf>,
    },
    Failed(String),
}

impl Outcome {
    fn command(&self) -> Option<&str> {
        match self {
            Outcome::Planned { command, .. } => Some(command),
            Outcome::Failed(_) => None,
        }
    }

    fn agrees_with(&self, other: &Outcome) -> bool {
        matches!((self, other), (Outcome::Failed(_), Outcome::Failed(_))) || self == other
    }
}

#[test]
#[ignore = "needs MLflow"]
fn commands_are_those_of_mlflow() {
    let cases = [
        project::cases(),
        yaml::cases(),
        command::cases(),
        generated::cases(),
    ]
    .concat();
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path().canonicalize().unwrap();
    let folders: Vec<PathBuf> = (0..cases.len())
        .map(|number| root.join(number.to_string()))
        .collect();
    for (case, folder) in cases.iter().zip(&folders) {
        case.write(folder);
    }
    let theirs = ask_mlflow(&cases, &folders);
    let ours = ask_ourselves(&cases, &folders);

    let mut differing: BTreeMap<Difference, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for ((case, ours), theirs) in cases.iter().zip(&ours).zip(&theirs) {
        let agree = ours.agrees_with(theirs);
        let complaint = match &case.difference {
            None if agree => continue,
            None => "an unexplained difference",
            Some(_) if agree => "a claimed difference that is none",
            Some(claim) if ours.command() != claim.ours.as_deref() => "not the claimed difference",
            Some(claim) => {
                *differing.entry(claim.difference).or_default() += 1;
                continue;
            }
        };
        let failure = format!(
            "{complaint} ({}), entry point {:?}, values {:?}\n{}\n  ours:   {ours:?}\n  MLflow: {theirs:?}",
            case.rule,
            case.entry_point,
            case.values,
            case.text(),
        );
        // Some projects are large.
        failures.push(failure.chars().take(4000).collect::<String>());
    }

    let different: usize = differing.values().sum();
    let equal = cases.len() - different - failures.len();
    let refused = ours.iter().filter(|ours| ours.command().is_none()).count();
    println!(
        "{} cases ({refused} refused): {equal} as MLflow has it, {different} deliberately different:",
        cases.len()
    );
    for (difference, count) in &differing {
        println!("{count:5}  {}", difference.sentence());
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

/// What MLflow computes, or the exception that it ends with.
fn ask_mlflow(cases: &[Case], folders: &[PathBuf]) -> Vec<Outcome> {
    let question = |(case, folder): (&Case, &PathBuf)| {
        json!({"folder": folder, "entry_point": case.entry_point, "values": case.values})
            .to_string()
    };
    let questions = cases.iter().zip(folders).map(question);
    let answers = ask_python("mlflow_answers.py", questions);
    answers
        .into_iter()
        .zip(folders)
        .map(|(answer, folder)| match answer["command"].as_str() {
            None => Outcome::Failed(answer["error"].to_string()),
            Some(command) => Outcome::Planned {
                command: without(folder, command),
                environment: match answer["environment"].as_str() {
                    Some("conda_env") => "conda",
                    Some("docker_env") => "docker",
                    _ => "virtualenv",
                }
                .to_owned(),
                file: answer["file"].as_str().map(PathBuf::from),
            },
        })
        .collect()
}

/// What a script beside this file answers, in JSON, to questions of a line each.
fn ask_python(script: &str, questions: impl Iterator<Item = String>) -> Vec<Value> {
    let questions: Vec<String> = questions.collect();
    let mut python = Command::new("python3")
        .arg(harness::repository().join("tests/conformance").join(script))
        .env("PYTHONUTF8", "1")
        .env("SHELL", SHELL)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is on PATH");
    let mut stdin = python.stdin.take().expect("it is piped");
    let count = questions.len();
    // Answers come while questions are still written: neither side may wait for the other.
    let writer =
        std::thread::spawn(move || stdin.write_all((questions.join("\n") + "\n").as_bytes()));
    let output = python.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    assert!(
        output.status.success(),
        "python3 cannot import mlflow and yaml; put a Python that can first on PATH"
    );
    written.unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answers.lines().count(), count, "answers");
    answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What the orchestrator plans, or its message.
fn ask_ourselves(cases: &[Case], folders: &[PathBuf]) -> Vec<Outcome> {
    let binary = harness::orchestrator();
    let all: Vec<(&Case, &PathBuf)> = cases.iter().zip(folders).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let parts: Vec<_> = all
            .chunks(all.len().div_ceil(threads))
            .map(|part| {
                scope.spawn(|| {
                    part.iter()
                        .map(|(case, folder)| plan(&binary, case, folder))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap())
            .collect()
    })
}

fn plan(binary: &Path, case: &Case, folder: &Path) -> Outcome {
    let values = case
        .values
        .iter()
        .flat_map(|(name, value)| ["-P".to_owned(), format!("s.{name}={value}")]);
    let run = |arguments: &[&str], values: &mut dyn Iterator<Item = String>| {
        let mut command = Command::new(binary);
        command
            .current_dir(folder)
            .env("SHELL", SHELL)
            .args(["--format", "json"])
            .args(arguments)
            .args(values);
        command.output().unwrap()
    };
    let planned = run(
        &[
            "--dry-run",
            // What the tracking store refuses is no matter of the command.
            "--no-tracking",
            "--steps",
            "s",
            "--env-manager",
            "local",
        ],
        &mut values.into_iter(),
    );
    if !planned.status.success() {
        let message = String::from_utf8_lossy(&planned.stderr).into_owned();
        assert!(
            matches!(planned.status.code(), Some(1 | 2)),
            "{}: {message}\n{}",
            planned.status,
            case.text()
        );
        return Outcome::Failed(message);
    }
    let plan: Value = serde_json::from_slice(&planned.stdout).unwrap();
    // Which manager the project itself asks for is said by `--list` only.
    let list: Value =
        serde_json::from_slice(&run(&["--list"], &mut std::iter::empty()).stdout).unwrap();
    let step = &plan["steps"][0];
    Outcome::Planned {
        command: without(folder, step["command"].as_str().unwrap()),
        environment: list[0]["environment"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        file: step["environment"]["file"].as_str().map(PathBuf::from),
    }
}

fn without(folder: &Path, text: &str) -> String {
    text.replace(folder.to_str().unwrap(), "[DIR]")
}
