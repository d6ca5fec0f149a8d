"""Colours, symbols and axes that all figures share.

Colours are those for a light page; ``DARK`` has their replacements for a dark one, which the page's script swaps in.
The series colours are Okabe and Ito's (distinct for people with the common colour-vision deficiencies). Each series has
a symbol and a dash of its own as well, so that no meaning depends on colour alone.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report.text import ends_of, value_of

INK = "#1c2127"
MUTED = "#5c6672"
RULE = "#e4e7eb"
ZERO = "#98a2ad"
PAPER = "#ffffff"
BAND = "rgba(28, 33, 39, 0.10)"
NULL_BAND = "rgba(92, 102, 114, 0.13)"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DARK = {
    INK: "#e9ecef",
    MUTED: "#a3adb8",
    RULE: "#2c333b",
    ZERO: "#6c7682",
    PAPER: "#15181c",
    BAND: "rgba(233, 236, 239, 0.14)",
    NULL_BAND: "rgba(163, 173, 184, 0.16)",
    SERIES[0]: "#4aa3e0",
    SERIES[1]: "#f0803c",
    SERIES[2]: "#2fc79a",
    SERIES[3]: "#e39ac4",
    SERIES[4]: "#f2b736",
    SERIES[5]: "#9ad7f7",
}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "triangle-down")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def inert(text: Any, longest: int = 60) -> str:
    """Escape a user's text for a figure, since plotly would render tags in it."""
    text = str(text)
    return html.escape(text if len(text) <= longest else text[: longest - 1] + "…")


def color(index: int) -> str:
    """The colour of series ``index``."""
    return SERIES[index % len(SERIES)]


def symbol(index: int) -> str:
    """The marker of series ``index``."""
    return SYMBOLS[index % len(SYMBOLS)]


def dash(index: int) -> str:
    """The dash of series ``index``."""
    return DASHES[index % len(DASHES)]


def axis(title: str, **settings: Any) -> dict[str, Any]:
    """An axis; ``settings`` are plotly's."""
    return {
        "title": {"text": title, "font": {"size": 13, "color": MUTED}, "standoff": 10},
        "gridcolor": RULE,
        "zeroline": False,
        "linecolor": ZERO,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": ZERO,
        "tickfont": {"size": 12, "color": MUTED},
        "automargin": True,
        **settings,
    }


def log_axis(
    title: str,
    ticks: Sequence[float],
    span: tuple[float, float],
    labels: Sequence[str] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """A logarithmic axis with labels at the given ticks (plotly's own are unreadable below two decades)."""
    ticks = [t for t in ticks if t > 0]
    return axis(
        title,
        type="log",
        tickvals=list(ticks),
        range=[math.log10(span[0]), math.log10(span[1])],
        ticktext=list(labels) if labels is not None else [f"{t:,.10g}" for t in ticks],
        autotickangles=[0, 45],
        minor={"showgrid": False},
        **settings,
    )


def layout(xaxis: dict[str, Any], yaxis: dict[str, Any], height: int = 400, **settings: Any) -> go.Layout:
    """A minimal layout: without a title (the page has one), and with the legend above the figure."""
    return go.Layout(
        template=go.layout.Template(),
        xaxis=xaxis,
        yaxis=yaxis,
        height=height,
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        font={"family": FONT, "size": 13, "color": INK},
        margin={"l": 56, "r": 16, "t": 12, "b": 52},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12, "color": INK},
            "title": {"font": {"size": 12, "color": MUTED}},
        },
        hoverlabel={
            "font": {"size": 12, "family": FONT, "color": INK},
            "bgcolor": PAPER,
            "bordercolor": ZERO,
            "align": "left",
        },
        modebar={"bgcolor": "rgba(0, 0, 0, 0)", "color": ZERO, "activecolor": INK},
        hovermode="closest",
        **settings,
    )


def span(values: Iterable[float | None], padding: float = 1.12) -> tuple[float, float]:
    """The range of a logarithmic axis for all positive values, with some padding."""
    positive = [v for v in values if v is not None and v > 0 and math.isfinite(v)]
    if not positive:
        return 0.5, 2.0
    return min(positive) / padding, max(positive) * padding


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks inside a range: decades if it is wide, else 1, 2, 5, else finer steps, and equal ones if it is narrow."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps, fewest in (((1,), 4), ((1, 2, 5), 3), ((1, 1.5, 2, 3, 5, 7), 3)):
        ticks = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(ticks) >= fewest:
            return ticks
    unit = 10.0 ** math.floor(math.log10((high - low) / 3))
    step = max(k * unit for k in (1, 2, 5) if (high - low) / (k * unit) >= 3)
    first = math.ceil(low / step)
    return [float(f"{(first + i) * step:.12g}") for i in range(7) if (first + i) * step <= high]


def dodge(index: int, count: int, sizes: Sequence[float]) -> float:
    """The factor that shifts series ``index`` of ``count`` sideways, so that intervals do not hide each other."""
    ordered = sorted(set(sizes))
    gaps = [b / a for a, b in zip(ordered, ordered[1:], strict=False) if a > 0]
    room = 0.45 * math.log(min(gaps)) if gaps else 0.1
    step = min(0.07, room / max(count, 1))
    return math.exp((index - (count - 1) / 2) * step)


def bars(
    values: Sequence[float], lows: Sequence[float | None], highs: Sequence[float | None], **settings: Any
) -> dict[str, Any]:
    """Error bars from the ends of intervals; there is no bar towards an unknown end."""
    return {
        "type": "data",
        "symmetric": False,
        "thickness": 1.3,
        "width": 3,
        **settings,
        "array": [0 if h is None else max(h - v, 0) for v, h in zip(values, highs, strict=True)],
        "arrayminus": [0 if w is None else max(v - w, 0) for v, w in zip(values, lows, strict=True)],
    }


def percents(estimates: Sequence[Any]) -> tuple[list[float], list[float | None], list[float | None]]:
    """Estimates of fractions in percent: values, lower ends, upper ends."""
    values = [100 * (value_of(e) or 0.0) for e in estimates]
    ends = [ends_of(e) for e in estimates]
    lows, highs = ([None if e[k] is None else 100 * (e[k] or 0.0) for e in ends] for k in (0, 1))
    return values, lows, highs
