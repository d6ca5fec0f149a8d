"""Values of the table of predictions in ``laws.json`` between its points, and whether a point was measured.

The page's script ``report/html/expectation.js`` repeats this arithmetic, so it is kept simple and described here.

**Interpolation.** The axes are u = ln n and v = ln(1 + s / num_synthetic[1]). If (i, j) is the grid cell that contains
(u, v), and t, w in [0, 1] the position in it, a value is the bilinear mean of its four corners with weights
(1-t)(1-w), (1-t) w, t (1-w), t w: of ln(error), then exp; of equivalent; of ln(marginal), then exp. Corners with weight
0 are ignored; if another corner is null, so is the value. Outside the grid everything is null.

**Measured range.** Without synthetic images: num_real within ``measured_real_only``. With them: num_real within
``measured_num_real``, s <= ``measured_num_synthetic`` and s <= ``measured_multiple`` * num_real.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.laws.results import Estimate

SLACK = 1e-9  # relative tolerance of errors and amounts, against rounding
Json = Mapping[str, Any]  # a PredictionGrid, as in laws.json


def axis(values: Sequence[float], at: float) -> tuple[int, float] | None:
    """The interval of an ascending axis that contains ``at``, and the position in it, in [0, 1]; None outside."""
    span = values[-1] - values[0]
    if not values[0] - SLACK * span <= at <= values[-1] + SLACK * span:
        return None
    i = min(max(bisect_right(values, at) - 1, 0), len(values) - 2)
    return i, min(max((at - values[i]) / (values[i + 1] - values[i]), 0.0), 1.0)


def _log_sizes(grid: Json) -> list[float]:
    return [math.log(n) for n in grid["num_real"]]


def log_amounts(grid: Json) -> list[float]:
    return [math.log1p(s / grid["num_synthetic"][1]) for s in grid["num_synthetic"]]


def interpolate(grid: Json, name: str, num_real: float, num_synthetic: float) -> float | None:
    """One table of the grid (``error``, ``equivalent_low`` ...) at a point; None if it has no value there."""
    if num_real <= 0 or num_synthetic < 0:
        return None
    row = axis(_log_sizes(grid), math.log(num_real))
    column = axis(log_amounts(grid), math.log1p(num_synthetic / grid["num_synthetic"][1]))
    if row is None or column is None:
        return None
    logarithmic = not name.startswith("equivalent")
    (i, t), (j, w), total = row, column, 0.0
    for di, dj, weight in ((0, 0, (1 - t) * (1 - w)), (0, 1, (1 - t) * w), (1, 0, t * (1 - w)), (1, 1, t * w)):
        if weight > 0:
            value = grid[name][i + di][j + dj]
            if value is None or (logarithmic and value <= 0):
                return None
            total += weight * (math.log(value) if logarithmic else value)
    return math.exp(total) if logarithmic else total


def estimate(grid: Json, name: str, num_real: float, num_synthetic: float) -> Estimate:
    """A table with its interval at a point."""
    return Estimate(*(interpolate(grid, name + end, num_real, num_synthetic) for end in ("", "_low", "_high")))


def outside(grid: Json, num_real: float, num_synthetic: float) -> tuple[str, ...]:
    """How a point is outside the measured range, in sentences; empty inside."""
    low, high = grid["measured_num_real"] if num_synthetic else grid["measured_real_only"]
    found = []
    if not low <= num_real <= high:
        kind = "with synthetic images" if num_synthetic else "without synthetic images"
        found.append(f"{num_real:,.0f} real images are outside the {low:,.0f} to {high:,.0f} measured {kind}")
    if num_synthetic > grid["measured_num_synthetic"] * (1 + SLACK):
        found.append(
            f"{num_synthetic:,.0f} synthetic images are more than the {grid['measured_num_synthetic']:,.0f} measured"
        )
    elif num_synthetic > grid["measured_multiple"] * num_real * (1 + SLACK):
        found.append(
            f"{num_synthetic / num_real:.3g} synthetic images per real one are more than "
            f"the {grid['measured_multiple']:g} measured"
        )
    return tuple(found)


def too_many(grid: Json, num_real: float, num_synthetic: float) -> bool:
    """Whether there are more synthetic images than were measured, or more per real one."""
    most = min(grid["measured_num_synthetic"], grid["measured_multiple"] * num_real)
    return num_synthetic > most * (1 + SLACK)
