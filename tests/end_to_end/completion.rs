//! The shell asks at completion time, and no text of a project is a part of any script.

use crate::harness::{Folder, Run};
#[cfg(target_os = "linux")]
use crate::terminal::talk;

/// A pipeline whose names would run something if a shell read them.
fn hostile() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        r#"env_manager: local
entry_points:
  '$(touch${IFS}pwned)': {command: "true"}
  '`touch pwned`': {command: "true"}
  "x\"))\n;;\nesac\n;;\nesac\n}\ntouch pwned\n#": {command: "true"}
  'a b': {command: "true"}
  "esc\e[1m": {command: "true"}
  'plain_point': {parameters: {'$(touch pwned)': str, "q\e[1m": str, ok_name: str}, command: "true"}
"#,
    );
    folder.step("some_step", "parameters: {some_parameter: int}\ncommand: x");
    folder
}

fn bash<'a>(folder: &'a Folder, script: &str) -> Run<'a> {
    folder.program_in_path("bash", &["-c", script])
}

/// What bash offers when Tab is pressed behind the words, one a line.
fn completed(folder: &Folder, words: &str, count: usize) -> String {
    let script = format!(
        "source <(orchestrator --completions bash); COMP_WORDS=({words}); COMP_CWORD={count}; \
         _orchestrator; for word in \"${{COMPREPLY[@]}}\"; do echo \"$word\"; done"
    );
    let ended = bash(folder, &script).run();
    ended.ends(0);
    assert_eq!(ended.stderr(), "");
    assert!(!folder.exists("pwned"), "{words}");
    ended.stdout()
}

#[test]
fn options_and_names_of_the_pipeline_are_completed_in_bash() {
    let folder = hostile();
    assert_eq!(
        completed(&folder, "orchestrator --steps so", 2),
        "some_step\n"
    );
    assert_eq!(
        completed(&folder, "orchestrator --steps ''", 2),
        "some_step\nplain_point\nall\n"
    );
    assert_eq!(
        completed(&folder, "orchestrator --steps some_step,pl", 2),
        "some_step,plain_point\n"
    );
    // bash takes the sign apart.
    assert_eq!(
        completed(&folder, "orchestrator --steps = pl", 3),
        "plain_point\n"
    );
    assert_eq!(
        completed(&folder, "orchestrator --some", 1),
        "--some_parameter\n"
    );
    assert_eq!(completed(&folder, "orchestrator --ok", 1), "--ok_name\n");
    assert_eq!(
        completed(&folder, "orchestrator --format ''", 2),
        "text\njson\ndot\n"
    );
    assert_eq!(completed(&folder, "orchestrator -e pl", 2), "plain_point\n");
    assert_eq!(
        completed(&folder, "orchestrator --logs so", 2),
        "some_step\n"
    );
    // Files are the shell's business.
    assert_eq!(completed(&folder, "orchestrator -C ''", 2), "");
    let all = completed(&folder, "orchestrator --", 1);
    assert!(
        all.contains("--dry-run\n") && !all.contains(['$', '\x1b', '`', ' ']),
        "{all}"
    );
}

#[test]
fn the_folder_that_is_typed_counts() {
    let folder = hostile();
    std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
    let script = "source <(orchestrator --completions bash); cd elsewhere; \
                  COMP_WORDS=(orchestrator -C .. --steps so); COMP_CWORD=4; _orchestrator; echo \"${COMPREPLY[@]}\"";
    bash(&folder, script).run().succeeds("some_step\n");
}

#[test]
fn scripts_are_the_same_everywhere_and_change_nothing() {
    let (hostile, empty) = (hostile(), Folder::new());
    for shell in ["bash", "zsh", "fish"] {
        let script = hostile.orchestrator(&["--completions", shell]).run();
        script.ends(0);
        let elsewhere = empty.orchestrator(&["--completions", shell]).run();
        assert_eq!(script.stdout(), elsewhere.stdout());
        assert!(script.stdout().contains("command orchestrator --complete"));
        assert!(!script.stdout().contains("some_step"), "{shell}");
    }
    bash(&hostile, "source <(orchestrator --completions bash)")
        .run()
        .succeeds("");
    assert!(!hostile.exists("pwned"));
    empty
        .orchestrator(&["--completions", "tcsh"])
        .run()
        .says("invalid value 'tcsh' for '--completions <SHELL>'")
        .ends(2);
}

#[test]
fn without_a_pipeline_the_options_are_completed_all_the_same() {
    let folder = Folder::new();
    assert_eq!(completed(&folder, "orchestrator --dry", 1), "--dry-run\n");
    assert_eq!(completed(&folder, "orchestrator --steps ''", 2), "all\n");
}

/// A pipeline whose steps leave a line with what they were given.
#[cfg(target_os = "linux")]
fn lines() -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local\nsteps: [first, second]\n");
    for name in ["first", "second"] {
        folder.file(
            &format!("{name}/MLproject"),
            format!(
                "entry_points:
  main:
    parameters: {{rows: {{default: 1}}}}
    command: echo {name} {{rows}} | tee -a ../lines
  another:
    command: echo another {name} >> ../lines
"
            ),
        );
    }
    let new = ["first", "--experiment-name", "exploration"];
    folder.orchestrator(&new).run().ends(0);
    std::fs::remove_file(folder.path().join("lines")).unwrap();
    folder
}

/// Presses Tab in a shell on a terminal; what is completed is then run.
#[cfg(target_os = "linux")]
fn press_tab(shell: &str, set_up: &str) {
    let folder = lines();
    // The prompt is not yet one in what is typed.
    let set_up = format!("{set_up}\r");
    let typed = [
        "orchestrator fir\t\r",
        "orchestrator --steps first,se\t\r",
        "orchestrator first -P first.\t7\r",
        "orchestrator --until sec\t\r",
        "orchestrator --skip fi\t\r",
        "orchestrator second -e ano\t\r",
        "orchestrator second --experiment-name expl\t\r",
        "orchestrator --logs sec\t > log; echo logged >> lines\r",
        "exit\r",
    ];
    let mut pairs = vec![("% ", set_up.as_str())];
    pairs.extend(typed.iter().map(|typed| ("READY> ", *typed)));
    pairs.push(("", ""));
    let ended = talk(&folder, shell, &pairs);
    let expected = "first 1\nfirst 1\nsecond 1\nfirst 7\nfirst 1\nsecond 1\nsecond 1\nanother second\nsecond 1\nlogged\n";
    assert_eq!(folder.read("lines"), expected, "{}", ended.stdout());
    assert_eq!(folder.read("log"), "second 1\n");
    let runs = folder
        .orchestrator(&["--history", "--format", "json"])
        .run();
    assert_eq!(
        runs.json().as_array().unwrap().len(),
        8,
        "{}",
        runs.stdout()
    );
}

#[cfg(target_os = "linux")]
#[test]
fn tab_completes_in_bash() {
    let set_up = "source <(orchestrator --completions bash); PS1='READY''> '";
    press_tab("PS1='% ' exec bash --norc --noprofile -i", set_up);
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs zsh"]
fn tab_completes_in_zsh() {
    let set_up = "autoload -Uz compinit; compinit -u -D; source <(orchestrator --completions zsh); PS1='READY''> '";
    press_tab("PS1='%% ' exec zsh -f -i", set_up);
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs fish"]
fn tab_completes_in_fish() {
    let set_up =
        "orchestrator --completions fish | source; function fish_prompt; echo -n 'READY''> '; end";
    press_tab(
        "exec fish --no-config --init-command \"function fish_prompt; echo -n '% '; end\" -i",
        set_up,
    );
}
