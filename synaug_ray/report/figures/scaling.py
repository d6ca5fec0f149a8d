"""Synthetic images alone over their number, beside real images alone; and what becomes of error, labels and variety."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.text import ends_of, value_of

Scaling = Mapping[str, Any]
MOST_SERIES = 12  # more lines in one figure cannot be told apart; the table has all


def figure(found: Sequence[Scaling], real: Mapping[str, Any] | None, error: str) -> go.Figure:
    """``error`` (its name) against images, both axes logarithmic: each generator with its fit, and real images."""
    series = [(s["generator"], s["points"], s["line"], "num_synthetic") for s in found[:MOST_SERIES]]
    if real:
        series.insert(0, ("real images alone", real["points"], (), "num_real"))
    amounts = sorted({p[amount] for _, points, _, amount in series for p in points})
    furthest = [p["num_synthetic"] for s in found for p in s["line"][-1:]]
    errors = [100 * (value_of(p["error"]) or 0.0) for _, points, _, _ in series for p in points]
    floors = [100 * (value_of(s["floor"]) or 0.0) for s in found]
    low, high = style.span([*errors, *floors], 1.3)
    x = style.log_axis("images", amounts, style.span([*amounts, *furthest], 1.25), [text.images(n) for n in amounts])
    y = style.log_axis(f"{error} (%)", style.log_ticks(low, high), (low, high))
    drawn = go.Figure(layout=style.layout(x, y, height=440))
    for i, (name, points, line, amount) in enumerate(series):
        alone = amount == "num_real"
        color = style.INK if alone else style.color(i - 1 if real else i)
        values, lows, highs = style.percents([p["error"] for p in points])
        drawn.add_scatter(
            x=[p[amount] * style.dodge(i, len(series), amounts) for p in points],
            y=values,
            name=style.inert(name),
            legendgroup=str(i),
            mode="markers+lines" if alone or not line else "markers",
            marker={"color": color, "symbol": style.symbol(i), "size": 8},
            line={"color": color, "width": 1.2, "dash": "dot"},
            error_y=style.bars(values, lows, highs),
            hoverinfo="text",
            hovertext=[
                f"{style.inert(name)}<br>{text.images(p[amount])} images<br>"
                f"error {text.with_interval(p['error'], text.percent)} %"
                for p in points
            ],
        )
        if line:
            drawn.add_scatter(
                x=[p["num_synthetic"] for p in line],
                y=style.percents([p["error"] for p in line])[0],
                legendgroup=str(i),
                showlegend=False,
                mode="lines",
                line={"color": color, "width": 1.5, "dash": style.dash(i)},
                hoverinfo="skip",
            )
    return drawn


def table(found: Sequence[Scaling]) -> tables.Table:
    """One row per generator and number of real images: where it ends, and how."""
    rows = tuple(
        (
            tables.words(s["generator"]),
            tables.words(s["classifier"]),
            tables.number(s["num_real"], text.images),
            tables.words(f"{text.images(_last(s)['num_synthetic'])}"),
            tables.estimate(_last(s)["error"], text.percent),
            tables.estimate(s["floor"], text.percent),
            tables.estimate(s["real_floor"], text.percent),
            tables.estimate(s["above_real"], text.points),
            tables.words(s["ever"]),
            tables.estimate(s["exponent"], text.plain),
            tables.estimate(s["doubling"], text.points),
            tables.estimate(s["near_floor"], text.images),
            tables.words(s["why_not"]),
        )
        for s in found
    )
    return tables.Table("Synthetic images alone", COLUMNS, rows)


COLUMNS = (
    "generator",
    "classifier",
    "real images",
    "largest amount",
    "error there (%)",
    "ends at (%)",
    "real images alone end at (%)",
    "above them (points)",
    "would more of the same do?",
    "exponent c",
    "gain of twice the largest amount (points)",
    "near its end from (images)",
    "what is not determined, and why",
)


def _last(s: Scaling) -> Mapping[str, Any]:
    return s["points"][-1]


def checked(found: Sequence[Scaling]) -> list[Scaling]:
    """Those whose images were checked for their labels and their variety."""
    names = ("recognised", "coverage")
    return [s for s in found if s.get("quality") and all(s["quality"][name] is not None for name in names)]


def trade_off(found: Sequence[Scaling], error: str) -> go.Figure:
    """Error at the largest amount against the share that shows its class, and against coverage; a line for each n."""
    drawn = go.Figure(
        layout=style.layout(
            style.axis("share of images that show their class (circles), coverage of real images (squares), in %"),
            style.axis(f"{error} at the largest amount (%)"),
            height=400,
        )
    )
    for i, s in enumerate(found[:MOST_SERIES]):
        last, quality = _last(s), s["quality"]
        value = 100 * (value_of(last["error"]) or 0.0)
        low, high = ends_of(last["error"])
        bars = style.bars([value], [None if low is None else 100 * low], [None if high is None else 100 * high])
        name = style.inert(f"{s['generator']}, {text.images(s['num_real'])} real")
        measured = (("recognised", "shows its class", "circle"), ("coverage", "coverage", "square"))
        drawn.add_scatter(
            x=[100 * quality[key] for key, _, _ in measured],
            y=[value, value],
            name=name,
            mode="markers+lines",
            line={"color": style.color(i), "width": 0.8, "dash": "dot"},
            marker={"color": style.color(i), "symbol": [symbol for _, _, symbol in measured], "size": 10},
            error_y={**bars, "array": bars["array"] * 2, "arrayminus": bars["arrayminus"] * 2},
            hoverinfo="text",
            hovertext=[
                f"{name}<br>{word} {text.percent(quality[key])} %<br>error "
                f"{text.with_interval(last['error'], text.percent)} %"
                for key, word, _ in measured
            ],
        )
    return drawn


def trade_off_table(found: Sequence[Scaling]) -> tables.Table:
    """What the quality checks say of each generator's images, and the error of training on them alone."""
    rows = tuple(
        (
            tables.words(s["generator"]),
            tables.words(s["classifier"]),
            tables.number(s["num_real"], text.images),
            tables.number(s["quality"]["recognised"], text.percent),
            tables.number(s["quality"]["recognised_real"], text.percent),
            tables.number(s["quality"]["coverage"], text.percent),
            tables.number(s["quality"]["recall"], text.percent),
            tables.number(s["quality"]["near_copies"], text.percent),
            tables.estimate(_last(s)["error"], text.percent),
            tables.estimate(s["floor"], text.percent),
        )
        for s in found
    )
    columns = (
        "generator",
        "classifier",
        "real images",
        "shows its class (%)",
        "real images do (%)",
        "coverage (%)",
        "recall (%)",
        "near-copies (%)",
        "error at the largest amount (%)",
        "ends at (%)",
    )
    return tables.Table("Labels and variety beside the error", columns, rows)
