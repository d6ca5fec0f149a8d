"""Where a run's time goes: CPU seconds of every process of a grid's run, by the part it plays, beside the work itself.

    python tests/benchmarks/whereabouts.py [digits] [--storage FOLDER] [--out FILE]

The command is run as a user runs it; its descendants are looked at twice a second, so what a process used after the
last look is missing. "Inside" is the CPU time that Records count: of code that trains, samples or runs quality checks. The
rest of a worker's is its start (imports), reading, committing, and talking to Ray. Idle is cores x wall less all of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from synaug_ray.store.store import Store

PARTS = {
    "RayTrainWorker": "Trainers' workers",
    "TrainController": "Trainers' other processes",
    "PackTrial": "classifiers",
    "MapWorker": "samplers",
    "Aggregator": "aggregator",
    "Coordinator": "ledger",
}
RAYS = "Ray's servers and helper actors"
STAGES = ("generator", "shard", "quality", "trial")


def part(line: str) -> str:
    """What a process does, by its command line; Ray renames workers after what they run, once they run it."""
    return next((name for mark, name in PARTS.items() if mark in line), RAYS)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("grid", nargs="?", default="digits")
    parser.add_argument("words", nargs="*", help="overrides of the grid")
    parser.add_argument("--storage", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--each", action="store_true", help="print every process too")
    args = parser.parse_args()
    storage = args.storage or Path(tempfile.mkdtemp(prefix="whereabouts-"))
    seconds: dict[int, float] = {}
    role: dict[int, str] = {}
    called: dict[int, str] = {}
    started = time.monotonic()
    run = subprocess.Popen([sys.executable, "-m", "synaug_ray.grid", args.grid, *args.words, "--storage", str(storage)])
    driver = psutil.Process(run.pid)
    while run.poll() is None:
        for process in [driver, *driver.children(recursive=True)]:
            try:
                used, line = process.cpu_times(), " ".join(process.cmdline())
            except psutil.Error:
                continue
            seconds[process.pid] = used.user + used.system
            called[process.pid] = line
            known = "driver" if process.pid == run.pid else part(line)
            if known != RAYS or process.pid not in role:
                role[process.pid] = known
        time.sleep(0.5)
    wall, cores = time.monotonic() - started, os.cpu_count() or 1
    store = Store(f"{storage}/store")
    inside: Counter[str] = Counter()
    for stage in STAGES:
        for record in store.records(stage, store.keys(stage)).values():
            inside[stage] += record.result["cpu_seconds"]
    spent: Counter[str] = Counter()
    for pid, used in seconds.items():
        spent[role[pid]] += used
    number = Counter(role.values())
    lines = [
        f"{platform.processor() or platform.machine()}, {cores} cores, {time.strftime('%Y-%m-%d')}; "
        f"`{args.grid}`: {wall:.0f} s of wall, so {cores * wall:.0f} core-s",
        "",
        "| part | processes | CPU s | % of cores x wall |",
        "|---|---|---|---|",
    ]
    for name, used in spent.most_common():
        lines.append(f"| {name} | {number[name]} | {used:.0f} | {100 * used / cores / wall:.1f} |")
    lines.append(
        f"| idle, or other processes of the machine | | {cores * wall - sum(spent.values()):.0f} | "
        f"{100 - 100 * sum(spent.values()) / cores / wall:.1f} |"
    )
    told = ", ".join(f"{inside[stage]:.0f} {stage}" for stage in STAGES)
    share = sum(inside.values()) / cores / wall
    lines += ["", f"Inside the work: {sum(inside.values()):.0f} CPU s ({told}); share {share:.3f}"]
    text = "\n".join(lines) + "\n"
    print(text)
    for pid in sorted(seconds, key=lambda pid: -seconds[pid]) if args.each else ():
        print(f"{seconds[pid]:8.1f}  {role[pid]:28}{called[pid][:60]} ... {called[pid][-60:]}")
    if args.out:
        args.out.write_text(text)


if __name__ == "__main__":
    main()
