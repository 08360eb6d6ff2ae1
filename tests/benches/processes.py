#!/usr/bin/env python3
"""What running a step costs, beside bash, make, just and `mlflow run`, and how fast output passes.

    cargo build --release -p orchestrator && tests/benches/processes.py [ROUNDS]

Runs are interleaved, figures are medians, each with its smallest and largest. Needs make and `script`
(bsdutils); just and MLflow are installed by pip into the build folder.
"""

import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
STEPS = 200
SIZE = 1_000_000_000
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")).resolve()
ORCHESTRATOR = str(TARGET / "release/orchestrator")
LINE = "a line of ordinary text that is some sixty characters long"


def tools():
    """The folder with just and mlflow."""
    venv = TARGET / "benches"
    if not (venv / "bin/just").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", "rust-just", "mlflow"], check=True)
    return venv / "bin"


def measure(command, cwd, stdout=subprocess.DEVNULL, env=None):
    """Seconds."""
    start = time.perf_counter()
    ended = subprocess.run(command, cwd=cwd, stdout=stdout, stderr=subprocess.DEVNULL, env=env)
    if ended.returncode:
        sys.exit(f"{command}: exit code {ended.returncode}")
    return time.perf_counter() - start


# A step's last words: the peak memory of its supervisor, and of the orchestrator above it.
PEAKS = "read -r _ _ _ above _ < /proc/$PPID/stat; grep -h VmHWM /proc/$PPID/status /proc/$above/status >> ../peaks"


def peak(folder):
    """The largest peak that a step noted, in MiB."""
    lines = (folder / "peaks").read_text().splitlines()
    return max(int(line.split()[1]) for line in lines) / 1024


def project(folder, command):
    folder.mkdir(parents=True)
    text = f"name: {folder.name}\nentry_points:\n  main:\n    command: {command}\n"
    (folder / "MLproject").write_text(text)


def show(name, samples, unit="s", scale=1):
    low, middle, high = (scale * f(samples) for f in (min, statistics.median, max))
    print(f"| {name} | {middle:.3g} {unit} | {low:.3g} to {high:.3g} |", flush=True)
    return middle


def steps(folder, path):
    """Many steps of `true`, one after the other."""
    names = [f"s{number}" for number in range(STEPS)]
    (folder / "MLproject").write_text("name: bench\nenv_manager: local\n")
    for name in names:
        # The last one also looks at our memory.
        project(folder / name, f"'{PEAKS}'" if name == names[-1] else "'true'")
    makefile = f"all: {' '.join(names)}\n" + "".join(f"{name}:\n\tbash -c true\n" for name in names)
    (folder / "Makefile").write_text(makefile)
    justfile = f"all: {' '.join(names)}\n" + "".join(f"{name}:\n    bash -c true\n" for name in names)
    (folder / "justfile").write_text(justfile)
    (folder / "all.sh").write_text("bash -c true\n" * STEPS)
    env = dict(os.environ, MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db")
    few = 2
    commands = {
        "bash": ["bash", "all.sh"],
        "orchestrator": [ORCHESTRATOR, "--no-tracking", "--steps", ",".join(names)],
        "orchestrator, recorded": [ORCHESTRATOR, "--steps", ",".join(names)],
        "make": ["make", "--silent", "all"],
        "just": [str(path / "just"), "all"],
    }
    seconds = {name: [] for name in [*commands, "mlflow"]}
    for turn in range(ROUNDS):
        for name, command in commands.items():
            seconds[name].append(measure(command, folder) / STEPS)
        if turn < few:
            mlflow = [str(path / "mlflow"), "run", "s0", "--env-manager", "local"]
            seconds["mlflow"].append(measure(mlflow, folder, env=env))
    print(f"\n| a step of `true`, of {STEPS} (n={ROUNDS}) | median | range |\n|---|---|---|")
    bash = statistics.median(seconds["bash"])
    for name, samples in seconds.items():
        show(f"{name}, over `bash -c`" if name != "bash" else "`bash -c` alone",
             [s - bash * (name != "bash") for s in samples], "ms", 1000)
    show("orchestrator or its supervisor: peak memory", [peak(folder)], "MiB")


def output(folder):
    """A great amount of output, to a file, a pipe and a terminal; `tee` and bash do the same."""
    (folder / "MLproject").write_text("name: bench\nenv_manager: local\n")
    produce = f"yes '{LINE}' | head -c {SIZE}"
    project(folder / "s", f'"{produce}; {PEAKS}"')
    ours = f"{ORCHESTRATOR} --steps s"
    commands = {
        "to a file: orchestrator": f"{ours} > out",
        "to a file: tee": f"{produce} | tee log > out",
        "to a pipe: orchestrator": f"{ours} | cat > /dev/null",
        "to a pipe: tee": f"{produce} | tee log | cat > /dev/null",
        "to a terminal: orchestrator": f'script -qec "{ours}" /dev/null > /dev/null < /dev/null',
        "to a terminal: the command alone": f'script -qec "{produce}" /dev/null > /dev/null < /dev/null',
    }
    speed = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            speed[name].append(SIZE / measure(["bash", "-c", command], folder) / 1e6)
            shutil.rmtree(folder / "mlruns", ignore_errors=True)
    print(f"\n| {SIZE / 1e9:g} GB of output, kept (n={ROUNDS}) | median | range |\n|---|---|---|")
    for name, samples in speed.items():
        show(name, samples, "MB/s")
    show("orchestrator or its supervisor: peak memory", [peak(folder)], "MiB")


def bottom(folder):
    """What the line at the bottom of a terminal costs: while a step sleeps, and for each of many steps."""
    names = [f"s{number}" for number in range(STEPS)]
    (folder / "MLproject").write_text("name: bench\nenv_manager: local\n")
    for name in names:
        project(folder / name, "'true'")
    many = f"{ORCHESTRATOR} --no-tracking --steps {','.join(names)}"
    seconds = {"with it": [], "without": []}
    for _ in range(ROUNDS):
        for name, term in (("with it", "xterm"), ("without", "dumb")):
            command = f'TERM={term} script -qec "{many}" /dev/null > /dev/null < /dev/null'
            seconds[name].append(measure(["bash", "-c", command], folder) / STEPS)
    print(f"\n| a step of `true` on a terminal, of {STEPS} (n={ROUNDS}) | median | range |\n|---|---|---|")
    for name, samples in seconds.items():
        show(name, samples, "ms", 1000)
    idle = 20
    project(folder / "idle", f"sleep {idle}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = f'TERM=xterm script -qec "{ORCHESTRATOR} --no-tracking --steps idle,s0" /dev/null > /dev/null < /dev/null'
    measure(["bash", "-c", command], folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"\na run of {idle} s that only tells the time: {100 * busy / idle:.2f} % of a processor, start included")


def main():
    path = tools()
    print(time.strftime("%Y-%m-%d"), platform.platform(), f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for version in (["make", "--version"], [path / "just", "--version"], [path / "mlflow", "--version"]):
        print(subprocess.run(version, capture_output=True, text=True).stdout.splitlines()[0])
    for part in (lambda folder: steps(folder, path), output, bottom):
        with tempfile.TemporaryDirectory() as folder:
            part(pathlib.Path(folder))


main()
