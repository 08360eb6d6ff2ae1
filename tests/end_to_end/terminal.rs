//! What is typed on a terminal reaches the step that runs, and the terminal is as before afterwards.

#![cfg(target_os = "linux")]

use crate::harness::{Ended, Folder, is_alive, wait_until};

/// Stands for a user: runs a command line in bash on a terminal, and types each answer when the text
/// before it has been seen. Prints all that was seen. A text that never comes ends it after a while.
const USER: &str = r"
import os, pty, select, sys, time
command, *talk = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    os.execvp('bash', ['bash', '-c', 'stty rows 30 cols 100; ' + command])
seen, mark, deadline = b'', 0, time.monotonic() + 25
def read():
    global seen
    if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
        sys.stdout.buffer.write(seen)
        sys.exit('waited in vain')
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        piece = b''
    seen += piece
    return piece
for awaited, typed in zip(talk[::2], talk[1::2]):
    while (found := seen.find(awaited.encode(), mark)) < 0:
        if not read():
            sys.exit('ended before ' + awaited)
    mark = found + len(awaited)
    os.write(terminal, typed.encode())
while read():
    pass
sys.stdout.buffer.write(seen)
sys.stdout.flush()
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
";

/// What a user sees who has a talk with a command line.
pub(crate) fn talk(folder: &Folder, command: &str, talk: &[(&str, &str)]) -> Ended {
    let pairs = talk.iter().flat_map(|(awaited, typed)| [*awaited, *typed]);
    let arguments: Vec<&str> = ["-c", USER, command].into_iter().chain(pairs).collect();
    folder.program_in_path("python3", &arguments).run()
}

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

/// Runs the step, and then compares the modes of the terminal with those before.
const RUN: &str = "stty -g > before; orchestrator --steps s; code=$?; stty -g > after; exit $code";

#[track_caller]
fn is_as_before(folder: &Folder) {
    assert_eq!(folder.read("after"), folder.read("before"));
}

#[test]
fn a_step_can_ask_at_its_terminal() {
    let folder = step(
        "echo 'who?' > /dev/tty\nread name < /dev/tty\necho \"hello $name\"\nread more\necho \"more: $more\"",
    );
    let ended = talk(
        &folder,
        RUN,
        &[("who?", "me\r"), ("hello me", "\u{4}"), ("more:", "")],
    );
    ended.ends(0);
    let seen = ended.stdout();
    assert!(
        seen.contains("who?\r\nme\r\nhello me\r\nmore: \r\n"),
        "{seen:?}"
    );
    assert_eq!(folder.log("s"), "who?\nme\nhello me\nmore: \n");
    is_as_before(&folder);
}

#[test]
fn a_password_is_not_shown() {
    let folder = step(
        "python3 -c \"import getpass; print('got', len(getpass.getpass('password: ')))\"\nread line\necho \"line: $line\"",
    );
    let ended = talk(
        &folder,
        RUN,
        &[("password: ", "secret\r"), ("got 6", "shown\r")],
    );
    ended.ends(0);
    let seen = ended.stdout();
    assert!(!seen.contains("secret"), "{seen:?}");
    assert!(seen.contains("shown\r\nline: shown"), "{seen:?}");
    assert!(!folder.log("s").contains("secret"));
    is_as_before(&folder);
}

#[test]
fn what_is_typed_ahead_is_not_lost_and_can_be_edited() {
    let folder =
        step("echo ready\nuntil [ -e ../go ]; do sleep 0.01; done\nread a; read b\necho \"$a $b\"");
    folder.file("go", "");
    let ended = talk(
        &folder,
        RUN,
        &[("ready", "fals\u{7f}\u{7f}\u{7f}\u{7f}first\rsecond\r")],
    );
    ended.ends(0);
    assert!(
        ended.stdout().contains("first second\r\n"),
        "{:?}",
        ended.stdout()
    );
    is_as_before(&folder);
}

#[test]
fn a_step_has_a_session_with_a_terminal_of_its_own() {
    let folder = step(
        "exec python3 -c 'import os\nfd = os.open(\"/dev/tty\", os.O_RDWR)\nprint(os.tcgetpgrp(fd) == os.getpgrp(), os.isatty(0), os.ttyname(fd))'",
    );
    let ended = talk(&folder, RUN, &[]);
    ended.ends(0);
    assert!(
        folder.log("s").starts_with("True True /dev/"),
        "{}",
        folder.log("s")
    );
}

#[test]
fn ctrl_c_stops_the_run() {
    let folder = step(
        "trap 'echo cleaned > ../cleaned; exit' INT\necho ready\nwhile :; do sleep 0.01; done",
    );
    let ended = talk(&folder, RUN, &[("ready", "\u{3}")]);
    ended.ends(130);
    assert!(
        ended
            .stdout()
            .contains("stopped by SIGINT while step `s` was running")
    );
    assert_eq!(folder.read("cleaned"), "cleaned\n");
    is_as_before(&folder);
}

#[test]
fn a_terminal_is_given_back_when_its_supervisor_or_orchestrator_is_killed() {
    let folder = step("echo $PPID > ../supervisor\necho ready\nread line");
    let kill = "stty -g > before
        (until grep -q . supervisor 2> /dev/null; do sleep 0.01; done
         until [ \"$(stty -g < /dev/tty)\" != \"$(cat before)\" ]; do sleep 0.01; done
         kill -KILL $(cat supervisor)) &
        orchestrator --steps s --grace 100ms; code=$?
        stty -g > after; exit $code";
    let ended = talk(&folder, kill, &[]);
    ended.ends(1);
    is_as_before(&folder);
    assert!(
        ended
            .stdout()
            .contains("the supervisor of step `s` was killed by SIGKILL")
    );
    let folder = step("echo $PPID > ../supervisor\necho $$ > ../step\necho ready\nread line");
    let kill = "stty -g > before
        (until grep -q . step 2> /dev/null; do sleep 0.01; done
         until [ \"$(stty -g < /dev/tty)\" != \"$(cat before)\" ]; do sleep 0.01; done
         kill -KILL $(ps -o ppid= -p $(cat supervisor))) &
        orchestrator --steps s --grace 100ms
        until [ \"$(stty -g)\" = \"$(cat before)\" ]; do sleep 0.01; done
        stty -g > after";
    talk(&folder, kill, &[]).ends(0);
    is_as_before(&folder);
    wait_until("the step has ended", || {
        !is_alive(folder.read("step").trim())
    });
}

#[test]
fn ctrl_z_stops_the_run_and_gives_the_terminal_to_the_shell() {
    let folder = step("echo ready\nread line\necho \"got $line\"");
    // With job control, as in a shell that somebody types in.
    let command = "set -m; stty -g > before; orchestrator --steps s; stty -g > stopped
        echo the shell; read answer; echo \"shell: $answer\"; fg > /dev/null; code=$?; stty -g > after; exit $code";
    let ended = talk(
        &folder,
        command,
        &[
            ("ready", "\u{1a}"),
            ("the shell", "for the shell\r"),
            ("shell: for the shell", "for the step\r"),
        ],
    );
    let seen = ended.stdout();
    assert!(seen.contains("shell: for the shell\r\n"), "{seen:?}");
    assert!(seen.contains("got for the step\r\n"), "{seen:?}");
    ended.ends(0);
    assert_eq!(folder.read("stopped"), folder.read("before"));
    is_as_before(&folder);
}

#[test]
fn a_job_in_the_background_takes_nothing_until_it_is_in_the_foreground() {
    let folder = step("echo ready\nread line\necho \"got $line\"");
    let command =
        "set -m; stty -g > before; orchestrator --steps s & read answer; echo \"shell: $answer\"
        fg %1 > /dev/null; code=$?; stty -g > after; exit $code";
    let ended = talk(
        &folder,
        command,
        &[
            ("ready", "for the shell\r"),
            ("shell: for the shell", "for the step\r"),
        ],
    );
    let seen = ended.stdout();
    assert!(seen.contains("got for the step\r\n"), "{seen:?}");
    ended.ends(0);
    is_as_before(&folder);
}

#[test]
fn a_new_size_reaches_a_step_that_prints_nothing() {
    let folder = step(
        "trap 'stty size > ../size' WINCH\necho ready\nuntil [ -s ../size ]; do sleep 0.01; done",
    );
    let command = "(until grep -q ready mlruns/0/*/artifacts/s.log; do sleep 0.01; done; stty rows 40 cols 50 < /dev/tty) 2> /dev/null & orchestrator --steps s";
    talk(&folder, command, &[]).ends(0);
    assert_eq!(folder.read("size"), "40 50\n");
}

#[test]
fn much_that_is_typed_arrives() {
    let folder = step("stty raw -echo\necho ready\nhead -c 300000 | md5sum > ../sum");
    let typed = "0123456789".repeat(10_000);
    let ended = talk(
        &folder,
        RUN,
        &[("ready", &typed), ("", &typed), ("", &typed)],
    );
    ended.ends(0);
    folder.file("all", typed.repeat(3));
    let sum = folder
        .program_in_path("bash", &["-c", "md5sum < all"])
        .run();
    assert_eq!(folder.read("sum"), sum.stdout());
    is_as_before(&folder);
}

#[test]
fn two_steps_and_an_inner_pipeline_are_typed_to_in_turn() {
    let folder = step("echo 'one?'\nread a\necho \"one: $a\"");
    folder.step("t", "command: |\n  orchestrator -C ../inner --steps u");
    folder.file("inner/MLproject", "env_manager: local");
    folder.step(
        "inner/u",
        "command: |\n  echo 'two?' > /dev/tty\n  read b < /dev/tty\n  echo \"two: $b\"",
    );
    let command = RUN.replace("--steps s", "--steps s,t");
    let ended = talk(&folder, &command, &[("one?", "1\r"), ("two?", "2\r")]);
    let seen = ended.stdout();
    assert!(
        seen.contains("one: 1\r\n") && seen.contains("two: 2\r\n"),
        "{seen:?}"
    );
    ended.ends(0);
    is_as_before(&folder);
}

#[test]
fn without_a_terminal_to_see_stdin_stays_as_it_is() {
    let folder = step("read line\necho \"got $line\"");
    let command = "stty -g > before; orchestrator --steps s > out 2> err; stty -g > after";
    let ended = talk(&folder, command, &[("", "typed\r")]);
    ended.ends(0);
    assert_eq!(folder.read("out"), "got typed\n");
    is_as_before(&folder);
    let folder = step("read line\necho \"got $line\"");
    let ended = talk(&folder, "echo piped | orchestrator --steps s", &[]);
    assert!(ended.stdout().contains("got piped\r\n"));
}
