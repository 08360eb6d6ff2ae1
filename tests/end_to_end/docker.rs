//! Steps in containers of a real engine, which `tests/docker.sh` starts: `bash .ci/run docker`.

use std::process::Command;

use rusqlite::Connection;

use crate::by_main::lay_out;
use crate::harness::{Folder, Run, orchestrator, wait_until};
use crate::slurm_stand_in;

/// A busybox, without bash.
const IMAGE: &str = "orchestrator-test:1";

fn run<'a>(folder: &'a Folder, arguments: &[&str]) -> Run<'a> {
    let names = ["DOCKER_HOST", "PYENV_ROOT"];
    let set = names
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)));
    let tools = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        ["PIP_", "UV_", "SSL_"]
            .iter()
            .any(|start| name.starts_with(start))
    });
    let run = set.fold(folder.orchestrator(arguments), |run, (name, value)| {
        run.env(name, value)
    });
    tools.fold(run, |run, (name, value)| {
        run.env(&name.to_string_lossy(), value)
    })
}

/// A step in a container; `more` is what its `docker_env` has besides the image.
fn step(folder: &Folder, name: &str, more: &str, main: &str) {
    let body = main.replace('\n', "\n    ");
    let text = format!(
        "name: {name}\ndocker_env: {{image: '{IMAGE}'{more}}}\nentry_points:\n  main:\n    {body}\n"
    );
    folder.file(&format!("{name}/MLproject"), text);
}

fn pipeline() -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo");
    folder
}

/// The names of all containers of a step, running or not.
fn containers(step: &str) -> String {
    let filter = format!("name=orchestrator-{step}-");
    let arguments = [
        "ps",
        "--all",
        "--filter",
        &filter,
        "--format",
        "{{.Names}} {{.Status}}",
    ];
    let listed = Command::new("docker").args(arguments).output().unwrap();
    assert!(listed.status.success());
    String::from_utf8(listed.stdout).unwrap()
}

/// A pipeline whose main.py runs steps in containers with volumes that a shell expands.
#[test]
#[ignore = "needs a docker engine"]
fn a_pipeline_in_containers_runs_by_what_init_makes_of_it() {
    let folder = Folder::new();
    lay_out(&folder, "docker", &[("IMAGE", IMAGE)]);
    folder.orchestrator(&["--init"]).run().ends(0);
    run(&folder, &["--size", "7"])
        .env("LEVEL", "high")
        .run()
        .ends(0);
    assert_eq!(folder.read("resize/values.txt"), "one.png\nhigh-90\n7\n");
}

#[test]
#[ignore = "needs a docker engine"]
fn a_step_on_slurm_runs_in_a_container_of_its_node() {
    let folder = pipeline();
    slurm_stand_in::cluster(&folder);
    let command = "command: 'echo $(cat /proc/1/comm); exit 7'";
    step(&folder, "remote", "", command);
    let outside = std::env::var_os("PATH").unwrap();
    let ours = [
        folder.path().join("bin"),
        orchestrator().parent().unwrap().to_owned(),
    ];
    let path = ours.into_iter().chain(std::env::split_paths(&outside));
    let path = std::env::join_paths(path).unwrap();
    let ended = run(&folder, &["-b", "slurm", "remote"])
        .env("PATH", path)
        .run();
    ended.ends(1);
    let ended = ended.prints("docker-init\n");
    ended.says("error: step `remote` failed with exit code 7");
    assert!(folder.read("asked").contains("\nsrun --quiet "));
    assert_eq!(containers("remote"), "");
}

#[test]
#[ignore = "needs a docker engine"]
fn files_are_handed_on_between_a_container_and_the_host() {
    let folder = pipeline();
    folder.file(
        "MLproject",
        "steps: {make: , change: {env_manager: local}, read: }",
    );
    step(
        &folder,
        "make",
        "",
        "parameters: {raw: ../raw.txt}\noutputs: [raw]\ncommand: sh make.sh {raw}",
    );
    folder.file(
        "make/MLproject",
        folder
            .read("make/MLproject")
            .replace("raw: ../raw.txt", "raw: {default: ../raw.txt}"),
    );
    folder.file("make/make.sh", "echo made in $(basename $PWD) > $1\n");
    folder.step("change", "parameters: {raw: {default: ../raw.txt}, new: {default: ../new.txt}}\ninputs: [raw]\noutputs: [new]\ncommand: tr a-z A-Z < {raw} > {new}");
    step(
        &folder,
        "read",
        "",
        "parameters: {new: {default: ../new.txt}}\ninputs: [new]\ncommand: cat {new}",
    );
    run(&folder, &[]).run().succeeds("MADE IN MAKE\n");
    // Whoever runs it owns what it writes.
    let owner = Command::new("stat")
        .args(["-c", "%u"])
        .arg(folder.path().join("raw.txt"))
        .output();
    assert_eq!(
        owner.unwrap().stdout,
        Command::new("id").arg("-u").output().unwrap().stdout
    );
    // Files elsewhere are there under the same path, too.
    let elsewhere = Folder::new();
    let raw = elsewhere.path().join("a, b.txt");
    run(&folder, &["--raw", raw.to_str().unwrap()])
        .run()
        .succeeds("MADE IN MAKE\n");
    assert_eq!(elsewhere.read("a, b.txt"), "made in make\n");
    assert_eq!(containers("make"), "");
}

#[test]
#[ignore = "needs a docker engine"]
fn exit_codes_are_told_as_those_of_local_steps() {
    let folder = pipeline();
    step(
        &folder,
        "s",
        "",
        "parameters: {code: int}\ncommand: exit {code}",
    );
    for code in [0, 1, 2, 7, 100, 255] {
        let ended = run(&folder, &["--steps", "s", "--code", &code.to_string()]).run();
        if code == 0 {
            ended.ends(0);
        } else {
            ended
                .says(&format!(
                    "error: step `s` failed with exit code {code} after [TIME]\n"
                ))
                .ends(1);
        }
    }
    step(&folder, "n", "", "command: no-such-program --x");
    run(&folder, &["--steps", "n"])
        .run()
        .says("failed with exit code 127")
        .ends(1);
    step(&folder, "k", "", "command: kill -9 $$");
    run(&folder, &["--steps", "k"])
        .run()
        .says("failed with exit code 137")
        .ends(1);
    assert_eq!(containers("s") + &containers("n") + &containers("k"), "");
}

#[test]
#[ignore = "needs a docker engine"]
fn the_command_runs_inside_with_its_variables_and_streams() {
    let folder = pipeline();
    let more = ", environment: [[PAIR, 'a b$'], COPIED], volumes: ['/VOLUME:/mounted']";
    let more = more.replace("/VOLUME", &folder.path().join("volume").to_string_lossy());
    folder.file("volume/x", "from the volume\n");
    let command = "parameters: {text: str}\ncommand: >-\n  echo \"$PAIR|$COPIED|$MLFLOW_RUN_ID\" {text} && echo rows 3 >> $PIPELINE_METRICS && cat /mounted/x && echo err >&2 | cat && [ ! -e /etc/os-release ] && test -e ${{MLFLOW_TRACKING_URI#sqlite:///}}";
    step(&folder, "s", &more, command);
    // A tracking store elsewhere on this machine is there under its path.
    let elsewhere = Folder::new();
    let tracking = elsewhere.path().join("mlflow.db");
    let ended = run(&folder, &["--steps", "s", "--text", "it's"])
        .env("COPIED", "c d")
        .env("MLFLOW_EXPERIMENT_NAME", "none of the container's")
        .env(
            "MLFLOW_TRACKING_URI",
            format!("sqlite:///{}", tracking.display()),
        )
        .run();
    let recorded = Connection::open(&tracking).unwrap();
    let sql = "SELECT run_uuid FROM metrics WHERE key = 'rows' AND value = 3";
    let id: String = recorded.query_row(sql, [], |row| row.get(0)).unwrap();
    ended
        .succeeds(&format!("a b$|c d|{id} it's\nfrom the volume\n"))
        .says("\nerr\n");
    // An image that is there needs no folder for environments.
    step(&folder, "v", "", "command: echo up");
    let homeless = run(&folder, &["--steps", "v"]).env("HOME", "/proc/none");
    homeless.run().succeeds("up\n");
    // `docker run` takes more options, and the last counts.
    step(&folder, "u", "", "command: id -u");
    run(&folder, &["--steps", "u", "-A", "user=12:34"])
        .run()
        .succeeds("12\n");
    run(&folder, &["--steps", "u", "-A", "read-only", "-A", "u=7"])
        .run()
        .succeeds("7\n");
}

#[test]
#[ignore = "needs a docker engine"]
fn volumes_are_those_of_the_projects_folder_whatever_its_path() {
    let outer = Folder::new();
    let name = "100%41 of what?";
    outer.file(&format!("{name}/MLproject"), "steps: {s: }\n");
    outer.file(&format!("{name}/s/in/x"), "from the volume\n");
    let more = ", volumes: ['$(pwd)/in:/first:ro', '${PWD}/in:/second', '~/home:/third'], environment: [[A, '$HOME/x']]";
    outer.file("home/x", "from home\n");
    let command = "command: cat /first/x /second/x /third/x && echo $A && test -s ${{MLFLOW_TRACKING_URI#sqlite:///}}";
    step(&outer, &format!("{name}/s"), more, command);
    let said = "from the volume\nfrom the volume\nfrom home\n[DIR]/x\n";
    run(&outer, &["-C", name]).run().succeeds(said);
}

#[test]
#[ignore = "needs a docker engine"]
fn however_a_step_is_stopped_its_container_ends() {
    // One that ends when it is told, and one that does not listen.
    for (name, trap) in [
        ("polite", "trap 'exit 0' TERM INT"),
        ("deaf", "trap '' TERM INT HUP"),
    ] {
        for (signal, code) in [("TERM", Some(143)), ("INT", Some(130)), ("KILL", None)] {
            let folder = pipeline();
            let name = format!("{name}-{signal}").to_lowercase();
            step(
                &folder,
                &name,
                "",
                &format!("command: \"{trap}; touch ../up; while :; do sleep 0.1; done\""),
            );
            let started = run(&folder, &["--steps", &name, "--grace", "500ms"]).start();
            wait_until("the container is up", || folder.exists("up"));
            started.signal(signal);
            match code {
                Some(code) => started.end().ends(code),
                None => started.end().dies_of(9),
            }
            if code.is_some() {
                assert_eq!(containers(&name), "");
            }
            wait_until("the container is gone", || containers(&name).is_empty());
        }
    }
}

#[test]
#[ignore = "needs a docker engine"]
fn a_step_out_of_time_leaves_no_container_and_may_be_tried_again() {
    let folder = pipeline();
    step(
        &folder,
        "late",
        "",
        "command: \"trap '' TERM; echo x >> ../tries; sleep 1000; true\"",
    );
    folder.file(
        "MLproject",
        "steps: {late: {retries: 1, retry_delay: 10ms}}",
    );
    let arguments = ["--timeout", "2s", "--grace", "100ms"];
    let ended = run(&folder, &arguments).run();
    ended
        .says("error: step `late` was stopped after its timeout of 2s\n")
        .ends(1);
    assert_eq!(folder.read("tries"), "x\nx\n");
    assert_eq!(containers("late"), "");
}

#[test]
#[ignore = "needs a docker engine"]
fn a_container_is_gone_whenever_the_run_is_stopped() {
    let folder = pipeline();
    step(&folder, "early", "", "command: sleep 1000");
    for turn in 0..20_u64 {
        let started = run(&folder, &["--steps", "early", "--grace", "100ms"]).start();
        // Not to wait for something, but to stop at ever another moment of the start.
        std::thread::sleep(std::time::Duration::from_millis(turn * 40));
        started.signal("TERM");
        drop(started.end());
    }
    wait_until("no container is left", || containers("early").is_empty());
}

#[test]
#[ignore = "needs a docker engine"]
fn an_image_can_be_built_with_the_files_of_the_project() {
    let folder = pipeline();
    folder.file("MLproject", "steps: {make: , read: {env_manager: local}}");
    step(
        &folder,
        "make",
        "",
        "parameters: {raw: {default: ../raw.txt}}\noutputs: [raw]\ncommand: pwd > {raw} && cat code.txt >> {raw}",
    );
    folder.file("make/code.txt", "the code\n");
    folder.step(
        "read",
        "parameters: {raw: {default: ../raw.txt}}\ninputs: [raw]\ncommand: cat {raw}",
    );
    let ended = run(&folder, &["--build-image"]).run();
    let ended = ended.succeeds("/mlflow/projects/code\nthe code\n");
    ended.says("environment make (docker build): made in ");
    Command::new("docker")
        .args(["rmi", "--force", "make"])
        .output()
        .unwrap();
}

#[test]
#[ignore = "needs a docker engine"]
fn an_image_that_is_missing_is_told_before_any_step() {
    let folder = pipeline();
    folder.file("MLproject", "steps: {first: {env_manager: local}, s: }");
    folder.step("first", "command: touch ../ran");
    step(&folder, "s", "", "command: 'true'");
    let gone = folder
        .read("s/MLproject")
        .replace(IMAGE, "localhost:1/no/such:1");
    folder.file("s/MLproject", gone);
    let ended = run(&folder, &[]).run();
    let ended = ended.says("error: 1 environment could not be made; nothing was run\n");
    ended
        .says("localhost:1/no/such:1, for `s`: `docker pull localhost:1/no/such:1` failed")
        .ends(1);
    let offline = run(&folder, &["--offline"]).run();
    offline
        .says("environment `localhost:1/no/such:1` does not exist, and `--offline`")
        .ends(1);
    assert!(!folder.exists("ran"));
}

#[test]
#[ignore = "needs a docker engine"]
fn an_engine_that_is_not_running_is_told_before_any_step() {
    let folder = pipeline();
    folder.file(
        "MLproject",
        "steps: {first: {env_manager: local}, s: , t: }",
    );
    folder.step("first", "command: touch ../ran");
    step(&folder, "s", "", "command: 'true'");
    step(&folder, "t", "", "command: 'true'");
    let socket = format!("unix://{}", folder.path().join("none").display());
    let ended = run(&folder, &[]).env("DOCKER_HOST", &socket).run();
    let ended = ended
        .says("error: 2 problems; nothing was run\n  step `s`: `docker` cannot reach its engine: ");
    ended.says("start it, or set DOCKER_HOST").ends(1);
    assert!(!folder.exists("ran"));
    // The command itself needs no engine.
    run(&folder, &["--env-manager", "local"])
        .env("DOCKER_HOST", &socket)
        .run()
        .ends(0);
}

#[test]
#[ignore = "needs a docker engine"]
fn a_step_of_the_readme_can_be_copied() {
    let folder = Folder::new();
    let script = crate::readme::kind("docker");
    // The engine has no registry to get this one from.
    let script = script.replace("image: busybox", &format!("image: '{IMAGE}'"));
    let run = folder.program_in_path("bash", &["-c", &script]);
    let run = run.env(
        "DOCKER_HOST",
        std::env::var_os("DOCKER_HOST").unwrap_or_default(),
    );
    let ended = run.run();
    ended.ends(0);
    assert!(
        ended.stdout().starts_with("Linux version "),
        "{}",
        ended.stdout()
    );
}

#[test]
#[ignore = "needs a docker engine and uv"]
fn a_pipeline_may_have_three_environments() {
    let folder = pipeline();
    folder.file(
        "MLproject",
        "steps: {make: , count: , tell: {env_manager: local}}",
    );
    step(
        &folder,
        "make",
        "",
        "parameters: {raw: {default: ../raw.txt}}\noutputs: [raw]\ncommand: seq 1 4 > {raw}",
    );
    folder.file("count/python_env.yaml", "dependencies: [six==1.16.0]\n");
    folder.file("count/count.py", "import six, sys\nlines = open(sys.argv[1]).readlines()\nopen(sys.argv[2], 'w').write(f'{six.__version__} {sum(map(int, lines))}\\n')\n");
    folder.step("count", "parameters: {raw: {default: ../raw.txt}, sum: {default: ../sum.txt}}\ninputs: [raw]\noutputs: [sum]\ncommand: python count.py {raw} {sum}");
    folder.step(
        "tell",
        "parameters: {sum: {default: ../sum.txt}}\ninputs: [sum]\ncommand: cat {sum}",
    );
    run(&folder, &[]).run().succeeds("1.16.0 10\n");
}
