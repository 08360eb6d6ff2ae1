//! The pipeline and its steps under a real `mlflow run`. Needs MLflow on PATH: `bash .ci/run mlflow`.

use crate::harness::{Folder, Server, repository};

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
