"""Classifiers that stay behind another one's real-only error, whatever was added to their own images.

Whoever may take the better one has no use for a gain of the other. So the advice is about the better one, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.analysis.more_real import number
from synaug_ray.analysis.recommendation_no_gain import gains_of
from synaug_ray.common.text import fixed

Json = Mapping[str, Any]


def outdone(laws: Json, verdicts: Sequence[Json], num_real: int) -> dict[str, str]:
    """Each such classifier of the verdicts at one number of real images, with a sentence why.

    Its error without synthetic images, at its low end, less the largest gain of any amount, at its high end, is above
    the other's error without synthetic images, at its high end. Where an end is not known, it is not outdone.
    """
    errors = {str(c.get("classifier")): _error(c, num_real) for c in laws.get("real") or ()}
    known = {name: error for name in {str(v["classifier"]) for v in verdicts} if (error := errors.get(name))}
    if not known:
        return {}
    best = min(known, key=lambda name: (known[name]["value"], name))
    found = {}
    for name in sorted(set(known) - {best}):
        most = max(_largest_gain(laws, v) for v in verdicts if str(v["classifier"]) == name)
        if known[name]["low"] - max(most, 0.0) > known[best]["high"]:
            found[name] = (
                f"{name} is left out of this advice: its error is {_percent(known[name])} without synthetic images, "
                f"and none that were measured bring it down to the {_percent(known[best])} of {best} without any."
            )
    return found


def _error(curve: Json, num_real: int) -> dict[str, float] | None:
    """Value, low and high; None if any is missing."""
    for point in curve.get("points") or ():
        if int(point["num_real"]) == num_real:
            error = point.get("error") or {}
            ends = {k: end for k in ("value", "low", "high") if (end := number(error.get(k))) is not None}
            return ends if len(ends) == 3 else None
    return None


def _percent(error: Mapping[str, float]) -> str:
    return f"{fixed(100 * error['value'], '.1f')}%"


def _largest_gain(laws: Json, verdict: Json) -> float:
    """The high end of the largest gain of any amount; infinite where one has none."""
    highs = [number((gain or {}).get("high")) for gain in [*gains_of(laws, verdict), verdict.get("gain")]]
    return max(math.inf if high is None else high for high in highs)
