//! What a killed orchestrator leaves on a server: every run that it started is ended, none is there twice.

use std::time::{Duration, Instant};

use crate::harness::{Folder, rounds, wait_until};
use crate::stand_in::{Answer, StandIn};

/// A small generator of pseudo-random numbers (xorshift), so that a run can be repeated.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

pub(crate) fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps:\n  a: {retries: 1, retry_delay: 1ms}\n  b:\n  c:\n",
    );
    folder.step(
        "a",
        "command: echo told; echo n 1 > $PIPELINE_METRICS; [ -e ../again ] || ( touch ../again; exit 1 )",
    );
    folder.step("b", "command: sleep 0.02");
    folder.step("c", "command: 'true'");
    folder
}

/// What was wrong after some kills.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) running: usize,
    pub(crate) twice: usize,
    pub(crate) unsent: usize,
}

/// Kills runs at random moments within `longest` and mends each by one `--resend`.
pub(crate) fn kill(
    count: u64,
    random: &mut Random,
    longest: u64,
    url: &str,
    runs: &dyn Fn() -> Vec<(String, String)>,
) -> Wrong {
    let mut wrong = Wrong::default();
    let mut total = 0;
    for _ in 0..count {
        let folder = pipeline();
        let started = folder.orchestrator(&["--tracking-uri", url]).start();
        // The moment is the point of this, and any will do.
        std::thread::sleep(Duration::from_millis(random.below(longest)));
        started.signal("KILL");
        drop(started.end());
        // The supervisor of a step may live for some moments more and hold the lock, which does not
        // concern this.
        let resent = folder
            .orchestrator(&["--resend", "--tracking-uri", url])
            .run();
        resent.ends(0);
        wrong.unsent += usize::from(folder.exists("mlruns/unsent"));
        let runs = runs();
        // By what they are and when they began: the keys of two runs differ anyway.
        let mut names: Vec<&String> = runs.iter().map(|(name, _)| name).collect();
        names.sort();
        let before = names.len();
        names.dedup();
        wrong.twice = before - names.len();
        wrong.running = runs
            .iter()
            .filter(|(_, status)| status == "RUNNING")
            .count();
        total = before;
    }
    eprintln!("{count} kills, {total} runs: {wrong:?}");
    assert!(total > 0);
    wrong
}

/// The runs of a slow stand-in, by key, and their statuses.
fn against_a_slow_server(count: u64, seed: u64) -> Wrong {
    let delays = std::sync::Mutex::new(Random(seed + 1));
    let server = StandIn::new(move |_| {
        let mut delays = delays.lock().unwrap();
        let mut delay = || Duration::from_millis(delays.below(60));
        Answer::Slow(delay(), delay())
    });
    let runs = || {
        let runs = server.runs().into_iter();
        let named = runs.map(|run| (run.tags["pipeline.key"].clone(), run.status));
        named.collect()
    };
    kill(count, &mut Random(seed), 1500, &server.url(), &runs)
}

#[test]
fn a_few_kills_leave_no_run_in_doubt() {
    assert_eq!(against_a_slow_server(8, 7), Wrong::default());
}

#[test]
#[ignore = "takes minutes"]
fn reliability_of_300_kills_against_a_slow_server() {
    let start = Instant::now();
    let count = rounds(300);
    let wrong = against_a_slow_server(count, 2027);
    println!(
        "{count} kills against a slow server in {:.0} s: {} runs left RUNNING, {} twice, {} files unsent",
        start.elapsed().as_secs_f64(),
        wrong.running,
        wrong.twice,
        wrong.unsent
    );
    assert_eq!(wrong, Wrong::default());
}

#[test]
fn a_run_that_is_being_created_is_found_again() {
    // Killed while the server has not made it yet, and while only the answer is missing.
    let slow = Duration::from_millis(1500);
    for (before, after) in [(slow, Duration::ZERO), (Duration::ZERO, slow)] {
        let server = StandIn::when("runs/create", move || Answer::Slow(before, after));
        let folder = pipeline();
        let url = server.url();
        let started = folder.orchestrator(&["--tracking-uri", &url]).start();
        wait_until("the run is asked for", || server.count("runs/create") == 1);
        started.signal("KILL");
        started.end().dies_of(9);
        let resent = folder
            .orchestrator(&["--resend", "--tracking-uri", &url])
            .run();
        assert!(resent.stdout().ends_with(" records sent\n"), "{resent:?}");
        let expected = [("demo".to_owned(), "KILLED".to_owned())];
        assert_eq!(server.ends(), expected);
        assert!(!folder.exists("mlruns/unsent"));
        let again = folder
            .orchestrator(&["--resend", "--tracking-uri", &url])
            .run();
        again.succeeds("nothing to send\n");
        assert_eq!(server.ends(), expected);
    }
}

#[test]
fn what_was_not_confirmed_is_not_counted() {
    // Nobody knows the run, not even the file.
    let server = StandIn::new(|_| Answer::Usual);
    let folder = pipeline();
    let url = server.url();
    let key = "0123456789abcdef0123456789abcdef";
    folder.file(
        "mlruns/unsent/x.jsonl",
        format!(
            "{{\"Store\":{{\"uri\":\"{url}\",\"experiment\":\"0\"}}}}\n{{\"Opened\":{{\"run\":\"{key}\",\"log\":null}}}}\n"
        ),
    );
    folder
        .orchestrator(&["--resend", "--tracking-uri", &url])
        .run()
        .says(
            "warning: 2 records of mlruns/unsent/x.jsonl belong to no run that the store has of us",
        )
        .succeeds("0 records sent\n");
    assert_eq!(server.count("runs/update"), 0);
    assert!(server.runs().is_empty());
}

#[test]
fn a_step_that_has_ended_keeps_its_end() {
    // The server goes away just before the end of the step; then the orchestrator is killed.
    let is_away = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let away = std::sync::Arc::clone(&is_away);
    let server = StandIn::new(move |request| {
        let is_away = away.load(std::sync::atomic::Ordering::Relaxed);
        if is_away && (request.is("runs/log-batch") || request.is("runs/update")) {
            return crate::stand_in::error(503, "GONE");
        }
        Answer::Usual
    });
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps:\n  a:\n  b:\n",
    );
    folder.step(
        "a",
        "command: 'touch ../up; until [ -e ../go ]; do sleep 0.01; done'",
    );
    folder.step("b", "command: 'touch ../up_b; sleep 1000'");
    let url = server.url();
    let started = folder
        .orchestrator(&["--tracking-uri", &url, "--grace", "10ms"])
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        .start();
    wait_until("step a runs", || folder.exists("up"));
    is_away.store(true, std::sync::atomic::Ordering::Relaxed);
    folder.file("go", "");
    wait_until("step b runs", || folder.exists("up_b"));
    started.signal("KILL");
    started.end().dies_of(9);
    is_away.store(false, std::sync::atomic::Ordering::Relaxed);
    let resend = ["--resend", "--tracking-uri", &url];
    folder.orchestrator(&resend).run().ends(0);
    let ends: Vec<(String, String)> = server.ends();
    let expected = [("a", "FINISHED"), ("b", "KILLED"), ("demo", "KILLED")];
    let expected = expected.map(|(name, status)| (name.to_owned(), status.to_owned()));
    assert_eq!(ends, expected);
    let runs = server.runs();
    let a = runs.iter().find(|run| run.name == "a").unwrap();
    assert!(a.metrics.contains_key("duration_seconds") && a.end >= a.start);
    assert!(!a.tags.contains_key("pipeline.error"), "{a:?}");
}

#[test]
fn a_run_whose_creation_was_dropped_is_there_once() {
    let server = StandIn::when("runs/create", move || Answer::DoneAndDrop);
    let folder = pipeline();
    let url = server.url();
    folder
        .orchestrator(&["--tracking-uri", &url])
        .env("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
        .env("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
        .run()
        .ends(0);
    let names: Vec<String> = server.ends().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "a (try 2)", "b", "c", "demo"]);
    assert!(server.ends().iter().all(|(_, status)| status != "RUNNING"));
}
