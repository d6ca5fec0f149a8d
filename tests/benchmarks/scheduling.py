"""What is spent around the work: a grid of 10,000 trials that do next to nothing, and a plan of 100,000 steps.

    python tests/benchmarks/scheduling.py [--trials 10000]

The trials are real ones, through the whole command: each trains an MLP of one unit on one image, is measured on the 600
test images of digits, and is committed to the Store with its predictions. Wall seconds a trial are those between the
first and the last Record; memory is the driver's resident set as the trials go by. Figures: `scheduling.md`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.load import load_grid
from synaug_ray.data.identify import identify
from synaug_ray.plan.plan import make_plan, pending
from synaug_ray.store.store import Store

GRID = """dataset: digits
num_real: [20]
synthetic_multiples: [0{more}]
generators: [duplicate]
classifiers: [{{preset: mlp, name: nothing, nimg: 1, batch: 1, widths: [1]}}]
draws: {draws}
seeds: 4
quality_draws: 0
training_check: {{draws: 0}}
replicates: 0
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _plan(Path(folder))
        _trials(Path(folder), args.trials)


def _plan(folder: Path) -> None:
    """Keys, plan and what is missing of 100,000 trials, half of them done."""
    path = folder / "large.yaml"
    path.write_text(GRID.format(more=", 1", draws=12_500))
    started = time.perf_counter()
    spec = load_grid(path, [])
    plan = make_plan(spec, identify("digits", DataOptions()))
    planned = time.perf_counter() - started

    class Half:
        """A Store in which every other trial stands."""

        def keys(self, stage: str) -> set[str]:
            return set(list(plan.trials)[::2]) if stage == "trial" else set()

    started = time.perf_counter()
    pending(plan, Half())
    print(
        f"plan of {len(plan.trials):,} trials, {len(plan.generators):,} generators and {len(plan.shards):,} shards: "
        f"{planned:.1f} s; what is missing of it: {time.perf_counter() - started:.1f} s",
        flush=True,
    )


def _trials(folder: Path, count: int) -> None:
    path, store = folder / "nothing.yaml", Store(f"{folder}/out/store")
    path.write_text(GRID.format(more="", draws=count // 4))
    started = time.perf_counter()
    driver = subprocess.Popen(
        [sys.executable, "-m", "synaug_ray.grid", str(path), "--storage", f"{folder}/out"], stdout=subprocess.DEVNULL
    )
    first, memory = None, []
    while driver.poll() is None:
        done = len(store.keys("trial"))
        if done and first is None:
            first = (time.perf_counter(), done)
        if done < count:
            last = (time.perf_counter(), done)
            try:
                memory.append((done, psutil.Process(driver.pid).memory_info().rss / 2**20))
            except psutil.NoSuchProcess:
                break
        time.sleep(2.0)
    assert driver.wait() == 0 and first is not None
    wall = time.perf_counter() - started
    each = (last[0] - first[0]) / max(1, last[1] - first[1])
    print(f"{count:,} trials that do nothing: {1000 * each:.1f} ms of wall each while they ran, {wall:.0f} s in all")
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        done, used = next((m for m in memory if m[0] >= share * count), memory[-1])
        print(f"  driver's memory at {done:,} trials: {used:,.0f} MB")


if __name__ == "__main__":
    main()
