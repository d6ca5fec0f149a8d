"""Runs with a budget in simulated worlds: three sizes and one generator, analysed after each round as a run would be."""

from __future__ import annotations

from helpers.simulate import Grid, Law, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.config.budget import Until
from synaug_ray.laws.simultaneous import next_look
from synaug_ray.runs.rounds import next_round
from synaug_ray.runs.size_costs import SizeCost

SIZES, MOST, FIRST = (40, 80, 160), 24, 6


def run_in_rounds(
    law: Law, seed: int, first: int = FIRST, most: int = MOST, at: tuple[int, ...] = ()
) -> tuple[float, dict[int, str], set[str]]:
    """Draws of the whole grid that a run costs, its last verdicts by size, and all outcomes that it ever told.

    It begins with ``first`` draws, may cost what ``most`` draws of the whole grid do, and asks about the sizes ``at``
    (empty: all).
    """
    grid = Grid(power(), {("edm", "0.5"): law}, sizes=SIZES, multiples=(4,), draws=4 * MOST, seeds=1, images=400)
    told, predicted = simulate(grid, seed=seed)
    told["family"] = "edm"
    draws, held, looks, ever = first, {}, (), set()
    while True:
        there = {n: held.get(n, draws) for n in SIZES}
        made = told["num_real"].map(there).where(told["num_synthetic"] > 0, draws)
        part = told[told["draw"] < made].reset_index(drop=True)
        looks = (*looks, next_look(looks, draws))
        found = analyse(part, predicted[predicted["key"].isin(part["key"])], replicates=100, looks=looks)
        verdicts = found.verdict_json()["verdicts"]
        ever |= {v["outcome"] for v in verdicts}
        costs = {n: SizeCost(there[n], 0.0, n / sum(SIZES)) for n in SIZES}
        spent = sum(c.draws * c.synthetic for c in costs.values())
        step = next_round(found.laws_json(), verdicts, {}, spent, float(most), Until(num_real=at), costs)
        if step.next_draws is None:
            return spent, {v["num_real"]: v["outcome"] for v in verdicts}, ever
        draws, held = step.next_draws, dict(step.held)
