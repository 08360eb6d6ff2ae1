//! The values that a definition gives its steps: from a config, as files, as variables, from earlier runs.

use crate::harness::{Ended, Folder};
use crate::tracking::runs;

/// A pipeline of one step `s`, which prints its parameters; `root` is the definition without its name.
fn pipeline(root: &str, parameters: &str, command: &str) -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        format!("name: demo\nenv_manager: local\n{root}"),
    );
    folder.step(
        "s",
        &format!("parameters: {parameters}\ncommand: {command}"),
    );
    folder
}

#[test]
fn a_step_gets_values_of_the_config() {
    let folder = pipeline(
        "config: [conf/base.yaml, {model: conf/forest.yaml}, more.yaml]
steps:
  s:
    parameters:
      kind: \"{config[model][kind]}-{config[data][lags][1]}\"
      rate: \"{config[model][rate]}\"
      file: \"{config[data][file]}\"
      own: \"{config}/{steps}\"
      extra: '{root}'
entry_points:
  main:
    parameters: {config: {type: str, default: c}, steps: {type: str, default: s}}
",
        "{kind: str, rate: float, file: str, own: str}",
        "echo {kind} {rate} {file} {own}",
    );
    folder.file(
        "conf/base.yaml",
        "data: {file: '${top}/raw.csv', lags: [1, 7]}\ntop: data\n",
    );
    folder.file("conf/forest.yaml", "kind: forest\nrate: 0.1\n");
    folder.file("more.yaml", "top: more\n");
    let run = |arguments: &[&str]| folder.orchestrator(arguments).run();
    // Text that is no file of the step's declaration stays as it is written.
    run(&[]).succeeds("forest-7 0.1 more/raw.csv c/s --extra [DIR]\n");
    run(&[
        "-P",
        "config.model.rate=1e-3",
        "-P",
        "config.top=x",
        "-P",
        "config=d",
    ])
    .succeeds("forest-7 0.001 x/raw.csv d/s --extra [DIR]\n");
}

#[test]
fn what_the_config_does_not_have_is_told_before_anything_runs() {
    let folder = pipeline(
        "config: config.yaml
steps:
  s:
    parameters:
      a: \"{config[model][dept]}\"
      b: \"{config[home]}\"
      c: {json: \"config[need]\"}
",
        "{a: str, b: str, c: path}",
        "touch ../ran",
    );
    folder.file(
        "config.yaml",
        "model: {depth: 1}\nhome: ${oc.env:HOME}\nneed: ???\n",
    );
    let ended = folder.orchestrator(&[]).run();
    ended.fails(
        1,
        "error: 3 problems; nothing was run
  step `s`: the value of parameter `a` cannot be filled in: `config[model][dept]` is not in config.yaml (MLproject:7)
    hint: did you mean `depth`? known are `depth`
  step `s`: the value of parameter `b` cannot be filled in: `${oc.env:HOME}` of `config[home]` asks for something outside of the config (MLproject:8)
    hint: give the value with `-P config.home=VALUE`; only `${a.b}`, a value of the config, is known
  step `s`: the value of parameter `c` cannot be filled in: `config[need]` is `???`: its value has to be given (MLproject:9)
    hint: give it with `-P config.need=VALUE`
",
    );
    assert!(!folder.exists("ran"));
    let given = ["config.model.dept=1", "config.home=/h", "config.need={}"];
    let given: Vec<&str> = given.iter().flat_map(|it| ["-P", *it]).collect();
    let ended = folder.orchestrator(&given).run();
    ended.fails(
        1,
        "error: 1 problem; nothing was run
  `-P config.model.dept`: `config[model][dept]` is not in config.yaml
    hint: did you mean `depth`? known are `depth`
",
    );
    folder.file("config.yaml", "model: [\n");
    let ended = folder.orchestrator(&["--check"]).run();
    ended.fails(
        1,
        "error: 1 problem; nothing was run
  config.yaml:2:1: expected a value, found the end of the text (MLproject:3)
",
    );
}

#[test]
fn a_part_of_the_config_is_a_file_that_counts_by_its_content() {
    let folder = pipeline(
        "config: config.yaml
cached: true
steps:
  s:
    parameters:
      forest: {json: \"config[forest]\"}
      columns: {yaml: \"config[columns]\"}
",
        "{forest: path, columns: str, out: {default: ../out}}\n  inputs: []\n  outputs: [out]"
            .replace("\n  ", "\n")
            .as_str(),
        "cat {forest} {columns} > {out}",
    );
    folder.file(
        "config.yaml",
        "forest: {depth: 3, rate: 1.0e-5}\ncolumns: [é, 1.0e-5]\nother: 1\n",
    );
    folder.orchestrator(&[]).run().ends(0);
    assert_eq!(
        folder.read("out"),
        "{\"depth\": 3, \"rate\": 1e-05}[\"\\u00e9\", 1.0e-05]"
    );
    let found = runs(&folder.path().join("mlflow.db"));
    let step = found.iter().find(|run| run.name == "s").unwrap();
    let artifacts = format!("mlruns/0/{}/artifacts", step.id);
    assert_eq!(
        folder.read(&format!("{artifacts}/forest.json")),
        "{\"depth\": 3, \"rate\": 1e-05}"
    );
    assert!(folder.exists(&format!("{artifacts}/columns.yaml")));
    assert!(
        step.parameters["forest"]
            .starts_with(&format!("{}/mlruns/.values/", folder.path().display()))
    );
    // What is not used does not count.
    folder.file(
        "config.yaml",
        "forest: {depth: 3, rate: 1.0e-5}\ncolumns: [é, 1.0e-5]\nother: 2\n",
    );
    let ended = folder.orchestrator(&[]).run();
    assert!(
        ended.stderr().contains("s: up to date"),
        "{}",
        ended.stderr()
    );
    let ended = folder.orchestrator(&["-P", "config.forest.depth=4"]).run();
    assert!(
        ended.stderr().contains(
            "s: running: parameter `forest` is `{\"depth\": 4, \"rate\": 1e-05}` (was `{\"depth\": 3, \"rate\": 1e-05}`)"
        ),
        "{}",
        ended.stderr()
    );
}

#[test]
fn what_lies_in_the_place_of_a_value_is_not_believed() {
    let folder = pipeline(
        "config: config.yaml\nsteps: {s: {parameters: {a: {json: \"config[a]\"}}}}\n",
        "{a: path}",
        "cat {a}",
    );
    folder.file("config.yaml", "a: {b: 1}\n");
    folder.file("victim", "kept");
    folder.orchestrator(&[]).run().succeeds("{\"b\": 1}");
    let values = folder.path().join("mlruns/.values");
    let value = std::fs::read_dir(&values)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::remove_file(&value).unwrap();
    std::os::unix::fs::symlink(folder.path().join("victim"), &value).unwrap();
    folder.orchestrator(&[]).run().succeeds("{\"b\": 1}");
    assert_eq!(folder.read("victim"), "kept");
    // Looking makes nothing.
    std::fs::remove_dir_all(&values).unwrap();
    folder.orchestrator(&["--dry-run"]).run().ends(0);
    assert!(!values.exists());
}

#[test]
fn variables_of_a_step_are_stronger_than_those_of_all_and_of_the_caller() {
    let folder = pipeline(
        "config: config.yaml
env: {GROUP: \"{config[group]}\", MODE: offline, CALLER: ours}
steps: {s: {env: {MODE: online, DEBUG: 1}}}
",
        "{}",
        "echo $GROUP $MODE $DEBUG $CALLER $LEFT",
    );
    folder.file("config.yaml", "group: g 1\n");
    let run = folder
        .orchestrator(&[])
        .env("CALLER", "its")
        .env("LEFT", "left");
    run.run().succeeds("g 1 online 1 ours left\n");
    let plan = folder.orchestrator(&["--dry-run", "--format=json"]).run();
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout()).unwrap();
    assert_eq!(
        plan["steps"][0]["env"],
        serde_json::json!({"GROUP": "g 1", "CALLER": "ours", "MODE": "online", "DEBUG": "1"})
    );
}

#[test]
fn variables_count_for_what_is_up_to_date_and_secrets_are_not_shown() {
    let folder = pipeline(
        "env: {API_TOKEN: hunter2, MODE: \"{mode}\"}\ncached: true\nsteps: [s]
entry_points: {main: {parameters: {mode: {type: str, default: a}}}}\n",
        "{out: {default: ../out}}\noutputs: [out]",
        "echo $API_TOKEN $MODE > {out}",
    );
    folder.orchestrator(&[]).run().ends(0);
    assert_eq!(folder.read("out"), "hunter2 a\n");
    let ended = folder.orchestrator(&[]).run();
    assert!(
        ended.stderr().contains("s: up to date"),
        "{}",
        ended.stderr()
    );
    let ended = folder.orchestrator(&["--mode", "b"]).run();
    let expected = "s: running: variable `MODE` is `b` (was `a`)";
    assert!(ended.stderr().contains(expected), "{}", ended.stderr());
    let plan = folder.orchestrator(&["--dry-run"]).run();
    assert!(
        plan.stdout()
            .contains("   env API_TOKEN=***\n   env MODE=a\n"),
        "{}",
        plan.stdout()
    );
}

#[test]
fn what_the_orchestrator_sets_cannot_be_set() {
    let folder = pipeline(
        "env:\n  MLFLOW_RUN_ID: x\nsteps: [s]\n",
        "{}",
        "touch ../ran",
    );
    let ended = folder.orchestrator(&[]).run();
    ended.fails(
        1,
        "error: MLproject:4: `env` cannot set `MLFLOW_RUN_ID`, which the orchestrator sets itself: give `--tracking-uri` or `--experiment-name`, or `experiment:` of a step\n",
    );
    assert!(!folder.exists("ran"));
}

/// A step `make`, and `read`, which takes the id of its run and prints its log.
fn reading(root: &str) -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        format!(
            "name: demo
env_manager: local
{root}steps:
  make:
  read:
    parameters:
      id: \"{{steps[make][run_id]}}\"
      data: \"{{steps[make][artifact_uri]}}/make.log\"
    env: {{OF: \"run {{steps[make][run_id]:.4}}\"}}
"
        ),
    );
    folder.step(
        "make",
        "parameters: {rows: {default: 1}, out: {default: ../out}}\ninputs: []\noutputs: [out]\ncommand: echo made {rows} | tee {out}",
    );
    folder.step(
        "read",
        "parameters: {id: str, data: path, seen: {default: ../seen}}\ninputs: []\noutputs: [seen]\ncommand: echo {id} $OF $(cat {data}) > {seen}",
    );
    folder
}

/// The id of the newest run of a step.
fn newest(folder: &Folder, step: &str) -> String {
    let found = runs(&folder.path().join("mlflow.db"));
    let run = found.iter().rfind(|run| run.name == step).unwrap();
    run.id.clone()
}

#[track_caller]
fn says(ended: &Ended, text: &str) {
    assert!(ended.stderr().contains(text), "{}", ended.stderr());
}

#[test]
fn a_step_takes_values_of_the_run_of_an_earlier_one() {
    let folder = reading("");
    folder.orchestrator(&["-j", "2"]).run().ends(0);
    let id = newest(&folder, "make");
    assert_eq!(
        folder.read("seen"),
        format!("{id} run {} made 1\n", &id[..4])
    );
    let found = runs(&folder.path().join("mlflow.db"));
    let reader = found.iter().find(|run| run.name == "read").unwrap();
    assert_eq!(reader.parameters["id"], id);
    let plan = folder.orchestrator(&["--dry-run"]).run();
    let plan = plan.stdout();
    for line in [
        "   id = {steps[make][run_id]} (when the step starts)\n",
        "   env OF=run {steps[make][run_id]:.4} (when the step starts)\n",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
    // Alone it reads what the last good run has left; one that has failed is none.
    std::fs::remove_file(folder.path().join("seen")).unwrap();
    let failing = ["--steps", "make", "-P", "make.out=/dev/null/x"];
    folder.orchestrator(&failing).run().ends(1);
    assert_ne!(newest(&folder, "make"), id);
    folder.orchestrator(&["--steps", "read"]).run().ends(0);
    assert_eq!(
        folder.read("seen"),
        format!("{id} run {} made 1\n", &id[..4])
    );
    // Also without our own record of it.
    std::fs::remove_dir_all(folder.path().join("mlruns/.cached")).unwrap();
    folder.orchestrator(&["--steps", "read"]).run().ends(0);
    let json = folder.orchestrator(&["--dry-run", "--format=json"]).run();
    let json: serde_json::Value = serde_json::from_str(&json.stdout()).unwrap();
    assert_eq!(
        json["steps"][1]["deferred"],
        serde_json::json!(["id", "data", "OF"])
    );
    assert_eq!(json["steps"][1]["needs"], serde_json::json!(["make"]));
}

#[test]
fn a_new_run_makes_those_stale_that_take_values_of_it() {
    let folder = reading("cached: true\n");
    folder.orchestrator(&[]).run().ends(0);
    let first = newest(&folder, "make");
    let ended = folder.orchestrator(&[]).run();
    says(&ended, "demo: all 2 steps are up to date");
    let plan = folder.orchestrator(&["--dry-run"]).run().stdout();
    assert_eq!(plan.matches("   up to date, made").count(), 2, "{plan}");
    let plan = folder
        .orchestrator(&["--dry-run", "--rows=2"])
        .run()
        .stdout();
    assert!(plan.contains("   depends on what `make` makes\n"), "{plan}");
    // The files are the same, the run is another one.
    let ended = folder.orchestrator(&["--force=make"]).run();
    let second = newest(&folder, "make");
    assert_ne!(first, second);
    says(
        &ended,
        "read: running: parameter `data` is `runs:/[RUN]/make.log` (was `runs:/[RUN]/make.log`)",
    );
    assert!(folder.read("seen").starts_with(&second));
    // One that is up to date has its values, too.
    let ended = folder.orchestrator(&["--force=read"]).run();
    says(&ended, "make: up to date");
    assert!(folder.read("seen").starts_with(&second));
}

#[test]
fn without_a_run_to_take_values_of_nothing_runs() {
    let folder = reading("");
    let ended = folder.orchestrator(&["--steps", "read"]).run();
    ended.fails(
        1,
        "error: step `read` takes values of the run of step `make`, and no run of that which ended well is known
hint: `--until read` runs what it needs as well, `--from make` all from there on
",
    );
    assert!(!folder.exists("seen"));
    let ended = folder.orchestrator(&["--no-tracking"]).run();
    ended.fails(
        1,
        "error: 1 problem; nothing was run
  step `read`: it takes values of the run of step `make`, which has none (read/MLproject:3)
    hint: run without `--no-tracking`, and without `tracking: false` for that step
",
    );
    assert!(!folder.exists("out"));
}

#[test]
fn what_is_no_value_of_an_earlier_run_is_told() {
    for (value, expected) in [
        (
            "{steps[make][id]}",
            "  step `read`: the value of parameter `x` cannot be filled in: `{steps[make][id]}` is nothing of a run (MLproject:6)
    hint: write `{steps[STEP][run_id]}` or `{steps[STEP][artifact_uri]}`
",
        ),
        (
            "{steps[mak][run_id]}",
            "  step `read`: `{steps[…]}` names `mak`, which is no step of this pipeline (MLproject:4)
    hint: did you mean `make`? known are `read`, `make`
",
        ),
        (
            "{steps[make][run_id]}",
            "  step `read`: `{steps[…]}` names `make`, which stands later in `steps:` (MLproject:4)
    hint: list `make` before it
",
        ),
        (
            "{steps[read][run_id]}",
            "  step `read`: `{steps[…]}` names the step itself (MLproject:4)
    hint: a step waits for others; take its own name out
",
        ),
    ] {
        let folder = Folder::new();
        let root = format!(
            "name: demo\nenv_manager: local\nsteps:\n  read:\n    parameters:\n      x: \"{value}\"\n  make:\n"
        );
        folder.file("MLproject", root);
        folder.step("read", "parameters: {x: str}\ncommand: touch ../ran");
        folder.step("make", "command: touch ../ran");
        let told = format!("error: 1 problem; nothing was run\n{expected}");
        folder.orchestrator(&[]).run().fails(1, &told);
        assert!(!folder.exists("ran"));
    }
}

#[test]
fn a_step_without_the_entry_point_that_was_asked_for_runs_its_main() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: [fast, slow]\n",
    );
    folder.step("slow", "command: echo slow main");
    folder.file(
        "fast/MLproject",
        "entry_points: {main: {command: echo fast main}, quick: {command: echo quick}}\n",
    );
    let ended = folder.orchestrator(&["-e", "quick"]).run();
    let ended = ended.succeeds("quick\nslow main\n");
    says(
        &ended,
        "warning: step `slow` has no entry point `quick`: its `main` is taken\n",
    );
    let listed = folder.orchestrator(&["-e", "quick", "--list"]).run();
    assert!(
        listed.stdout().contains("slow: slow\n    entry point main"),
        "{}",
        listed.stdout()
    );
    // What no step has is a mistake.
    let ended = folder.orchestrator(&["-e", "quik"]).run();
    ended.ends(1);
    says(&ended, "2 problems; nothing was run");
    says(&ended, "no entry point `quik` in fast");
}

#[test]
fn a_parameter_that_nobody_takes_is_told() {
    let folder = pipeline(
        "steps: {s: {parameters: {x: \"{used}\"}}}
entry_points:
  main:
    parameters: {hydra_options: {default: ''}, used: {default: a}}
    command: orchestrator --hydra_options={hydra_options} --used={used}
",
        "{x: str}",
        "echo {x}",
    );
    let told = "warning: parameter `hydra_options` was given, but no step takes it\n";
    let ended = folder.orchestrator(&["--hydra_options", "a=1"]).run();
    says(&ended.succeeds("a\n"), told);
    // As the pipeline's own `main` hands everything on.
    let ended = folder.orchestrator(&["--hydra_options=", "--used=b"]).run();
    let ended = ended.succeeds("b\n");
    assert!(!ended.stderr().contains("warning"), "{}", ended.stderr());
}

#[test]
fn a_default_that_its_type_refuses_is_told_and_a_given_value_is_an_error() {
    let folder = pipeline(
        "steps: [s]\n",
        "{depth: {type: int, default: None}, rate: {type: int, default: 5.0}}",
        "echo {depth} {rate}",
    );
    let ended = folder.orchestrator(&[]).run().succeeds("None 5.0\n");
    says(
        &ended,
        "warning: s/MLproject:4: parameter `depth` is of type int, but its default is `None`; write `type: str` if that is meant\n",
    );
    says(
        &ended,
        "parameter `rate` is of type int, but its default is `5.0`",
    );
    let ended = folder.orchestrator(&["--depth", "None", "--rate=1"]).run();
    ended.ends(1);
    says(
        &ended,
        "parameter `depth` is of type int, but its value is `None`",
    );
}

#[test]
fn a_path_of_the_pipeline_reaches_the_steps_absolute() {
    let folder = pipeline(
        "steps: {s: {parameters: {x: \"{data}/a.csv\"}}}
entry_points: {main: {parameters: {data: {type: path, default: data}, note: {default: a/b}}}}\n",
        "{x: str, data: str, note: str}",
        "echo {x} {data} {note}",
    );
    folder.file("other/a.csv", "");
    folder
        .orchestrator(&[])
        .run()
        .succeeds("[DIR]/data/a.csv [DIR]/data a/b\n");
    let ended = folder
        .orchestrator(&["-C", "..", "--data", "data"])
        .inside("other");
    ended
        .run()
        .succeeds("[DIR]/other/data/a.csv [DIR]/other/data a/b\n");
}

/// A step `a` in the pipeline's experiment, and one `b` in another.
fn experiments() -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo
env_manager: local
steps:
  b: {experiment: training}
  a: {parameters: {of: '{steps[b][run_id]}'}}
",
    );
    folder.step(
        "a",
        "parameters: {of: str}\ncommand: echo {of} $MLFLOW_EXPERIMENT_ID",
    );
    folder.step("b", "command: echo $MLFLOW_RUN_ID $MLFLOW_EXPERIMENT_ID");
    folder
}

#[test]
fn a_step_can_have_an_experiment_of_its_own() {
    let folder = experiments();
    let ended = folder.orchestrator(&[]).run();
    ended.ends(0);
    says(&ended, "experiment `training` did not exist and was made\n");
    let found = runs(&folder.path().join("mlflow.db"));
    let [pipeline, b, a] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!([pipeline.experiment, b.experiment, a.experiment], [0, 1, 0]);
    assert_eq!(b.tag("mlflow.parentRunId"), Some(pipeline.id.as_str()));
    assert_eq!(pipeline.tag("pipeline.step.b"), Some(b.id.as_str()));
    assert_eq!(pipeline.tag("pipeline.step.a"), None);
    assert_eq!(ended.stdout(), format!("{} 1\n{} 0\n", b.id, b.id));
    assert!(b.artifacts.contains("/mlruns/1/"), "{}", b.artifacts);
    let logs = folder.orchestrator(&["--logs", "b"]).run();
    logs.succeeds(&format!("{} 1\n", b.id));
    let history = folder.orchestrator(&["--history", "--format", "json"]);
    let steps = history.run().json()[0]["steps"].take();
    assert_eq!([&steps[0]["run_id"], &steps[1]["run_id"]], [&b.id, &a.id]);
    // Alone, the other one finds it.
    let ended = folder.orchestrator(&["--steps", "a"]).run();
    ended.succeeds(&format!("{} 0\n", b.id));
}

#[test]
fn a_step_without_a_record_has_no_run() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\nsteps: {a: {tracking: false}, b: }\n",
    );
    folder.step(
        "a",
        "command: echo a ${{MLFLOW_RUN_ID-none}} $MLFLOW_EXPERIMENT_ID",
    );
    folder.step("b", "command: echo b ${{MLFLOW_RUN_ID:+some}}");
    folder
        .orchestrator(&[])
        .run()
        .succeeds("a none 0\nb some\n");
    let names: Vec<String> = runs(&folder.path().join("mlflow.db"))
        .into_iter()
        .map(|run| format!("{} {}", run.name, run.status))
        .collect();
    assert_eq!(names, ["demo FINISHED", "b FINISHED"]);
    assert_eq!(folder.log("a"), "a none 0\n");
}

#[test]
fn a_pipeline_without_a_record_leaves_none() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: demo\nenv_manager: local\ntracking: false\nsteps: {a: {experiment: x}, b: {parameters: {of: '{steps[a][run_id]}'}}}\n",
    );
    folder.step("a", "command: echo ${{MLFLOW_RUN_ID-none}}");
    folder.step("b", "parameters: {of: str}\ncommand: touch ../ran");
    let run = folder
        .orchestrator(&["--steps", "a"])
        .env("MLFLOW_RUN_ID", "r");
    run.run().succeeds("none\n");
    assert!(!folder.exists("mlflow.db"));
    folder.orchestrator(&[]).run().fails(
        1,
        "error: 1 problem; nothing was run
  step `b`: it takes values of the run of step `a`, which has none (b/MLproject:3)
    hint: run without `--no-tracking`, and without `tracking: false` for that step
",
    );
    assert!(!folder.exists("ran"));
}
