//! The folder of a pipeline: one that may only be read, one that a step cleans up, and files
//! of ours that are something else.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rusqlite::Connection;

use crate::harness::{Folder, wait_until};
use crate::tracking::runs;

/// Two steps, the first of which runs `a`, and the second leaves `ran_b` behind.
pub(crate) fn pipeline(a: &str) -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps:\n  a:\n  b:\n",
    );
    folder.step("a", &format!("command: |\n  {a}"));
    folder.step("b", "command: echo second; touch ../ran_b");
    folder
}

#[test]
fn a_step_reaches_a_database_whose_path_no_uri_can_hold() {
    let folder = Folder::new();
    for (name, is_odd) in [("50%41 of what?", true), ("100%", true), ("a b#é", false)] {
        folder.file(
            &format!("{name}/MLproject"),
            "env_manager: local\nsteps: {a: }\n",
        );
        // The same file, by a path that older and newer clients read alike, and no stray one.
        let command = "command: |\n  file=${{MLFLOW_TRACKING_URI#sqlite:///}}\n  [ \"$file\" -ef ../mlflow.db ] && case $file in *%*) echo odd;; *) echo ${{file%/*}};; esac";
        folder.step(&format!("{name}/a"), command);
        let ended = folder.orchestrator(&["-C", name]).run();
        ended.ends(0);
        let link = ended.stdout().trim_end().to_owned();
        let as_printed = format!("{link}\n").replace("[DIR]", &folder.path().to_string_lossy());
        assert_eq!(link.ends_with("/pipeline"), is_odd, "{link}");
        assert!(!Path::new(&link).exists(), "{link}");
        let place = folder.path().join(name);
        let recorded = runs(&place.join("mlflow.db"));
        let log = place
            .join("mlruns/0")
            .join(&recorded[1].id)
            .join("artifacts/a.log");
        assert_eq!(std::fs::read_to_string(log).unwrap(), as_printed);
        let logs = folder.orchestrator(&["-C", name, "--logs", "a"]).run();
        logs.succeeds(&format!("{link}\n"));
    }
    // Where even another name of the folder does not help, that is told.
    let arguments = ["-C", "100%", "--tracking-uri", "sqlite:///x%25.db"];
    folder
        .orchestrator(&arguments)
        .run()
        .says("warning: steps that use MLflow's client will not find sqlite:///[DIR]/x%25.db, as ");
}

/// All files below a folder with their contents, and all folders.
pub(crate) fn everything(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        }
        found.insert(
            path.display().to_string(),
            std::fs::read(&path).unwrap_or_default(),
        );
    }
    found
}

/// Looks in every way, with no change to a file, and gives what was seen.
#[track_caller]
fn look(folder: &Folder) -> Vec<String> {
    let before = everything(&folder.path());
    let mut seen = Vec::new();
    for arguments in [
        &["--history"][..],
        &["--logs"],
        &["--logs", "a"],
        &["--list"],
    ] {
        let ended = folder.orchestrator(arguments).run();
        ended.ends(0);
        seen.push(ended.stdout());
        assert!(
            everything(&folder.path()) == before,
            "{arguments:?} has written"
        );
    }
    seen
}

#[test]
fn looking_writes_nothing() {
    let folder = pipeline("echo first");
    folder.orchestrator(&[]).run().ends(0);
    let whole = look(&folder);
    assert!(
        whole[0].contains("finished") && whole[0].lines().count() == 2,
        "{whole:?}"
    );
    assert_eq!(whole[1..3], ["second\n", "first\n"]);
    // In the form that MLflow gives its own.
    let database = folder.path().join("mlflow.db");
    let other = Connection::open(&database).unwrap();
    other
        .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .unwrap();
    drop(other);
    assert_eq!(look(&folder), whole);
    // With a writer that was killed in the middle: its log, its journal, and only a part of these.
    for mode in ["WAL", "DELETE"] {
        let left = Folder::new();
        for name in everything(&folder.path()).keys() {
            let below = Path::new(name).strip_prefix(folder.path()).unwrap();
            if Path::new(name).is_file() {
                left.file(below.to_str().unwrap(), std::fs::read(name).unwrap());
            }
        }
        let database = folder.path().join("mlflow.db");
        let writer = Connection::open(&database).unwrap();
        writer
            .query_row(&format!("PRAGMA journal_mode = {mode}"), [], |_| Ok(()))
            .unwrap();
        writer.execute_batch("PRAGMA cache_spill = 1; PRAGMA cache_size = 1; BEGIN IMMEDIATE; UPDATE tags SET value = value || 'x' WHERE key = 'mlflow.user'; CREATE TABLE IF NOT EXISTS big (x); INSERT INTO big SELECT randomblob(100000)").unwrap();
        for suffix in ["", "-wal", "-shm", "-journal"] {
            if let Ok(bytes) = std::fs::read(format!("{}{suffix}", database.display())) {
                left.file(&format!("mlflow.db{suffix}"), bytes);
            }
        }
        writer.execute_batch("ROLLBACK").unwrap();
        drop(writer);
        assert_eq!(look(&left)[0], whole[0], "{mode}");
        if mode == "WAL" {
            std::fs::remove_file(left.path().join("mlflow.db-shm")).unwrap();
            assert_eq!(look(&left)[0], whole[0]);
        }
    }
    // Nothing to look at.
    let empty = pipeline("'true'");
    empty.orchestrator(&["--history"]).run().succeeds("");
    empty
        .orchestrator(&["--history", "--experiment-name", "x"])
        .run()
        .succeeds("");
    empty.file("mlflow.db", "");
    empty.orchestrator(&["--history"]).run().succeeds("");
    empty
        .orchestrator(&["--logs"])
        .run()
        .says("there is no log of this pipeline")
        .ends(1);
    assert_eq!(empty.read("mlflow.db"), "");
    assert!(!empty.exists("mlruns"));
}

#[test]
fn a_run_that_goes_on_can_be_looked_at() {
    let folder = pipeline("echo first; touch ../up; until [ -e ../go ]; do sleep 0.01; done");
    let started = folder.orchestrator(&[]).start();
    wait_until("the step runs", || folder.exists("up"));
    let names = || -> Vec<String> { everything(&folder.path()).into_keys().collect() };
    let before = names();
    let ended = folder.orchestrator(&["--history"]).run();
    assert!(ended.stdout().contains("running"), "{ended:?}");
    folder.orchestrator(&["--logs"]).run().succeeds("first\n");
    assert_eq!(names(), before);
    folder.file("go", "");
    started.end().ends(0);
    assert!(!folder.exists("mlflow.db-wal") && !folder.exists("mlflow.db-shm"));
}

/// In a mount that can only be read, which needs the right to make one.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs the right to mount"]
fn reliability_in_a_folder_that_can_only_be_read() {
    let folder = pipeline("echo first; [ -z $PIPELINE_METRICS ] || echo n 1 > $PIPELINE_METRICS");
    folder.step("b", "command: echo second");
    folder.orchestrator(&[]).run().ends(0);
    let temporary = Folder::new();
    let inside = |command: &str| {
        let script =
            format!("mount --bind . . && mount -o remount,ro,bind . && cd \"$PWD\" && {command}");
        folder
            .program_in_path("unshare", &["--mount", "bash", "-c", &script])
            .env("TMPDIR", temporary.path())
            .run()
    };
    let ended = inside("orchestrator --history");
    assert!(ended.stdout().contains("finished"), "{ended:?}");
    inside("orchestrator --logs a").succeeds("first\n");
    let ended = inside("orchestrator");
    ended
        .says("error: the tracking store sqlite:///[DIR]/mlflow.db cannot be used")
        .says("--no-tracking records nothing")
        .ends(1);
    let ended = inside("orchestrator --no-tracking");
    let ended = ended.says("`mlruns` cannot be written: what the steps print is kept in ");
    let ended = ended.succeeds("first\nsecond\n");
    let kept = ended.stderr();
    let kept = kept
        .split("is kept in ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    assert_eq!(
        std::fs::read_dir(Path::new(kept).join("0"))
            .unwrap()
            .count(),
        2
    );
    // Elsewhere it is recorded with what there is.
    let elsewhere = Folder::new();
    let uri = format!("sqlite:///{}/x.db", elsewhere.path().display());
    let ended = inside(&format!("orchestrator --tracking-uri {uri}"));
    ended.ends(0);
    let recorded = runs(&elsewhere.path().join("x.db"));
    assert!(recorded.iter().all(|run| run.status == "FINISHED"));
    assert!(recorded[1].metrics.contains_key("n"));
    println!(
        "a folder that can only be read: looked at, run with --no-tracking, recorded elsewhere"
    );
}

#[test]
fn a_step_that_cleans_up_is_told_and_the_rest_recorded() {
    let cases = [
        (
            "rm -r ../mlruns ../mlflow.db*",
            "`mlruns` and `mlflow.db` have been removed: ",
        ),
        ("rm -r ../mlruns", "`mlruns` has been removed: "),
        ("rm ../mlflow.db*", "`mlflow.db` has been removed: "),
        (
            "mv ../mlflow.db ../old.db; cp ../old.db ../mlflow.db",
            "`mlflow.db` has been removed: ",
        ),
        (
            "mv ../mlflow.db ../old.db",
            "`mlflow.db` has been removed: ",
        ),
        (
            "rm ../mlruns/.orchestrator.lock",
            "`mlruns/.orchestrator.lock` has been removed: ",
        ),
    ];
    for (command, message) in cases {
        let folder = pipeline(&format!(
            "{command}; touch ../up; until [ -e ../go ]; do sleep 0.01; done"
        ));
        let started = folder.orchestrator(&[]).start();
        wait_until("it is gone", || folder.exists("up"));
        // No second run meanwhile.
        let second = folder.orchestrator(&["--steps", "b"]).run();
        second
            .says("error: this pipeline is already running (pid ")
            .ends(1);
        assert!(!folder.exists("ran_b"));
        folder.file("go", "");
        let pid = started.pid();
        let ended = started.end();
        ended.ends(0);
        let said = ended.stderr();
        assert_eq!(said.matches("warning").count(), 1, "{command}: {said}");
        assert!(said.contains(message), "{command}: {said}");
        let recorded = runs(&folder.path().join("mlflow.db"));
        let ends: Vec<_> = recorded
            .iter()
            .map(|run| (run.name.as_str(), run.status.as_str()))
            .collect();
        assert_eq!(
            ends,
            [("demo", "FINISHED"), ("a", "FINISHED"), ("b", "FINISHED")],
            "{command}"
        );
        assert_eq!(recorded[0].parameters["steps"], "a,b");
        assert!(
            folder
                .read("mlruns/.orchestrator.lock")
                .starts_with(&format!("pid {pid}, since "))
        );
        assert!(!folder.exists("mlruns/unsent"));
        let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
        let check = database.query_row("PRAGMA integrity_check", [], |row| row.get(0));
        assert_eq!(check, Ok("ok".to_owned()), "{command}");
    }
}

#[test]
fn a_lock_file_may_be_anything() {
    for kind in ["fifo", "link", "folder", "hard link"] {
        let folder = pipeline("touch ../up; until [ -e ../go ]; do sleep 0.01; done");
        folder.file("victim", "precious");
        folder.file("mlruns/here", "");
        let path = folder.path().join("mlruns/.orchestrator.lock");
        match kind {
            "fifo" => {
                let path = path.to_str().unwrap();
                folder.program_in_path("mkfifo", &[path]).run().ends(0);
            }
            "link" => symlink("../victim", &path).unwrap(),
            "hard link" => std::fs::hard_link(folder.path().join("victim"), &path).unwrap(),
            _ => std::fs::create_dir(&path).unwrap(),
        }
        let started = folder.orchestrator(&[]).start();
        wait_until("the step runs", || folder.exists("up"));
        let second = folder.orchestrator(&[]).run();
        second.says("this pipeline is already running (").ends(1);
        folder.file("go", "");
        started.end().ends(0);
        assert_eq!(folder.read("victim"), "precious");
    }
}

#[test]
fn files_of_ours_may_be_anything() {
    // None of these may be waited for, and none be overwritten.
    for (name, message) in [
        ("mlflow.db", "it is not a regular file"),
        ("mlruns", "nothing can be kept in `mlruns`"),
    ] {
        let folder = pipeline("touch ../ran_a");
        let path = folder.path().join(name);
        folder
            .program_in_path("mkfifo", &[path.to_str().unwrap()])
            .run()
            .ends(0);
        for arguments in [
            &[][..],
            &["--history"],
            &["--logs"],
            &["--resend"],
            &["--list"],
        ] {
            let ended = folder.orchestrator(arguments).run();
            if arguments.is_empty() {
                ended.says(message).ends(1);
            }
        }
        assert!(!folder.exists("ran_a"));
    }
    let folder = pipeline("touch ../ran_a");
    std::fs::create_dir(folder.path().join("mlflow.db")).unwrap();
    for arguments in [&[][..], &["--history"], &["--logs"]] {
        folder
            .orchestrator(arguments)
            .run()
            .says("it is a folder")
            .ends(1);
    }
}

#[test]
fn logs_are_read_from_where_they_may_be() {
    let folder = pipeline("echo first");
    folder.orchestrator(&[]).run().ends(0);
    folder.file("home/id_rsa", "secret");
    folder.file("home/a.log", "a log elsewhere\n");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let recorded = runs(&folder.path().join("mlflow.db"));
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    let artifacts = |uri: &str| {
        let sql = "UPDATE runs SET artifact_uri = ?1 WHERE name = 'a'";
        database.execute(sql, [uri]).unwrap();
        let uri = format!("sqlite:///{}", at("mlflow.db"));
        let planted = folder.orchestrator(&["--logs", "a"]).run();
        let named = folder
            .orchestrator(&["--logs", "a", "--tracking-uri", &uri])
            .run();
        (planted, named)
    };
    // A database that came with the folder names one elsewhere; one that the user names may.
    let (planted, named) = artifacts(&at("home"));
    planted
        .says("error: the log of step `a` is [DIR]/home/a.log, which is not below `mlruns`")
        .says("--tracking-uri or MLFLOW_TRACKING_URI")
        .ends(1);
    named.succeeds("a log elsewhere\n");
    // Through no link, and nothing but files.
    symlink("../home", folder.path().join("mlruns/link")).unwrap();
    let (planted, named) = artifacts(&at("mlruns/link"));
    planted.says("there is no log of step `a`").ends(1);
    named.says("there is no log of step `a`").ends(1);
    let (planted, named) = artifacts(&at("mlruns/../home"));
    planted.says("which is not below `mlruns`").ends(1);
    named.succeeds("a log elsewhere\n");
    let fifos = folder.path().join("fifos");
    std::fs::create_dir(&fifos).unwrap();
    let fifo = fifos.join("a.log");
    folder
        .program_in_path("mkfifo", &[fifo.to_str().unwrap()])
        .run()
        .ends(0);
    for uri in ["fifos", "/dev", "/proc/self"] {
        let (planted, named) = artifacts(&folder.path().join(uri).display().to_string());
        planted.ends(1);
        named.says("there is no log of step `a`").ends(1);
    }
    // What a name in the records holds is shown as it is written.
    let sql = "UPDATE tags SET value = ?1 WHERE key = 'pipeline.step' AND value = 'a'";
    database
        .execute(sql, ["x\n\u{1b}]52;c;YQ==\u{7}\u{202e}"])
        .unwrap();
    let shown = folder
        .orchestrator(&["--show", &recorded[0].id])
        .run()
        .stdout();
    assert!(
        shown.contains("step x\\n\\u{1b}]52;c;YQ==\\u{7}\\u{202e}\n"),
        "{shown:?}"
    );
}

#[test]
fn a_terminal_obeys_nothing_in_a_log() {
    let folder = pipeline("'true'");
    folder.orchestrator(&[]).run().ends(0);
    let bytes = "\u{1b}]0;title\u{7} \u{9b} 31m \u{202e} ";
    let recorded = runs(&folder.path().join("mlflow.db"));
    let log = format!("mlruns/0/{}/artifacts/a.log", recorded[1].id);
    folder.file(&log, [bytes.as_bytes(), b"\xff \xc3\xbc\n"].concat());
    let piped = folder.orchestrator(&["--logs", "a"]).run().stdout();
    assert_eq!(piped, format!("{bytes}\u{fffd} ü\n"));
    let script = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(['orchestrator', '--logs', 'a'])))";
    let ended = folder.program_in_path("python3", &["-c", script]).run();
    let shown = "\\u{1b}]0;title\\u{7} \\u{9b} 31m \\u{202e} \\xff ü";
    assert_eq!(ended.stdout().trim_end(), shown);
}

#[test]
fn a_lock_is_kept_without_its_file() {
    let folder = pipeline("rm -r ../mlruns; touch ../up; until [ -e ../go ]; do sleep 0.01; done");
    let first = folder.orchestrator(&["--no-tracking"]).start();
    wait_until("the step runs", || folder.exists("up"));
    let (reader, writer) = std::io::pipe().unwrap();
    let second = folder.orchestrator(&["--no-tracking", "--steps", "b", "--wait"]);
    let second = second.stderr(writer).start();
    let line = BufReader::new(reader).lines().next().unwrap().unwrap();
    assert!(
        line.starts_with("waiting for another run of this pipeline ("),
        "{line}"
    );
    assert!(!folder.exists("ran_b"));
    folder.file("go", "");
    first.end().ends(0);
    second.end().ends(0);
}

#[test]
fn a_new_database_has_the_usual_mode() {
    let folder = pipeline("'true'");
    folder.orchestrator(&[]).run().ends(0);
    folder.file("plain", "");
    let mode = |name: &str| {
        let data = folder.path().join(name).metadata().unwrap();
        data.permissions().mode()
    };
    assert_eq!(mode("mlflow.db"), mode("plain"));
}
