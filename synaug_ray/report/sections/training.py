"""Are the classifiers trained to their end: real-only trials against the same on twice the images seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.report import tables, text

HEADER = ("classifier", "real images", "images seen", "gain by twice as many (points)", "margin (points)", "so it is")


def table(lengths: Sequence[Mapping[str, Any]]) -> tables.Table | None:
    """One row a classifier and number of real images, as ``laws.json`` has them; None where nothing was checked."""
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
