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

    The two errors share draws and test images, so their difference is more precise than is assumed here.
    """
    curve = next((c for c in laws.get("real") or () if c.get("classifier") == classifier), None)
    points = sorted(((int(p["num_real"]), p["error"]) for p in (curve or {}).get("points") or ()), key=lambda p: p[0])
    if len(points) < 2:
        return MoreReal(Known.NOT_SHOWN)
    larger = [p for p in points if p[0] > num_real]
    (low, before), (high, after) = points[-2:]
    if larger:
        low, before = min(points, key=lambda p: abs(math.log(p[0] / num_real)))
        high, after = larger[0]
    value = (number(before) or 0.0) - (number(after) or 0.0)
    halves = [_half_width(e) for e in (before, after)]
    if None in halves:
        return MoreReal(Known.TOO_FEW, low, high, Estimate(value), bool(larger))
    half = math.hypot(*(h or 0.0 for h in halves))
    gain = Estimate(value, value - half, value + half)
    if value - half > 0 and not _flat(laws, classifier):
        return MoreReal(Known.HELPS, low, high, gain, bool(larger))
    few = real_draws(laws) < LEAST_DRAWS and value > 0
    return MoreReal(Known.TOO_FEW if few else Known.NOT_SHOWN, low, high, gain, bool(larger))


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
