"""The calculator's two figures: axes and styles are made here, ``calculator.js`` fills in the numbers.

The traces, in the order in which the script fills them: the interval, and its part in the measured range; the law, and
its part in the measured range; the target; the reader's choice.
"""

from __future__ import annotations

import plotly.graph_objects as go

from synaug_ray.report import tables
from synaug_ray.report.figures import style

COLUMNS = (
    "images",
    "expected {error} (%)",
    "as good as (real images alone)",
    "next real image is worth (synthetic)",
)


def figure(axis: str, error: str) -> go.Figure:
    """Expected error against one of the two numbers of images, with the other one constant."""
    drawn = go.Figure(
        layout=style.layout(style.axis(axis, type="linear"), style.axis(f"{error} (%)", type="log"), height=340)
    )
    drawn.update_layout(legend={"traceorder": "normal"})
    for name, fill in (("interval", style.NULL_BAND), ("interval where measured", style.BAND)):
        drawn.add_scatter(
            x=[],
            y=[],
            name=name,
            mode="lines",
            fill="toself",
            fillcolor=fill,
            line={"width": 0, "color": fill},
            hoverinfo="skip",
            showlegend=False,
        )
    for name, dash in (("extrapolated", "dot"), ("measured range", "solid")):
        drawn.add_scatter(
            x=[],
            y=[],
            name=name,
            mode="lines",
            line={"color": style.color(0), "width": 2, "dash": dash},
            hoverinfo="text",
            hovertext=[],
        )
    drawn.add_scatter(
        x=[],
        y=[],
        name="target",
        mode="lines",
        line={"color": style.color(1), "width": 1.4, "dash": "dash"},
        hoverinfo="skip",
    )
    drawn.add_scatter(
        x=[],
        y=[],
        name="your choice",
        mode="markers",
        hoverinfo="text",
        hovertext=[],
        marker={"color": style.INK, "symbol": "diamond", "size": 11},
    )
    return drawn


def table(caption: str, error: str) -> tables.Table:
    """The head of the table that the script fills."""
    return tables.Table(caption, tuple(c.format(error=error) for c in COLUMNS), ())
