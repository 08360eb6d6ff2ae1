//! Virtual environments by a real uv and by a real python and pip, with packages of the index that the
//! machine is configured for: `bash .ci/run venv`.

use std::process::Command;
use std::time::Duration;

use crate::by_main::lay_out;
use crate::harness::{Ended, Folder, Run, Started, orchestrator};

/// Two versions of Python that are installed, from the job.
fn pythons() -> [String; 2] {
    let versions = std::env::var("TEST_PYTHONS").expect("the job tells two versions");
    let mut versions = versions.split(' ').map(str::to_owned);
    [versions.next().unwrap(), versions.next().unwrap()]
}

/// What tells uv and pip of the machine where to look, which the harness takes out.
pub(crate) fn with_tools(run: Run) -> Run {
    let is_of_tool = |name: &str| {
        let starts = ["PIP_", "UV_", "SSL_", "PYENV_ROOT"];
        starts.iter().any(|start| name.starts_with(start))
            || name.to_lowercase().ends_with("_proxy")
    };
    std::env::vars()
        .filter(|(name, _)| is_of_tool(name))
        .fold(run, |run, (name, value)| run.env(&name, value))
}

fn run<'a>(folder: &'a Folder, arguments: &[&str]) -> Run<'a> {
    with_tools(folder.orchestrator(arguments))
}

/// PATH as it is, with the orchestrator, without any uv.
fn without_uv() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::env::split_paths(&path).filter(|folder| !folder.join("uv").exists());
    std::env::join_paths(std::iter::once(orchestrator().parent().unwrap().into()).chain(folders))
        .unwrap()
}

/// A step that prints its Python and the version of a package.
fn step(folder: &Folder, name: &str, python: &str, module: &str, dependencies: &str) {
    folder.file("MLproject", "name: demo");
    folder.file(
        &format!("{name}/python_env.yaml"),
        format!("python: \"{python}\"\ndependencies: [{dependencies}]\n"),
    );
    let script = format!(
        "import sys, {module} as it\nprint('.'.join(map(str, sys.version_info[:3])), it.__version__)\n"
    );
    folder.file(&format!("{name}/it.py"), script);
    folder.step(name, "command: python it.py");
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn steps_have_two_pythons_and_their_packages() {
    let [first, second] = pythons();
    let folder = Folder::new();
    step(&folder, "a", &first, "six", "six==1.16.0");
    step(&folder, "b", &second, "six", "six==1.17.0");
    let said = format!("{first} 1.16.0\n{second} 1.17.0\n");
    let arguments = ["--steps", "a,b"];
    let ended = run(&folder, &arguments).run().succeeds(&said);
    assert_eq!(ended.stderr().matches(" (uv): made in ").count(), 2);
    // Made once, and nothing of the network is needed any more.
    let again = run(&folder, &["--steps", "a,b", "--offline"])
        .run()
        .succeeds(&said);
    assert!(
        !again.stderr().contains("environment"),
        "{}",
        again.stderr()
    );
    let by_uv = run(&folder, &["--steps", "a", "--env-manager", "uv"]);
    by_uv.run().succeeds(&format!("{first} 1.16.0\n"));
    // A minor version is enough.
    let minor = first.rsplit_once('.').unwrap().0;
    step(&folder, "c", minor, "six", "six==1.16.0");
    let ended = run(&folder, &["--steps", "c"]).run();
    ended.ends(0);
    assert!(ended.stdout().starts_with(&format!("{minor}.")));
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn packages_of_conda_come_from_pypi() {
    let [first, _] = pythons();
    let minor = first.rsplit_once('.').unwrap().0;
    let folder = Folder::new();
    folder.file("MLproject", "name: demo");
    folder.file(
        "a/conda.yml",
        format!(
            "channels: [conda-forge, defaults]
dependencies:
  - conda-forge::python == {minor}
  - pyyaml=6.0
  - attrs >=22,<24
  - python-dateutil=2.9.0=pyhd8ed1ab_0
  - pip
  - pip: [six==1.16.0]
"
        ),
    );
    let script = "import sys, yaml, attr, dateutil, six\nprint('%d.%d' % sys.version_info[:2], yaml.__version__[:3], attr.__version__[:3], dateutil.__version__, six.__version__)\n";
    folder.file("a/it.py", script);
    let text = "conda_env: conda.yml\nentry_points: {main: {command: python it.py}}\n";
    folder.file("a/MLproject", text);
    let said = format!("{minor} 6.0 23. 2.9.0 1.16.0\n");
    for (manager, path) in [
        ("uv", None),
        ("virtualenv", None),
        ("virtualenv", Some(without_uv())),
    ] {
        let arguments = ["--steps", "a", "--env-manager", manager];
        let run = run(&folder, &arguments);
        let run = match path {
            Some(path) => run
                .env("PATH", path)
                .env("XDG_CACHE_HOME", folder.path().join("pip")),
            None => run,
        };
        let ended = run.run().succeeds(&said);
        ended.says("; from PyPI: pyyaml, attrs, python-dateutil\n");
    }
}

/// A pipeline whose main.py asks for conda, which is not there.
#[test]
#[ignore = "needs uv and two Pythons"]
fn a_pipeline_with_names_of_conda_runs_by_what_init_makes_of_it() {
    let [first, _] = pythons();
    let minor = first.rsplit_once('.').unwrap().0;
    let folder = Folder::new();
    lay_out(
        &folder,
        "conda_names",
        &[("python=3.11", &format!("python={minor}"))],
    );
    folder.orchestrator(&["--init"]).run().ends(0);
    let ended = run(&folder, &["--env-manager", "uv", "--source", "lake"]).run();
    ended.ends(0);
    ended.says("; from PyPI: pyyaml, requests\n");
    assert_eq!(
        folder.read("stages/extract/values.txt"),
        "- '2020-01-01'\n- lake\n"
    );
    assert_eq!(folder.read("stages/fit/values.txt"), "10 requests\n");
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn without_uv_python_and_pip_do_it() {
    let [first, second] = pythons();
    let folder = Folder::new();
    for (name, python) in [("a", &first), ("b", &second)] {
        step(&folder, name, python, "six", "six==1.16.0");
    }
    let ended = run(&folder, &["--steps", "a,b"])
        .env("PATH", without_uv())
        .run();
    let ended = ended.succeeds(&format!("{first} 1.16.0\n{second} 1.16.0\n"));
    ended.says(" (python -m venv): made in ");
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn a_conda_file_with_only_python_and_pip_needs_no_conda() {
    let [first, _] = pythons();
    let folder = Folder::new();
    step(&folder, "a", &first, "six", "");
    std::fs::remove_file(folder.path().join("a/python_env.yaml")).unwrap();
    let file = format!("dependencies: [python={first}, pip, {{pip: [-r more.txt]}}]\n");
    folder
        .file("a/conda.yaml", file)
        .file("a/more.txt", "six==1.16.0\n");
    let arguments = ["--steps", "a", "--env-manager", "virtualenv"];
    run(&folder, &arguments)
        .run()
        .succeeds(&format!("{first} 1.16.0\n"));
    // The file that is named counts with its text.
    folder.file("a/more.txt", "six==1.17.0\n");
    run(&folder, &arguments)
        .run()
        .succeeds(&format!("{first} 1.17.0\n"));
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn a_step_of_the_readme_can_be_copied() {
    let folder = Folder::new();
    let script = crate::readme::kind("venv");
    let run = with_tools(folder.program_in_path("bash", &["-c", &script]));
    run.run().succeeds("1.17.0\n");
}

fn uv(folder: &Folder, arguments: &[&str]) {
    with_tools(folder.program_in_path("uv", arguments))
        .run()
        .ends(0);
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn locked_requirements_are_installed_exactly_and_checked() {
    let [first, _] = pythons();
    let folder = Folder::new();
    step(&folder, "a", &first, "six", "six");
    folder.file("six.in", "six==1.16.0\n");
    uv(
        &folder,
        &[
            "pip",
            "compile",
            "--generate-hashes",
            "six.in",
            "-o",
            "a/requirements.lock",
        ],
    );
    run(&folder, &["--steps", "a"])
        .run()
        .succeeds(&format!("{first} 1.16.0\n"));
    let lock = folder.read("a/requirements.lock");
    assert!(lock.contains("--hash=sha256:"), "{lock}");
    // Every hash begins otherwise, but is still one.
    let wrong = lock.split("sha256:").map(|part| match part.get(..4) {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            format!(
                "{}{}",
                if digits == "0000" { "1111" } else { "0000" },
                &part[4..]
            )
        }
        _ => part.to_owned(),
    });
    let wrong = wrong.collect::<Vec<_>>().join("sha256:");
    folder.file("a/requirements.lock", wrong);
    run(&folder, &["--steps", "a"])
        .run()
        .says("1 environment could not be made")
        .ends(1);
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn a_lock_of_uv_is_installed_exactly() {
    let [first, _] = pythons();
    let folder = Folder::new();
    step(&folder, "a", &first, "six", "");
    let project = "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.8\"\ndependencies = [\"six==1.16.0\"]\n";
    folder.file("a/pyproject.toml", project);
    uv(&folder, &["lock", "--project", "a"]);
    run(&folder, &["--steps", "a"])
        .run()
        .succeeds(&format!("{first} 1.16.0\n"));
    let files = folder
        .files()
        .into_iter()
        .filter(|name| name.starts_with("a/"));
    let files: Vec<String> = files.collect();
    assert_eq!(
        files,
        [
            "a/MLproject",
            "a/it.py",
            "a/pyproject.toml",
            "a/python_env.yaml",
            "a/uv.lock"
        ]
    );
    let changed = folder.read("a/uv.lock") + "# changed\n";
    folder.file("a/uv.lock", changed);
    let ended = run(&folder, &["--steps", "a"])
        .env("PATH", without_uv())
        .run();
    ended.says("a/uv.lock can only be installed by uv").ends(1);
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn eight_pipelines_at_once_make_it_once() {
    let [first, _] = pythons();
    let folder = Folder::new();
    step(&folder, "a", &first, "six", "six==1.16.0, attrs, packaging");
    // One run at a time in a folder: eight pipelines with one and the same step.
    let pipeline = |number| {
        let name = format!("pipeline{number}");
        let definition = "name: demo\nsteps:\n  a: {project: ../a}\n";
        folder.file(&format!("{name}/MLproject"), definition);
        run(&folder, &["-C", &name, "--steps", "a"]).start()
    };
    let runs: Vec<Started> = (0..8).map(pipeline).collect();
    let said = format!("{first} 1.16.0\n");
    let ended = runs
        .into_iter()
        .map(|run| run.end().succeeds(&said).stderr());
    let made: usize = ended.map(|said| said.matches("made in").count()).sum();
    assert_eq!(made, 1);
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn what_cannot_be_installed_is_told_by_the_tool_before_any_step() {
    let [first, second] = pythons();
    let folder = Folder::new();
    folder.step("before", "command: touch ../ran");
    step(
        &folder,
        "gone",
        &first,
        "six",
        "no-such-package-of-that-name-1",
    );
    step(&folder, "pins", &second, "six", "six==1.16.0, six==1.17.0");
    folder.file(
        "MLproject",
        "steps: {before: {env_manager: local}, gone: , pins: }",
    );
    let ended = run(&folder, &["--steps", "all"]).run();
    ended.ends(1);
    let ended = ended.says("error: 2 environments could not be made; nothing was run\n");
    let ended = ended
        .says("no-such-package-of-that-name-1")
        .says(", for `gone`: `uv pip install");
    let ended = ended.says("six==1.16.0 and six==1.17.0");
    assert_eq!(
        ended
            .stderr()
            .matches("\n    log: .cache/orchestrator/")
            .count(),
        2
    );
    assert!(!folder.exists("ran"));
    // Nothing is left, and nothing half-made is taken for whole.
    run(&folder, &["--env-list"]).run().succeeds("");
    run(&folder, &["--steps", "gone"]).run().ends(1);
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn no_network_is_told_by_the_tool() {
    let [first, _] = pythons();
    let folder = Folder::new();
    step(&folder, "a", &first, "six", "six==1.16.0");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let index = format!("http://{}/simple", nobody.local_addr().unwrap());
    drop(nobody);
    let cut = |path: Option<std::ffi::OsString>| {
        let run = run(&folder, &["--steps", "a"])
            .env("UV_INDEX_URL", &index)
            .env("UV_DEFAULT_INDEX", &index);
        let run = run
            .env("PIP_INDEX_URL", &index)
            .env("PIP_RETRIES", "0")
            .env("UV_HTTP_RETRIES", "0");
        let run = run
            .env("UV_CACHE_DIR", folder.path().join("empty"))
            .env("PIP_FIND_LINKS", "")
            .env("UV_FIND_LINKS", "");
        match path {
            Some(path) => run.env("PATH", path),
            None => run,
        }
    };
    for path in [None, Some(without_uv())] {
        cut(path)
            .run()
            .says("1 environment could not be made; nothing was run")
            .ends(1);
    }
    // It works when the network is back.
    run(&folder, &["--steps", "a"])
        .run()
        .succeeds(&format!("{first} 1.16.0\n"));
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn a_disk_that_fills_up_is_told_and_the_next_run_works() {
    let [first, _] = pythons();
    let folder = Folder::new();
    step(&folder, "a", &first, "six", "six==1.16.0");
    // With pip in it, the environment takes more than two megabytes.
    let script = "mkdir small && mount -t tmpfs -o size=2m tmpfs small || exit 77
        orchestrator --steps a --env-root small && exit 1
        ls small/*.json 2>/dev/null && exit 2
        mount -o remount,size=200m small
        orchestrator --steps a --env-root small";
    let words = ["unshare", "--mount", "bash", "-c", script];
    let ended = as_root(&folder, &[], &words);
    let ended = ended.succeeds(&format!("{first} 1.16.0\n"));
    ended
        .says("No space left on device")
        .says("1 environment could not be made");
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

/// Runs a program as root; by sudo, which keeps no variables, if we are not.
fn as_root(folder: &Folder, settings: &[String], words: &[&str]) -> Ended {
    let kept = std::env::vars().filter(|(name, _)| name.starts_with("UV_") || name == "PYENV_ROOT");
    let mut all: Vec<String> = kept
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let path = std::env::var("PATH").unwrap();
    all.push(format!(
        "PATH={}:{path}",
        orchestrator().parent().unwrap().display()
    ));
    all.push(format!("HOME={}", folder.path().display()));
    all.extend_from_slice(settings);
    let sudo: &[&str] = if is_root() { &[] } else { &["sudo", "-n"] };
    let all = all.iter().map(String::as_str);
    let all: Vec<&str> = sudo
        .iter()
        .copied()
        .chain(["env"])
        .chain(all)
        .chain(words.iter().copied())
        .collect();
    with_tools(folder.program_in_path(all[0], &all[1..])).run()
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn two_hundred_kills_in_the_middle_leave_nothing_that_is_taken_for_whole() {
    let [first, _] = pythons();
    let folder = Folder::new();
    step(&folder, "a", &first, "six", "six==1.16.0");
    let said = format!("{first} 1.16.0\n");
    run(&folder, &["--steps", "a", "--env-root", "warm-up"])
        .run()
        .succeeds(&said);
    let arguments = ["--steps", "a", "--grace", "50ms", "--wait"];
    for kill in 0..200_u64 {
        let started = run(&folder, &arguments).start();
        // Not to wait for something, but to kill at ever another moment.
        std::thread::sleep(Duration::from_millis(kill * 7 % 450));
        started.signal("KILL");
        drop(started.end());
        run(&folder, &arguments).run().succeeds(&said);
        run(&folder, &["--env-prune", "0"]).run().ends(0);
    }
}

#[test]
#[ignore = "needs uv and two Pythons"]
fn an_environment_whose_python_has_gone_is_made_again() {
    let [first, _] = pythons();
    let folder = Folder::new();
    step(&folder, "a", &first, "six", "six==1.16.0");
    run(&folder, &["--steps", "a"]).run().ends(0);
    let root = folder.path().join(".cache/orchestrator/environments");
    let prefix = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let prefix = prefix.into_iter().find(|path| path.is_dir()).unwrap();
    std::fs::remove_file(prefix.join("bin/python")).unwrap();
    std::os::unix::fs::symlink("/no/where", prefix.join("bin/python")).unwrap();
    run(&folder, &["--steps", "a"])
        .run()
        .says("made in")
        .ends(0);
}

#[test]
#[ignore = "needs uv, root or sudo"]
fn two_users_share_one_root() {
    let folder = Folder::new();
    // For everyone: the folder, the programs, and a Python that is not in a home.
    let script = "set -e; chmod 755 .; mkdir -m 1777 shared tmp root nobody; mkdir bin; cp $(command -v orchestrator uv) bin";
    folder
        .program_in_path("bash", &["-c", script])
        .run()
        .ends(0);
    for user in ["root", "nobody"] {
        let projects = "{a: {project: ../a}, b: {project: ../b}, c: {project: ../c}}";
        folder.file(
            &format!("{user}/MLproject"),
            format!("name: demo\nsteps: {projects}\n"),
        );
    }
    for name in ["a", "b", "c"] {
        folder.file(
            &format!("{name}/python_env.yaml"),
            format!("dependencies: [] # {name}\nbuild_dependencies: [six]\n"),
        );
        folder.step(name, "command: python -c 'import six; print(six.__name__)'");
    }
    folder.file("b/python_env.yaml", "dependencies: [six]\n");
    folder.file("c/python_env.yaml", "dependencies: [six, six]\n");
    let folder_path = folder.path();
    let path = format!("PATH={}:/usr/bin:/bin", folder_path.join("bin").display());
    let orchestrate = |user: &str, step: &str| {
        let mut words = match user {
            "nobody" => vec![
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
            ],
            _ => Vec::new(),
        };
        // A pipeline each, as each keeps the output of its runs.
        words.extend(["orchestrator", "-C", user]);
        words.extend(["--steps", step, "--env-root", "shared"]);
        let home = folder_path.join("tmp").join(user);
        let settings = [
            path.clone(),
            format!("HOME={}", home.display()),
            format!("UV_CACHE_DIR={}", home.join("cache").display()),
        ];
        as_root(&folder, &settings, &words)
    };
    orchestrate("root", "a").succeeds("six\n").says("made in");
    let reused = orchestrate("nobody", "a").succeeds("six\n");
    assert!(
        !reused.stderr().contains("environment"),
        "{}",
        reused.stderr()
    );
    orchestrate("nobody", "b").succeeds("six\n").says("made in");
    let reused = orchestrate("root", "b").succeeds("six\n");
    assert!(
        !reused.stderr().contains("environment"),
        "{}",
        reused.stderr()
    );
    // What another user has left half-made cannot be removed.
    orchestrate("root", "c").succeeds("six\n");
    let unfinished = "cd shared && for f in *.json; do grep -q /c/ $f && rm $f; done; true";
    folder
        .program_in_path("bash", &["-c", unfinished])
        .run()
        .ends(0);
    let ended = orchestrate("nobody", "c");
    ended
        .says("cannot write to shared/virtualenv-")
        .says("--env-root DIR")
        .ends(1);
}
