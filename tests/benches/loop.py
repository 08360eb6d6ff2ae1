#!/usr/bin/env python3
"""The daily loop beside make, DVC and Snakemake: first run, nothing changed, an edit, a parameter.

    cargo build --release -p orchestrator && tests/benches/loop.py [ROUNDS]

Runs are interleaved, figures are medians, each with its smallest and largest. Needs make and git; DVC and
Snakemake are installed by pip into the build folder.
"""

import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")).resolve()
ORCHESTRATOR = str(TARGET / "release/orchestrator")
TOOLS = TARGET / "loop"

# Name, seconds, the files that it reads and the one that it writes.
FIVE = [
    ("download", 2, [], "raw"),
    ("clean", 1, ["raw"], "tidy"),
    ("train_a", 5, ["tidy"], "model_a"),
    ("train_b", 5, ["tidy"], "model_b"),
    ("evaluate", 1, ["model_a", "model_b"], "score"),
]


def install():
    if not (TOOLS / "bin/snakemake").exists():
        subprocess.run([sys.executable, "-m", "venv", TOOLS], check=True)
        subprocess.run([TOOLS / "bin/pip", "install", "--quiet", "dvc", "snakemake"], check=True)


def seconds(command, cwd):
    start = time.perf_counter()
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    took = time.perf_counter() - start
    if ended.returncode:
        sys.exit(f"{command}: exit code {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return took


def git(folder):
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x", "-c", "gc.auto=0", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def script(folder, name, pause, reads, writes):
    """One program for all tools: it waits, and writes what it read, its parameter and its code."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    text = f"sleep {pause}\ncat {' '.join('../' + it for it in reads)} /dev/null > ../{writes}.new\n"
    text += f"echo $1 {name} >> ../{writes}.new\nmv ../{writes}.new ../{writes}\n"
    (folder / name / "run.sh").write_text(text)


def ours(folder, steps):
    folder.mkdir(parents=True)
    names = ", ".join(name for name, *_ in steps)
    (folder / "MLproject").write_text(f"name: loop\nenv_manager: local\nsteps: [{names}]\n")
    for name, pause, reads, writes in steps:
        script(folder, name, pause, reads, writes)
        files = "".join(f", {it}: {{default: ../{it}}}" for it in [*reads, writes])
        (folder / name / "MLproject").write_text(
            "entry_points:\n  main:\n"
            f"    parameters: {{x: {{type: int, default: 0}}{files}}}\n"
            f"    inputs: [{', '.join(reads)}]\n    outputs: [{writes}]\n    command: sh run.sh {{x}}\n"
        )
    outputs = "\n".join("/" + writes for *_, writes in steps)
    (folder / ".gitignore").write_text(f"/mlruns\n/mlflow.db*\n{outputs}\n")
    git(folder)
    return folder


def with_make(folder, steps):
    folder.mkdir(parents=True)
    rules = [f"all: {steps[-1][3]} " + " ".join(writes for *_, writes in steps)]
    for name, pause, reads, writes in steps:
        script(folder, name, pause, reads, writes)
        rules.append(f"{writes}: {name}/run.sh {' '.join(reads)}\n\tcd {name} && sh run.sh 0")
    (folder / "Makefile").write_text("\n".join(rules) + "\n")
    return folder


def with_dvc(folder, steps):
    folder.mkdir(parents=True)
    lines = ["stages:"]
    for name, pause, reads, writes in steps:
        script(folder, name, pause, reads, writes)
        lines += [f"  {name}:", f"    cmd: cd {name} && sh run.sh ${{{name}}}", "    deps:"]
        lines += [f"    - {it}" for it in [f"{name}/run.sh", *reads]] + ["    outs:", f"    - {writes}"]
    (folder / "dvc.yaml").write_text("\n".join(lines) + "\n")
    (folder / "params.yaml").write_text("".join(f"{name}: 0\n" for name, *_ in steps))
    git(folder)
    subprocess.run([TOOLS / "bin/dvc", "init", "-q"], cwd=folder, check=True)
    subprocess.run([TOOLS / "bin/dvc", "config", "core.analytics", "false"], cwd=folder, check=True)
    return folder


def with_snakemake(folder, steps):
    folder.mkdir(parents=True)
    text = f'configfile: "config.yaml"\nrule all:\n    input: "{steps[-1][3]}"\n'
    for name, pause, reads, writes in steps:
        script(folder, name, pause, reads, writes)
        files = ", ".join(f'"{it}"' for it in [f"{name}/run.sh", *reads])
        text += f'rule {name}:\n    input: {files}\n    output: "{writes}"\n    params: config["{name}"]\n'
        text += f'    shell: "cd {name} && sh run.sh {{params}}"\n'
    (folder / "Snakefile").write_text(text)
    (folder / "config.yaml").write_text("".join(f"{name}: 0\n" for name, *_ in steps))
    return folder


def show(rows, unit, scale=1):
    for name, samples in rows.items():
        low, middle, high = (scale * f(samples) for f in (min, statistics.median, max))
        print(f"| {name} | {middle:.4g} {unit} | {low:.4g} to {high:.4g} |", flush=True)


def head(title):
    print(f"\n| {title} (n={ROUNDS}) | median | range |\n|---|---|---|")


def chain(count):
    return [(f"s{n}", 0, [f"o{n - 1}"] if n else [], f"o{n}") for n in range(count)]


DVC = [str(TOOLS / "bin/dvc"), "repro", "-q"]
SNAKEMAKE = [str(TOOLS / "bin/snakemake"), "-c2", "-q", "all"]
CACHED = [ORCHESTRATOR, "--cached"]


def nothing_changed(base):
    commands = {}
    for count in (2, 20, 200):
        commands[f"orchestrator, {count} steps"] = (CACHED, ours(base / f"ours{count}", chain(count)))
        commands[f"make, {count} steps"] = (["make", "-s"], with_make(base / f"make{count}", chain(count)))
    commands["dvc, 2 steps"] = (DVC, with_dvc(base / "dvc2", chain(2)))
    commands["snakemake, 2 steps"] = (SNAKEMAKE, with_snakemake(base / "snakemake2", chain(2)))
    for command, folder in commands.values():
        for _ in range(2):
            seconds(command, folder)
    rows = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, (command, folder) in commands.items():
            rows[name].append(seconds(command, folder))
    head("nothing changed")
    show(rows, "ms", 1000)


def five_steps(base):
    """One round: each case takes as long as its sleeps."""
    tools = {
        "orchestrator": ([*CACHED, "-j", "2"], ours(base / "ours", FIVE), None),
        "dvc": (DVC, with_dvc(base / "dvc", FIVE), "params.yaml"),
        "snakemake": (SNAKEMAKE, with_snakemake(base / "snakemake", FIVE), "config.yaml"),
    }
    print("\n| download 2 s, clean 1 s, two trainings of 5 s, evaluate 1 s | first run | nothing changed"
          " | edit evaluate | a parameter of a training |\n|---|---|---|---|---|")
    for name, (command, folder, values) in tools.items():
        took = [seconds(command, folder), seconds(command, folder)]
        with (folder / "evaluate/run.sh").open("a") as code:
            code.write("# edited\necho more >> ../score\n")
        took.append(seconds(command, folder))
        if values:
            text = (folder / values).read_text()
            (folder / values).write_text(text.replace("train_a: 0", "train_a: 1"))
            took.append(seconds(command, folder))
        else:
            took.append(seconds([*command, "-P", "train_a.x=1"], folder))
        print(f"| {name} | " + " | ".join(f"{it:.2f} s" for it in took) + " |", flush=True)


def beside(base):
    count = 200
    folder = base / "many"
    folder.mkdir()
    names = [f"s{number}" for number in range(count)]
    (folder / "MLproject").write_text(f"name: many\nenv_manager: local\nsteps: [{', '.join(names)}]\n")
    for name in names:
        (folder / name).mkdir()
        (folder / name / "MLproject").write_text("entry_points: {main: {inputs: [], command: 'true'}}\n")
    (folder / "Makefile").write_text(f"all: {' '.join(names)}\n" + "".join(f"{name}:\n\tbash -c true\n" for name in names)
                                     + f".PHONY: all {' '.join(names)}\n")
    commands = {
        "orchestrator -j 1": [ORCHESTRATOR, "--no-tracking", "-j", "1"],
        "orchestrator -j 2": [ORCHESTRATOR, "--no-tracking", "-j", "2"],
        "make -j2": ["make", "-s", "-j2"],
        "orchestrator -j 2, recorded": [ORCHESTRATOR, "-j", "2"],
        "orchestrator --dry-run": [ORCHESTRATOR, "--dry-run"],
    }
    rows = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            rows[name].append(seconds(command, folder))
    head(f"{count} steps of `true`")
    show(rows, "s")


def large_plans(base):
    rows = {}
    for count in (1000, 2500, 5000, 10000):
        folder = base / f"plan{count}"
        folder.mkdir()
        (folder / "s").mkdir()
        (folder / "s/MLproject").write_text(
            "entry_points: {main: {parameters: {i: str, o: str}, inputs: [i], outputs: [o], command: 'cp {i} {o}'}}\n")
        (folder / "o0").write_text("")
        lines = [f"  s{n}: {{project: s, parameters: {{i: o{n}, o: o{n + 1}}}}}" for n in range(count)]
        (folder / "MLproject").write_text("name: plan\nenv_manager: local\nsteps:\n" + "\n".join(lines) + "\n")
        rows[f"{count} steps"] = [seconds([ORCHESTRATOR, "--check"], folder) for _ in range(ROUNDS)]
    head("plan of a chain, `--check`")
    show(rows, "s")


def many_files(base):
    folder = ours(base / "files", chain(1))
    for number in range(10000):
        below = folder / "s0" / f"d{number % 100}"
        below.mkdir(exist_ok=True)
        (below / f"f{number}.txt").write_text(str(number))
    git(folder)
    for _ in range(2):
        seconds(CACHED, folder)
    head("nothing changed, 10,000 files of code")
    show({"orchestrator": [seconds(CACHED, folder) for _ in range(ROUNDS)]}, "ms", 1000)


def memory(base):
    folder = base / "memory"
    names = [f"s{number}" for number in range(32)]
    folder.mkdir()
    (folder / "MLproject").write_text(f"name: memory\nenv_manager: local\nsteps: [{', '.join(names)}]\n")
    for name in names:
        (folder / name).mkdir()
        (folder / name / "MLproject").write_text("entry_points: {main: {inputs: [], command: 'touch ../up$$; until [ -e ../go ]; do sleep 0.02; done'}}\n")
    running = subprocess.Popen([ORCHESTRATOR, "-j", "32"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list(folder.glob("up*"))) < len(names):
        time.sleep(0.02)
    status = pathlib.Path(f"/proc/{running.pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    (folder / "go").write_text("")
    running.wait()
    print(f"\npeak memory of the orchestrator with 32 steps at once: {int(peak.split()[1]) / 1024:.1f} MiB")


def main():
    install()
    print(time.strftime("%Y-%m-%d"), platform.platform(), f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for version in (["make", "--version"], [TOOLS / "bin/dvc", "--version"], [TOOLS / "bin/snakemake", "--version"]):
        print(pathlib.Path(version[0]).name, subprocess.run(version, capture_output=True, text=True).stdout.splitlines()[0])
    for part in (nothing_changed, beside, large_plans, many_files, memory, five_steps):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            part(pathlib.Path(folder))


main()
