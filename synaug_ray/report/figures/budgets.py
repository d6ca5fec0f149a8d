"""Gain against the length of the generators' training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.text import ends_of, value_of

Curves = Sequence[Mapping[str, Any]]


def study_of(curve: Mapping[str, Any]) -> dict[str, Any]:
    """The study of a curve's longest generator, as on the rest of the page."""
    return {**{k: curve[k] for k in ("classifier", "protocol", "real_share")}, "generator": curve["generators"][-1]}


def figure(curves: Curves, delta: float, error: str) -> go.Figure:
    """Gain in points of ``error`` (its name) at the largest amount, one series per n; images seen on a log axis."""
    lengths = sorted({length for curve in curves for length in curve["lengths"]})
    x = style.log_axis(
        "images that the generator saw in training",
        lengths,
        style.span(lengths, 1.3),
        [text.images(length) for length in lengths],
    )
    drawn = go.Figure(layout=style.layout(x, style.axis(f"gain in {error} (points)"), height=360))
    drawn.update_layout(legend={"title": {"text": "real images"}})
    drawn.add_hrect(y0=-100 * delta, y1=100 * delta, fillcolor=style.NULL_BAND, line={"width": 0}, layer="below")
    drawn.add_hline(y=0, line={"color": style.ZERO, "width": 1.2})
    for i, curve in enumerate(curves):
        cell = curve["cells"][-1]
        known = [(n, g) for n, g in zip(curve["lengths"], cell["gains"], strict=True) if value_of(g) is not None]
        ys = [100 * (value_of(gain) or 0.0) for _, gain in known]
        ends = [ends_of(gain) for _, gain in known]
        drawn.add_scatter(
            x=[n * style.dodge(i, len(curves), lengths) for n, _ in known] or [None],
            y=ys or [None],
            name=text.images(curve["num_real"]),
            mode="markers+lines",
            error_y=style.bars(ys, *([None if e[k] is None else 100 * (e[k] or 0.0) for e in ends] for k in (0, 1))),
            line={"color": style.color(i), "width": 1.2, "dash": style.dash(i)},
            marker={"color": style.color(i), "symbol": style.symbol(i), "size": 9},
            hoverinfo="text",
            hovertext=[
                f"{text.images(curve['num_real'])} real, {text.multiple(cell['synthetic_multiple'])} synthetic<br>"
                f"{text.images(n)} images seen in training<br>gain {text.with_interval(g, text.points)} points"
                for n, g in known
            ],
        )
    return drawn


def table(curves: Curves) -> tables.Table:
    """The gain at each length and amount, and its change with four times the training."""
    rows = tuple(
        (
            tables.words(name),
            tables.number(curve["num_real"], text.images),
            tables.number(cell["synthetic_multiple"], text.multiple),
            tables.number(length, text.images),
            tables.estimate(gain, text.points),
            tables.estimate(change, text.points),
            tables.words(word),
            tables.number(copies, text.share, missing="–"),
        )
        for curve in curves
        for cell in curve["cells"]
        for name, length, gain, change, word, copies in zip(
            curve["generators"],
            curve["lengths"],
            cell["gains"],
            cell["changes"],
            curve["words"],
            curve["near_copies"],
            strict=True,
        )
    )
    return tables.Table(
        "Gain against the length of training",
        (
            "generator",
            "real images",
            "multiple",
            "images seen in training",
            "gain (points)",
            "its change with four times the training (points)",
            "at this size",
            "near-copies",
        ),
        rows,
    )
