"""Would more of the same synthetic images ever do? Synthetic images alone over their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from synaug_ray.report import tables, text
from synaug_ray.report.figures import scaling as figures
from synaug_ray.report.panels import Panel

CAPTION = (
    "Trained on synthetic images alone, or on real images alone. Points are means with intervals; lines are fitted "
    "curves with a floor, drawn to four times the largest amount. Dotted: measured points without a fit."
)
TRADE_OFF = (
    "Images that show their class more surely are often less varied. One pair of markers for each way of making them, "
    "at the height of the error of training on them alone: the lowest pair is best, wherever it is."
)


@dataclass(frozen=True)
class ScalingSection:
    """What the section shows."""

    sentences: tuple[str, ...]
    panels: tuple[Panel, ...]
    trade_off: tuple[Panel, ...]
    classes: tables.Table | None


def of(laws: Mapping[str, Any] | None, by_class: pd.DataFrame | None) -> ScalingSection | None:
    """The section; None where no generator was measured alone at three amounts, or in a run of an older version."""
    found = tables.list_in(laws, "scaling")
    if not found or not laws:
        return None
    error = text.error_name(laws)
    panels = []
    for i, (classifier, n) in enumerate(dict.fromkeys((s["classifier"], s["num_real"]) for s in found)):
        mine = [s for s in found if (s["classifier"], s["num_real"]) == (classifier, n)]
        real = next((r for r in laws["real"] if r["classifier"] == classifier), None)
        title = f"{classifier}, generators at {text.images(n)} real images" if n else f"{classifier}, no real images"
        panels.append(Panel(f"scaling-{i}", title, CAPTION, figures.figure(mine, real, error), figures.table(mine)))
    checked = figures.checked(found)
    trade_off = []
    if len(checked) > 1:
        drawn, rows = figures.trade_off(checked, error), figures.trade_off_table(checked)
        trade_off.append(Panel("scaling-trade-off", "Labels and variety", TRADE_OFF, drawn, rows))
    sentences = tuple(str(s["sentence"]) for s in found)
    return ScalingSection(sentences, tuple(panels), tuple(trade_off), classes(by_class))


def classes(by_class: pd.DataFrame | None) -> tables.Table | None:
    """Of each class at the largest amount: how often its images show it, and the error of training on them alone."""
    needed = {"protocol", "generator", "num_real", "num_synthetic", "measure", "class", "value", "low", "high", "shown"}
    if by_class is None or not needed <= set(by_class.columns):
        return None
    mine: Any = by_class[(by_class["protocol"] == "synthetic-only") & (by_class["measure"] == "error")]
    if mine.empty:
        return None
    amounts: Any = pd.to_numeric(mine["num_synthetic"], errors="coerce")
    largest = amounts.groupby([mine["generator"], mine["num_real"]]).transform("max")
    mine = mine[(amounts == largest) & mine["shown"].notna()]
    rows = tuple(
        (
            tables.words(row["generator"]),
            tables.number(row["num_real"], text.images),
            tables.words(row["class"]),
            tables.number(row["shown"], text.percent),
            tables.estimate({name: row[name] for name in ("value", "low", "high")}, text.percent),
        )
        for row in mine.to_dict("records")
    )
    columns = ("generator", "real images", "class", "its images show it (%)", "error of that class (%)")
    return tables.Table("By class, at the largest amount of synthetic images alone", columns, rows) if rows else None
