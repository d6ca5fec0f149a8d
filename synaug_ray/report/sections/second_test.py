"""The second test set (``data.test2``): does the gain carry over?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synaug_ray.report import tables, text
from synaug_ray.report.sections.verdicts import slug
from synaug_ray.report.text import StudyNames


@dataclass(frozen=True)
class SecondTest:
    """What the section shows."""

    name: str
    headline: str
    lead: str
    sentences: tuple[str, ...]
    verdicts: tables.Table
    cells: tables.Table
    real: tables.Table


def of(verdict: Mapping[str, Any], names: StudyNames) -> SecondTest | None:
    """The section; None for a run without a second test set, or of an older version."""
    found = verdict.get("second_test")
    if not found:
        return None
    told = found["verdicts"]
    images, groups = text.images(found["images"]), found.get("groups")
    error = "balanced error" if str(found["error"]).startswith("balanced") else "error"
    lead = (
        f"The same classifiers, measured on {images} images of {found['name']}"
        + (f" ({groups:,} groups)" if groups else "")
        + f": gains in points of {error} there. No image of it was used in training. Intervals hold for all cells of "
        "this test set at once; those of the differences, which are paired by draw, for all differences at once. "
        "“Carries over in part”: it is there, and clearly smaller."
    )
    return SecondTest(
        str(found["name"]),
        str(found["headline"]),
        lead,
        tuple(str(v["sentence"]) for v in told if v["carries"]),
        _verdicts(told, names),
        _cells(told, names),
        _real(found["real"]),
    )


def warnings(verdict: Mapping[str, Any] | None) -> list[str]:
    """What to know before the results on the second test set are read."""
    return [str(w) for w in ((verdict or {}).get("second_test") or {}).get("warnings", ())]


def _verdicts(told: Any, names: StudyNames) -> tables.Table:
    rows = tuple(
        (
            tables.words(names.name(v)),
            tables.number(v["num_real"], text.images),
            tables.number(v["multiple"], text.multiple),
            tables.words(v["first_outcome"], slug(v["first_outcome"])),
            tables.estimate(v["first_gain"], text.points),
            tables.words(v["outcome"], slug(v["outcome"])),
            tables.estimate(v["gain"], text.points),
            tables.estimate(v["difference"], text.points),
            tables.words(v["carries"] or "–"),
        )
        for v in told
    )
    columns = (
        "generator",
        "real images",
        "multiple",
        "first test set",
        "gain (points)",
        "second test set",
        "gain (points)",
        "difference (points)",
        "does it carry over?",
    )
    return tables.Table("Verdicts on both test sets", columns, rows)


def _cells(told: Any, names: StudyNames) -> tables.Table:
    rows = tuple(
        (
            tables.words(names.name(v)),
            tables.number(c["num_real"], text.images),
            tables.number(c["synthetic_multiple"], text.multiple),
            tables.estimate(c["error"], text.percent),
            tables.estimate(c["gain"], text.points),
            tables.estimate(c["gain_simultaneous"], text.points),
            tables.estimate(c["difference"], text.points),
        )
        for v in told
        for c in v["cells"]
    )
    columns = (
        "generator",
        "real images",
        "multiple",
        "error (%)",
        "gain (points), this cell alone",
        "gain, all cells at once",
        "difference to the first test set",
    )
    return tables.Table("Cells on the second test set", columns, rows)


def _real(found: Any) -> tables.Table:
    rows = tuple(
        (
            tables.words(r["classifier"]),
            tables.number(r["num_real"], text.images),
            tables.estimate(r["first_error"], text.percent),
            tables.estimate(r["error"], text.percent),
        )
        for r in found
    )
    columns = ("classifier", "real images", "error on the first (%)", "on the second (%)")
    return tables.Table("Errors without synthetic images on both test sets", columns, rows)
