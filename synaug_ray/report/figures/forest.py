"""Forest plots: one line for each study, with its interval; below them the mean over data sets, and a new one's range.

Labels stand above their lines and numbers to the right of them, inside the figure, so that it can be read on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from synaug_ray.laws.results import Estimate
from synaug_ray.report import text
from synaug_ray.report.figures import style
from synaug_ray.report.text import Form

WIDE = 0.7  # share of the width for the intervals; the rest is for numbers
STEP = 44  # pixels for a line
MOST_DECADES = 1.5  # of a logarithmic axis beyond the values, since intervals may be open


@dataclass(frozen=True)
class Line:
    """One study, or one mean."""

    label: str
    estimate: Estimate  # in the unit of the axis
    missing: str = ""  # why there is nothing to draw
    prediction: Estimate | None = None  # of a mean: the interval for a new data set
    hover: str = ""


@dataclass(frozen=True)
class Block:
    """The lines of one group."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Scale:
    """The axis of one quantity."""

    title: str
    form: Form
    null: float  # where nothing is gained
    logarithmic: bool = False
    marks: tuple[tuple[str, float], ...] = ()  # published values


@dataclass(frozen=True)
class _Drawing:
    """What is drawn, before plotly sees it, which is slow with one piece at a time."""

    traces: list[dict[str, Any]]
    notes: list[dict[str, Any]]

    def scatter(self, **settings: Any) -> None:
        self.traces.append({"type": "scatter", "showlegend": False, **settings})


def figure(blocks: Sequence[Block], scale: Scale) -> go.Figure:
    """All blocks below each other, on one axis."""
    count = sum(1 + len(block.lines) for block in blocks)
    low, high = _span(blocks, scale)
    if scale.logarithmic:
        x = style.log_axis(scale.title, style.log_ticks(low, high), (low, high), domain=[0, WIDE])
    else:
        x = style.axis(scale.title, range=[low, high], domain=[0, WIDE])
    y = style.axis("", range=[-0.6, count - 0.4], visible=False, fixedrange=True)
    drawn = _Drawing([], [])
    lines = [(scale.null, {"color": style.ZERO, "width": 1.2})]
    for i, (name, value) in enumerate(scale.marks):
        if low < value < high:
            lines.append((value, {"color": style.color(i + 1), "width": 1.2, "dash": style.dash(i + 1)}))
            at = math.log10(value) if scale.logarithmic else value
            _note(drawn, at, 1, name, "x", "bottom", "center", style.color(i + 1), 11)
            # on two levels, since the names of near values would cover each other
            drawn.notes[-1] |= {"yref": "paper", "yshift": 15 * (i % 2)}
    at = count - 1
    for index, block in enumerate(blocks):
        _note(drawn, 0, at - 0.1, f"<b>{style.inert(block.title, 50)}</b>", "paper", "middle", "left", style.INK, 12)
        at -= 1
        for line in block.lines:
            _draw(drawn, line, at, (low, high), scale, style.color(index))
            at -= 1
    layout = style.layout(x, y, height=STEP * count + 96, annotations=drawn.notes, showlegend=False)
    layout.margin = {"l": 8, "r": 8, "t": 8 + 40 * bool(scale.marks), "b": 56}
    layout.shapes = [
        {
            "type": "line",
            "x0": at,
            "x1": at,
            "xref": "x",
            "y0": 0,
            "y1": 1,
            "yref": "y domain",
            "line": line,
            "layer": "below",
        }
        for at, line in lines
    ]
    return go.Figure(data=drawn.traces, layout=layout)


def _span(blocks: Sequence[Block], scale: Scale) -> tuple[float, float]:
    lines = [line for block in blocks for line in block.lines]
    each = [e for line in lines for e in (line.estimate, line.prediction) if e is not None]
    ends = [end for e in each for end in (e.value, e.low, e.high) if end is not None]
    values = [e.value for e in each if e.value is not None]
    if not scale.logarithmic:
        low, high = min([scale.null, *ends], default=0.0), max([scale.null, *ends], default=0.0)
        air = 0.06 * (high - low) or 1.0
        return low - air, high + air
    marks = [value for _, value in scale.marks]
    low, high = style.span([scale.null, *ends, *marks], 1.3)
    center = [*values, *marks, scale.null]
    return max(low, min(center) / 10**MOST_DECADES), min(high, max(center) * 10**MOST_DECADES)


def _note(
    drawn: _Drawing,
    x: float,
    y: float,
    words: str,
    xref: str,
    yanchor: str,
    xanchor: str,
    colour: str = style.MUTED,
    size: int = 12,
) -> None:
    drawn.notes.append(
        {
            "x": x,
            "y": y,
            "xref": xref,
            "yref": "y",
            "text": words,
            "showarrow": False,
            "xanchor": xanchor,
            "yanchor": yanchor,
            "align": xanchor,
            "font": {"size": size, "color": colour},
        }
    )


def _draw(drawn: _Drawing, line: Line, at: float, span: tuple[float, float], scale: Scale, colour: str) -> None:
    mean = line.prediction is not None
    label = style.inert(line.label, 52)
    _note(drawn, 0, at + 0.16, f"<b>{label}</b>" if mean else label, "paper", "bottom", "left", style.INK)
    e = line.estimate
    if line.missing or e == Estimate(None):
        words = style.inert(line.missing or text.NOT_ESTIMABLE, 56)
        _note(drawn, 0, at - 0.12, f"<i>{words}</i>", "paper", "middle", "left")
        return
    _note(drawn, 1, at - 0.16, _numbers(e, scale.form), "paper", "middle", "right", style.INK, 11)
    y = at - 0.12
    if line.prediction is not None:
        _bar(drawn, line.prediction, y, span, style.MUTED, 1.5, "dot")
        points = ((e.low, y), (e.value, y + 0.2), (e.high, y), (e.value, y - 0.2), (e.low, y))
        drawn.scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="lines",
            fill="toself",
            fillcolor=colour,
            line={"color": colour, "width": 1},
            name="mean",
            hoverinfo="text",
            hovertext=line.hover,
        )
        return
    _bar(drawn, e, y, span, colour, 2.4, "solid")
    if e.value is not None:
        drawn.scatter(
            x=[e.value],
            y=[y],
            mode="markers",
            marker={"color": colour, "size": 9, "symbol": "square"},
            name="study",
            hoverinfo="text",
            hovertext=[line.hover],
        )


def _bar(
    drawn: _Drawing, e: Estimate, y: float, span: tuple[float, float], colour: str, width: float, dash: str
) -> None:
    """An interval; an arrow where its end is open or beyond the axis."""
    if e.low is None and e.high is None:
        return
    low = span[0] if e.low is None else max(e.low, span[0])
    high = span[1] if e.high is None else min(e.high, span[1])
    drawn.scatter(
        x=[low, high],
        y=[y, y],
        mode="lines",
        line={"color": colour, "width": width, "dash": dash},
        name="interval",
        hoverinfo="skip",
    )
    for end, cut, symbol in ((e.low, low == span[0], "triangle-left"), (e.high, high == span[1], "triangle-right")):
        if cut and (end is None or not span[0] < end < span[1]):
            drawn.scatter(
                x=[low if symbol == "triangle-left" else high],
                y=[y],
                mode="markers",
                marker={"color": colour, "size": 9, "symbol": symbol},
                name="open",
                hoverinfo="skip",
                cliponaxis=False,
            )


def _numbers(e: Estimate, form: Form) -> str:
    """The value, and its interval on a second line."""
    if e.value is None:
        return f"at least {form(e.low)}" if e.low is not None else f"at most {form(e.high or 0.0)}"
    if e.low is None and e.high is None:
        return form(e.value)
    ends = ["open" if end is None else form(end) for end in (e.low, e.high)]
    return f"{form(e.value)}<br>[{ends[0]}, {ends[1]}]"
