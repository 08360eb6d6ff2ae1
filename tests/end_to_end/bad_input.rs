//! What users get wrong: one clear message, the documented exit code, and nothing run.

use crate::harness::{Folder, orchestrator};

/// A pipeline of the steps `a` and `b`; `a` leaves a trace when it runs.
fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo\nenv_manager: local\n");
    folder.step("a", "command: touch ../ran");
    folder.step(
        "b",
        "parameters:\n  rows: int\n  rate: {type: float, default: 1}\ncommand: echo {rows}",
    );
    folder
}

#[track_caller]
fn refused(folder: &Folder, arguments: &[&str], code: i32, stderr: &str) {
    folder.orchestrator(arguments).run().fails(code, stderr);
    assert!(!folder.exists("ran"), "a step was run");
}

#[test]
fn no_mlproject() {
    let folder = Folder::new();
    let hint = "hint: `orchestrator --init` writes one; or name a pipeline's folder with `-C DIR`; README.md begins with a quickstart\n";
    refused(
        &folder,
        &["--steps", "a"],
        1,
        &format!("error: no MLproject file in `[DIR]`\n{hint}"),
    );
    let hint = "hint: name the folder that holds the pipeline's MLproject: `-C DIR`\n";
    let typed = folder.path().join("no/where");
    for (typed, shown) in [
        ("no/where", "no/where"),
        (typed.to_str().unwrap(), "[DIR]/no/where"),
    ] {
        let text = format!("error: there is no folder `{shown}`\n{hint}");
        refused(&folder, &["-C", typed], 1, &text);
    }
    folder.file("file", "").file("empty/file", "");
    let text = format!("error: expected a folder, found the file `file`\n{hint}");
    refused(&folder, &["-C", "file"], 1, &text);
    let text = "error: no MLproject file in `empty`\nhint: `orchestrator -C empty --init` writes one; or name a pipeline's folder with `-C DIR`; README.md begins with a quickstart\n";
    refused(&folder, &["-C", "empty"], 1, text);
    folder.orchestrator(&["--help"]).run().ends(0);
}

#[test]
fn a_wrong_option_is_named_also_where_there_is_no_pipeline() {
    let folder = Folder::new();
    for (option, tip) in [
        ("--resume", "`--cached` leaves out what is up to date"),
        (
            "--rowz",
            "the parameters of the pipeline are options, too: `--list` shows them",
        ),
    ] {
        let text = format!(
            "error: unexpected argument '{option}' found

  tip: {tip}
  tip: no MLproject file in `[DIR]`

Usage: orchestrator [OPTIONS] [STEP]...

For more information, try '--help'.
"
        );
        refused(&folder, &[option], 2, &text);
        refused(&folder, &["--check", option, "x"], 2, &text);
    }
    folder.orchestrator(&["--timeout", "soon"]).run().ends(2);
}

#[test]
fn braces_of_a_command_that_are_no_placeholder() {
    let folder = pipeline();
    for (command, parameters, complaint) in [
        (
            "awk '{print $1}'",
            "",
            "placeholder `{print $1}` has no parameter of that name (c/MLproject:3)
    hint: for braces as they are write `{{print $1}}`",
        ),
        (
            "echo {learning-rate}",
            "learning_rate: {default: 1}, rows: {default: 1}",
            "placeholder `{learning-rate}` has no parameter of that name (c/MLproject:3)
    hint: did you mean `learning_rate`? known are `learning_rate`, `rows`; for braces as they are write `{{learning-rate}}`",
        ),
    ] {
        folder.step("c", &format!("parameters: {{{parameters}}}\ncommand: \"{command}\""));
        let text = format!(
            "error: 1 problem; nothing was run
  step `c`: the command cannot be filled in: {complaint}
"
        );
        refused(&folder, &["a", "c"], 1, &text);
    }
}

#[test]
fn a_pipeline_above_is_named() {
    let folder = pipeline();
    folder.file("MLproject", "env_manager: local\nsteps: [a]");
    folder.file("a/data/deep/file", "").file("notes/file", "");
    let hint =
        |above: &str| format!("hint: there is one in a folder above: `orchestrator -C {above}`\n");
    let text = "error: no MLproject file in `[DIR]/notes`\n";
    let run = folder.orchestrator(&[]).inside("notes").run();
    run.fails(1, &format!("{text}{}", hint("..")));
    // That of a step is not the pipeline's.
    let text = "error: no MLproject file in `[DIR]/a/data/deep`\n";
    let run = folder.orchestrator(&["--list"]).inside("a/data/deep").run();
    run.fails(1, &format!("{text}{}", hint("../../..")));
    let text = "error: no MLproject file in `notes`\n";
    refused(
        &folder,
        &["-C", "notes"],
        1,
        &format!("{text}{}", hint("notes/..")),
    );
    assert!(!folder.exists("ran"));
    // What is named can be typed.
    let run = folder
        .orchestrator(&["-C", "../../.."])
        .inside("a/data/deep");
    run.run().ends(0);
    assert!(folder.exists("ran"));
}

#[test]
fn a_step_that_is_no_folder() {
    let folder = pipeline();
    folder.file(
        "MLproject",
        "env_manager: local\nsteps:\n  a:\n  bb:\nentry_points: {train: {command: x}}",
    );
    let text = "error: 1 problem; nothing was run
  step `bb`: no MLproject file in `bb` (MLproject:4)
    hint: did you mean `b`? known are `a`, `b`, `train`
";
    refused(&folder, &[], 1, text);
    folder.file("bb/file", "");
    let text = "error: 1 problem; nothing was run
  step `bb`: no MLproject file in `bb` (MLproject:4)
    hint: a step is a folder with an MLproject, here `bb/MLproject`
";
    refused(&folder, &[], 1, text);
}

#[test]
fn misspelled_keys() {
    let folder = pipeline();
    for (key, meant) in [
        ("env_manger: local", "env_manager"),
        ("entrypoints: {}", "entry_points"),
        ("step: [a]", "steps"),
        ("conda-env: x.yml", "conda_env"),
    ] {
        folder.file(
            "MLproject",
            format!("name: demo\n# why\n{key}\nsteps: [a]\n"),
        );
        let (key, _) = key.split_once(':').unwrap();
        let text = format!("error: MLproject:3: `{key}` has no meaning; did you mean `{meant}`?\n");
        refused(&folder, &[], 1, &text);
        refused(&folder, &["--list"], 1, &text);
        refused(&folder, &["--init"], 1, &text);
    }
    folder.file("MLproject", "env_manager: local\nsteps: [c]");
    for (key, meant) in [
        ("input", "inputs"),
        ("outptus", "outputs"),
        ("comand", "command"),
    ] {
        folder.step("c", &format!("command: touch ../ran\n{key}: [x]"));
        let text = format!(
            "error: 1 problem; nothing was run\n  step `c`: c/MLproject:5: `{key}` has no meaning; did you mean `{meant}`?\n"
        );
        refused(&folder, &[], 1, &text);
    }
    // As MLflow does.
    folder.file(
        "MLproject",
        "env_manager: local\nsteps: [a]\nauthor: me\nstages: 3\ntraining: x",
    );
    folder.orchestrator(&[]).run().ends(0);
    assert!(folder.exists("ran"));
}

#[test]
fn a_placeholder_without_quotes() {
    let folder = pipeline();
    let text =
        "error: MLproject:3: in YAML a brace opens a mapping; quote it: `rows: \"{seed}\"`\n";
    for steps in [
        "  b: {parameters: {rows: ${seed}}}",
        "  b: {parameters: {rate: 1, rows: {seed}0}}",
    ] {
        folder.file(
            "MLproject",
            format!("env_manager: local\nsteps:\n{steps}\n"),
        );
        refused(
            &folder,
            &[],
            1,
            &text.replace(
                "{seed}\"",
                if steps.contains("}0") {
                    "{seed}0\""
                } else {
                    "{seed}\""
                },
            ),
        );
    }
    folder.file("MLproject", "steps:\n  b:\n    rows: {seed}/x\n");
    refused(&folder, &[], 1, &text.replace("{seed}", "{seed}/x"));
}

#[test]
fn invalid_yaml_is_told_with_file_and_line() {
    let folder = pipeline();
    folder.file("b/MLproject", "name: b\nentry_points:\n\tmain: {}\n");
    let ended = folder.orchestrator(&["--steps", "a,b"]).run();
    ended.ends(1);
    let ended = ended.fails(
        1,
        "error: 1 problem; nothing was run
  step `b`: b/MLproject:3:1: a tab cannot separate or indent; expected blanks
    3 |  main: {}
      | ^
",
    );
    assert_eq!(ended.stdout(), "");
    folder.file("MLproject", "name: 'demo\n");
    refused(
        &folder,
        &["--steps", "a"],
        1,
        "error: MLproject:1:7: the quote that begins here is not closed
  1 | name: 'demo
    |       ^
",
    );
    let typed = "name: demo\nconfig: config.yaml\nenv_manager: local\nsteps: [b, v]\n";
    folder.file("MLproject", typed);
    folder.step("b", "command: x");
    folder.file("config.yaml", "rows: 1\nmodel: {depth: [3}\n");
    folder.file(
        "v/MLproject",
        "python_env: env.yaml\nentry_points: {main: {command: x}}\n",
    );
    folder.file(
        "v/env.yaml",
        "python: \"3.11\"\ndependencies: [a\nbuild: b\n",
    );
    folder.file(
        "b/MLproject",
        "conda_env: c.yml\nentry_points: {main: {command: x}}\n",
    );
    folder.file("b/c.yml", "dependencies:\n  - python\n - pip\n");
    refused(
        &folder,
        &["--env-manager", "uv"],
        1,
        "error: 3 problems; nothing was run
  config.yaml:2:18: expected `,` or `]`, found `}` (MLproject:2)
    2 | model: {depth: [3}
      |                  ^
  step `b`: b/c.yml:3:2: the line is indented as none of the lines that it could belong to (b/MLproject)
    3 |  - pip
      |  ^
  step `v`: v/env.yaml:3:6: expected `,` or `]`, found `:` (v/MLproject)
    3 | build: b
      |      ^
",
    );
    // Neither a secret nor a terminal sequence is repeated.
    folder.file("config.yaml", "api_token: 'abc\n");
    let ended = folder
        .orchestrator(&["--check"])
        .run()
        .says("config.yaml:1:12: the quote");
    assert!(!ended.stderr().contains("abc"), "{}", ended.stderr());
    assert!(!folder.exists("ran"));
}

#[test]
fn an_unknown_step() {
    let folder = pipeline();
    let text = "error: 1 problem; nothing was run\n  unknown step `aa`\n    hint: did you mean `a`? known are `a`, `b`\n";
    refused(&folder, &["--steps", "a,aa"], 1, text);
    let text = "error: 1 problem; nothing was run\n  `main` is the pipeline itself and cannot be one of its own steps\n    hint: run it alone: `orchestrator main`\n";
    refused(&folder, &["--steps", "a,main"], 1, text);
    refused(
        Folder::new().file("MLproject", "name: x"),
        &["--steps", "q"],
        1,
        "error: 1 problem; nothing was run\n  unknown step `q`\n    hint: a step is a folder with an MLproject, here `q/MLproject`\n",
    );
}

#[test]
fn a_steps_text_that_is_no_list() {
    let folder = pipeline();
    let cases = [
        ("", "expected at least one step name"),
        (" ", "expected at least one step name"),
        ("a,,b", "a step name is missing between two commas"),
        ("a,b,", "a step name is missing between two commas"),
        ("a,b,a", "step `a` is named twice"),
        ("all,a", "`all` stands alone"),
    ];
    for (steps, message) in cases {
        let ended = folder.orchestrator(&["--steps", steps]).run();
        ended.ends(2);
        ended.says("for '--steps <A,B>'").says(message);
        folder
            .orchestrator(&["-P", &format!("steps={steps}")])
            .run()
            .says(message)
            .ends(2);
    }
    folder.file(
        "MLproject",
        "entry_points: {main: {parameters: {steps: {default: 'a,,b'}}}}",
    );
    let text = "error: 1 problem; nothing was run\n  the default of `steps` is not a list of step names: \
                a step name is missing between two commas (MLproject:1)\n";
    refused(&folder, &[], 1, text);
}

#[test]
fn nothing_says_which_steps() {
    let text = "error: 1 problem; nothing was run
  this pipeline does not list its steps: its MLproject has no section `steps:` (MLproject)
    hint: `orchestrator --init` writes the section; or name the steps in their order, for instance `orchestrator a b`
";
    let folder = pipeline();
    refused(&folder, &[], 1, text);
    refused(&folder, &["--steps", "all"], 1, text);
    folder.file(
        "MLproject",
        "entry_points: {main: {command: python main.py}}",
    );
    let main = "`orchestrator a b`; `orchestrator main` runs the pipeline's own `main`";
    refused(&folder, &[], 1, &text.replace("`orchestrator a b`", main));
    let folder = Folder::new();
    folder.file("MLproject", "steps:");
    let ended = folder.orchestrator(&[]).run();
    ended
        .says("hint: list the folders with the steps below `steps:`, each with an MLproject\n")
        .ends(1);
}

#[test]
fn every_problem_of_every_step_in_one_report() {
    let folder = pipeline();
    folder.step(
        "c",
        "parameters: {x: str, y: str}\ncommand: echo {x} {z} {y}",
    );
    folder.step("d", "command: echo ${HOME}");
    folder.step("e", "parameters: {x: {default: 1}}");
    let text = "error: 7 problems; nothing was run
  unknown parameter `rowz`: neither the pipeline nor a step declares it
    hint: did you mean `rows`? known are `rows`, `rate`, `x`, `y`
  step `b`: no value for the required parameter `rows` (b/MLproject:5)
    hint: give it with `-P rows=VALUE`, or for this step alone with `-P b.rows=VALUE`
  step `b`: parameter `rate` is of type float, but its value is `fast` (b/MLproject:6)
  step `c`: no value for the required parameter `x` (c/MLproject:4)
    hint: give it with `-P x=VALUE`, or for this step alone with `-P c.x=VALUE`
  step `c`: no value for the required parameter `y` (c/MLproject:4)
    hint: give it with `-P y=VALUE`, or for this step alone with `-P c.y=VALUE`
  step `d`: the command cannot be filled in: placeholder `{HOME}` has no parameter of that name; \
                write `${{HOME}}` for a shell variable (d/MLproject:3)
  step `e`: entry point `main` has no command (e/MLproject:3)
";
    refused(
        &folder,
        &["--steps", "a,b,c,d,e", "-P", "rowz=1", "--rate", "fast"],
        1,
        text,
    );
    refused(
        &folder,
        &[
            "--steps",
            "a,b,c,d,e",
            "-P",
            "rowz=1",
            "--rate",
            "fast",
            "--dry-run",
        ],
        1,
        text,
    );
}

#[test]
fn a_number_that_is_none() {
    let text = "error: 1 problem; nothing was run\n  step `b`: parameter `rows` is of type int, but its value is `many` (b/MLproject:5)\n";
    refused(&pipeline(), &["--steps", "a,b", "--rows", "many"], 1, text);
}

#[test]
fn parameters_on_the_command_line() {
    let folder = pipeline();
    let cases: [(&[&str], &str); 5] = [
        (&["--rwos", "1"], "unexpected argument '--rwos'"),
        (&["-P", "rows"], "expected NAME=VALUE"),
        (
            &["-P", "rows=1", "-P", "rows=2"],
            "parameter `rows` is given twice",
        ),
        (
            &["-P", "rows=1", "--rows", "2"],
            "parameter `rows` is given twice",
        ),
        (
            &["--env-manager", "nix"],
            "possible values: local, conda, virtualenv, uv, docker",
        ),
    ];
    for (arguments, message) in cases {
        let ended = folder
            .orchestrator(&[&["--steps", "a,b"], arguments].concat())
            .run();
        ended.ends(2);
        ended.says(message);
    }
    assert!(!folder.exists("ran"));
}

#[test]
fn an_unknown_entry_point() {
    let text = "error: 1 problem; nothing was run\n  step `a`: no entry point `mian` in a (a/MLproject)\n    hint: did you mean `main`? known are `main`\n";
    refused(&pipeline(), &["--steps", "a", "-e", "mian"], 1, text);
}

#[test]
fn an_input_that_nobody_makes() {
    let folder = pipeline();
    folder.step(
        "c",
        "parameters: {data: {default: ../data.csv}}\ninputs: [data]\ncommand: cat {data}",
    );
    let text = "error: 1 problem; nothing was run\n  step `c`: input `data` does not exist: data.csv (c/MLproject:4)\n";
    refused(&folder, &["--steps", "a,c"], 1, text);
    let text = "error: 1 problem; nothing was run\n  step `c`: input `data` does not exist: other (c/MLproject:4)\n";
    refused(&folder, &["--steps", "a,c", "--data", "other"], 1, text);
}

#[test]
fn files_that_no_parameter_names_and_outputs_of_two_steps() {
    let folder = pipeline();
    folder.step(
        "c",
        "parameters: {data: {default: ../data}}\noutputs: [data, dta]\ncommand: touch {data}",
    );
    folder.step(
        "d",
        "parameters: {file: {default: ../data}}\noutputs: [file]\ncommand: touch {file}",
    );
    let text = "error: 2 problems; nothing was run
  step `c`: `outputs` lists `dta`, which is not a parameter of entry point `main` (c/MLproject:3)
    hint: did you mean `data`? known are `data`
  step `d`: output `file` is data, which step `c` writes too (d/MLproject:4)
";
    refused(&folder, &["--steps", "c,d"], 1, text);
}

#[test]
fn paths_and_uris_that_are_none() {
    let folder = pipeline();
    folder.step("c", "parameters: {p: path, u: uri, r: {type: path, default: 's3://b/x'}}\ncommand: echo {p} {u}");
    let text = "error: 3 problems; nothing was run
  step `c`: parameter `p` should name a file or folder that exists, but there is no `[DIR]/none` (c/MLproject:4)
  step `c`: parameter `u` should be a URI such as https://host/file or name a file that exists, but its value is `[DIR]/none` (c/MLproject:4)
  step `c`: parameter `r` is a path, but its value is `s3://b/x`; use a local path or an http(s) URL (c/MLproject:4)
";
    refused(
        &folder,
        &["--steps", "a,c", "--p", "none", "--u", "none"],
        1,
        text,
    );
}

#[test]
fn environments_that_are_not_there() {
    let folder = pipeline();
    folder.file(
        "c/MLproject",
        "conda_env: env.yml\nentry_points: {main: {command: 'true'}}",
    );
    folder.file(
        "d/MLproject",
        "conda_env: d.yml\npython_env: d.yml\nentry_points: {main: {command: 'true'}}",
    );
    let hint = "    hint: `--env-manager virtualenv` needs none and installs from PyPI; or set \
                MLFLOW_CONDA_HOME or CONDA_EXE; `--env-manager local` runs the command without an \
                environment\n";
    let text = format!(
        "error: 4 problems; nothing was run
  step `a`: environment manager `conda` needs `/none/bin/conda`, which was not found (a/MLproject)
{hint}  step `c`: there is no environment file c/env.yml (c/MLproject)
  step `c`: environment manager `conda` needs `/none/bin/conda`, which was not found (c/MLproject)
{hint}  step `d`: d/MLproject: a project can have one environment, but this one names `python_env`, `conda_env`
"
    );
    let arguments = ["--steps", "a,c,d", "--env-manager", "conda"];
    // Without uv, which the hint would name.
    let path = orchestrator().parent().unwrap().to_owned();
    let run = folder.orchestrator(&arguments).env("PATH", path);
    run.env("MLFLOW_CONDA_HOME", "/none").run().fails(1, &text);
    assert!(!folder.exists("ran"), "a step was run");
}

#[test]
fn what_a_command_cannot_get_at_its_end_is_a_warning() {
    let folder = pipeline();
    let steps =
        "env_manager: local\nsteps: {c: {parameters: {foo: 1}}, h: {parameters: {foo: 2}}}\n";
    folder.file("MLproject", steps);
    folder.step("c", "command: \"echo c # more\"");
    folder.step("h", "command: |\n  cat <<END\n  h\n  END\n");
    let warning = |step: &str, end: &str| {
        format!(
            "warning: {step}/MLproject:3: step `{step}` does not get `foo`, which its entry point does not declare: its command ends in {end}; declare it below `parameters:` and write `{{NAME}}` in the command\n"
        )
    };
    for look in ["--check", "--dry-run"] {
        let ended = folder.orchestrator(&[look]).run();
        ended.ends(0);
        assert_eq!(
            ended.stderr(),
            warning("c", "a comment") + &warning("h", "a here-document")
        );
    }
}

#[test]
fn a_value_of_the_definition_that_names_no_parameter() {
    let folder = pipeline();
    folder.file(
        "MLproject",
        "env_manager: local
entry_points: {main: {parameters: {seed: {default: 1}}}}
steps: {b: {parameters: {rows: '{sed}'}}}
",
    );
    let text = "error: 1 problem; nothing was run
  step `b`: the value of parameter `rows` cannot be filled in: placeholder `{sed}` has no parameter of that name (MLproject:3)
    hint: did you mean `seed`? known are `seed`; for braces as they are write `{{sed}}`
";
    refused(&folder, &[], 1, text);
    // Of a config that cannot be read there is one problem, not one for each value.
    folder.file(
        "MLproject",
        "config: config.yaml\nenv_manager: local\nsteps: {b: {parameters: {rows: '{config[a]}'}}}\n",
    );
    folder.file("config.yaml", "a: {b\n");
    let text = "error: 1 problem; nothing was run
  config.yaml:2:1: expected `,` or `}`, found the end of the text (MLproject:1)
";
    refused(&folder, &[], 1, text);
}
