"""What it costs to know the exchange rate better: a grid of more draws against a run in rounds, in simulated worlds.

    python tests/benchmarks/rate_widths.py [--worlds 12] [--trials 0.15]

The worlds have five sizes, two amounts and 1,000 test images, and synthetic images are worth 1.2 s / (4 + s) real ones a
real one. Costs are in draws of the whole grid with two seeds, of which ``--trials`` are the classifiers'. Rounds begin
with six draws and go on until all gains are known to so many points (``until: {half_width: 1}``). Told are medians: the
cost, and by which factor the upper end of the next real image's rate exceeds the lower one, at 80 real images and four
synthetic ones per real one. Figures: `rounds.md`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the helpers of the tests

from helpers.drawn_rounds import Ended, run_in_rounds
from helpers.simulate import Grid, power, simulate
from helpers.simulated_rounds import FIRST, in_draws

from synaug_ray.config.budget import Until

AT, DRAWS, POINTS, MOST = 80, (6, 12, 24, 48), (2.0, 1.5, 1.0), 48
GRID = Grid(
    power(), {("edm", "0.5"): lambda n, s: 1.2 * s / (4 + s)}, multiples=(1, 4), draws=MOST, seeds=8, images=1_000
)


def factor(run: Ended) -> float:
    """From the lower end of the rate to the upper one; infinite where it is not estimable."""
    rate = next(v["exchange"] for v in run.verdicts if v["num_real"] == AT)
    ends = rate["marginal"] if rate else {}
    return ends["high"] / ends["low"] if ends.get("high") and ends.get("low") else np.inf


def main() -> None:
    """Print a row for each design."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=12)
    parser.add_argument("--trials", type=float, default=0.15)
    asked = parser.parse_args()
    price = in_draws(GRID.sizes, asked.trials)
    found: dict[str, list[Ended]] = {}  # by design
    for world in range(asked.worlds):
        told, predicted = simulate(GRID, seed=world)
        told["family"] = "edm"
        for draws in DRAWS:
            fixed = run_in_rounds(told, predicted, price, draws, 0.0)
            found.setdefault(f"{draws} draws, 2 seeds", []).append(fixed)
        for points in POINTS:
            until = Until(decide=False, half_width=points)
            rounds = run_in_rounds(told, predicted, price, FIRST, float(MOST), until)
            found.setdefault(f"rounds, until {points:g} points", []).append(rounds)
    print("| run | cost | draws x seeds | rate: upper end / lower end |\n|---|---|---|---|")
    for name, runs in found.items():
        cost, draws, seeds, wide = (
            np.median([part(run) for run in runs])
            for part in (lambda r: r.spent, lambda r: r.draws, lambda r: r.seeds, factor)
        )
        print(f"| {name} | {cost:.1f} | {draws:.0f} x {seeds:.0f} | {wide:.2f} |")


if __name__ == "__main__":
    main()
