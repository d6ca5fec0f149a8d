"""How long the laws of one table take, and how that grows with replicates, studies and trials.

    python tests/benchmarks/laws/speed.py

Seconds of one core (process time, BLAS on one thread), medians of three repeats.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

import numpy as np  # noqa: E402
from helpers.simulate import Grid, power, simulate  # noqa: E402

from synaug_ray.analysis.analyse import analyse  # noqa: E402

CASES = (  # studies, draws, replicates
    (3, 5, 2000),
    (3, 5, 1000),
    (3, 5, 500),
    (1, 5, 2000),
    (6, 5, 2000),
    (3, 10, 2000),
    (3, 20, 2000),
)


def bounded(n: float, s: float) -> float:
    return 1.2 * (n / 80) ** -0.6 * (1 - np.exp(-s / 2))


def seconds(studies: int, draws: int, replicates: int, repeats: int = 3) -> tuple[int, float]:
    """Number of trials, median seconds."""
    laws = {("edm", f"0.{i + 1}"): bounded for i in range(studies)}
    table = simulate(Grid(power(), laws, draws=draws), seed=7)
    times = []
    for _ in range(repeats):
        started = time.process_time()
        analyse(*table, replicates=replicates)
        times.append(time.process_time() - started)
    return len(table[0]), statistics.median(times)


def main() -> None:
    print("| trials | studies | draws | replicates | seconds of one core |\n|---|---|---|---|---|")
    for studies, draws, replicates in CASES:
        trials, spent = seconds(studies, draws, replicates)
        print(f"| {trials} | {studies} | {draws} | {replicates:,} | {spent:.1f} |", flush=True)


if __name__ == "__main__":
    main()
