//! Pipelines in the shapes that public ones have, each with the main.py that runs it by hand: what `--init` makes
//! of them runs the commands, and leaves the files, that the main.py does under a real `mlflow run`.
//!
//! Needs MLflow and hydra on PATH: `bash .ci/run mlflow`; two pipelines run in the jobs `venv` and `docker`.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use crate::harness::{Folder, repository};
use crate::sources::git;
use crate::tracking::runs;

/// Puts a pipeline into a folder, in place of one that has run there; texts of its files are replaced.
pub(crate) fn lay_out(folder: &Folder, name: &str, texts: &[(&str, &str)]) {
    let source = repository().join("tests/data/pipelines").join(name);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        };
        removed.unwrap();
    }
    let copied = Command::new("cp")
        .args(["-r", &format!("{}/.", source.display())])
        .arg(folder.path())
        .status();
    assert!(copied.unwrap().success());
    for file in folder.files() {
        let replace = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
        folder.file(&file, texts.iter().fold(folder.read(&file), replace));
    }
}

/// What has run, and what it has left behind.
#[derive(Debug, PartialEq)]
struct Ran {
    /// The commands of the steps, in order.
    commands: Vec<String>,
    /// The files that steps have written, and their contents.
    files: Vec<(String, String)>,
}

/// The files that the pipeline did not come with, but for those of who runs it.
fn written(folder: &Folder, before: &[String]) -> Vec<(String, String)> {
    let is_ours = |name: &String| {
        // Of hydra, of MLflow, of our cache; and the file of which we have a place of our own.
        let others = ["outputs/", ".config/", ".cache/", "forest.json"];
        !before.contains(name) && !others.iter().any(|other| name.starts_with(other))
    };
    let files = folder.files().into_iter().filter(is_ours);
    files
        .map(|name| (name.clone(), folder.read(&name)))
        .collect()
}

fn database(folder: &Folder) -> String {
    format!("sqlite:///{}/mlflow.db", folder.path().display())
}

/// Runs it by its main.py.
fn by_hand(folder: &Folder, parameters: &[&str]) -> Ran {
    let before = folder.files();
    let local = ["run", ".", "--env-manager", "local"];
    let parameters = parameters.iter().flat_map(|parameter| ["-P", parameter]);
    let arguments: Vec<&str> = local.into_iter().chain(parameters).collect();
    let run = folder.program_in_path("mlflow", &arguments);
    let ended = run.env("MLFLOW_TRACKING_URI", database(folder)).run();
    ended.ends(0);
    let said = ended.stderr();
    let commands = said.split("=== Running command '").skip(1);
    let commands = commands.map(|text| text.split("' in run with ID").next().unwrap());
    Ran {
        // The first one is that of main.py.
        commands: commands.skip(1).map(str::to_owned).collect(),
        files: written(folder, &before),
    }
}

/// Runs it by what `--init` makes of it.
fn by_definition(folder: &Folder, arguments: &[&str]) -> Ran {
    folder.orchestrator(&["--init"]).run().ends(0);
    let before = folder.files();
    let plan = [arguments, &["--dry-run", "--format=json"]].concat();
    let plan = folder.orchestrator(&plan).run();
    plan.ends(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout()).unwrap();
    let steps = plan["steps"].as_array().unwrap().iter();
    let commands = steps.map(|step| step["command"].as_str().unwrap().to_owned());
    let run = folder.orchestrator(arguments);
    run.env("MLFLOW_TRACKING_URI", database(folder))
        .run()
        .ends(0);
    Ran {
        commands: commands.collect(),
        files: written(folder, &before),
    }
}

/// Both, one after the other in the same folder.
fn both(name: &str, parameters: &[&str], arguments: &[&str]) -> [Ran; 2] {
    let folder = Folder::new();
    lay_out(&folder, name, &[]);
    let theirs = by_hand(&folder, parameters);
    lay_out(&folder, name, &[]);
    [theirs, by_definition(&folder, arguments)]
}

#[track_caller]
fn are_the_same(name: &str, parameters: &[&str], arguments: &[&str], steps: usize) {
    let [theirs, ours] = both(name, parameters, arguments);
    assert_eq!(ours, theirs);
    assert_eq!((ours.commands.len(), ours.files.len()), (steps, steps));
}

#[test]
#[ignore = "needs MLflow"]
fn arguments_of_a_main() {
    are_the_same("argparse", &[], &[], 3);
    are_the_same(
        "argparse",
        &["steps=prepare,report", "rows=5", "title=a b;$X"],
        &["--steps=prepare,report", "--rows=5", "--title=a b;$X"],
        2,
    );
}

#[test]
#[ignore = "needs MLflow"]
fn a_config_of_hydra_with_groups_and_overrides() {
    are_the_same("hydra", &[], &[], 3);
    are_the_same(
        "hydra",
        &[
            "steps=ingest,train",
            "hydra_options=data.sample=small.csv model.rate=0.50",
        ],
        &[
            "--steps=ingest,train",
            "-P",
            "config.data.sample=small.csv",
            "-P",
            "config.model.rate=0.50",
        ],
        2,
    );
}

#[test]
#[ignore = "needs MLflow"]
fn variables_for_other_tools() {
    are_the_same("wandb", &["group=a b"], &["--group=a b"], 2);
}

#[test]
#[ignore = "needs MLflow"]
fn a_part_of_the_config_as_json() {
    let [theirs, ours] = both("json_part", &[], &[]);
    // It lies elsewhere.
    assert_eq!(ours.files, theirs.files);
    assert_eq!(ours.files.len(), 1);
}

#[test]
#[ignore = "needs MLflow"]
fn artifacts_of_an_earlier_step() {
    let folder = Folder::new();
    let with_ids = |ran: Ran| {
        let found = runs(&folder.path().join("mlflow.db"));
        let load = found
            .iter()
            .find(|run| run.name == "load" || run.tag("mlflow.project.entryPoint") == Some("load"));
        let id = load.unwrap().id.clone();
        let files = ran.files.into_iter();
        files
            .map(|(name, text)| (name, text.replace(&id, "[LOAD]")))
            .collect::<Vec<_>>()
    };
    lay_out(&folder, "artifact", &[]);
    let theirs = with_ids(by_hand(&folder, &["max_rows=7"]));
    lay_out(&folder, "artifact", &[]);
    let ours = with_ids(by_definition(&folder, &["--max_rows=7"]));
    assert_eq!(ours, theirs);
    let read = folder.read("values.txt");
    assert!(read.starts_with("a,b\n7 of /"), "{read}");
}

/// Serves the git repositories below a folder on loopback, as long as the test runs.
fn git_server(folder: &Folder) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let base = format!("--base-path={}", folder.path().display());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = OwnedFd::from(stream.unwrap());
            let git = Command::new("git")
                .args(["daemon", "--inetd", "--export-all", &base])
                .stdin(Stdio::from(stream.try_clone().unwrap()))
                .stdout(Stdio::from(stream))
                .stderr(Stdio::null())
                .spawn();
            git.unwrap().wait().unwrap();
        }
    });
    format!("git://{address}/parts")
}

#[test]
#[ignore = "needs MLflow"]
fn components_of_another_repository() {
    let remote = Folder::new();
    remote.step(
        "parts/components/get_data",
        "parameters: {sample: str, out: path}\ncommand: \"printf '%s\\\\n' {sample} > {out}\"",
    );
    git(&remote, "parts", &["init", "--quiet"]);
    git(&remote, "parts", &["add", "."]);
    git(&remote, "parts", &["commit", "--quiet", "-m", "first"]);
    git(&remote, "parts", &["tag", "v1"]);
    let uri = git_server(&remote);
    let texts = [("REPOSITORY", uri.as_str())];
    let folder = Folder::new();
    lay_out(&folder, "components", &texts);
    folder.file("sample.txt", "");
    let theirs = by_hand(&folder, &[]);
    let of_theirs = folder.read("sample.txt");
    lay_out(&folder, "components", &texts);
    folder.file("sample.txt", "");
    let ours = by_definition(&folder, &[]);
    assert_eq!(ours, theirs);
    assert_eq!(ours.commands.len(), 2);
    assert_eq!([of_theirs, folder.read("sample.txt")], ["sample1.csv\n"; 2]);
}
