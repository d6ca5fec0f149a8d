"""Contrasts: do filters, ways of use and classifiers change the gain, and for which generators?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synaug_ray.report import tables, text

COLUMNS = (
    "compared",
    "in place of",
    "gain of",
    "more than for",
    "real images",
    "cells",
    "unit",
    "change, this one alone",
    "change, all at once",
    "so",
)


@dataclass(frozen=True)
class Contrasts:
    """What the section shows."""

    sentences: tuple[str, ...]  # of means over all cells
    table: tables.Table


def _form(contrast: Mapping[str, Any]) -> text.Form:
    return text.plain if contrast["unit"] == "real images per synthetic one" else text.points


def of(verdict: Mapping[str, Any]) -> Contrasts | None:
    """The section; None where nothing can be compared, or in a run of an older version."""
    found = tables.list_in(verdict, "contrasts")
    if not found:
        return None
    rows = tuple(
        (
            tables.words(c["level"]),
            tables.words(c["reference"]),
            tables.words(c["generator"] or "–"),
            tables.words(c["versus"] or "–"),
            tables.words("all") if c["num_real"] is None else tables.number(c["num_real"], text.images),
            tables.number(c["cells"], text.images),
            tables.words("% of the error" if c["unit"] == "share of the error" else c["unit"]),
            tables.estimate(c["change"], _form(c)),
            tables.estimate(c["simultaneous"], _form(c)),
            tables.words(c["outcome"]),
        )
        for c in found
    )
    sentences = tuple(str(c["sentence"]) for c in found if c["num_real"] is None)
    return Contrasts(sentences, tables.Table("Contrasts of gains", COLUMNS, rows))
