"""How many real images to collect in each of several rounds, for the least expected cost of images and a missed target.

This is the problem of Mahmood et al., "Optimizing Data Collection for Machine Learning" (NeurIPS 2022; JMLR 26, 2025),
with one kind of image. N is the number of real images that the target needs, F its distribution function
(``real_needed``). Round t collects up to q_t images and checks whether the target is reached; if so, collecting stops.
So the expected cost of q_1 <= ... <= q_R, starting with q_0 images, is

    cost_real (q_1 - q_0) + sum_t>1 cost_real (q_t - q_(t-1)) (1 - F(q_(t-1))) + penalty (1 - F(q_R)).

Here a check only says whether the target is reached. In reality it says more: the run with the new images has another
F, which should be used for the number of the next round. So the expected cost is at most this.

The minimum is found exactly, by dynamic programming over the numbers of images considered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from synaug_ray.analysis.advice.real_needed import Chance, chances

Json = Mapping[str, Any]
MOST_SIZES = 1_000  # numbers of images considered
MOST_ROUNDS = 20


@dataclass(frozen=True)
class Round:
    """Collect ``more`` images for ``cost``, up to ``num_real``, which reach the target with probability ``chance``."""

    num_real: int
    more: int
    cost: float
    chance: Chance


@dataclass(frozen=True)
class Collection:
    """The rounds with the least expected cost; each is only needed if the previous one did not reach the target.

    Attributes:
        rounds: at least one; only the first one may collect nothing, and is then a check.
        expected_cost: of the images and of missing the target, in the currency of the prices.
        at_end: whether the last round ends at the largest number that is predicted, so that more might cost less.
    """

    rounds: tuple[Round, ...]
    expected_cost: float
    at_end: bool


def cheapest_collection(
    grid: Json, target: float, cost_real: float, penalty: float, have: int, rounds: int = 1
) -> Collection | None:
    """The numbers of real images (at least ``have``) with the least expected cost.

    Numbers beyond the prediction grid are not considered; below it, the probability of reaching the target is 0. None
    if ``have`` is beyond the grid.

    Args:
        target: error to reach, a fraction.
        cost_real: of one real image.
        penalty: cost of missing the target after the last round.
        have: real images already owned, which cost nothing.
        rounds: largest number of rounds, from 1 to ``MOST_ROUNDS``.
    """
    if not 1 <= rounds <= MOST_ROUNDS:
        raise ValueError(f"rounds are 1 to {MOST_ROUNDS}, got {rounds}")
    first, most = math.ceil(grid["num_real"][0]), math.floor(grid["num_real"][-1])
    if max(have, first) > most:
        return None
    sizes = _sizes(max(have, first), most)
    found_at = [c or Chance(0.0, 0.0, 0.0) for c in chances(grid, target, sizes.tolist())]
    if have < first:  # collecting nothing is a choice, too
        sizes, found_at = np.concatenate([[have], sizes]), [Chance(0.0, 0.0, 0.0), *found_at]
    # N <= n if n or fewer images reach the target, so that F does not fall if a fitted curve rises again
    missed = 1 - np.maximum.accumulate([c.likely for c in found_at])
    chosen, expected = _least(sizes, missed, cost_real, penalty, rounds)
    found, before = [], have
    for i in chosen:
        n = int(sizes[i])
        if not found or n > before:
            found.append(Round(n, n - before, cost_real * (n - before), found_at[i]))
        before = n
    return Collection(tuple(found), expected, found[-1].num_real == most)


def _sizes(least: int, most: int) -> np.ndarray:
    """All integers, or log-spaced ones if these are too many; including both ends."""
    if most - least < MOST_SIZES:
        return np.arange(least, most + 1)
    return np.unique(np.round(np.geomspace(max(least, 1), most, MOST_SIZES)).astype(int))


def _least(
    sizes: np.ndarray, missed: np.ndarray, cost_real: float, penalty: float, rounds: int
) -> tuple[list[int], float]:
    """The index of each round into ``sizes`` [n], and the expected cost; ``missed`` [n] is 1 - F."""
    ahead = penalty * missed  # [n]: the least expected cost from here on, with so many images and after a check
    later = np.triu(np.ones((len(sizes), len(sizes)), dtype=bool))  # images are never returned
    bought = cost_real * (sizes[None, :] - sizes[:, None])
    choices = []
    for _ in range(rounds - 1):
        costs = np.where(later, missed[:, None] * bought + ahead[None, :], np.inf)
        choices.append(costs.argmin(axis=1))
        ahead = costs.min(axis=1)
    costs = bought[0] + ahead
    chosen = [int(costs.argmin())]
    for choice in reversed(choices):
        chosen.append(int(choice[chosen[-1]]))
    return chosen, float(costs[chosen[0]])
