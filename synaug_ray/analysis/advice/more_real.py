"""The measured effect of more real images, from the real-only errors in ``laws.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from synaug_ray.analysis.exchange import NOT_ESTIMABLE
from synaug_ray.analysis.real_only import LEAST_DRAWS
from synaug_ray.laws.results import Estimate

Json = Mapping[str, Any]


class Known(StrEnum):
    """Whether more real images were measured to lower the error."""

    HELPS = "helps"
    NOT_SHOWN = "not shown"
    TOO_FEW = "too few draws to say"


@dataclass(frozen=True)
class MoreReal:
    """The measured effect of more real images at one size, from the classifier's real-only errors.

    If no larger size was measured, it is the effect between the two largest sizes, and ``beyond`` is False.
    """

    known: Known
    low: int = 0  # real images
    high: int = 0  # real images
    gain: Estimate = Estimate(None)  # decrease of the error (a fraction) from ``low`` to ``high``
    beyond: bool = False  # whether ``high`` is larger than the size in question


def more_real(laws: Json, classifier: str, num_real: int) -> MoreReal:
    """The measured effect of more real images on a classifier, starting at ``num_real``.

    From ``real_steps`` where there are any. Files of older versions have two errors alone, whose difference is then
    taken to be as uncertain as if they had no draws and test images in common.
    """
    curve = next((c for c in laws.get("real") or () if c.get("classifier") == classifier), None)
    points = sorted(((int(p["num_real"]), p["error"]) for p in (curve or {}).get("points") or ()), key=lambda p: p[0])
    if len(points) < 2:
        return MoreReal(Known.NOT_SHOWN)
    below, beyond = points[-2], False
    if num_real < points[-1][0]:
        below, beyond = min(points[:-1], key=lambda p: abs(math.log(p[0] / max(num_real, 1)))), True
    above = points[points.index(below) + 1]
    gain, (low, high) = _gain(laws, classifier, below, above), (below[0], above[0])
    if gain.low is None:
        return MoreReal(Known.TOO_FEW, low, high, gain, beyond)
    if gain.low > 0 and not _flat(laws, classifier):
        return MoreReal(Known.HELPS, low, high, gain, beyond)
    few = real_draws(laws) < LEAST_DRAWS and (gain.value or 0.0) > 0
    return MoreReal(Known.TOO_FEW if few else Known.NOT_SHOWN, low, high, gain, beyond)


def _gain(laws: Json, classifier: str, below: tuple[int, Json], above: tuple[int, Json]) -> Estimate:
    """The decrease of the error from one measured size to the next."""
    for step in laws.get("real_steps") or ():
        if (step["classifier"], step["low"], step["high"]) == (classifier, below[0], above[0]):
            return Estimate(*(number(step["gain"].get(part)) for part in ("value", "low", "high")))
    value = (number(below[1]) or 0.0) - (number(above[1]) or 0.0)
    halves = [_half_width(error) for _, error in (below, above)]
    if None in halves:
        return Estimate(value)
    half = math.hypot(*(h or 0.0 for h in halves))
    return Estimate(value, value - half, value + half)


def real_draws(laws: Json) -> int:
    """The draws of real images alone; files of older versions have one number for all."""
    return int(laws.get("real_draws") or laws.get("draws") or 0)


def number(estimate: Any) -> float | None:
    """The value of an Estimate in JSON; None if it is not a finite number."""
    value = estimate.get("value") if isinstance(estimate, Mapping) else estimate
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _flat(laws: Json, classifier: str) -> bool:
    """Whether, according to the analysis, the real-only curve is not shown to fall."""
    rates = [e for s in laws.get("studies") or () if s.get("classifier") == classifier for e in s.get("exchange") or ()]
    return any(NOT_ESTIMABLE in str(e.get("note")) for e in rates)


def _half_width(estimate: Json) -> float | None:
    low, high = number(estimate.get("low")), number(estimate.get("high"))
    return None if low is None or high is None else (high - low) / 2
