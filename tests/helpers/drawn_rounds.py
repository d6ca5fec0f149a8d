"""A run with a budget whose trials are not made but drawn from a large table, simulated or measured before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.seed_noise import seed_share
from synaug_ray.config.budget import Until
from synaug_ray.laws.simultaneous import Look, next_look
from synaug_ray.runs.rounds import next_round
from synaug_ray.runs.size_costs import SizeCost

SEEDS = 2  # that a run begins with
DECIDED = Until()
Priced = tuple[float, Mapping[int, SizeCost]]
# of the trials so far: what is spent, and the costs of each size
Price = Callable[[pd.DataFrame], Priced]


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    spent: float
    draws: int
    seeds: int
    laws: Mapping[str, Any]  # of the last look, as in laws.json
    verdicts: Sequence[Mapping[str, Any]]
    ever: frozenset[str]  # all outcomes that were told at any look
    why: str  # it ended

    @property
    def outcomes(self) -> dict[int, str]:
        """By number of real images, of a run of one generator."""
        return {int(v["num_real"]): str(v["outcome"]) for v in self.verdicts}


def run_in_rounds(
    measurements: pd.DataFrame,
    predictions: pd.DataFrame,
    price: Price,
    first: int,
    most: float,
    until: Until = DECIDED,
) -> Ended:
    """A run that begins with ``first`` draws of two seeds, may cost ``most``, and goes on in rounds.

    A round that asks for more draws or seeds than the table has gets those that there are; one that finds nothing new
    is the last.
    """
    made = measurements["num_synthetic"] > 0
    names = sorted(set(measurements.loc[made, "generator"]))
    arms = list(zip(measurements["num_real"], measurements["generator"], strict=True))
    limits = [int(measurements[name].max()) + 1 for name in ("draw", "seed")]
    draws, seeds, held = min(first, limits[0]), SEEDS, dict[tuple[int, str], int]()
    looks: tuple[Look, ...] = ()
    ever: set[str] = set()
    ended: Ended | None = None
    seen = 0
    while True:
        there = pd.Series([held.get(arm, draws) for arm in arms], measurements.index).where(made, draws)
        part = measurements[(measurements["draw"] < there) & (measurements["seed"] < seeds)].reset_index(drop=True)
        if ended and len(part) == seen:
            return ended
        seen = len(part)
        looks = (*looks, next_look(looks, draws, seeds))
        found = analyse(part, predictions[predictions["key"].isin(part["key"])], replicates=100, looks=looks)
        verdicts = found.verdict_json()["verdicts"]
        ever |= {v["outcome"] for v in verdicts}
        spent, costs = price(part)
        laws = found.laws_json()
        share = seed_share(part) or 0.0
        step = next_round(laws, verdicts, {}, spent, most, until, costs, share)
        ended = Ended(spent, draws, seeds, laws, verdicts, frozenset(ever), step.why)
        if step.next_draws is None:
            return ended
        draws, seeds = min(step.next_draws, limits[0]), min(step.next_seeds or seeds, limits[1])
        held = {(n, name): some for n, some in step.held.items() for name in names}
        held |= {(n, name): some for n, by_name in step.held_generators.items() for name, some in by_name.items()}
