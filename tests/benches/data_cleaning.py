#!/usr/bin/env python3
"""Compares data_cleaning with its peers, and prints a table.

    tests/benches/data_cleaning.py [--mib 1024] [--runs 5] [--large] [--titanic FILE] [--folder DIR]
        [--only csv|options|ndjson|parquet]

Builds the binary, makes data of that size and installs DuckDB, polars and pandas, all in the build
folder; the data lies in DIR, if one is given. Every round runs each tool once, one after the other, in another order each
time; the ratios are medians over the rounds of what both used in the same round. `--large` adds a
file of 8 GiB. Without `--titanic` the small file is made of as many rows like those of the real one.

Ours looks for all null values of pandas; DuckDB and polars look for empty fields only, pandas reads
numbers as such.
"""

import argparse
import datetime
import os
import pathlib
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
import venv

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.path.abspath(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"))
FOLDER = os.path.join(TARGET, "bench_data_cleaning")
# Where the data lies.
DATA = FOLDER
BINARY = os.path.join(TARGET, "release", "data_cleaning")
PEERS = ["duckdb", "polars", "pandas"]
OUTPUTS = ["out.csv", "out.parquet", "out.ndjson"]

# Each drops the rows with an empty field and writes the others, all columns being text.
SCRIPTS = {
    "duckdb": """
import duckdb, sys
table = f"read_csv('{sys.argv[1]}', all_varchar=true, header=true)"
names = [row[0] for row in duckdb.sql(f"describe select * from {table}").fetchall()]
whole = " and ".join(f'"{name}" is not null' for name in names)
duckdb.sql(f"copy (select * from {table} where {whole}) to '{sys.argv[2]}' (header)")
""",
    "polars": """
import polars, sys
frame = polars.scan_csv(sys.argv[1], infer_schema=False)
frame.drop_nulls().sink_csv(sys.argv[2])
""",
    "polars to Parquet": """
import polars, sys
frame = polars.scan_csv(sys.argv[1], infer_schema=False)
frame.drop_nulls().sink_parquet(sys.argv[2])
""",
    "polars, NDJSON": """
import polars, sys
polars.scan_ndjson(sys.argv[1]).drop_nulls().sink_ndjson(sys.argv[2])
""",
    "duckdb, NDJSON": """
import duckdb, sys
table = f"read_json('{sys.argv[1]}', format='newline_delimited')"
names = [row[0] for row in duckdb.sql(f"describe select * from {table}").fetchall()]
whole = " and ".join(f'"{name}" is not null' for name in names)
duckdb.sql(f"copy (select * from {table} where {whole}) to '{sys.argv[2]}' (format json)")
""",
    "polars, Parquet": """
import polars, sys
polars.scan_parquet(sys.argv[1]).drop_nulls().sink_parquet(sys.argv[2])
""",
    "pandas": """
import pandas, sys
pandas.read_csv(sys.argv[1]).dropna().to_csv(sys.argv[2], index=False)
""",
}


def sample(full):
    """The rows of the sample, those with a null only if asked for."""
    with open(os.path.join(ROOT, "tests/data/titanic_sample.csv"), "rb") as file:
        header, *rows = file.read().splitlines(keepends=True)
    if full:
        rows = [row for row in rows if b",," not in row and not row.endswith(b",\n")]
    return header, b"".join(rows)


def make(name, size, full=False):
    """A file of about so many bytes, unless it is there."""
    path = os.path.join(DATA, name)
    if os.path.exists(path):
        return path
    header, rows = sample(full)
    rows *= max(1, (4 << 20) // len(rows))
    with open(path + ".part", "wb") as file:
        file.write(header)
        for _ in range(max(1, size // len(rows))):
            file.write(rows)
    os.rename(path + ".part", path)
    return path


def make_wide():
    path = os.path.join(DATA, "wide.csv")
    with open(path, "w") as file:
        file.write(",".join(f"c{i}" for i in range(2000)) + "\n")
        for row in range(2000):
            values = ["" if row % 10 == 0 and i == row else "123" for i in range(2000)]
            file.write(",".join(values) + "\n")
    return path


def make_random(name, mib):
    """A file of NDJSON or Parquet of about that size, by DuckDB; two columns have nulls."""
    path = os.path.join(DATA, name)
    row = {"ndjson": 140, "parquet": 48}[name.rsplit(".")[-1]]
    script = """
import duckdb, sys
kind = "json" if sys.argv[1].endswith("ndjson") else "parquet"
duckdb.sql("select setseed(0.5)")
duckdb.sql(f'''copy (select i as id, 'passenger ' || (random() * 1e9)::bigint as name,
  case when random() < 0.8 then round(random() * 80, 1) end as age,
  case when random() < 0.8 then 'C' || (random() * 200)::int end as cabin,
  round(random() * 500, 4) as fare, random() < 0.4 as survived, random() as weight
  from range({sys.argv[2]}) t(i)) to '{sys.argv[1]}' (format {kind})''')
"""
    rows = str((mib << 20) // row)
    subprocess.run([python(), "-c", script, path, rows], check=True)
    print(f"{name}: {os.path.getsize(path) / (1 << 20):.0f} MiB, {rows} rows")
    return path


def run(command, limit=None):
    """Wall and CPU seconds and peak MiB of a command."""

    def before():
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    start = time.perf_counter()
    child = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # A function makes Python start the command in a way that takes milliseconds.
        preexec_fn=before if limit else None,
    )
    error = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"{command}: {error.decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def rounds(commands, count, replacing=False):
    """The measures of each command, by round, after one run of each that does not count.

    There is no older output, unless it is to be replaced.
    """
    for command in commands.values():
        run(command)
    measures = {name: [] for name in commands}
    orders = random.Random(7)
    for _ in range(count):
        # What one run leaves of free memory makes the next one faster or slower.
        for name in orders.sample(list(commands), len(commands)):
            if not replacing:
                remove_outputs()
            # No run waits for the disk to take what the one before has written.
            os.sync()
            measures[name].append(run(commands[name]))
    return measures


def remove_outputs():
    for name in OUTPUTS:
        pathlib.Path(output(name)).unlink(missing_ok=True)


def ratio(measures, name, other, what):
    pairs = zip(measures[name], measures[other])
    values = sorted(one[what] / max(two[what], 1e-9) for one, two in pairs)
    return f"{statistics.median(values):.3f} ({values[0]:.3f} to {values[-1]:.3f})"


def median(measures, name, what):
    return statistics.median(measure[what] for measure in measures[name])


def output(name="out.csv"):
    return os.path.join(DATA, name)


def ours(source, name="out.csv"):
    return [BINARY, "--input", source, "--output", output(name)]


def python():
    return os.path.join(FOLDER, "venv/bin/python")


def peer(name, source, result="out.csv"):
    return [python(), "-c", SCRIPTS[name], source, output(result)]


def copy(source):
    return ["cp", source, output()]


def say(measure, value, reach=""):
    print(f"| {measure} | {value} | {reach} |", flush=True)


def prepare():
    """Builds ours, installs the peers, and tells what is compared where."""
    build = ["cargo", "build", "--release", "--quiet", "--locked", "-p", "data_cleaning"]
    subprocess.run(build, cwd=ROOT, check=True)
    os.makedirs(FOLDER, exist_ok=True)
    if not os.path.exists(python()):
        venv.create(os.path.join(FOLDER, "venv"), with_pip=True)
        subprocess.run([python(), "-m", "pip", "install", "--quiet", *PEERS], check=True)
    print(datetime.date.today(), platform.platform(), f"{os.cpu_count()} CPUs")
    for name in PEERS:
        version = f"import {name}; print('{name}', {name}.__version__)"
        subprocess.run([python(), "-c", version], check=True)
    version = subprocess.run(["cp", "--version"], check=True, capture_output=True, text=True)
    print(version.stdout.splitlines()[0])


def compare_on(big, runs):
    commands = {"ours": ours(big), "cp": copy(big)}
    commands |= {name: peer(name, big) for name in PEERS}
    measures = rounds(commands, runs)
    for name, reach in [("duckdb", 0.18), ("polars", 0.2), ("pandas", 0.05)]:
        say(f"wall / {name}", ratio(measures, "ours", name, 0), f"<= {reach}")
    say("CPU / duckdb", ratio(measures, "ours", "duckdb", 1), "<= 0.1")
    say("a fifth kept: wall / cp", ratio(measures, "ours", "cp", 0), "<= 0.8")
    for name in commands:
        wall, cpu, peak = (median(measures, name, what) for what in range(3))
        say(f"{name}: wall s, CPU s, peak MiB", f"{wall:.2f}, {cpu:.2f}, {peak:.1f}")


def compare_all_kept(size, runs):
    full = make(f"full_{size}.csv", size, full=True)
    commands = {"ours": ours(full), "cp": copy(full)}
    measures = rounds(commands, runs)
    say("all kept: wall / cp", ratio(measures, "ours", "cp", 0), "<= 1.5")
    # Ours keeps the older one whole until then; ext4 begins to write out what replaces a file.
    measures = rounds(commands, runs, replacing=True)
    say("all kept, replacing an older output: wall / cp", ratio(measures, "ours", "cp", 0))
    os.remove(full)


def compare_parquet(big, runs):
    commands = {"ours": ours(big, "out.parquet"), "polars": peer("polars to Parquet", big)}
    measures = rounds(commands, runs)
    say("CSV to Parquet: wall / polars", ratio(measures, "ours", "polars", 0), "<= 1.1")
    for name in commands:
        wall, cpu, peak = (median(measures, name, what) for what in range(3))
        say(f"to Parquet, {name}: wall s, CPU s, peak MiB", f"{wall:.2f}, {cpu:.2f}, {peak:.1f}")
    remove_outputs()


def compare_options(big, runs):
    """What the options cost, each beside a run without."""
    options = [["--trim"], ["--no_header"], ["--on_ragged", "null"], ["--on_quote", "text"]]
    commands = {"plain": ours(big)}
    commands |= {" ".join(option): ours(big) + option for option in options}
    measures = rounds(commands, runs)
    for name in commands:
        say(f"{name}: wall / without", ratio(measures, name, "plain", 0), "<= 1.3")
    remove_outputs()


def compare_route(kind, mib, runs, peers, reaches, peak):
    """The way from a format to the same one."""
    source = make_random(f"random.{kind}", mib)
    result = f"out.{kind}"
    commands = {"ours": ours(source, result)}
    commands |= {name: peer(name, source, result) for name in peers}
    measures = rounds(commands, runs)
    for name, reach in zip(peers, reaches):
        say(f"to the same: wall / {name}", ratio(measures, "ours", name, 0), f"<= {reach}")
    for name in commands:
        values = (median(measures, name, what) for what in range(3))
        reach = f"<= {peak} MiB" if name == "ours" else ""
        say(f"{name}: wall s, CPU s, peak MiB", ", ".join(f"{value:.2f}" for value in values), reach)
    remove_outputs()
    os.remove(source)


def measure_memory(big, large):
    sizes = {"200 MB": 200_000_000} | ({"8 GiB": 8 << 30} if large else {})
    for label, size in sizes.items():
        source = make(f"titanic_{size}.csv", size)
        say(f"peak MiB at {label}", f"{run(ours(source))[2]:.1f}", "<= 24")
        os.remove(source)
    run(ours(big), limit=64 << 20)
    say("runs with 64 MiB of data memory", "yes", "yes")


def measure_wide(runs):
    wide = make_wide()
    for route, name, reach in [("CSV", "wide_out.csv", 0.1), ("Parquet", "wide_out.parquet", 1)]:
        walls, _, peaks = zip(*(run(ours(wide, name)) for _ in range(runs)))
        value = f"{statistics.median(walls):.3f}, {max(peaks):.1f}"
        say(f"2000 x 2000 to {route}: wall s, peak MiB", value, f"<= {reach}, 500")
        os.remove(output(name))


def measure_small(titanic):
    if not titanic:
        header, rows = sample(full=False)
        lines = rows.splitlines(keepends=True)
        titanic = output("small.csv")
        with open(titanic, "wb") as file:
            file.write(header + b"".join((lines * 8)[:891]))
    walls = [run(ours(titanic))[0] * 1000 for _ in range(21)]
    value = f"{statistics.median(walls):.1f} (lowest {min(walls):.1f})"
    say("Titanic file: wall ms, whole process, n=21", value, "<= 5")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--titanic", metavar="FILE")
    parser.add_argument("--folder", metavar="DIR")
    parser.add_argument("--only", choices=["csv", "options", "ndjson", "parquet"])
    arguments = parser.parse_args()

    global DATA
    DATA = os.path.abspath(arguments.folder or FOLDER)
    prepare()
    print(f"\n{arguments.mib} MiB, n={arguments.runs}, load {os.getloadavg()[0]:.1f}\n")
    say("measure", "median (lowest to highest)", "reach")
    say("---", "---", "---")
    wanted = [arguments.only] if arguments.only else ["csv", "options", "ndjson", "parquet"]
    size = arguments.mib << 20
    big = make(f"titanic_{arguments.mib}.csv", size)
    if "csv" in wanted:
        compare_on(big, arguments.runs)
        compare_all_kept(size, arguments.runs)
        compare_parquet(big, arguments.runs)
        measure_memory(big, arguments.large)
        measure_wide(arguments.runs)
        measure_small(arguments.titanic)
    if "options" in wanted:
        compare_options(big, arguments.runs)
    if "ndjson" in wanted:
        peers = ["polars, NDJSON", "duckdb, NDJSON"]
        compare_route("ndjson", arguments.mib, arguments.runs, peers, [0.25, 0.2], 24)
    if "parquet" in wanted:
        peers = ["polars, Parquet"]
        compare_route("parquet", arguments.mib, arguments.runs, peers, [1.0], 300)
    remove_outputs()


if __name__ == "__main__":
    main()
