#!/usr/bin/env python3
"""What recording costs: `tests/benches/tracking.py ORCHESTRATOR`, by default that in target/release.

Pipelines of `true` in a temporary folder, with and without recording, one after the other in turn.
Prints medians in milliseconds. The disk counts, so the folder is beside the
current one and not in memory; sync times of the disk are told too.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEAT = 15


def pipeline(folder, count):
    names = [f"s{number}" for number in range(count)]
    folder.mkdir()
    steps = "".join(f"  {name}: {{project: s}}\n" for name in names)
    (folder / "MLproject").write_text(f"name: bench\nenv_manager: local\nsteps:\n{steps}")
    (folder / "s").mkdir()
    (folder / "s/MLproject").write_text("entry_points:\n  main:\n    command: 'true'\n")
    return folder


def milliseconds(command, folder):
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def sync_time(folder):
    times = []
    with open(folder / "sync", "wb") as file:
        for _ in range(REPEAT):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file)
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main():
    program = str(Path(sys.argv[1] if len(sys.argv) > 1 else "target/release/orchestrator").resolve())
    with tempfile.TemporaryDirectory(dir=".") as temporary:
        base = Path(temporary).resolve()
        print(f"fsync of 4 KiB: {sync_time(base):.1f} ms")
        print(f"{'steps':>5} {'off':>8} {'first':>8} {'later':>8} {'per step':>9}   ms, medians of {REPEAT}")
        for count in (2, 50):
            folder = pipeline(base / str(count), count)
            off, first, later = [], [], []
            for _ in range(REPEAT):
                (folder / "mlflow.db").unlink(missing_ok=True)
                off.append(milliseconds([program, "--no-tracking"], folder))
                first.append(milliseconds([program], folder))
                later.append(milliseconds([program], folder))
            off, first, later = map(statistics.median, (off, first, later))
            print(f"{count:>5} {off:>8.1f} {first:>8.1f} {later:>8.1f} {(later - off) / count:>9.2f}")


main()
