//! What a project says of its environment, and whatever its files may be: the plan takes no text for an
//! option or a path, waits for nothing, and starts only the tools that it has to ask.

use std::os::unix::fs::symlink;

use crate::environment_making::{path_with, program};
use crate::environment_trust::{pipe, quickly};
use crate::harness::{Ended, Folder};

/// Records how it was called, and from where; answers as an engine that has every image.
const TOOL: &str = "#!/bin/sh\necho \"$PWD: $0 $*\" >> \"$HOME/calls\"\n";

/// Tools that only record that they were called.
fn folder() -> Folder {
    let folder = Folder::new();
    for name in [
        "docker",
        "podman",
        "uv",
        "conda",
        "mamba",
        "conda-lock",
        "git",
    ] {
        program(&folder, &format!("bin/{name}"), TOOL);
    }
    folder.file("MLproject", "name: demo");
    folder
}

fn plan(folder: &Folder, more: &[&str]) -> Ended {
    let arguments = [&["--steps", "a", "--no-tracking"], more].concat();
    let run = quickly(folder, &arguments).env("PATH", path_with(folder, "bin"));
    run.run()
}

/// Asserts that looking and planning end at once with a text, and that nothing was started or written.
#[track_caller]
fn refused(folder: &Folder, text: &str) {
    std::fs::remove_file(folder.path().join("calls")).ok();
    for option in ["--check", "--dry-run"] {
        let ended = plan(folder, &[option]);
        ended.ends(1);
        assert_eq!(ended.stdout(), "");
        let said = ended.stderr();
        assert!(said.contains(text), "{text:?} is not in:\n{said}");
    }
    plan(folder, &["--list"]).ends(0);
    assert!(!folder.exists("calls"), "{}", folder.read("calls"));
    assert!(!folder.exists(".cache"));
}

/// A text in quotes for YAML.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn docker(folder: &Folder, environment: &str) {
    let text = format!("docker_env: {environment}\nentry_points: {{main: {{command: 'true'}}}}\n");
    folder.file("a/MLproject", text);
}

#[test]
fn an_image_is_no_option_and_nothing_but_a_name() {
    let folder = folder();
    for image in [
        "--privileged",
        "-v/:/host",
        "--",
        "x y",
        "x\nRUN touch pwned",
        "x\u{1b}]52;c;eA==\u{7}",
        "../x",
        "$(touch pwned)",
        "docker-archive:/etc/passwd",
        "X",
    ] {
        docker(&folder, &format!("{{image: {}}}", quoted(image)));
        refused(&folder, "is not a valid image name");
    }
    for volume in ["-v", "--privileged", "/a:/b\n--privileged"] {
        docker(
            &folder,
            &format!("{{image: x, volumes: [{}]}}", quoted(volume)),
        );
        refused(&folder, "`docker_env` cannot have the volume `");
    }
    for name in ["*", "--privileged", "A=B", "A B", "A\n"] {
        let name = quoted(name);
        for variable in [name.clone(), format!("[{name}, x]")] {
            docker(&folder, &format!("{{image: x, environment: [{variable}]}}"));
            refused(&folder, "`docker_env` cannot have the variable `");
        }
    }
    // The engine is asked by its path, from nobody's folder.
    docker(
        &folder,
        "{image: 'h.io:5000/python:3.11', environment: [[A, '--x']], volumes: ['/a:/b']}",
    );
    plan(&folder, &["--check"]).ends(0);
    let path = folder.path().join("bin/docker").display().to_string();
    let asked = format!("/: {path} image inspect --format {{{{.Id}}}} h.io:5000/python:3.11\n");
    assert_eq!(folder.read("calls"), asked);
}

/// Acts as an engine that has every image, and writes down what it is to create, a word in each line.
const ENGINE: &str = r#"#!/usr/bin/env bash
[ "$1" != create ] || printf '%s\n' "$@" > "$HOME/created"
"#;

#[test]
fn volumes_and_variables_are_expanded_as_by_a_shell_in_the_projects_folder() {
    let folder = folder();
    program(&folder, "bin/docker", ENGINE);
    let volumes = [
        "${PWD}/data:/data",
        "$(pwd)/data:/opt/data",
        "~/x:/x",
        "'/a $b':/c",
        "${DATA:-/mnt}/d:/d:ro",
        "$DATA_ROOT/e:/e",
        "named:/f",
    ];
    let variables = [
        ("A", "$HOME/x"),
        ("B", "two words -v /:/host"),
        ("C", "~/c:~/d"),
        ("D", "'$HOME'"),
        ("E", "$NOT_SET_HERE"),
        ("F", "a$"),
        ("g-h", "~"),
    ];
    let volumes = volumes.map(quoted).join(", ");
    let pairs = variables.map(|(name, value)| format!("[{name}, {}]", quoted(value)));
    let pairs = pairs.join(", ");
    docker(
        &folder,
        &format!("{{image: x, volumes: [{volumes}], environment: [{pairs}, COPIED]}}"),
    );
    let run = quickly(&folder, &["--steps", "a", "--no-tracking"]);
    let run = run.env("PATH", path_with(&folder, "bin"));
    let run = run
        .env("COPIED", "$HOME `date`")
        .env("DATA_ROOT", "/big disk/$HOME");
    run.run().ends(0);
    let home = folder.path().display().to_string();
    let created = folder.read("created").replace(&home, "[DIR]");
    let created: Vec<&str> = created.lines().collect();
    let values_of = |option: &str| {
        let pairs = created.windows(2).filter(|pair| pair[0] == option);
        pairs.map(|pair| pair[1]).collect::<Vec<_>>()
    };
    let volumes = [
        "[DIR]/a/data:/data",
        "[DIR]/a/data:/opt/data",
        "[DIR]/x:/x",
        "/a $b:/c",
        "/mnt/d:/d:ro",
        "/big disk/$HOME/e:/e",
        "named:/f",
    ];
    assert_eq!(values_of("--volume"), volumes);
    let mut variables = values_of("--env");
    variables.retain(|variable| {
        !["MLFLOW", "ORCHESTRATOR", "PIPELINE"]
            .iter()
            .any(|ours| variable.starts_with(ours))
    });
    let expected = [
        "A=[DIR]/x",
        "B=two words -v /:/host",
        "C=[DIR]/c:[DIR]/d",
        "D=$HOME",
        "E=",
        "F=a$",
        "g-h=~",
        "COPIED",
    ];
    assert_eq!(variables, expected);
    // Through a link, a shell goes by the name that it came by.
    std::os::unix::fs::symlink(folder.path().join("a"), folder.path().join("link")).unwrap();
    docker(&folder, "{image: x, volumes: [$PWD:/p]}");
    let run = quickly(&folder, &["--steps", "a", "--no-tracking"]);
    let run = run.env("PATH", path_with(&folder, "bin"));
    run.env("PWD", folder.path().join("link")).run().ends(0);
    assert!(folder.read("created").contains("/link:/p\n"));
}

#[test]
fn variables_of_the_definition_are_expanded_before_the_callers() {
    let folder = folder();
    program(&folder, "bin/docker", ENGINE);
    folder.file(
        "MLproject",
        "name: demo\nenv: {DATA: /of_all, MODE: fast}\nsteps:\n  a:\n    env: {DATA: /of_step}\n",
    );
    docker(
        &folder,
        "{image: x, volumes: ['$DATA:/data'], environment: [[A, $MODE], MODE]}",
    );
    let run = quickly(&folder, &["--no-tracking"]).env("PATH", path_with(&folder, "bin"));
    run.env("DATA", "/of_caller").run().ends(0);
    let created = folder.read("created");
    for words in [
        "--volume\n/of_step:/data\n",
        "--env\nA=fast\n",
        "--env\nMODE",
    ] {
        assert!(created.contains(words), "{words:?}: {created}");
    }
    assert!(!created.contains("/of_caller"));
}

#[test]
fn another_volume_is_another_environment_to_what_is_up_to_date() {
    let folder = folder();
    // It says which image it has, and otherwise does nothing.
    program(
        &folder,
        "bin/docker",
        "#!/bin/sh\n[ \"$1\" != image ] || echo sha256:1\n",
    );
    let run = |volume: &str| {
        let text = format!(
            "docker_env: {{image: x, volumes: [{volume}]}}\nentry_points: {{main: {{parameters: {{o: {{default: o}}}}, outputs: [o], command: 'true'}}}}\n"
        );
        folder.file("a/MLproject", text);
        let run = quickly(&folder, &["--steps", "a", "--no-tracking", "--cached"]);
        run.env("PATH", path_with(&folder, "bin")).run()
    };
    folder.file("a/o", "");
    run("$PWD/x:/x").ends(0);
    let home = folder.path().display().to_string();
    let again = run("$(pwd)/x:/x");
    again.ends(0);
    assert!(again.stderr().contains("up to date"), "{}", again.stderr());
    let changed = run("$PWD/y:/x");
    changed.ends(0);
    let said = changed.stderr().replace(&home, "[DIR]");
    assert!(
        said.contains("environment changed: docker x (sha256:1) -v [DIR]/a/y:/x"),
        "{said}"
    );
}

#[test]
fn what_a_shell_would_run_or_lose_in_a_container_s_settings_is_refused() {
    let folder = folder();
    for (volume, reason) in [
        ("$(touch pwned):/x", "`$(touch pwned)` would run a program"),
        (
            "$(pwd; touch pwned):/x",
            "`$(pwd; touch pwned)` would run a program",
        ),
        ("`pwd`:/x", "``` would run a program"),
        ("/x:/y; touch pwned", "`;` would run a program"),
        ("<(touch pwned):/x", "`<` would run a program"),
        (
            "${NOT_SET_HERE:-$(touch pwned)}:/x",
            "`$(touch pwned)` would run a program",
        ),
        (
            "$NOT_SET_HERE:/x",
            "`NOT_SET_HERE` is not set\n    hint: set it, or write a default, as in `${NOT_SET_HERE:-/data}`",
        ),
        ("${NOT_SET_HERE:?}:/x", "`NOT_SET_HERE` is not set"),
        ("/{a,b}:/x", "`{` would become several words"),
        ("${HOME%/}:/x", "`${HOME%…}` is not expanded here"),
        ("~root:/x", "`~NAME` is not expanded here"),
        (
            "/$MLFLOW_RUN_ID:/x",
            "`MLFLOW_RUN_ID` is known only when it runs",
        ),
        ("'/x:/y", "`'` is not closed"),
    ] {
        docker(
            &folder,
            &format!("{{image: x, volumes: [{}]}}", quoted(volume)),
        );
        let (reason, hint) = reason.split_once('\n').unwrap_or((reason, ""));
        let text = format!(
            "step `a`: `docker_env.volumes` cannot have `{volume}`: {reason} (a/MLproject)\n{hint}"
        );
        refused(&folder, &text);
        docker(
            &folder,
            &format!("{{image: x, environment: [[A_TOKEN, {}]]}}", quoted(volume)),
        );
        if !reason.ends_with("is not set") {
            let text = format!("`docker_env.environment` cannot have `A_TOKEN=***`: {reason}");
            refused(&folder, &text);
        }
    }
    // A value that would be an option.
    docker(&folder, "{image: x, volumes: [$OPTION]}");
    let run = quickly(&folder, &["--steps", "a", "--no-tracking", "--check"]);
    let run = run.env("PATH", path_with(&folder, "bin"));
    let ended = run.env("OPTION", "--privileged").run();
    ended
        .says("cannot have the volume `$OPTION` (a/MLproject)")
        .ends(1);
    assert!(!folder.exists("a/pwned") && !folder.exists("pwned"));
}

#[test]
fn a_version_of_python_is_no_path_and_no_option() {
    let folder = folder();
    folder.step("a", "command: 'true'");
    for version in [
        "../../evil/python",
        "/bin/sh",
        "--help",
        "-h",
        "python3",
        "3.11 --x",
        "3.11\n",
        ">=3",
        "any",
    ] {
        folder.file(
            "a/python_env.yaml",
            format!("python: {}\n", quoted(version)),
        );
        refused(
            &folder,
            "a/python_env.yaml:1: `python` should be a version in quotes, such as \"3.11\"",
        );
    }
    std::fs::remove_file(folder.path().join("a/python_env.yaml")).unwrap();
    for version in ["..", "./3.11", "3.11/x", "--help"] {
        folder.file(
            "a/conda.yaml",
            format!("dependencies: [{}]\n", quoted(&format!("python={version}"))),
        );
        let arguments = ["--check", "--env-manager", "uv"];
        let ended = plan(&folder, &arguments);
        ended
            .says(&format!("a/conda.yaml:1: `python={version}` should be "))
            .ends(1);
        assert!(!folder.exists("calls"));
    }
    std::fs::remove_file(folder.path().join("a/conda.yaml")).unwrap();
    for version in ["3", "3.11", "3.11.7", "3.11.*", "3.14.0rc1"] {
        folder.file("a/python_env.yaml", format!("python: '{version}'\n"));
        plan(&folder, &["--check"]).ends(0);
    }
    assert!(!folder.exists("calls"));
}

#[test]
fn a_requirements_file_is_read_within_limits() {
    let folder = folder();
    folder.step("a", "command: 'true'");
    folder.file(
        "a/python_env.yaml",
        "python: '3.11'\ndependencies: [-r req.txt]\n",
    );
    let requirements = folder.path().join("a/req.txt");
    let empty = || drop(std::fs::remove_file(&requirements));
    for (target, reason) in [
        (
            "/dev/zero",
            "cannot read a/req.txt: it is not a regular file",
        ),
        ("/dev/stdin", "cannot read a/req.txt: "),
        ("..", "cannot read a/req.txt: it is not a regular file"),
        (
            "/no/where",
            "reads a requirements file that does not exist: a/req.txt",
        ),
        ("req.txt", "cannot read a/req.txt: "),
    ] {
        empty();
        symlink(target, &requirements).unwrap();
        refused(&folder, reason);
    }
    empty();
    pipe(&folder, "a/req.txt");
    refused(&folder, "cannot read a/req.txt: it is not a regular file");
    empty();
    // It takes no room.
    let huge = std::fs::File::create(&requirements).unwrap();
    huge.set_len(600_000_000).unwrap();
    refused(
        &folder,
        "cannot read a/req.txt: it has more than 1048576 bytes",
    );
    // Within another file, and by the other options.
    empty();
    folder.file("a/req.txt", "-c more.txt\n");
    pipe(&folder, "a/more.txt");
    refused(&folder, "cannot read a/more.txt: it is not a regular file");
    folder.file("a/req.txt", "\n");
    folder.file(
        "a/python_env.yaml",
        "build_dependencies: ['--constraint=more.txt']\n",
    );
    refused(&folder, "cannot read a/more.txt: it is not a regular file");
    // Ten of each that name ten of each: they are read once.
    let named: Vec<String> = (0..50).map(|number| format!("-r {number}.txt")).collect();
    for number in 0..50 {
        folder.file(&format!("a/{number}.txt"), named.join("\n"));
    }
    folder.file(
        "a/python_env.yaml",
        "python: '3.11'\ndependencies: [-r 0.txt]\n",
    );
    plan(&folder, &["--check"]).ends(0);
    for number in 0..200 {
        folder.file(&format!("a/{number}.txt"), format!("-r {}.txt", number + 1));
    }
    refused(&folder, "reads more than 100 requirements files");
    // A file whose name begins like an option; it may lie elsewhere.
    folder.file("-x.txt", "six\n");
    folder.file(
        "a/python_env.yaml",
        "python: '3.11'\ndependencies: [-r ../-x.txt, '-r ./--index-url']\n",
    );
    folder.file("a/--index-url", "six\n");
    plan(&folder, &["--check"]).ends(0);
    assert!(!folder.exists("calls"));
    plan(&folder, &[]).ends(1);
    let calls = folder.read("calls");
    assert!(calls.contains("uv venv --no-project "), "{calls}");
}

#[test]
fn files_that_lock_or_describe_an_environment_are_read_within_limits() {
    let locks = ["requirements.lock", "uv.lock", "pyproject.toml"];
    for name in locks {
        let folder = folder();
        folder.step("a", "command: 'true'");
        folder.file("a/python_env.yaml", "python: '3.11'\n");
        if name == "pyproject.toml" {
            folder.file("a/uv.lock", "");
        }
        let file = format!("a/{name}");
        pipe(&folder, &file);
        refused(
            &folder,
            &format!("cannot read {file}: it is not a regular file"),
        );
        std::fs::remove_file(folder.path().join(&file)).unwrap();
        symlink("/dev/zero", folder.path().join(&file)).unwrap();
        refused(
            &folder,
            &format!("cannot read {file}: it is not a regular file"),
        );
        std::fs::remove_file(folder.path().join(&file)).unwrap();
        let huge = std::fs::File::create(folder.path().join(&file)).unwrap();
        huge.set_len(600_000_000).unwrap();
        refused(
            &folder,
            &format!("cannot read {file}: it has more than 16777216 bytes"),
        );
    }
    for name in ["python_env.yaml", "conda.yaml"] {
        let folder = folder();
        folder.step("a", "command: 'true'");
        pipe(&folder, &format!("a/{name}"));
        refused(&folder, "a/");
        std::fs::remove_file(folder.path().join("a").join(name)).unwrap();
        let huge = std::fs::File::create(folder.path().join("a").join(name)).unwrap();
        huge.set_len(600_000_000).unwrap();
        refused(&folder, "it has more than 1048576 bytes");
    }
    let folder = folder();
    folder.step("a", "command: 'true'");
    folder.file("a/conda.yaml", "dependencies: [python=3.11]\n");
    let lock = std::fs::File::create(folder.path().join("a/conda-lock.yml")).unwrap();
    lock.set_len(600_000_000).unwrap();
    refused(
        &folder,
        "cannot read a/conda-lock.yml: it has more than 16777216 bytes",
    );
    // One that names a folder, or another environment, is made under our name all the same.
    std::fs::remove_file(folder.path().join("a/conda-lock.yml")).unwrap();
    let text = "name: base\nprefix: /usr\nvariables: {A: b}\ndependencies: [python=3.11]\n";
    folder.file("a/conda.yaml", text);
    plan(&folder, &["--check"]).ends(0);
    assert!(!folder.exists("calls"));
    plan(&folder, &[]).ends(1);
    let create = " env create -n mlflow-";
    assert!(
        folder.read("calls").contains(create),
        "{}",
        folder.read("calls")
    );
}

#[test]
fn a_version_selected_for_pyenv_is_read_within_limits() {
    let folder = folder();
    folder.step("a", "command: 'true'");
    program(
        &folder,
        "shims/python3",
        "#!/bin/sh\ntouch \"$HOME/calls\"\n",
    );
    program(&folder, "pyenv/versions/3.11.7/bin/python3", "#!/bin/sh\n");
    folder.file("pyenv/version", "3.11.7\n");
    let path = format!(
        "{}:{}",
        folder.path().join("bin").display(),
        folder.path().join("shims").display()
    );
    let check = || {
        let arguments = ["--steps", "a", "--check"];
        let run = quickly(&folder, &arguments).env("PYENV_ROOT", folder.path().join("pyenv"));
        let path = format!("{path}:{}", path_with(&folder, "bin"));
        run.env("PATH", path).run()
    };
    for text in ["3.11.7\n", "../../evil\n", "--help\n"] {
        folder.file("a/.python-version", text);
        check().ends(0);
    }
    std::fs::remove_file(folder.path().join("a/.python-version")).unwrap();
    pipe(&folder, "a/.python-version");
    check().ends(0);
    assert!(!folder.exists("calls"));
}
