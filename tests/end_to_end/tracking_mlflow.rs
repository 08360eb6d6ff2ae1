//! Runs recorded here, read back by MLflow itself. Needs MLflow on PATH: `bash .ci/run tracking`.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Folder, Run, repository, rounds, wait_until};
use crate::report::hostile;
use crate::tracking_kills::{Random, Wrong, kill};

/// What MLflow's client finds, as `read_back.py` prints it.
fn read_back(folder: &Folder, uri: &str, filter: &str, with_artifacts: bool) -> Vec<Value> {
    let script = repository().join("tests/end_to_end/read_back.py");
    let script = script.to_str().unwrap();
    let into = if with_artifacts { "downloaded" } else { "" };
    let ended = with_login(folder.program_in_path("python3", &[script, uri, filter, into])).run();
    ended.ends(0);
    ended.json().as_array().unwrap().clone()
}

/// The user of the server with passwords; the other servers do not look.
fn with_login(run: Run<'_>) -> Run<'_> {
    run.env("MLFLOW_TRACKING_USERNAME", "admin")
        .env("MLFLOW_TRACKING_PASSWORD", "a long password")
}

fn named<'a>(runs: &'a [Value], name: &str) -> &'a Value {
    let found = runs.iter().find(|run| run["name"] == name);
    found.unwrap_or_else(|| panic!("no run {name:?} in {runs:#?}"))
}

/// A pipeline with everything in it that a store may stumble over; the second step fails.
fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: größe\nenv_manager: local\nsteps:\n  first:\n  many:\n  bad: {timeout: 100ms}\n",
    );
    folder.step(
        "first",
        "parameters: {text: {default: \"it's a 'ü'\"}, out: {default: out.txt}}\noutputs: [out]\n\
         command: \"echo hello ü; printf %s {text} > {out}; printf 'loss 1\\nloss nan\\nloss 0.5\\nbig inf\\n' > $PIPELINE_METRICS\"",
    );
    let many: Vec<String> = (0..150)
        .map(|number| format!("p{number}: {{default: {number}}}"))
        .collect();
    folder.step(
        "many",
        &format!("parameters: {{{}}}\ncommand: 'true'", many.join(", ")),
    );
    folder.step("bad", "command: sleep 1000");
    folder
}

/// What MLflow has to find of a run of [`pipeline`].
fn check(folder: &Folder, uri: &str) {
    let runs = read_back(folder, uri, "", true);
    let root = named(&runs, "größe");
    let (first, many, bad) = (
        named(&runs, "first"),
        named(&runs, "many"),
        named(&runs, "bad"),
    );
    assert_eq!(runs.len(), 4, "{runs:#?}");
    assert_eq!(root["status"], "FAILED");
    assert_eq!(
        (&first["status"], &bad["status"]),
        (&"FINISHED".into(), &"KILLED".into())
    );
    for step in [first, many, bad] {
        assert_eq!(step["tags"]["mlflow.parentRunId"], root["id"]);
        assert_eq!(step["tags"]["mlflow.source.type"], "PROJECT");
        assert!(step["end"].as_u64() >= step["start"].as_u64());
    }
    assert_eq!(first["artifacts"]["first.log"], "hello ü\n");
    assert_eq!(bad["artifacts"]["bad.log"], "");
    assert_eq!(first["parameters"]["text"], "it's a 'ü'");
    assert_eq!(first["metrics"]["out_bytes"], 11.0);
    assert_eq!(first["metrics"]["loss"], 0.5);
    assert_eq!(root["metrics"]["first/loss"], 0.5);
    assert_eq!(root["metrics"]["first/out_bytes"], Value::Null);
    assert_eq!(
        first["series"]["loss"].as_array().unwrap().last().unwrap()[1],
        0.5
    );
    assert!(
        first["metrics"]["big"]
            .as_f64()
            .is_none_or(|big| big > 1e300)
    );
    assert_eq!(
        many["parameters"].as_object().map(serde_json::Map::len),
        Some(150)
    );
    let filter = format!(
        "tags.mlflow.parentRunId = '{}' and status = 'FINISHED'",
        root["id"].as_str().unwrap()
    );
    let children = read_back(folder, uri, &filter, false);
    let names: Vec<&Value> = children.iter().map(|run| &run["name"]).collect();
    assert_eq!(names, ["first", "many"]);
}

#[test]
#[ignore = "needs MLflow"]
fn mlflow_reads_a_database_made_here() {
    let folder = pipeline();
    folder.orchestrator(&["--grace", "100ms"]).run().ends(1);
    let uri = format!("sqlite:///{}", folder.path().join("mlflow.db").display());
    check(&folder, &uri);
    // Now it has MLflow's newest form.
    let history = folder
        .orchestrator(&["--grace", "100ms", "--run-name", "again"])
        .run();
    history.ends(1);
    let runs = read_back(&folder, &uri, "", false);
    assert_eq!(runs.len(), 8);
    let again = named(&runs, "again")["id"].clone();
    let first = runs.iter().rfind(|run| run["name"] == "first").unwrap();
    assert_eq!(first["tags"]["mlflow.parentRunId"], again);
    let loss: Vec<&Value> = first["series"]["loss"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| &point[0])
        .collect();
    assert_eq!(loss, [0, 1, 2]);
    assert_eq!(first["metrics"]["loss"], 0.5);
}

#[test]
#[ignore = "needs MLflow"]
fn a_step_with_mlflows_client_upgrades_the_database_meanwhile() {
    let folder = Folder::new();
    let steps = (0..40)
        .map(|number| format!("  s{number}: {{project: quick}}\n"))
        .collect::<Vec<_>>()
        .concat();
    folder.file(
        "slow/MLproject",
        "name: slow\nenv_manager: local\nsteps:\n  before:\n  python:\n  after:\n",
    );
    folder.file(
        "quick/MLproject",
        format!("name: quick\nenv_manager: local\nsteps:\n{steps}"),
    );
    for step in ["slow/before", "slow/after", "quick/quick"] {
        folder.step(
            step,
            "parameters: {a: {default: 1}}\ncommand: echo m 1 > $PIPELINE_METRICS",
        );
    }
    folder.step("slow/python", "command: python3 log.py");
    folder.file(
        "slow/python/log.py",
        "import mlflow\n\
         with mlflow.start_run():\n    \
             for step in range(30):\n        mlflow.log_metric('loss', 1 / (1 + step), step=step)\n    \
             mlflow.log_param('model', 'ü')\n",
    );
    let uri = format!("sqlite:///{}", folder.path().join("both.db").display());
    let start = |side| {
        folder
            .orchestrator(&["-C", side, "--tracking-uri", &uri])
            .start()
    };
    for ended in [start("slow"), start("quick")].map(crate::harness::Started::end) {
        ended.ends(0);
        let said = ended.stderr();
        assert!(
            !said.contains("warning") && !said.contains("locked"),
            "{said}"
        );
    }
    let runs = read_back(&folder, &uri, "", false);
    assert_eq!(runs.len(), 4 + 41);
    for run in &runs {
        assert_eq!(run["status"], "FINISHED", "{run:#?}");
        assert!(run["metrics"]["duration_seconds"].is_number(), "{run:#?}");
    }
    let python = named(&runs, "python");
    assert_eq!(python["parameters"]["model"], "ü");
    assert_eq!(python["series"]["loss"].as_array().map(Vec::len), Some(30));
    assert_eq!(
        python["tags"]["mlflow.parentRunId"],
        named(&runs, "slow")["id"]
    );
    assert_eq!(named(&runs, "after")["metrics"]["m"], 1.0);
    let slow = &named(&runs, "slow")["metrics"];
    assert_eq!(
        (&slow["before/m"], &slow["after/m"]),
        (&1.0.into(), &1.0.into())
    );
    assert_eq!(slow["python/loss"], python["metrics"]["loss"]);
    let quick = named(&runs, "quick")["metrics"].as_object().unwrap();
    assert_eq!(quick.len(), 1 + 40, "{quick:?}");
}

/// A step that writes one metric, and a step whose own client logs others.
fn pipeline_with_client() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: table\nenv_manager: local\nsteps: [plain, client]\n",
    );
    folder.step(
        "plain",
        "parameters: {rows: {default: 3}, data: {default: ../data}}\noutputs: [data]\n\
         command: \"seq {rows} > {data}; echo n {rows} > $PIPELINE_METRICS\"",
    );
    folder.step(
        "client",
        "parameters: {lr: {default: 1}, data: {default: ../data}, model: {default: ../model}}\n\
         inputs: [data]\noutputs: [model]\ncommand: python3 log.py {lr} {model}",
    );
    folder.file(
        "client/log.py",
        "import sys, mlflow\n\
         with mlflow.start_run():\n    \
             for step in range(3):\n        mlflow.log_metric('val/loss', float(sys.argv[1]) / (1 + step), step=step)\n    \
             mlflow.log_metric('bad', float('nan'))\n    \
             mlflow.log_metric('system/cpu', 5)\n\
         open(sys.argv[2], 'w').write('it')\n",
    );
    folder
}

/// The metrics and parameters of the pipelines' runs, as rows of MLflow's table, oldest first.
fn rows(folder: &Folder, uri: &str) -> Vec<[Value; 2]> {
    let runs = read_back(folder, uri, "tags.`pipeline.name` = 'table'", false);
    let row = |mut run: Value| {
        let mut metrics = run["metrics"].take();
        metrics.as_object_mut().unwrap().remove("duration_seconds");
        [metrics, run["parameters"].take()]
    };
    runs.into_iter().map(row).collect()
}

/// Compares runs by one row for each, in whatever store.
fn compares_in_one_row(folder: &Folder, uri: &str) {
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--tracking-uri", uri]].concat();
        folder.orchestrator(&arguments).run().ends(0);
    };
    run(&[]);
    // The first step is up to date, and then both.
    run(&["--cached", "-P", "client.lr=0.5"]);
    run(&["--cached", "-P", "client.lr=0.5"]);
    let rows = rows(folder, uri);
    let row = |loss: f64| json!({ "plain/n": 3.0, "client/val/loss": loss, "client/bad": "nan" });
    let metrics: Vec<&Value> = rows.iter().map(|row| &row[0]).collect();
    assert_eq!(metrics, [&row(1.0 / 3.0), &row(0.5 / 3.0), &row(0.5 / 3.0)]);
    let lr: Vec<&Value> = rows.iter().map(|row| &row[1]["client/lr"]).collect();
    assert_eq!(lr, [&Value::Null, &"0.5".into(), &"0.5".into()]);
    let found = read_back(folder, uri, "tags.`pipeline.up_to_date` = 'true'", false);
    assert_eq!(found.len(), 1);
    let history = folder
        .orchestrator(&["--history", "--tracking-uri", uri, "--format", "json"])
        .run()
        .json();
    assert_eq!(history.as_array().map(Vec::len), Some(2));
    assert_eq!(history[0]["metrics"]["client/bad"], "NaN");
    assert_eq!(history[0]["changed"]["parameters"][0]["name"], "lr");
    // The run of somebody else keeps what it has.
    let theirs = format!(
        "import mlflow, os, subprocess\n\
         mlflow.set_tracking_uri('{uri}')\n\
         with mlflow.start_run() as run:\n    \
             mlflow.log_param('rows', 7)\n    \
             subprocess.run(['orchestrator', '--rows', '8', '-P', 'client.lr=3', '--tracking-uri', '{uri}'], check=True, env=dict(os.environ, MLFLOW_RUN_ID=run.info.run_id))\n"
    );
    folder.file("theirs.py", theirs);
    let ended = folder.program_in_path("python3", &["theirs.py"]).run();
    ended.ends(0);
    assert!(!ended.stderr().contains("not recorded"), "{ended:?}");
    let last = self::rows(folder, uri).pop().unwrap();
    assert_eq!(
        last[0],
        json!({ "plain/n": 8.0, "client/val/loss": 1.0, "client/bad": "nan" })
    );
    assert_eq!(last[1]["rows"], "7");
    assert_eq!(last[1]["client/lr"], "3");
}

#[test]
#[ignore = "needs MLflow"]
fn runs_are_compared_in_one_row_each() {
    let folder = pipeline_with_client();
    let uri = format!("sqlite:///{}", folder.path().join("mlflow.db").display());
    compares_in_one_row(&folder, &uri);
    let (folder, beside) = (pipeline_with_client(), Folder::new());
    let server = Server::start(&beside, &[], None);
    compares_in_one_row(&folder, &server.url());
}

#[test]
#[ignore = "needs MLflow"]
fn a_client_writes_where_the_path_of_the_pipeline_is_no_part_of_a_uri() {
    let folder = Folder::new();
    for name in ["50%41 of what?", "100%", "a b#é"] {
        folder.file(
            &format!("{name}/MLproject"),
            "env_manager: local\nsteps: {a: }\n",
        );
        folder.step(&format!("{name}/a"), "command: timeout 60 python3 log.py");
        folder.file(
            &format!("{name}/a/log.py"),
            "import mlflow\n\
             with mlflow.start_run():\n    \
                 mlflow.log_metric('loss', 1.5)\n    \
                 mlflow.log_text('it', 'it.txt')\n",
        );
        folder.orchestrator(&["-C", name]).run().ends(0);
        let place = folder.path().join(name);
        let recorded = crate::tracking::runs(&place.join("mlflow.db"));
        assert!((recorded[1].metrics["loss"] - 1.5).abs() < f64::EPSILON);
        let artifacts = place
            .join("mlruns/0")
            .join(&recorded[1].id)
            .join("artifacts");
        assert_eq!(
            std::fs::read_to_string(artifacts.join("it.txt")).unwrap(),
            "it"
        );
        assert!(artifacts.join("a.log").exists());
        // No folder of a name that only looks like it.
        let beside = std::fs::read_dir(folder.path()).unwrap();
        let names = beside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let alike = names.filter(|other| other.starts_with(&name[..2]));
        assert_eq!(alike.collect::<Vec<_>>(), [name]);
    }
}

/// The server's certificate, which no authority has signed.
const CERTIFICATE: &str = "certificate.pem";

/// A real `mlflow server` on a free port of loopback, ended with all its workers when it is dropped.
struct Server {
    child: Option<Child>,
    port: u16,
    database: PathBuf,
    arguments: Vec<String>,
    config: Option<PathBuf>,
}

impl Server {
    fn start(folder: &Folder, arguments: &[&str], config: Option<PathBuf>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Server {
            child: None,
            port: listener.local_addr().unwrap().port(),
            database: folder.path().join("server.db"),
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
            config,
        };
        drop(listener);
        server.restart(folder);
        server
    }

    fn restart(&mut self, folder: &Folder) {
        let log = std::fs::File::create(folder.path().join("server.log")).unwrap();
        let mut command = Command::new("mlflow");
        command
            .args([
                "server",
                "--host",
                "127.0.0.1",
                "--workers",
                "1",
                "--port",
                &self.port.to_string(),
            ])
            .args([
                "--backend-store-uri",
                &format!("sqlite:///{}", self.database.display()),
            ])
            .args(&self.arguments)
            // MLflow 3 has workers for jobs, which are slow to start and leave files when killed.
            .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0);
        if let Some(config) = &self.config {
            command.env("MLFLOW_AUTH_CONFIG_PATH", config);
            command.env("MLFLOW_FLASK_SERVER_SECRET_KEY", "any text");
        }
        self.child = Some(command.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_mins(4);
        while !self.is_up() {
            assert!(Instant::now() < deadline, "{}", folder.read("server.log"));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn is_up(&self) -> bool {
        let url = format!("{}/health", self.url());
        let answer = Command::new("python3")
            .args([
                "-c",
                "import ssl, sys, urllib.request; urllib.request.urlopen(sys.argv[1], context=ssl._create_unverified_context())",
                &url,
            ])
            .stderr(Stdio::null())
            .status();
        answer.unwrap().success()
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let group = format!("-{}", child.id());
            Command::new("kill")
                .args(["-s", "KILL", "--", &group])
                .status()
                .unwrap();
            child.wait().unwrap();
        }
    }

    fn url(&self) -> String {
        let has_certificate = self
            .arguments
            .iter()
            .any(|argument| argument.contains(CERTIFICATE));
        let scheme = if has_certificate { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
#[ignore = "needs MLflow"]
fn mlflow_server_has_the_runs_and_shows_them() {
    let folder = pipeline();
    let mut server = Server::start(&folder, &[], None);
    let uri = server.url();
    folder
        .orchestrator(&["--grace", "100ms", "--tracking-uri", &uri])
        .run()
        .ends(1);
    check(&folder, &uri);
    let history = folder
        .orchestrator(&["--history", "--tracking-uri", &uri])
        .run();
    assert!(
        history.stdout().contains("failed") && history.stdout().contains("first/big"),
        "{history:?}"
    );
    let root = named(&read_back(&folder, &uri, "", false), "größe")["id"]
        .as_str()
        .unwrap()
        .to_owned();
    screenshot(
        &folder,
        "run",
        &format!("{uri}/#/experiments/0/runs/{root}"),
    );
    screenshot(&folder, "runs", &format!("{uri}/#/experiments/0/runs"));

    // Killed between two steps, back before the last, and gone again at the end.
    let outage = Folder::new();
    outage.file(
        "MLproject",
        "name: outage\nenv_manager: local\nsteps:\n  a:\n  b:\n  c:\n  d:\n",
    );
    for step in ["a", "b", "c", "d"] {
        outage.step(
            step,
            &format!("command: touch ../{step}_up; until [ -e ../{step}_on ]; do sleep 0.05; done"),
        );
    }
    let started = outage
        .orchestrator(&["--tracking-uri", &uri])
        .env("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
        .env("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
        .start();
    let reached = |step: &str| {
        wait_until(&format!("step {step} runs"), || {
            outage.exists(&format!("{step}_up"))
        });
    };
    reached("a");
    server.kill();
    outage.file("a_on", "");
    reached("b");
    outage.file("b_on", "");
    reached("c");
    server.restart(&folder);
    outage.file("c_on", "");
    reached("d");
    server.kill();
    outage.file("d_on", "");
    let ended = started.end();
    ended.ends(0);
    let said = ended.stderr();
    assert_eq!(said.matches("does not take records").count(), 2, "{said}");
    assert_eq!(
        said.matches("is back: what waited was sent").count(),
        1,
        "{said}"
    );
    assert!(said.contains("records of this run were not sent"), "{said}");
    server.restart(&folder);
    outage
        .orchestrator(&["--resend", "--tracking-uri", &uri])
        .run()
        .ends(0);
    let runs = read_back(&outage, &uri, "tags.`pipeline.step` != 'x'", false);
    let names: Vec<&str> = runs.iter().filter_map(|run| run["name"].as_str()).collect();
    let of_outage = &runs[runs.len() - 4..];
    assert_eq!(names[names.len() - 4..], ["a", "b", "c", "d"]);
    assert!(
        of_outage.iter().all(|run| run["status"] == "FINISHED"),
        "{of_outage:#?}"
    );
    assert!(!outage.exists("mlruns/unsent"));
}

#[test]
#[ignore = "needs MLflow"]
fn a_report_is_html_and_is_shown_in_mlflows_pages() {
    let (folder, report) = hostile();
    let script = repository().join("tests/end_to_end/check_html.py");
    let (script, report) = (script.to_str().unwrap(), report.to_str().unwrap());
    let checked = folder.program_in_path("python3", &[script, report]).run();
    checked.succeeds("");

    // As it is, and within a frame like MLflow's.
    let page = folder.read("r.html");
    let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
    folder.file(
        "frame.html",
        format!(
            "<!doctype html><style>body {{ margin: 0 }} iframe {{ border: 0; width: 100%; height: 1200px }}</style>\
             <iframe sandbox=allow-scripts srcdoc=\"{quoted}\"></iframe>"
        ),
    );
    let picture = |name: &str, file: &str| {
        let url = format!("file://{}", folder.path().join(file).display());
        screenshot(&folder, name, &url)
    };
    let (alone, framed) = (picture("report", "r.html"), picture("frame", "frame.html"));
    assert!(alone.abs_diff(framed) < alone / 20, "{alone} {framed}");

    let server = Server::start(&folder, &[], None);
    let uri = server.url();
    let pipeline = pipeline();
    let arguments = ["--grace", "100ms", "--tracking-uri", &uri];
    pipeline.orchestrator(&arguments).run().ends(1);
    pipeline.orchestrator(&arguments).run().ends(1);
    let runs = read_back(&pipeline, &uri, "tags.`pipeline.name` = 'größe'", true);
    assert_eq!(runs.len(), 2, "{runs:#?}");
    for run in &runs {
        let page = run["artifacts"]["report.html"].as_str().unwrap();
        assert!(page.contains("<h1>größe <span class=bad>"), "{page}");
    }
    // The run before was found on the server.
    let newest = runs.iter().max_by_key(|run| run["start"].as_u64()).unwrap();
    let page = newest["artifacts"]["report.html"].as_str().unwrap();
    assert!(
        page.contains("<h2>Changed parameters</h2><p>None, against the run before"),
        "{page}"
    );
    let id = newest["id"].as_str().unwrap();
    let url = format!("{uri}/#/experiments/0/runs/{id}/artifacts/report.html");
    screenshot(&folder, "artifact", &url);
}

/// A picture of a page, once its script has had time to fill it, and how large it is in bytes.
fn screenshot(folder: &Folder, name: &str, url: &str) -> u64 {
    let place = std::env::var("SCREENSHOTS").expect("SCREENSHOTS names a folder for the pictures");
    std::fs::create_dir_all(&place).unwrap();
    let picture = PathBuf::from(place).join(format!("{name}.png"));
    let profile = folder.path().join(format!("profile-{name}"));
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--window-size=1600,1200",
        "--virtual-time-budget=60000",
        &format!("--user-data-dir={}", profile.display()),
        &format!("--screenshot={}", picture.display()),
        url,
    ];
    folder.program_in_path("chromium", &arguments).run().ends(0);
    // A blank page of this size has a few kilobytes.
    let size = picture.metadata().unwrap().len();
    assert!(size > 20_000, "{}", picture.display());
    size
}

#[test]
#[ignore = "needs MLflow"]
fn a_server_may_leave_artifacts_to_its_clients() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps:\n  python:\n",
    );
    folder.step("python", "command: echo told; python3 log.py");
    // Its client ends the run well before the step fails.
    folder.file(
        "python/log.py",
        "import sys, mlflow\n\
         with mlflow.start_run():\n    mlflow.log_metric('loss', 0.5)\n    mlflow.log_text('a', 'a.txt')\n\
         sys.exit(3)\n",
    );
    let artifacts = folder.path().join("of the server");
    let root = format!("file://{}", artifacts.display()).replace(' ', "%20");
    let options = ["--no-serve-artifacts", "--default-artifact-root", &root];
    let server = Server::start(&folder, &options, None);
    folder
        .orchestrator(&["--tracking-uri", &server.url()])
        .run()
        .ends(1);
    let runs = read_back(&folder, &server.url(), "", true);
    let step = named(&runs, "python");
    assert_eq!(step["status"], "FAILED", "{step:#}");
    assert_eq!(step["tags"]["pipeline.exit_code"], "3");
    assert_eq!(step["metrics"]["loss"], 0.5);
    assert_eq!(step["artifacts"]["a.txt"], "a");
    let log = step["artifacts"]["python.log"].as_str().unwrap();
    assert!(log.starts_with("told\n"), "{log}");
    let id = step["id"].as_str().unwrap();
    assert!(
        artifacts
            .join(format!("0/{id}/artifacts/python.log"))
            .exists()
    );
    assert!(!folder.exists("mlruns/0"));
}

#[test]
#[ignore = "needs MLflow"]
fn a_server_may_ask_for_a_password() {
    let folder = pipeline();
    // In ASCII: MLflow 3.17's server refuses the uploads of its own client with another one.
    let config = "[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///auth.db\nadmin_username = admin\nadmin_password = a long password\n";
    folder.file(
        "auth.ini",
        format!(
            "{config}authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        ),
    );
    let server = Server::start(
        &folder,
        &["--app-name", "basic-auth"],
        Some(folder.path().join("auth.ini")),
    );
    let uri = server.url();
    let arguments = ["--grace", "100ms", "--tracking-uri", &uri];
    folder
        .orchestrator(&arguments)
        .run()
        .says("cannot be used")
        .ends(1);
    assert!(!folder.exists("first/out.txt"));
    with_login(folder.orchestrator(&arguments)).run().ends(1);
    check(&folder, &uri);
}

#[test]
#[ignore = "needs MLflow"]
fn a_server_may_have_a_certificate_of_its_own() {
    let folder = pipeline();
    let openssl = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
                   -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out";
    let arguments: Vec<&str> = openssl.split_whitespace().chain([CERTIFICATE]).collect();
    folder.program_in_path("openssl", &arguments).run().ends(0);
    let [key, certificate] = ["key.pem", CERTIFICATE].map(|name| folder.path().join(name));
    let (key, certificate) = (key.display(), certificate.display());
    // MLflow 2 has another server below.
    let version = folder.program_in_path("mlflow", &["--version"]).run();
    let options = if version.stdout().contains("version 2.") {
        [
            "--gunicorn-opts".into(),
            format!("--certfile {certificate} --keyfile {key}"),
        ]
    } else {
        [
            "--uvicorn-opts".into(),
            format!("--ssl-certfile {certificate} --ssl-keyfile {key}"),
        ]
    };
    let server = Server::start(&folder, &options.each_ref().map(String::as_str), None);
    let uri = server.url();
    let run = || folder.orchestrator(&["--steps", "first", "--tracking-uri", &uri]);
    run().run().says("certificate").ends(1);
    assert!(!folder.exists("first/out.txt"));
    let certificate = certificate.to_string();
    // It is trusted for its own name only.
    let other_name = uri.replace("127.0.0.1", "localhost");
    folder
        .orchestrator(&["--steps", "first", "--tracking-uri", &other_name])
        .env("MLFLOW_TRACKING_SERVER_CERT_PATH", &certificate)
        .run()
        .says("certificate not valid for name")
        .ends(1);
    assert!(!folder.exists("first/out.txt"));
    run()
        .env("MLFLOW_TRACKING_SERVER_CERT_PATH", &certificate)
        .run()
        .ends(0);
    run()
        .env("MLFLOW_TRACKING_INSECURE_TLS", "true")
        .run()
        .ends(0);
    let script = repository().join("tests/end_to_end/read_back.py");
    let arguments = [script.to_str().unwrap(), &uri, "", "downloaded"];
    let read = folder.program_in_path("python3", &arguments);
    let read = read
        .env("MLFLOW_TRACKING_SERVER_CERT_PATH", &certificate)
        .run();
    read.ends(0);
    let runs = read.json();
    let ends: Vec<_> = runs
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["status"])
        .collect();
    assert_eq!(ends, ["FINISHED"; 4]);
}

#[test]
#[ignore = "needs MLflow"]
fn a_hundred_kills_leave_no_run_in_doubt() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[], None);
    let runs = || {
        let runs = crate::tracking::runs(&server.database).into_iter();
        let named = runs.map(|run| (run.tags["pipeline.key"].clone(), run.status));
        named.collect()
    };
    let start = Instant::now();
    let count = rounds(100);
    let wrong = kill(count, &mut Random(2028), 2000, &server.url(), &runs);
    println!(
        "{count} kills against MLflow in {:.0} s: {} runs left RUNNING, {} twice, {} files unsent",
        start.elapsed().as_secs_f64(),
        wrong.running,
        wrong.twice,
        wrong.unsent
    );
    assert_eq!(wrong, Wrong::default());
}
