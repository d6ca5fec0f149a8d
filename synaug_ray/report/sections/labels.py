"""The labels that synthetic images save: the real images that real-only training needs for the same error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synaug_ray.analysis.study_key import STUDY
from synaug_ray.report import tables, text
from synaug_ray.report.text import StudyNames

HEADER = (
    "generator",
    "real images",
    "synthetic images",
    "error (%)",
    "real images alone for that error",
    "labels saved",
    "labels used, generator’s included",
    "saved with those counted",
)


def table(laws: Mapping[str, Any] | None, names: StudyNames) -> tables.Table | None:
    """One row per cell; None if no protocol pretrains and no cell is without real images, or in an older run."""
    rows = tuple(
        (
            tables.words(names.name(saving)),
            tables.number(saving["num_real"], text.images),
            tables.number(saving["num_synthetic"], text.images),
            tables.estimate(saving["error"], text.percent),
            tables.estimate(saving["needed"], text.images),
            tables.estimate(saving["saved"], text.images),
            tables.number(saving["labels"], text.images, missing="not known"),
            tables.estimate(saving["saved_in_all"], text.images),
        )
        for saving in tables.list_in(laws, "label_savings")
    )
    return tables.Table("Labels saved", HEADER, rows) if rows else None


def sentences(laws: Mapping[str, Any] | None) -> list[str]:
    """One sentence for each generator, protocol, classifier and number of real images, at the largest amount."""
    largest: dict[tuple[Any, ...], str] = {}
    for saving in tables.list_in(laws, "label_savings"):  # by amount, ascending
        at = (*(saving[name] for name in STUDY), saving["num_real"])
        largest[at] = str(saving["sentence"])
    return list(largest.values())
