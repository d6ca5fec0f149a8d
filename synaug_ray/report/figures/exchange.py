"""The exchange rate against n: how many synthetic images are worth one more real image.

There are two questions. Replacement: how many have the same effect as the next real image in a real-only set.
Trade-off: how many lower the error of this mix as much as one more real image in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from synaug_ray.report import tables, text
from synaug_ray.report.figures import style
from synaug_ray.report.text import StudyNames, ends_of, study_key, value_of

Studies = Sequence[Mapping[str, Any]]
NOT_REACHABLE = "not reachable"
NO_RATE = "no rate"


@dataclass(frozen=True)
class Question:
    """One of the two questions: the field of an exchange that answers it, and its wording."""

    field: str
    axis: str
    reading: str
    lanes: tuple[str, ...]  # rows below the axis for missing rates, by reason, from the bottom up
    caption: str  # of the table


REPLACEMENT = Question(
    "marginal",
    "synthetic images per real image",
    "next real image",
    (text.NOT_ESTIMABLE, NOT_REACHABLE),
    "Synthetic images per real image",
)
TRADEOFF = Question(
    "tradeoff",
    "synthetic images per real image",
    "one more real image here",
    (NO_RATE,),
    "Synthetic images per real image at the working point",
)


def missing_rate(exchange: Mapping[str, Any], question: Question = REPLACEMENT) -> str:
    """Why the exchange has no rate; '' if it has one."""
    if question is REPLACEMENT and not exchange["reachable"]:
        return NOT_REACHABLE
    estimate = exchange.get(question.field)
    value = value_of(estimate)
    # an interval without an upper end may include "not reachable"; without either end, nothing is known
    known = value is not None and value > 0 and ends_of(estimate) != (None, None)
    return "" if known else question.lanes[0]


def working_points(study: Mapping[str, Any], verdicts: Studies) -> list[Mapping[str, Any]]:
    """One exchange per n: at the verdict's amount if there is one, else the first in the list."""
    chosen = {e["num_real"]: e for e in reversed(study["exchange"])}
    for verdict in verdicts:
        if study_key(verdict) == study_key(study) and verdict.get("exchange"):
            chosen[verdict["num_real"]] = verdict["exchange"]
    return [chosen[n] for n in sorted(chosen)]


def rate_figure(studies: Studies, verdicts: Studies, names: StudyNames, question: Question = REPLACEMENT) -> go.Figure:
    """How many synthetic images one more real image is worth, against n; both axes logarithmic."""
    field = question.field
    at = [working_points(study, verdicts) for study in studies]
    everything = [e for points in at for e in points]
    sizes = sorted({e["num_real"] for e in everything})
    rated = [e for e in everything if not missing_rate(e, question)]
    ends = [end for e in rated for end in (value_of(e[field]), *ends_of(e[field]))]
    middle = [value_of(e[field]) or 1 for e in rated]
    low, high = style.span([*ends, 1.0], 1.4)
    if middle:  # the axis is that of the values, since intervals may be infinite, with bars beyond the axis
        high, low = min(high, 100 * max([*middle, 1])), max(low, min([*middle, 1]) / 100)
    lanes = len(rated) < len(everything)
    bottom = 0.0 if not lanes else (0.3 if rated else 0.9)
    x = style.log_axis("real images", sizes, style.span(sizes, 1.3), [text.images(n) for n in sizes])
    y = style.log_axis(question.axis, style.log_ticks(low, high), (low, high), domain=[bottom, 1.0])
    y2 = style.axis(
        "",
        type="category",
        categoryorder="array",
        categoryarray=list(question.lanes),
        range=[-0.6, len(question.lanes) - 0.4],
        domain=[0.0, 0.22 if rated else 1.0],
        tickvals=list(question.lanes),
        ticktext=[lane.replace(" ", "<br>") for lane in question.lanes],
        showgrid=True,
    )
    figure = go.Figure(layout=style.layout(x, y, height=480 if rated else 260))
    if lanes:
        figure.update_layout(yaxis2=y2, xaxis={"anchor": "y2"})
    if rated:
        figure.add_hline(y=1, line={"color": style.ZERO, "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=0,
            xref="x domain",
            y=0,
            yref="y",
            text="one for one",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"size": 11, "color": style.MUTED},
        )
    else:
        figure.update_layout(yaxis={"visible": False})
    for i, (study, points) in enumerate(zip(studies, at, strict=True)):
        _add_rates(figure, i, len(studies), names.name(study), points, sizes, high, question)
    return figure


def _add_rates(
    figure: go.Figure,
    i: int,
    count: int,
    name: str,
    points: Studies,
    sizes: list[int],
    top: float,
    question: Question,
) -> None:
    shift = style.dodge(i, count, sizes)
    colour = style.color(i)
    rated = [e for e in points if not missing_rate(e, question)]
    other = [e for e in points if missing_rate(e, question)]
    values = [value_of(e[question.field]) or 1.0 for e in rated]
    lows = [ends_of(e[question.field])[0] for e in rated]
    highs = [
        ends_of(e[question.field])[1] or top * 10 for e in rated
    ]  # without an upper end, the bar extends beyond the figure
    figure.add_scatter(
        x=[e["num_real"] * shift for e in rated] or [None],
        y=values or [None],
        name=style.inert(name),
        legendgroup=str(i),
        mode="markers+lines",
        line={"color": colour, "width": 1.4, "dash": style.dash(i)},
        marker={"color": colour, "symbol": style.symbol(i), "size": 9},
        error_y=style.bars(values, lows, highs),
        hoverinfo="text",
        hovertext=[_rate_hover(name, e, question) for e in rated],
    )
    if other:
        figure.add_scatter(
            x=[e["num_real"] * shift for e in other],
            y=[missing_rate(e, question) for e in other],
            yaxis="y2",
            legendgroup=str(i),
            showlegend=False,
            name=style.inert(name),
            mode="markers",
            marker={"color": colour, "symbol": style.symbol(i) + "-open", "size": 9, "line": {"width": 1.6}},
            hoverinfo="text",
            hovertext=[_rate_hover(name, e, question) for e in other],
        )


def _rate_hover(name: str, exchange: Mapping[str, Any], question: Question) -> str:
    lines = [
        style.inert(name),
        f"{text.images(exchange['num_real'])} real, {text.images(exchange['num_synthetic'])} synthetic",
    ]
    if missing := missing_rate(exchange, question):
        lines.append(missing)
    else:
        rate = text.with_interval(exchange[question.field], text.rate)
        lines.append(f"{question.reading}: {rate} synthetic")
    if question is TRADEOFF:
        return "<br>".join(lines)
    if not missing_rate(exchange):
        lines.append(f"on average: {text.with_interval(exchange['average'], text.rate)} synthetic")
    if exchange.get("limit") is not None:
        lines.append(f"any amount replaces at most {text.images(exchange['limit'])} real images")
    return "<br>".join(lines + ([style.inert(exchange["note"], 90)] if exchange.get("note") else []))


def rate_table(studies: Studies, verdicts: Studies, names: StudyNames) -> tables.Table:
    """All exchanges of the analysis; those in the figure are marked."""
    rows = []
    for study in studies:
        drawn = working_points(study, verdicts)
        listed = list(study["exchange"]) + [e for e in drawn if e not in study["exchange"]]
        for e in sorted(listed, key=lambda e: (e["num_real"], e["num_synthetic"])):
            rows.append(
                (
                    tables.words(names.name(study)),
                    tables.number(e["num_real"], text.images),
                    tables.number(e["num_synthetic"], text.images),
                    _rate(e, "marginal"),
                    _rate(e, "average"),
                    _limit(e),
                    tables.words(e.get("note", "")),
                    tables.words("yes" if e in drawn else ""),
                )
            )
    return tables.Table(
        REPLACEMENT.caption,
        (
            "study",
            "real images",
            "synthetic images",
            "for the next real image",
            "on average",
            "replaces at most (real images)",
            "note",
            "drawn",
        ),
        tuple(rows),
    )


def _limit(exchange: Mapping[str, Any]) -> tables.Entry:
    if value_of(exchange.get("limit_interval")) is not None:
        return tables.estimate(exchange["limit_interval"], text.images)
    return tables.number(exchange.get("limit"), text.images, missing="–")


def _rate(exchange: Mapping[str, Any], which: str) -> tables.Entry:
    entry = tables.estimate(exchange[which], text.rate)
    if exchange["reachable"]:
        return entry
    return tables.Entry(NOT_REACHABLE, entry.value, entry.low, entry.high, entry.mark)


def tradeoff_table(studies: Studies, verdicts: Studies, names: StudyNames) -> tables.Table:
    """The trade-off at all working points."""
    return tables.Table(
        TRADEOFF.caption,
        ("study", "real images", "synthetic images", "worth one more real image here"),
        tuple(
            (
                tables.words(names.name(study)),
                tables.number(e["num_real"], text.images),
                tables.number(e["num_synthetic"], text.images),
                tables.estimate(e.get("tradeoff"), text.rate),
            )
            for study in studies
            for e in working_points(study, verdicts)
        ),
    )
