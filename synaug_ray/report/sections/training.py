"""Whether classifiers are trained to their end: real-only trials compared with the same on twice the images seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.common.text import some
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


def unchecked(lengths: Sequence[Mapping[str, Any]], verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence about the classifiers whose length of training was not checked at any size; none where all were."""
    names = sorted({str(v["classifier"]) for v in verdicts} - {str(found.get("classifier")) for found in lengths})
    if not names:
        return []
    return [
        f"Nothing is known of the length of training of {some(names)}: it was not checked whether longer training "
        "changes the gains (training_check: {draws: 2} does so)."
    ]
