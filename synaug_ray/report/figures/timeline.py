"""The timeline of the last session: a row per process, and a bar per piece of work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.figures.work import STAGES, name

COLORS = {"generator": 1, "shard": 2, "quality": 3, "features": 4, "trial": 0}  # stage -> series colour


def figure(timeline: Mapping[str, Any]) -> go.Figure:
    """Rows are processes, in the order of their start; x is in seconds since the start of the command."""
    lanes = [style.inert(lane) for lane in timeline["lanes"]]
    drawn = go.Figure(
        layout=style.layout(
            style.axis("seconds since the start", rangemode="tozero"),
            style.axis("", ticks="", autorange="reversed"),
            height=150 + 26 * len(lanes),
            barmode="overlay",
            bargap=0.25,
        )
    )
    for stage in STAGES:
        bars = [bar for bar in timeline["work"] if bar[0] == stage]
        if bars:
            drawn.add_bar(
                y=[lanes[lane] for _, lane, _, _ in bars],
                base=[start for *_, start, _ in bars],
                x=[took for *_, took in bars],
                orientation="h",
                name=name(stage),
                hoverinfo="text",
                marker={"color": style.color(COLORS[stage]), "line": {"width": 0.5, "color": style.PAPER}},
                hovertext=[
                    f"{stage} in {lanes[lane]}: from {start:.0f} s, for {took:.1f} s" for _, lane, start, took in bars
                ],
            )
    return drawn


def table(timeline: Mapping[str, Any]) -> tables.Table:
    """What each process did, and for what share of its time."""
    rows = []
    for at, lane in enumerate(timeline["lanes"]):
        own = [bar for bar in timeline["work"] if bar[1] == at]
        first, last = min(bar[2] for bar in own), max(bar[2] + bar[3] for bar in own)
        took = sum(bar[3] for bar in own)
        rows.append(
            (
                tables.words(lane),
                tables.words(", ".join(sorted({name(bar[0]) for bar in own}))),
                tables.number(len(own), text.plain),
                tables.number(first, text.plain),
                tables.number(took, text.plain),
                tables.number(took / max(last - first, 1e-9), lambda share: f"{share:.0%}"),
            )
        )
    return tables.Table(
        "What ran where",
        ("process", "kind", "pieces of work", "first started at (s)", "busy for (s)", "share of its time"),
        tuple(rows),
    )
