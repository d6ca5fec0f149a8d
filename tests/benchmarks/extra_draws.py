"""What further draws of real images alone do to gains: in simulated grids, and in a measured one.

    python tests/benchmarks/extra_draws.py [--worlds 60] [--run S/digits]

Simulated: four sizes, two amounts, six draws with synthetic images, and 6 or 24 of real images alone; errors with
synthetic images follow those without, or not at all, as if these images decided everything (the best case for further
draws). Told are the share of 90% intervals of gains that hold, their mean width in points, and the grids in which any of
the intervals for all cells at once does not hold.

Measured: a run of ``replays.yaml``, of whose draws six have synthetic images, in several orders: half-widths, and how far
gains are from those of all draws (root mean square). Figures: `proxies.md`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the helpers of the tests

from helpers.simulate import Grid, nothing, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.results import Analysis

FEW, MANY, ORDERS = 6, 24, 6


def main() -> None:
    """Print both tables, or the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--run", type=Path)
    asked = parser.parse_args()
    if asked.worlds:
        simulated(asked.worlds)
    if asked.run:
        measured(asked.run)


def part_of(told: pd.DataFrame, predicted: pd.DataFrame, real_draws: int) -> Analysis:
    """The analysis with six draws of synthetic images, and so many of real ones alone."""
    draws = told["num_synthetic"].map(lambda s: FEW if s else real_draws)
    part = told[told["draw"] < draws].reset_index(drop=True)
    return analyse(part, predicted[predicted["key"].isin(part["key"])], replicates=100)


def simulated(worlds: int) -> None:
    """Print the table of simulated grids."""
    print("| errors | truth | real-only draws | intervals that hold | width | grids with a miss |\n" + "|---" * 6 + "|")
    for apart in (True, False):
        for truth, law in (("nothing", nothing), ("worth 0.3 n", lambda n, s: 0.3)):
            grid = Grid(
                power(), {("edm", "0.5"): law}, sizes=(40, 80, 160, 320), multiples=(1, 4), draws=MANY,
                draw_effect=0.12, size_effect=0.08, images=1_000, apart=apart,
            )  # fmt: skip
            worlds_of = [simulate(grid, seed=seed) for seed in range(worlds)]
            for draws in (FEW, MANY):
                found = [part_of(*tables, draws).studies[0].cells for tables in worlds_of]
                held, width, missed = [], [], 0
                for cells in found:
                    planted = [grid.gain("edm", "0.5", c.num_real, c.synthetic_multiple) for c in cells]
                    held += [c.gain.low <= gain <= c.gain.high for c, gain in zip(cells, planted, strict=True)]
                    width += [c.gain.high - c.gain.low for c in cells]
                    sure = [c.gain_simultaneous for c in cells]
                    missed += not all(s.low <= gain <= s.high for s, gain in zip(sure, planted, strict=True))
                how = "by themselves" if apart else "with those without"
                told = f"{np.mean(held):.1%} | {100 * np.mean(width):.2f} | {missed} of {worlds}"
                print(f"| {how} | {truth} | {draws} | {told} |", flush=True)


def measured(run: Path) -> None:
    """Print the table of a measured grid."""
    table, predicted = (pd.read_parquet(run / f"{name}.parquet") for name in ("measurements", "predictions"))
    told = table[(table["status"] == "done") & (table["seed"] < 2)].reset_index(drop=True)
    every = int(told["draw"].max()) + 1
    truth = {
        (study.generator, cell.num_real): cell.gain.value
        for study in analyse(told, predicted, replicates=0).studies
        for cell in study.cells
    }
    found: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
    for order in range(ORDERS):
        shuffled = told.assign(draw=np.random.default_rng(order).permutation(every)[told["draw"]])
        for draws in (FEW, every):
            for study in part_of(shuffled, predicted, draws).studies:
                for cell in study.cells:
                    at = study.generator, cell.num_real
                    half = (cell.gain.high - cell.gain.low) / 2
                    found.setdefault((*at, draws), []).append((half, cell.gain.value - truth[at]))
    print(f"\n| {run.name}: generator | real images | real-only draws | half-width | off by |\n" + "|---" * 5 + "|")
    for (generator, n, draws), values in sorted(found.items()):
        half, off = 100 * np.array(values).T
        print(f"| `{generator}` | {n:,} | {draws} | {half.mean():.2f} | {np.sqrt((off**2).mean()):.2f} |")


if __name__ == "__main__":
    main()
