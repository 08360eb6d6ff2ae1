//! What stands in the pipeline's run of its steps, and looking at runs: `--history`, `--show`, `--diff`.

use std::path::Path;

use rusqlite::Connection;
use serde_json::json;

use crate::harness::{Ended, Folder};
use crate::stand_in::{Answer, StandIn};
use crate::tracking::{Run, runs};

/// A pipeline of two steps, the second of which tells what the first has written.
fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: [make, train]\n",
    );
    folder.step(
        "make",
        "parameters: {rows: {default: 10}, data: {default: ../data}}\noutputs: [data]\n\
         command: \"seq {rows} > {data}; printf 'n 1\\nn %s\\n' {rows} > $PIPELINE_METRICS\"",
    );
    folder.step(
        "train",
        "parameters: {lr: {default: 1}, data: {default: ../data}, model: {default: ../model}}\n\
         inputs: [data]\noutputs: [model]\ncommand: bash train.sh {data} {model} {lr}",
    );
    folder.file(
        "train/train.sh",
        "wc -l < $1 > $2\nprintf 'loss %s\\nsystem/cpu 1\\nown_bytes 2\\nacc 0.9\\n' $3 > $PIPELINE_METRICS\n",
    );
    folder
}

fn recorded(folder: &Folder) -> Vec<Run> {
    runs(&folder.path().join("mlflow.db"))
}

/// The pipelines' runs, oldest first.
fn pipelines(folder: &Folder) -> Vec<Run> {
    let mut runs = recorded(folder);
    runs.retain(|run| run.tag("pipeline.name").is_some());
    runs
}

fn names(run: &Run) -> Vec<&str> {
    run.metrics.keys().map(String::as_str).collect()
}

/// The lines of a table with `ID` for ids and `AT` for times of day.
fn lines(ended: &Ended) -> Vec<String> {
    ended.ends(0);
    let masked = |line: &str| {
        let words = line.split_whitespace();
        let words = words.map(|word| {
            let is_id = word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            let is_time = word.len() == 5 && word.as_bytes()[2] == b':';
            match word {
                _ if is_id => "ID",
                _ if is_time => "AT",
                word => word,
            }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    ended.stdout().lines().map(masked).collect()
}

#[test]
fn what_a_step_has_told_stands_in_the_pipelines_run() {
    let folder = pipeline();
    folder
        .orchestrator(&["-P", "train.lr=0.5", "-P", "rows=20"])
        .run()
        .ends(0);
    let recorded = recorded(&folder);
    let [pipeline, make, train] = &recorded[..] else {
        panic!("{recorded:?}");
    };
    // Neither what is measured here, nor what MLflow's client measures.
    assert_eq!(
        names(pipeline),
        ["duration_seconds", "make/n", "train/acc", "train/loss"]
    );
    assert!((pipeline.metrics["make/n"] - 20.0).abs() < f64::EPSILON);
    assert!((pipeline.metrics["train/loss"] - 0.5).abs() < f64::EPSILON);
    assert!(names(train).contains(&"own_bytes") && names(make).contains(&"data_bytes"));
    assert_eq!(pipeline.parameters["train/lr"], "0.5");
    assert_eq!(pipeline.parameters["rows"], "20");
    assert!(!pipeline.parameters.contains_key("train.lr"));
    assert_eq!(train.parameters["lr"], "0.5");
}

#[test]
fn a_step_that_is_up_to_date_has_its_metrics_in_the_pipelines_run_too() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    folder
        .orchestrator(&["--cached", "-P", "train.lr=2"])
        .run()
        .ends(0);
    folder
        .orchestrator(&["--cached", "-P", "train.lr=2"])
        .run()
        .says("all 2 steps are up to date")
        .ends(0);
    let pipelines = pipelines(&folder);
    for run in &pipelines {
        assert_eq!(
            names(run),
            ["duration_seconds", "make/n", "train/acc", "train/loss"]
        );
    }
    let tags: Vec<_> = pipelines
        .iter()
        .map(|run| run.tag("pipeline.up_to_date"))
        .collect();
    assert_eq!(tags, [None, None, Some("true")]);
    assert_eq!(pipelines[2].status, "FINISHED");
    // No new run of a step that did not run.
    assert_eq!(recorded(&folder).len(), 3 + 3);
}

#[test]
fn names_are_those_that_mlflow_takes() {
    let folder = Folder::new();
    folder.file(
        "pipe/MLproject",
        "env_manager: local\nsteps: {\"it's\": {project: ../x}, ../x: }\n",
    );
    folder.step(
        "x",
        "parameters: {a: {default: 1}}\ncommand: echo m {a} > $PIPELINE_METRICS",
    );
    folder
        .orchestrator(&["-C", "pipe", "-P", "../x.a=2", "-P", "it's.a=3"])
        .run()
        .ends(0);
    let pipeline = &runs(&folder.path().join("pipe/mlflow.db"))[0];
    assert_eq!(names(pipeline), ["duration_seconds", "it_s/m", "x/m"]);
    assert_eq!(pipeline.parameters["x/a"], "2");
    assert_eq!(pipeline.parameters["it_s/a"], "3");
}

#[test]
fn a_later_try_counts() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {a: {retries: 1, retry_delay: 1ms}}\n",
    );
    folder.step(
        "a",
        "command: \"printf 'm 9\\nm 8\\nm 7\\n' > $PIPELINE_METRICS; [ ! -e ../again ] && touch ../again && exit 1; printf 'm 1\\n' > $PIPELINE_METRICS\"",
    );
    folder.orchestrator(&[]).run().ends(0);
    let pipeline = &recorded(&folder)[0];
    assert!((pipeline.metrics["a/m"] - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_run_of_somebody_else_gets_what_it_lacks() {
    let folder = pipeline();
    // As `mlflow run .` makes it.
    folder.orchestrator(&[]).run().ends(0);
    let database = folder.path().join("mlflow.db");
    let open = Connection::open(&database).unwrap();
    let sql = "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, artifact_uri, experiment_id) VALUES ('theirs', 'theirs', 'RUNNING', 5, 'active', '', 0)";
    open.execute(sql, []).unwrap();
    open.execute("INSERT INTO params VALUES ('rows', '7', 'theirs')", [])
        .unwrap();
    drop(open);
    folder
        .orchestrator(&["--rows", "8", "-P", "train.lr=3"])
        .env("MLFLOW_RUN_ID", "theirs")
        .run()
        .ends(0);
    let theirs = recorded(&folder)
        .into_iter()
        .find(|run| run.id == "theirs")
        .unwrap();
    assert_eq!(theirs.parameters["rows"], "7");
    assert_eq!(theirs.parameters["train/lr"], "3");
    assert_eq!(names(&theirs), ["make/n", "train/acc", "train/loss"]);
    assert_eq!(theirs.status, "RUNNING");
}

#[test]
fn a_server_is_told_the_same() {
    let server = StandIn::new(|_| Answer::Usual);
    let (folder, url) = (pipeline(), server.url());
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--tracking-uri", &url]].concat();
        folder.orchestrator(&arguments).run()
    };
    run(&["-P", "train.lr=2"]).ends(0);
    run(&["--cached", "-P", "train.lr=2"]).ends(0);
    run(&["--cached", "--rows", "12", "-P", "train.lr=2"]).ends(0);
    let pipelines: Vec<_> = server
        .runs()
        .into_iter()
        .filter(|run| run.tags.contains_key("pipeline.name"))
        .collect();
    for run in &pipelines {
        let names: Vec<&String> = run.metrics.keys().collect();
        assert_eq!(
            names,
            ["duration_seconds", "make/n", "train/acc", "train/loss"]
        );
        assert_eq!(run.parameters["train/lr"], "2");
    }
    assert!((pipelines[2].metrics["make/n"] - 12.0).abs() < f64::EPSILON);
    assert_eq!(pipelines[1].tags["pipeline.up_to_date"], "true");
    assert_eq!(
        lines(&run(&["--history"])),
        [
            "RUN NAME STATE STARTED TIME CHANGED METRICS",
            "r4 demo finished AT [TIME] rows 10 -> 12 make/n 12, train/acc 0.9, t…",
            "r1 demo finished AT [TIME] first run make/n 10, train/acc 0.9, t…",
        ]
        .map(|line| line.replace("r4", "r5"))
    );
    assert_eq!(lines(&run(&["--history=all"])).len(), 4);
    assert_eq!(lines(&run(&["--history=1"])).len(), 2);
    let shown = run(&["--show", "r5"]);
    shown.ends(0);
    assert!(shown.stdout().contains("\nstep make\n"), "{shown:?}");
    run(&["--show", "r6"])
        .prints("  part of     run r5\n")
        .ends(0);
    run(&["--diff", "r1", "r5"])
        .prints("  parameters  rows 10 -> 12\n")
        .ends(0);
    run(&["--show", "r"])
        .says("error: several runs have an id that begins with `r`: r5, r4, r1\n")
        .ends(1);
    // Looking has told it nothing.
    assert_eq!(server.runs().len(), 7);
}

#[test]
fn a_server_that_dies_while_eight_steps_run_hears_all_later() {
    let is_away = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let away = std::sync::Arc::clone(&is_away);
    let server = StandIn::new(move |_| {
        if away.load(std::sync::atomic::Ordering::SeqCst) {
            Answer::Give(503, String::new(), Vec::new())
        } else {
            Answer::Usual
        }
    });
    let folder = Folder::new();
    let steps: Vec<String> = (0..8)
        .map(|number| format!("s{number}: {{project: s}}"))
        .collect();
    folder.file(
        "MLproject",
        format!(
            "name: eight\nenv_manager: local\nsteps: {{{}}}\n",
            steps.join(", ")
        ),
    );
    folder.step(
        "s",
        "inputs: []\ncommand: \"touch ../up_$MLFLOW_RUN_ID; until [ -e ../go ]; do sleep 0.01; done; echo told; echo m 1 > $PIPELINE_METRICS; touch ../done_$MLFLOW_RUN_ID\"",
    );
    let url = server.url();
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--tracking-uri", &url]].concat();
        folder
            .orchestrator(&arguments)
            .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    };
    let count = |begin: &str| {
        let files = folder.files();
        files.iter().filter(|name| name.starts_with(begin)).count()
    };
    let started = run(&["-j", "8"]).start();
    crate::harness::wait_until("eight steps run", || count("up_") == 8);
    is_away.store(true, std::sync::atomic::Ordering::SeqCst);
    folder.file("go", "");
    let ended = started.end();
    ended.ends(0);
    assert_eq!(count("done_"), 8);
    let said = ended.stderr();
    assert_eq!(said.matches("does not take records").count(), 1, "{said}");
    assert!(said.contains("records of this run were not sent"), "{said}");
    assert!(server.runs().iter().all(|run| run.status == "RUNNING"));
    is_away.store(false, std::sync::atomic::Ordering::SeqCst);
    run(&["--resend"]).run().ends(0);
    assert!(!folder.exists("mlruns/unsent"));
    let runs = server.runs();
    assert_eq!(runs.len(), 9);
    assert!(runs.iter().all(|run| run.status == "FINISHED"), "{runs:?}");
    let pipeline = &runs[0];
    let copied: Vec<&String> = pipeline.metrics.keys().collect();
    let expected: Vec<String> = std::iter::once("duration_seconds".to_owned())
        .chain((0..8).map(|number| format!("s{number}/m")))
        .collect();
    assert_eq!(copied, expected.iter().collect::<Vec<_>>());
    // Eight logs and the report.
    assert_eq!(server.artifacts().len(), 9);
    run(&["--resend"]).run().succeeds("nothing to send\n");
}

#[test]
fn a_planted_file_copies_nothing_to_a_run_of_somebody_else() {
    let server = StandIn::new(|_| Answer::Usual);
    let folder = pipeline();
    folder
        .orchestrator(&["--tracking-uri", &server.url()])
        .run()
        .ends(0);
    let before = server.runs();
    let (pipeline, step) = (before[0].id.clone(), before[2].id.clone());
    let planted = Folder::new();
    planted.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {a: {project: .}}\nentry_points: {main: {command: 'true'}}\n",
    );
    let run = json!({
        "key": "0123456789abcdef0123456789abcdef", "name": "x", "parent": pipeline, "user": "u", "start": 1,
        "tags": [],
    });
    let lines = [
        json!({ "Store": { "uri": server.url(), "experiment": "0" } }),
        json!({ "Known": { "run": pipeline, "known": { "id": pipeline, "artifacts": "" } } }),
        json!({ "Unsent": { "Start": run } }),
        json!({ "Unsent": { "Copy": { "run": pipeline, "from": step, "step": "train", "time": 9 } } }),
        json!({ "Unsent": { "Facts": { "run": pipeline, "metrics": [], "tags": [["a", "b"]] } } }),
    ];
    let lines = lines.map(|line| line.to_string() + "\n");
    planted.file("mlruns/unsent/x.jsonl", lines.concat());
    planted
        .orchestrator(&["--resend", "--tracking-uri", &server.url()])
        .run()
        .says("belong to no run that the store has of us")
        .ends(0);
    assert_eq!(server.runs()[0].tags, before[0].tags);
    assert_eq!(server.runs()[0].metrics.len(), before[0].metrics.len());
}

#[test]
fn history_says_in_a_line_what_changed() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    folder.orchestrator(&["--rows", "20"]).run().ends(0);
    folder.file(
        "train/train.sh",
        folder.read("train/train.sh").replace("system/cpu 1", ""),
    );
    folder.orchestrator(&["--rows", "20"]).run().ends(0);
    folder
        .orchestrator(&["--cached", "--rows", "20"])
        .run()
        .ends(0);
    folder.file("train/train.sh", "exit 3");
    folder
        .orchestrator(&["--rows", "20", "--run-name", "日本語のとても長い名前です"])
        .run()
        .ends(1);
    let ended = folder.orchestrator(&["--history"]).run();
    assert_eq!(
        lines(&ended),
        [
            "RUN NAME STATE STARTED TIME CHANGED METRICS",
            "ID 日本語のと… failed AT [TIME] train: code make/n 20",
            "ID demo finished AT [TIME] train: code make/n 20, trai…",
            "ID demo finished AT [TIME] rows 10 -> 20 make/n 20, trai…",
            "ID demo finished AT [TIME] first run make/n 10, trai…",
        ]
    );
    let all = folder.orchestrator(&["--history=all"]).run();
    assert!(lines(&all)[2].contains(" nothing ran make/n 20"), "{all:?}");
    assert_eq!(lines(&all).len(), 6);
    let two = folder.orchestrator(&["--history=2"]).run();
    // The first of these is compared with one that is not shown.
    assert!(lines(&two)[2].contains(" train: code "), "{two:?}");
    assert_eq!(lines(&two).len(), 3);
    folder
        .orchestrator(&["--history=x"])
        .run()
        .says("expected a number or `all`")
        .ends(2);
    let json = folder
        .orchestrator(&["--history=3", "--format", "json"])
        .run()
        .json();
    assert_eq!(json[1]["changed"]["code"], json!(["train"]));
    assert_eq!(
        json[2]["changed"]["parameters"],
        json!([{ "name": "rows", "steps": ["make"], "old": "10", "new": "20" }])
    );
    assert_eq!(json[2]["metrics"]["train/acc"], 0.9);
    assert_eq!(json[2]["parameters"]["rows"], "20");
    assert_eq!(json[2]["steps"][0]["metrics"]["n"], 20.0);
    assert_eq!(json[2]["steps"][1]["tags"]["pipeline.environment"], "local");
    assert_eq!(json[0]["all_up_to_date"], false);
}

/// In a terminal of so many columns.
fn in_terminal(folder: &Folder, columns: u16, arguments: &[&str]) -> String {
    let script = "import fcntl, os, pty, struct, sys, termios\n\
         def spawn(columns, *command):\n    \
             pid, terminal = pty.fork()\n    \
             if pid == 0:\n        \
                 fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(columns), 0, 0))\n        \
                 os.execvp(command[0], command)\n    \
             try:\n        \
                 while text := os.read(terminal, 4096): os.write(1, text)\n    \
             except OSError: pass\n    \
             return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n\
         sys.exit(spawn(*sys.argv[1:]))\n";
    let columns = columns.to_string();
    let arguments = [&["-c", script, &columns, "orchestrator"], arguments].concat();
    let ended = folder.program_in_path("python3", &arguments).run();
    ended.ends(0);
    ended.stdout().replace("[TIME]", "0.1 s").replace('\r', "")
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    let long = "x".repeat(200);
    let parameter = format!("train.lr=1{long}");
    folder
        .orchestrator(&["--run-name", &long, "-P", &parameter])
        .run()
        .ends(0);
    for columns in [40, 80, 200] {
        let shown = in_terminal(&folder, columns, &["--history"]);
        assert_eq!(shown.lines().count(), 3, "{shown}");
        let widest = shown.lines().map(|line| line.chars().count()).max();
        let widest = widest.unwrap();
        assert!(widest <= usize::from(columns), "{shown}");
        assert_eq!(columns >= 80, shown.contains("lr 1 -> 1xxx"), "{shown}");
        assert_eq!(columns >= 200, shown.contains("train/loss"), "{shown}");
    }
}

#[test]
fn times_are_local() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    let sql = "UPDATE runs SET start_time = 1784000000000, end_time = 1784000060000";
    database.execute(sql, []).unwrap();
    for (zone, expected) in [
        ("UTC", "2026-07-14 03:33:20"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-14 05:33:20"),
        ("/nowhere", "2026-07-14 03:33:20"),
    ] {
        let id = &recorded(&folder)[0].id;
        folder
            .orchestrator(&["--show", id])
            .env("TZ", zone)
            .run()
            .prints(&format!("  started     {expected}\n"))
            .ends(0);
    }
}

#[test]
fn a_run_is_shown_with_all_that_is_known_of_it() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    folder
        .orchestrator(&["--cached", "-P", "train.lr=0.25"])
        .run()
        .ends(0);
    let recorded = recorded(&folder);
    let (pipeline, train, make) = (&recorded[3], &recorded[4], &recorded[1]);
    let shown = folder
        .orchestrator(&["--show", &pipeline.id[..10]])
        .env("TZ", "UTC")
        .run();
    shown.ends(0);
    let mask = |line: &str| match line.split_once("started     ") {
        Some((before, _)) => format!("{before}started     AT"),
        None => line.to_owned(),
    };
    let shown = shown.stdout();
    let shown: Vec<String> = shown.lines().map(mask).collect();
    let expected = format!(
        "\
run {}
  name        demo
  state       finished
  started     AT
  time        [TIME]
  parameters  steps = make,train
              train/lr = 0.25
  metrics     make/n = 10
              train/acc = 0.9
              train/loss = 0.25

step train
  run         {}
  state       finished
  started     AT
  time        [TIME]
  parameters  data = ../data
              lr = 0.25
              model = ../model
  metrics     acc = 0.9
              loss = 0.25
  environment local
  log         mlruns/0/[RUN]/artifacts/train.log

step make: up to date
  made by     run {}
  parameters  data = ../data
              rows = 10
  metrics     n = 10
  log         mlruns/0/[RUN]/artifacts/make.log",
        pipeline.id, train.id, make.id
    );
    assert_eq!(shown, expected.lines().collect::<Vec<_>>());
    let json = folder
        .orchestrator(&["--show", &pipeline.id, "--format", "json"])
        .run()
        .json();
    assert_eq!(json["steps"][0]["run_id"], train.id.as_str());
    assert_eq!(json["up_to_date"][0]["run_id"], make.id.as_str());
    let log = json["steps"][0]["log"].as_str().unwrap();
    assert!(folder.exists(log));
    // That of a step, which messages name.
    folder
        .orchestrator(&["--show", &make.id[..8]])
        .run()
        .prints(&format!("  part of     run {}\n", recorded[0].id))
        .ends(0);
    let json = folder
        .orchestrator(&["--show", &make.id, "--format", "json"])
        .run()
        .json();
    assert_eq!(json["part_of"], recorded[0].id.as_str());
}

#[test]
fn an_id_that_names_no_run_or_several_is_an_error() {
    let folder = pipeline();
    folder
        .orchestrator(&["--show", "ab"])
        .run()
        .fails(1, "error: there is no run `ab` of this pipeline\nhint: `--history=all` lists the runs with the beginnings of their ids, `--show RUN` those of the steps of one\n");
    folder.orchestrator(&[]).run().ends(0);
    folder.orchestrator(&[]).run().ends(0);
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    let ids: Vec<String> = pipelines(&folder).into_iter().map(|run| run.id).collect();
    database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    for (id, new) in ids.iter().zip(["abc1", "abc"]) {
        for sql in [
            "UPDATE runs SET run_uuid = ?2 WHERE run_uuid = ?1",
            "UPDATE tags SET run_uuid = ?2 WHERE run_uuid = ?1",
            "UPDATE tags SET value = ?2 WHERE value = ?1",
        ] {
            database.execute(sql, (id, new)).unwrap();
        }
    }
    drop(database);
    folder
        .orchestrator(&["--show", "ab"])
        .run()
        .fails(1, "error: several runs have an id that begins with `ab`: abc, abc1\nhint: type more of the id\n");
    // A whole id is one, whatever else begins with it.
    folder
        .orchestrator(&["--show", "abc"])
        .run()
        .prints("run abc\n")
        .ends(0);
    for hostile in ["../abc", "%", "a'b", "\u{1b}[2J", ""] {
        folder
            .orchestrator(&["--show", hostile])
            .run()
            .says("error: there is no run `")
            .ends(1);
    }
    let step = recorded(&folder)[1].id.clone();
    folder
        .orchestrator(&["--diff", "abc", &step])
        .run()
        .says("is a run of step `make` alone\nhint: it is part of run `abc1`\n")
        .ends(1);
    // Of another pipeline.
    folder.file(
        "MLproject",
        folder
            .read("MLproject")
            .replace("name: demo", "name: other"),
    );
    folder
        .orchestrator(&["--show", "abc"])
        .run()
        .says("there is no run `abc` of this pipeline")
        .ends(1);
}

#[test]
fn two_runs_are_compared() {
    let folder = pipeline();
    let git = |arguments: &[&str]| {
        let arguments = [
            &["-c", "user.name=n", "-c", "user.email=e@example.org"],
            arguments,
        ]
        .concat();
        folder.program_in_path("git", &arguments).run().ends(0);
    };
    git(&["init", "--quiet"]);
    git(&["add", "train", "make"]);
    git(&["commit", "--quiet", "-m", "first"]);
    folder.orchestrator(&[]).run().ends(0);
    folder.file(
        "train/train.sh",
        folder.read("train/train.sh").replace("acc 0.9", "good 1"),
    );
    git(&["commit", "--quiet", "-a", "-m", "second"]);
    folder
        .orchestrator(&["--rows", "30", "--steps", "make"])
        .run()
        .ends(0);
    folder
        .orchestrator(&["--rows", "30", "--lr", "0.5"])
        .run()
        .ends(0);
    let pipelines = pipelines(&folder);
    let commit = |run: &Run| run.tag("mlflow.source.git.commit").unwrap().to_owned();
    let (first, part, last) = (&pipelines[0], &pipelines[1], &pipelines[2]);
    let diff = |old: &Run, new: &Run| {
        let ended = folder.orchestrator(&["--diff", &old.id, &new.id]).run();
        ended.ends(0);
        let text = ended.stdout();
        let (title, rest) = text.split_once('\n').unwrap();
        assert!(
            title.starts_with(&format!("run {} (", &old.id[..8])),
            "{title}"
        );
        rest.to_owned()
    };
    let expected = format!(
        "  parameters  lr 1 -> 0.5\n              rows 10 -> 30\n  metrics     make/n 10 -> 30 (+20)\n              train/acc is gone\n              train/good = 1\n              train/loss 1 -> 0.5 (-0.5)\n  code        train\n  commit      {} -> {}\n",
        commit(first),
        commit(last)
    );
    assert_eq!(diff(first, last), expected);
    let partial = diff(first, part);
    assert!(
        partial.ends_with(&format!("  steps       train only in {}\n", &first.id[..8])),
        "{partial}"
    );
    assert_eq!(
        diff(last, last),
        "  nothing     differs in parameters, metrics, code and environments\n"
    );
    let json = folder
        .orchestrator(&["--diff", &first.id, &last.id, "--format", "json"])
        .run()
        .json();
    assert_eq!(json["old"], first.id.as_str());
    assert_eq!(json["commit"]["new"], commit(last));
    assert_eq!(
        json["metrics"][3],
        json!({ "name": "train/loss", "old": 1.0, "new": 0.5 })
    );
    assert_eq!(json["environments"], json!([]));
}

/// What a database may hold that came with a folder.
#[test]
fn a_terminal_obeys_nothing_that_a_database_holds() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    folder.orchestrator(&[]).run().ends(0);
    let pipelines = pipelines(&folder);
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    let text = "x\n\u{1b}]52;c;YQ==\u{7}\u{202e}日本";
    for sql in [
        "UPDATE tags SET value = ?1 WHERE key NOT IN ('pipeline.name', 'mlflow.parentRunId')",
        "UPDATE params SET value = value || ?1",
        "UPDATE metrics SET key = ?1 || key",
        "UPDATE runs SET artifact_uri = ?1",
    ] {
        database.execute(sql, [text]).unwrap();
    }
    drop(database);
    let (old, new) = (&pipelines[0].id, &pipelines[1].id);
    for arguments in [
        &["--history"][..],
        &["--history", "--format", "json"],
        &["--show", new],
        &["--show", new, "--format", "json"],
        &["--diff", old, new],
        &["--diff", old, new, "--format", "json"],
    ] {
        let ended = folder.orchestrator(arguments).run();
        ended.ends(0);
        let shown = ended.stdout();
        let is_obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.contains(is_obeyed), "{shown:?}");
        if arguments.len() == 1 {
            assert_eq!(shown.lines().count(), 3, "{shown}");
            let shown = shown.replace("[TIME]", "0.1 s");
            assert!(shown.lines().all(|line| line.chars().count() <= 80));
        }
    }
}

#[test]
fn a_database_of_the_newest_mlflow_is_read_by_its_latest_metrics() {
    let folder = pipeline();
    folder.orchestrator(&[]).run().ends(0);
    upgrade(&folder.path().join("mlflow.db"));
    let script = folder.read("train/train.sh").replace("acc 0.9", "acc nan");
    folder.file("train/train.sh", script);
    folder.orchestrator(&["--cached"]).run().ends(0);
    folder.orchestrator(&["--lr", "3"]).run().ends(0);
    let shown = folder.orchestrator(&["--history=all"]).run();
    assert!(lines(&shown)[2].contains("make/n 10"), "{shown:?}");
    let id = &pipelines(&folder)[2].id;
    folder
        .orchestrator(&["--show", id])
        .run()
        .prints("              train/acc = NaN\n              train/loss = 3\n")
        .ends(0);
}

/// Adds what of a newer form counts here.
fn upgrade(database: &Path) {
    let database = Connection::open(database).unwrap();
    database
        .execute_batch(
            "ALTER TABLE metrics ADD COLUMN step BIGINT DEFAULT 0 NOT NULL;
             ALTER TABLE metrics ADD COLUMN is_nan BOOLEAN DEFAULT 0 NOT NULL;
             CREATE TABLE latest_metrics (key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT,
                 step BIGINT NOT NULL, is_nan BOOLEAN NOT NULL, run_uuid VARCHAR(32) NOT NULL,
                 PRIMARY KEY (key, run_uuid));
             INSERT INTO latest_metrics
                 SELECT key, value, max(timestamp), step, is_nan, run_uuid FROM metrics GROUP BY key, run_uuid;",
        )
        .unwrap();
}
