#!/usr/bin/env python3
"""Compares data_download with curl and Python's requests, and prints tables.

    tests/benches/data_download.py [--size BYTES] [--runs 7] [--folder FOLDER]

One file from nginx on loopback. Each round runs every program once, in another order each time, so
that what else the machine does, and what a run leaves of free memory, falls on all of them; a ratio
is the median of the ratios of the rounds.
Needs nginx and curl; requests is installed by pip into the build folder, and all files lie there.

`--folder` says where the downloads are written, by default to the disk of the build folder;
/dev/shm, if the disk is slow. Only data_download flushes its file to the disk, the others do not.
"""

import argparse
import contextlib
import hashlib
import os
import pathlib
import platform
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()

REQUESTS = """
import sys, requests
with requests.get(sys.argv[1], stream=True) as answer, open(sys.argv[2], "wb") as out:
    answer.raise_for_status()
    for chunk in answer.iter_content(1 << 20):
        out.write(chunk)
"""

# What the issue asks for: measure, ours, the other, at most.
REACH = [
    ("wall", "data_download", "curl", 0.8),
    ("CPU", "data_download", "curl", 0.7),
    ("wall", "data_download", "requests", 1.05),
]
PEAK_MIB = 24


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=1 << 30, help="bytes of the file")
    parser.add_argument("--runs", type=int, default=7, help="number of rounds")
    parser.add_argument("--folder", default=TARGET, help="where the downloads are written")
    options = parser.parse_args()

    build = ["cargo", "build", "--release", "--quiet", "--locked", "-p", "data_download"]
    subprocess.run(build, cwd=ROOT, check=True)
    program = TARGET / "release" / "data_download"
    python = venv()
    served = tempfile.TemporaryDirectory(dir=TARGET)
    written = tempfile.TemporaryDirectory(dir=options.folder)
    with served as folder, written as out:
        digest = make_file(pathlib.Path(folder) / "titanic.csv", options.size)
        with nginx(pathlib.Path(folder)) as url:
            out = str(pathlib.Path(out) / "out.csv")
            ours = [program, "--data_url", url, "--output", out]
            commands = {
                "data_download": ours,
                "curl": ["curl", "-sS", "-o", out, url],
                "requests": [python, "-c", REQUESTS, url, out],
                "data_download --sha256": [*ours, "--sha256", digest],
            }
            versions(program, python)
            rounds = measure(commands, out, digest, options.runs)
    report(rounds, options)


def venv():
    """Returns a Python that has requests."""
    folder = TARGET / "bench_download"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "requests"], check=True)
    return python


def make_file(path, size):
    """Writes rows like those of the Titanic file, and returns the hash of them all."""
    random.seed(7)
    rows = [
        f'{n},{n % 2},{n % 3 + 1},"Name{n}, Mr. {n}",{random.choice(["male", "female"])},'
        f"{random.randint(1, 80)},{n % 3},0,A/5 {n},{random.random() * 90:.4f},,S\n"
        for n in range(20_000)
    ]
    block = "".join(rows).encode()
    digest = hashlib.sha256()
    with open(path, "wb") as out:
        left = size
        while left > 0:
            piece = block[:left]
            out.write(piece)
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


@contextlib.contextmanager
def nginx(folder):
    """Serves `folder` from nginx, and yields the URL of the file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(f"""
        daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
        events {{}}
        http {{
            access_log off; sendfile on; default_type text/csv;
            client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
            fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
            server {{ listen 127.0.0.1:{port}; root {folder}; }}
        }}""")
    os.chmod(folder, 0o755)
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    server = subprocess.Popen([binary, "-p", folder, "-c", config, "-e", folder / "error.log"])
    try:
        url = f"http://127.0.0.1:{port}/titanic.csv"
        wait_for(url)
        yield url
    finally:
        server.terminate()
        server.wait()


def wait_for(url):
    for _ in range(100):
        try:
            head = urllib.request.Request(url, method="HEAD")
            return urllib.request.urlopen(head).close()
        except OSError:
            time.sleep(0.05)
    sys.exit("nginx does not answer")


def versions(program, python):
    for command in (
        [program, "--version"],
        ["curl", "--version"],
        [python, "-c", "import requests; print('requests', requests.__version__)"],
        [shutil.which("nginx") or "/usr/sbin/nginx", "-v"],
    ):
        said = subprocess.run(command, check=True, capture_output=True, text=True)
        print((said.stdout + said.stderr).splitlines()[0].split(" (")[0])
    model = [line for line in open("/proc/cpuinfo") if line.startswith("model name")]
    name = model[0].split(":")[1].strip() if model else platform.machine()
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {name}, {platform.release()}")
    print()


def measure(commands, out, digest, runs):
    """Runs all commands in rounds; the first one only fills the caches."""
    rounds = []
    orders = random.Random(7)
    for number in range(runs + 1):
        figures = {}
        for name in orders.sample(list(commands), len(commands)):
            command = commands[name]
            with contextlib.suppress(FileNotFoundError):
                os.remove(out)
            # What the one before left to be written must not fall on this one.
            os.sync()
            figures[name] = run(command)
            with open(out, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    sys.exit(f"{name} wrote another file")
        if number > 0:
            rounds.append(figures)
    return rounds


# A process starts with the peak of the one that starts it, so a small one has to measure.
MEASURE = """
import os, sys, time
start = time.perf_counter()
null = os.open(os.devnull, os.O_WRONLY)
quiet = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(process, 0)
wall = time.perf_counter() - start
print(status, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""


def run(command):
    """Returns wall and CPU time in seconds, and the peak memory in MiB."""
    measure = [sys.executable, "-I", "-S", "-c", MEASURE, *command]
    said = subprocess.run(measure, check=True, capture_output=True, text=True).stdout
    status, wall, cpu, peak = said.split()
    if status != "0":
        sys.exit(f"{command} failed")
    return {"wall": float(wall), "CPU": float(cpu), "peak": float(peak)}


def report(rounds, options):
    def median(name, measure):
        return statistics.median(figures[name][measure] for figures in rounds)

    df = ["df", "--output=fstype", options.folder]
    system = subprocess.run(df, check=True, capture_output=True, text=True).stdout.split()[-1]
    print(f"{options.size} bytes to {system}, n={len(rounds)}, medians; load {os.getloadavg()[0]:.1f}\n")
    print("| program | wall s | CPU s | peak MiB |")
    print("|---|---|---|---|")
    for name in sorted(rounds[0]):
        wall, cpu, peak = (median(name, measure) for measure in ("wall", "CPU", "peak"))
        print(f"| {name} | {wall:.3f} | {cpu:.3f} | {peak:.1f} |")
    print("\n| measure | median of the rounds (least, most) | reach | |")
    print("|---|---|---|---|")
    for measure, ours, other, most in REACH:
        ratios = sorted(f[ours][measure] / f[other][measure] for f in rounds)
        middle = statistics.median(ratios)
        verdict = "yes" if middle <= most else "NO"
        spread = f"{middle:.2f} ({ratios[0]:.2f}, {ratios[-1]:.2f})"
        print(f"| {measure} / {other} | {spread} | ≤ {most} | {verdict} |")
    peak = max(figures["data_download"]["peak"] for figures in rounds)
    verdict = "yes" if peak <= PEAK_MIB else "NO"
    print(f"| peak memory | {peak:.1f} MiB | ≤ {PEAK_MIB} MiB | {verdict} |")


if __name__ == "__main__":
    main()
