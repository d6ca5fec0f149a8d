"""Runs with a budget in simulated worlds: three sizes and one generator, analysed after each round as a run would be.

Costs are in draws of the whole grid with the seeds it begins with, and 160 real images cost four times as much as 40.
"""

from __future__ import annotations

from helpers.simulate import Grid, Law, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.seed_noise import seed_share
from synaug_ray.config.budget import Until
from synaug_ray.laws.simultaneous import next_look
from synaug_ray.runs.rounds import next_round
from synaug_ray.runs.size_costs import SizeCost

SIZES, MOST, FIRST, SEEDS = (40, 80, 160), 24, 6, 2


def run_in_rounds(
    law: Law, seed: int, first: int = FIRST, most: int = MOST, at: tuple[int, ...] = (), trials: float = 1.0
) -> tuple[float, dict[int, str], set[str]]:
    """Draws of the whole grid that a run costs, its last verdicts by size, and all outcomes that it ever told.

    It begins with ``first`` draws of two seeds, may cost what ``most`` draws of the whole grid do, and asks about the
    sizes ``at`` (empty: all).

    Args:
        trials: the part of a draw's cost that its trials have, half of it those without synthetic images; with 1, seeds
            are as dear as draws, and none are added.
    """
    grid = Grid(power(), {("edm", "0.5"): law}, sizes=SIZES, multiples=(4,), draws=4 * MOST, seeds=8, images=400)
    told, predicted = simulate(grid, seed=seed)
    told["family"] = "edm"
    draws, seeds, held, looks, ever = first, SEEDS, {}, (), set()
    while True:
        there = {n: held.get(n, draws) for n in SIZES}
        made = told["num_real"].map(there).where(told["num_synthetic"] > 0, draws)
        part = told[(told["draw"] < made) & (told["seed"] < seeds)].reset_index(drop=True)
        looks = (*looks, next_look(looks, draws, seeds))
        found = analyse(part, predicted[predicted["key"].isin(part["key"])], replicates=100, looks=looks)
        verdicts = found.verdict_json()["verdicts"]
        ever |= {v["outcome"] for v in verdicts}
        whole = {n: n / sum(SIZES) for n in SIZES}
        ratio = trials * seeds / SEEDS / 2
        costs = {n: SizeCost(there[n], ratio * c, ratio * c, (1 - trials) * c) for n, c in whole.items()}
        spent = sum(c.real * draws + (c.mixed + c.pools) * c.draws for c in costs.values())
        laws = found.laws_json()
        step = next_round(laws, verdicts, {}, spent, float(most), Until(num_real=at), costs, seed_share(part) or 0.0)
        if step.next_draws is None:
            return spent, {v["num_real"]: v["outcome"] for v in verdicts}, ever
        draws, seeds, held = step.next_draws, step.next_seeds or seeds, dict(step.held)
