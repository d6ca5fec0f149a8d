"""What each generator costs and gains: measured core- or GPU-hours, from ``laws.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.analysis.advice.calculator import generation_seconds
from synaug_ray.analysis.generators import CONTROLS
from synaug_ray.report import tables, text
from synaug_ray.report.text import StudyNames, ends_of, study_key, value_of

Verdicts = Sequence[Mapping[str, Any]]
HOUR = 3600.0


def unit(env: Mapping[str, Any] | None) -> str:
    """The unit of hours: 'core' or 'GPU' according to the run's environment; 'core or GPU' if it does not say."""
    device = str((env or {}).get("device") or "")
    return "core or GPU" if not device else "GPU" if device.startswith("cuda") else "core"


def seconds_of(verdict: Mapping[str, Any], laws: Mapping[str, Any] | None) -> tuple[float, float] | None:
    """Seconds to train the generator of a verdict, and to sample its amount of images; None if not measured."""
    studies = (laws or {}).get("studies") or ()
    study = next((s for s in studies if study_key(s) == study_key(verdict)), None)
    made = [g for g in (study or {}).get("generation") or () if g.get("num_real") == verdict["num_real"]]
    if not made:
        return None
    images = (text.finite(verdict.get("best_multiple")) or 0.0) * verdict["num_real"]
    trained = text.finite(made[0].get("generator_seconds")) or 0.0
    return trained, max(generation_seconds(made, verdict["num_real"], images) - trained, 0.0)


def lines(verdicts: Verdicts, laws: Mapping[str, Any] | None, names: StudyNames, env: Any) -> list[str]:
    """One sentence per study of a trained generator, at the largest measured number of real images."""
    largest: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for verdict in sorted(verdicts, key=lambda v: v["num_real"]):
        if verdict.get("family") not in CONTROLS:
            largest[study_key(verdict)] = verdict
    told = []
    for verdict in largest.values():
        spent = seconds_of(verdict, laws)
        if spent is None:
            continue
        images = (text.finite(verdict.get("best_multiple")) or 0.0) * verdict["num_real"]
        told.append(
            f"{names.name(verdict)}, at {text.images(verdict['num_real'])} real images: {text.seconds(sum(spent))} of "
            f"one {unit(env)} to train it and make {text.images(round(images))} images, for "
            f"{_brought(verdict['gain'])}."
        )
    return told


def _brought(gain: Any) -> str:
    """'a gain of +1.20 points [−0.30, +2.70]', or a loss, whose numbers have the opposite sign."""
    value, (low, high) = value_of(gain), ends_of(gain)
    if value is None or value >= 0:
        return f"a gain of {text.with_interval(gain, text.points)} points"
    loss = {"value": -value, "low": None if high is None else -high, "high": None if low is None else -low}
    return f"a loss of {text.with_interval(loss, text.percent)} points"


def table(verdicts: Verdicts, laws: Mapping[str, Any] | None, names: StudyNames, env: Any) -> tables.Table | None:
    """All verdicts with their cost in hours; None if there are no timings."""
    rows = []
    for verdict in verdicts:
        spent = seconds_of(verdict, laws)
        if spent is None:
            continue
        hours = sum(spent) / HOUR
        worth, (low, _) = value_of(verdict["equivalent"]), ends_of(verdict["equivalent"])
        each = hours / worth if worth is not None and low is not None and low > 0 else None
        images = (text.finite(verdict.get("best_multiple")) or 0.0) * verdict["num_real"]
        rows.append(
            (
                tables.words(names.name(verdict)),
                tables.number(verdict["num_real"], text.images),
                tables.number(images, text.images),
                tables.number(spent[0] / HOUR, text.rate),
                tables.number(spent[1] / HOUR, text.rate),
                tables.number(hours, text.rate),
                tables.estimate(verdict["gain"], text.points),
                tables.estimate(verdict["equivalent"], text.more_images),
                tables.number(each, text.rate, missing="–"),
            )
        )
    hour = f"{unit(env)}-hours"
    columns = (
        "study",
        "real images",
        "synthetic images",
        f"training ({hour})",
        f"sampling ({hour})",
        f"in all ({hour})",
        "gain (points)",
        "worth (real images), for all cells at once",
        f"{hour} per real image worth",
    )
    return tables.Table("Costs", columns, tuple(rows)) if rows else None
