//! Signals that were ignored or blocked before us, that stop for a while, and that hit a supervisor.

#![cfg(target_os = "linux")]

use crate::harness::{Ended, Folder, Started, is_alive, wait_until};

/// A pipeline of one step that says which process it is, runs on until it may go, and then says which
/// signals it ignores.
fn waiting() -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo\nenv_manager: local");
    folder.step(
        "a",
        "command: |\n  touch ../ticks\n  echo $PPID > ../supervisor\n  setsid sleep 1000 & echo $! > ../session\n  \
         echo $$ > ../tmp && mv ../tmp ../step\n  \
         until [ -e ../go ]; do echo tick >> ../ticks; sleep 0.01; done\n  \
         grep SigIgn /proc/self/status > ../ignored",
    );
    folder
}

fn is_waiting(folder: &Folder) {
    wait_until("the step has started", || folder.exists("step"));
}

fn pid(folder: &Folder, name: &str) -> String {
    folder.read(name).trim().to_owned()
}

fn kill(signal: &str, pid: &str) {
    let status = std::process::Command::new("kill")
        .args(["-s", signal, pid])
        .status();
    assert!(status.unwrap().success());
}

/// The state of a process, such as `T` for one that is stopped.
fn state(pid: &str) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(") ").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.chars().next()).unwrap_or('X')
}

/// Starts the orchestrator after some Python, in the place of that.
fn after(folder: &Folder, python: &str, arguments: &[&str]) -> Started {
    let script = format!(
        "import os, signal, sys\n{python}\nos.execvp('orchestrator', ['orchestrator'] + sys.argv[1:])"
    );
    let all = [&["-c", script.as_str()], arguments].concat();
    folder.program_in_path("python3", &all).start()
}

/// Starts the orchestrator as a shell with job control does; gives its pid, too.
fn as_a_job(folder: &Folder, arguments: &[&str]) -> (Started, String) {
    let script = "
import os, sys
pid = os.posix_spawnp('orchestrator', ['orchestrator'] + sys.argv[1:], os.environ, setpgroup=0)
open('tmp', 'w').write(str(pid))
os.rename('tmp', 'pid')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";
    let all = [&["-c", script], arguments].concat();
    let started = folder.program_in_path("python3", &all).start();
    is_waiting(folder);
    let pid = pid(folder, "pid");
    (started, pid)
}

#[track_caller]
fn has_ended(folder: &Folder, ended: &Ended) {
    for name in ["step", "session"] {
        assert!(!is_alive(&pid(folder, name)), "{name}: {}", ended.stderr());
    }
}

#[test]
fn a_signal_that_is_ignored_at_start_stays_ignored() {
    for (name, number) in [("HUP", 1), ("INT", 2), ("TERM", 15), ("TSTP", 20)] {
        let folder = waiting();
        let ignore = format!("signal.signal(signal.SIG{name}, signal.SIG_IGN)");
        // What the step leaves behind ignores it, too.
        let started = after(&folder, &ignore, &["--steps", "a", "--grace", "100ms"]);
        is_waiting(&folder);
        started.signal(name);
        kill(name, &pid(&folder, "supervisor"));
        started.signal(name);
        folder.file("go", "");
        started.end().succeeds("");
        let ignored = folder.read("ignored");
        let mask = ignored.trim().rsplit('\t').next().unwrap();
        let mask = u64::from_str_radix(mask, 16).unwrap();
        assert!(mask & (1 << (number - 1)) != 0, "{name}: {ignored}");
    }
}

#[test]
fn nohup_protects_a_run() {
    let folder = waiting();
    let started = folder
        .program_in_path("nohup", &["orchestrator", "--steps", "a"])
        .start();
    is_waiting(&folder);
    started.signal("HUP");
    folder.file("go", "");
    started.end().says("1 step finished").ends(0);
}

#[test]
fn the_other_signals_still_end_a_run_that_ignores_one() {
    let folder = waiting();
    let ignore = "signal.signal(signal.SIGHUP, signal.SIG_IGN)";
    let started = after(&folder, ignore, &["--steps", "a"]);
    is_waiting(&folder);
    started.signal("HUP");
    started.signal("TERM");
    let ended = started.end().says("stopped by SIGTERM");
    ended.ends(143);
    has_ended(&folder, &ended);
}

/// Everything that can be ignored, and blocked.
const DEAF: &str = "
all = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
for number in all: signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, all)";

#[test]
fn a_run_that_ignores_and_blocks_everything_works() {
    let folder = waiting();
    folder.file("go", "");
    let arguments = ["--steps", "a", "--grace", "100ms"];
    after(&folder, DEAF, &arguments).end().succeeds("");
}

#[test]
fn a_run_that_ignores_everything_ends_a_step_whose_time_is_over() {
    let folder = waiting();
    let arguments = ["--steps", "a", "--timeout", "1s", "--grace", "100ms"];
    let ended = after(&folder, DEAF, &arguments).end();
    let ended = ended.says("step `a` was stopped after its timeout of 1s");
    ended.ends(1);
    has_ended(&folder, &ended);
}

#[test]
fn the_step_ends_with_an_orchestrator_that_ignores_everything() {
    let folder = waiting();
    let started = after(&folder, DEAF, &["--steps", "a", "--grace", "100ms"]);
    is_waiting(&folder);
    started.signal("KILL");
    let ended = started.end();
    wait_until("the processes have ended", || {
        ["step", "session"]
            .iter()
            .all(|name| !is_alive(&pid(&folder, name)))
    });
    ended.dies_of(9);
}

#[test]
fn what_stops_the_orchestrator_stops_its_step_and_its_time() {
    for name in ["TSTP", "TTIN", "TTOU"] {
        let folder = waiting();
        let arguments = ["--steps", "a", "--timeout", "2s"];
        let (started, orchestrator) = as_a_job(&folder, &arguments);
        kill(name, &orchestrator);
        let processes = [
            orchestrator.clone(),
            pid(&folder, "step"),
            pid(&folder, "session"),
        ];
        wait_until("all stand still", || {
            processes.iter().all(|pid| state(pid) == 'T')
        });
        let ticks = folder.read("ticks");
        if name == "TSTP" {
            // Longer than the step may take: this is what is tested.
            std::thread::sleep(std::time::Duration::from_millis(2100));
        }
        assert_eq!(folder.read("ticks"), ticks);
        kill("CONT", &orchestrator);
        wait_until("the step goes on", || folder.read("ticks") != ticks);
        folder.file("go", "");
        started.end().succeeds("");
    }
}

#[test]
fn time_goes_on_after_a_stop() {
    let folder = waiting();
    let arguments = ["--steps", "a", "--timeout", "2s", "--grace", "100ms"];
    let (started, orchestrator) = as_a_job(&folder, &arguments);
    kill("TSTP", &orchestrator);
    wait_until("it stands still", || state(&orchestrator) == 'T');
    kill("CONT", &orchestrator);
    let ended = started.end().says("stopped after its timeout of 2s");
    ended.ends(1);
    has_ended(&folder, &ended);
}

#[test]
fn a_run_that_was_stopped_can_be_ended() {
    // What a shell starts in the background ignores SIGINT.
    for (name, code, grace) in [("TERM", 143, "1h"), ("INT", 130, "100ms")] {
        let folder = waiting();
        let (started, orchestrator) = as_a_job(&folder, &["--steps", "a", "--grace", grace]);
        kill("TSTP", &orchestrator);
        let step = pid(&folder, "step");
        wait_until("it stands still", || {
            [&orchestrator, &step].iter().all(|pid| state(pid) == 'T')
        });
        kill(name, &orchestrator);
        kill("CONT", &orchestrator);
        let ended = started.end();
        ended.ends(code);
        has_ended(&folder, &ended);
    }
    let folder = waiting();
    let (started, orchestrator) = as_a_job(&folder, &["--steps", "a", "--grace", "1h"]);
    kill("TSTP", &orchestrator);
    wait_until("it stands still", || state(&orchestrator) == 'T');
    kill("KILL", &orchestrator);
    let ended = started.end();
    wait_until("the step has ended", || !is_alive(&pid(&folder, "step")));
    drop(ended);
}

#[test]
fn a_signal_to_go_on_may_come_at_once() {
    let folder = waiting();
    let (started, orchestrator) = as_a_job(&folder, &["--steps", "a"]);
    for _ in 0..50 {
        kill("TSTP", &orchestrator);
        kill("CONT", &orchestrator);
    }
    folder.file("go", "");
    started.end().succeeds("");
}

#[test]
fn a_stop_reaches_a_pipeline_in_a_pipeline() {
    let folder = waiting();
    folder.file("outer/MLproject", "env_manager: local");
    folder.step(
        "outer/inner",
        "command: orchestrator -C ../.. --steps a --timeout 2s",
    );
    let (started, orchestrator) = as_a_job(&folder, &["-C", "outer", "--steps", "inner"]);
    let step = pid(&folder, "step");
    kill("TSTP", &orchestrator);
    wait_until("it stands still", || state(&step) == 'T');
    // Longer than the inner step may take.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    kill("CONT", &orchestrator);
    wait_until("it goes on", || state(&step) != 'T');
    folder.file("go", "");
    started.end().succeeds("");
}

#[test]
fn a_stop_without_a_shell_to_go_on_is_ignored() {
    let folder = waiting();
    let started = folder
        .program_in_path("setsid", &["-w", "orchestrator", "--steps", "a"])
        .start();
    is_waiting(&folder);
    let supervisor = std::fs::read_to_string(format!("/proc/{}/stat", pid(&folder, "supervisor")));
    let supervisor = supervisor.unwrap();
    let orchestrator = supervisor
        .rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .nth(1)
        .unwrap();
    kill("TSTP", orchestrator);
    folder.file("go", "");
    started.end().succeeds("");
}

#[test]
fn a_supervisor_that_was_stopped_can_be_told() {
    for signals in [["TERM"].as_slice(), &["TERM", "TERM"]] {
        let folder = waiting();
        let started = folder
            .orchestrator(&["--steps", "a", "--grace", "200ms"])
            .start();
        is_waiting(&folder);
        let supervisor = pid(&folder, "supervisor");
        kill("STOP", &supervisor);
        wait_until("it stands still", || state(&supervisor) == 'T');
        for signal in signals {
            started.signal(signal);
        }
        // The second may come when the step has ended already, and then ends us at once.
        let ended = started.end();
        ended.was_stopped_by(15);
        has_ended(&folder, &ended);
    }
}

#[test]
fn a_supervisor_that_is_killed_leaves_nothing() {
    for name in ["KILL", "ABRT"] {
        let folder = waiting();
        folder.file(
            "stubborn.sh",
            "trap '' TERM INT HUP\necho $$ > tmp && mv tmp stubborn\nwhile :; do sleep 1000; done",
        );
        folder.step(
            "a",
            "command: |\n  echo $PPID > ../supervisor\n  setsid sleep 1000 & echo $! > ../session\n  \
             (cd .. && setsid bash stubborn.sh & exit)\n  until [ -e ../stubborn ]; do sleep 0.01; done\n  \
             echo $$ > ../tmp && mv ../tmp ../step\n  sleep 1000",
        );
        folder.step("b", "command: touch ../b_ran");
        let started = folder
            .orchestrator(&["--steps", "a,b", "--grace", "100ms"])
            .start();
        is_waiting(&folder);
        kill(name, &pid(&folder, "supervisor"));
        let text =
            format!("error: the supervisor of step `a` was killed by SIG{name} after [TIME]\n");
        let ended = started.end().says(&text);
        ended.ends(1);
        has_ended(&folder, &ended);
        assert!(!is_alive(&pid(&folder, "stubborn")));
        assert!(!folder.exists("b_ran"));
        // Nobody has the folder locked any more.
        folder.orchestrator(&["--steps", "b"]).run().ends(0);
        let history = folder.orchestrator(&["--history"]).run();
        assert!(
            !history.stdout().contains("running"),
            "{}",
            history.stdout()
        );
    }
}

#[test]
fn a_step_that_kills_itself_is_not_taken_for_its_supervisor() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step("a", "command: kill -KILL $$");
    let ended = folder.orchestrator(&["--steps", "a"]).run();
    ended
        .says("error: step `a` was killed by SIGKILL after")
        .ends(1);
}

#[test]
fn a_service_manager_that_tells_every_process_leaves_the_grace_period() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step(
        "a",
        "command: |\n  trap 'sleep 0.2; echo cleaned > ../cleaned; exit 0' TERM\n  \
         echo $PPID > ../tmp && mv ../tmp ../supervisor\n  while :; do sleep 0.01; done",
    );
    let started = folder
        .orchestrator(&["--steps", "a", "--grace", "1h"])
        .start();
    wait_until("the step has started", || folder.exists("supervisor"));
    started.signal("TERM");
    kill("TERM", &pid(&folder, "supervisor"));
    started.end().ends(143);
    assert_eq!(folder.read("cleaned"), "cleaned\n");
}

#[test]
fn a_limit_of_file_sizes_is_told_and_still_kills_a_step() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step("a", "command: yes | head -c 100000");
    folder.step("b", "command: exec head -c 100000 /dev/zero > ../big");
    let script = "ulimit -f 40; orchestrator --no-tracking --steps a,b";
    let ended = folder.program_in_path("bash", &["-c", script]).run();
    let ended = ended
        .says("warning: the output is no longer kept: File too large")
        .says("[1/2] a: finished in")
        .says("step `b` was killed by SIGXFSZ after");
    ended.ends(1);
    assert_eq!(ended.stdout().len(), 100_000);
}

#[test]
fn a_step_has_no_descriptor_of_ours_but_the_lock() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step("a", "command: exec ls -l /proc/self/fd > ../fds");
    // Without what whoever has started the tests left open.
    let script = "for fd in {3..255}; do eval \"exec $fd>&-\"; done; exec orchestrator --steps a";
    folder
        .program_in_path("bash", &["-c", script])
        .run()
        .ends(0);
    let fds = folder.read("fds");
    let open: Vec<(&str, &str)> = fds
        .lines()
        .filter_map(|line| line.split_once(" -> "))
        .map(|(left, file)| (left.rsplit(' ').next().unwrap(), file))
        .collect();
    // The lock is on the pipeline's folder.
    let locked = folder.path().display().to_string();
    assert!(open.iter().any(|(_, file)| *file == locked), "{fds}");
    for (number, file) in open {
        // `ls` has the folder open that it looks at.
        let is_known = file == locked || file.ends_with("/fd");
        let is_given = ["0", "1", "2"].contains(&number);
        assert!(is_known || is_given, "{fds}");
    }
}
