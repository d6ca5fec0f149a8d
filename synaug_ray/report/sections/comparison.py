"""The tables of a comparison of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from synaug_ray.analysis.comparison.comparison_results import Group, Row
from synaug_ray.common.text import fixed
from synaug_ray.laws.catalogue import PUBLISHED
from synaug_ray.laws.results import Estimate
from synaug_ray.report import tables, text
from synaug_ray.report.sections.comparison_figures import (
    QUANTITIES,
    as_json,
    data_of,
    one_place,
    range_of,
    through,
    title_of,
)
from synaug_ray.report.sections.verdicts import slug


def overview(rows: Sequence[Row]) -> tables.Table:
    """One line for each study: the whole answer in numbers."""
    return tables.Table(
        "The runs",
        (
            "data set",
            "generator",
            "real + synthetic images",
            "error without (%)",
            "verdict",
            "gain (points)",
            "worth (real images)",
            "synthetic per next real",
            "c2",
            "λ per image",
        ),
        tuple(_overview(row, rows) for row in rows),
    )


def _whole(entry: tables.Entry) -> tables.Entry:
    """The same, with no line break inside the interval."""
    return replace(entry, text=entry.text.replace(", ", ",\u00a0"))


def _overview(row: Row, rows: Sequence[Row]) -> tuple[tables.Entry, ...]:
    blank = tables.words("\u2013")
    count = "\u2013" if row.num_real is None else text.images(row.num_real)
    if row.num_synthetic is not None:
        count += f" + {text.images(row.num_synthetic)}"
    without = blank if row.real_error.value is None else _whole(tables.estimate(as_json(row.real_error), text.percent))
    named = (tables.words(data_of(row, rows)), tables.words(_made(row)), tables.words(count), without)
    if row.why:
        return *named, tables.words(f"{text.NOT_ESTIMABLE}: {row.why.why}"), *([blank] * 5)
    law = tables.words(text.NOT_ESTIMABLE) if row.law_why else None
    return (
        *named,
        tables.words(row.outcome or "\u2013", slug(row.outcome)),
        _whole(tables.estimate(as_json(row.gain), text.points)),
        tables.words(text.NOT_ESTIMABLE)
        if row.equivalent_why
        else _whole(tables.estimate(as_json(row.equivalent), text.more_images)),
        tables.words(row.rate_why.partition(":")[0])
        if row.rate.value is None
        else _whole(tables.estimate(as_json(row.rate), text.rate)),
        law or _ratio(row.c2),
        blank if law else tables.estimate(as_json(row.lambda_per_image), _three),
    )


def _ratio(found: Estimate) -> tables.Entry:
    """c2; where its upper end is open, any value above the lower one fits as well, and the fitted one would mislead."""
    entry = _whole(tables.estimate(as_json(found), text.rate))
    if found.value is None or found.low is None or found.high is not None:
        return entry
    return replace(entry, text=f"at least {text.rate(found.low)}")


def _three(value: float) -> str:
    return fixed(value, ".3g").replace("-", "\u2212")


def _made(row: Row) -> str:
    """'edm (closed-set), 50 % real, mlp'."""
    if not row.generator:
        return "\u2013"
    protocol = "" if row.protocol == "mixed" else row.protocol
    mixed = text.real_share(row.real_share)
    mix = "" if mixed == text.NO_SHARE else f"{mixed} real" if mixed.endswith("%") else mixed
    classifier = row.classifier + (" (pretrained)" if row.pretrained else "")
    return ", ".join(part for part in (f"{row.generator} ({row.role})", protocol, mix, classifier) if part)


def details(rows: Sequence[Row]) -> tables.Table:
    """What else is known of each study: how the data sets differ, and why something is not estimable."""
    return tables.Table(
        "What the studies differ in, and remarks",
        (
            "data set",
            "generator",
            "classes",
            "test images",
            "draws",
            "core-hours",
            "shows its class (real images: 100\u202f%)",
            "near-copies",
            "gain above a baseline's (points)",
            "gain of as many real images instead (points)",
            "missing of it (points)",
            "remarks",
        ),
        tuple(
            (
                tables.words(data_of(row, rows)),
                tables.words(_made(row)),
                tables.number(row.classes, text.images, missing="\u2013"),
                tables.number(row.test_images, text.images, missing="\u2013"),
                tables.number(row.draws, text.images, missing="\u2013"),
                tables.number(row.core_hours, text.two_digits, missing="\u2013"),
                tables.number(row.fidelity, text.share, missing="not checked"),
                tables.number(row.copies, text.share, missing="not checked"),
                _difference(row.over_baseline, row.baseline),
                tables.number(row.real_gain, text.points, missing="\u2013"),
                _difference(row.missing),
                tables.words("; ".join(dict.fromkeys(part for part in _remarks(row) if part)), "prose"),
            )
            for row in rows
        ),
    )


def _difference(estimate: Estimate, of: str = "") -> tables.Entry:
    if estimate.value is None:
        return tables.words("\u2013")
    entry = _whole(tables.estimate(as_json(estimate), text.points))
    return replace(entry, text=f"{entry.text} ({of})") if of else entry


def _remarks(row: Row) -> tuple[str, ...]:
    if row.why:
        return row.why.text, *row.notes
    rate = row.rate_why.partition(": ")[2] if row.rate.value is None else ""
    reasons = [reason.text for reason in (row.equivalent_why, row.law_why) if reason]
    return *reasons, rate, *row.notes


def published() -> tables.Table:
    """The published values of c2."""
    return tables.Table(
        "Published c2",
        ("data set", "generator", "c2", "λ per image", "source"),
        tuple(
            (
                tables.words(p.dataset),
                tables.words(p.setting),
                tables.number(p.c2, text.plain),
                tables.words("not published, as far as is known"),
                tables.words(p.source, "prose"),
            )
            for p in PUBLISHED
        ),
    )


def cards(rows: Sequence[Row]) -> tables.Table:
    """What the card of each run says."""
    said = {row.run: (row.title, row.advice or "\u2013") for row in rows}
    return tables.Table(
        "The cards of the runs",
        ("run", "data set", "advice"),
        tuple(
            (tables.words(run), tables.words(data), tables.words(advice, "prose"))
            for run, (data, advice) in said.items()
        ),
    )


def means(groups: Sequence[Group]) -> tables.Table:
    """Mean, prediction interval and heterogeneity of each group and quantity, or why there is none."""
    rows = []
    for group in groups:
        asked = [quantity for quantity in QUANTITIES if quantity.shown_of([group])]
        known = [quantity for quantity in asked if quantity.average(group).pooled]
        for quantity in asked if known else asked[:1]:  # without any mean, one reason is enough
            average = quantity.average(group)
            found = average.pooled
            if found is None:
                told = (tables.words(average.why), *(tables.words("") for _ in range(4)))
            else:
                mean, new = (through(e, quantity.mean) for e in (found.mean, found.prediction))
                told = (
                    tables.estimate(as_json(mean), quantity.scale.form),
                    tables.Entry(range_of(new, quantity), None, new.low, new.high, "number"),
                    tables.number(found.studies, text.images),
                    tables.number(found.share, text.share),
                    tables.number(found.heterogeneity_p, p_value),
                )
            rows.append((tables.words(title_of(group)), tables.words(quantity.scale.title), *told))
    return tables.Table(
        "Means over data sets",
        ("group", "quantity", "mean", "a new data set", "data sets", "I²: not noise", "p of no difference"),
        tuple(rows),
    )


def p_value(p: float) -> str:
    """0.0312 -> '0.031', 0.00001 -> '< 0.001'."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def explained(group: Group) -> tables.Table:
    """The slopes of one group."""
    return tables.Table(
        f"What goes with the gain: {title_of(group)}",
        ("property", "for", "change of the gain, % of the error", "p, all tried", "explains"),
        tuple(
            (
                tables.words(one.name),
                tables.words(one.unit),
                tables.words(one.why)
                if one.slope is None
                else tables.estimate(as_json(through(one.slope.slope, lambda v: 100 * v)), one_place),
                tables.number(one.p, p_value, missing=""),
                tables.number(one.slope.explained if one.slope else None, text.share, missing=""),
            )
            for one in group.explanations
        ),
    )
