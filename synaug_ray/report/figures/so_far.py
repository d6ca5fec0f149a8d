"""Mean test errors, without intervals, of a run that has no laws yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from synaug_ray.analysis.trials import judged
from synaug_ray.report import tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.text import StudyNames


def means_of(measurements: pd.DataFrame) -> list[dict[str, Any]]:
    """The mean test error (a fraction) of the done trials of each cell."""
    counted = judged(measurements)
    done = counted[(counted["status"] == "done") & counted["test_error"].notna() & (counted["num_real"] > 0)]
    keys = ["classifier", "generator", "protocol", "real_share", "num_real", "synthetic_multiple"]
    grouped = done.groupby(keys, sort=True)["test_error"].agg(["mean", "count"]).reset_index()
    return [{str(k): v for k, v in row.items()} for row in grouped.to_dict("records")]


def figure(means: Sequence[Mapping[str, Any]], names: StudyNames) -> go.Figure:
    """Mean test error against n, both axes logarithmic."""
    means = [m for m in means if m["mean"] > 0]
    sizes = sorted({m["num_real"] for m in means})
    low, high = style.span([100 * m["mean"] for m in means])
    x = style.log_axis("real images", sizes, style.span(sizes, 1.25), [text.images(n) for n in sizes])
    drawn = go.Figure(
        layout=style.layout(
            x,
            style.log_axis("test error (%), mean so far", style.log_ticks(low, high), (low, high)),
            height=420,
        )
    )
    series: dict[str, list[Mapping[str, Any]]] = {}
    for m in sorted(means, key=lambda m: m["synthetic_multiple"] > 0):
        series.setdefault(series_name(m, names), []).append(m)
    for i, (name, mine) in enumerate(series.items()):
        shift = style.dodge(i, len(series), sizes)
        real = mine[0]["synthetic_multiple"] == 0
        colour = style.INK if real else style.color(i - 1)
        drawn.add_scatter(
            x=[m["num_real"] * shift for m in mine],
            y=[100 * m["mean"] for m in mine],
            name=style.inert(name),
            mode="markers+lines",
            line={"color": colour, "width": 1.3, "dash": style.dash(i)},
            marker={"color": colour, "symbol": style.symbol(i), "size": 8},
            hoverinfo="text",
            hovertext=[
                f"{style.inert(name)}<br>{text.images(m['num_real'])} real images<br>"
                f"mean error {text.percent(m['mean'])} %, {m['count']} trials"
                for m in mine
            ],
        )
    return drawn


def series_name(mean: Mapping[str, Any], names: StudyNames) -> str:
    """'real only', or the study and its amount."""
    if mean["synthetic_multiple"] == 0:
        return "real only" + (f" · {mean['classifier']}" if "classifier" in names.fields else "")
    return f"{names.name(mean)} + {text.multiple(mean['synthetic_multiple'])}"


def table(means: Sequence[Mapping[str, Any]], names: StudyNames) -> tables.Table:
    """The means of the figure, with the number of trials of each."""
    return tables.Table(
        "Mean test error so far",
        ("training set", "real images", "mean test error (%)", "trials"),
        tuple(
            (
                tables.words(series_name(m, names)),
                tables.number(m["num_real"], text.images),
                tables.number(m["mean"], text.percent),
                tables.number(m["count"], text.images),
            )
            for m in means
        ),
    )
