//! Steps that run beside each other.

use crate::harness::{Folder, is_alive, wait_until};
use crate::tracking::runs;

/// A pipeline of steps that need nothing of each other.
pub(crate) fn beside(commands: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    let names: Vec<&str> = commands.iter().map(|(name, _)| *name).collect();
    folder.file(
        "MLproject",
        format!(
            "name: demo\nenv_manager: local\nsteps: [{}]",
            names.join(", ")
        ),
    );
    for (name, command) in commands {
        let command = command.replace('\n', "\n  ");
        folder.step(name, &format!("inputs: []\ncommand: |\n  {command}"));
    }
    folder
}

/// The processes that noted themselves by a file.
fn pids(folder: &Folder) -> Vec<String> {
    let files = folder.files().into_iter();
    let pids = files.filter_map(|name| name.strip_suffix(".pid").map(str::to_owned));
    pids.collect()
}

/// Waits for a file that another step writes.
fn until(file: &str) -> String {
    format!("until [ -e ../{file} ]; do sleep 0.01; done")
}

#[test]
fn steps_that_wait_for_each_other_end() {
    let command = |own: &str, other: &str| format!("touch ../{own}; {}", until(other));
    let folder = beside(&[("a", &command("1", "2")), ("b", &command("2", "1"))]);
    folder
        .orchestrator(&["-j", "2"])
        .run()
        .says("demo: 2 steps finished in")
        .ends(0);
    let recorded = runs(&folder.path().join("mlflow.db"));
    assert!(recorded.iter().all(|run| run.status == "FINISHED"));
    let parent = &recorded[0].id;
    assert!(
        recorded[1..]
            .iter()
            .all(|run| run.tag("mlflow.parentRunId") == Some(parent))
    );
}

#[test]
fn no_more_than_the_limit_run_and_fences_keep_the_order() {
    // Each takes one of two places, and only one can.
    let command = "if mkdir ../1 2>/dev/null; then place=1; elif mkdir ../2 2>/dev/null; then place=2; touch ../both; else touch ../too_many; exit; fi; sleep 0.05; rmdir ../$place";
    let names = ["a", "b", "c", "d", "e", "f"];
    let folder = beside(&names.map(|name| (name, command)));
    folder
        .orchestrator(&["-j", "2", "--no-tracking"])
        .run()
        .ends(0);
    assert!(folder.exists("both") && !folder.exists("too_many"));
    for name in names {
        folder.step(name, &format!("command: echo {name} >> ../order"));
    }
    folder
        .orchestrator(&["-j", "8", "--no-tracking"])
        .run()
        .ends(0);
    assert_eq!(folder.read("order"), "a\nb\nc\nd\ne\nf\n");
}

#[test]
fn one_that_overwrites_waits_for_one_that_reads() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "env_manager: local\nsteps: {read: , train: {needs: [read]}}",
    );
    folder.file("model", "old\n");
    folder.step("read", "parameters: {model: {default: ../model}}\ninputs: [model]\ncommand: sleep 0.1; cat {model} > ../seen");
    folder.step(
        "train",
        "parameters: {model: {default: ../model}}\noutputs: [model]\ncommand: echo new > {model}",
    );
    folder
        .orchestrator(&["-j", "2", "--no-tracking"])
        .run()
        .ends(0);
    assert_eq!(
        (folder.read("seen"), folder.read("model")),
        ("old\n".to_owned(), "new\n".to_owned())
    );
}

#[test]
fn lines_have_the_names_of_their_steps() {
    let folder = beside(&[
        ("a", "echo one; echo two >&2; printf 'no end'"),
        (
            "long",
            "printf '10%%\\r100%%\\n'; printf '\\033[1mbold\\033[0m\\n'; cat",
        ),
    ]);
    let ended = folder.orchestrator(&["-j", "2", "--no-tracking"]).run();
    ended.ends(0);
    let sorted = |text: String| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(
        sorted(ended.stdout()),
        ["a    | no end", "a    | one", "long | 100%", "long | bold"]
    );
    assert!(
        sorted(ended.stderr()).contains(&"a    | two".to_owned()),
        "{}",
        ended.stderr()
    );
    // The logs are as they were printed.
    assert_eq!(folder.log("a").matches("no end").count(), 1);
    assert!(folder.log("long").contains("10%\r100%\n\u{1b}[1mbold"));
    // One after the other they have no names.
    let alone = folder.orchestrator(&["--no-tracking"]).run();
    assert!(
        alone.stdout().contains("one\nno end10%\r100%\n"),
        "{}",
        alone.stdout()
    );
}

#[test]
fn lines_of_steps_never_mix() {
    let line = "x".repeat(200);
    let command = format!("yes {line} | head -n 20000; yes {line} | head -n 20000 >&2");
    let names = ["a", "b", "c", "d"];
    let folder = beside(&names.map(|name| (name, command.as_str())));
    let output = std::fs::File::create(folder.path().join("all")).unwrap();
    let both = output.try_clone().unwrap();
    folder
        .orchestrator(&["-j", "4", "--no-tracking"])
        .stdout(output)
        .stderr(both)
        .run()
        .ends(0);
    let all = folder.read("all");
    for name in names {
        let expected = format!("{name} | {line}");
        assert_eq!(
            all.lines().filter(|line| **line == expected).count(),
            40_000,
            "{name}"
        );
    }
    let others: Vec<&str> = all.lines().filter(|text| !text.ends_with(&line)).collect();
    assert!(
        others
            .iter()
            .all(|line| line.starts_with('[') || line.starts_with("demo: ")),
        "{others:?}"
    );
}

#[test]
fn after_a_failure_what_runs_goes_on_and_nothing_starts() {
    let folder = beside(&[
        ("bad", &format!("{}; exit 3", until("up"))),
        (
            "good",
            &format!("touch ../up; {}; touch ../good_ended", until("go")),
        ),
        ("later", "touch ../later_ran"),
    ]);
    let said = std::fs::File::create(folder.path().join("said")).unwrap();
    let started = folder
        .orchestrator(&["-j", "2", "--no-tracking"])
        .stderr(said)
        .start();
    wait_until("the failure is told", || {
        folder
            .read("said")
            .contains("`bad` failed; waiting for `good` (Ctrl-C stops it)\n")
    });
    folder.file("go", "");
    started.end().ends(1);
    assert!(folder.exists("good_ended") && !folder.exists("later_ran"));
    let said = folder.read("said");
    assert!(said.contains("[2/3] good: finished in"), "{said}");
    // And what it was stands at the end.
    let end = said.split("good: finished in").nth(1).unwrap();
    assert!(
        end.contains("error: step `bad` failed with exit code 3 after"),
        "{said}"
    );
}

#[test]
fn two_failures_are_both_told() {
    let folder = beside(&[
        ("a", &format!("touch ../1; {}; exit 3", until("2"))),
        ("b", &format!("touch ../2; {}; exit 4", until("1"))),
    ]);
    folder
        .orchestrator(&["-j", "2"])
        .run()
        .says("error: step `a` failed with exit code 3 after")
        .says("error: step `b` failed with exit code 4 after")
        .ends(1);
    let recorded = runs(&folder.path().join("mlflow.db"));
    assert!(recorded.iter().all(|run| run.status == "FAILED"));
}

#[test]
fn with_keep_going_the_other_branch_goes_on() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: [bad, good, of_bad, of_good]",
    );
    folder.step(
        "bad",
        "parameters: {a: {default: ../a}}\noutputs: [a]\ncommand: exit 3",
    );
    folder.step(
        "good",
        "parameters: {b: {default: ../b}}\noutputs: [b]\ncommand: touch {b}",
    );
    folder.step(
        "of_bad",
        "parameters: {a: {default: ../a}}\ninputs: [a]\ncommand: touch ../of_bad_ran",
    );
    folder.step(
        "of_good",
        "parameters: {b: {default: ../b}}\ninputs: [b]\ncommand: touch ../of_good_ran",
    );
    folder
        .orchestrator(&["-j", "2", "--keep-going", "--no-tracking"])
        .run()
        .says(
            "[3/4] of_bad: left out, because `bad` did not finish and this step needs its output\n",
        )
        .says("error: 2 of 4 steps did not finish: `bad`, `of_bad`\n")
        .ends(1);
    assert!(folder.exists("of_good_ran") && !folder.exists("of_bad_ran"));
}

#[test]
fn a_signal_reaches_all_at_once() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let names = ["a", "b", "c", "d"];
        let folder = beside(&names.map(|name| (name, "echo $$ > ../$$.pid; sleep 1000")));
        let started = folder.orchestrator(&["-j", "8"]).start();
        wait_until("all run", || pids(&folder).len() == 4);
        started.signal(signal);
        let told = format!("error: stopped by SIG{signal} while steps `");
        started.end().says(&told).ends(code);
        assert!(pids(&folder).iter().all(|pid| !is_alive(pid)));
        let recorded = runs(&folder.path().join("mlflow.db"));
        assert_eq!(recorded.len(), 5);
        assert!(
            recorded.iter().all(|run| run.status == "KILLED"),
            "{recorded:?}"
        );
    }
}

#[test]
fn nothing_is_left_when_the_orchestrator_is_killed() {
    let names = ["a", "b", "c"];
    let folder = beside(&names.map(|name| (name, "echo $$ > ../$$.pid; sleep 1000")));
    let started = folder
        .orchestrator(&["-j", "3", "--grace", "100ms"])
        .start();
    wait_until("all run", || pids(&folder).len() == 3);
    started.signal("KILL");
    started.end().dies_of(9);
    wait_until("all have ended", || {
        pids(&folder).iter().all(|pid| !is_alive(pid))
    });
    folder.orchestrator(&["--resend"]).run().ends(0);
    let recorded = runs(&folder.path().join("mlflow.db"));
    assert!(
        recorded.iter().all(|run| run.status == "KILLED"),
        "{recorded:?}"
    );
}

#[test]
fn a_signal_ends_the_pause_before_a_retry() {
    let folder = beside(&[("bad", "exit 3"), ("good", "touch ../up; sleep 1000")]);
    let definition =
        "name: demo\nenv_manager: local\nsteps: {bad: {retries: 1, retry_delay: 1h}, good: }";
    folder.file("MLproject", definition);
    let said = std::fs::File::create(folder.path().join("said")).unwrap();
    let started = folder
        .orchestrator(&["-j", "2", "--no-tracking"])
        .stderr(said)
        .start();
    wait_until("one runs and one waits", || {
        folder.exists("up") && folder.read("said").contains("retry 1 of 1 in 1h")
    });
    started.signal("TERM");
    started.end().ends(143);
    let said = folder.read("said");
    assert!(
        said.contains("error: stopped by SIGTERM while step `bad` waited for its next try\n"),
        "{said}"
    );
    assert!(
        said.contains("error: stopped by SIGTERM while step `good` was running\n"),
        "{said}"
    );
}

#[test]
fn a_timeout_stops_one_of_two() {
    let folder = beside(&[("slow", "sleep 1000"), ("good", &until("slow_ended"))]);
    let definition = "name: demo\nenv_manager: local\nsteps: {slow: {timeout: 50ms, allow_failure: true}, good: , last: {needs: [good]}}";
    folder.file("MLproject", definition);
    folder.step(
        "slow",
        "inputs: []\ncommand: trap 'touch ../slow_ended' EXIT; sleep 1000",
    );
    folder.step("last", "command: touch ../last_ran");
    folder
        .orchestrator(&["-j", "2", "--no-tracking"])
        .run()
        .says("warning: step `slow` was stopped after its timeout of 50ms")
        .ends(0);
    assert!(folder.exists("last_ran"));
}

#[test]
fn steps_beside_others_have_no_input() {
    let folder = beside(&[("a", "cat > ../a_read"), ("b", "cat > ../b_read")]);
    folder.file("input", "typed");
    let input = || std::fs::File::open(folder.path().join("input")).unwrap();
    folder
        .orchestrator(&["-j", "2", "--no-tracking"])
        .stdin(input())
        .run()
        .ends(0);
    assert_eq!(
        (folder.read("a_read"), folder.read("b_read")),
        (String::new(), String::new())
    );
    folder
        .orchestrator(&["--no-tracking"])
        .stdin(input())
        .run()
        .ends(0);
    assert_eq!(folder.read("a_read"), "typed");
}

#[test]
fn resources_hold_steps_back() {
    let folder = beside(&[
        (
            "a",
            "touch ../a_up; sleep 0.1; [ ! -e ../b_up ] && touch ../a_ended",
        ),
        ("b", "touch ../b_up; [ -e ../a_ended ]"),
    ]);
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {a: {resources: {memory: 500000T}}, b: {resources: {memory: 1M}}}",
    );
    folder
        .orchestrator(&["-j", "2", "--no-tracking"])
        .run()
        .says("warning: step `a` wants 512000000 GiB of memory, and there are ")
        .says(": it runs alone\n")
        .ends(0);
}

#[test]
fn each_step_has_graphics_processors_of_its_own() {
    let command = |own: &str, other: &str| {
        format!(
            "echo $CUDA_VISIBLE_DEVICES > ../{own}; {}; touch ../{own}_up",
            until(other)
        )
    };
    let folder = beside(&[
        ("a", &command("of_a", "of_b")),
        ("b", &command("of_b", "of_a")),
    ]);
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {a: {resources: {gpus: 1}}, b: {resources: {gpus: 2}}}",
    );
    let run = folder
        .orchestrator(&["-j", "2", "--no-tracking"])
        .env("CUDA_VISIBLE_DEVICES", "4,5,7")
        .run();
    run.ends(0);
    assert_eq!(
        (folder.read("of_a"), folder.read("of_b")),
        ("4\n".to_owned(), "5,7\n".to_owned())
    );
}

#[test]
fn a_run_inside_of_a_step_is_a_part_of_the_outer_one() {
    let folder = beside(&[
        ("a", "orchestrator -C .. --steps inner"),
        ("b", "orchestrator -C .. --steps inner"),
    ]);
    folder.step("inner", "command: echo inner >> ../inner_ran");
    folder.orchestrator(&["-j", "2"]).run().ends(0);
    assert_eq!(folder.read("inner_ran"), "inner\ninner\n");
}

#[test]
fn how_many_run_at_once_is_a_number_from_one_on() {
    let folder = beside(&[("a", "true")]);
    for count in ["0", "two", "-1", "1.5", ""] {
        folder
            .orchestrator(&[&format!("--jobs={count}")])
            .run()
            .says("for '--jobs <N>': expected a number from 1 on\n")
            .ends(2);
    }
}
