"""Real-equivalents: how many more real images the synthetic images of a cell were measured to be worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.text import ends_of, value_of

Cell = Mapping[str, Any]
Real = Mapping[str, Any]


def bound(cell: Cell) -> float | None:
    """The bound on a censored cell's real-equivalents, in images: at least (above) or at most (below)."""
    low, high = ends_of(cell["equivalent"])
    return {"above": low, "below": high}.get(cell["censoring"])


def edge(cell: Cell, real: Real | None) -> float | None:
    """The end of the real-only curve for a censored cell, in real-equivalents; None if it is not known."""
    sizes = [p["num_real"] for p in (real or {}).get("points", ())]
    if not sizes or cell["censoring"] not in ("above", "below"):
        return None
    return (max(sizes) if cell["censoring"] == "above" else min(sizes)) - cell["num_real"]


def worth(cell: Cell, real: Real | None) -> str:
    """A cell's real-equivalents in words: '+180 [+90, +300]', 'at least +400', 'not estimable'."""
    if cell["censoring"] not in ("above", "below"):
        return text.with_interval(cell["equivalent"], text.more_images)
    limit, end = bound(cell), edge(cell, real)
    if limit is not None:
        return f"{'at least' if cell['censoring'] == 'above' else 'at most'} {text.more_images(limit)}"
    if end is None:
        return text.NOT_ESTIMABLE
    side = "more" if cell["censoring"] == "above" else "fewer"
    return f"{side} than {text.more_images(end)} by the estimate; its interval is open"


def figure(study: Mapping[str, Any], real: Real | None) -> go.Figure:
    """(n + m) / n against the synthetic multiple, one series per n; both axes logarithmic."""
    counts = sorted({c["num_real"] for c in study["cells"]})
    multiples = sorted({c["synthetic_multiple"] for c in study["cells"] if c["synthetic_multiple"] > 0})
    series: list[tuple[int, list[Mapping[str, Any]], list[float]]] = []
    for n in counts:
        cells = [c for c in study["cells"] if c["num_real"] == n and c["synthetic_multiple"] > 0]
        cells = sorted(cells, key=lambda c: c["synthetic_multiple"])
        sized = [(c, _size(c, real)) for c in cells]
        series.append((n, [c for c, v in sized if v], [v for _, v in sized if v]))
    low, high = style.span([v for _, _, values in series for v in values] + [1.0, 1.6, 0.7], 1.25)
    ticks = [t for t in (0.05, 0.1, 0.2, 0.33, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100) if low <= t <= high]
    x = style.log_axis(
        "synthetic images per real image",
        multiples,
        style.span(multiples, 1.3),
        [text.multiple(m) for m in multiples],
    )
    y = style.log_axis("worth, as a multiple of the real images", ticks, (low, high), [f"{t:g}×" for t in ticks])
    drawn = go.Figure(layout=style.layout(x, y, height=380))
    drawn.update_layout(legend={"title": {"text": "real images"}})
    drawn.add_hline(y=1, line={"color": style.ZERO, "width": 1.2})
    for i, (n, cells, values) in enumerate(series):
        shift = style.dodge(i, len(series), multiples)
        xs = [c["synthetic_multiple"] * shift for c in cells]
        hover = [
            f"{text.images(n)} real, {text.multiple(c['synthetic_multiple'])} synthetic<br>"
            f"worth {worth(c, real)} real images<br>{c['trials']} trials"
            for c in cells
        ]
        known = [v if c["censoring"] == "none" else None for c, v in zip(cells, values, strict=True)]
        ends = [ends_of(c["equivalent"]) for c in cells]
        # with one open end, the bar extends beyond the figure; with two, there is no interval to draw
        lows = [
            None if v is None or e == (None, None) else max((n + e[0]) / n if e[0] is not None else 0, low / 10)
            for v, e in zip(known, ends, strict=True)
        ]
        highs = [
            None if v is None or e == (None, None) else (n + e[1]) / n if e[1] is not None else high * 10
            for v, e in zip(known, ends, strict=True)
        ]
        drawn.add_scatter(
            x=xs or [None],
            y=known or [None],
            name=text.images(n),
            mode="markers+lines",
            legendgroup=str(n),
            line={"color": style.color(i), "width": 1.4, "dash": style.dash(i)},
            marker={"color": style.color(i), "symbol": style.symbol(i), "size": 9},
            error_y=style.bars(values, lows, highs),
            hoverinfo="text",
            hovertext=hover,
        )
        if any(v is None for v in known):  # a bound is not a measurement: it gets an arrow, and no line through it
            drawn.add_scatter(
                x=xs,
                y=[v if k is None else None for v, k in zip(values, known, strict=True)],
                mode="markers",
                name=text.images(n),
                legendgroup=str(n),
                showlegend=False,
                hoverinfo="text",
                hovertext=hover,
                marker={
                    "color": style.color(i),
                    "size": 10,
                    "symbol": [_arrow(c) for c in cells],
                },
            )
    if multiples:
        line = [multiples[0] * (multiples[-1] / multiples[0]) ** (k / 40) for k in range(41)]
        drawn.add_scatter(
            x=line,
            y=[1 + v for v in line],
            mode="lines",
            name="if all were real",
            hoverinfo="skip",
            line={"color": style.ZERO, "width": 1.2, "dash": "dot"},
        )
    return drawn


def _arrow(cell: Cell) -> str:
    """Filled if the interval supports the bound, open if only the estimate does."""
    return ("arrow-up" if cell["censoring"] == "above" else "arrow-down") + ("" if bound(cell) is not None else "-open")


def _size(cell: Cell, real: Real | None) -> float | None:
    limit = bound(cell)
    m = value_of(cell["equivalent"]) if cell["censoring"] == "none" else edge(cell, real) if limit is None else limit
    return None if m is None or cell["num_real"] + m <= 0 else (cell["num_real"] + m) / cell["num_real"]


def table(study: Mapping[str, Any], real: Real | None) -> tables.Table:
    """The real-equivalents of all cells, in images."""
    rows = []
    for c in study["cells"]:
        low, high = ends_of(c["equivalent"])
        rows.append(
            (
                tables.number(c["num_real"], text.images),
                tables.number(c["num_synthetic"], text.images),
                tables.number(c["synthetic_multiple"], text.multiple),
                tables.Entry(worth(c, real), value_of(c["equivalent"]), low, high, "number"),
                tables.estimate(c.get("equivalent_simultaneous"), text.more_images),
                tables.number(c["trials"], text.images),
            )
        )
    return tables.Table(
        "Real-equivalents",
        (
            "real images",
            "synthetic images",
            "multiple",
            "worth (real images), for this cell alone",
            "for all cells at once, as in verdicts",
            "trials",
        ),
        tuple(rows),
    )
