//! No process of a step outlives the orchestrator, whatever ends it.

use crate::harness::{Folder, Started, is_alive, wait_until};

/// A pipeline whose first step has processes that ignore every polite signal, one of them in a
/// session of its own and one twice forked, and waits for ever. Their pids go to files.
fn stubborn() -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo\nenv_manager: local");
    folder.file(
        "a/stubborn.sh",
        "trap '' TERM INT HUP\necho $$ > ../$1.tmp && mv ../$1.tmp ../$1.pid\nwhile :; do sleep 1000; done\n",
    );
    folder.step(
        "a",
        "command: |\n  bash stubborn.sh child &\n  setsid bash stubborn.sh session &\n  \
         (bash stubborn.sh orphan & exit) &\n  bash stubborn.sh last",
    );
    folder.step("b", "command: touch ../b_ran");
    folder
}

const PIDS: [&str; 4] = ["child.pid", "session.pid", "orphan.pid", "last.pid"];

fn start<'a>(folder: &Folder, grace: &'a str) -> (Started, Vec<String>) {
    let arguments: [&'a str; 4] = ["--steps", "a,b", "--grace", grace];
    let started = folder.orchestrator(&arguments).start();
    wait_until("the step has started", || {
        PIDS.iter().all(|name| folder.exists(name))
    });
    let pids = PIDS.map(|name| folder.read(name).trim().to_owned());
    (started, pids.into())
}

#[test]
fn a_signal_ends_all_processes_of_the_step() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let folder = stubborn();
        let (started, pids) = start(&folder, "100ms");
        started.signal(name);
        let text = format!(
            "[1/2] a: running\nerror: stopped by SIG{name} while step `a` was running\n  log: mlruns/0/[RUN]/artifacts/a.log\n"
        );
        started.end().fails(code, &text);
        assert!(!pids.iter().any(|pid| is_alive(pid)), "{name}: {pids:?}");
        assert!(!folder.exists("b_ran"));
    }
}

#[test]
fn a_second_signal_does_not_wait_for_the_grace_period() {
    let folder = stubborn();
    let (started, pids) = start(&folder, "1h");
    started.signal("INT");
    started.signal("TERM");
    started.end().says("stopped by SIG").ends(130);
    assert!(!pids.iter().any(|pid| is_alive(pid)), "{pids:?}");
}

#[test]
fn a_step_may_use_the_grace_period() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step("a", "command: trap 'echo cleaned > ../cleaned; exit 0' TERM; touch ../up; while :; do sleep 0.01; done");
    let started = folder
        .orchestrator(&["--steps", "a", "--grace", "1h"])
        .start();
    wait_until("the step has started", || folder.exists("up"));
    started.signal("TERM");
    started.end().ends(143);
    assert_eq!(folder.read("cleaned"), "cleaned\n");
}

#[cfg(target_os = "linux")]
#[test]
fn the_step_ends_when_the_orchestrator_is_killed() {
    let folder = stubborn();
    let (started, pids) = start(&folder, "100ms");
    started.signal("KILL");
    wait_until("the processes have ended", || {
        !pids.iter().any(|pid| is_alive(pid))
    });
    assert!(!folder.exists("b_ran"));
}

#[test]
fn what_a_step_leaves_behind_ends_with_it() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step("a", "command: setsid sleep 1000 & echo $! > ../pid");
    folder.step("b", "command: '! kill -0 $(cat ../pid)'");
    folder.orchestrator(&["--steps", "a,b"]).run().succeeds("");
    assert!(!is_alive(folder.read("pid").trim()));
}

#[test]
fn a_pipeline_in_a_pipeline_is_ended_to_the_bottom() {
    let folder = stubborn();
    folder.file("outer/MLproject", "env_manager: local");
    folder.step(
        "outer/inner",
        "command: orchestrator -C ../.. --steps a,b --grace 100ms",
    );
    let started = folder
        .orchestrator(&["-C", "outer", "--steps", "inner"])
        .start();
    wait_until("the step has started", || {
        PIDS.iter().all(|name| folder.exists(name))
    });
    started.signal("TERM");
    started
        .end()
        .says("stopped by SIGTERM while step `inner` was running")
        .ends(143);
    assert!(!PIDS.iter().any(|name| is_alive(folder.read(name).trim())));
}

#[test]
fn every_exit_code_is_told() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step("s", "parameters: {code: int}\ncommand: exit {code}");
    folder
        .orchestrator(&["--steps", "s", "--code", "0"])
        .run()
        .ends(0);
    for code in 1..=255 {
        let ended = folder
            .orchestrator(&["--steps", "s", "--code", &code.to_string()])
            .run();
        ended
            .says(&format!(
                "error: step `s` failed with exit code {code} after [TIME]\n"
            ))
            .ends(1);
    }
}

#[test]
fn every_deadly_signal_is_told() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step(
        "s",
        "parameters: {name: str}\ncommand: ulimit -c 0; kill -s {name} $$",
    );
    // Not QUIT, which bash always ignores.
    for name in [
        "HUP", "INT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
        "ALRM", "TERM",
    ] {
        let ended = folder.orchestrator(&["--steps", "s", "--name", name]).run();
        ended
            .says(&format!(
                "error: step `s` was killed by SIG{name} after [TIME]\n"
            ))
            .ends(1);
    }
}

#[test]
fn a_signal_while_no_step_is_running_ends_the_run_at_once() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step("s", "parameters: {data: path}\ncommand: touch ../ran");
    // A server that never answers: the download before the step waits for it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", silent.local_addr().unwrap());
    let started = folder
        .orchestrator(&["--steps", "s", "--data", &url])
        .start();
    let (_connection, _) = silent.accept().unwrap();
    started.signal("TERM");
    started.end().dies_of(15);
    assert!(!folder.exists("ran"));
}

#[test]
fn a_closed_stderr_does_not_stop_the_run() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step("a", "command: touch ../a_ran");
    folder.step("b", "command: touch ../b_ran");
    let script = "orchestrator --steps a,b 2> >(exec 0<&-); exit $?";
    folder
        .program_in_path("bash", &["-c", script])
        .run()
        .ends(0);
    assert!(folder.exists("a_ran") && folder.exists("b_ran"));
    folder
        .program_in_path(
            "bash",
            &["-c", "set -o pipefail; orchestrator --list | true"],
        )
        .run()
        .ends(0);
}

#[test]
fn a_step_of_an_inner_pipeline_is_told_once_and_has_its_grace_period() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.file("outer/MLproject", "env_manager: local");
    folder.step("outer/inner", "command: orchestrator -C ../.. --steps a");
    folder.step(
        "a",
        "command: >-\n  trap 'echo told >> ../log; sleep 0.2; echo cleaned >> ../log; exit 0' TERM;\n  \
         touch ../up; while :; do sleep 0.01; done",
    );
    let started = folder
        .orchestrator(&["-C", "outer", "--steps", "inner"])
        .start();
    wait_until("the step has started", || folder.exists("up"));
    started.signal("TERM");
    started.end().ends(143);
    assert_eq!(folder.read("log"), "told\ncleaned\n");
}
