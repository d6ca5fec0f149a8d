"""Tables, figures and sentences of a comparison of several runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from synaug_ray.analysis.comparison_results import Average, Comparison, Group, Role, Row
from synaug_ray.analysis.explanations import what_they_can_tell
from synaug_ray.common.text import fixed, listed
from synaug_ray.laws.catalogue import PUBLISHED
from synaug_ray.laws.meta_analysis import LEAST_STUDIES
from synaug_ray.laws.results import Estimate
from synaug_ray.report import tables, text
from synaug_ray.report.figures import forest
from synaug_ray.report.panels import Panel
from synaug_ray.report.sections.verdicts import slug

LEARNT = (Role.CLOSED, Role.OPEN)


def share_removed(log_ratio: float) -> float:
    """0.105 -> 10.0: how many percent of the error go away, from ln(error without / error with)."""
    return 100 * -math.expm1(-log_ratio)


def percent_removed(value: float) -> str:
    return f"{_one_place(value)}\u202f%"


def signed(value: float) -> str:
    """Real images for each synthetic one."""
    return fixed(value, "+.3g").replace("-", "\u2212")


@dataclass(frozen=True)
class Quantity:
    """One quantity that is compared."""

    id: str
    title: str
    caption: str
    scale: forest.Scale
    of: Callable[[Row], Estimate]
    average: Callable[[Group], Average]
    shown: Callable[[float], float]  # from the rows' unit to the axis's
    mean: Callable[[float], float]  # from the average's unit to the axis's
    why: Callable[[Row], str] = lambda row: ""  # why a usable row lacks it


QUANTITIES = (
    Quantity(
        "gain",
        "Gain: by how many points the error falls",
        "Right of the line, synthetic images help.",
        forest.Scale("gain (points)", lambda v: text.points(v / 100), 0.0),
        lambda row: row.gain,
        lambda group: group.gain,
        lambda v: 100 * v,
        lambda v: 100 * v,
    ),
    Quantity(
        "share",
        "Gain as a share of the error",
        "The same gains, in percent of the error without synthetic images: a point is more where there are few errors.",
        forest.Scale("share of the error that goes away (%)", percent_removed, 0.0),
        lambda row: row.log_ratio,
        lambda group: group.log_ratio,
        share_removed,
        share_removed,
    ),
    Quantity(
        "worth",
        "Worth: how many real images one synthetic image is worth",
        "The real images that alone bring the same gain, divided by the synthetic ones: at 1, each is worth a real "
        "one; left of 0, they hurt. An arrow: at least or at most this much, since the real-only curve was not "
        "measured further.",
        forest.Scale("real images for each synthetic one", signed, 0.0),
        lambda row: row.worth,
        lambda group: group.worth,
        float,
        float,
        lambda row: str(row.equivalent_why.why) if row.equivalent_why else "",
    ),
    Quantity(
        "c2",
        "c2 of the law of arXiv 2508.09550",
        "s = e^(λn) (c2^r − 1): the smaller c2, the fewer synthetic images s are worth r more real ones, both for each "
        "real image. Published: CIFAR-10 2.53, BloodMNIST 3.88 and ImageNet-100 37.84, closed-set, as quoted by "
        "others: no intervals, neither λ nor classifiers known. At another λ the same c2 means another worth, so read "
        "c2 with λ in the table.",
        forest.Scale(
            "c2 (logarithmic)",
            text.rate,
            1.0,
            logarithmic=True,
            marks=tuple((p.dataset, p.c2) for p in PUBLISHED if p.setting == "closed-set"),
        ),
        lambda row: row.c2,
        lambda group: group.log_c2,
        float,
        math.exp,
        lambda row: str(row.law_why.why) if row.law_why else "",
    ),
)


def title_of(group: Group) -> str:
    """'closed-set · 50 % real · pretrained'."""
    kind, protocol, share, classifier = group.key
    mixed = text.real_share(share)
    mix = "" if mixed == text.NO_SHARE else f"{mixed} real" if mixed.endswith("%") else f"mixed {mixed}"
    parts = [kind, "" if protocol == "mixed" else protocol, mix, "" if classifier == "from scratch" else classifier]
    return " · ".join(part for part in parts if part)


def data_of(row: Row, rows: Sequence[Row]) -> str:
    """The name of the data set; with that of the run where several runs have it."""
    several = len({one.run for one in rows if one.dataset == row.dataset}) > 1
    return f"{row.dataset} ({row.run})" if several and row.run != row.dataset else row.dataset


def label_of(row: Row, rows: Sequence[Row]) -> str:
    """The name of a row in its group: data set, generator, size."""
    several = len({one.classifier for one in rows}) > 1
    at = f"{row.num_real:,} real" if row.num_real else ""
    parts = [data_of(row, rows), row.generator, row.classifier if several else "", at]
    return " · ".join(part for part in parts if part)


def panel(groups: Sequence[Group], quantity: Quantity, place: str) -> Panel:
    """The forest plot of one quantity over groups, with its numbers."""
    blocks, entries = [], []
    for group in groups:
        lines = []
        for row in group.rows:
            estimate = _through(quantity.of(row), quantity.shown)
            missing = str(row.why.why) if row.why else quantity.why(row) if estimate == Estimate(None) else ""
            name = label_of(row, group.rows)
            if missing or estimate == Estimate(None):
                missing = f"{text.NOT_ESTIMABLE}: {missing}" if missing else text.NOT_ESTIMABLE
            hover = f"{forest.style.inert(name, 90)}<br>{text.with_interval(_json(estimate), quantity.scale.form)}"
            lines.append(forest.Line(name, estimate, missing, hover=hover))
            entries.append((title_of(group), name, estimate, missing))
        pooled = quantity.average(group).pooled
        if pooled:
            mean, new = (_through(e, quantity.mean) for e in (pooled.mean, pooled.prediction))
            name = f"Mean of {pooled.studies} data sets"
            told = (
                f"{name}: {text.with_interval(_json(mean), quantity.scale.form)}<br>a new one: {_range(new, quantity)}"
            )
            lines.append(forest.Line(f"{name}; dotted: a new one", mean, prediction=new, hover=told))
            entries.append((title_of(group), name, mean, ""))
            entries.append(
                (title_of(group), "A new data set", Estimate(None, new.low, new.high), _range(new, quantity))
            )
        blocks.append(forest.Block(title_of(group), tuple(lines)))
    return Panel(
        f"{quantity.id}-{place}",
        quantity.title,
        quantity.caption,
        forest.figure(blocks, quantity.scale),
        tables.Table(
            quantity.title,
            ("group", "study", quantity.scale.title),
            tuple(
                (tables.words(group), tables.words(name), _entry(estimate, missing, quantity))
                for group, name, estimate, missing in entries
            ),
        ),
    )


def _entry(estimate: Estimate, missing: str, quantity: Quantity) -> tables.Entry:
    if missing:
        return tables.Entry(missing, estimate.value, estimate.low, estimate.high, mark="number")
    return tables.estimate(_json(estimate), quantity.scale.form)


def _through(estimate: Estimate, change: Callable[[float], float]) -> Estimate:
    return Estimate(*(None if x is None else change(x) for x in (estimate.value, estimate.low, estimate.high)))


def _json(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _range(new: Estimate, quantity: Quantity) -> str:
    form = quantity.scale.form
    return f"{form(new.low or 0.0)} to {form(new.high or 0.0)}"


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
    without = blank if row.real_error.value is None else _whole(tables.estimate(_json(row.real_error), text.percent))
    named = (tables.words(data_of(row, rows)), tables.words(_made(row)), tables.words(count), without)
    if row.why:
        return *named, tables.words(f"{text.NOT_ESTIMABLE}: {row.why.why}"), *([blank] * 5)
    law = tables.words(text.NOT_ESTIMABLE) if row.law_why else None
    return (
        *named,
        tables.words(row.outcome or "\u2013", slug(row.outcome)),
        _whole(tables.estimate(_json(row.gain), text.points)),
        tables.words(text.NOT_ESTIMABLE)
        if row.equivalent_why
        else _whole(tables.estimate(_json(row.equivalent), text.more_images)),
        tables.words(row.rate_why.partition(":")[0])
        if row.rate.value is None
        else _whole(tables.estimate(_json(row.rate), text.rate)),
        law or _whole(tables.estimate(_json(row.c2), text.rate)),
        blank if law else _whole(tables.estimate(_json(row.lambda_per_image), _three)),
    )


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
        ("data set", "generator", "classes", "test images", "draws", "shows its class", "near-copies", "remarks"),
        tuple(
            (
                tables.words(data_of(row, rows)),
                tables.words(_made(row)),
                tables.number(row.classes, text.images, missing="\u2013"),
                tables.number(row.test_images, text.images, missing="\u2013"),
                tables.number(row.draws, text.images, missing="\u2013"),
                tables.number(row.fidelity, text.share, missing="not checked"),
                tables.number(row.copies, text.share, missing="not checked"),
                tables.words("; ".join(dict.fromkeys(part for part in _remarks(row) if part)), "prose"),
            )
            for row in rows
        ),
    )


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
    said = {row.run: (row.dataset, row.advice or "\u2013") for row in rows}
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
        known = [quantity for quantity in QUANTITIES if quantity.average(group).pooled]
        for quantity in QUANTITIES if known else QUANTITIES[:1]:  # without any mean, one reason is enough
            average = quantity.average(group)
            found = average.pooled
            if found is None:
                told = (tables.words(average.why), *(tables.words("") for _ in range(4)))
            else:
                mean, new = (_through(e, quantity.mean) for e in (found.mean, found.prediction))
                told = (
                    tables.estimate(_json(mean), quantity.scale.form),
                    tables.Entry(_range(new, quantity), None, new.low, new.high, "number"),
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
                else tables.estimate(_json(_through(one.slope.slope, lambda v: 100 * v)), _one_place),
                tables.number(one.p, p_value, missing=""),
                tables.number(one.slope.explained if one.slope else None, text.share, missing=""),
            )
            for one in group.explanations
        ),
    )


def _one_place(value: float) -> str:
    return fixed(value, "+.1f").replace("-", "\u2212")


def limits(group: Group, confidence: float) -> str:
    """What the data sets of a group cannot tell."""
    return what_they_can_tell(group.datasets, sum(e.slope is not None for e in group.explanations), confidence)


def headline(comparison: Comparison) -> str:
    """The answer in a sentence: of the group of learnt generators with the most data sets."""
    learnt = [group for group in comparison.groups if group.role in LEARNT]
    amount = "" if comparison.multiple is None else f" with {comparison.multiple:g} synthetic images per real one"
    lead = max(learnt, key=lambda g: g.datasets, default=None)
    if lead is None:
        return "No generator that learns was measured in these runs."
    if lead.gain.pooled is None:
        have = "1 data set has" if lead.datasets == 1 else f"{lead.datasets or 'no'} data sets have"
        return f"No mean: {have} a usable gain{amount}, and a mean takes {LEAST_STUDIES}."
    gain = QUANTITIES[0]
    mean, new = (_through(e, gain.mean) for e in (lead.gain.pooled.mean, lead.gain.pooled.prediction))
    return (
        f"Mean gain{amount} on {lead.datasets} data sets ({title_of(lead)}): "
        f"{text.points((mean.value or 0.0) / 100)} points ({_range(mean, gain)}). "
        f"On a new data set expect {_range(new, gain)}."
    )


def warnings(comparison: Comparison) -> list[str]:
    """What to know before any number is used."""
    said = []
    refused: dict[str, list[str]] = {}
    for row in comparison.rows:
        if row.why:
            refused.setdefault(row.why.text, []).append(row.run)
    said += [f"{listed(dict.fromkeys(names))}: not estimable, since {why}." for why, names in refused.items()]
    units: dict[str, list[str]] = {}
    for row in comparison.rows:
        units.setdefault(row.unit, []).append(row.run)
    for names in units.values():
        if len(distinct := list(dict.fromkeys(names))) > 1:
            said.append(f"{listed(distinct)} have the same images: in means they count as one data set.")
    if len({row.confidence for row in comparison.rows}) > 1:
        said.append("The runs give intervals of different confidence; means rest on their standard errors.")
    if len({row.error_name for row in comparison.rows if row.draws}) > 1:
        said.append("Some runs measure the balanced error, others the test error: their gains are not of one kind.")
    said += [f"{row.run}: {note}." for row in comparison.rows for note in row.notes if "control failed" in note]
    return list(dict.fromkeys(said))
