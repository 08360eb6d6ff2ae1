//! Credentials in URLs reach the steps, and never what the orchestrator says.

use crate::harness::Folder;

const URL: &str = "https://user:hidden1@host/x.csv?a=1&token=hidden2";
const SHOWN: &str = "https://***@host/x.csv?a=1&token=***";

#[test]
fn a_step_gets_the_url_and_nobody_else_sees_it() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step("s", "parameters: {url: uri, n: {type: int, default: 1}}\ncommand: echo {url} > ../got; exit {n}");
    let run = |arguments: &[&str]| {
        let ended = folder
            .orchestrator(&[&["--steps", "s", "--url", URL], arguments].concat())
            .run();
        let said = ended.stdout() + &ended.stderr();
        assert!(!said.contains("hidden"), "{arguments:?}: {said}");
        ended
    };
    for form in ["text", "json"] {
        let plan = run(&["--dry-run", "--format", form]).stdout();
        assert_eq!(
            plan.matches(SHOWN).count(),
            2,
            "as a parameter and in the command: {plan}"
        );
    }
    run(&[])
        .says(&format!(
            "error: step `s` failed with exit code 1 after [TIME]\n  command: echo '{SHOWN}' > ../got"
        ))
        .ends(1);
    assert_eq!(folder.read("got"), format!("{URL}\n"));
    run(&["--n", URL])
        .says(&format!(
            "parameter `n` is of type int, but its value is `{SHOWN}`"
        ))
        .ends(1);
    let stray = folder.orchestrator(&[URL, "--no-tracking"]).run();
    stray.says(&format!("unknown step `{SHOWN}`")).ends(1);
}

#[test]
fn defaults_and_project_addresses_are_hidden_too() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        format!("env_manager: local\nsteps:\n  s:\n  far: {{project: 'git://u:hidden3@127.0.0.1:1/x', default: false}}\n\
                 entry_points: {{main: {{parameters: {{url: {{default: '{URL}'}}}}, command: x}}}}\n"),
    );
    folder.step(
        "s",
        &format!("parameters: {{url: {{default: '{URL}'}}}}\ncommand: echo {{url}}"),
    );
    for arguments in [
        &["--help"][..],
        &["--list"],
        &["--list", "--format", "json"],
        &["--dry-run"],
        &["--steps", "far"],
    ] {
        let ended = folder.orchestrator(arguments).run();
        let said = ended.stdout() + &ended.stderr();
        assert!(said.contains("***"), "{arguments:?}: {said}");
        assert!(!said.contains("hidden"), "{arguments:?}: {said}");
    }
}
