//! Steps that take too long, and steps that get another chance.

use crate::harness::Folder;

fn pipeline(entry: &str, command: &str) -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        format!("name: demo\nenv_manager: local\nsteps:\n  s: {{{entry}}}\n  last:\n"),
    );
    folder.step("s", &format!("command: {command}"));
    folder.step("last", "command: touch ../last_ran");
    folder
}

#[test]
fn a_step_that_takes_too_long_is_stopped() {
    let folder = pipeline("timeout: 50ms", "sleep 1000; echo not reached");
    folder.orchestrator(&[]).run().fails(
        1,
        "[1/2] s: running\nerror: step `s` was stopped after its timeout of 50ms\n  command: sleep 1000; echo not reached\n  log: mlruns/0/[RUN]/artifacts/s.log\n  it printed nothing\n",
    );
    let folder = pipeline("timeout: 1h", "sleep 1000");
    folder
        .orchestrator(&["--timeout", "50ms"])
        .run()
        .says("its timeout of 50ms")
        .ends(1);
    assert!(!folder.exists("last_ran"));
    folder
        .orchestrator(&["--timeout", "1h", "--steps", "last"])
        .run()
        .ends(0);
}

#[test]
fn a_failed_step_is_tried_again_after_pauses_that_double() {
    // Fails until its third run.
    let command = "echo x >> ../runs; wc -l < ../runs >&2; [ $(wc -l < ../runs) -ge 3 ]";
    let folder = pipeline("retries: 2, retry_delay: 5ms", command);
    let ended = folder.orchestrator(&[]).run().succeeds("");
    let retry = |number, pause| {
        format!(
            "[1/2] s: step `s` failed with exit code 1 after [TIME] (log: mlruns/0/[RUN]/artifacts/s.log); retry {number} of 2 in {pause}\n"
        )
    };
    let told = format!(
        "[1/2] s: running\n1\n{}2\n{}3\n[1/2] s: finished",
        retry(1, "5ms"),
        retry(2, "10ms")
    );
    assert!(ended.stderr().starts_with(&told), "{}", ended.stderr());
    assert!(folder.exists("last_ran"));
    // Every attempt has its own log.
    let mut logs = folder.logs("s");
    logs.sort();
    assert_eq!(logs, ["1\n", "2\n", "3\n"]);
}

#[test]
fn the_last_failure_is_the_one_that_counts() {
    let command = "echo x >> ../runs; exit $(wc -l < ../runs)";
    let folder = pipeline("retry_delay: 1ms", command);
    folder
        .orchestrator(&["--retries", "2"])
        .run()
        .says("error: step `s` failed with exit code 3 after [TIME]\n")
        .ends(1);
    assert_eq!(folder.read("runs").lines().count(), 3);
    let folder = pipeline("retries: 5, retry_delay: 1ms", command);
    folder
        .orchestrator(&["--retries", "0"])
        .run()
        .says("error: step `s` failed with exit code 1 after [TIME]\n")
        .ends(1);
    assert!(!folder.exists("last_ran"));
}

#[test]
fn a_time_has_a_unit() {
    for (entry, message) in [
        (
            "timeout: 5",
            "`steps.s.timeout` should be a time with its unit, such as 90s or 2h",
        ),
        (
            "retry_delay: soon",
            "`steps.s.retry_delay` should be a time with its unit, such as 90s or 2h",
        ),
        (
            "retries: -1",
            "`steps.s.retries` should be a number of tries",
        ),
    ] {
        let folder = pipeline(entry, "touch ../ran");
        folder
            .orchestrator(&[])
            .run()
            .fails(1, &format!("error: MLproject:4: {message}\n"));
        assert!(!folder.exists("ran"));
    }
    let folder = pipeline("", "touch ../ran");
    folder
        .orchestrator(&["--timeout", "5"])
        .run()
        .says(
            "invalid value '5' for '--timeout <TIME>': expected a time with its unit, such as 90s",
        )
        .ends(2);
    folder
        .orchestrator(&["--grace", "soon"])
        .run()
        .says(
            "invalid value 'soon' for '--grace <TIME>': expected a time with its unit, such as 90s",
        )
        .ends(2);
}

#[test]
fn a_value_that_cannot_be_downloaded_is_tried_again_and_recorded() {
    let folder = pipeline("retries: 1, retry_delay: 5ms", "cat {f}");
    folder.step("s", "parameters: {f: path}\ncommand: cat {f}");
    // A port where nobody listens.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", nobody.local_addr().unwrap());
    drop(nobody);
    folder
        .orchestrator(&["--steps", "s", "--f", &url])
        .run()
        .says(&format!("[1/1] s: cannot download `{url}`: "))
        .says("; retry 1 of 1 in 5ms\n")
        .says(&format!(
            "error: step `s`: cannot download `{url}`\n  caused by: "
        ))
        .ends(1);
    let history = folder
        .orchestrator(&["--history", "--format", "json"])
        .run();
    let steps = history.json()[0]["steps"].clone();
    let steps: Vec<(&str, &str)> = steps
        .as_array()
        .unwrap()
        .iter()
        .map(|run| {
            (
                run["name"].as_str().unwrap(),
                run["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(steps, [("s", "FAILED"), ("s (try 2)", "FAILED")]);
}
