#!/usr/bin/env python3
"""What steps on Slurm cost, beside srun by hand, on the cluster of SLURM_CONF.

    tests/slurm.sh start DIR; SLURM_CONF=DIR/slurm.conf tests/benches/slurm.py ORCHESTRATOR [STEPS]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def pipeline(folder, count):
    steps = ", ".join(f"s{number}: {{project: one, needs: []}}" for number in range(count))
    with open(f"{folder}/MLproject", "w") as file:
        file.write(f"name: demo\nenv_manager: local\nsteps: {{{steps}}}\n")
    os.makedirs(f"{folder}/one", exist_ok=True)
    with open(f"{folder}/one/MLproject", "w") as file:
        file.write('entry_points: {main: {command: "true"}}\n')


def seconds(command, folder):
    start = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.monotonic() - start


def peak(command, folder):
    """The seconds that a run takes, and the peak of the orchestrator's own memory in MiB."""
    start, most = time.monotonic(), 0
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status = f"/proc/{process.pid}/status"
    while process.poll() is None:
        try:
            with open(status) as file:
                lines = [line for line in file if line.startswith("VmHWM:")]
            most = max([most] + [int(line.split()[1]) for line in lines])
        except OSError:
            pass
        time.sleep(0.05)
    assert process.returncode == 0, process.returncode
    return time.monotonic() - start, most / 1024


def main():
    program = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with tempfile.TemporaryDirectory() as folder:
        run = [program, "--backend", "slurm"]
        # One after the other, taking turns.
        pipeline(folder, 20)
        by_hand = ["bash", "-c", "for i in {1..20}; do srun --quiet -N1 -n1 bash -c true; done"]
        pairs = [(seconds(run, folder), seconds(by_hand, folder)) for _ in range(5)]
        ours, theirs = (statistics.median(side) / 20 * 1000 for side in zip(*pairs))
        print(f"per step: {ours:.0f} ms, srun by hand {theirs:.0f} ms, over it {ours - theirs:.0f} ms")

        pipeline(folder, count)
        by_hand = ["bash", "-c", f"seq {count} | xargs -P6 -I{{}} srun --quiet -N1 -n1 bash -c true"]
        pairs = [(seconds([*run, "-j", "6"], folder), seconds(by_hand, folder)) for _ in range(3)]
        ours, theirs = (statistics.median(side) for side in zip(*pairs))
        print(f"{count} steps, -j 6: {ours:.1f} s, xargs -P6 srun {theirs:.1f} s, {ours / theirs:.2f} times")

        many = count * 10
        pipeline(folder, many)
        command = [*run, "-j", "6", "--backend-config", json.dumps({"allocation": True})]
        inside = ["salloc", "--quiet", "--ntasks=6", sys.executable, os.path.abspath(__file__), "--inside"]
        output = subprocess.run([*inside, folder, *command], check=True, capture_output=True, text=True)
        taken, memory = json.loads(output.stdout)
        print(f"{many} steps of one allocation, -j 6: {taken:.1f} s, {many / taken:.0f} steps/s, {memory:.1f} MiB")

        pipeline(folder, 10_000)
        plan = statistics.median(seconds([*run, "--check"], folder) for _ in range(5))
        print(f"plan of 10,000 steps: {plan:.2f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps(peak(sys.argv[3:], sys.argv[2])))
    else:
        main()
