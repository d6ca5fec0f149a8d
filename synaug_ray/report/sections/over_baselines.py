"""Trained generators beside baselines that learn nothing, such as classical augmentation of the real images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synaug_ray.analysis.questions.baselines import BASELINES
from synaug_ray.analysis.verdict_text import setting
from synaug_ray.report import tables, text
from synaug_ray.report.text import StudyNames

COLUMNS = ("generator", "real images", "multiple", "gain (points)", "baseline", "its gain (points)", "difference")


def table(laws: Mapping[str, Any] | None, names: StudyNames) -> tables.Table | None:
    """One row per cell and baseline; None if none was measured, or in a run of an older version."""
    rows = tuple(
        (
            tables.words(names.name(c)),
            tables.number(c["num_real"], text.images),
            tables.number(c["synthetic_multiple"], text.multiple),
            tables.number(c["gain"], text.points),
            tables.words(c["baseline"]),
            tables.number(c["baseline_gain"], text.points),
            tables.estimate(c["difference"], text.points),
        )
        for c in (laws or {}).get("over_baselines") or ()
    )
    return tables.Table("Generators beside baselines", COLUMNS, rows) if rows else None


def sentences(laws: Mapping[str, Any] | None) -> list[str]:
    """One for each generator, classifier, way of mixing and size, at the largest amount, beside the usual baseline."""
    largest: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    every = list((laws or {}).get("over_baselines") or ())
    usual = list(BASELINES)
    for c in sorted(every, key=lambda c: -usual.index(c["family"])):  # the most usual one last: it is kept
        largest[c["classifier"], c["generator"], c["protocol"], c["real_share"], c["num_real"]] = c
    return [
        f"At {text.images(c['num_real'])} real images, {text.multiple(c['synthetic_multiple'])} "
        f"({setting(c['real_share'], c['protocol'])}, {c['classifier']}): {c['generator']} gains "
        f"{text.points(c['gain'])} points, {c['baseline']} {text.points(c['baseline_gain'])}; difference "
        f"{text.with_interval(c['difference'], text.points)}."
        for c in largest.values()
    ]
