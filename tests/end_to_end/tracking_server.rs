//! Recording on a tracking server that behaves badly: a stand-in on loopback that keeps every
//! request. What a real one does is tested in `tracking_mlflow.rs`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::{Folder, Run};

/// What was asked for.
#[derive(Debug, Clone)]
struct Request {
    /// Method and path, without the query.
    call: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn has_header(&self, header: &str) -> bool {
        self.headers
            .iter()
            .any(|known| known.eq_ignore_ascii_case(header))
    }
}

/// An answer other than the usual one; `Drop` takes the request and closes the connection.
enum Answer {
    Usual,
    Give(Value),
    Error(u16, &'static str),
    Drop,
}

struct StandIn {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl StandIn {
    /// Serves; `answer` sees the call and how often there was one like it before.
    fn new(answer: impl Fn(&str, usize) -> Answer + Send + 'static) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = Arc::clone(&requests);
        // The thread ends with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(request) = read(stream.as_ref().unwrap()) else {
                    continue;
                };
                let mut seen = seen.lock().unwrap();
                let before = seen
                    .iter()
                    .filter(|known| known.call == request.call)
                    .count();
                let answer = match answer(&request.call, before) {
                    Answer::Usual => usual(&request, &seen),
                    Answer::Give(answer) => (200, answer),
                    Answer::Error(status, code) => {
                        (status, json!({ "error_code": code, "message": "no" }))
                    }
                    Answer::Drop => (0, Value::Null),
                };
                seen.push(request);
                write(&stream.unwrap(), answer);
            }
        });
        StandIn { port, requests }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The calls, without what all of them begin with.
    fn calls(&self) -> Vec<String> {
        let calls = self.requests();
        calls
            .iter()
            .map(|request| {
                request
                    .call
                    .replace("/api/2.0/mlflow/", "")
                    .replace("/api/2.0/mlflow-artifacts/", "")
            })
            .collect()
    }

    fn bodies(&self, call: &str) -> Vec<Value> {
        let requests = self.requests();
        let wanted = requests
            .iter()
            .filter(|request| request.call.ends_with(call));
        wanted.map(Request::json).collect()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = reader
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    let first = lines.next()?;
    let headers: Vec<String> = lines.collect();
    let length = headers.iter().find_map(|header| {
        let (name, value) = header.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let path = path.split('?').next()?;
    Some(Request {
        call: format!("{method} {path}"),
        headers,
        body,
    })
}

/// What MLflow's server answers, as far as it is looked at. Run ids count from 1.
fn usual(request: &Request, before: &[Request]) -> (u16, Value) {
    let created = before
        .iter()
        .filter(|known| known.call.ends_with("runs/create"));
    let info = |number: usize| {
        json!({ "run_id": format!("r{number}"), "experiment_id": "0", "status": "RUNNING",
                "artifact_uri": format!("mlflow-artifacts:/0/r{number}/artifacts") })
    };
    let answer = match request.call.rsplit_once("/mlflow/").map(|(_, call)| call) {
        Some("experiments/get") => {
            json!({ "experiment": { "experiment_id": "0", "lifecycle_stage": "active" } })
        }
        Some("runs/create") => json!({ "run": { "info": info(created.count() + 1) } }),
        Some("runs/search") => {
            let runs = created.enumerate().map(|(number, run)| {
                json!({ "info": info(number + 1), "data": { "tags": run.json()["tags"] } })
            });
            json!({ "runs": runs.collect::<Vec<_>>() })
        }
        _ => json!({}),
    };
    (200, answer)
}

fn write(mut stream: &TcpStream, (status, answer): (u16, Value)) {
    if status == 0 {
        return;
    }
    let body = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
}

fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps:\n  a:\n  b:\n",
    );
    for step in ["a", "b"] {
        folder.step(step, &format!("parameters: {{x: {{default: 1}}}}\ncommand: echo \"$MLFLOW_RUN_ID\" >> ../ran_{step}"));
    }
    folder
}

/// The orchestrator with a server, without pauses between its tries.
fn with_server<'a>(folder: &'a Folder, url: &str, arguments: &[&'a str]) -> Run<'a> {
    let arguments = [arguments, &["--tracking-uri", url]].concat();
    folder
        .orchestrator(&arguments)
        .env("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
        .env("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
}

#[test]
fn a_step_costs_few_requests() {
    let (folder, server) = (pipeline(), StandIn::new(|_, _| Answer::Usual));
    with_server(&folder, &server.url(), &[]).run().succeeds("");
    let mut calls = server.calls();
    // The run before is looked for once, while a step runs.
    let count = calls.len();
    calls.retain(|call| call != "POST runs/search");
    assert!(count - calls.len() <= 2);
    let starts = calls
        .iter()
        .enumerate()
        .filter(|(_, call)| *call == "POST runs/create");
    let starts: Vec<usize> = starts.map(|(position, _)| position).collect();
    assert_eq!(starts.len(), 3, "{calls:?}");
    // The last one asks which metrics the step's own client has told.
    assert!(starts[2] - starts[1] <= 6, "{calls:?}");
    assert_eq!(folder.read("ran_a"), "r2\n");
    let ends = server.bodies("runs/update");
    let ends: Vec<(&str, &str)> = ends
        .iter()
        .map(|end| {
            (
                end["run_id"].as_str().unwrap(),
                end["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        ends,
        [("r2", "FINISHED"), ("r3", "FINISHED"), ("r1", "FINISHED")]
    );
    let step = &server.bodies("runs/create")[1];
    assert!(
        step["tags"]
            .as_array()
            .unwrap()
            .contains(&json!({ "key": "mlflow.parentRunId", "value": "r1" }))
    );
    assert_eq!(step["run_name"], "a");
    assert!(!folder.exists("mlflow.db"));
    let logs = calls.iter().filter(|call| call.starts_with("PUT"));
    let logs: Vec<&str> = logs.map(String::as_str).collect();
    assert_eq!(
        logs,
        [
            "PUT artifacts/0/r2/artifacts/a.log",
            "PUT artifacts/0/r3/artifacts/b.log",
            "PUT artifacts/0/r1/artifacts/report.html"
        ]
    );
}

#[test]
fn a_server_that_fails_for_a_while_is_asked_again() {
    let (folder, server) = (
        pipeline(),
        StandIn::new(|_, before| match before {
            0 => Answer::Error(500, "INTERNAL_ERROR"),
            1 => Answer::Error(503, "TEMPORARILY_UNAVAILABLE"),
            _ => Answer::Usual,
        }),
    );
    let ended = with_server(&folder, &server.url(), &[]).run().succeeds("");
    assert!(!ended.stderr().contains("warning"), "{}", ended.stderr());
    assert_eq!(server.bodies("runs/update").len(), 2 + 3);
}

#[test]
fn a_run_whose_creation_was_not_confirmed_is_not_made_twice() {
    let (folder, server) = (
        pipeline(),
        StandIn::new(|call, before| match before {
            1 if call.ends_with("runs/create") => Answer::Drop,
            _ => Answer::Usual,
        }),
    );
    with_server(&folder, &server.url(), &[]).run().succeeds("");
    let names: Vec<Value> = server
        .bodies("runs/create")
        .iter()
        .map(|run| run["run_name"].clone())
        .collect();
    assert_eq!(names, ["demo", "a", "b"]);
    assert_eq!(folder.read("ran_a"), "r2\n");
}

#[test]
fn a_step_of_another_experiment_is_named_by_the_pipelines_run() {
    let server = StandIn::new(|call, _| match call.rsplit_once('/') {
        Some((_, "get-by-name")) => Answer::Give(
            json!({ "experiment": { "experiment_id": "7", "lifecycle_stage": "active" } }),
        ),
        _ => Answer::Usual,
    });
    let folder = pipeline();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {a: {experiment: training}, b: }\n",
    );
    with_server(&folder, &server.url(), &[]).run().succeeds("");
    let places: Vec<Value> = server
        .bodies("runs/create")
        .iter()
        .map(|run| run["experiment_id"].clone())
        .collect();
    assert_eq!(places, ["0", "7", "0"]);
    let tag = json!({ "key": "pipeline.step.a", "value": "r2" });
    let is_tag = |body: &Value| body["run_id"] == "r1" && body["tags"] == json!([tag]);
    assert!(server.bodies("runs/log-batch").iter().any(is_tag));
}

#[test]
fn a_server_that_is_not_there_is_told_before_anything_runs() {
    let folder = pipeline();
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    with_server(&folder, &format!("http://me:secret@{unused}"), &[])
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        .run()
        .says(&format!(
            "error: the tracking store http://{unused} cannot be used\n  caused by: "
        ))
        .says("hint: another store can be named with --tracking-uri")
        .ends(1);
    let server = StandIn::new(|call, _| {
        if call.ends_with("runs/create") {
            Answer::Error(400, "INVALID_PARAMETER_VALUE")
        } else {
            Answer::Usual
        }
    });
    with_server(&folder, &server.url(), &[])
        .run()
        .says("cannot be recorded")
        .says("caused by: INVALID_PARAMETER_VALUE: no")
        .ends(1);
    assert!(!folder.exists("ran_a") && !folder.exists("mlruns/unsent"));
}

#[test]
fn what_a_lost_server_did_not_hear_is_sent_later() {
    for resend in [&["--resend"][..], &[]] {
        let is_away = Arc::new(Mutex::new(true));
        let away = Arc::clone(&is_away);
        // From the start of the first step on.
        let server = StandIn::new(move |call, before| {
            if *away.lock().unwrap() && (before > 0 || call.ends_with("runs/update")) {
                Answer::Error(503, "GONE")
            } else {
                Answer::Usual
            }
        });
        let folder = pipeline();
        let run =
            with_server(&folder, &server.url(), &[]).env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1");
        let ended = run
            .run()
            .succeeds("")
            .says("records of this run were not sent");
        assert_eq!(
            ended.stderr().matches("does not take records").count(),
            1,
            "{}",
            ended.stderr()
        );
        // A run that the server does not know yet would make the step's own client fail.
        assert_eq!(folder.read("ran_b"), "\n");
        *is_away.lock().unwrap() = false;
        server
            .requests
            .lock()
            .unwrap()
            .retain(|request| request.call.ends_with("runs/create"));
        with_server(&folder, &server.url(), resend).run().ends(0);
        assert!(!folder.exists("mlruns/unsent"), "{:?}", folder.files());
        let ended: Vec<Value> = server
            .bodies("runs/update")
            .iter()
            .map(|end| end["status"].clone())
            .collect();
        assert_eq!(
            ended.len(),
            if resend.is_empty() { 6 } else { 3 },
            "{:?}",
            server.calls()
        );
        assert!(ended.iter().all(|status| status == "FINISHED"));
    }
}

#[test]
fn records_wait_for_the_store_that_they_belong_to() {
    let server = StandIn::new(|call, _| {
        if call.ends_with("runs/update") {
            Answer::Error(503, "GONE")
        } else {
            Answer::Usual
        }
    });
    let folder = pipeline();
    let once = |run: Run<'_>| run.env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0").run();
    once(with_server(&folder, &server.url(), &[])).ends(0);
    folder
        .orchestrator(&["--resend"])
        .run()
        .says("error: records of earlier runs were not sent")
        .says("name that store with --tracking-uri")
        .ends(1);
    once(with_server(&folder, &server.url(), &["--resend"]))
        .says("GONE")
        .ends(1);
    assert!(folder.exists("mlruns/unsent"));
}

#[test]
fn the_variables_of_mlflows_client_count() {
    let (folder, server) = (pipeline(), StandIn::new(|_, _| Answer::Usual));
    with_server(&folder, &server.url(), &[])
        .env("MLFLOW_TRACKING_USERNAME", "me")
        .env("MLFLOW_TRACKING_PASSWORD", "secret")
        .env("MLFLOW_TRACKING_TOKEN", "token")
        .env("MLFLOW_WORKSPACE", "team")
        .run()
        .succeeds("");
    let first = server.requests().len();
    folder.file(
        ".mlflow/credentials",
        "[mlflow]\nmlflow_tracking_username = you\nmlflow_tracking_password = secret\n",
    );
    with_server(&folder, &server.url(), &[]).run().succeeds("");
    let second = server.requests().len();
    std::fs::remove_file(folder.path().join(".mlflow/credentials")).unwrap();
    with_server(&folder, &server.url(), &[])
        .env("MLFLOW_TRACKING_TOKEN", "token")
        .run()
        .succeeds("");
    let requests = server.requests();
    assert!(
        requests[..first]
            .iter()
            .all(|request| request.has_header("authorization: Basic bWU6c2VjcmV0"))
    );
    assert!(
        requests[..first]
            .iter()
            .all(|request| request.has_header("x-mlflow-workspace: team"))
    );
    assert!(
        requests[first..second]
            .iter()
            .all(|request| request.has_header("authorization: Basic eW91OnNlY3JldA=="))
    );
    assert!(
        requests[second..]
            .iter()
            .all(|request| request.has_header("authorization: Bearer token"))
    );
    let cases = [
        (
            "MLFLOW_TRACKING_AUTH",
            "plugin",
            "MLFLOW_TRACKING_AUTH is set, which needs MLflow's own client",
        ),
        (
            "MLFLOW_HTTP_REQUEST_TIMEOUT",
            "soon",
            "the value of MLFLOW_HTTP_REQUEST_TIMEOUT should be a number",
        ),
        (
            "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER",
            "-1",
            "the value of MLFLOW_HTTP_REQUEST_BACKOFF_JITTER should be a number",
        ),
        (
            "MLFLOW_TRACKING_INSECURE_TLS",
            "perhaps",
            "should be true or false",
        ),
        (
            "MLFLOW_TRACKING_SERVER_CERT_PATH",
            "none.pem",
            "cannot read `none.pem`",
        ),
    ];
    for (name, value, message) in cases {
        with_server(&folder, &server.url(), &[])
            .env(name, value)
            .run()
            .says(message)
            .ends(1);
    }
}

#[test]
fn a_log_that_is_refused_keeps_nothing_else_back() {
    let (folder, server) = (
        pipeline(),
        StandIn::new(|call, _| {
            if call.starts_with("PUT") {
                Answer::Error(403, "PERMISSION_DENIED")
            } else {
                Answer::Usual
            }
        }),
    );
    with_server(&folder, &server.url(), &[])
        .run()
        .succeeds("")
        .says("warning: not recorded: PERMISSION_DENIED: no; the log stays at [DIR]/mlruns/0/r2/artifacts/a.log\n");
    assert_eq!(server.bodies("runs/update").len(), 3);
    assert!(!folder.exists("mlruns/unsent"));
}

#[test]
fn a_log_for_a_cloud_stays_here() {
    let server = StandIn::new(|call, before| {
        if call.ends_with("runs/create") {
            let id = format!("r{before}");
            let info = json!({ "run_id": id, "experiment_id": "0",
                               "artifact_uri": format!("s3://bucket/0/{id}/artifacts") });
            Answer::Give(json!({ "run": { "info": info } }))
        } else {
            Answer::Usual
        }
    });
    let folder = pipeline();
    with_server(&folder, &server.url(), &[])
        .run()
        .succeeds("")
        .says("warning: not recorded: logs cannot be sent to artifacts at `s3:`; this one stays at [DIR]/mlruns/0/r1/artifacts/a.log\n");
    assert!(folder.exists("mlruns/0/r1/artifacts/a.log"));
    let ends = server.bodies("runs/update");
    assert!(ends.iter().all(|end| end["status"] == "FINISHED"));
    assert_eq!(ends.len(), 3);
    assert_eq!(server.bodies("runs/log-batch").len(), 6);
    assert!(!folder.exists("mlruns/unsent"));
}

#[test]
fn a_proxy_of_the_environment_is_used() {
    let (folder, proxy) = (pipeline(), StandIn::new(|_, _| Answer::Usual));
    let run = with_server(&folder, "http://mlflow.invalid", &[]).env("HTTP_PROXY", proxy.url());
    run.env("http_proxy", proxy.url()).run().succeeds("");
    assert!(
        proxy
            .calls()
            .iter()
            .any(|call| call.contains("http://mlflow.invalid")),
        "{:?}",
        proxy.calls()
    );
}
