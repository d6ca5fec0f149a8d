"""How many real images to collect in each of some rounds, at the least expected cost of images and of a missed target.

The problem of Mahmood et al., "Optimizing Data Collection for Machine Learning" (NeurIPS 2022; JMLR 26, 2025), with one
kind of image. N is the number of real images that the target needs, F its distribution function (``real_needed``).
Round t collects up to q_t and looks whether the target is reached; who has reached it stops. So the expected cost of
q_1 <= ... <= q_R from q_0 images on is

    cost_real (q_1 - q_0) + sum_t>1 cost_real (q_t - q_(t-1)) (1 - F(q_(t-1))) + penalty (1 - F(q_R)).

Here a look tells only whether the target is reached. Really it tells more: the run with the new images has another F,
of which the number for the next round should be asked. So what is expected to be spent is at most this.

The least is found exactly, by dynamic programming over the numbers of images considered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from synaug_ray.analysis.real_needed import Chance, chances

Json = Mapping[str, Any]
MOST_SIZES = 1_000  # numbers of images considered
MOST_ROUNDS = 20


@dataclass(frozen=True)
class Round:
    """Collect ``more`` for ``cost``, up to ``num_real``; ``chance`` that these reach the target."""

    num_real: int
    more: int
    cost: float
    chance: Chance


@dataclass(frozen=True)
class Collection:
    """Rounds of the least expected cost, each only if the target is not reached by the one before.

    Attributes:
        rounds: at least one; a round that collects nothing more is only a look, and only the first can be one.
        expected_cost: of the images and of missing the target, in the currency of the prices.
        at_end: the last round ends at the largest number that is predicted: more might cost less.
    """

    rounds: tuple[Round, ...]
    expected_cost: float
    at_end: bool


def cheapest_collection(
    grid: Json, target: float, cost_real: float, penalty: float, have: int, rounds: int = 1
) -> Collection | None:
    """The numbers of real images, at least ``have``, of the least expected cost.

    Numbers beyond the prediction grid are not considered; below it there is no chance to reach the target. None where
    ``have`` lies beyond it.

    Args:
        target: error to reach, a fraction.
        cost_real: of one real image.
        penalty: cost of missing the target after the last round.
        have: real images already owned, that cost nothing.
        rounds: at most so many, from 1 to ``MOST_ROUNDS``.
    """
    if not 1 <= rounds <= MOST_ROUNDS:
        raise ValueError(f"rounds are 1 to {MOST_ROUNDS}, got {rounds}")
    first, most = math.ceil(grid["num_real"][0]), math.floor(grid["num_real"][-1])
    if max(have, first) > most:
        return None
    sizes = _sizes(max(have, first), most)
    found_at = [c or Chance(0.0, 0.0, 0.0) for c in chances(grid, target, sizes.tolist())]
    if have < first:  # not collecting at all is a choice too
        sizes, found_at = np.concatenate([[have], sizes]), [Chance(0.0, 0.0, 0.0), *found_at]
    # N <= n where the target is reached by n or fewer, so that F does not fall where a fitted curve rises again
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
    """All integers, or log-spaced ones where these are too many; both ends are among them."""
    if most - least < MOST_SIZES:
        return np.arange(least, most + 1)
    return np.unique(np.round(np.geomspace(max(least, 1), most, MOST_SIZES)).astype(int))


def _least(
    sizes: np.ndarray, missed: np.ndarray, cost_real: float, penalty: float, rounds: int
) -> tuple[list[int], float]:
    """Indices into ``sizes`` [n] of each round, and the expected cost; ``missed`` [n] is 1 - F.

    ``ahead`` [n] is the least expected cost, from here on, of who has so many images and has looked.
    """
    ahead = penalty * missed
    later = np.triu(np.ones((len(sizes), len(sizes)), dtype=bool))  # nothing is given back
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
