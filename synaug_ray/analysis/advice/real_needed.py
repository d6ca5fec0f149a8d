"""How many real images a target error needs, as a distribution, from the bootstrap's quantiles.

``PredictionGrid.error_quantiles`` has, for real images alone, quantiles of the expected error over all replicates of
all laws. The number N that a target needs is at most n if and only if the error at n is at most the target, so
P(N <= n) is the probability of reaching the target with n. What to collect by these probabilities: ``collection``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

Json = Mapping[str, Any]
SHOWN = (0.1, 0.5, 0.8, 0.95)  # probabilities for which the number of images is shown
TAIL = 3  # from the last level inwards: the other level that determines the tail beyond it, 80% for 95%


@dataclass(frozen=True)
class Chance:
    """P(expected error <= target), which is between ``low`` and ``high``; they differ beyond the stored quantiles.

    There ``likely`` follows the tail of a normal distribution of the log error; otherwise all three are equal.
    """

    low: float
    high: float
    likely: float


def known(grid: Json) -> bool:
    """Whether the grid has the quantiles; it has none without replicates, or if it is from an older version."""
    return bool(grid.get("error_levels")) and bool(grid.get("error_quantiles"))


def _log_errors(grid: Json) -> np.ndarray:
    """Log errors [len(num_real), levels], ascending along the levels; unknown ones count as never reached."""
    table = np.array([[np.inf if e is None else max(e, 1e-9) for e in row] for row in grid["error_quantiles"]])
    return np.log(np.minimum(table, 1.0))


def chance(grid: Json, target: float, num_real: float) -> Chance | None:
    """Probability of reaching ``target`` (a fraction) with ``num_real`` real images alone; None outside the grid."""
    return chances(grid, target, [num_real])[0]


def chances(grid: Json, target: float, num_real: Sequence[float]) -> list[Chance | None]:
    """``chance`` at each of many numbers of real images."""
    sizes, levels = np.log(grid["num_real"]), np.asarray(grid["error_levels"], dtype=float)
    table = _log_errors(grid)  # [n, level]
    at = np.array([math.log(n) if n > 0 else -math.inf for n in num_real])
    errors = np.stack([np.interp(at, sizes, column) for column in table.T], axis=1)
    inside = (at >= sizes[0] - 1e-9) & (at <= sizes[-1] + 1e-9)
    wanted = math.log(target)
    return [_chance(levels, row, wanted) if known else None for row, known in zip(errors, inside, strict=True)]


def _chance(levels: np.ndarray, errors: np.ndarray, wanted: float) -> Chance:
    if wanted < errors[0]:
        return Chance(0.0, float(levels[0]), _in_tail(levels[TAIL::-1], errors[TAIL::-1], wanted))
    if wanted >= errors[-1]:
        return Chance(float(levels[-1]), 1.0, _in_tail(levels[-1 - TAIL :], errors[-1 - TAIL :], wanted))
    k = int(np.searchsorted(errors, wanted, side="right")) - 1
    step = errors[k + 1] - errors[k]
    share = float(levels[k] + (levels[k + 1] - levels[k]) * ((wanted - errors[k]) / step if step > 0 else 1.0))
    return Chance(share, share, share)


def _in_tail(levels: np.ndarray, errors: np.ndarray, wanted: float) -> float:
    """The chance beyond the last of ``levels``, along the line through the first and the last on a normal scale."""
    scores = ndtri(levels[[0, -1]])
    width = errors[-1] - errors[0]
    if not np.isfinite(width) or width == 0:  # not reached at all in some worlds, or the same in all
        return float(0.0 if scores[-1] < 0 else 1.0)
    return float(ndtr(scores[1] + (wanted - errors[-1]) * (scores[1] - scores[0]) / width))


def needed(grid: Json, target: float, sure: float) -> int | None:
    """The fewest real images alone that reach ``target`` with probability ``sure``; None if beyond the grid.

    Raises:
        ValueError: if ``sure`` is beyond the stored quantiles.
    """
    levels = np.asarray(grid["error_levels"], dtype=float)
    if not levels[0] <= sure <= levels[-1]:
        raise ValueError(f"sure must be between {levels[0]:g} and {levels[-1]:g}, got {sure:g}")
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
    """[probability, fewest real images alone that reach ``target`` with it] for each level; None without quantiles."""
    if not known(grid):
        return None
    return [[level, needed(grid, target, level)] for level in grid["error_levels"]]
