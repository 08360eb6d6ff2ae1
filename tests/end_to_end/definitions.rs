//! Pipelines as users write them, planned and run as a whole.

use std::process::Command;

use crate::harness::Folder;

/// A bare repository `components.git` with the step `get_data`, which writes what it is told.
fn components(folder: &Folder) {
    folder.file(
        "work/get_data/MLproject",
        "name: get_data
entry_points:
  main:
    parameters:
      sample: {type: string, description: What to write}
      artifact: {type: string, default: ../artifact.txt}
    outputs: [artifact]
    command: echo {sample} > {artifact}
",
    );
    let script = "cd work && git init -q && git add . && git -c user.name=a -c user.email=a@example.org \
                  commit -q -m c && git tag v1 && git clone -q --bare . ../components.git";
    let status = Command::new("bash")
        .args(["-c", script])
        .current_dir(folder.path())
        .status();
    assert!(status.unwrap().success());
}

/// The layout of a course's pipelines: steps in `src`, one component from a repository elsewhere,
/// constants per step, and one step that only runs when it is named.
fn course() -> Folder {
    let folder = Folder::new();
    components(&folder);
    let url = format!("file://{}/components.git", folder.path().display());
    folder.file(
        "MLproject",
        format!(
            "name: nyc_airbnb
env_manager: local
steps:
  get_data:
    project: '{url}#get_data'
    version: v1
    parameters: {{sample: '{{sample}}', artifact: data/raw.txt}}
  basic_cleaning:
    parameters: {{raw: data/raw.txt, clean: data/clean.txt, min_price: 10, max_price: 350}}
  data_check:
    parameters: {{clean: data/clean.txt, kl_threshold: 0.2}}
  test_regression_model:
    default: false
entry_points:
  main:
    parameters:
      steps: {{type: str, default: all}}
      sample: {{type: str, default: sample1.csv}}
    command: orchestrator --steps {{steps}}
"
        ),
    );
    folder.file("data/.keep", "");
    folder.file(
        "src/basic_cleaning/MLproject",
        "name: basic_cleaning
entry_points:
  main:
    parameters:
      raw: string
      clean: string
      min_price: {type: float}
      max_price: {type: float}
    inputs: [raw]
    outputs: [clean]
    command: >-
      sed s/sample/clean/ {raw} > {clean} && echo {min_price} {max_price} >> {clean}
",
    );
    folder.file(
        "src/data_check/MLproject",
        "name: data_check
entry_points:
  main:
    parameters: {clean: string, kl_threshold: float}
    inputs: [clean]
    command: cat {clean} && echo checked at {kl_threshold}
",
    );
    folder.file(
        "src/test_regression_model/MLproject",
        "name: test\nentry_points: {main: {command: echo tested}}".replace("\\n", "\n"),
    );
    folder
}

#[test]
fn the_course_layout_runs() {
    let folder = course();
    let cache = folder.path().join("cache");
    let run = |arguments: &[&str]| {
        folder
            .orchestrator(arguments)
            .env("XDG_CACHE_HOME", &cache)
            .run()
    };
    run(&[]).succeeds("clean1.csv\n10 350\nchecked at 0.2\n");
    run(&["--steps", "all", "--sample", "sample2.csv"])
        .succeeds("clean2.csv\n10 350\nchecked at 0.2\n");
    run(&[
        "--steps",
        "test_regression_model,data_check",
        "-P",
        "data_check.kl_threshold=1",
    ])
    .succeeds("clean2.csv\n10 350\nchecked at 1\ntested\n");
}

#[test]
fn a_typo_in_the_last_step_is_told_before_the_first_has_started() {
    let folder = course();
    let ended = folder
        .orchestrator(&[
            "-P",
            "basic_cleaning.max_price=much",
            "-P",
            "kl_treshold=1",
            "-P",
            "data_check.kl_threshold=x",
        ])
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .run();
    ended.fails(
        1,
        "error: 3 problems; nothing was run
  unknown parameter `kl_treshold`: neither the pipeline nor a step declares it
    hint: did you mean `kl_threshold`? known are `steps`, `sample`, `artifact`, `raw`, `clean`, `min_price`, `max_price`, `kl_threshold`
  step `basic_cleaning`: parameter `max_price` is of type float, but its value is `much` (src/basic_cleaning/MLproject:8)
  step `data_check`: parameter `kl_threshold` is of type float, but its value is `x` (src/data_check/MLproject:4)
",
    );
    assert!(!folder.exists("data/raw.txt"));
}

/// The shape of MLflow's own example of a multistep workflow: four entry points of one project.
#[test]
fn four_entry_points_of_one_project_run_as_steps() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "name: multistep_example
env_manager: local
entry_points:
  load_raw_data:
    command: \"echo load > 1\"
  etl_data:
    parameters:
      ratings_csv: path
      max_row_limit: {type: int, default: 100000}
    command: \"cat {ratings_csv} > 2; echo etl {max_row_limit} >> 2\"
  als:
    parameters:
      ratings_data: path
      rank: {type: int, default: 12}
    outputs: []
    command: \"cat {ratings_data} > 3; echo als {rank} >> 3\"
  train_keras:
    parameters: {hidden_units: int}
    command: \"cat 3; echo keras {hidden_units}\"
  main:
    parameters:
      hidden_units: {type: int, default: 20}
    command: \"python main.py\"
",
    );
    folder.file("1", "").file("2", "");
    let arguments = [
        "--steps",
        "load_raw_data,etl_data,als,train_keras",
        "--ratings_csv",
        "1",
        "--ratings_data",
        "2",
    ];
    folder
        .orchestrator(&[&arguments[..], &["-P", "etl_data.max_row_limit=5"]].concat())
        .run()
        .succeeds("load\netl 5\nals 12\nkeras 20\n");
    assert!(folder.exists("3"));
}

#[test]
fn a_pipeline_cannot_be_a_step_of_itself() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "env_manager: local\nsteps:\n  again: {project: .}\nentry_points: {main: {command: orchestrator}}",
    );
    folder.orchestrator(&[]).run().fails(
        1,
        "error: 1 problem; nothing was run\n  step `again`: `again` is the pipeline itself and cannot be one of its own steps (MLproject)\n    hint: run it alone: `orchestrator again`\n",
    );
}

#[test]
fn check_tells_only_what_is_wrong() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    folder.step("s", "parameters: {x: int}\ncommand: touch ../ran");
    let ended = folder
        .orchestrator(&["--check", "--steps", "s", "--x", "1"])
        .run()
        .succeeds("");
    assert_eq!(ended.stderr(), "");
    folder
        .orchestrator(&["--check", "--steps", "s", "--x", "a"])
        .run()
        .says("is of type int")
        .ends(1);
    folder
        .orchestrator(&["--check", "--dry-run", "--steps", "s"])
        .run()
        .ends(2);
    assert!(!folder.exists("ran"));
}

#[test]
fn names_may_hold_anything_that_a_key_can() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "env_manager: local\nsteps:\n  \"it's 1.0-a\": {project: s, parameters: {\"a b-c\": x}}\n  \"two\\nlines\": {project: s}\n",
    );
    folder.step(
        "s",
        "parameters: {\"a b-c\": {default: d}}\ncommand: echo {a b-c}",
    );
    folder.orchestrator(&[]).run().succeeds("x\nd\n");
    folder
        .orchestrator(&[
            "--steps",
            "it's 1.0-a",
            "-P",
            "it's 1.0-a.a b-c=y",
            "-P",
            "it's 1.0-a.k l=$x",
        ])
        .run()
        .succeeds("y --k l $x\n");
}
