"""The work of a run: steps and seconds by stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style

STAGES = {
    "generator": "generators",
    "shard": "pool shards",
    "features": "features",
    "trial": "trials",
    "quality": "quality checks",
}
STATES = {"done": 2, "failed": 1, "blocked": 4, "pending": -1}  # state -> series colour; -1 is grey
PATTERNS = {"done": "", "failed": "x", "blocked": "/", "pending": "."}


def _stages(by_stage: Mapping[str, Any]) -> list[str]:
    return [s for s in STAGES if s in by_stage] + [s for s in by_stage if s not in STAGES]


def name(stage: str) -> str:
    """A stage's name in the plural."""
    return STAGES.get(stage, stage)


def spent(seconds: Mapping[str, float] | None) -> str:
    """The total cost of all steps, in a sentence; '' if it is not known."""
    if not seconds:
        return ""
    parts = ", ".join(f"{name(s)} {text.seconds(seconds[s])}" for s in _stages(seconds))
    return f"Total: {text.seconds(sum(seconds.values()))} of one device ({parts})."


def counts_figure(steps: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """Shares of done, failed, blocked and pending steps, by stage."""
    stages = _stages(steps)[::-1]
    figure = go.Figure(
        layout=style.layout(
            style.axis("share of the steps (%)", range=[0, 100]),
            style.axis("", ticks=""),
            height=130 + 52 * len(stages),
            barmode="stack",
            bargap=0.5,
        )
    )
    figure.update_layout(legend={"traceorder": "normal"})
    for state, index in STATES.items():
        numbers = [steps[s].get(state, 0) for s in stages]
        if not any(numbers) and state != "done":
            continue
        totals = [max(steps[s].get("total", 0), 1) for s in stages]
        figure.add_bar(
            y=[style.inert(name(s)) for s in stages],
            orientation="h",
            name=state,
            x=[100 * c / t for c, t in zip(numbers, totals, strict=True)],
            marker={
                "color": style.ZERO if index < 0 else style.color(index),
                "pattern": {
                    "shape": PATTERNS[state],
                    "fillmode": "overlay",
                    "fgcolor": style.PAPER,
                    "fgopacity": 0.7,
                    "size": 6,
                },
            },
            hoverinfo="text",
            hovertext=[
                f"{style.inert(name(s))}: {c:,} of {steps[s].get('total', 0):,} {state}"
                for s, c in zip(stages, numbers, strict=True)
            ],
        )
    return figure


def counts_table(steps: Mapping[str, Mapping[str, int]]) -> tables.Table:
    """Counts of steps by stage and state."""
    return tables.Table(
        "Steps",
        ("stage", "total", *STATES),
        tuple(
            (
                tables.words(name(s)),
                *(tables.number(steps[s].get(k), text.plain, missing="–") for k in ("total", *STATES)),
            )
            for s in _stages(steps)
        ),
    )


def seconds_figure(seconds: Mapping[str, float], cpu_seconds: Mapping[str, float]) -> go.Figure:
    """Wall time and CPU time in seconds, summed over the steps of each stage."""
    stages = _stages(seconds)[::-1]
    figure = go.Figure(
        layout=style.layout(
            style.axis("seconds, summed over steps", rangemode="tozero"),
            style.axis("", ticks=""),
            height=130 + 52 * len(stages),
            barmode="group",
            bargap=0.35,
        )
    )
    for i, (label, values) in enumerate((("CPU", cpu_seconds), ("wall", seconds))):
        figure.add_bar(
            y=[style.inert(name(s)) for s in stages],
            x=[values.get(s) for s in stages],
            orientation="h",
            name=label,
            marker={
                "color": style.color(5 - 5 * i),
                "pattern": {
                    "shape": "/" if label == "CPU" else "",
                    "fillmode": "overlay",
                    "fgcolor": style.PAPER,
                    "fgopacity": 0.7,
                    "size": 6,
                },
            },
            hoverinfo="text",
            hovertext=[f"{style.inert(name(s))}: {text.seconds(values.get(s) or 0)} {label}" for s in stages],
        )
    figure.update_layout(legend={"traceorder": "reversed"})
    return figure


def seconds_table(seconds: Mapping[str, float], cpu_seconds: Mapping[str, float]) -> tables.Table:
    """The numbers of ``seconds_figure``."""
    return tables.Table(
        "Seconds",
        ("stage", "wall seconds in steps", "CPU seconds"),
        tuple(
            (
                tables.words(name(s)),
                tables.number(seconds[s], text.plain),
                tables.number(cpu_seconds.get(s), text.plain, missing="–"),
            )
            for s in _stages(seconds)
        ),
    )
