"""Gains: by how many points synthetic images lower the error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.text import ends_of, value_of


def reach(studies: Sequence[Mapping[str, Any]], delta: float) -> tuple[float, float]:
    """The range in points of all gains of these studies, so that their figures are comparable."""
    ends = [0.0, 1.6 * delta, -1.6 * delta]
    for cell in (c for study in studies for c in study["cells"]):
        for estimate in (cell["gain"], cell["gain_simultaneous"]):
            ends += [e for e in (value_of(estimate), *ends_of(estimate)) if e is not None]
    air = 0.06 * (max(ends) - min(ends))
    return 100 * (min(ends) - air), 100 * (max(ends) + air)


def figure(study: Mapping[str, Any], delta: float, span: tuple[float, float], error: str) -> go.Figure:
    """Gain in points of ``error`` (its name) against the synthetic multiple, one series per n; x logarithmic."""
    cells = [c for c in study["cells"] if c["synthetic_multiple"] > 0]
    counts = sorted({c["num_real"] for c in cells})
    multiples = sorted({c["synthetic_multiple"] for c in cells})
    x = style.log_axis(
        "synthetic images per real image",
        multiples,
        style.span(multiples, 1.3),
        [text.multiple(m) for m in multiples],
    )
    y = style.axis(f"gain in {error} (points)", range=list(span))
    drawn = go.Figure(layout=style.layout(x, y, height=380))
    drawn.update_layout(legend={"title": {"text": "real images"}})
    drawn.add_hrect(y0=-100 * delta, y1=100 * delta, fillcolor=style.NULL_BAND, line={"width": 0}, layer="below")
    drawn.add_hline(y=0, line={"color": style.ZERO, "width": 1.2})
    for i, n in enumerate(counts):
        mine = [c for c in cells if c["num_real"] == n and value_of(c["gain"]) is not None]
        mine = sorted(mine, key=lambda c: c["synthetic_multiple"])
        xs = [c["synthetic_multiple"] * style.dodge(i, len(counts), multiples) for c in mine]
        ys = [100 * (value_of(c["gain"]) or 0.0) for c in mine]
        # each point has two intervals: a thin simultaneous one (that of the verdicts), and a thick pointwise one
        for name, look in (
            ("gain_simultaneous", {"thickness": 1.1, "width": 3}),
            ("gain", {"thickness": 3.2, "width": 0}),
        ):
            ends = [ends_of(c[name]) for c in mine]
            bars = style.bars(
                ys, *([None if e[k] is None else 100 * (e[k] or 0.0) for e in ends] for k in (0, 1)), **look
            )
            main = name == "gain"
            drawn.add_scatter(
                x=xs or [None],
                y=ys or [None],
                name=text.images(n),
                legendgroup=str(n),
                showlegend=main,
                mode="markers+lines" if main else "markers",
                error_y=bars,
                line={"color": style.color(i), "width": 1.2, "dash": style.dash(i)},
                marker={"color": style.color(i), "symbol": style.symbol(i), "size": 9 if main else 1},
                hoverinfo="text" if main else "skip",
                hovertext=[_hover(c) for c in mine] if main else None,
            )
    return drawn


def _hover(cell: Mapping[str, Any]) -> str:
    return (
        f"{text.images(cell['num_real'])} real, {text.multiple(cell['synthetic_multiple'])} = "
        f"{text.images(cell['num_synthetic'])} synthetic<br>"
        f"gain {text.with_interval(cell['gain'], text.points)} points<br>"
        f"over all cells {text.with_interval(cell['gain_simultaneous'], text.points)}<br>"
        f"{cell['trials']} trials"
    )


def table(study: Mapping[str, Any]) -> tables.Table:
    """The gains of all cells, with both intervals; and those instead of real images, where any was measured."""
    instead = any(c.get("instead") for c in study["cells"])
    rows = tuple(
        (
            tables.number(c["num_real"], text.images),
            tables.number(c["num_synthetic"], text.images),
            tables.number(c["synthetic_multiple"], text.multiple),
            tables.estimate(c["gain"], text.points),
            tables.estimate(c["gain_simultaneous"], text.points),
            tables.number(c["trials"], text.images),
            *([_instead(c.get("instead"))] if instead else []),
        )
        for c in study["cells"]
    )
    return tables.Table(
        "Gains",
        (
            "real images",
            "synthetic images",
            "multiple",
            "gain (points), this cell",
            "gain (points), all cells at once",
            "trials",
            *(["gain (points) over real images in their place"] if instead else []),
        ),
        rows,
    )


def _instead(estimate: Any) -> tables.Entry:
    return tables.estimate(estimate, text.points) if estimate else tables.words("\u2013")
