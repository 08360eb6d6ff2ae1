#!/usr/bin/env python3
"""What environments cost: `tests/benches/environments.py [RUNS]`, after `cargo build --release -p orchestrator`.

Needs uv on PATH. Where there are also mlflow, pyenv (MLflow's virtualenv manager needs it) and a docker engine
that has the image orchestrator-test:1 (tests/docker.sh), they are measured in the same run. A warm start
is the whole run of a pipeline of one step, `true`; all kinds take turns.
"""
import os, pathlib, shutil, statistics, subprocess, sys, tempfile, time

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 21
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
ORCHESTRATOR = str(TARGET / "release" / "orchestrator")
IMAGE = "orchestrator-test:1"

# Records nothing; makes an environment that has an activation script.
CONDA = """#!/usr/bin/env bash
case "$*" in
  "env list --json") echo '{"envs": ["'"$(echo "$HOME"/envs/*)"'"]}' ;;
  *create*) mkdir -p "$HOME/envs/$4/conda-meta" "$HOME/envs/$4/etc/conda/activate.d"
    echo 'export X=1' > "$HOME/envs/$4/etc/conda/activate.d/x.sh" ;;
esac
"""


def timed(command, cwd, env, check=True):
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    if check and done.returncode:
        sys.exit(f"{command}:\n{done.stdout.decode()}")
    return seconds


def step(root, name, environment, command="'true'", file=None, key=""):
    folder = root / name
    folder.mkdir()
    (folder / "MLproject").write_text(f"name: {name}\n{key}\nentry_points: {{main: {{command: {command}}}}}\n")
    if file:
        (folder / file).write_text(environment)


def show(name, seconds, note=""):
    print(f"{name:<46} {statistics.median(seconds) * 1000:9.1f} ms  {min(seconds) * 1000:9.1f} {max(seconds) * 1000:9.1f}  n={len(seconds)} {note}", flush=True)


def warm(root, env):
    step(root, "local", "", key="conda_env: null")
    step(root, "venv", "dependencies: []\n", file="python_env.yaml")
    step(root, "conda", "dependencies: [python]\n", file="conda.yaml")
    (root / "home/bin").mkdir(parents=True)
    (root / "home/bin/conda").write_text(CONDA)
    (root / "home/bin/conda").chmod(0o755)
    # Loopback only, as the engine of the tests has no other network.
    run = lambda name, *more: [ORCHESTRATOR, "-C", str(root), "--steps", name, *more]
    kinds = {
        "local": run("local", "--env-manager", "local"),
        "venv": run("venv"),
        "conda (a stand-in, with an activation script)": run("conda"),
    }
    has_docker = subprocess.run(["docker", "image", "inspect", IMAGE], env=env, capture_output=True).returncode == 0
    if has_docker:
        step(root, "docker", "", key=f"docker_env: {{image: '{IMAGE}'}}", command="'/bin/true'")
        kinds["docker run by hand"] = ["docker", "run", "--rm", "--init", "--mount", f"type=bind,source={root},target={root}", "-w", str(root), IMAGE, "/bin/true"]
        kinds["docker"] = run("docker")
    env = dict(env, MLFLOW_CONDA_HOME=str(root / "home"))
    for command in kinds.values():
        timed(command, root, env)
    seconds = {kind: [] for kind in kinds}
    for _ in range(RUNS):
        for kind, command in kinds.items():
            seconds[kind].append(timed(command, root, env))
    for kind, taken in seconds.items():
        by = statistics.median(taken)
        base = statistics.median(seconds["docker run by hand" if kind == "docker" else "local"])
        show(kind, taken, f"{by / base:.2f} times by hand" if kind == "docker" else f"{(by - base) * 1000:+.1f} ms over local")


def cold(root, env):
    packages = ["numpy", "pandas", "requests"]
    step(root, "cold", f"dependencies: {packages}\n".replace("'", ""), file="python_env.yaml")
    step(root, "by_conda", "dependencies: [numpy, pandas, requests]\n", file="conda.yml", key="conda_env: conda.yml")
    (root / "requirements.txt").write_text("\n".join(packages))
    python = subprocess.run([sys.executable, "-c", "import sys; print(sys._base_executable)"], capture_output=True, text=True).stdout.strip()
    by_uv = f"uv venv --no-project -q --python {python} v && uv pip install -q --python v/bin/python -r requirements.txt"
    ours = lambda step: [ORCHESTRATOR, "-C", str(root), "--steps", step, "--env-manager", "uv"]
    commands = {"uv by hand": ["bash", "-c", by_uv], "orchestrator": ours("cold"), "orchestrator, a conda.yml": ours("by_conda")}
    for kind, has_cache in [("no cache", False), ("packages in uv's cache", True)]:
        seconds = {name: [] for name in commands}
        for _ in range(RUNS if has_cache else min(RUNS, 9)):
            for name, command in commands.items():
                if not has_cache:
                    shutil.rmtree(root / "cache", ignore_errors=True)
                shutil.rmtree(root / "v", ignore_errors=True)
                shutil.rmtree(root / ".cache", ignore_errors=True)
                seconds[name].append(timed(command, root, env))
        for name, taken in seconds.items():
            ratio = statistics.median(taken) / statistics.median(seconds["uv by hand"])
            show(f"cold, {kind}: {name}", taken, f"{ratio:.2f} times uv")
    if shutil.which("mlflow") and shutil.which("pyenv"):
        # MLflow's manager installs by pip, whose cache is where it always is.
        version = ".".join(map(str, sys.version_info[:3]))
        step(root, "by_mlflow", f"python: '{version}'\ndependencies: {packages}\n".replace("['", "[").replace("']", "]").replace("', '", ", "), file="python_env.yaml")
        seconds = timed(["mlflow", "run", str(root / "by_mlflow")], root, dict(env, MLFLOW_ENV_ROOT=str(root / "mlflow-envs")))
        show("cold: mlflow run, its virtualenv manager", [seconds])
        show("warm: mlflow run, its virtualenv manager", [timed(["mlflow", "run", str(root / "by_mlflow")], root, dict(env, MLFLOW_ENV_ROOT=str(root / "mlflow-envs")))])


with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder).resolve()
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    env = dict(os.environ, HOME=str(root), UV_CACHE_DIR=str(root / "cache"), PYENV_ROOT=pyenv)
    env.pop("XDG_CACHE_HOME", None)
    (root / "MLproject").write_text("name: bench\n")
    print(subprocess.run(["uv", "--version"], capture_output=True, text=True).stdout.strip())
    print(f"{'':<46} {'median':>9}     {'least':>9} {'most':>9}")
    warm(root, env)
    cold(root, env)
