"""Upper bounds for closed-set generators: the same recipe trained on more real images, and real images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synaug_ray.analysis.verdict_text import setting
from synaug_ray.report import tables, text
from synaug_ray.report.text import StudyNames

Ceilings = Mapping[str, Any]


def table(laws: Mapping[str, Any] | None, names: StudyNames) -> tables.Table | None:
    """One row per cell; None if no upper bound was measured, or in a run of an older version."""
    found = (laws or {}).get("ceilings") or ()
    if not found:
        return None
    rows = tuple(
        (
            tables.words(names.name(c)),
            tables.number(c["num_real"], text.images),
            tables.number(c["synthetic_multiple"], text.multiple),
            tables.number(c["gain"], text.points),
            tables.number(c["open_set_gain"], text.points, missing="–"),
            tables.number(c["real_gain"], text.points, missing="–"),
            *(_part(c[name]) for name in ("information", "quality", "missing")),
        )
        for c in found
    )
    columns = (
        "generator",
        "real images",
        "multiple",
        "gain (points)",
        "of the same recipe that saw more",
        "of as many real images",
        "information",
        "quality",
        "both",
    )
    return tables.Table("Upper bounds for the generators", columns, rows)


def sentences(laws: Mapping[str, Any] | None) -> list[str]:
    """One sentence for each generator, way of mixing and size, at its largest amount."""
    largest: dict[tuple[Any, ...], Ceilings] = {}
    for c in (laws or {}).get("ceilings") or ():
        largest[c["classifier"], c["generator"], c["protocol"], c["real_share"], c["num_real"]] = c
    return [_sentence(c) for c in largest.values()]


def _sentence(c: Ceilings) -> str:
    said = (
        f"At {text.images(c['num_real'])} real images, {text.multiple(c['synthetic_multiple'])} "
        f"({setting(c['real_share'], c['protocol'])}): {c['generator']} gains {text.points(c['gain'])} points"
    )
    if c["open_set_gain"] is not None:
        said += f", {c['open_set']} (trained on more real images) {text.points(c['open_set_gain'])}"
    if c["real_gain"] is not None:
        said += f", as many real images {text.points(c['real_gain'])}"
    parts = [
        f"{text.with_interval(c[name], text.points)} points are {name}"
        for name in ("information", "quality")
        if c[name] is not None
    ]
    if len(parts) == 2:
        return f"{said}. Of the difference, {parts[0]} and {parts[1]}."
    if not parts and c["missing"] is not None:
        return f"{said}: {text.with_interval(c['missing'], text.points)} points more."
    return f"{said}. {parts[0][0].upper()}{parts[0][1:]}." if parts else f"{said}."


def _part(estimate: Any) -> tables.Entry:
    return tables.words("–") if estimate is None else tables.estimate(estimate, text.points)
