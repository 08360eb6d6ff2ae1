//! What is recorded of a run, in an sqlite file. Read with plain SQL: no MLflow is needed.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use crate::harness::{Folder, wait_until};

/// A run as the database has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    pub(crate) experiment: i64,
    pub(crate) artifacts: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) metrics: BTreeMap<String, f64>,
}

impl Run {
    pub(crate) fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name).map(String::as_str)
    }

    fn parent(&self) -> Option<&str> {
        self.tag("mlflow.parentRunId")
    }
}

/// All runs in a database, in the order in which they started.
#[track_caller]
pub(crate) fn runs(path: &Path) -> Vec<Run> {
    let database = Connection::open(path).unwrap();
    let sql = "SELECT run_uuid, name, status, start_time, end_time, experiment_id, artifact_uri FROM runs ORDER BY rowid";
    let mut statement = database.prepare(sql).unwrap();
    let found = statement.query_map([], |row| {
        Ok(Run {
            id: row.get(0)?,
            name: row.get(1)?,
            status: row.get(2)?,
            start: row.get(3)?,
            end: row.get(4)?,
            experiment: row.get(5)?,
            artifacts: row.get(6)?,
            tags: BTreeMap::new(),
            parameters: BTreeMap::new(),
            metrics: BTreeMap::new(),
        })
    });
    let mut runs: Vec<Run> = found.unwrap().map(Result::unwrap).collect();
    for run in &mut runs {
        run.tags = pairs(&database, "tags", &run.id);
        run.parameters = pairs(&database, "params", &run.id);
        run.metrics = pairs(&database, "metrics", &run.id);
    }
    runs
}

fn pairs<T: rusqlite::types::FromSql>(
    database: &Connection,
    table: &str,
    run: &str,
) -> BTreeMap<String, T> {
    let sql = format!("SELECT key, value FROM {table} WHERE run_uuid = ?1 ORDER BY timestamp");
    let sql = match table {
        "metrics" => sql,
        _ => sql.replace(" ORDER BY timestamp", ""),
    };
    let mut statement = database.prepare(&sql).unwrap();
    let rows = statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

fn recorded(folder: &Folder) -> Vec<Run> {
    runs(&folder.path().join("mlflow.db"))
}

fn pipeline(steps: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    let names = steps
        .iter()
        .map(|(name, _)| format!("  {name}:\n"))
        .collect::<Vec<_>>()
        .concat();
    folder.file(
        "MLproject",
        format!("name: demo\nenv_manager: local\nsteps:\n{names}"),
    );
    for (name, main) in steps {
        folder.step(name, main);
    }
    folder
}

#[test]
fn a_run_and_its_steps_are_recorded() {
    let folder = pipeline(&[
        (
            "make",
            "parameters: {text: {default: \"it's a 'ü'\"}, out: {default: out.txt}}\noutputs: [out]\n\
             command: \"echo told; printf %s {text} > {out}; printf 'rows 3\\nloss 1\\nloss 0.5\\n' > $PIPELINE_METRICS\"",
        ),
        ("fail", "command: echo broken; exit 3"),
    ]);
    folder.orchestrator(&[]).run().ends(1);
    let [pipeline, make, fail] = &recorded(&folder)[..] else {
        panic!("{:?}", recorded(&folder));
    };
    assert_eq!(
        (pipeline.name.as_str(), pipeline.status.as_str()),
        ("demo", "FAILED")
    );
    assert_eq!(pipeline.parameters["steps"], "make,fail");
    let error = pipeline.tag("pipeline.error").unwrap();
    assert!(
        error.starts_with("step `fail` failed with exit code 3"),
        "{error}"
    );
    assert_eq!(pipeline.parent(), None);
    assert_eq!(
        (make.name.as_str(), make.status.as_str()),
        ("make", "FINISHED")
    );
    assert_eq!(make.parent(), Some(pipeline.id.as_str()));
    assert_eq!(make.parameters["text"], "it's a 'ü'");
    let expected = BTreeMap::from([
        (
            "duration_seconds".to_owned(),
            make.metrics["duration_seconds"],
        ),
        ("loss".to_owned(), 0.5),
        ("out_bytes".to_owned(), 11.0),
        ("rows".to_owned(), 3.0),
    ]);
    assert_eq!(make.metrics, expected);
    let source = folder.path().join("make").display().to_string();
    let expected = [
        ("mlflow.runName", "make"),
        ("mlflow.source.type", "PROJECT"),
        ("mlflow.source.name", &source),
        ("mlflow.project.entryPoint", "main"),
        ("mlflow.project.backend", "local"),
        ("pipeline.step", "make"),
        ("pipeline.attempt", "1"),
    ];
    for (name, value) in expected {
        assert_eq!(make.tag(name), Some(value), "{name}");
    }
    assert!(make.tag("mlflow.user").is_some_and(|user| !user.is_empty()));
    assert_eq!(
        (fail.status.as_str(), fail.tag("pipeline.exit_code")),
        ("FAILED", Some("3"))
    );
    for run in [pipeline, make, fail] {
        assert!(run.end.is_some_and(|end| end >= run.start), "{run:?}");
        assert!(
            run.artifacts
                .ends_with(&format!("/mlruns/0/{}/artifacts", run.id)),
            "{run:?}"
        );
    }
    assert_eq!(
        folder.read(&format!("mlruns/0/{}/artifacts/make.log", make.id)),
        "told\n"
    );
    folder
        .orchestrator(&["--logs", "make"])
        .run()
        .succeeds("told\n");
    folder.orchestrator(&["--logs"]).run().succeeds("broken\n");
    folder
        .orchestrator(&["--logs", "x"])
        .run()
        .says("there is no log of step `x`")
        .ends(1);
    // Everything has arrived, so nothing waits.
    assert!(!folder.exists("mlruns/unsent"));
}

#[test]
fn every_try_has_a_run_and_every_end_its_status() {
    let folder = pipeline(&[
        (
            "flaky",
            "command: '[ -e ../again ] || ( touch ../again; exit 1 )'",
        ),
        ("slow", "command: sleep 1000"),
    ]);
    let definition = "name: demo\nenv_manager: local\nsteps:\n  flaky: {retries: 1, retry_delay: 1ms}\n  slow: {timeout: 100ms}\n";
    folder.file("MLproject", definition);
    folder.orchestrator(&["--grace", "100ms"]).run().ends(1);
    let recorded = recorded(&folder);
    let seen: Vec<(&str, &str)> = recorded
        .iter()
        .map(|run| (run.name.as_str(), run.status.as_str()))
        .collect();
    let expected = [
        ("demo", "FAILED"),
        ("flaky", "FAILED"),
        ("flaky (try 2)", "FINISHED"),
        ("slow", "KILLED"),
    ];
    assert_eq!(seen, expected);
    assert_eq!(recorded[2].tag("pipeline.attempt"), Some("2"));
    assert!(
        recorded[3]
            .tag("pipeline.error")
            .unwrap()
            .contains("timeout of 100ms")
    );
}

#[test]
fn how_a_step_ended_counts_whatever_its_client_said_before() {
    let folder = pipeline(&[("early", "command: python3 end.py; exit 3")]);
    folder.file(
        "early/end.py",
        "import os, sqlite3\n\
         path = os.environ['MLFLOW_TRACKING_URI'].removeprefix('sqlite:///')\n\
         database = sqlite3.connect(path)\n\
         ended = \"UPDATE runs SET status = 'FINISHED', end_time = 1 WHERE run_uuid = ?\"\n\
         assert database.execute(ended, [os.environ['MLFLOW_RUN_ID']]).rowcount == 1\n\
         database.commit()\n",
    );
    folder.orchestrator(&[]).run().ends(1);
    let step = &recorded(&folder)[1];
    assert_eq!(step.status, "FAILED");
    assert!(step.end > Some(1));
    assert_eq!(step.tag("pipeline.exit_code"), Some("3"));
}

#[test]
fn a_signal_ends_the_runs_as_killed() {
    // While a step runs, and while nothing does.
    let waiting = "name: demo\nenv_manager: local\nsteps:\n  a: {retries: 1, retry_delay: 1h}\n";
    for (command, definition, count) in [
        ("touch ../up; sleep 1000", None, 2),
        ("exit 1", Some(waiting), 2),
    ] {
        let folder = pipeline(&[("a", &format!("command: {command}"))]);
        if let Some(definition) = definition {
            folder.file("MLproject", definition);
        }
        let started = folder.orchestrator(&["--grace", "100ms"]).start();
        let is_there = |status: &str| {
            let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
            let sql = "SELECT count(*) FROM runs WHERE status = ?1";
            database
                .query_row(sql, [status], |row| row.get::<_, i64>(0))
                .is_ok_and(|count| count > 0)
        };
        wait_until("the step is there", || match definition {
            None => folder.exists("up"),
            Some(_) => folder.exists("mlflow.db") && is_there("FAILED"),
        });
        started.signal("TERM");
        let ended = started.end();
        let recorded = recorded(&folder);
        assert_eq!(recorded.len(), count);
        assert_eq!(recorded[0].status, "KILLED", "{ended:?}");
        assert_eq!(recorded[0].tag("pipeline.signal"), Some("SIGTERM"));
        assert!(recorded.iter().all(|run| run.end.is_some()), "{recorded:?}");
        assert!(!folder.exists("mlruns/unsent"));
    }
}

#[test]
fn the_runs_of_a_killed_orchestrator_are_ended_by_the_next() {
    for resend in [&["--resend"][..], &[]] {
        let folder = pipeline(&[(
            "a",
            "command: '[ -e ../up ] || ( touch ../up; sleep 1000 )'",
        )]);
        let started = folder.orchestrator(&["--grace", "100ms"]).start();
        wait_until("the step has started", || folder.exists("up"));
        started.signal("KILL");
        started.end().dies_of(9);
        assert!(recorded(&folder).iter().all(|run| run.status == "RUNNING"));
        folder.orchestrator(resend).run().ends(0);
        let recorded = recorded(&folder);
        let ended = &recorded[..2];
        assert!(
            ended
                .iter()
                .all(|run| run.status == "KILLED" && run.end.is_some()),
            "{recorded:?}"
        );
        assert_eq!(
            ended[1].tag("pipeline.error"),
            Some("the orchestrator was killed")
        );
        assert!(!folder.exists("mlruns/unsent"));
    }
}

#[test]
fn a_step_gets_the_variables_of_its_run() {
    let folder = pipeline(&[("a", "command: env > ../env; touch \"../$MLFLOW_RUN_ID\"")]);
    folder
        .orchestrator(&["--tracking-uri", "sqlite:///sub/x.db"])
        .env("MLFLOW_EXPERIMENT_NAME", "größer")
        .run()
        .says("experiment `größer` did not exist and was made\n")
        .succeeds("");
    let recorded = runs(&folder.path().join("sub/x.db"));
    assert!(folder.exists(&recorded[1].id));
    let variables = folder.read("env");
    let line = |line: &str| variables.lines().any(|known| known == line);
    let database = folder.path().join("sub/x.db");
    assert!(
        line(&format!(
            "MLFLOW_TRACKING_URI=sqlite:///{}",
            database.display()
        )),
        "{variables}"
    );
    assert!(
        line("MLFLOW_EXPERIMENT_ID=1") && !variables.contains("MLFLOW_EXPERIMENT_NAME"),
        "{variables}"
    );
    assert_eq!(recorded[0].experiment, 1);
    assert!(!folder.exists("mlflow.db"));
}

#[test]
fn a_pipeline_in_a_pipeline_nests() {
    let folder = pipeline(&[("inner", "command: orchestrator -C ../below")]);
    folder.file(
        "below/MLproject",
        "name: below\nenv_manager: local\nsteps:\n  leaf:\n",
    );
    folder.step("below/leaf", "command: 'true'");
    folder.orchestrator(&[]).run().succeeds("");
    let [outer, inner, leaf] = &recorded(&folder)[..] else {
        panic!("{:?}", recorded(&folder));
    };
    assert_eq!(inner.parent(), Some(outer.id.as_str()));
    assert_eq!(leaf.parent(), Some(inner.id.as_str()));
    assert_eq!(leaf.name, "leaf");
    assert_eq!(
        [outer, inner, leaf].map(|run| run.status.as_str()),
        ["FINISHED"; 3]
    );
    assert!(!folder.exists("below/mlflow.db"));
}

#[test]
fn inside_of_a_run_that_run_is_the_pipelines() {
    let folder = pipeline(&[("a", "command: exit 1")]);
    folder.orchestrator(&[]).run().ends(1);
    let outside = recorded(&folder).remove(0);
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    database
        .execute("UPDATE runs SET status = 'RUNNING', end_time = NULL", [])
        .unwrap();
    let inside = |arguments: &[&str], run: &str| {
        let ended = folder
            .orchestrator(arguments)
            .env("MLFLOW_RUN_ID", run)
            .env("MLFLOW_EXPERIMENT_ID", "0")
            .env("MLFLOW_EXPERIMENT_NAME", "left over")
            .run();
        ended.ends(1);
        ended
    };
    inside(&[], &outside.id);
    let recorded = recorded(&folder);
    assert_eq!(
        (recorded.len(), recorded[0].status.as_str(), recorded[0].end),
        (3, "RUNNING", None)
    );
    assert_eq!(recorded[2].parent(), Some(outside.id.as_str()));
    assert_eq!(recorded[2].status, "FAILED");
    inside(&[], "nosuchrun").says("there is no run `nosuchrun`, which MLFLOW_RUN_ID names");
    inside(&["--experiment-id", "0"], &outside.id).says("whose experiment cannot be changed");
}

#[test]
fn two_pipelines_write_one_database_at_once() {
    let folder = Folder::new();
    let steps: Vec<String> = (0..50).map(|number| format!("s{number}")).collect();
    for side in ["left", "right"] {
        let section = steps
            .iter()
            .map(|step| format!("  {step}: {{project: s}}\n"))
            .collect::<Vec<_>>()
            .concat();
        folder.file(
            &format!("{side}/MLproject"),
            format!("name: {side}\nenv_manager: local\nsteps:\n{section}"),
        );
        folder.step(
            &format!("{side}/s"),
            "parameters: {a: {default: 1}}\ncommand: echo m 1 > $PIPELINE_METRICS",
        );
    }
    let uri = format!("sqlite:///{}", folder.path().join("both.db").display());
    let start = |side| {
        folder
            .orchestrator(&["-C", side, "--tracking-uri", &uri])
            .start()
    };
    let sides = [start("left"), start("right")];
    for side in sides {
        let ended = side.end();
        ended.ends(0);
        assert!(!ended.stderr().contains("warning"), "{}", ended.stderr());
    }
    let recorded = runs(&folder.path().join("both.db"));
    assert_eq!(recorded.len(), 2 * 51);
    for run in &recorded {
        assert_eq!(run.status, "FINISHED", "{run:?}");
        assert_eq!(
            run.metrics.len(),
            if run.parent().is_some() { 2 } else { 1 + 50 },
            "{run:?}"
        );
        assert_eq!(run.parameters.len(), 1, "{run:?}");
    }
}

#[test]
fn large_and_odd_parameters_are_recorded() {
    let folder = Folder::new();
    let names: Vec<String> = (0..150)
        .map(|number| format!("p{number}: {{default: wert é {number}}}"))
        .collect();
    folder.file(
        "MLproject",
        "name: größe\nenv_manager: local\nsteps:\n  schritt_ü: {project: s}\n",
    );
    folder.step(
        "s",
        &format!("parameters: {{{}}}\ncommand: 'true'", names.join(", ")),
    );
    let long = "ü".repeat(20_000);
    folder
        .orchestrator(&[
            "-P",
            &format!("schritt_ü.lang={long}"),
            "--run-name",
            "läuft",
        ])
        .run()
        .succeeds("");
    let [pipeline, step] = &recorded(&folder)[..] else {
        panic!("{:?}", recorded(&folder));
    };
    assert_eq!(
        (pipeline.name.as_str(), step.name.as_str()),
        ("läuft", "schritt_ü")
    );
    assert_eq!(step.parameters.len(), 151);
    assert_eq!(step.parameters["p149"], "wert é 149");
    assert_eq!(step.parameters["lang"].chars().count(), 6000);
    assert!(step.parameters["lang"].ends_with("… (20000 characters, cut here)"));
}

#[test]
fn what_cannot_be_recorded_is_refused_before_anything_runs() {
    let folder = pipeline(&[("a", "command: touch ../ran")]);
    folder.file("text.db", "this is no database, whatever its name says");
    for (name, sql) in [
        ("other.db", "CREATE TABLE books (title)"),
        (
            "new.db",
            "CREATE TABLE experiments (experiment_id, name, artifact_location, lifecycle_stage); CREATE TABLE runs (run_uuid)",
        ),
    ] {
        Connection::open(folder.path().join(name))
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    }
    let cases: [(&[&str], &str); 11] = [
        (
            &["--tracking-uri", "file:///tmp/x"],
            "runs cannot be recorded in `file:///tmp/x`\nhint: folders of files",
        ),
        (
            &["--tracking-uri", "mlruns"],
            "runs cannot be recorded in `mlruns`\nhint: folders of files",
        ),
        (
            &["--tracking-uri", "postgresql://u:p@h/d"],
            "runs cannot be recorded in `postgresql://h/d`\nhint: expected http",
        ),
        (
            &["--tracking-uri", "databricks"],
            "runs cannot be recorded in `databricks`\nhint: Databricks lets in MLflow's own client only",
        ),
        (
            &["--tracking-uri", "sqlite:///text.db"],
            "caused by: file is not a database",
        ),
        (
            &["--tracking-uri", "sqlite:///other.db"],
            "is a database, but none of MLflow",
        ),
        (
            &["--tracking-uri", "sqlite:///new.db"],
            "column runs.name is missing",
        ),
        (
            &["--tracking-uri", "sqlite:////proc/mlflow.db"],
            "cannot be used\n  caused by: unable to open database file",
        ),
        (
            &["--experiment-id", "77"],
            "there is no experiment with id `77`",
        ),
        (
            &["-P", "a.x;y=1"],
            "MLflow refuses the parameter name `x;y`",
        ),
        (
            &["--resend", "--tracking-uri", "databricks"],
            "nothing to send",
        ),
    ];
    for (arguments, message) in cases {
        let ended = folder.orchestrator(arguments).run();
        let said = ended.stderr() + &ended.stdout();
        assert!(said.contains(message), "{arguments:?}:\n{said}");
    }
    let both = ["--experiment-name", "x", "--experiment-id", "0"];
    folder
        .orchestrator(&both)
        .run()
        .says("'--experiment-name <NAME>' cannot be used with '--experiment-id <ID>'")
        .ends(2);
    for option in [
        "--tracking-uri",
        "--experiment-name",
        "--experiment-id",
        "--run-name",
    ] {
        let ended = folder.orchestrator(&[option, ""]).run();
        ended.says("a value is required for").ends(2);
    }
    let both = folder.orchestrator(&["--experiment-name", "x"]);
    both.env("MLFLOW_EXPERIMENT_ID", "0")
        .run()
        .says("two experiments are named")
        .says("leave one of them out")
        .ends(2);
    // What records nothing asks no variable.
    let both = folder.orchestrator(&["--list", "--experiment-name", "x"]);
    both.env("MLFLOW_EXPERIMENT_ID", "0").run().ends(0);
    assert!(!folder.exists("ran"));
    let other = Connection::open(folder.path().join("other.db")).unwrap();
    let tables: i64 = other
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_deleted_experiment_is_refused_and_unknown_columns_are_none_of_ours() {
    let folder = pipeline(&[("a", "command: touch ../ran")]);
    folder
        .orchestrator(&["--experiment-name", "x"])
        .run()
        .ends(0);
    std::fs::remove_file(folder.path().join("ran")).unwrap();
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    database
        .execute_batch("UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = 'x'; ALTER TABLE runs ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'; ALTER TABLE metrics ADD COLUMN unit TEXT")
        .unwrap();
    let ended = folder.orchestrator(&["--experiment-name", "x"]).run();
    ended.says("experiment `x` (id 1) is deleted").ends(1);
    assert!(!folder.exists("ran"));
    folder.orchestrator(&[]).run().ends(0);
    assert_eq!(recorded(&folder).len(), 4);
}

#[test]
fn a_log_for_a_cloud_stays_here_and_everything_else_is_recorded() {
    let folder = pipeline(&[("a", "command: echo told")]);
    let arguments = ["--experiment-name", "x"];
    folder.orchestrator(&arguments).run().ends(0);
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    database
        .execute_batch(
            "UPDATE experiments SET artifact_location = 's3://bucket/1' WHERE name = 'x'",
        )
        .unwrap();
    let ended = folder.orchestrator(&arguments).run();
    let step = &recorded(&folder)[3];
    let log = format!("mlruns/1/{}/artifacts/a.log", step.id);
    let stays = format!(
        "warning: not recorded: logs cannot be sent to artifacts at `s3:`; this one stays at [DIR]/{}\n",
        log.replace(&step.id, "[RUN]")
    );
    ended.succeeds("told\n").says(&stays);
    assert_eq!(folder.read(&log), "told\n");
    assert_eq!(
        step.artifacts,
        format!("s3://bucket/1/{}/artifacts", step.id)
    );
    assert_eq!(step.status, "FINISHED");
    assert!(step.metrics.contains_key("duration_seconds"));
}

#[test]
fn nothing_is_recorded_when_nobody_wants_it() {
    let folder = pipeline(&[("a", "command: echo \"<$MLFLOW_RUN_ID>\"")]);
    folder
        .orchestrator(&["--no-tracking"])
        .run()
        .succeeds("<>\n");
    assert!(!folder.exists("mlflow.db"));
    folder.orchestrator(&["--history"]).run().succeeds("");
    folder.orchestrator(&["--dry-run"]).run().ends(0);
    assert!(!folder.exists("mlflow.db"));
}

#[test]
fn bad_lines_of_metrics_are_warned_of() {
    let folder = pipeline(&[(
        "a",
        "command: printf 'rows 3\\nrows\\nx;y 1\\n' > $PIPELINE_METRICS",
    )]);
    folder
        .orchestrator(&[])
        .run()
        .succeeds("")
        .says("warning: step `a`: PIPELINE_METRICS, line 2: `rows` should be NAME VALUE\n")
        .says(
            "warning: step `a`: PIPELINE_METRICS, line 3: `x;y 1` has a name that MLflow refuses",
        );
    let metrics = &recorded(&folder)[1].metrics;
    assert!((metrics["rows"] - 3.0).abs() < 1e-9, "{metrics:?}");
}

#[test]
fn the_source_is_that_of_git_without_credentials() {
    let folder = pipeline(&[("a", "command: 'true'")]);
    let git = |arguments: &[&str]| {
        let arguments = [
            &["-c", "user.name=n", "-c", "user.email=e@example.org"],
            arguments,
        ]
        .concat();
        folder.program_in_path("git", &arguments).run().ends(0);
    };
    git(&["init", "--quiet", "--initial-branch", "topic/ü"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "first"]);
    git(&[
        "remote",
        "add",
        "origin",
        "https://user:secret@example.org/r.git",
    ]);
    folder.orchestrator(&[]).run().ends(0);
    let recorded = recorded(&folder);
    let top = folder.path().display().to_string();
    assert_eq!(
        recorded[0].tag("mlflow.source.name"),
        Some(&*format!("file://{top}"))
    );
    assert_eq!(
        recorded[1].tag("mlflow.source.name"),
        Some(&*format!("file://{top}#a"))
    );
    for run in &recorded {
        assert_eq!(run.tag("mlflow.source.git.branch"), Some("topic/ü"));
        assert_eq!(
            run.tag("mlflow.source.git.repoURL"),
            Some("https://example.org/r.git")
        );
        assert_eq!(run.tag("mlflow.source.git.commit").map(str::len), Some(40));
    }
}

#[test]
fn history_lists_the_last_runs() {
    let folder = pipeline(&[
        ("a", "command: '[ ! -e ../broken ]'"),
        ("b", "command: 'true'"),
    ]);
    folder.orchestrator(&[]).run().ends(0);
    folder.file("broken", "");
    folder.orchestrator(&[]).run().ends(1);
    let text = folder.orchestrator(&["--history"]).run();
    let text = text.stdout();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].contains(" demo  failed "), "{text}");
    assert!(lines[2].contains(" demo  finished "), "{text}");
    let json = folder
        .orchestrator(&["--history=1", "--format", "json"])
        .run()
        .json();
    assert_eq!(json.as_array().map(Vec::len), Some(1));
    assert_eq!(json[0]["status"], "FAILED");
    assert_eq!(json[0]["steps"][0]["name"], "a");
    assert_eq!(json[0]["run_id"].as_str().map(str::len), Some(32));
}
