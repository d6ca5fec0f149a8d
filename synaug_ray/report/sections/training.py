"""Whether classifiers are trained to their end: real-only trials compared with the same on twice the images seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.report import tables, text

HEADER = ("classifier", "real images", "images seen", "gain by twice as many (points)", "margin (points)", "so it is")


def table(lengths: Sequence[Mapping[str, Any]]) -> tables.Table | None:
    """One row per classifier and number of real images, from ``laws.json``; None if nothing was checked."""
    rows = tuple(
        (
            tables.words(found.get("classifier")),
            tables.number(found.get("num_real"), text.images),
            tables.number(found.get("nimg"), text.images),
            tables.estimate(found.get("gain"), text.points),
            tables.number(found.get("margin"), lambda value: f"±{100 * value:.2g}"),
            tables.words(found.get("ended")),
        )
        for found in lengths
    )
    return tables.Table("Length of training", HEADER, rows) if rows else None
