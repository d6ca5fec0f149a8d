"""How many real images a target needs, as a distribution, and the chance to reach it: from the bootstrap's quantiles.

``PredictionGrid.error_quantiles`` holds, for real images alone, quantiles of the expected error over all replicates of
all laws. The number N that a target needs is at most n exactly where the error at n is at most the target, so that
P(N <= n) is the chance to reach the target with n. What to collect by these chances: ``collection``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

Json = Mapping[str, Any]
TOLD = (0.1, 0.5, 0.8, 0.95)  # chances whose number of images is told
TAIL = 3  # levels from the last one that its tail is drawn from: 80% and 95%


@dataclass(frozen=True)
class Chance:
    """P(expected error <= target); known only within ``low`` and ``high`` where it is beyond the quantiles kept.

    There ``likely`` goes on as the tail of a normal distribution of the log error does; else all three are the same.
    """

    low: float
    high: float
    likely: float


def known(grid: Json) -> bool:
    """Whether the grid has the quantiles: none without replicates, or by an older version."""
    return bool(grid.get("error_levels")) and bool(grid.get("error_quantiles"))


def _log_errors(grid: Json) -> np.ndarray:
    """[len(num_real), levels], ascending along the levels; what is not known counts as never reached."""
    table = np.array([[np.inf if e is None else max(e, 1e-9) for e in row] for row in grid["error_quantiles"]])
    return np.log(np.minimum(table, 1.0))


def chance(grid: Json, target: float, num_real: float) -> Chance | None:
    """The chance to reach ``target``, a fraction, with ``num_real`` real images alone; None outside the grid."""
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
