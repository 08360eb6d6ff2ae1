//! In which order steps stand, which of them run, and what each waits for.

use std::os::unix::fs::symlink;

use crate::harness::Folder;

/// A step that reads and writes files of the pipeline's folder; each parameter has the name of its file.
fn step(folder: &Folder, name: &str, reads: &[&str], writes: &[&str]) {
    let parameter = |file: &&str| {
        let name = file.replace(['/', '.'], "_");
        (format!("{name}: {{default: ../{file}}}"), name)
    };
    let (inputs, outputs): (Vec<_>, Vec<_>) = (
        reads.iter().map(parameter).collect(),
        writes.iter().map(parameter).collect(),
    );
    let names = |list: &[(String, String)]| {
        list.iter()
            .map(|(_, name)| name.clone())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut declared: Vec<String> = inputs
        .iter()
        .chain(&outputs)
        .map(|(text, _)| text.clone())
        .collect();
    declared.dedup();
    let written: Vec<String> = writes
        .iter()
        .map(|file| format!("echo {name} > ../{file}"))
        .collect();
    folder.step(
        name,
        &format!(
            "parameters: {{{}}}\ninputs: [{}]\noutputs: [{}]\ncommand: \"echo {name} >> ../order; {}\"",
            declared.join(", "),
            names(&inputs),
            names(&outputs),
            written.join("; ")
        ),
    );
}

/// Raw data, a model, and its score.
fn three(definition: &str) -> Folder {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        format!("name: demo\nenv_manager: local\n{definition}"),
    );
    step(&folder, "get", &[], &["raw"]);
    step(&folder, "train", &["raw"], &["model"]);
    step(&folder, "score", &["model", "raw"], &["result"]);
    folder
}

/// The steps of the plan, each with those that it waits for.
fn plan(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let planned = folder
        .orchestrator(&[arguments, &["--dry-run", "--format", "json"]].concat())
        .run();
    planned.ends(0);
    let json = planned.json();
    let steps = json["steps"].as_array().unwrap().iter();
    steps
        .map(|step| {
            let needs: Vec<&str> = step["needs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it.as_str().unwrap())
                .collect();
            format!("{}: {}", step["name"].as_str().unwrap(), needs.join(" "))
                .trim_end()
                .to_owned()
        })
        .collect()
}

#[test]
fn files_decide_where_nobody_lists_the_steps() {
    let folder = three("");
    for names in ["score,train,get", "get,train,score", "train,score,get"] {
        assert_eq!(
            plan(&folder, &["--steps", names]),
            ["get:", "train: get", "score: get train"]
        );
    }
    step(&folder, "alone", &[], &["other"]);
    folder.file("model", "");
    assert_eq!(
        plan(&folder, &["--steps", "score,alone,get"]),
        ["alone:", "get:", "score: get"]
    );
    folder
        .orchestrator(&["--steps", "score,train,get", "--no-tracking"])
        .run()
        .ends(0);
    assert_eq!(folder.read("order"), "get\ntrain\nscore\n");
}

#[test]
fn steps_may_be_a_list() {
    let folder = three("steps: [get, train, score]");
    assert_eq!(
        plan(&folder, &[]),
        ["get:", "train: get", "score: get train"]
    );
}

#[test]
fn a_reader_that_is_listed_before_its_writer_is_an_error_that_tells_the_right_order() {
    let folder = three("steps:\n  score:\n  get:\n  train:\n");
    let told = "error: 1 problem; nothing was run
  step `score`: its input `model` (model) is what step `train` makes, which stands later in `steps:` (MLproject:4)
    hint: the right order is: get, train, score; if `score` is to read what an earlier run has left, say `needs: [score]` in the entry of `train`
";
    folder.orchestrator(&["--dry-run"]).run().fails(1, told);
    // What an earlier run has left changes nothing.
    folder.file("model", "").file("raw", "");
    folder.orchestrator(&["--dry-run"]).run().fails(1, told);
    assert!(!folder.exists("order"));
    folder.file(
        "MLproject",
        "env_manager: local\nsteps: {score: , get: {needs: [score]}, train: {needs: [score]}}",
    );
    assert_eq!(
        plan(&folder, &[]),
        ["score:", "get: score", "train: score get"]
    );
}

#[test]
fn a_cycle_is_told_with_its_path() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local");
    step(&folder, "a", &["f3"], &["f1"]);
    step(&folder, "b", &["f1"], &["f2"]);
    step(&folder, "c", &["f2"], &["f3"]);
    folder.orchestrator(&["--steps", "c,a,b"]).run().fails(
        1,
        "error: 1 problem; nothing was run
  each of these steps needs what the next one makes: c → b → a → c
    hint: take one of these files out of `inputs:` or `outputs:`, or split a step
",
    );
}

#[test]
fn different_spellings_are_one_file() {
    let folder = Folder::new();
    folder.file("MLproject", "env_manager: local\nsteps: [a, b, c, d, e]");
    folder.file("real/x", "");
    symlink("real", folder.path().join("link")).unwrap();
    step(&folder, "a", &[], &["real/data"]);
    step(&folder, "b", &["link/data"], &["b"]);
    step(&folder, "c", &["none/../real/data"], &["c"]);
    step(&folder, "d", &["real/"], &["d"]);
    step(&folder, "e", &["real/data2"], &["e"]);
    folder.file("real/data2", "");
    assert_eq!(plan(&folder, &[]), ["a:", "b: a", "c: a", "d: a", "e:"]);
}

#[test]
fn what_says_nothing_of_its_files_is_a_fence_and_an_empty_list_says_something() {
    let folder = Folder::new();
    folder.file(
        "MLproject",
        "env_manager: local\nsteps: {a: , fence: , b: , c: , named: {needs: []}}",
    );
    for name in ["a", "b"] {
        folder.step(name, "inputs: []\ncommand: 'true'");
    }
    folder.step("c", "outputs: []\ncommand: 'true'");
    folder.step("fence", "command: 'true'");
    folder.step("named", "command: 'true'");
    assert_eq!(
        plan(&folder, &[]),
        ["a:", "fence: a", "b: fence", "c: fence", "named: fence"]
    );
    folder
        .orchestrator(&["--dry-run"])
        .run()
        .prints("   environment: local\n   after: fence\n   command: true");
    assert_eq!(
        plan(&folder, &["--skip", "fence"]),
        ["a:", "b:", "c:", "named:"]
    );
    folder
        .orchestrator(&["--dry-run", "--skip", "fence"])
        .run()
        .prints("   environment: local\n   after: nothing\n")
        .says("4 of 5 steps: `a`, `b`, `c`, `named`\n");
}

#[test]
fn needs_names_earlier_steps() {
    let folder = three("steps: {get: , train: {needs: [NAME]}, score: }");
    for (name, complaint) in [
        (
            "gett",
            "`needs` names `gett`, which is no step of this pipeline (MLproject:3)\n    hint: did you mean `get`? known are `get`, `train`, `score`\n",
        ),
        (
            "train",
            "`needs` names the step itself (MLproject:3)\n    hint: a step waits for others; take its own name out\n",
        ),
        (
            "score",
            "`needs` names `score`, which stands later in `steps:` (MLproject:3)\n    hint: list `score` before it, or take the name out of `needs:`\n",
        ),
    ] {
        folder.file(
            "MLproject",
            format!(
                "env_manager: local\nsteps: {{get: , \n  train: {{needs: [{name}]}}, score: }}"
            ),
        );
        folder.orchestrator(&["--check"]).run().fails(
            1,
            &format!("error: 1 problem; nothing was run\n  step `train`: {complaint}"),
        );
    }
    folder.file(
        "MLproject",
        "env_manager: local\nsteps: {get: , train: {needs: [get]}, score: }",
    );
    folder.file("raw", "");
    // One that is not selected is waited for by nobody.
    assert_eq!(plan(&folder, &["--steps", "train"]), ["train:"]);
}

#[test]
fn two_steps_may_not_write_one_file() {
    let folder = three("steps: [get, train, score]");
    step(&folder, "train", &["raw"], &["raw2", "model"]);
    step(&folder, "score", &["raw"], &["model"]);
    folder
        .orchestrator(&["--check"])
        .run()
        .says("step `score`: output `model` is model, which step `train` writes too")
        .ends(1);
}

#[test]
fn a_selection_is_narrowed_along_the_edges() {
    let folder = three("steps: [get, train, score, other]");
    step(&folder, "other", &["raw"], &["else"]);
    folder.file("raw", "").file("model", "");
    for (arguments, expected) in [
        (vec!["--from", "train"], vec!["train:", "score: train"]),
        (vec!["--until", "train"], vec!["get:", "train: get"]),
        (vec!["--from", "train", "--until", "train"], vec!["train:"]),
        (vec!["--skip", "train,score"], vec!["get:", "other: get"]),
        (
            vec!["--from", "train,other"],
            vec!["train:", "score: train", "other:"],
        ),
        (
            vec!["--steps", "get,score", "--until", "score"],
            vec!["get:", "score: get"],
        ),
    ] {
        assert_eq!(plan(&folder, &arguments), expected, "{arguments:?}");
    }
    folder
        .orchestrator(&["--from", "train", "--no-tracking"])
        .run()
        .says("2 of 4 steps: `train`, `score`\n[1/2] train: running\n")
        .ends(0);
    assert_eq!(folder.read("order"), "train\nscore\n");
}

#[test]
fn what_cannot_be_narrowed_is_told() {
    let folder = three("steps: [get, train, score]");
    for (arguments, complaint) in [
        (
            vec!["--from", "tran"],
            "unknown step `tran`\n    hint: did you mean `train`? known are `get`, `train`, `score`\n",
        ),
        (
            vec!["--steps", "get,train", "--skip", "score"],
            "step `score` is not among those that are selected\n    hint: the selected steps are `get`, `train`; `--steps` selects others\n",
        ),
        (
            vec!["--from", "score", "--until", "get"],
            "no step is left of those that are selected\n    hint: leave out one of `--from`, `--until` and `--skip`\n",
        ),
        (
            vec!["--from", "score"],
            "step `score`: input `model` does not exist: model (score/MLproject:4)\n    hint: step `train` makes it and has to run before\n  step `score`: input `raw` does not exist: raw (score/MLproject:4)\n    hint: step `get` makes it and has to run before\n",
        ),
    ] {
        let ended = folder
            .orchestrator(&[&arguments[..], &["--check"]].concat())
            .run();
        ended.says(complaint).ends(1);
    }
    folder
        .orchestrator(&["--from", "a,,b"])
        .run()
        .says("a step name is missing between two commas")
        .ends(2);
}

/// What is wrong with a step that does not run does not matter.
#[test]
fn a_step_that_is_left_out_may_be_wrong() {
    let folder = three("steps: [get, train, score]");
    folder.file("raw", "");
    folder.step(
        "get",
        "parameters: {key: , raw: {default: ../raw}}\noutputs: [raw]\ncommand: get {key}",
    );
    folder.orchestrator(&["--check"]).run().ends(1);
    assert_eq!(
        plan(&folder, &["--skip", "get"]),
        ["train:", "score: train"]
    );
    folder.file("get/MLproject", "[");
    assert_eq!(
        plan(&folder, &["--skip", "get"]),
        ["train:", "score: train"]
    );
}

#[test]
fn the_graph_is_printed_for_people_and_for_programs() {
    let folder = three("steps: {get: , train: , score: , \"it's \\\"x\\\"\": {project: last}}");
    folder.step("last", "parameters: {key: }\ncommand: last {key}");
    let graph = |form| folder.orchestrator(&["--graph", "--format", form]).run();
    // A value that is missing does not matter.
    graph("text")
        .succeeds("get\ntrain    ← get\nscore    ← get, train\nit's \"x\" ← get, train, score\n");
    graph("json").succeeds(
        "[{\"name\":\"get\",\"needs\":[]},{\"name\":\"train\",\"needs\":[\"get\"]},{\"name\":\"score\",\"needs\":[\"get\",\"train\"]},\
         {\"name\":\"it's \\\"x\\\"\",\"needs\":[\"get\",\"train\",\"score\"]}]\n",
    );
    graph("dot").succeeds(
        r#"digraph "demo" {
  rankdir=LR;
  node [shape=box];
  "get";
  "train";
  "get" -> "train" [label="raw"];
  "score";
  "get" -> "score" [label="raw"];
  "train" -> "score" [label="model"];
  "it's \"x\"";
  "get" -> "it's \"x\"" [style=dashed];
  "train" -> "it's \"x\"" [style=dashed];
  "score" -> "it's \"x\"" [style=dashed];
}
"#,
    );
    folder
        .orchestrator(&["--list", "--format", "dot"])
        .run()
        .says("`--format dot` is for `--graph`")
        .ends(2);
}

#[test]
fn the_list_shows_files_and_order() {
    let folder = three("steps: [get, train, score]");
    let list = folder.orchestrator(&["--list"]).run();
    list.ends(0);
    list.prints("    reads model, raw\n    writes result\n    after get, train\n");
    let json = folder
        .orchestrator(&["--list", "--format", "json"])
        .run()
        .json();
    assert_eq!(json[1]["inputs"], serde_json::json!(["raw"]));
    assert_eq!(json[1]["outputs"], serde_json::json!(["model"]));
    assert_eq!(json[1]["needs"], serde_json::json!(["get"]));
}
