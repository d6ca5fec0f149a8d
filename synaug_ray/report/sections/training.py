"""Whether classifiers are trained to their end: real-only trials compared with the same on twice the images seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

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


def unchecked(
    lengths: Sequence[Mapping[str, Any]], verdicts: Sequence[Mapping[str, Any]], grid: str | None = None
) -> list[str]:
    """A sentence about the classifiers whose length of training was not checked at any size; none where all were.

    Heads that are fitted to frozen features, by the ``grid`` as YAML, have no length of training.
    """
    known = {str(found.get("classifier")) for found in lengths} | _fitted(grid)
    names = sorted({str(v["classifier"]) for v in verdicts} - known)
    if not names:
        return []
    return [
        f"Nothing is known of the length of training of {some(names)}: it was not checked whether longer training "
        "changes the gains (training_check: {draws: 2} does so)."
    ]


def _fitted(grid: str | None) -> set[str]:
    """The names of the grid's heads on frozen features; none if it cannot be read, as where a run was killed."""
    try:
        told = yaml.safe_load(grid or "{}")
        products = (told, *(told.get("blocks") or ()))
        return {str(c["name"]) for p in products for c in p.get("classifiers") or () if c.get("tune") == "head"}
    except (yaml.YAMLError, AttributeError, TypeError, KeyError):
        return set()
