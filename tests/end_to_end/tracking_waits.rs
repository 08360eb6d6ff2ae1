//! Stores that are waited for: told, in limits, and not when a signal wants the end.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::harness::{Folder, Run, Started, wait_until};
use crate::stand_in::{Answer, StandIn, error};
use crate::tracking::runs;
use crate::tracking_folder::pipeline;

/// Starts with its stderr in a file.
fn start(run: Run<'_>, folder: &Folder) -> Started {
    let file = std::fs::File::create(folder.path().join("said")).unwrap();
    run.stderr(file).start()
}

/// Another process's lock on a database.
fn lock(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.busy_timeout(Duration::from_secs(20)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[test]
fn steps_go_on_while_a_database_is_locked() {
    let folder = pipeline("touch ../up; until [ -e ../go ]; do sleep 0.01; done");
    let started = start(folder.orchestrator(&[]), &folder);
    wait_until("step a runs", || folder.exists("up"));
    let database = folder.path().join("mlflow.db");
    let other = lock(&database);
    folder.file("go", "");
    let start = Instant::now();
    wait_until("step b has run", || folder.exists("ran_b"));
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    started.end().ends(0);
    let said = folder.read("said");
    assert_eq!(
        said.matches("waiting for mlflow.db, which another process has locked")
            .count(),
        1,
        "{said}"
    );
    assert!(said.contains(
        "does not take records: the database is locked by another process; the steps go on"
    ));
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    folder.orchestrator(&["--resend"]).run().ends(0);
    let recorded = runs(&database);
    let ends: Vec<_> = recorded
        .iter()
        .map(|run| (run.name.as_str(), run.status.as_str()))
        .collect();
    assert_eq!(
        ends,
        [("demo", "FINISHED"), ("a", "FINISHED"), ("b", "FINISHED")]
    );
    let a = &recorded[1];
    let seconds = a.metrics["duration_seconds"];
    let told = a.end.unwrap() - a.start;
    assert!((0..2000).contains(&told) && seconds < 2.0, "{a:?}");
    assert!(
        recorded
            .iter()
            .all(|run| run.tag("pipeline.error").is_none())
    );
    assert!(!folder.exists("mlruns/unsent"));
}

#[test]
fn a_database_says_how_long_its_lock_is_waited_for_and_gets_its_folder() {
    let folder = pipeline("echo $MLFLOW_TRACKING_URI");
    let relative = "sqlite:///missing/folder/x.db?timeout=0.2";
    let uri = relative.replace("missing", &folder.path().join("missing").to_string_lossy());
    let arguments = ["--tracking-uri", relative];
    // Nobody makes it who only looks.
    folder
        .orchestrator(&[&arguments[..], &["--history"]].concat())
        .run()
        .ends(0);
    assert!(!folder.exists("missing"));
    // What the client of a step reads there, too.
    let ended = folder.orchestrator(&arguments).run();
    ended.ends(0);
    let said = ended
        .stdout()
        .replace("[DIR]", &folder.path().to_string_lossy());
    assert_eq!(said, format!("{uri}\nsecond\n"));
    let database = folder.path().join("missing/folder/x.db");
    assert_eq!(runs(&database).len(), 3);
    let other = lock(&database);
    let start = Instant::now();
    let ended = folder.orchestrator(&arguments).run();
    ended
        .says("the database is locked by another process")
        .ends(1);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    drop(other);
    folder.orchestrator(&arguments).run().ends(0);
    for (uri, said) in [
        (
            "sqlite:///x.db?timeout=long",
            "error: `timeout=long` in the tracking URI cannot be followed\nhint: behind `sqlite:///FILE?` may stand `timeout=SECONDS`",
        ),
        (
            "sqlite:////proc/none/mlflow.db",
            "cannot be used\n  caused by: the folder /proc/none cannot be made: ",
        ),
    ] {
        let ended = folder.orchestrator(&["--tracking-uri", uri]).run();
        ended.says(said).ends(1);
    }
}

#[test]
fn a_signal_does_not_wait_for_a_locked_database() {
    let folder = pipeline("touch ../up; until [ -e ../go ]; do sleep 0.01; done");
    let started = start(folder.orchestrator(&[]), &folder);
    wait_until("step a runs", || folder.exists("up"));
    let database = folder.path().join("mlflow.db");
    let other = lock(&database);
    folder.file("go", "");
    wait_until("it waits", || {
        folder.read("said").contains("waiting for mlflow.db")
    });
    let start = Instant::now();
    started.signal("TERM");
    started.end().dies_of(15);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert!(!folder.exists("ran_b"));
    drop(other);
    folder.orchestrator(&["--resend"]).run().ends(0);
    let recorded = runs(&database);
    let ends: Vec<_> = recorded
        .iter()
        .map(|run| (run.name.as_str(), run.status.as_str()))
        .collect();
    assert_eq!(ends, [("demo", "KILLED"), ("a", "FINISHED")]);
    assert_eq!(recorded[0].tag("pipeline.signal"), Some("SIGTERM"));
}

#[test]
fn a_signal_does_not_wait_for_a_silent_server() {
    // Silent from the start of the first run on, or from the end of step a on.
    for (call, ends) in [
        ("runs/create", vec![("demo", "KILLED")]),
        ("runs/update", vec![("a", "FINISHED"), ("demo", "KILLED")]),
    ] {
        let is_silent = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let silent = std::sync::Arc::clone(&is_silent);
        let server = StandIn::new(move |request| {
            let is_silent = silent.load(std::sync::atomic::Ordering::Relaxed);
            if is_silent && request.is(call) {
                Answer::Silent
            } else {
                Answer::Usual
            }
        });
        let folder = pipeline("'true'");
        let url = server.url();
        let started = start(folder.orchestrator(&["--tracking-uri", &url]), &folder);
        let line = format!("waiting for {url}\n");
        wait_until("it waits", || folder.read("said").contains(&line));
        let start = Instant::now();
        started.signal("INT");
        started.end().dies_of(2);
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
        let said = folder.read("said");
        assert!(
            said.contains("waits in `mlruns/unsent`; `orchestrator --resend`"),
            "{said}"
        );
        assert_eq!(said.matches("waiting for").count(), 1, "{said}");
        assert!(!folder.exists("ran_b"));
        is_silent.store(false, std::sync::atomic::Ordering::Relaxed);
        folder
            .orchestrator(&["--resend", "--tracking-uri", &url])
            .run()
            .ends(0);
        let seen = server.ends();
        let seen: Vec<_> = seen
            .iter()
            .map(|(name, status)| (name.as_str(), status.as_str()))
            .collect();
        assert_eq!(seen, ends);
    }
}

#[test]
fn a_server_that_answers_nothing_of_use_is_told_and_limited() {
    let late = || {
        let head = "Retry-After: 99999999999\r\n".to_owned();
        Answer::Give(503, head, Vec::new())
    };
    let silent: fn() -> Answer = || Answer::Silent;
    let cases = [
        ("silent", silent, "2.5"),
        ("500", || error(500, "INTERNAL_ERROR"), "120"),
        ("retry after", late, "120"),
    ];
    std::thread::scope(|scope| {
        for (name, answer, timeout) in cases {
            scope.spawn(move || {
                let server = StandIn::new(move |_| answer());
                let folder = pipeline("touch ../ran_a");
                let url = server.url();
                let start = Instant::now();
                let ended = folder
                    .orchestrator(&["--tracking-uri", &url])
                    .env("MLFLOW_HTTP_REQUEST_TIMEOUT", timeout)
                    .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
                    .env("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
                    .run();
                ended.ends(1);
                let said = ended.stderr();
                let expected = usize::from(name != "500");
                assert_eq!(
                    said.matches(&format!("waiting for {url}\n")).count(),
                    expected,
                    "{name}: {said}"
                );
                assert!(said.contains("cannot be used"), "{said}");
                assert!(start.elapsed() < Duration::from_secs(20), "{name}");
                assert!(!folder.exists("ran_a") && !folder.exists("mlruns/unsent"));
            });
        }
    });
}

#[test]
fn a_metrics_file_may_become_anything() {
    for (make, reason) in [
        ("mkfifo $PIPELINE_METRICS", "it is not a regular file"),
        ("ln -s /etc/passwd $PIPELINE_METRICS", "it is a link"),
        ("ln -s /dev/zero $PIPELINE_METRICS", "it is a link"),
        ("mkdir $PIPELINE_METRICS", "it is a folder"),
        (
            "python3 -c 'import os, socket; os.chdir(os.path.dirname(os.environ[\"PIPELINE_METRICS\"])); socket.socket(socket.AF_UNIX).bind(os.path.basename(os.environ[\"PIPELINE_METRICS\"]))'",
            "it is not a regular file",
        ),
        ("'true'", ""),
    ] {
        let folder = pipeline(&format!("rm $PIPELINE_METRICS; {make}"));
        let ended = folder.orchestrator(&[]).run();
        ended.ends(0);
        let said = ended.stderr();
        let told = format!("warning: step `a`: its PIPELINE_METRICS does not count: {reason}");
        assert_eq!(said.contains(&told), !reason.is_empty(), "{make}: {said}");
        assert!(folder.exists("ran_b"));
        let recorded = runs(&folder.path().join("mlflow.db"));
        assert!(recorded.iter().all(|run| run.status == "FINISHED"));
        assert_eq!(recorded[1].metrics.len(), 1, "{make}");
    }
}

#[test]
fn a_metrics_file_does_not_outlive_a_kill() {
    let folder = pipeline("echo $PIPELINE_METRICS > ../path; touch ../up; sleep 1000");
    let temporary = folder.path().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let started = folder
        .orchestrator(&["--grace", "10ms"])
        .env("TMPDIR", &temporary)
        .start();
    wait_until("the step runs", || folder.exists("up"));
    started.signal("KILL");
    started.end().dies_of(9);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
    assert!(Path::new(folder.read("path").trim()).exists());
    folder.orchestrator(&["--resend"]).run().ends(0);
    assert!(!Path::new(folder.read("path").trim()).exists());
    assert!(!folder.exists("mlruns/unsent"));
}
