//! Environments as far as no tool is needed: the choice, what is wrong with the files, and conda by a
//! stand-in on PATH that records how it is called, for no conda can be installed offline.

use std::process::Command;

use crate::harness::{Folder, Run, Started, is_alive, orchestrator, wait_until};

/// Acts as conda as far as we use it, with its environments in `$HOME/envs`.
///
/// With a file `hold` it waits in the middle of a creation until that is gone; it fails when the
/// environment file says so.
const CONDA: &str = r#"#!/usr/bin/env bash
echo "${0##*/} $*" >> "$HOME/calls"
case "$*" in
  "env list --json")
    printf '{"envs": ["%s/base"' "$HOME"
    for folder in "$HOME"/envs/*/; do [ -d "$folder" ] && printf ', "%s"' "${folder%/}"; done
    echo ']}' ;;
  *create*-n*)
    while [ "$1" != -n ]; do shift; done
    prefix="$HOME/envs/$2"
    mkdir -p "$prefix/bin" "$prefix/conda-meta" "$prefix/etc/conda/activate.d"
    echo $$ > "$HOME/creating.tmp"; mv "$HOME/creating.tmp" "$HOME/creating"
    [ "$3" = --file ] && cp "$4" "$HOME/started-$(basename "$(dirname "$4")")"
    while [ -e "$HOME/hold" ]; do sleep 0.01; done
    if [ "$3" = --file ] && grep -q nosuch "$4"; then echo "PackagesNotFoundError: nosuch" >&2; exit 1; fi
    echo 'echo activating; export ACTIVATED=1' > "$prefix/etc/conda/activate.d/one.sh"
    echo '{"env_vars": {"OF_STATE": "state"}}' > "$prefix/conda-meta/state" ;;
  remove*--prefix*) rm -rf "$4" ;;
  *) exit 9 ;;
esac
"#;

/// A pipeline of one step `a`, and the stand-in in `conda home/bin`.
fn with_conda(environment: &str) -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo");
    folder.file("a/conda.yaml", environment);
    folder.step(
        "a",
        "command: echo \"$CONDA_DEFAULT_ENV $ACTIVATED $OF_STATE\"",
    );
    for name in ["conda", "mamba"] {
        program(&folder, &format!("conda home/bin/{name}"), CONDA);
    }
    folder
}

/// Writes an executable. A process of its own does it: a program that a fork of ours still has open
/// for writing could not be executed.
fn program(folder: &Folder, name: &str, text: &str) {
    folder.file("program.txt", text);
    let target = folder.path().join(name);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    let mut install = Command::new("install");
    install
        .args(["-m", "755"])
        .arg(folder.path().join("program.txt"))
        .arg(target);
    assert!(install.status().unwrap().success());
}

fn run<'a>(folder: &'a Folder, arguments: &[&str]) -> Run<'a> {
    let home = folder.path().join("conda home");
    folder
        .orchestrator(arguments)
        .env("MLFLOW_CONDA_HOME", home)
}

fn start(folder: &Folder, arguments: &[&str]) -> Started {
    run(folder, arguments).start()
}

#[test]
fn what_a_file_of_conda_means_is_condas_to_say_with_a_stand_in() {
    for text in [
        "dependencies: [python, 'numpy>=1,<2', gcc]\n",
        "dependencies:\n",
        "{name: x, y: 1}\n",
    ] {
        let folder = with_conda(text);
        run(&folder, &["--steps", "a"]).run().ends(0);
    }
    for (text, expected) in [
        (
            "",
            "a/conda.yaml: an environment file should be a mapping with a list of `dependencies`",
        ),
        (
            "dependencies: python\n",
            "a/conda.yaml:1: `dependencies` should be a list of packages",
        ),
        ("dependencies: [python\n", "a/conda.yaml:"),
    ] {
        let folder = with_conda(text);
        run(&folder, &["--steps", "a"]).run().says(expected).ends(1);
        assert!(!folder.exists("calls"));
    }
}

/// The file that MLflow would hash to this name.
const FILE: &str = "dependencies: [python=3.11]\n";
const NAME: &str = "mlflow-NAME";

/// MLflow's name of the environment for [`FILE`], from the system's own `sha1sum`.
fn name_of(folder: &Folder) -> String {
    let sum = Command::new("sha1sum")
        .arg(folder.path().join("a/conda.yaml"))
        .output()
        .unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    format!("mlflow-{}", sum.split(' ').next().unwrap())
}

fn calls(folder: &Folder) -> Vec<String> {
    let calls = folder.read("calls").replace(&name_of(folder), NAME);
    let calls = calls.replace(&*folder.path().to_string_lossy(), "[DIR]");
    calls.lines().map(str::to_owned).collect()
}

const LIST: &str = "conda env list --json";
const CREATE: &str = "conda env create -n mlflow-NAME --file [DIR]/a/conda.yaml";
const REMOVE: &str = "conda remove --yes --prefix [DIR]/envs/mlflow-NAME --all";

#[test]
fn a_stand_in_for_conda_is_called_as_by_mlflow_and_only_once() {
    let folder = with_conda(FILE);
    let said = format!("{} 1 state\n", name_of(&folder));
    let ended = run(&folder, &["--steps", "a"]).run().succeeds(&said);
    // What activation scripts print goes to stderr, as under MLflow.
    ended
        .says("(conda): making it for a\n")
        .says("\nactivating\n");
    assert_eq!(calls(&folder), [LIST, CREATE, LIST]);
    run(&folder, &["--steps", "a"]).run().succeeds(&said);
    run(&folder, &["--steps", "a", "--offline"])
        .run()
        .succeeds(&said);
    assert_eq!(calls(&folder).len(), 3);
    // The activation is no part of the command.
    let plan = run(&folder, &["--steps", "a", "--dry-run", "--format", "json"])
        .run()
        .json();
    let step = &plan["steps"][0];
    assert_eq!(step["environment"]["name"], name_of(&folder));
    assert_eq!(
        step["command"],
        "echo \"$CONDA_DEFAULT_ENV $ACTIVATED $OF_STATE\""
    );
}

#[test]
fn a_step_of_the_readme_can_be_copied_with_a_stand_in() {
    let folder = with_conda(FILE);
    let script = crate::readme::kind("conda").replace("python -V", "echo \\$CONDA_PREFIX");
    let run = folder.program_in_path("bash", &["-c", &script]);
    let ended = run
        .env("MLFLOW_CONDA_HOME", folder.path().join("conda home"))
        .run();
    ended.ends(0);
    assert!(
        ended.stdout().starts_with("[DIR]/envs/mlflow-"),
        "{}",
        ended.stdout()
    );
}

#[test]
fn an_environment_that_mlflow_has_made_is_reused_with_a_stand_in() {
    let folder = with_conda(FILE);
    folder.file(&format!("envs/{}/conda-meta/history", name_of(&folder)), "");
    let said = format!("{}  \n", name_of(&folder));
    run(&folder, &["--steps", "a", "--offline"])
        .run()
        .succeeds(&said);
    assert!(!calls(&folder).contains(&CREATE.to_owned()));
    // It is not ours to remove.
    run(&folder, &["--env-prune", "0"]).run().succeeds("");
    assert!(folder.exists(&format!("envs/{}", name_of(&folder))));
}

#[test]
fn another_program_may_create_the_environment_with_a_stand_in() {
    let folder = with_conda(FILE);
    run(&folder, &["--steps", "a"])
        .env("MLFLOW_CONDA_CREATE_ENV_CMD", "mamba")
        .run()
        .ends(0);
    assert_eq!(
        calls(&folder),
        [LIST, &CREATE.replace("conda env", "mamba env"), LIST]
    );
    std::fs::remove_file(folder.path().join("a/conda.yaml")).unwrap();
    let arguments = ["--steps", "a", "--env-manager", "conda"];
    run(&folder, &arguments)
        .run()
        .says("making it for a")
        .ends(0);
    let empty = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    let create = format!(
        "conda create --channel conda-forge --yes --override-channels -n mlflow-{empty} python\n"
    );
    assert!(folder.read("calls").contains(&create));
}

#[test]
fn conda_is_found_by_its_variables_and_on_path_with_a_stand_in() {
    let folder = with_conda(FILE);
    let bin = folder.path().join("conda home/bin");
    let path = std::env::var("PATH").unwrap();
    let path = format!(
        "{}:{}:{path}",
        orchestrator().parent().unwrap().display(),
        bin.display()
    );
    let by_variable = folder
        .orchestrator(&["--steps", "a"])
        .env("CONDA_EXE", bin.join("conda"));
    by_variable.run().ends(0);
    std::fs::remove_dir_all(folder.path().join(".cache")).unwrap();
    folder
        .orchestrator(&["--steps", "a"])
        .env("PATH", &path)
        .run()
        .ends(0);
    assert_eq!(calls(&folder), [LIST, CREATE, LIST, LIST]);
}

#[test]
fn a_failed_creation_is_removed_and_told_with_a_stand_in() {
    let folder = with_conda("dependencies: [nosuch]\n");
    folder.file("MLproject", "steps: {a: , b: {env_manager: local}}");
    folder.step("b", "command: touch ../ran");
    let ended = run(&folder, &["--steps", "a,b"]).run();
    ended.ends(1);
    let text = ended.stderr().replace(&name_of(&folder), NAME);
    let expected = "environment mlflow-NAME (conda): making it for a
error: 1 environment could not be made; nothing was run
  mlflow-NAME, for `a`: `'[DIR]/conda home/bin/conda' env create -n mlflow-NAME --file [DIR]/a/conda.yaml` failed with exit code 1
    | PackagesNotFoundError: nosuch
    log: .cache/orchestrator/environments/mlflow-NAME.log
";
    assert_eq!(text, expected);
    assert_eq!(calls(&folder), [LIST, CREATE, LIST, REMOVE]);
    assert!(!folder.exists("ran") && !folder.exists(&format!("envs/{}", name_of(&folder))));
    assert!(history(&folder).contains(" failed "));
}

fn history(folder: &Folder) -> String {
    let ended = run(folder, &["--history"]).run();
    ended.ends(0);
    ended.stdout()
}

/// A PATH on which nothing is found but the orchestrator and bash.
fn no_python() -> String {
    format!("{}:/no/where", orchestrator().parent().unwrap().display())
}

#[test]
fn eight_runs_at_once_make_it_once_with_a_stand_in() {
    let folder = with_conda(FILE);
    folder.file("hold", "");
    // One run at a time in a folder: eight pipelines with one and the same step.
    let pipeline = |number| {
        let name = format!("pipeline{number}");
        let definition = "name: demo\nsteps:\n  a: {project: ../a}\n";
        folder.file(&format!("{name}/MLproject"), definition);
        start(&folder, &["-C", &name, "--steps", "a"])
    };
    let runs: Vec<Started> = (0..8).map(pipeline).collect();
    wait_until("it is being made", || folder.exists("creating"));
    std::fs::remove_file(folder.path().join("hold")).unwrap();
    let said = format!("{} 1 state\n", name_of(&folder));
    for run in runs {
        run.end().succeeds(&said);
    }
    assert_eq!(calls(&folder), [LIST, CREATE, LIST]);
}

#[test]
fn different_environments_are_made_at_once_with_a_stand_in() {
    let folder = with_conda(FILE);
    folder.file("b/conda.yaml", "dependencies: [python=3.12]\n");
    folder.step("b", "command: touch ../b_ran");
    folder.file("hold", "");
    let started = start(&folder, &["--steps", "a,b", "--env-jobs", "2"]);
    wait_until("both are being made", || {
        folder.exists("started-a") && folder.exists("started-b")
    });
    assert!(!folder.exists("b_ran"));
    std::fs::remove_file(folder.path().join("hold")).unwrap();
    started.end().ends(0);
}

#[test]
fn a_signal_ends_the_creation_with_a_stand_in() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let folder = with_conda(FILE);
        folder.file("hold", "");
        let started = start(&folder, &["--steps", "a"]);
        wait_until("it is being made", || folder.exists("creating"));
        let pid = folder.read("creating").trim().to_owned();
        started.signal(signal);
        let text = format!("error: stopped by SIG{signal} while environments were made\n");
        started.end().says(&text).ends(code);
        assert!(!is_alive(&pid));
        assert!(history(&folder).contains(" killed "));
        std::fs::remove_file(folder.path().join("hold")).unwrap();
        run(&folder, &["--steps", "a"]).run().ends(0);
        assert_eq!(calls(&folder), [LIST, CREATE, LIST, REMOVE, CREATE, LIST]);
    }
}

#[test]
fn a_run_that_is_killed_leaves_nothing_that_is_taken_for_whole_with_a_stand_in() {
    let folder = with_conda(FILE);
    folder.file("hold", "");
    let started = start(&folder, &["--steps", "a", "--grace", "100ms"]);
    wait_until("it is being made", || folder.exists("creating"));
    started.signal("KILL");
    started.end().dies_of(9);
    std::fs::remove_file(folder.path().join("hold")).unwrap();
    // The next run waits until the tool has ended, too.
    run(&folder, &["--steps", "a", "--wait"]).run().ends(0);
    assert_eq!(calls(&folder), [LIST, CREATE, LIST, REMOVE, CREATE, LIST]);
}

#[test]
fn a_conda_lock_counts_when_its_tool_is_there_with_a_stand_in() {
    let folder = with_conda(FILE);
    folder.file("a/conda-lock.yml", "version: 1\n");
    run(&folder, &["--steps", "a"]).run().ends(0);
    assert_eq!(calls(&folder), [LIST, CREATE, LIST]);
    let tool = "#!/usr/bin/env bash\necho \"${0##*/} $*\" >> \"$HOME/calls\"\nmkdir -p \"$HOME/envs/$3/conda-meta\"\n";
    program(&folder, "bin/conda-lock", tool);
    let path = format!(
        "{}:{}",
        folder.path().join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let path = format!("{}:{path}", orchestrator().parent().unwrap().display());
    run(&folder, &["--steps", "a"])
        .env("PATH", path)
        .run()
        .ends(0);
    let called = calls(&folder)[4].clone();
    assert!(
        called.starts_with("conda-lock install --name mlflow-NAME-"),
        "{called}"
    );
    assert!(called.ends_with(" [DIR]/a/conda-lock.yml"), "{called}");
}

#[test]
fn environments_are_listed_and_removed_with_a_stand_in() {
    let folder = with_conda(FILE);
    run(&folder, &["--env-list"]).run().succeeds("");
    run(&folder, &["--steps", "a"]).run().ends(0);
    let listed = run(&folder, &["--env-list", "--format", "json"])
        .run()
        .json();
    assert_eq!(listed[0]["name"], name_of(&folder));
    assert_eq!(listed[0]["state"], "complete");
    assert_eq!(listed[0]["tool"], "conda");
    // Not old enough; then in use; then neither.
    run(&folder, &["--env-prune", "1"]).run().succeeds("");
    folder.step(
        "a",
        "command: touch ../up; while [ ! -e ../done ]; do sleep 0.01; done",
    );
    let started = start(&folder, &["--steps", "a"]);
    wait_until("the step has started", || folder.exists("up"));
    run(&folder, &["--env-prune", "0"]).run().succeeds("");
    folder.file("done", "");
    started.end().ends(0);
    let name = name_of(&folder);
    run(&folder, &["--env-prune", "0"])
        .run()
        .succeeds(&format!("{name}\n"));
    assert!(!folder.exists(&format!("envs/{name}")));
    run(&folder, &["--env-list"]).run().succeeds("");
}

#[test]
fn another_root_for_environments_holds_those_of_conda_too_with_a_stand_in() {
    let folder = with_conda(FILE);
    let text = CONDA.replace("\"$HOME\"/envs", "\"$HOME/envs\"");
    let text = text.replace("$HOME/envs", "$CONDA_ENVS_PATH");
    program(&folder, "conda home/bin/conda", &text);
    let arguments = ["--steps", "a", "--env-root", "my envs"];
    run(&folder, &arguments).run().ends(0);
    let name = name_of(&folder);
    assert!(folder.exists(&format!("my envs/conda/{name}/conda-meta")));
    assert!(folder.exists(&format!("my envs/{name}.json")));
    assert!(!folder.exists(".cache"));
}

#[test]
fn a_home_that_cannot_be_written_is_told_with_the_way_out() {
    let folder = with_conda(FILE);
    // Not even root can write there.
    let ended = run(&folder, &["--steps", "a"])
        .env("HOME", "/proc/none")
        .run();
    ended.ends(1);
    let ended = ended.says("cannot write to /proc/none/.cache/orchestrator/environments/");
    ended.says("hint: `--env-root DIR` names another folder for environments\n");
    let without = "error: 1 problem; nothing was run\n  step `a`: no folder for environments: neither \
                   XDG_CACHE_HOME nor HOME is set (a/MLproject)\n    hint: name a folder with `--env-root`\n";
    run(&folder, &["--steps", "a"])
        .env("HOME", "")
        .run()
        .fails(1, without);
}

/// Which manager a plan chooses for the steps of the pipeline.
fn managers(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> = arguments
        .iter()
        .copied()
        .chain(["--list", "--format", "json"])
        .collect();
    let listed = folder.orchestrator(&arguments).run().json();
    let steps = listed.as_array().unwrap().iter();
    steps
        .map(|step| step["environment"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_project_the_pipeline_the_step_and_the_command_line_choose() {
    let folder = Folder::new();
    let steps = "steps:\n  bare:\n  conda:\n  docker:\n  python:\n  said: {project: conda, env_manager: local}\n";
    folder.file("MLproject", steps);
    for step in ["bare", "conda", "python"] {
        folder.step(step, "command: 'true'");
    }
    folder
        .file("conda/conda.yaml", "")
        .file("python/python_env.yaml", "");
    folder.file("python/conda.yaml", "");
    folder.file(
        "docker/MLproject",
        "docker_env: {image: x}\nentry_points: {main: {command: 'true'}}",
    );
    let by_project = ["virtualenv", "conda", "docker", "virtualenv", "local"];
    assert_eq!(managers(&folder, &[]), by_project);
    // Nothing but an image says how to make the environment of `docker`.
    let asked = ["--env-manager", "uv"];
    assert_eq!(
        managers(&folder, &asked),
        ["uv", "uv", "docker", "uv", "uv"]
    );
    assert_eq!(managers(&folder, &["--env-manager", "local"]), ["local"; 5]);
    folder.file("MLproject", format!("env_manager: uv\n{steps}"));
    assert_eq!(
        managers(&folder, &[]),
        ["uv", "uv", "docker", "uv", "local"]
    );
}

#[test]
fn environment_files_are_checked_for_all_steps_at_once() {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo");
    let files = [
        ("empty", ""),
        ("keys", "python: '3.11'\ndependancies: [six]\n"),
        ("list", "- six\n"),
        ("number", "python: 3.10\n"),
        ("packages", "dependencies: six\n"),
        ("requirements", "dependencies: [-r gone.txt]\n"),
        ("yaml", "python: '3.11\n"),
    ];
    for (step, file) in files {
        folder.file(&format!("{step}/python_env.yaml"), file);
        folder.step(step, "command: touch ../ran");
    }
    folder.file(
        "foreign/conda.yaml",
        "dependencies: [python=3.11, cudatoolkit=11.8, pip, {pip: [six]}, gcc]\n",
    );
    folder.step("foreign", "command: touch ../ran");
    let steps: Vec<&str> = files
        .iter()
        .map(|(step, _)| *step)
        .chain(["foreign"])
        .collect();
    let arguments = ["--steps", &steps.join(","), "--env-manager", "virtualenv"];
    let ended = folder.orchestrator(&arguments).run();
    ended.ends(1);
    let shape = "should be a mapping with `python` and `dependencies`";
    for text in [
        "error: 8 problems; nothing was run\n".to_owned(),
        format!("step `empty`: empty/python_env.yaml: an environment file {shape}"),
        "step `keys`: keys/python_env.yaml:2: `dependancies` is not a key of `python_env.yaml`".to_owned(),
        "did you mean `dependencies`?".to_owned(),
        format!("step `list`: list/python_env.yaml: an environment file {shape}"),
        "step `number`: number/python_env.yaml:1: `python` should be a version in quotes".to_owned(),
        "step `packages`: packages/python_env.yaml:1: `dependencies` should be a list".to_owned(),
        "step `requirements`: requirements/python_env.yaml reads a requirements file that does not exist: requirements/gone.txt".to_owned(),
        "step `yaml`: yaml/python_env.yaml:1:9: ".to_owned(),
        "step `foreign`: foreign/conda.yaml asks for packages that are not known to be on PyPI: `cudatoolkit=11.8`, `gcc`".to_owned(),
    ] {
        assert!(ended.stderr().contains(&text), "{text}\n{}", ended.stderr());
    }
    assert!(!folder.exists("ran"));
}

/// Acts as uv as far as we use it: an environment is a folder with a `python` that prints its Python and
/// its requirements.
const UV: &str = r#"#!/usr/bin/env bash
echo "${0##*/} $*" >> "$HOME/calls"
case "$1" in
  venv)
    while [ "$1" != --python ]; do shift; done
    mkdir -p "$3/bin"
    printf '#!/bin/sh\necho %s; cat %s/packages\n' "$2" "$3" > "$3/bin/python"
    chmod +x "$3/bin/python" ;;
  pip)
    while [ "$1" != --python ]; do shift; done
    [ "$3" = -r ] && cat "$4" >> "${2%/bin/python}/packages" ;;
esac
"#;

#[test]
fn packages_of_conda_come_from_pypi_by_a_stand_in_for_uv() {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo");
    program(&folder, "bin/uv", UV);
    let step = |file: &str| {
        folder.file("a/conda.yaml", file);
        folder.step("a", "command: python");
    };
    let run = |arguments: &[&str]| {
        let arguments = [&["--steps", "a", "--env-manager", "uv"], arguments].concat();
        let path = format!("{}/bin:{}", folder.path().display(), no_python());
        let path = format!("{path}:/usr/bin:/bin");
        folder.orchestrator(&arguments).env("PATH", path).run()
    };
    step(
        "channels: [conda-forge, defaults]
dependencies:
  - conda-forge::python == 9.8
  - pandas=2.3.2
  - requests =2.32
  - pip<=23
  - pytorch::pytorch>=2,<3
  - {pip: [wandb==0.24.0]}
",
    );
    let planned = run(&["--dry-run"]);
    planned.ends(0);
    let told = "pandas, requests, pytorch as torch\n";
    let plan = planned.stdout();
    assert!(
        plan.contains(&format!("\n   from PyPI: {told}   command: python\n")),
        "{plan}"
    );
    let plan = run(&["--dry-run", "--format", "json"]).json();
    let environment = &plan["steps"][0]["environment"];
    assert_eq!(environment["from_pypi"][2], "pytorch as torch");
    let installed = "9.8\npip<=23\npandas==2.3.2\nrequests==2.32.*\ntorch>=2,<3\nwandb==0.24.0\n";
    let ended = run(&[]).succeeds(installed);
    ended.says(&format!(" (uv): making it for a; from PyPI: {told}"));
    // Told once, when they are installed.
    let again = run(&[]).succeeds(installed);
    assert!(!again.stderr().contains("PyPI"), "{}", again.stderr());
    // What is installed decides which environment it is, however that is written.
    step(
        "dependencies: [python=9.8, pandas==2.3.2, 'requests 2.32.*', pip<=23, 'pytorch >= 2, < 3', {pip: [wandb==0.24.0]}]\n",
    );
    let same = run(&[]).succeeds(installed);
    assert!(!same.stderr().contains("PyPI"), "{}", same.stderr());
    step("dependencies: [python=9.8, pandas=2.3]\n");
    run(&[])
        .succeeds("9.8\npandas==2.3.*\n")
        .says("from PyPI: pandas\n");
    step("dependencies: [python=9.8, {pip: [pandas==2.3.2]}]\n");
    let of_pip = run(&[]).succeeds("9.8\npandas==2.3.2\n");
    assert!(!of_pip.stderr().contains("PyPI"), "{}", of_pip.stderr());
}

/// However a file of conda's cannot be used, the way out is one that works.
#[test]
fn hints_about_conda_lead_in_no_circle() {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo");
    program(&folder, "with uv/uv", UV);
    program(&folder, "with conda/conda", CONDA);
    folder.step("a", "command: python");
    let told = |manager: &str, tools: &str| {
        let path = format!("{}/{tools}:{}", folder.path().display(), no_python());
        let arguments = ["--steps", "a", "--env-manager", manager];
        let ended = folder.orchestrator(&arguments).env("PATH", path).run();
        ended.ends(1);
        assert!(!folder.exists("calls"));
        ended.stderr()
    };
    folder.file(
        "a/conda.yaml",
        "dependencies: [python=9.8, numpy, requests=2]\n",
    );
    let local = "`--env-manager local` runs the command without an environment";
    let expected = |other: &str| {
        format!("error: 1 problem; nothing was run
  step `a`: environment manager `conda` needs `conda` or `mamba` or `micromamba`, which was not found (a/MLproject)
    hint: `--env-manager {other}` needs none and installs from PyPI; or set MLFLOW_CONDA_HOME or CONDA_EXE; {local}
")
    };
    assert_eq!(told("conda", "with uv"), expected("uv"));
    assert_eq!(told("conda", "with none"), expected("virtualenv"));
    folder.file(
        "a/conda.yaml",
        "dependencies: [python=9.8, numpy, 'cudatoolkit=11.8', gcc]\n",
    );
    let pip = "or write what PyPI has, by its name there, below `pip:`, and take the rest out";
    let expected = format!("error: 1 problem; nothing was run
  step `a`: environment manager `conda` needs `conda` or `mamba` or `micromamba`, which was not found (a/MLproject)
    hint: install it, or set MLFLOW_CONDA_HOME or CONDA_EXE: `cudatoolkit=11.8`, `gcc` are not known to be on PyPI, from which other managers install; {pip}; {local}
");
    assert_eq!(told("conda", "with uv"), expected);
    let expected = |hint: &str| {
        format!("error: 1 problem; nothing was run
  step `a`: a/conda.yaml asks for packages that are not known to be on PyPI: `cudatoolkit=11.8`, `gcc` (a/MLproject)
    hint: {hint}
")
    };
    let install = format!(
        "install conda, mamba or micromamba, and take `--env-manager conda`; {pip}; {local}"
    );
    for manager in ["uv", "virtualenv"] {
        assert_eq!(told(manager, "with uv"), expected(&install));
        let conda = format!("`--env-manager conda` installs them; {pip}");
        assert_eq!(told(manager, "with conda"), expected(&conda));
    }
}

#[test]
fn what_a_manager_cannot_do_is_told_before_anything_runs() {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo");
    folder.file("python/python_env.yaml", "python: '9.9'\n");
    folder.step("python", "command: touch ../ran");
    folder.step("bare", "command: touch ../ran");
    folder.file(
        "docker/MLproject",
        "docker_env: {image: x, environment: [NOT_SET_HERE]}\nentry_points: {main: {command: 'true'}}",
    );
    let ask = |steps: &str, manager: &str| {
        let arguments = ["--steps", steps, "--env-manager", manager];
        let ended = folder
            .orchestrator(&arguments)
            .env("PATH", no_python())
            .run();
        ended.ends(1);
        ended.stderr()
    };
    let said = ask("python,bare,docker", "uv");
    assert!(
        said.contains("step `python`: environment manager `uv` needs `uv`, which was not found"),
        "{said}"
    );
    assert!(
        said.contains("needs `python3`, which is not on PATH"),
        "{said}"
    );
    assert!(
        said.contains("variables that are not set: `NOT_SET_HERE`"),
        "{said}"
    );
    folder.file(
        "docker/MLproject",
        "docker_env: {image: x}\nentry_points: {main: {command: 'true'}}",
    );
    let said = ask("docker", "docker");
    assert!(
        said.contains("needs `docker` or `podman`, which was not found"),
        "{said}"
    );
    let said = ask("python", "virtualenv");
    assert!(said.contains("no Python 9.9 is installed"), "{said}");
    assert!(
        ask("python", "conda")
            .contains("conda cannot make an environment from python/python_env.yaml")
    );
    assert!(ask("python", "docker").contains("the MLproject has no `docker_env`"));
    assert!(!folder.exists("ran"));
}

#[test]
fn a_lock_that_a_dead_process_held_holds_nobody_up() {
    let folder = with_conda(FILE);
    run(&folder, &["--steps", "a"]).run().ends(0);
    let lock = format!(".cache/orchestrator/environments/{}.lock", name_of(&folder));
    std::fs::remove_file(folder.path().join(lock.replace(".lock", ".json"))).unwrap();
    let script = format!("exec 9<{lock}; flock 9; touch locked; kill -9 $$");
    folder
        .program_in_path("bash", &["-c", &script])
        .run()
        .dies_of(9);
    assert!(folder.exists("locked"));
    run(&folder, &["--steps", "a"]).run().ends(0);
}

#[test]
fn an_engine_that_does_not_answer_is_told_before_anything_runs() {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo");
    folder.file(
        "a/MLproject",
        "docker_env: {image: x}\nentry_points: {main: {command: 'true'}}",
    );
    let engine = "#!/bin/sh\necho 'Cannot connect to the Docker daemon at unix:///x. Is it running?' >&2\nexit 1\n";
    program(&folder, "bin/docker", engine);
    let path = format!(
        "{}:{}",
        folder.path().join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let text = "error: 1 problem; nothing was run
  step `a`: `docker` cannot reach its engine: Cannot connect to the Docker daemon at unix:///x. Is it running? (a/MLproject)
    hint: start it, or set DOCKER_HOST to where it listens; `--env-manager local` runs the command without an environment
";
    let path = format!("{}:{path}", orchestrator().parent().unwrap().display());
    folder
        .orchestrator(&["--steps", "a"])
        .env("PATH", path)
        .run()
        .fails(1, text);
}
