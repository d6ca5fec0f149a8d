"""How many real images a target needs, as a distribution, and the chance to reach it: from the bootstrap's quantiles.

``PredictionGrid.error_quantiles`` holds, for real images alone, quantiles of the expected error over all replicates of
all laws. The number N that a target needs is at most n exactly where the error at n is at most the target, so that
P(N <= n) is the chance to reach the target with n. Collecting what costs least where a missed target costs a penalty
is Mahmood et al., "Optimizing Data Collection for Machine Learning" (NeurIPS 2022), for one round.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Json = Mapping[str, Any]
TOLD = (0.1, 0.5, 0.8, 0.95)  # chances whose number of images is told


@dataclass(frozen=True)
class Chance:
    """P(expected error <= target); known only within ``low`` and ``high`` where it is beyond the quantiles kept."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


def known(grid: Json) -> bool:
    """Whether the grid has the quantiles: none without replicates, or by an older version."""
    return bool(grid.get("error_levels")) and bool(grid.get("error_quantiles"))


def _log_errors(grid: Json) -> np.ndarray:
    """[len(num_real), levels], ascending along the levels; what is not known counts as never reached."""
    table = np.array([[np.inf if e is None else max(e, 1e-9) for e in row] for row in grid["error_quantiles"]])
    return np.log(np.minimum(table, 1.0))


def chance(grid: Json, target: float, num_real: float) -> Chance | None:
    """The chance to reach ``target``, a fraction, with ``num_real`` real images alone; None outside the grid."""
    sizes = np.log(grid["num_real"])
    at = math.log(num_real) if num_real > 0 else -math.inf
    if not sizes[0] - 1e-9 <= at <= sizes[-1] + 1e-9:
        return None
    levels = np.asarray(grid["error_levels"], dtype=float)
    table = _log_errors(grid)  # [n, level]
    errors = np.array([np.interp(at, sizes, table[:, k]) for k in range(len(levels))])
    wanted = math.log(target)
    if wanted < errors[0]:
        return Chance(0.0, float(levels[0]))
    if wanted >= errors[-1]:
        return Chance(float(levels[-1]), 1.0)
    k = int(np.searchsorted(errors, wanted, side="right")) - 1
    step = errors[k + 1] - errors[k]
    share = float(levels[k] + (levels[k + 1] - levels[k]) * ((wanted - errors[k]) / step if step > 0 else 1.0))
    return Chance(share, share)


def needed(grid: Json, target: float, sure: float) -> int | None:
    """The fewest real images alone that reach ``target`` with a chance of ``sure``; None if beyond the grid."""
    levels = np.asarray(grid["error_levels"], dtype=float)
    if not levels[0] <= sure <= levels[-1]:
        raise ValueError(f"a chance between {levels[0]:g} and {levels[-1]:g} is known, got {sure:g}")
    table = _log_errors(grid)
    errors = np.array([np.interp(sure, levels, row) for row in table])
    sizes, wanted = np.log(grid["num_real"]), math.log(target) + 1e-9
    reached = np.flatnonzero(errors <= wanted)
    if not len(reached):
        return None
    i = int(reached[0])
    if i == 0:
        return math.ceil(grid["num_real"][0])
    t = (errors[i - 1] - wanted) / (errors[i - 1] - errors[i])
    return math.ceil(math.exp(sizes[i - 1] + t * (sizes[i] - sizes[i - 1])) * (1 - 1e-9))


def real_needed(grid: Json, target: float) -> list[list[float | None]] | None:
    """[chance, fewest real images alone that reach ``target`` with it] for each level kept; None without quantiles."""
    if not known(grid):
        return None
    return [[level, needed(grid, target, level)] for level in grid["error_levels"]]


@dataclass(frozen=True)
class Collection:
    """Collect until there are ``num_real``: the cost of the images, and the chance to reach the target with them."""

    num_real: int
    cost: float
    chance: Chance


def cheapest_with_penalty(grid: Json, target: float, cost_real: float, penalty: float, have: int) -> Collection | None:
    """The number of real images, at least ``have``, of the least expected cost: of images, and of missing the target.

    Sizes beyond the prediction grid are not considered; None where ``have`` lies beyond it.
    """
    most = math.floor(grid["num_real"][-1])
    least = max(have, math.ceil(grid["num_real"][0]))
    if least > most:
        return None
    steps = np.unique(np.round(np.geomspace(least, most, 400)).astype(int))
    found = [(n, cost_real * max(n - have, 0), chance(grid, target, n)) for n in steps.tolist()]
    best = min(found, key=lambda f: f[1] + penalty * (1 - (f[2].middle if f[2] else 0.0)))
    return None if best[2] is None else Collection(best[0], best[1], best[2])
