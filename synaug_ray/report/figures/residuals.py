"""Predicted against measured errors, with held-out cells marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.text import StudyNames, value_of


def figure(studies: Sequence[Mapping[str, Any]], names: StudyNames, error: str) -> go.Figure:
    """Measured against predicted ``error`` (its name) of every cell, both logarithmic; held-out cells are filled."""
    every = [c for s in studies for c in s["cells"] if value_of(c["error"]) and c.get("predicted_error")]
    low, high = style.span([100 * e for c in every for e in (value_of(c["error"]), c["predicted_error"]) if e], 1.3)
    ticks = style.log_ticks(low, high)
    drawn = go.Figure(
        layout=style.layout(
            style.log_axis("predicted by the law (%)", ticks, (low, high)),
            style.log_axis(f"measured {error} (%)", ticks, (low, high)),
            height=460,
        )
    )
    drawn.add_scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        hoverinfo="skip",
        name="predicted = measured",
        line={"color": style.ZERO, "width": 1.2},
    )
    for i, study in enumerate(studies):
        name, named = names.name(study), False
        for held_out in (True, False):
            mine = [
                c
                for c in study["cells"]
                if c["held_out"] == held_out and value_of(c["error"]) and c.get("predicted_error")
            ]
            if not mine:
                continue
            values, lows, highs = style.percents([c["error"] for c in mine])
            drawn.add_scatter(
                x=[100 * c["predicted_error"] for c in mine],
                y=values,
                mode="markers",
                legendgroup=str(i),
                name=style.inert(name),
                showlegend=not named,
                marker={
                    "color": style.color(i),
                    "symbol": style.symbol(i) + ("" if held_out else "-open"),
                    "size": 9 if held_out else 7,
                    "line": {"width": 1.4, "color": style.color(i)},
                },
                error_y=style.bars(values, lows, highs, thickness=1, width=0, color=style.color(i)),
                hoverinfo="text",
                hovertext=[
                    f"{style.inert(name)}{', held out' if held_out else ''}<br>"
                    f"{text.images(c['num_real'])} real + "
                    f"{text.images(c['num_synthetic'])} synthetic<br>predicted "
                    f"{text.percent(c['predicted_error'])} %, measured "
                    f"{text.with_interval(c['error'], text.percent)} %"
                    for c in mine
                ],
            )
            named = True
    return drawn


def table(studies: Sequence[Mapping[str, Any]], names: StudyNames) -> tables.Table:
    """The predicted and measured errors of all cells with a prediction."""
    rows = tuple(
        (
            tables.words(names.name(study)),
            tables.number(c["num_real"], text.images),
            tables.number(c["num_synthetic"], text.images),
            tables.number(c["predicted_error"], text.percent),
            tables.estimate(c["error"], text.percent),
            tables.words("yes" if c["held_out"] else ""),
        )
        for study in studies
        for c in study["cells"]
        if c.get("predicted_error") is not None
    )
    return tables.Table(
        "Predicted and measured errors",
        ("study", "real images", "synthetic images", "predicted (%)", "measured (%)", "held out"),
        rows,
    )
