"""The generators that the run trained, from ``status.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synaug_ray.report import tables, text


def table(status: Mapping[str, Any]) -> tables.Table:
    """One row per trained generator: training time in seconds, images seen, sampling speed."""
    form = {
        "seconds": text.plain,
        "num_real": text.images,
        "nimg": text.images,
        "images_per_second_sampling": text.plain,
        "draw": text.plain,
    }
    columns = ("generator", "num_real", "draw", "seconds", "nimg", "images_per_second_sampling")
    titles = (
        "generator",
        "real images",
        "draw",
        "training seconds",
        "images seen",
        "images sampled per second",
    )
    return tables.Table(
        "Generators",
        titles,
        tuple(
            tuple(
                tables.number(g.get(c), form[c], missing="–") if c in form else tables.words(g.get(c)) for c in columns
            )
            for g in status.get("generators") or ()
        ),
    )
