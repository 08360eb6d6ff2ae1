//! `--logs --follow`: the logs of a run that goes on, from another terminal.

use std::io::{BufRead, BufReader, PipeReader, Read};

use crate::harness::{Folder, Started, wait_until};
use crate::stand_in::{Answer, StandIn};

/// Two steps: the first waits for the file `go`, the second for `end`.
fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: [first, second]\n",
    );
    let wait = |file: &str| format!("until [ -e ../{file} ]; do sleep 0.01; done");
    folder.step(
        "first",
        &format!(
            "command: echo one; touch ../up; {}; printf 'two\\n'",
            wait("go")
        ),
    );
    folder.step(
        "second",
        &format!(
            "command: printf three; touch ../up_second; {}; echo four",
            wait("end")
        ),
    );
    folder
}

fn start(folder: &Folder, arguments: &[&str]) -> Started {
    let started = folder.orchestrator(arguments).start();
    wait_until("the first step runs", || folder.exists("up"));
    started
}

/// Follows; gives what is printed meanwhile.
fn follow(folder: &Folder, arguments: &[&str]) -> (Started, BufReader<PipeReader>) {
    let (reader, writer) = std::io::pipe().unwrap();
    let arguments = [&["--logs", "--follow"], arguments].concat();
    let started = folder.orchestrator(&arguments).stdout(writer).start();
    (started, BufReader::new(reader))
}

fn line(reader: &mut BufReader<PipeReader>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line
}

fn rest(mut reader: BufReader<PipeReader>) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_log_is_shown_as_it_grows_and_then_those_of_the_next_steps() {
    let folder = pipeline();
    let run = start(&folder, &[]);
    let (follower, mut shown) = follow(&folder, &[]);
    assert_eq!(line(&mut shown), "one\n");
    folder.file("go", "");
    assert_eq!(line(&mut shown), "two\n");
    // Also what is no line yet.
    let mut word = [0; 5];
    shown.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"three");
    folder.file("end", "");
    assert_eq!(rest(shown), "four\n");
    let ended = follower.end();
    ended.ends(0);
    assert_eq!(ended.stderr(), "");
    run.end().ends(0);
}

#[test]
fn a_step_is_waited_for_that_has_not_begun_and_followed_to_its_end_alone() {
    let folder = pipeline();
    let run = start(&folder, &[]);
    let arguments = ["--logs", "second", "-f"];
    let (reader, writer) = std::io::pipe().unwrap();
    let waiting = folder.orchestrator(&arguments).stderr(writer).start();
    assert_eq!(
        BufReader::new(reader).lines().next().unwrap().unwrap(),
        "waiting for step `second`"
    );
    // A step that is over while the run goes on.
    folder.file("go", "");
    wait_until("the second step runs", || folder.exists("up_second"));
    folder
        .orchestrator(&["--logs", "first", "-f"])
        .run()
        .succeeds("one\ntwo\n");
    folder.file("end", "");
    waiting.end().succeeds("threefour\n");
    run.end().ends(0);
}

#[test]
fn where_nothing_runs_the_newest_log_is_shown() {
    let folder = pipeline();
    folder
        .orchestrator(&["--logs", "-f"])
        .run()
        .fails(1, "error: there is no log of this pipeline\n");
    folder.file("go", "").file("end", "");
    folder.orchestrator(&[]).run().ends(0);
    let follow = |step: &str| folder.orchestrator(&["--logs", step, "--follow"]).run();
    follow("first").succeeds("one\ntwo\n");
    follow("second").succeeds("threefour\n");
    follow("third").fails(1, "error: there is no log of step `third`\n");
    // A run whose process was killed goes on in its records alone.
    for name in ["go", "up"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let run = start(&folder, &[]);
    run.signal("KILL");
    run.end().dies_of(9);
    follow("first").succeeds("one\n");
    folder
        .orchestrator(&["--history"])
        .run()
        .prints("  running  ")
        .ends(0);
    folder
        .orchestrator(&["--follow"])
        .run()
        .says("--logs")
        .ends(2);
}

#[test]
fn a_step_that_never_comes_is_told_when_the_run_ends() {
    let folder = pipeline();
    let run = start(&folder, &["--steps", "first"]);
    let (reader, writer) = std::io::pipe().unwrap();
    let follower = folder
        .orchestrator(&["--logs", "second", "-f"])
        .stderr(writer)
        .start();
    let mut told = BufReader::new(reader);
    assert_eq!(line(&mut told), "waiting for step `second`\n");
    folder.file("go", "");
    run.end().ends(0);
    follower.end().ends(1);
    assert_eq!(rest(told), "error: there is no log of step `second`\n");
}

#[test]
fn another_try_is_followed() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {a: {retries: 1, retry_delay: 1ms}}\n",
    );
    folder.step(
        "a",
        "command: if [ -e ../once ]; then echo good; else touch ../once ../up; until [ -e ../go ]; do sleep 0.01; done; echo bad; exit 1; fi",
    );
    let run = start(&folder, &[]);
    let follower = folder.orchestrator(&["--logs", "a", "-f"]).start();
    // It has opened the first log as soon as it is asked for what comes.
    let descriptors = format!("/proc/{}/fd", follower.pid());
    wait_until("the first log is open", || {
        let open = std::fs::read_dir(&descriptors).into_iter().flatten();
        let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        targets.into_iter().any(|target| target.ends_with("a.log"))
    });
    folder.file("go", "");
    run.end().ends(0);
    follower.end().succeeds("bad\ngood\n");
}

#[test]
fn ctrl_c_ends_who_follows_and_nothing_else() {
    let folder = pipeline();
    let run = start(&folder, &[]);
    let (follower, mut shown) = follow(&folder, &[]);
    assert_eq!(line(&mut shown), "one\n");
    follower.signal("INT");
    let ended = follower.end();
    ended.was_stopped_by(2);
    assert_eq!(ended.stderr(), "");
    folder.file("go", "").file("end", "");
    run.end().ends(0);
}

#[test]
fn a_log_is_followed_that_a_server_will_get() {
    let server = StandIn::new(|_| Answer::Usual);
    let folder = pipeline();
    let url = server.url();
    let run = start(&folder, &["--tracking-uri", &url]);
    let (follower, mut shown) = follow(&folder, &["--tracking-uri", &url]);
    assert_eq!(line(&mut shown), "one\n");
    let told = server.runs().len();
    folder.file("go", "");
    assert_eq!(line(&mut shown), "two\n");
    folder.file("end", "");
    assert_eq!(rest(shown), "threefour\n");
    follower.end().ends(0);
    run.end().ends(0);
    assert_eq!(server.runs().len(), told + 1);
}
