//! MLproject files as people write them, and as they should not.

use crate::harness::Folder;

/// The text that a project with the given MLproject prints when it runs as the only step.
#[track_caller]
fn runs(mlproject: &str, stdout: &str) {
    let folder = Folder::new();
    folder
        .file("MLproject", "env_manager: local")
        .file("s/MLproject", mlproject);
    folder
        .orchestrator(&["--steps", "s"])
        .run()
        .succeeds(stdout);
}

#[track_caller]
fn refused(mlproject: impl AsRef<[u8]>, message: &str) {
    let folder = Folder::new();
    folder
        .file("MLproject", "env_manager: local")
        .file("s/MLproject", mlproject);
    let text = format!("error: 1 problem; nothing was run\n  step `s`: {message}\n");
    folder.orchestrator(&["--steps", "s"]).run().fails(1, &text);
}

#[test]
fn the_file_name_may_have_any_letter_case() {
    let folder = Folder::new();
    folder
        .file("mlproject", "env_manager: local")
        .file("s/MLPROJECT", "entry_points: {main: {command: echo hi}}");
    folder
        .orchestrator(&["--steps", "s"])
        .run()
        .succeeds("hi\n");
}

#[test]
fn what_is_left_empty_counts_as_empty() {
    runs(
        "entry_points:\n  other:\n  main:\n    parameters:\n    command: echo hi\n",
        "hi\n",
    );
    runs(
        "entry_points: {main: {parameters: {a: }, command: echo hi}}\nentry_points: {main: {command: echo last}}",
        "last\n",
    );
}

#[test]
fn unknown_keys_are_ignored_as_mlflow_does() {
    runs(
        "name: s\nwhatever: [1, {x: y}]\nentry_points: {main: {command: echo hi, retries: 3}}",
        "hi\n",
    );
}

#[test]
fn values_have_the_text_that_python_prints() {
    let values = "a: {default: yes}, b: {default: 010}, c: {default: 1.50}, d: {default: 'yes'}, e: {default: [1, x]}";
    runs(
        &format!(
            "entry_points: {{main: {{parameters: {{{values}}}, command: 'echo {{a}} {{b}} {{c}} {{d}} {{e}}'}}}}"
        ),
        "True 8 1.5 yes [1, 'x']\n",
    );
}

#[test]
fn files_of_the_wrong_shape() {
    refused(
        "",
        "s/MLproject: an MLproject should be a mapping with a key `entry_points`",
    );
    refused(
        "[a]",
        "s/MLproject: an MLproject should be a mapping with a key `entry_points`",
    );
    refused(
        "entry_points: [main]",
        "s/MLproject:1: `entry_points` should be a mapping of entry points",
    );
    refused(
        "entry_points:\n  main: echo",
        "s/MLproject:2: `entry_points.main` should be a mapping with a `command`",
    );
    refused(
        "entry_points:\n  main:\n    command: [a]",
        "s/MLproject:3: `entry_points.main.command` should be a text",
    );
    refused(
        "entry_points:\n  main:\n    parameters:\n      a: 5\n    command: x",
        "s/MLproject:4: `entry_points.main.parameters.a` should be a type, or a mapping with `type` and `default`",
    );
    refused(b"name: \xff\n", "s/MLproject:1: not valid UTF-8");
}

#[test]
fn the_definition_is_strict() {
    let folder = Folder::new();
    folder
        .file("MLproject", "steps:\n  a: {entrypoint: x}\n")
        .step("a", "command: x");
    folder.orchestrator(&[]).run().fails(
        1,
        "error: MLproject:2: `entrypoint` is not a key of `steps.a`
hint: did you mean `entry_point`? known are `project`, `version`, `entry_point`, `parameters`, `env`, `env_manager`, `backend`, `default`, `timeout`, `retries`, `retry_delay`, `allow_failure`, `needs`, `resources`, `cached`, `experiment`, `tracking`
",
    );
    folder.file("MLproject", "steps:\n  a: {default: 3}\n");
    folder.orchestrator(&[]).run().fails(
        1,
        "error: MLproject:2: `steps.a.default` should be true or false\n",
    );
    for (entry, complaint) in [
        (
            "{needs: b}",
            "`steps.a.needs` should be a list of step names",
        ),
        (
            "{resources: 3}",
            "`steps.a.resources` should be a mapping with `cpus`, `memory` and `gpus`",
        ),
        (
            "{resources: {cpus: -1}}",
            "`steps.a.resources.cpus` should be a number of processors",
        ),
        (
            "{resources: {cpus: many}}",
            "`steps.a.resources.cpus` should be a number of processors",
        ),
        (
            "{resources: {memory: 16}}",
            "`steps.a.resources.memory` should be a size with its unit, such as 16G",
        ),
        (
            "{resources: {memory: 99999999999T}}",
            "`steps.a.resources.memory` should be a size with its unit, such as 16G",
        ),
        (
            "{resources: {gpus: 0.5}}",
            "`steps.a.resources.gpus` should be a number of graphics processors",
        ),
        (
            "{resources: {cpu: 1}}",
            "`cpu` is not a key of `steps.a.resources`\nhint: did you mean `cpus`? known are `cpus`, `memory`, `gpus`",
        ),
        ("{cached: 3}", "`steps.a.cached` should be true or false"),
    ] {
        folder.file("MLproject", format!("steps:\n  a: {entry}\n"));
        folder
            .orchestrator(&[])
            .run()
            .fails(1, &format!("error: MLproject:2: {complaint}\n"));
    }
    for (steps, complaint) in [
        (
            "[a, a]",
            "`steps` should be a list in which each step stands once",
        ),
        (
            "[a, {b: }]",
            "`steps` should be a mapping of step names, or a list of them",
        ),
        (
            "a",
            "`steps` should be a mapping of step names, or a list of them",
        ),
    ] {
        folder.file("MLproject", format!("steps: {steps}\n"));
        folder
            .orchestrator(&[])
            .run()
            .fails(1, &format!("error: MLproject:1: {complaint}\n"));
    }
    folder.file("MLproject", "steps:\n  gone:\n");
    folder.orchestrator(&[]).run().fails(
        1,
        "error: 1 problem; nothing was run
  step `gone`: no MLproject file in `gone` (MLproject:2)
    hint: known are `a`
",
    );
}
