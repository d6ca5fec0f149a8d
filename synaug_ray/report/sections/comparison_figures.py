"""The forest plots of a comparison: what is compared, and how it is named and written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synaug_ray.analysis.comparison.comparison_results import Average, Group, Role, Row
from synaug_ray.common.text import fixed
from synaug_ray.laws.catalogue import PUBLISHED
from synaug_ray.laws.results import Estimate
from synaug_ray.report import tables, text
from synaug_ray.report.figures import forest
from synaug_ray.report.panels import Panel

LEARNT = (Role.CLOSED, Role.OPEN)


def one_place(value: float) -> str:
    """Signed, with one decimal."""
    return fixed(value, "+.1f").replace("-", "\u2212")


def share_removed(log_ratio: float) -> float:
    """0.105 -> 10.0: how many percent of the error go away, from ln(error without / error with)."""
    return 100 * -math.expm1(-log_ratio)


def percent_removed(value: float) -> str:
    """10.04 -> '+10.0 %'."""
    return f"{one_place(value)}\u202f%"


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
    optional: bool = False  # left out of groups in which no study has it

    def shown_of(self, groups: Sequence[Group]) -> list[Group]:
        """The groups that it is shown of."""
        return [g for g in groups if not self.optional or any(self.of(row) != Estimate(None) for row in g.rows)]


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
        "baseline",
        "Beside a baseline that learns nothing",
        "By how many points the gain is above that of classical augmentation of the real images (where that was not "
        "measured: of mixtures or plain jitter), at the same mix and amount. Right of the line, training a generator "
        "brings more.",
        forest.Scale("gain above the baseline's (points)", lambda v: text.points(v / 100), 0.0),
        lambda row: row.over_baseline,
        lambda group: group.over_baseline,
        lambda v: 100 * v,
        lambda v: 100 * v,
        lambda row: "no baseline at this mix and amount",
        optional=True,
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
    """The name of the data set with the size of its images; with the run's name where several runs have both."""
    several = len({one.run for one in rows if one.title == row.title}) > 1
    return f"{row.title} ({row.run})" if several and row.run != row.dataset else row.title


def label_of(row: Row, rows: Sequence[Row]) -> str:
    """The name of a row in its group: data set, generator, size."""
    several = len({one.classifier for one in rows}) > 1
    at = f"{row.num_real:,} real" if row.num_real else ""
    if len({one.multiple for one in rows} - {None}) > 1 and row.multiple is not None:
        at += f", {text.multiple(row.multiple)}"
    parts = [data_of(row, rows), row.generator, row.classifier if several else "", at]
    return " · ".join(part for part in parts if part)


def panel(groups: Sequence[Group], quantity: Quantity, place: str) -> Panel:
    """The forest plot of one quantity over groups, with its numbers."""
    blocks, entries = [], []
    for group in groups:
        lines = []
        for row in group.rows:
            estimate = through(quantity.of(row), quantity.shown)
            missing = str(row.why.why) if row.why else quantity.why(row) if estimate == Estimate(None) else ""
            name = label_of(row, group.rows)
            if missing or estimate == Estimate(None):
                missing = f"{text.NOT_ESTIMABLE}: {missing}" if missing else text.NOT_ESTIMABLE
            hover = f"{forest.style.inert(name, 90)}<br>{text.with_interval(as_json(estimate), quantity.scale.form)}"
            lines.append(forest.Line(name, estimate, missing, hover=hover))
            entries.append((title_of(group), name, estimate, missing))
        pooled = quantity.average(group).pooled
        if pooled:
            mean, new = (through(e, quantity.mean) for e in (pooled.mean, pooled.prediction))
            name = f"Mean of {pooled.studies} data sets"
            told = f"{name}: {text.with_interval(as_json(mean), quantity.scale.form)}"
            told += f"<br>a new one: {range_of(new, quantity)}"
            lines.append(forest.Line(f"{name}; dotted: a new one", mean, prediction=new, hover=told))
            entries.append((title_of(group), name, mean, ""))
            entries.append(
                (title_of(group), "A new data set", Estimate(None, new.low, new.high), range_of(new, quantity))
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
    return tables.estimate(as_json(estimate), quantity.scale.form)


def through(estimate: Estimate, change: Callable[[float], float]) -> Estimate:
    """The estimate in another unit; ``change`` does not fall."""
    return Estimate(*(None if x is None else change(x) for x in (estimate.value, estimate.low, estimate.high)))


def as_json(estimate: Estimate) -> dict[str, float | None]:
    """As tables and texts read it."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def range_of(new: Estimate, quantity: Quantity) -> str:
    """'−1.39 to +5.81'."""
    form = quantity.scale.form
    return f"{form(new.low or 0.0)} to {form(new.high or 0.0)}"
