"""The gap between real and synthetic images, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from synaug_ray.analysis.verdict_text import setting
from synaug_ray.report import tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.text import ends_of, value_of

Gaps = Sequence[Mapping[str, Any]]
WHOLE = "the whole gap"


def parts_of(gap: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The parts of a gap and its whole, each with its name."""
    return [*((str(part["part"]), part) for part in gap["parts"]), (WHOLE, gap["whole"])]


def of_all_cells(gaps: Gaps) -> list[Mapping[str, Any]]:
    """The means over all cells; there is always one."""
    return [gap for gap in gaps if gap["num_real"] is None]


def name_of(gap: Mapping[str, Any], gaps: Gaps) -> str:
    """The generator, and what else tells its gap from the others."""
    shown = of_all_cells(gaps)
    words = [str(gap["generator"])]
    if sum(other["generator"] == gap["generator"] and _use(other) == _use(gap) for other in shown) > 1:
        words.append(f"by {gap['remade']}")
    if len({_use(other) for other in shown}) > 1:
        words.append(f"({gap['classifier']}, {setting(str(gap['real_share']), str(gap['protocol']))})")
    return " ".join(words)


def _use(gap: Mapping[str, Any]) -> tuple[Any, ...]:
    return gap["classifier"], gap["protocol"], gap["real_share"]


def figure(gaps: Gaps, delta: float, error: str) -> go.Figure:
    """What each exchange adds to the error in points, one series per generator: means over cells."""
    shown = of_all_cells(gaps)
    names = list(dict.fromkeys(name for gap in shown for name, _ in parts_of(gap)))
    names = [name for name in names if name != WHOLE] + [WHOLE]
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "range": [-0.5, len(names) - 0.5]}
    drawn = go.Figure(
        layout=style.layout(style.axis("", **ticks), style.axis(f"added to the {error} (points)"), height=360)
    )
    drawn.add_hrect(y0=-100 * delta, y1=100 * delta, fillcolor=style.NULL_BAND, line={"width": 0}, layer="below")
    drawn.add_hline(y=0, line={"color": style.ZERO, "width": 1.2})
    for i, gap in enumerate(shown):
        known = [(name, part) for name, part in parts_of(gap) if value_of(part["simultaneous"]) is not None]
        ys = [100 * (value_of(part["simultaneous"]) or 0.0) for _, part in known]
        ends = [ends_of(part["simultaneous"]) for _, part in known]
        beside = 0.5 * ((i + 0.5) / len(shown) - 0.5)
        drawn.add_scatter(
            x=[names.index(name) + beside for name, _ in known] or [None],
            y=ys or [None],
            name=style.inert(name_of(gap, gaps)),
            mode="markers",
            error_y=style.bars(ys, *([None if e[k] is None else 100 * (e[k] or 0.0) for e in ends] for k in (0, 1))),
            marker={"color": style.color(i), "symbol": style.symbol(i), "size": 9},
            hoverinfo="text",
            hovertext=[
                f"{style.inert(name_of(gap, gaps))}<br>{name}: "
                f"{text.with_interval(part['simultaneous'], text.points)} points"
                for name, part in known
            ],
        )
    return drawn


def table(gaps: Gaps) -> tables.Table:
    """Every part at every size and amount, and on average."""
    rows = tuple(
        (
            tables.words(name_of(gap, gaps)),
            tables.words("all") if gap["num_real"] is None else tables.number(gap["num_real"], text.images),
            tables.words("all") if gap["num_synthetic"] is None else tables.number(gap["num_synthetic"], text.images),
            tables.words(name),
            tables.words(f"{part['after']} in place of {part['before']}"),
            tables.estimate(part["change"], text.points),
            tables.estimate(part["simultaneous"], text.points),
            tables.words(part["outcome"]),
        )
        for gap in gaps
        for name, part in (*parts_of(gap), *([("judges' own mistakes", gap["judges"])] if gap["judges"] else []))
    )
    columns = ("gap of", "real images", "synthetic images", "part", "what is exchanged")
    found = ("added to the error (points), this one alone", "all at once", "so")
    return tables.Table("The gap, part by part", (*columns, *found), rows)
