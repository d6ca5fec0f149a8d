"""Protocol joint: a discriminator's class head as the classifier, beside its controls and the grid's classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synaug_ray.report import tables, text

HEADER = (
    "generator",
    "head learns from",
    "real images",
    "draws",
    "real images seen",
    "error",
    "gain over the head alone (points)",
    "gain over unselected (points)",
    "classifier on the same real images",
    "its error",
    "gain over it (points)",
    "synthetic images selected",
    "weight of real",
    "weight of synthetic",
)
SEEN = {
    "selected": "real and selected synthetic images",
    "unselected": "real and all synthetic images (control)",
    "alone": "real images, without a generator (control)",
}


def table(laws: Mapping[str, Any] | None) -> tables.Table | None:
    """One row for each head and classifier beside it, from ``laws.json``; None if no head was measured."""
    found = tables.list_in(laws, "joint")
    rows = tuple(_row(cell, other) for cell in found for other in (cell.get("classifiers") or ({},)))
    return tables.Table("Heads of discriminators as classifiers", HEADER, rows) if rows else None


def _row(cell: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[tables.Entry, ...]:
    def gain(value: Any) -> tables.Entry:
        return tables.words(text.NO_SHARE) if value is None else tables.estimate(value, text.points)

    return (
        tables.words(cell.get("generator")),
        tables.words(SEEN.get(str(cell.get("arm")), str(cell.get("arm")))),
        tables.number(cell.get("num_real"), text.images),
        tables.number(cell.get("draws"), text.images),
        tables.number(cell.get("nimg"), text.images),
        tables.number(cell.get("error"), text.share),
        gain(cell.get("over_alone")),
        gain(cell.get("over_unselected")),
        tables.words(other.get("classifier") or text.NO_SHARE),
        tables.number(other.get("error"), text.share, missing=text.NO_SHARE),
        gain(other.get("gain")),
        tables.number(cell.get("fakes_selected"), text.share, missing=text.NO_SHARE),
        tables.number(cell.get("weight_real"), text.plain, missing=text.NO_SHARE),
        tables.number(cell.get("weight_fakes"), text.plain, missing=text.NO_SHARE),
    )
