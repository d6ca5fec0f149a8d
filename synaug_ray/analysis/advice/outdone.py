"""Several classifiers at one number of real images: which of them the advice is about, from plain JSON.

Whoever may take the better one has no use for a gain of the other: a large gain of a poor classifier may leave more
errors than another one makes without any synthetic images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.analysis.advice.more_real import number
from synaug_ray.analysis.advice.recommendation_text import FEW, gain_clause
from synaug_ray.analysis.study_key import STUDY
from synaug_ray.common.text import fixed

Json = Mapping[str, Any]


def outdone(laws: Json, verdicts: Sequence[Json], num_real: int) -> dict[str, str]:
    """Classifiers that stay behind another one without synthetic images, at all amounts; each with a sentence why.

    The better one has to be among the verdicts' classifiers. Every cell of the worse one has to be behind by its own
    interval: an intersection-union test, which needs no correction for their number. Where an end is not known, it is
    not outdone.
    """
    studies = {_study(v) for v in verdicts}
    judged = {study[0] for study in studies}
    cells: dict[str, list[Json]] = {}
    for cell in laws.get("behind") or ():
        if cell.get("num_real") == num_real and cell.get("best") in judged and _study(cell) in studies:
            cells.setdefault(str(cell["classifier"]), []).append(cell)
    return {
        name: _sentence(name, min(those, key=_far))
        for name, those in sorted(cells.items())
        if all((number((cell.get("difference") or {}).get("low")) or 0.0) > 0 for cell in those)
    }


def error_left(verdict: Json, without: Mapping[str, float]) -> float:
    """The error that a verdict's images leave; ``without`` any it is none where not known, so that gains decide."""
    return without.get(str(verdict["classifier"]), 0.0) - (number(verdict.get("gain")) or 0.0)


def errors_without(laws: Json, verdicts: Sequence[Json], num_real: int) -> dict[str, float]:
    """The error of each classifier of the verdicts without synthetic images; empty if one of them is not known."""
    points = [(str(c.get("classifier")), p) for c in laws.get("real") or () for p in c.get("points") or ()]
    errors = {name: number(p.get("error")) for name, p in points if int(p["num_real"]) == num_real}
    judged = {str(v["classifier"]) for v in verdicts}
    known = {name: error for name, error in errors.items() if name in judged and error is not None}
    return known if set(known) == judged else {}


def not_ahead(laws: Json, verdict: Json, without: Mapping[str, float]) -> tuple[str, str]:
    """Reason and next step where images help one classifier, and by its value do not bring it before another one."""
    best, name = min(without, key=lambda c: without[c]), str(verdict["classifier"])
    reason = (
        f"At {int(verdict['num_real']):,} real images, synthetic images lower the error of {name} by "
        f"{gain_clause(verdict['gain'])}, but that leaves "
        f"{100 * error_left(verdict, without):.1f}%, and {best} has "
        f"{100 * without[best]:.1f}% without any."
    )
    wanted = max(FEW, 2 * int(laws.get("draws") or 0))
    step = f"Take {best}. Whether synthetic images bring {name} before it, more draws would tell (draws={wanted})."
    return reason, step


def _study(entry: Json) -> tuple[str, ...]:
    return tuple(str(entry.get(k)) for k in STUDY)


def _far(cell: Json) -> float:
    return number(cell.get("difference")) or 0.0


def _sentence(name: str, nearest: Json) -> str:
    value, low, high = (100 * (number(nearest["difference"].get(k)) or 0.0) for k in ("value", "low", "high"))
    return (
        f"{name} is left out of this advice: even with synthetic images its error is {fixed(value, '.1f')} points "
        f"({fixed(low, '.1f')} to {fixed(high, '.1f')}) above that of {nearest.get('best')} without any."
    )
