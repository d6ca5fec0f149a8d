"""The widest interval of a gain at each number of real images, over the time spent on a run with a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style

Decisions = Sequence[Mapping[str, Any]]
HEADER = ("draws", "time spent", "real images", "widest interval of a gain (± points)", "known", "decided then")


def figure(decisions: Decisions) -> go.Figure:
    """A series for each number of real images; open symbols where it was not yet known."""
    times = [float(found["spent"]) for found in decisions]
    unit, seconds = ("hours", 3600.0) if max(times) > 7200 else ("minutes", 60.0)
    x = style.axis(f"{unit} of one core or GPU", rangemode="tozero")
    drawn = go.Figure(layout=style.layout(x, style.axis("widest interval (± points)", rangemode="tozero"), height=340))
    drawn.update_layout(legend={"title": {"text": "real images"}})
    for i, n in enumerate(sizes(decisions)):
        looks = [(found, width) for found in decisions if (width := found["half_widths"].get(str(n))) is not None]
        drawn.add_scatter(
            x=[float(found["spent"]) / seconds for found, _ in looks] or [None],
            y=[100 * width for _, width in looks] or [None],
            name=text.images(n),
            mode="markers+lines",
            line={"color": style.color(i), "width": 1.2, "dash": style.dash(i)},
            marker={
                "color": style.color(i),
                "symbol": [style.symbol(i) + ("-open" if n in found["open"] else "") for found, _ in looks],
                "size": 9,
            },
            hoverinfo="text",
            hovertext=[
                f"{text.images(n)} real images, {found['draws']} draws<br>± {text.two_digits(100 * width)} points"
                for found, width in looks
            ],
        )
    return drawn


def sizes(decisions: Decisions) -> list[int]:
    """The numbers of real images that were looked at."""
    return sorted({int(n) for found in decisions for n in found["half_widths"]})


def table(decisions: Decisions) -> tables.Table:
    """One row for each look and number of real images."""
    rows = tuple(
        (
            tables.number(found["draws"], text.images),
            tables.number(found["spent"], text.seconds),
            tables.number(int(n), text.images),
            tables.number(width, lambda value: text.two_digits(100 * value), "open"),
            tables.words("not yet" if int(n) in found["open"] else "yes"),
            tables.words(found["why"]),
        )
        for found in decisions
        for n, width in found["half_widths"].items()
    )
    return tables.Table("What was known after each round", HEADER, rows)
