"""The quality checks of generators and their pools, with the columns of ``quality.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.analysis.generators import CONTROLS, without_filter
from synaug_ray.common.text import some
from synaug_ray.report import tables, text
from synaug_ray.report.figures import plane
from synaug_ray.report.panels import Panel

CAPTION = (
    "Each point is an image; those that a small classifier of the real images finds alike lie near each other, in the "
    "plane in which held-out real images differ most. Lines enclose half and nine tenths of each kind. Real images "
    "without synthetic ones about them are what a generator misses; synthetic ones without real ones about them are "
    "unlike any. Images may differ in other ways than the plane shows: the overlap counts these too."
)
PLANE = {"generator", "num_real", "overlap", "explained", "axes"} | {
    f"{kind}{what}" for kind in ("real", "synthetic") for what in ("", "_density")
}


def table(quality: Mapping[str, Any] | None) -> tables.Table | None:
    """One row per generator and number of real images; None without quality checks."""
    columns = [str(column) for column in tables.list_in(quality, "columns")]
    rows = [row for row in tables.list_in(quality, "rows") if isinstance(row, list)]
    if not columns or not rows:
        return None
    width = len(columns)
    return tables.Table(
        "Quality of the generators",
        tuple(column.replace("_", " ") for column in columns),
        tuple(tuple(tables.entry(value) for value in (row + [None] * width)[:width]) for row in rows),
    )


def plane_panels(quality: Mapping[str, Any] | None) -> list[Panel]:
    """A figure for each generator with a plane; none in runs of older versions."""
    known = [p for p in tables.list_in(quality, "planes") if isinstance(p, Mapping) and PLANE <= p.keys()]
    return [
        Panel(
            f"plane-{i}",
            f"{p['generator']}, {text.images(p['num_real'])} real images seen",
            CAPTION,
            plane.figure(p),
            plane.table([p]),
        )
        for i, p in enumerate(known)
    ]


def notes(quality: Mapping[str, Any] | None) -> list[str]:
    """Who judged what, as the file says it; empty in runs of older versions."""
    return [str(note) for note in tables.list_in(quality, "notes")]


def warnings(quality: Mapping[str, Any] | None) -> list[str]:
    """The warnings of the file, unchanged."""
    return [str(warning) for warning in tables.list_in(quality, "warnings")]


def unchecked(quality: Mapping[str, Any] | None, verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence about the generators whose images were not checked at any size; none where all were."""
    seen = {str(row[0]) for row in tables.list_in(quality, "rows") if isinstance(row, list) and row}
    learnt = {str(v["generator"]) for v in verdicts if v.get("family") not in CONTROLS}
    names = sorted(name for name in learnt if without_filter(name) not in seen)  # what a filter keeps was checked too
    if not names:
        return []
    return [
        f"Nothing is known of the images of {some(names)}: they were not checked (quality_draws: 1 does so). They may "
        "show another class, have little variety or repeat training images."
    ]
