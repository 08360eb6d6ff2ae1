//! What will run: definition, order, parameters, `--dry-run` and `--list`.

use serde_json::json;

use crate::harness::Folder;

/// A pipeline with a definition: a step in `src`, one by path used twice, one entry point of its own.
fn defined() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo
env_manager: local
steps:
  get:
  train_small: {project: train, parameters: {epochs: 1, note: 'seed {seed}'}}
  train_large: {project: train, parameters: {epochs: 100}}
  report: {default: false}
entry_points:
  main:
    parameters:
      seed: {type: int, default: 7, description: Seed of every step}
    command: orchestrator
  report:
    command: echo report
",
    );
    folder.file(
        "src/get/MLproject",
        "entry_points: {main: {command: echo get}}",
    );
    folder.step("train", "parameters:\n  epochs: int\n  note: {default: ''}\n  seed: int\ncommand: train {epochs} {note} {seed}");
    folder
}

/// `name: command` of the planned steps.
fn commands(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let arguments = [&["--dry-run", "--format", "json"], arguments].concat();
    let ended = folder.orchestrator(&arguments).run();
    ended.ends(0);
    let plan = ended.json();
    let text = |step: &serde_json::Value, key: &str| step[key].as_str().unwrap().to_owned();
    let steps = plan["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| format!("{}: {}", text(step, "name"), text(step, "command")))
        .collect()
}

#[test]
fn the_definition_gives_steps_order_and_values() {
    let folder = defined();
    let all = [
        "get: echo get",
        "train_small: train 1 'seed 7' 7",
        "train_large: train 100 '' 7",
    ];
    assert_eq!(commands(&folder, &[]), all);
    assert_eq!(commands(&folder, &["--steps", "all"]), all);
    assert_eq!(
        commands(&folder, &["--steps", "report,train_large , get"]),
        [all[0], all[2], "report: echo report"]
    );
    let given = [
        "--steps",
        "train_small,train_large",
        "--seed",
        "8",
        "-P",
        "train_large.epochs=5",
        "-P",
        "train_large.x y=z",
    ];
    assert_eq!(
        commands(&folder, &given),
        [
            "train_small: train 1 'seed 8' 8",
            "train_large: train 5 '' 8 --'x y' z"
        ]
    );
}

#[test]
fn without_a_definition_the_command_line_gives_the_order() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "env_manager: local\nentry_points: {main: {command: x}, extra: {command: echo extra}}",
    );
    folder.step("a", "command: echo a");
    folder.file(
        "components/b/MLproject",
        "entry_points: {main: {command: echo b}, other: {command: echo other}}",
    );
    folder.step("deep/down", "command: echo down");
    let found = commands(&folder, &["--steps", "extra,deep/down,b,a"]);
    assert_eq!(
        found,
        [
            "extra: echo extra",
            "deep/down: echo down",
            "b: echo b",
            "a: echo a"
        ]
    );
    assert_eq!(
        commands(&folder, &["--steps", "b,extra", "-e", "other"]),
        ["b: echo other", "extra: echo extra"]
    );
}

#[test]
fn the_dry_run_prints_the_plan_and_runs_nothing() {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo\nenv_manager: local\n");
    folder.step("s", "parameters:\n  text: str\n  n: {type: int, default: 010}\ncommand: touch ../ran; echo {text} {n}");
    let arguments = [
        "--steps",
        "s",
        "--text",
        "it's",
        "-P",
        "s.more=1 2",
        "--dry-run",
    ];
    let json = folder
        .orchestrator(&[&arguments[..], &["--format", "json"]].concat())
        .run();
    json.ends(0);
    let root = folder.path().to_str().unwrap().to_owned();
    let step = json!({
        "name": "s", "project": format!("{root}/s"), "entry_point": "main", "cwd": format!("{root}/s"),
        "command": r#"touch ../ran; echo 'it'"'"'s' 8 --more '1 2'"#,
        "parameters": {"text": "it's", "n": "8", "more": "1 2"},
        "env": {}, "tracking": true, "environment": {"manager": "local", "file": null}, "needs": [],
    });
    assert_eq!(
        json.json(),
        json!({"pipeline": "demo", "root": root, "steps": [step]})
    );
    assert!(
        json.stdout()
            .starts_with(r#"{"pipeline":"demo","root":"[DIR]","steps":[{"name":"s","project":"#)
    );
    folder.orchestrator(&arguments).run().succeeds(
        "pipeline demo in [DIR]

1. s (main in [DIR]/s)
   text = it's
   n = 8
   more = 1 2
   environment: local
   command: touch ../ran; echo 'it'\"'\"'s' 8 --more '1 2'
",
    );
    assert!(!folder.exists("ran"));
}

#[test]
fn the_list_shows_steps_parameters_and_what_cannot_be_read() {
    let folder = defined();
    folder.file("broken/MLproject", "a: [");
    folder.orchestrator(&["--list"]).run().succeeds(
        "get
    entry point main, environment local
train_small: train
    entry point main, environment local
    --epochs (int, default: 1)
    --note (string, default: 'seed {seed}')
    --seed (int, default: 7)
train_large: train
    entry point main, environment local
    --epochs (int, default: 100)
    --note (string, default: '')
    --seed (int, default: 7)
report: demo (not part of `all`)
    entry point report, environment local
broken (not part of `all`)
    broken/MLproject:1:5: expected a value, found the end of the text
train: train (not part of `all`)
    entry point main, environment local
    --epochs (int, required)
    --note (string, default: '')
    --seed (int, default: 7)
",
    );
    let listed = folder
        .orchestrator(&["--list", "--format", "json"])
        .run()
        .json();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "get",
            "train_small",
            "train_large",
            "report",
            "broken",
            "train"
        ]
    );
}

#[test]
fn parameters_are_options_with_description_and_default() {
    let folder = defined();
    let help = folder.orchestrator(&["--help"]).run();
    help.ends(0);
    let help = help.stdout();
    let parameters = help.split("Parameters:\n").nth(1).unwrap();
    assert!(
        parameters.contains("--seed <VALUE>\n          Seed of every step [default: 7]\n"),
        "{help}"
    );
    assert!(parameters.contains("--epochs <VALUE>"), "{help}");
    Folder::new()
        .orchestrator(&["--version"])
        .run()
        .succeeds(concat!("orchestrator ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn scripts_are_entry_points_by_their_file_name() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local\nsteps:\n  s: {project: code, entry_point: 'my run.py', parameters: {a: 1}}");
    folder.file("code/my run.py", "");
    assert_eq!(
        commands(&folder, &["-P", "s.b=x y"]),
        ["s: python 'my run.py' --a 1 --b 'x y'"]
    );
}

#[test]
fn an_input_may_be_made_by_an_earlier_step() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step(
        "make",
        "parameters: {data: {default: ../out/data}}\noutputs: [data]\ncommand: make {data}",
    );
    folder.step(
        "use",
        "parameters: {data: {default: ../out/data}}\ninputs: [data]\ncommand: use {data}",
    );
    assert_eq!(
        commands(&folder, &["--steps", "make,use"]),
        ["make: make ../out/data", "use: use ../out/data"]
    );
    // Where nobody has listed them the files decide.
    assert_eq!(
        commands(&folder, &["--steps", "use,make"]),
        ["make: make ../out/data", "use: use ../out/data"]
    );
    folder
        .orchestrator(&["--steps", "use", "--dry-run"])
        .run()
        .fails(
            1,
            "error: 1 problem; nothing was run
  step `use`: input `data` does not exist: out/data (use/MLproject:4)
    hint: step `make` makes it and has to run before
",
        );
    folder.file("out/data", "");
    assert_eq!(
        commands(&folder, &["--steps", "use"]),
        ["use: use ../out/data"]
    );
}
