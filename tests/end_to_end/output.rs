//! What a step prints: live on our own outputs, and kept in its log.

use crate::harness::{Folder, wait_until};

/// A pipeline of one step.
fn step(command: &str) -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo\nenv_manager: local");
    folder.step(
        "s",
        &format!("command: |\n  {}", command.replace('\n', "\n  ")),
    );
    folder
}

/// Runs the only step on a terminal of 30 rows and 100 columns, and gives what is then seen on it.
fn on_a_terminal(folder: &Folder, redirection: &str) -> String {
    // Python's `pty` stands for a user's terminal.
    let script = "
import fcntl, os, pty, struct, sys, termios
child, terminal = pty.fork()
if child == 0:
    os.execvp('bash', ['bash', '-c', 'stty rows 30 cols 100; ' + sys.argv[1]])
seen = b''
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    seen += piece
os.write(1, seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";
    let command = format!("orchestrator --steps s {redirection}");
    let ended = folder
        .program_in_path("python3", &["-c", script, &command])
        .run();
    ended.ends(0);
    ended.stdout()
}

#[test]
fn output_is_passed_on_and_kept_in_order() {
    let folder = step("for i in 1 2 3; do echo out $i; echo err $i >&2; done");
    // Where both go to one place, the order is exact.
    let script = "orchestrator --steps s > both 2>&1";
    let ended = folder.program_in_path("bash", &["-c", script]).run();
    ended.ends(0);
    let lines = "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n";
    assert_eq!(
        crate::harness::normal(&folder.read("both")),
        format!(
            "[1/1] s: running\n{lines}[1/1] s: finished in [TIME]\ndemo: 1 step finished in [TIME]\n"
        )
    );
    assert_eq!(folder.log("s"), lines);
}

#[test]
fn stdout_and_stderr_stay_apart() {
    let folder = step("echo out\necho err >&2");
    let ended = folder
        .orchestrator(&["--steps", "s"])
        .run()
        .succeeds("out\n");
    let said =
        "[1/1] s: running\nerr\n[1/1] s: finished in [TIME]\ndemo: 1 step finished in [TIME]\n";
    assert_eq!(ended.stderr(), said);
    let mut lines: Vec<String> = folder.log("s").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["err", "out"]);
}

#[test]
fn output_is_live() {
    let folder = step("echo first\nuntil [ -e ../seen ]; do sleep 0.01; done\necho second");
    let script = "orchestrator --steps s | { read line; echo \"$line\"; touch seen; cat; }";
    let ended = folder.program_in_path("bash", &["-c", script]).run();
    ended.succeeds("first\nsecond\n");
}

#[test]
fn the_log_can_be_read_while_the_step_runs() {
    let folder = step("echo first\nuntil [ -e ../go ]; do sleep 0.01; done");
    let started = folder.orchestrator(&["--steps", "s"]).start();
    wait_until("the line is in the log", || folder.logs("s") == ["first\n"]);
    folder.file("go", "");
    started.end().ends(0);
}

#[test]
fn a_step_sees_a_terminal_where_we_have_one() {
    let test = "for fd in 0 1 2; do [ -t $fd ] && t+=yes || t+=no; done; echo -n $t > ../terminals";
    let folder = step(test);
    for (redirection, expected) in [
        ("", "yesyesyes"),
        ("> out", "yesnoyes"),
        ("2> err", "yesyesno"),
        ("< /dev/null", "noyesyes"),
    ] {
        on_a_terminal(&folder, redirection);
        assert_eq!(folder.read("terminals"), expected, "{redirection}");
    }
    folder.orchestrator(&["--steps", "s"]).run().ends(0);
    assert_eq!(folder.read("terminals"), "nonono");
}

#[test]
fn a_progress_bar_is_shown_as_it_is_and_folded_in_the_log() {
    let folder = step("printf '\\033[32m10%%\\033[0m\\r50%%\\r100%%\\nsize '\nstty size <&1");
    let seen = on_a_terminal(&folder, "");
    assert!(
        seen.contains("\u{1b}[32m10%\u{1b}[0m\r50%\r100%\r\nsize 30 100\r\n"),
        "{seen:?}"
    );
    assert_eq!(folder.log("s"), "100%\nsize 30 100\n");
}

#[test]
fn a_terminal_that_is_resized_is_followed() {
    // Its stdin is the terminal itself, which an emulator resizes by this very call.
    let folder = step(
        "exec 3>&1\nstty size <&3\nstty rows 40 cols 50\necho resized\n\
         until [ \"$(stty size <&3)\" = '40 50' ]; do sleep 0.01; done\nstty size <&3",
    );
    on_a_terminal(&folder, "");
    assert_eq!(folder.log("s"), "30 100\nresized\n40 50\n");
}

#[test]
fn bytes_that_are_no_text_arrive_unchanged() {
    let folder = step("head -c 300000 /dev/urandom > ../sent\nprintf '\\0'\ncat ../sent");
    let script = "orchestrator --steps s > got";
    folder
        .program_in_path("bash", &["-c", script])
        .run()
        .ends(0);
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let sent = [b"\0".as_slice(), &read("sent")].concat();
    assert!(read("got") == sent);
    let script = "cmp got mlruns/0/*/artifacts/s.log";
    folder
        .program_in_path("bash", &["-c", script])
        .run()
        .ends(0);
}

#[test]
fn much_output_and_a_long_line_take_no_memory() {
    // Each for the orchestrator and its supervisor, in KiB.
    let folder = step("head -c 100000000 /dev/zero | tr '\\0' x\necho\nyes | head -c 100000000");
    let script = "ulimit -v 300000; orchestrator --steps s | wc -c";
    folder
        .program_in_path("bash", &["-c", script])
        .run()
        .succeeds("200000001\n");
    let script = "wc -c < mlruns/0/*/artifacts/s.log";
    folder
        .program_in_path("bash", &["-c", script])
        .run()
        .succeeds("200000001\n");
}

#[test]
fn a_step_may_close_its_outputs() {
    let folder = step("echo before\nexec >&- 2>&-\nsleep 0.05\ntouch ../ran");
    folder
        .orchestrator(&["--steps", "s"])
        .run()
        .succeeds("before\n");
    assert!(folder.exists("ran"));
    let folder = step("exec >&- 2>&-\nexit 7");
    let ended = folder.orchestrator(&["--steps", "s"]).run();
    ended
        .says("failed with exit code 7")
        .says("it printed nothing")
        .ends(1);
}

#[test]
fn where_our_output_is_closed_so_is_that_of_the_step() {
    // `yes` would go on for ever.
    let folder = step("yes\necho $? > ../status");
    let script = "orchestrator --steps s | head -n 1; exit ${PIPESTATUS[0]}";
    folder
        .program_in_path("bash", &["-c", script])
        .run()
        .succeeds("y\n");
    assert_eq!(folder.read("status"), "141\n");
}

#[test]
fn what_a_failed_step_said_last_is_told() {
    let folder = step("seq 30\nprintf 'at the \\033[1mend'\nexit 3");
    let ended = folder.orchestrator(&["--steps", "s"]).run();
    ended.ends(1);
    let last: Vec<String> = (12..=30).map(|line| format!("    {line}\n")).collect();
    let last = last.concat();
    let said = ended.stderr();
    let expected =
        format!("  log: mlruns/0/[RUN]/artifacts/s.log\n  last 20 lines:\n{last}    at the end\n");
    assert!(said.ends_with(&expected), "{said}");
}

#[test]
fn output_after_the_orchestrator_was_killed_is_kept() {
    let folder =
        step("trap 'echo cleaned up; exit' TERM\ntouch ../up\nwhile :; do sleep 0.01; done");
    let started = folder.orchestrator(&["--steps", "s"]).start();
    wait_until("the step has started", || folder.exists("up"));
    started.signal("KILL");
    wait_until("the last words are kept", || {
        folder.log("s").ends_with("cleaned up\n")
    });
    started.end().dies_of(9);
}

#[test]
fn a_reader_that_has_paused_does_not_hold_up_an_interruption() {
    let folder = step("touch ../up; yes");
    let (reader, writer) = std::io::pipe().unwrap();
    let run = folder.orchestrator(&["--steps", "s", "--grace", "100ms"]);
    let started = run.stdout(writer).start();
    wait_until("the step has started", || folder.exists("up"));
    started.signal("TERM");
    started.end().ends(143);
    drop(reader);
}

#[test]
fn a_log_that_cannot_be_made_is_an_error_before_the_step() {
    let folder = step("touch ../ran");
    folder.file("mlruns/0", "not a folder");
    let ended = folder.orchestrator(&["--steps", "s"]).run();
    ended.ends(1);
    // The report is written beside the steps, so its warning stands anywhere.
    let warning = "warning: the report mlruns/0/[RUN]/artifacts/report.html cannot be written: Not a directory (os error 20)\n";
    assert_eq!(ended.stderr().matches(warning).count(), 1);
    assert_eq!(
        ended.stderr().replace(warning, ""),
        "[1/1] s: running\nerror: cannot keep the output of the steps\n  caused by: Not a directory (os error 20)\n",
    );
    assert!(!folder.exists("ran"));
}
