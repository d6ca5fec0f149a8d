"""Runs with a budget in simulated worlds: three sizes, one generator or more, analysed after each round as in a run.

Costs are in draws of the whole grid with the seeds it begins with, and 160 real images cost four times as much as 40.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from helpers.drawn_rounds import SEEDS, Ended, Price, Priced, run_in_rounds
from helpers.simulate import Grid, Law, power, simulate

from synaug_ray.config.budget import Until
from synaug_ray.runs.size_costs import PoolCost, SizeCost

SIZES, MOST, FIRST = (40, 80, 160), 24, 6


def simulated_rounds(
    law: Law,
    seed: int,
    first: int = FIRST,
    most: int = MOST,
    at: tuple[int, ...] = (),
    trials: float = 1.0,
    others: Mapping[str, Law] | None = None,
) -> Ended:
    """How a run ends that begins with ``first`` draws, and may cost what ``most`` draws of the whole grid do.

    Args:
        law: of the generator ``edm``.
        others: further generators, as dear as it is.
        at: the sizes that are asked about; empty: all.
        trials: the part of a draw's cost that its trials have; with 1, seeds are as dear as draws, and none are added.
    """
    laws = {(name, "0.5"): one for name, one in ({"edm": law} | dict(others or {})).items()}
    grid = Grid(power(), laws, sizes=SIZES, multiples=(4,), draws=4 * MOST, seeds=8, images=400)
    told, predicted = simulate(grid, seed=seed)
    told["family"] = "edm"
    return run_in_rounds(told, predicted, in_draws(SIZES, trials), first, float(most), Until(num_real=at))


def in_draws(sizes: Sequence[int], trials: float) -> Price:
    """Costs in draws of the whole grid with two seeds, in proportion to the real images.

    Args:
        trials: the part of a draw's cost that its trials have, half of it those without synthetic images.
    """

    def price(part: pd.DataFrame) -> Priced:
        ratio = trials * (int(part["seed"].max()) + 1) / SEEDS / 2
        made = part[part["num_synthetic"] > 0]
        of = len(set(made["generator"]))  # generators that share a draw's cost
        costs = {}
        for n in sizes:
            whole, here = n / sum(sizes), made[made["num_real"] == n]
            alone = int(part.loc[(part["num_real"] == n) & (part["num_synthetic"] == 0), "draw"].nunique())
            each = {
                str(name): PoolCost(int(drawn), ratio * whole / of, (1 - trials) * whole / of)
                for name, drawn in here.groupby("generator")["draw"].nunique().items()
            }
            costs[n] = SizeCost(ratio * whole, alone, each)
        return sum(cost.spent for cost in costs.values()), costs

    return price
