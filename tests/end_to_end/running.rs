//! Steps in any language, their order, their values, and the ways in which they end.

use crate::harness::{self, Folder};

const LOCAL: &str = "name: demo\nenv_manager: local\n";

#[test]
fn steps_in_three_languages_run_in_order_and_no_value_is_interpreted() {
    let folder = Folder::new();
    folder.file("MLproject", LOCAL);
    folder.step(
        "py",
        "parameters: {text: str}\ncommand: python3 run.py {text}",
    );
    folder.file(
        "py/run.py",
        "import sys\nopen('../log', 'a').write('py ' + repr(sys.argv[1:]) + '\\n')\n",
    );
    folder.step(
        "sh",
        "parameters: {text: str}\ncommand: printf 'sh <%s>\\n' {text} >> ../log",
    );
    folder.step("cpp", "parameters: {text: str}\ncommand: c++ -o \"$TMP_OUT\" run.cpp && \"$TMP_OUT\" {text} >> ../log");
    folder.file(
        "cpp/run.cpp",
        "#include <cstdio>\nint main(int, char **v) { std::printf(\"cpp <%s>\\n\", v[1]); }\n",
    );
    let text = "two words 'q' \"d\" $(touch pwned) `touch pwned`; touch pwned\n$HOME \\ {text} * é";
    let program = folder.path().join("built");
    folder
        .orchestrator(&["--steps", "py,sh,cpp", "--text", text])
        .env("TMP_OUT", &program)
        .run()
        .succeeds("");
    let expected = format!("py [{}]\nsh <{text}>\ncpp <{text}>\n", python_repr(text));
    assert_eq!(folder.read("log"), expected);
    assert!(
        !folder.files().iter().any(|name| name.ends_with("pwned")),
        "{:?}",
        folder.files()
    );
}

/// How Python prints a string that holds both kinds of quotes.
fn python_repr(text: &str) -> String {
    format!(
        "'{}'",
        text.replace('\\', "\\\\")
            .replace('\'', "\\'")
            .replace('\n', "\\n")
    )
}

#[test]
fn a_step_runs_in_its_folder_with_our_environment_and_streams() {
    let folder = Folder::new();
    folder.file("MLproject", LOCAL);
    folder.step("s", "command: pwd; echo \"$GIVEN\"; cat; echo told >&2");
    folder.file("input", "from stdin\n");
    let stdin = std::fs::File::open(folder.path().join("input")).unwrap();
    folder
        .orchestrator(&["--steps", "s"])
        .env("GIVEN", "a  b")
        .stdin(stdin)
        .run()
        .succeeds("[DIR]/s\na  b\nfrom stdin\n")
        .says("[1/1] s: running\ntold\n[1/1] s: finished in ");
}

#[test]
fn bash_runs_a_command_as_under_mlflow_without_errexit_or_pipefail() {
    let folder = Folder::new();
    folder.file("MLproject", LOCAL);
    folder.step(
        "s",
        "command: |\n  false\n  false | true\n  [[ -n $BASH_VERSION ]] && echo \"${{#}}\"",
    );
    folder.orchestrator(&["--steps", "s"]).run().succeeds("0\n");
}

#[test]
fn a_failing_step_stops_the_pipeline() {
    let folder = Folder::new();
    folder.file("MLproject", LOCAL);
    folder.step("a", "command: echo a >> ../log");
    folder.step("b", "command: echo b >> ../log; echo 'no luck' >&2; exit 3");
    folder.step("c", "command: echo c >> ../log");
    let ended = folder.orchestrator(&["--steps", "a,b,c"]).run();
    ended.ends(1);
    let error = "error: step `b` failed with exit code 3 after [TIME]\n  command: echo b >> ../log; echo 'no luck' >&2; exit 3\n  \
                 log: mlruns/0/[RUN]/artifacts/b.log\n  last line:\n    no luck\n";
    assert!(
        ended
            .stderr()
            .ends_with(&format!("[2/3] b: running\nno luck\n{error}")),
        "{}",
        ended.stderr()
    );
    assert_eq!(folder.read("log"), "a\nb\n");
}

#[test]
fn a_killed_step_is_told_as_killed() {
    let folder = Folder::new();
    folder.file("MLproject", LOCAL);
    folder.step("s", "command: kill -9 $$");
    folder.orchestrator(&["--steps", "s"]).run().fails(
        1,
        "[1/1] s: running\nerror: step `s` was killed by SIGKILL after [TIME]\n  command: kill -9 $$\n  log: mlruns/0/[RUN]/artifacts/s.log\n  it printed nothing\n",
    );
}

#[test]
fn a_program_that_is_not_there_is_named_by_the_shell_and_explained() {
    let folder = Folder::new();
    folder.file("MLproject", LOCAL);
    folder.step("s", "command: no_such_program --x");
    let ended = folder.orchestrator(&["--steps", "s"]).run();
    ended.ends(1);
    ended.says("no_such_program: command not found\n").says(
        "error: step `s` failed with exit code 127 after [TIME]\n  command: no_such_program --x\n  \
         log: mlruns/0/[RUN]/artifacts/s.log\n  last line:\n    bash: line 1: no_such_program: command not found\nhint: 127 is",
    );
}

#[test]
fn a_shell_that_cannot_start_is_an_error_of_its_own() {
    let folder = Folder::new();
    folder.file("MLproject", LOCAL);
    folder.step("s", "command: echo hi");
    let orchestrator = harness::orchestrator();
    let orchestrator = orchestrator.to_str().unwrap();
    folder.program_in_path(orchestrator, &["--steps", "s"]).env("PATH", "/nonexistent").run().fails(
        1,
        "[1/1] s: running\nerror: step `s` could not be started\n  command: echo hi\n  folder: [DIR]/s\n  \
         caused by: there is no `bash` on PATH\n",
    );
}

#[test]
fn what_cargo_run_says_of_the_orchestrator_does_not_reach_the_steps() {
    let folder = Folder::new();
    folder.file("MLproject", LOCAL);
    folder.step(
        "s",
        "command: echo \"${{CARGO_PKG_NAME-unset}} ${{CARGO_MANIFEST_DIR-unset}}\"",
    );
    let run = |package| {
        let run = folder
            .orchestrator(&["--steps", "s"])
            .env("CARGO_PKG_NAME", package);
        run.env("CARGO_MANIFEST_DIR", "/x").run()
    };
    run("orchestrator").succeeds("unset unset\n");
    run("of_the_caller").succeeds("of_the_caller /x\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_survives_that_its_program_is_removed() {
    let folder = Folder::new();
    folder.file("MLproject", LOCAL);
    let orchestrator = harness::orchestrator();
    // By a process of its own: a file that this one has open for writing, even in a fork of another
    // test, cannot be executed.
    folder
        .program_in_path("cp", &[orchestrator.to_str().unwrap(), "copy"])
        .run()
        .ends(0);
    folder.step("a", "command: rm ../copy");
    folder.step("b", "command: echo b");
    folder
        .program_in_path("./copy", &["--steps", "a,b"])
        .run()
        .succeeds("b\n");
}

/// Who reads it would fail late.
#[test]
fn a_step_that_does_not_make_its_output_has_failed() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: p\nenv_manager: local\nsteps: {a: {retries: 1, retry_delay: 1ms}, b: }\n",
    );
    let step = |command: &str| {
        folder.step(
            "a",
            &format!(
                "parameters: {{out: {{default: ../made}}}}\noutputs: [out]\ncommand: {command}"
            ),
        );
    };
    folder.step("b", "command: touch ../b_ran");
    step("echo here I am >> ../tries");
    let ended = folder.orchestrator(&[]).run();
    ended
        .says("[1/2] a: step `a` succeeded, but its output `out` does not exist:")
        .says("error: step `a` succeeded, but its output `out` does not exist: made\n")
        .says("hint: let the step write it, or take `out` out of `outputs:`\n")
        .ends(1);
    assert_eq!(folder.read("tries"), "here I am\nhere I am\n");
    assert!(!folder.exists("b_ran"));
    let history = folder
        .orchestrator(&["--history", "--format", "json"])
        .run();
    history.ends(0);
    assert_eq!(
        history.stdout().matches("\"status\":\"FAILED\"").count(),
        3,
        "{}",
        history.stdout()
    );

    // A folder is an output, too, and so is an empty file.
    for command in ["mkdir {out}", "rmdir {out} && touch {out}"] {
        step(command);
        folder.orchestrator(&["--steps", "a"]).run().ends(0);
    }
}
