//! What the start of a run would say, told by `--check` and `--dry-run` together with the rest.

use rusqlite::Connection;

use crate::harness::{Ended, Folder, wait_until};
use crate::stand_in::{StandIn, error};
use crate::tracking::runs;
use crate::tracking_folder::everything;

/// A pipeline of the steps `a` and `b`, the second of which has an experiment for itself.
fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps:\n  a:\n  b: {experiment: own}\n",
    );
    folder.step("a", "command: touch ../ran");
    folder.step("b", "command: touch ../ran_b");
    folder
}

/// Checks in both ways, which say the same and write nothing; the plan is printed all the same.
#[track_caller]
fn check(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let before = everything(&folder.path());
    let looked = ["--check", "--dry-run"].map(|how| {
        let mut run = folder.orchestrator(&[arguments, &[how]].concat());
        for (name, value) in variables {
            run = run.env(name, value);
        }
        run.run()
    });
    assert_eq!(
        everything(&folder.path()),
        before,
        "{arguments:?} has written"
    );
    let [checked, planned] = looked;
    assert_eq!(checked.stderr(), planned.stderr());
    assert_eq!(checked.stdout(), "");
    let is_planned = planned.stdout().contains("1. a (main in ");
    assert!(
        is_planned || planned.stderr().contains("  step `"),
        "{planned:?}"
    );
    checked
}

#[test]
fn a_store_that_cannot_be_used_is_told_beforehand() {
    let folder = pipeline();
    folder.file("text.db", "this is no database, whatever its name says");
    Connection::open(folder.path().join("other.db"))
        .unwrap()
        .execute_batch("CREATE TABLE books (title)")
        .unwrap();
    check(&folder, &[], &[]).ends(0);
    for (uri, said) in [
        (
            "./mlruns",
            "  runs cannot be recorded in `./mlruns`\n    hint: folders of files are MLflow's old form",
        ),
        (
            "databricks",
            "  runs cannot be recorded in `databricks`\n    hint: Databricks lets in MLflow's own client only",
        ),
        (
            "sqlite:///text.db",
            "text.db cannot be used\n      caused by: file is not a database\n",
        ),
        ("sqlite:///other.db", "is a database, but none of MLflow"),
        (
            "sqlite:///text.db/x.db",
            "text.db/x.db cannot be written: Not a directory",
        ),
        ("sqlite:///a.db?mode=ro", "`mode=ro` in the tracking URI"),
    ] {
        let ended = check(&folder, &[], &[("MLFLOW_TRACKING_URI", uri)]);
        ended.ends(1);
        ended.says("error: 1 problem; nothing was run\n").says(said);
    }
    // The folders are made by the run, which the run alone does.
    let missing = ["--tracking-uri", "sqlite:///new/folder/x.db"];
    check(&folder, &missing, &[]).ends(0);
    check(
        &folder,
        &["--no-tracking", "--tracking-uri", "databricks"],
        &[],
    )
    .ends(0);
    assert!(!folder.exists("new") && !folder.exists("mlruns") && !folder.exists("mlflow.db"));
    let both = check(
        &folder,
        &["--experiment-name", "x"],
        &[("MLFLOW_EXPERIMENT_ID", "0")],
    );
    both.ends(2);
    folder.file("mlruns", "no folder");
    let ended = check(&folder, &[], &[]);
    ended.says("nothing can be kept in `mlruns`").ends(1);
    assert!(!folder.exists("ran"));
}

#[test]
fn everything_is_told_together() {
    let folder = pipeline();
    folder.step("a", "parameters: {x: int}\ncommand: touch ../ran {x}");
    let told = check(&folder, &["--experiment-id", "77"], &[]);
    told.fails(
        1,
        "error: 2 problems; nothing was run
  step `a`: no value for the required parameter `x` (a/MLproject:4)
    hint: give it with `-P x=VALUE`, or for this step alone with `-P a.x=VALUE`
  the tracking store sqlite:///[DIR]/mlflow.db cannot be used
      caused by: there is no experiment with id `77`
    hint: --experiment-name makes an experiment that does not exist
",
    );
}

#[test]
fn what_is_deleted_in_the_store_is_told_beforehand() {
    let folder = pipeline();
    folder
        .orchestrator(&["--experiment-name", "x"])
        .run()
        .ends(0);
    let run = runs(&folder.path().join("mlflow.db")).remove(0).id;
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    check(&folder, &["--experiment-name", "x"], &[]).ends(0);
    check(&folder, &["--experiment-name", "new"], &[]).ends(0);
    check(&folder, &[], &[("MLFLOW_RUN_ID", &run)]).ends(0);
    database
        .execute_batch("UPDATE experiments SET lifecycle_stage = 'deleted'; UPDATE runs SET lifecycle_stage = 'deleted'")
        .unwrap();
    // That of a step, too.
    let told = check(&folder, &["--experiment-name", "x"], &[]);
    told.fails(
        1,
        "error: 2 problems; nothing was run
  the tracking store sqlite:///[DIR]/mlflow.db cannot be used
      caused by: experiment `x` (id 1) is deleted
    hint: `mlflow experiments restore --experiment-id 1` brings it back
  the tracking store sqlite:///[DIR]/mlflow.db cannot be used
      caused by: experiment `own` (id 2) is deleted
    hint: `mlflow experiments restore --experiment-id 2` brings it back
",
    );
    for (id, said) in [
        (run.as_str(), "which MLFLOW_RUN_ID names, is deleted\n"),
        (
            "gone",
            "there is no run `gone`, which MLFLOW_RUN_ID names\n",
        ),
    ] {
        let hint = "hint: unset MLFLOW_RUN_ID";
        let told = check(&folder, &["--steps", "a"], &[("MLFLOW_RUN_ID", id)]);
        told.says(said).says(hint).ends(1);
        // Nor is anything recorded into nowhere.
        std::fs::remove_file(folder.path().join("ran")).ok();
        let run = folder.orchestrator(&["--steps", "a"]);
        let ended = run.env("MLFLOW_RUN_ID", id).run();
        ended.says(said).says(hint).ends(1);
        assert!(!folder.exists("ran"));
    }
}

#[test]
fn another_run_that_goes_on_is_told_beforehand() {
    let folder = pipeline();
    let command = "command: orchestrator -C .. --check && touch ../up; until [ -e ../go ]; do sleep 0.01; done";
    folder.step("b", command);
    let started = folder.orchestrator(&[]).start();
    wait_until("it runs", || folder.exists("up"));
    let told = folder.orchestrator(&["--check"]).run();
    told.says("error: 1 problem; nothing was run\n  this pipeline is already running (pid ")
        .says("    hint: wait for its end with `--wait`")
        .ends(1);
    // Who waits is not kept by it.
    folder.orchestrator(&["--check", "--wait"]).run().ends(0);
    folder.file("go", "");
    // Nor does who looks keep anybody.
    started.end().ends(0);
    check(&folder, &[], &[]).ends(0);
}

#[test]
fn a_server_is_asked_for_what_the_run_needs() {
    let folder = pipeline();
    let server = StandIn::when("experiments/get", || error(404, "RESOURCE_DOES_NOT_EXIST"));
    let uri = server.url();
    let told = check(
        &folder,
        &["--experiment-id", "77"],
        &[("MLFLOW_TRACKING_URI", &uri)],
    );
    told.says("there is no experiment with id `77`").ends(1);
    let asked = server.requests();
    assert!(!asked.is_empty());
    assert!(
        asked.iter().all(|request| request.call.starts_with("GET ")),
        "{asked:?}"
    );
    let named = ["--tracking-uri", &uri, "--experiment-name", "x"];
    check(&folder, &named, &[]).ends(0);
    assert_eq!(server.runs().len(), 0);
}

#[test]
fn a_folder_of_environments_that_cannot_be_made_is_told_beforehand() {
    let folder = pipeline();
    folder.file("file", "");
    let arguments = ["--env-manager", "virtualenv", "--env-root", "file/x"];
    let told = check(&folder, &[&arguments[..], &["--steps", "a"]].concat(), &[]);
    told.says("environments cannot be made in file/x: file cannot be written: not a directory")
        .says("    hint: name a folder with `--env-root`\n")
        .ends(1);
}

#[test]
fn what_mlflows_client_says_in_a_step_leads_to_the_cause() {
    for (text, hint) in [
        (
            "mlflow.exceptions.MlflowException: Cannot start run with ID 1 because active experiment ID does not match environment run ID. Make sure",
            "hint: the step chooses another experiment than that of its run: say `experiment: NAME`",
        ),
        (
            "mlflow.exceptions.MlflowException: Run with id=1 not found",
            "hint: the step looks for its run in another store: name that one with --tracking-uri",
        ),
        (
            "mlflow.exceptions.MlflowException: Detected out-of-date database schema (found version 1, but expected 2). Take a backup",
            "hint: another version of MLflow has made or upgraded the database",
        ),
    ] {
        let folder = pipeline();
        folder.step("a", &format!("command: |\n  echo '{text}' >&2; exit 1"));
        folder.orchestrator(&[]).run().says(hint).ends(1);
    }
}
