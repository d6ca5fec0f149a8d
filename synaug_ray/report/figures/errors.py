"""Error against the number of real images: real only with its law, and each synthetic multiple."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.text import ends_of, value_of

Real = Mapping[str, Any]


def figure(study: Mapping[str, Any] | None, real: Real | None, error: str) -> go.Figure:
    """``error`` (its name) against n, both axes logarithmic: real only with its law, and each multiple."""
    cells = [c for c in (study["cells"] if study else ()) if value_of(c["error"])]
    points = [p for p in (real["points"] if real else ()) if value_of(p["error"])]
    line = [p for p in ((real or {}).get("line") or ()) if value_of(p["error"])]
    multiples = sorted({c["synthetic_multiple"] for c in cells})
    sizes = sorted({c["num_real"] for c in cells} | {p["num_real"] for p in points})
    shown = [100 * e for p in [*cells, *points] for e in (value_of(p["error"]), *ends_of(p["error"])) if e]
    low, high = style.span(shown)
    # intervals that include zero have no end on a logarithmic axis: they may extend beyond the figure, points may not
    low = max(low, min([100 * (value_of(p["error"]) or 1) for p in [*cells, *points]], default=low) / 2)
    x = style.log_axis("real images", sizes, style.span(sizes, 1.25), [text.images(n) for n in sizes])
    y = style.log_axis(f"{error} (%)", style.log_ticks(low, high), (low, high))
    drawn = go.Figure(layout=style.layout(x, y, height=420))
    if line:
        _add_law(drawn, line)
    if points:
        values, lows, highs = style.percents([p["error"] for p in points])
        drawn.add_scatter(
            x=[p["num_real"] for p in points],
            y=values,
            name="real only",
            mode="markers",
            marker={"color": style.INK, "symbol": "circle", "size": 9},
            error_y=style.bars(values, lows, highs),
            hoverinfo="text",
            hovertext=[
                f"{text.images(p['num_real'])} real images<br>error {text.with_interval(p['error'], text.percent)} %"
                for p in points
            ],
        )
    alone = (study or {}).get("protocol") == "synthetic-only"
    for i, m in enumerate(multiples):
        mine = sorted((c for c in cells if c["synthetic_multiple"] == m), key=lambda c: c["num_real"])
        values, lows, highs = style.percents([c["error"] for c in mine])
        shift = style.dodge(i + 1, len(multiples) + 1, sizes)
        drawn.add_scatter(
            x=[c["num_real"] * shift for c in mine],
            y=values,
            name=f"{text.multiple(m)} synthetic alone" if alone else f"+ {text.multiple(m)} synthetic",
            mode="markers+lines",
            line={"color": style.color(i), "width": 1.3, "dash": style.dash(i)},
            marker={"color": style.color(i), "symbol": style.symbol(i + 1), "size": 8},
            error_y=style.bars(values, lows, highs),
            hoverinfo="text",
            hovertext=[
                f"{text.images(0 if alone else c['num_real'])} real + {text.images(c['num_synthetic'])} synthetic<br>"
                f"error {text.with_interval(c['error'], text.percent)} %<br>{c['trials']} trials"
                for c in mine
            ],
        )
    return drawn


def _add_law(drawn: go.Figure, line: Sequence[Mapping[str, Any]]) -> None:
    xs = [p["num_real"] for p in line]
    values, lows, highs = style.percents([p["error"] for p in line])
    if all(w is not None for w in lows) and all(h is not None for h in highs):
        drawn.add_scatter(
            x=xs + xs[::-1],
            y=highs + lows[::-1],
            fill="toself",
            fillcolor=style.BAND,
            line={"width": 0, "color": style.BAND},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            name="interval of the law",
        )
    drawn.add_scatter(
        x=xs,
        y=values,
        mode="lines",
        name="real-only law",
        line={"color": style.INK, "width": 1.6},
        hoverinfo="text",
        hovertext=[
            f"law, {text.images(p['num_real'])} real images<br>error {text.with_interval(p['error'], text.percent)} %"
            for p in line
        ],
    )


def table(study: Mapping[str, Any] | None, real: Real | None, error: str) -> tables.Table:
    """All errors of the figure, with their intervals."""
    rows = []
    for p in real["points"] if real else ():
        rows.append(
            (
                tables.words("real only"),
                tables.number(p["num_real"], text.images),
                tables.number(0, text.images),
                tables.estimate(p["error"], text.percent),
                tables.words(""),
                tables.words(""),
            )
        )
    for c in study["cells"] if study else ():
        rows.append(
            (
                tables.words(f"+ {text.multiple(c['synthetic_multiple'])}"),
                tables.number(c["num_real"], text.images),
                tables.number(c["num_synthetic"], text.images),
                tables.estimate(c["error"], text.percent),
                tables.number(c.get("predicted_error"), text.percent, missing="–"),
                tables.words("yes" if c["held_out"] else ""),
            )
        )
    for p in (real or {}).get("line") or ():
        rows.append(
            (
                tables.words("law, real only"),
                tables.number(p["num_real"], text.images),
                tables.number(0, text.images),
                tables.words(""),
                tables.estimate(p["error"], text.percent),
                tables.words(""),
            )
        )
    return tables.Table(
        "Errors",
        (
            "training set",
            "real images",
            "synthetic images",
            f"measured {error} (%)",
            "by the law (%)",
            "held out",
        ),
        tuple(rows),
    )
