//! What is believed of files and servers: nothing that a stranger may have put there.

use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::{Folder, Run};
use crate::stand_in::{Answer, StandIn, error};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps:\n  a:\n",
    );
    folder.step("a", "command: echo told; touch ../ran");
    folder
}

/// The orchestrator with a server and everything that proves who the user is.
fn with_token<'a>(folder: &'a Folder, url: &str, arguments: &[&str]) -> Run<'a> {
    let arguments = [arguments, &["--tracking-uri", url]].concat();
    folder
        .orchestrator(&arguments)
        .env("MLFLOW_TRACKING_TOKEN", "USERTOKEN")
        .env("MLFLOW_WORKSPACE", "team")
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
}

fn fifo(folder: &Folder, name: &str) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let path = path.to_str().unwrap();
    folder.program_in_path("mkfifo", &[path]).run().ends(0);
}

/// A planted file of records for a server.
fn plant(folder: &Folder, url: &str, lines: &[serde_json::Value]) {
    let mut text = json!({ "Store": { "uri": url, "experiment": "0" } }).to_string() + "\n";
    for line in lines {
        text += &(line.to_string() + "\n");
    }
    folder.file("mlruns/unsent/x.jsonl", text);
}

#[test]
fn a_planted_file_sends_no_file_of_the_users_and_no_token() {
    let (server, other) = (
        StandIn::new(|_| Answer::Usual),
        StandIn::new(|_| Answer::Usual),
    );
    for (name, way) in [
        ("secret", "absolute"),
        ("secret.log", "absolute"),
        ("mlruns/../secret.log", "given"),
        ("../secret.log", "given"),
        ("mlruns/link.log", "link"),
        ("mlruns/folder/secret.log", "folder"),
        ("mlruns/fifo.log", "fifo"),
        ("mlruns/good.log", "good"),
    ] {
        let folder = pipeline();
        folder.file("outside/secret.log", "TOPSECRET");
        folder.file("secret.log", "TOPSECRET");
        folder.file("mlruns/good.log", "a log");
        match way {
            "link" => symlink("../secret.log", folder.path().join(name)).unwrap(),
            "folder" => symlink("../outside", folder.path().join("mlruns/folder")).unwrap(),
            "fifo" => fifo(&folder, name),
            _ => {}
        }
        let log = match way {
            "absolute" => folder.path().join(name).display().to_string(),
            _ => name.to_owned(),
        };
        let artifacts = format!("mlflow-artifacts://{}/0/evil/artifacts", other.authority());
        let known =
            json!({ "Known": { "run": KEY, "known": { "id": "x", "artifacts": artifacts } } });
        let log_of = json!({ "Opened": { "run": KEY, "log": log } });
        let log_record = json!({ "Unsent": { "Log": { "run": KEY, "file": log } } });
        for lines in [[log_of, known.clone()], [known, log_record]] {
            for arguments in [&["--resend"][..], &[]] {
                plant(&folder, &server.url(), &lines);
                let ended = with_token(&folder, &server.url(), arguments).run();
                let said = ended.stderr() + &ended.stdout();
                assert!(!said.contains("TOPSECRET"), "{said}");
            }
        }
    }
    assert_eq!(other.requests().len(), 0);
    for (path, body) in server.artifacts() {
        let is_ours = match path.rsplit_once('/') {
            Some((_, "a.log")) => body == b"told\n",
            Some((_, "report.html")) => body.starts_with(b"<!doctype html>"),
            _ => false,
        };
        assert!(is_ours, "{path}: {body:?}");
    }
}

#[test]
fn a_planted_file_changes_no_run_of_somebody_else() {
    let server = StandIn::new(|_| Answer::Usual);
    // A run of the user's that is going on.
    let theirs = pipeline();
    with_token(&theirs, &server.url(), &[]).run().ends(0);
    let id = server.runs()[0].id.clone();
    let before = server.ends();
    for key in [KEY, &id] {
        let folder = pipeline();
        let known =
            json!({ "Known": { "run": key, "known": { "id": id, "artifacts": "s3://x" } } });
        let tags = [["a", "b"]];
        let facts = json!({ "Unsent": { "Facts": { "run": key, "metrics": [], "tags": tags } } });
        let end = json!({ "Unsent": { "End": { "run": key, "status": "Failed", "end": 1 } } });
        plant(&folder, &server.url(), &[known, facts, end]);
        with_token(&folder, &server.url(), &["--resend"])
            .run()
            .says("belong to no run that the store has of us")
            .succeeds("0 records sent\n");
        assert_eq!(server.ends(), before);
        assert!(!server.runs()[0].tags.contains_key("a"));
    }
}

#[test]
fn what_only_looks_like_records_is_left_alone_and_told() {
    let server = StandIn::new(|_| Answer::Usual);
    let store = json!({ "Store": { "uri": server.url(), "experiment": "0" } }).to_string() + "\n";
    let cases: [(&str, &str); 9] = [
        ("fifo", "it is not a regular file"),
        ("folder", "it is a folder"),
        ("link", "it is a link"),
        ("folder is a link", "it is a link, or no folder"),
        ("newer", "line 2 is none of this version's"),
        ("garbage", "line 1 is none of this version's"),
        ("long", "line 1 is none of this version's"),
        ("large", "it is too large to be ours"),
        ("no id", "a run `../../x`, which is no run's id"),
    ];
    for (kind, reason) in cases {
        let folder = pipeline();
        folder.file("elsewhere/x.jsonl", &store);
        folder.file("mlruns/here", "");
        let at = |name: &str| folder.path().join(name);
        if kind != "folder is a link" {
            std::fs::create_dir(at("mlruns/unsent")).unwrap();
        }
        let file = at("mlruns/unsent/x.jsonl");
        match kind {
            "fifo" => fifo(&folder, "mlruns/unsent/x.jsonl"),
            "folder" => std::fs::create_dir(&file).unwrap(),
            "link" => symlink("../../elsewhere/x.jsonl", &file).unwrap(),
            "folder is a link" => symlink("../elsewhere", at("mlruns/unsent")).unwrap(),
            "newer" => std::fs::write(&file, store.clone() + "{\"Later\":1}\n").unwrap(),
            "garbage" => std::fs::write(&file, b"\xff\x00\n".as_slice()).unwrap(),
            "no id" => {
                let line = json!({ "Opened": { "run": "../../x", "log": null } });
                std::fs::write(&file, format!("{store}{line}\n")).unwrap();
            }
            kind => {
                let size = if kind == "long" { 20 << 20 } else { 1 << 40 };
                std::fs::File::create(&file).unwrap().set_len(size).unwrap();
            }
        }
        let ended = with_token(&folder, &server.url(), &["--resend"]).run();
        let ended = ended
            .says("error: records of earlier runs were not sent")
            .says(reason);
        ended.ends(1);
        let ended = with_token(&folder, &server.url(), &[]).run().says(reason);
        if kind == "folder is a link" {
            ended
                .says("error: records cannot be kept in `mlruns/unsent`")
                .ends(1);
            assert!(!folder.exists("ran"));
        } else {
            ended.says(" is left alone: ").succeeds("told\n");
            assert!(file.symlink_metadata().is_ok(), "{kind}");
        }
        assert_eq!(folder.read("elsewhere/x.jsonl"), store);
    }
    assert!(server.ends().iter().all(|(_, status)| status == "FINISHED"));
}

#[test]
fn a_last_line_that_was_cut_is_no_line() {
    let server = StandIn::new(|_| Answer::Usual);
    let folder = pipeline();
    let start = json!({ "Unsent": { "Start": { "key": KEY, "name": "demo", "parent": null,
        "user": "me", "start": 1, "tags": [["pipeline.name", "demo"]] } } });
    plant(&folder, &server.url(), &[start, json!("Idle")]);
    let whole = folder.read("mlruns/unsent/x.jsonl");
    folder.file("mlruns/unsent/x.jsonl", whole + "{\"Unsent\":{\"Pa");
    with_token(&folder, &server.url(), &["--resend"])
        .run()
        .succeeds("3 records sent\n");
    assert_eq!(server.ends(), [("demo".to_owned(), "KILLED".to_owned())]);
    assert!(!folder.exists("mlruns/unsent"));
    // Nor is there a record in a file that was only begun.
    for text in ["", "{\"Sto"] {
        folder.file("mlruns/unsent/x.jsonl", text);
        let resend = with_token(&folder, &server.url(), &["--resend"]);
        resend.run().succeeds("nothing to send\n");
        assert!(!folder.exists("mlruns/unsent"));
    }
}

/// Asserts that no request proves who the user is.
#[track_caller]
fn is_anonymous(server: &StandIn) {
    for request in server.requests() {
        for name in ["authorization", "x-mlflow-workspace", "cookie"] {
            assert_eq!(request.header(name), None, "{request:?}");
        }
    }
}

#[test]
fn credentials_go_to_the_authority_that_the_user_named() {
    // A server may have its artifacts elsewhere.
    let other = StandIn::new(|_| Answer::Usual);
    let location = format!("mlflow-artifacts://{}/0", other.authority());
    let server = StandIn::with_artifacts(&location, |_| Answer::Usual);
    let named = format!("http://me:secret@{}", server.authority());
    for url in [server.url(), named] {
        let folder = pipeline();
        with_token(&folder, &url, &[]).run().succeeds("told\n");
    }
    let artifacts = other.artifacts();
    // A log and a report each.
    assert_eq!(artifacts.len(), 4, "{artifacts:?}");
    let mut logs = artifacts
        .iter()
        .filter(|(path, _)| path.ends_with("/a.log"));
    assert!(logs.all(|(_, log)| log == b"told\n"));
    is_anonymous(&other);
    let mut proofs = server.requests().into_iter().map(|request| {
        let workspace = request.header("x-mlflow-workspace") == Some("team");
        (
            request.header("authorization").map(str::to_owned),
            workspace,
        )
    });
    assert!(proofs.all(|(proof, workspace)| proof.is_some() && workspace));
}

#[test]
fn a_redirect_takes_no_credentials_along() {
    let other = StandIn::new(|_| Answer::Usual);
    let target = other.url();
    let server = StandIn::new(move |request| {
        let path = request.call.split_once(' ').unwrap().1;
        Answer::Give(307, format!("Location: {target}{path}\r\n"), Vec::new())
    });
    let named = format!("http://me:secret@{}", server.authority());
    for url in [server.url(), named] {
        let folder = pipeline();
        with_token(&folder, &url, &[]).run().succeeds("told\n");
    }
    is_anonymous(&other);
    // The method stays, and with it what was to be recorded.
    assert_eq!(other.ends().len(), 4);
    assert_eq!(other.artifacts().len(), 4);
    assert!(other.ends().iter().all(|(_, status)| status == "FINISHED"));
    // The same authority is no other one.
    let same = StandIn::new(|request| {
        if !request.is("experiments/get") || request.call.contains("/moved/") {
            return Answer::Usual;
        }
        let location = "Location: /moved/api/2.0/mlflow/experiments/get\r\n";
        Answer::Give(302, location.to_owned(), Vec::new())
    });
    let folder = pipeline();
    with_token(&folder, &same.url(), &[])
        .run()
        .succeeds("told\n");
    let mut requests = same.requests().into_iter();
    assert!(requests.all(|request| request.header("authorization").is_some()));
}

#[test]
fn a_post_that_would_become_a_get_is_told() {
    let server = StandIn::when("runs/create", move || {
        Answer::Give(
            301,
            "Location: https://h.invalid/x\r\n".to_owned(),
            Vec::new(),
        )
    });
    let folder = pipeline();
    with_token(&folder, &server.url(), &[])
        .run()
        .says("caused by: the server sends us on to https://h.invalid/x; if that is right, name its address")
        .ends(1);
    assert!(!folder.exists("ran"));
}

#[test]
fn an_answer_that_is_not_mlflows_is_an_error() {
    let give = |body: &str| Answer::Give(200, String::new(), body.as_bytes().to_vec());
    let cases = [
        ("experiments/get", "{}", "it has no `experiment_id`"),
        ("experiments/get", "", "EOF while parsing"),
        ("experiments/get", "<html>login</html>", "expected value"),
        ("experiments/get", "[]", "it is no JSON object"),
        (
            "experiments/get",
            "{\"error_code\":\"BAD\\u001b[1m\",\"message\":\"a\\nb\"}",
            "and of BAD\\u{1b}[1m: a\\nb",
        ),
        (
            "experiments/get",
            "{\"experiment\":{\"experiment_id\":\"../..\"}}",
            "it has no `experiment_id`",
        ),
        ("runs/create", "{}", "it has no `artifact_uri`"),
        (
            "runs/create",
            "{\"run\":{\"info\":{\"run_id\":\"r1\"}}}",
            "it has no `artifact_uri`",
        ),
        (
            "runs/create",
            "{\"run\":{\"info\":{\"run_id\":\"r1\",\"artifact_uri\":\"\"}}}",
            "it has no `artifact_uri`",
        ),
        (
            "runs/create",
            "{\"run\":{\"info\":{\"artifact_uri\":\"x\"}}}",
            "it has no `run_id`",
        ),
        (
            "runs/create",
            "{\"run\":{\"info\":{\"run_id\":\"../x\",\"artifact_uri\":\"x\"}}}",
            "it has no `run_id`",
        ),
        (
            "runs/create",
            "{\"error_code\":\"BAD\"}",
            "it tells of success and of BAD",
        ),
    ];
    for (call, body, reason) in cases {
        let server = StandIn::when(call, move || give(body));
        let folder = pipeline();
        let ended = with_token(&folder, &server.url(), &[]).run();
        ended
            .says("caused by: the server's answer is not MLflow's: ")
            .says(reason)
            .ends(1);
        assert!(
            !folder.exists("ran") && !folder.exists("a.log"),
            "{call} {body}"
        );
    }
    // Once the steps run, they go on.
    let server = StandIn::when("update", move || give("<html>login</html>"));
    let folder = pipeline();
    with_token(&folder, &server.url(), &[])
        .run()
        .says("does not take records: the server's answer is not MLflow's")
        .says("records of this run were not sent")
        .succeeds("told\n");
    assert!(folder.exists("mlruns/unsent"));
}

#[test]
fn an_endless_answer_costs_no_memory() {
    for call in ["experiments/get", "runs/search", "runs/create"] {
        let server = StandIn::when(call, move || Answer::Endless);
        let folder = pipeline();
        let what = if call == "runs/search" {
            "--history"
        } else {
            "--keep-going"
        };
        let limited = format!(
            "ulimit -v 400000; exec orchestrator {what} --tracking-uri {}",
            server.url()
        );
        folder
            .program_in_path("bash", &["-c", &limited])
            .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
            .run()
            .says("the server's answer is not MLflow's: it has over 16 MiB")
            .ends(1);
        assert!(!folder.exists("ran"));
    }
}

#[test]
fn credentials_in_a_fifo_are_not_waited_for() {
    let server = StandIn::new(|_| Answer::Usual);
    let folder = pipeline();
    fifo(&folder, ".mlflow/credentials");
    let arguments = ["--tracking-uri", &server.url()];
    folder.orchestrator(&arguments).run().succeeds("told\n");
}

#[test]
fn secrets_of_parameters_are_not_recorded() {
    let server = StandIn::new(|_| Answer::Usual);
    for uri in [server.url(), "sqlite:///mlflow.db".to_owned()] {
        let folder = pipeline();
        folder.step(
            "a",
            "parameters: {url: uri, api_key: str, max_tokens: {default: 5}}\ncommand: echo {url} {api_key} > ../got",
        );
        let url = "https://u:hidden1@h/x?token=hidden2";
        let arguments = ["--url", url, "--api_key", "hidden3", "--tracking-uri", &uri];
        folder.orchestrator(&arguments).run().succeeds("");
        assert_eq!(
            folder.read("got"),
            format!("'{url}' hidden3\n").replace('\'', "")
        );
        for file in ["mlflow.db", "mlflow.db-wal"] {
            let bytes = std::fs::read(folder.path().join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("hidden"), "{file}");
        }
    }
    let runs = server.runs();
    let step = runs.iter().find(|run| run.name == "a").unwrap();
    assert_eq!(step.parameters["url"], "https://***@h/x?token=***");
    assert_eq!(step.parameters["api_key"], "***");
    assert_eq!(step.parameters["max_tokens"], "5");
    let sent = server.requests();
    for request in &sent {
        let body = String::from_utf8_lossy(&request.body);
        assert!(!body.contains("hidden"), "{body}");
    }
}

#[test]
fn a_run_that_is_unknown_is_an_error_of_the_server_only() {
    // The pipeline's run is refused for ever in the middle.
    let server = StandIn::new(|request| {
        let is_step = request.json()["run_name"] == "a";
        if request.is("runs/create") && is_step {
            return error(400, "INVALID_PARAMETER_VALUE");
        }
        Answer::Usual
    });
    let folder = pipeline();
    let ended = with_token(&folder, &server.url(), &[]).run();
    assert_eq!(
        ended.stderr().matches("not recorded").count(),
        1,
        "{ended:?}"
    );
    ended.ends(0);
    assert_eq!(server.ends(), [("demo".to_owned(), "FINISHED".to_owned())]);
}
