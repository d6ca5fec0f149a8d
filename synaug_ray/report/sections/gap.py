"""The gap: why are classifiers of synthetic images worse than those of as many real ones?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synaug_ray.report import tables, text
from synaug_ray.report.figures import gap as figures
from synaug_ray.report.panels import Panel

CAPTION = (
    "What each exchange adds to the error, on average over all cells; the parts sum to the whole. Above zero, the "
    "exchange costs. Bars: intervals that hold for all parts, wholes and generators at once."
)


@dataclass(frozen=True)
class GapSection:
    """What the section shows."""

    sentences: tuple[str, ...]  # of means over all cells
    panels: tuple[Panel, ...]


def of(verdict: Mapping[str, Any], laws: Mapping[str, Any] | None) -> GapSection | None:
    """The section; None where the grid has not the arms for it, or in a run of an older version."""
    found = tables.list_in(verdict, "gaps")
    if not found or not laws:
        return None
    drawn = figures.figure(found, verdict.get("delta") or 0.0, text.error_name(laws))
    panel = Panel("gap-parts", "The gap, part by part", CAPTION, drawn, figures.table(found))
    return GapSection(tuple(str(gap["sentence"]) for gap in figures.of_all_cells(found)), (panel,))
