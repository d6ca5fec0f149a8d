"""What a run with a budget costs on real images until it knows, beside a grid of a fixed number of draws.

    python -m synaug_ray.grid tests/benchmarks/replays.yaml --name NAME --storage S --local dataset=...
    python tests/benchmarks/replays.py S/NAME ... [--orders 5]

Runs of ``replays.yaml`` have more draws and seeds than an answer takes. From their trials a run with a budget is played
again: its rounds, looks and verdicts are the code's own, and the draws and seeds that it asks for are taken from the
table, in several orders. The grid beside it has all draws and two seeds, which is what the run may cost. Costs are the
measured core-seconds of the trials, generators and images that were used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the helpers of the tests

from helpers.drawn_rounds import SEEDS, Ended, Priced, run_in_rounds

from synaug_ray.analysis.advice.recommendation import recommendations
from synaug_ray.analysis.advice.recommendation_results import Advice
from synaug_ray.config.budget import Until
from synaug_ray.runs.size_costs import size_costs

FIRST, FEW = 6, 3


def spent(part: pd.DataFrame) -> float:
    """Core-seconds of trials, and of each of their generators and sets of images once."""
    pools = part[part["num_synthetic"] > 0]
    images = pools.groupby(["generator_key", "num_real"])["image_cost_seconds"].max().sum()
    generators = pools.groupby("generator_key")["generator_cost_seconds"].max().sum()
    return float(part["cost_seconds"].sum() + images + generators)


def price(part: pd.DataFrame) -> Priced:
    """What was spent, and the costs of each size, as a run reads them from its Records."""
    total = spent(part)
    return total, size_costs(part, total)


def shuffled(measurements: pd.DataFrame, order: int) -> pd.DataFrame:
    """With other draws and seeds first; order 0 leaves them."""
    if not order:
        return measurements
    rng = np.random.default_rng(order)
    new = {name: rng.permutation(int(measurements[name].max()) + 1) for name in ("draw", "seed")}
    return measurements.assign(**{name: new[name][measurements[name]] for name in new})


def main() -> None:
    """Print a row for each run, generator and question."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--orders", type=int, default=5)
    asked = parser.parse_args()
    columns = (
        "images, generator",
        "asked",
        "cost, median (least to most)",
        "answered (verdict decided), of sizes",
        "the grid",
        "otherwise",
    )
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for run in asked.runs:
        table, predicted = (pd.read_parquet(run / f"{name}.parquet") for name in ("measurements", "predictions"))
        done = table[table["status"] == "done"]
        for generator in sorted(set(done.loc[done["num_synthetic"] > 0, "generator"])):
            part = done[(done["num_synthetic"] == 0) | (done["generator"] == generator)].reset_index(drop=True)
            part["trained_on"] = part["num_real"]  # asked about like a generator of the cell's own images
            compare(f"{run.name}, `{generator}`", part, predicted, asked.orders)


def answered(ended: Ended, num_real: int) -> bool:
    """Whether the page advises something at this size: to collect, to generate, or either."""
    found = recommendations(ended.laws, ended.verdicts)
    return any(r.num_real == num_real and r.advice is not Advice.NOT_KNOWN for r in found)


def compare(name: str, table: pd.DataFrame, predicted: pd.DataFrame, orders: int) -> None:
    """Print the rows of one generator."""
    sizes = sorted({int(n) for n in table.loc[table["num_synthetic"] > 0, "num_real"]})
    tables = [shuffled(table, order) for order in range(orders)]

    def play(first: int, at: tuple[int, ...] = ()) -> list[tuple[Ended, Ended]]:
        """Each run, and the grid of all draws of its order."""
        return [
            (run_in_rounds(t, predicted, price, first, w.spent, Until(num_real=at)), w)
            for t, w in zip(tables, whole, strict=True)
        ]

    every = int(table["draw"].max()) + 1
    whole = [run_in_rounds(t[t["seed"] < SEEDS], predicted, price, every, 0.0) for t in tables]
    ways: dict[str, Any] = {"all sizes": play(FIRST)} | {f"{n:,}": play(FEW, (n,)) for n in sizes}
    for question, pairs in ways.items():
        of = sizes if question == "all sizes" else [int(question.replace(",", ""))]
        parts = [run.spent / grid.spent for run, grid in pairs]
        known, fixed = ([e.outcomes[n] for e in ended for n in of] for ended in zip(*pairs, strict=True))
        other = sum(a != b and "undecided" not in (a, b) for a, b in zip(known, fixed, strict=True))
        decided = [
            f"{sum(answered(e, n) for e in ended for n in of)} ({sum(o != 'undecided' for o in told)}) of {len(told)}"
            for ended, told in zip(zip(*pairs, strict=True), (known, fixed), strict=True)
        ]
        cost = f"{1 / np.median(parts):.1f} times less ({min(parts):.0%} to {max(parts):.0%})"
        print(f"| {name} | {question} | {cost} | {' | '.join(decided)} | {other} |", flush=True)


if __name__ == "__main__":
    main()
