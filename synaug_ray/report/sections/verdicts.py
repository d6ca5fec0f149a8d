"""The verdicts: a matrix as an overview, a table with all numbers, and how certain they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synaug_ray.analysis.verdict_text import shown_margin
from synaug_ray.common.text import listed
from synaug_ray.report import tables, text
from synaug_ray.report.text import StudyNames, study_key, value_of

Verdicts = Sequence[Mapping[str, Any]]
SIGNS = {"helps": "▲", "hurts": "▼", "no effect": "=", "undecided": "?"}
MEANINGS = {
    "helps": "the interval of the gain is above zero",
    "hurts": "the interval is below zero",
    "no effect": "the interval is within ±{margin}",
    "undecided": "none of these: more data are needed",
}


@dataclass(frozen=True)
class Pill:
    """One outcome in the matrix, with the amount that it is about."""

    outcome: str
    sign: str
    gain: str
    amount: str
    sentence: str


@dataclass(frozen=True)
class Matrix:
    """Verdicts by study (rows) and number of real images (columns)."""

    fields: tuple[str, ...]
    sizes: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Pill | None, ...]], ...]
    legend: tuple[tuple[str, str, str], ...]  # outcome, sign, meaning


def slug(outcome: Any) -> str:
    """The CSS class of an outcome; never the outcome's own text, since that comes from a file."""
    return {"helps": "helps", "hurts": "hurts", "no effect": "none"}.get(str(outcome), "undecided")


def matrix(verdicts: Verdicts, names: StudyNames, told: Mapping[str, Any]) -> Matrix:
    """The verdicts by study and n; None if a study has no verdict at some n. ``told`` is ``verdict.json``."""
    sizes = sorted({v["num_real"] for v in verdicts})
    at = {(study_key(v), v["num_real"]): v for v in verdicts}
    studies = list({study_key(v): v for v in verdicts}.values())
    rows = []
    for study in studies:
        found = [at.get((study_key(study), n)) for n in sizes]
        rows.append((tuple(names.parts(study)), tuple(None if v is None else _pill(v) for v in found)))
    seen = {str(v["outcome"]) for v in verdicts}
    delta = text.finite(told.get("delta"))
    shown = "the margin" if delta is None else shown_margin(delta, text.finite(told.get("relative_delta")))
    legend = tuple((o, SIGNS[o], m.format(margin=shown)) for o, m in MEANINGS.items() if o in seen)
    return Matrix(
        tuple("real in a batch" if f == "real_share" else f for f in names.fields),
        tuple(text.images(n) for n in sizes),
        tuple(rows),
        legend,
    )


def _pill(verdict: Mapping[str, Any]) -> Pill:
    gain = value_of(verdict["gain"])
    amount = verdict.get("best_multiple")
    return Pill(
        outcome=str(verdict["outcome"]),
        sign=SIGNS.get(str(verdict["outcome"]), "?"),
        gain="" if gain is None else f"{text.points(gain)} points",
        amount="" if amount is None else f"{amount:g} per real image",
        sentence=str(verdict.get("sentence", "")),
    )


def full_table(verdicts: Verdicts, names: StudyNames) -> tables.Table:
    """All verdicts with their numbers and sentences."""
    rows = []
    for v in verdicts:
        exchange = v.get("exchange")
        if exchange is None:
            price = tables.words(text.NOT_ESTIMABLE)
        elif not exchange["reachable"]:
            price = tables.words("not reachable")
        else:
            price = tables.estimate(exchange["marginal"], text.rate)
        rows.append(
            (
                tables.words(names.name(v)),
                tables.number(v["num_real"], text.images),
                tables.words(v["outcome"], slug(v["outcome"])),
                tables.number(v.get("best_multiple"), text.multiple, missing="–"),
                tables.estimate(v["gain"], text.points),
                tables.estimate(v["equivalent"], text.more_images),
                price,
                tables.number(v.get("smallest_detectable_gain") or None, text.percent),
                tables.number(v.get("deciding_draws"), text.rough, missing="–"),
                tables.number(v.get("deciding_seconds"), text.rough_seconds, missing="–"),
                tables.words(v.get("sentence", ""), "prose"),
            )
        )
    return tables.Table(
        "Verdicts",
        (
            "study",
            "real images",
            "verdict",
            "amount",
            "gain (points)",
            "worth (real images), for all cells at once",
            "synthetic images per next real image",
            "smallest detectable gain (points)",
            "draws to decide this row (rough)",
            "compute to decide this row alone (rough)",
            "in words",
        ),
        tuple(rows),
    )


def deciding_note(laws: Mapping[str, Any] | None, verdicts: Verdicts) -> str:
    """What the number of draws to decide means, if any is given; else ''."""
    if laws is None or not any(v.get("deciding_draws") for v in verdicts) or laws["draws"] < 2:
        return ""
    return (
        f"The draws to decide are a rough estimate from {laws['draws']} draws: with so many, 4 in 5 such verdicts "
        "would be decided, if true gains vary as much as in this grid; the sentences below give a range. "
        "Draws and compute are those of each row alone; the cost on the card is that of the whole grid."
    )


def _looks(draws: Sequence[int]) -> str:
    """How often the results have been looked at; '' for files of older versions."""
    if not draws:
        return ""
    if len(draws) == 1:
        return " This is the first look at these results; later looks, after more draws, make intervals a little wider."
    return (
        f" This is look {len(draws)} at these results (after {listed(draws)} draws): intervals are wider for that "
        "reason, so that false verdicts stay as rare over all looks together."
    )


def _groups(laws: Mapping[str, Any]) -> str:
    groups = laws.get("test_groups")
    return "" if groups is None else f" Test images were resampled by group (data.group): {groups:,} groups."


def sureness(laws: Mapping[str, Any] | None, verdict: Mapping[str, Any]) -> str:
    """On what the intervals are based, and the smallest detectable gain, in a few sentences."""
    if laws is None:
        return ""
    if not laws["replicates"]:
        return "Intervals have not been computed yet, so no number on this page is an answer."
    sentences = (
        f"Intervals are {text.share(laws['confidence'])}, from {laws['draws']} "
        f"draw{'s' if laws['draws'] != 1 else ''} (a subset and its generator) × {laws['seeds']} classifier "
        f"seed{'s' if laws['seeds'] != 1 else ''}, {laws['test_images']:,} test images and "
        f"{laws['replicates']:,} bootstrap replicates."
    )
    simultaneous = text.finite(laws.get("simultaneous_confidence"))
    if simultaneous is not None:
        sentences += (
            f" “Helps” and “hurts” use wider intervals, which hold for all cells and all looks together "
            f"({text.share(simultaneous)}); the verdicts show these for gains, and for their worth in real images. “No "
            "effect”, exchange rates and all other numbers have intervals for each cell alone."
        )
    sentences += _looks(laws.get("looks") or ()) + _groups(laws)
    detectable = [
        d
        for v in verdict.get("verdicts", ())
        if (d := text.finite(v.get("smallest_detectable_gain")))  # 0: unknown
    ]
    if detectable and min(detectable) >= 1:  # an error is at most 100%
        sentences += " No gain of any size could be detected with these draws."
    elif detectable:
        low, high = (text.percent(d) for d in (min(detectable), max(detectable)))
        sentences += " The smallest gain this run could detect is " + (
            f"{low} points." if low == high else f"{low} to {high} points, depending on the number of real images."
        )
    if text.error_name(laws) == "balanced error":
        sentences += " The classes are unbalanced, so errors are balanced errors: means over classes."
    return sentences
