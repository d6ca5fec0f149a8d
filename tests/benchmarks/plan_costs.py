"""The cost that a plan gives before a run, against what the run then took.

    python tests/benchmarks/plan_costs.py digits
    python tests/benchmarks/plan_costs.py mine.yaml num_real=[100] draws=1

Runs the grid with --local in a storage and a cache folder of its own, after timing a few steps there as a dry run does;
no figure measured elsewhere is used. Core-seconds by stage; memory is the largest resident size of the run's process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from synaug_ray.config.image_sides import image_shape
from synaug_ray.config.load import find_grid, placed_grid
from synaug_ray.data.first_image import first_shape, training_images
from synaug_ray.data.identify import identify, unknown_name
from synaug_ray.plan.plan import make_plan
from synaug_ray.plan.step import STAGES
from synaug_ray.runs import cost
from synaug_ray.runs.plan_summary import ASSUMED, memory_line
from synaug_ray.runs.timings import timings
from synaug_ray.store.store import Store


def main(words: list[str]) -> None:
    spec, _ = placed_grid(find_grid(words[0]), words[1:], unknown_name)
    plan = make_plan(spec, identify(spec.dataset, spec.data))
    shape = image_shape(spec) or first_shape(spec.dataset, spec.data) or ASSUMED
    cost.MEASURED.clear()  # measured elsewhere: here this machine's own timings are on trial
    with tempfile.TemporaryDirectory() as folder:
        steps = [s for stage in STAGES for s in plan.steps(stage).values()]
        began = time.monotonic()
        timed = timings(steps, shape, Path(folder) / "cache", print, training=training_images(spec.dataset))
        took = time.monotonic() - began
        table = cost.costs(cost.RecordedRates(plan, Store(f"{folder}/empty/store")), plan, shape, timed.figures)
        command = [sys.executable, "-m", "synaug_ray.grid", *words, "--local", "--no-timing", "--name", "bench"]
        began = time.monotonic()
        subprocess.run([*command, "--storage", folder], check=True, stdout=subprocess.DEVNULL)
        wall = time.monotonic() - began
        spent = json.loads((Path(folder) / "bench" / "status.json").read_text())["cpu_seconds"]
    print(f"\n`{' '.join(words)}`: timed in {took:.0f} s, run in {wall:.0f} s\n")
    print("| stage | planned, core-s | range | took, core-s | planned / took |\n|---|---|---|---|---|")
    for stage, planned in table.items():
        if planned.steps:
            true = spent.get(stage, 0.0)
            ratio = f"{planned.seconds / true:.2f}" if true else "-"
            print(
                f"| {stage} | {planned.seconds:.0f} | {planned.low:.0f} to {planned.high:.0f} | {true:.0f} | {ratio} |"
            )
    whole, true = sum(c.seconds for c in table.values()), sum(spent.values())
    low, high = (sum(getattr(c, end) for c in table.values()) for end in ("low", "high"))
    print(f"| all | {whole:.0f} | {low:.0f} to {high:.0f} | {true:.0f} | {whole / true:.2f} |")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(f"\n{' '.join(memory_line(plan, timed, 10**15).split())}; it took {peak / 1e6:,.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
