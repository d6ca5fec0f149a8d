"""The generators that the run trained, from ``status.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synaug_ray.report import tables, text

APPLIED = "applied"  # the share of low-rank changes of a base that is applied


def table(status: Mapping[str, Any]) -> tables.Table:
    """One row per trained generator: training time in seconds, images seen, sampling speed.

    Where images chose by how much low-rank changes are applied, this share too.
    """
    made = status.get("generators") or ()
    form = {
        "seconds": text.plain,
        "num_real": text.images,
        "nimg": text.images,
        "images_per_second_sampling": text.plain,
        "draw": text.plain,
        APPLIED: text.share,
    }
    names = {
        "generator": "generator",
        "num_real": "real images",
        "draw": "draw",
        "seconds": "training seconds",
        "nimg": "images seen",
        "images_per_second_sampling": "images sampled per second",
    }
    if any(APPLIED in g for g in made):
        names[APPLIED] = "of its changes applied"
    return tables.Table(
        "Generators",
        tuple(names.values()),
        tuple(
            tuple(tables.number(g.get(c), form[c], missing="–") if c in form else tables.words(g.get(c)) for c in names)
            for g in made
        ),
    )
