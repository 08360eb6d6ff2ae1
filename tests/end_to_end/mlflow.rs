//! The pipeline and its steps under a real `mlflow run`. Needs MLflow on PATH: `bash .ci/run mlflow`.

use crate::environment_making::{path_with, program};
use crate::harness::{Folder, Server, repository};
use crate::tracking::runs;

fn sample() -> String {
    std::fs::read_to_string(repository().join("tests/data/titanic_sample.csv")).unwrap()
}

/// `mlflow run PROJECT --env-manager local ...`, recorded in the temporary folder.
fn mlflow_run(folder: &Folder, project: &str, parameters: &[(&str, &str)]) {
    let project = repository().join(project);
    let mut arguments = vec!["run", project.to_str().unwrap(), "--env-manager", "local"];
    let parameters: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    arguments.extend(parameters.iter().flat_map(|parameter| ["-P", parameter]));
    folder.program_in_path("mlflow", &arguments).run().ends(0);
}

#[test]
#[ignore = "needs MLflow"]
fn mlflow_runs_the_pipeline_through_the_orchestrator() {
    let (folder, server) = (Folder::new(), Server::new(sample()));
    let (raw, clean) = (
        folder.path().join("raw.csv"),
        folder.path().join("clean.csv"),
    );
    // The root project does not declare the files: MLflow hands such parameters on as `--name value`.
    let parameters = [
        ("steps", "data_download,data_cleaning"),
        ("data_url", &server.url("titanic.csv")),
        ("raw_data", raw.to_str().unwrap()),
        ("clean_data", clean.to_str().unwrap()),
    ];
    mlflow_run(&folder, ".", &parameters);
    assert_eq!(folder.read("raw.csv"), sample());
    assert_eq!(folder.read("clean.csv").lines().count(), 1 + 23);
    assert_eq!(server.requests(), ["GET /titanic.csv HTTP/1.1"]);
}

#[test]
#[ignore = "needs MLflow"]
fn mlflow_runs_each_step_alone() {
    let (folder, server) = (Folder::new(), Server::new("a,b\n1,\n007,x\n"));
    let (raw, clean) = (
        folder.path().join("raw.csv"),
        folder.path().join("clean.csv"),
    );
    let (raw, clean) = (raw.to_str().unwrap(), clean.to_str().unwrap());
    mlflow_run(
        &folder,
        "data_download",
        &[("data_url", &server.url("data.csv")), ("raw_data", raw)],
    );
    mlflow_run(
        &folder,
        "data_cleaning",
        &[("raw_data", raw), ("clean_data", clean)],
    );
    assert_eq!(folder.read("clean.csv"), "a,b\n007,x\n");
}

#[test]
#[ignore = "needs MLflow"]
fn mlflow_runs_a_project_with_only_main_as_we_do() {
    let folder = Folder::new();
    folder.file(
        "p/MLproject",
        "name: example
python_env: python_env.yaml
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.50}
      text: {type: str, default: \"it's\"}
      data: {type: path, default: data.csv}
    command: 'printf \"%s\\n\" $PWD $MLFLOW_EXPERIMENT_ID ${{MLFLOW_RUN_ID:+run}} {alpha} {text} {data} > ../said; : '
  other: {parameters: {alpha: {default: 3}}, command: 'echo {alpha} > ../said; : '}
",
    );
    folder
        .file("p/python_env.yaml", "python: '3.11'\n")
        .file("p/data.csv", "");
    let said = |program: &str, arguments: &[&str]| {
        let database = format!("sqlite:///{}/{program}.db", folder.path().display());
        let run = folder.program_in_path(program, arguments).inside("p");
        run.env("MLFLOW_TRACKING_URI", database).run().ends(0);
        folder.read("said")
    };
    for values in [
        &[][..],
        &["-P", "alpha=1e-3", "-P", "text=a b;$X"],
        &["-e", "other"],
    ] {
        let local = [&["--env-manager", "local"], values].concat();
        let theirs = said("mlflow", &[&["run", "."], &local[..]].concat());
        for itself in [&[][..], &["--steps", "."], &["main"]] {
            assert_eq!(
                said("orchestrator", &[itself, &local].concat()),
                theirs,
                "{values:?}"
            );
        }
    }
    // Whatever tag MLflow sets, the run of `main` has.
    let theirs = runs(&folder.path().join("mlflow.db"));
    let ours = runs(&folder.path().join("orchestrator.db"));
    let main = ours.iter().find(|run| run.name == "main").unwrap();
    for name in [
        "mlflow.project.backend",
        "mlflow.project.entryPoint",
        "mlflow.source.name",
        "mlflow.source.type",
        "mlflow.user",
    ] {
        assert_eq!(main.tag(name), theirs[0].tag(name), "{name}");
        assert!(main.tag(name).is_some(), "{name}");
    }
}

/// What `--init` makes of a main.py gives the steps the values that the main.py gives them.
#[test]
#[ignore = "needs MLflow"]
fn mlflow_runs_the_steps_that_init_has_read() {
    let folder = Folder::new();
    let pipeline = repository().join("orchestrator/init/tests/pipelines/argparse");
    let copied = std::process::Command::new("cp")
        .args(["-r", &format!("{}/.", pipeline.display())])
        .arg(folder.path())
        .status();
    assert!(copied.unwrap().success());
    folder.file("data/raw.csv", "");
    let values = || {
        let read = |name: &str| {
            folder
                .read(name)
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let found = [
            read("prepare/values.txt").split_off(1),
            read("train/values.txt"),
            read("steps/report/values.txt"),
        ];
        for step in ["prepare", "train", "steps/report"] {
            std::fs::remove_file(folder.path().join(step).join("values.txt")).unwrap();
        }
        found
    };
    let arguments = ["run", ".", "--env-manager", "local", "-P", "rows=5"];
    folder.program_in_path("mlflow", &arguments).run().ends(0);
    let theirs = values();
    folder.orchestrator(&["--init"]).run().ends(0);
    // The day, which no definition can say, and the places below the pipeline's folder.
    let root = folder.path();
    let clean = root.join("work/clean.csv");
    let given = [
        format!("report.made={}", theirs[2][1]),
        format!("prepare.clean={}", clean.display()),
        format!("train.data={}", clean.display()),
    ];
    let given = given.iter().flat_map(|value| ["-P", value]);
    let arguments = ["--env-manager", "local", "--rows", "5"];
    let arguments: Vec<&str> = arguments.into_iter().chain(given).collect();
    folder.orchestrator(&arguments).run().ends(0);
    assert_eq!(values(), theirs);
}

/// Runs the line that MLflow makes of a `docker_env`, in the folder of the project and as MLflow does.
const DOCKER_LINE: &str = r#"
import subprocess, yaml
from types import SimpleNamespace as some
from mlflow.projects.backend.local import _get_docker_command

environment = yaml.safe_load(open("a/MLproject"))["docker_env"]
info = some(run_id="1", experiment_id="0", artifact_uri="http://127.0.0.1:1/x")
line = _get_docker_command(some(tags=["x"]), some(info=info), None, environment["volumes"], environment["environment"])
subprocess.run(["bash", "-c", " ".join(line + ["true"])], cwd="a", check=True)
"#;

/// Writes down the volumes and variables that a container is to have.
const ENGINE: &str = r#"#!/usr/bin/env bash
case $1 in create | run) ;; *) exit 0 ;; esac
while [ $# -gt 1 ]; do
  case $1 in
    -v | --volume) echo "volume $2" ;;
    -e | --env) echo "variable $2" ;;
  esac
  shift
done | grep -v 'variable [MOP][LRI]' > "$HOME/created"
"#;

#[test]
#[ignore = "needs MLflow"]
fn mlflow_runs_an_engine_with_the_same_volumes_and_variables() {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo");
    program(&folder, "bin/docker", ENGINE);
    let text = r#"
name: a
docker_env:
  image: x
  volumes:
    - ${PWD}/data:/data
    - $(pwd)/data:/opt/data
    - "$( pwd )/data:/opt/more"
    - ~/x:/x
    - "'~/x':$X"
    - '"$HOME/a b":/c'
    - ${DATA:-/mnt}/d:${X:+/d}:ro
    - named:/f
    - /a\ b:/g
    - ./h-$X-${X}y:/h*
  environment:
    - [A, $HOME/x]
    - [B, "~/a:~/b:$X"]
    - [C, "'$HOME'"]
    - [D, "$NOT_SET_HERE"]
    - [E, a$]
    - [f-g, "~"]
    - [H, 5]
    - [I, 1.0e-3]
    - [J, yes]
    - [K, "a#b"]
    - [L, '"two  words"']
    - [M, '{"a":1}']
    - [N, "x=~/y"]
entry_points: {main: {command: "true"}}
"#;
    folder.file("a/MLproject", text);
    let created = || {
        let created = folder.read("created");
        std::fs::remove_file(folder.path().join("created")).unwrap();
        let mut lines: Vec<String> = created.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let with = |run: crate::harness::Run<'_>| {
        let run = run
            .env("PATH", path_with(&folder, "bin"))
            .env("X", "/from-x");
        run.run().ends(0);
    };
    with(
        folder
            .program_in_path("python", &["-c", DOCKER_LINE])
            .env("MLFLOW_TRACKING_URI", "http://127.0.0.1:1"),
    );
    let theirs = created();
    with(folder.orchestrator(&["--steps", "a", "--no-tracking"]));
    assert_eq!(created(), theirs);
    assert_eq!(theirs.len(), 23, "{theirs:?}");
}

/// Prints the name of the conda environment for each file named.
const CONDA_NAMES: &str = "import sys; from mlflow.utils.conda import _get_conda_env_name as name; print(*map(name, sys.argv[1:]), sep='\\n')";

#[test]
#[ignore = "needs MLflow"]
fn conda_names_are_those_of_mlflow_for_fifty_files_without_a_conda() {
    let folder = Folder::new();
    let python = ["3.8", "3.9.18", "3.10", "3.11.7", "3.12"];
    // Between the lines, and at the end.
    let breaks = [
        ("\n", "\n"),
        ("\r\n", "\r\n"),
        ("\r", "\r"),
        ("\n", ""),
        ("\n", "\n\n# comment: \u{e4}\u{1f600}\n"),
    ];
    let starts = ["", "\u{feff}"];
    let cases = python
        .iter()
        .flat_map(|python| breaks.map(|breaks| (python, breaks)));
    let texts = cases.flat_map(|(python, (between, end))| {
        let lines = [
            "name: x",
            "dependencies:",
            &format!("  - python={python}"),
            "  - pip",
        ];
        let text = lines.join(between) + end;
        starts.map(|start| format!("{start}{text}"))
    });
    let texts: Vec<String> = texts.collect();
    assert_eq!(texts.len(), 50);
    let mut steps = Vec::new();
    folder.file("MLproject", "name: demo");
    for (number, text) in texts.iter().enumerate() {
        let name = format!("s{number}");
        folder.step(&name, "command: 'true'");
        folder.file(&format!("{name}/conda.yaml"), text);
        steps.push(name);
    }
    let files: Vec<String> = steps
        .iter()
        .map(|step| format!("{step}/conda.yaml"))
        .collect();
    let mut arguments = vec!["-c", CONDA_NAMES];
    arguments.extend(files.iter().map(String::as_str));
    // The one that has MLflow, which is first on PATH.
    let theirs = folder.program_in_path("python", &arguments).run();
    theirs.ends(0);
    // It is looked for, but not started.
    let conda = folder
        .file("home/bin/conda", "")
        .path()
        .join("home/bin/conda");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(conda, executable).unwrap();
    let ours = folder.orchestrator(&["--steps", &steps.join(","), "--dry-run", "--format", "json"]);
    let ours = ours.env("MLFLOW_CONDA_HOME", "home").run().json();
    let ours = ours["steps"].as_array().unwrap().iter();
    let ours: Vec<&str> = ours
        .map(|step| step["environment"]["name"].as_str().unwrap())
        .collect();
    let theirs = theirs.stdout();
    assert_eq!(ours, theirs.lines().collect::<Vec<_>>());
}
