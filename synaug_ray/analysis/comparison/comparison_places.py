"""What ``laws.json`` has at the place of a row of a comparison: its ceiling, its baseline, the length of training."""

from __future__ import annotations

from typing import Any

from synaug_ray.analysis.advice.more_real import number
from synaug_ray.analysis.comparison.comparison_results import Json, Row
from synaug_ray.analysis.questions.baselines import BASELINES
from synaug_ray.analysis.questions.length_results import Ended
from synaug_ray.analysis.study_key import STUDY
from synaug_ray.common.text import counted
from synaug_ray.laws.results import Estimate


def length_note(laws: Json, row: Row) -> list[str]:
    """A note where the classifier's training is too short at this size, or may be."""
    for found in laws.get("training_lengths") or ():
        if (found["classifier"], found["num_real"]) != (row.classifier, row.num_real):
            continue
        change, ended = number(found["gain"].get("value")) or 0.0, found["ended"]
        if ended in (Ended.SHORT, Ended.MAYBE_SHORT):
            how = "is not" if ended == Ended.SHORT else "may not be"
            pairs = counted(found["pairs"], "pair of trials", "pairs of trials")
            return [
                f"{row.classifier} {how} trained to its end: {100 * change:.1f} points less without synthetic images "
                f"after twice the images seen ({pairs})"
            ]
    return []


def ceiling(laws: Json, row: Row) -> dict[str, Any]:
    """What as many held-out real images gain at the same place; nothing where they were not measured there."""
    found = _there(laws, "ceilings", row)
    if not found or number(found[0].get("real_gain")) is None:
        return {}
    return {"real_gain": number(found[0]["real_gain"]), "missing": estimate(found[0].get("missing"))}


def beside_baseline(laws: Json, row: Row) -> dict[str, Any]:
    """The difference to a baseline at the same place: the most usual one that was measured, whatever it gained."""
    found = {str(c.get("family")): c for c in reversed(_there(laws, "over_baselines", row))}
    family = next((name for name in BASELINES if name in found), "")
    return {"baseline": family, "over_baseline": estimate(found[family].get("difference"))} if family else {}


def _there(laws: Json, what: str, row: Row) -> list[Json]:
    """The entries of ``laws.json`` at the place of a row."""
    place = {**{k: getattr(row, k) for k in STUDY}, "num_real": row.num_real, "num_synthetic": row.num_synthetic}
    return [c for c in laws.get(what) or () if all(str(c.get(k)) == str(v) for k, v in place.items())]


def estimate(value: Any) -> Estimate:
    """An Estimate from JSON; without a value for anything else."""
    if not isinstance(value, dict):
        return Estimate(None)
    return Estimate(*(number(value.get(part)) for part in ("value", "low", "high")))
