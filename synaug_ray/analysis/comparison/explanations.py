"""What explains the differences between data sets, as far as a few of them can tell, which is not far.

One property at a time: k data sets cannot tell several apart that go together. P-values allow for all that were tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from synaug_ray.analysis.comparison.comparison_results import Explanation, Row
from synaug_ray.common.text import counted
from synaug_ray.laws.meta_analysis import ENOUGH_FOR_SLOPE, LEAST_FOR_SLOPE, holm, least_correlation, regress

Units = Sequence[tuple[float, float, list[Row]]]
PROPERTIES: tuple[tuple[str, str, Callable[[Row], float | None]], ...] = (
    ("classes", "each doubling", lambda row: row.classes and math.log2(row.classes)),
    ("real images", "each doubling", lambda row: row.num_real and math.log2(row.num_real)),
    (
        "real images per class",
        "each doubling",
        lambda row: row.num_real and row.classes and math.log2(row.num_real / row.classes),
    ),
    (
        "error without synthetic images",
        "10 points more",
        lambda row: None if row.real_error.value is None else 10 * row.real_error.value,
    ),
    (
        "synthetic images that show their class",
        "10 points more",
        lambda row: None if row.fidelity is None else 10 * row.fidelity,
    ),
    ("near-copies", "10 points more", lambda row: None if row.copies is None else 10 * row.copies),
)


def explanations(units: Units, confidence: float) -> tuple[Explanation, ...]:
    """One for each property; () with fewer data sets than a slope takes."""
    if len(units) < LEAST_FOR_SLOPE:
        return ()
    found = [_explanation(name, step, of, units, confidence) for name, step, of in PROPERTIES]
    tried = [i for i, one in enumerate(found) if one.slope is not None]
    adjusted = holm([found[i].slope.p for i in tried])  # type: ignore[union-attr]
    for i, p in zip(tried, adjusted, strict=True):
        found[i] = replace(found[i], p=p)
    return tuple(found)


def _explanation(
    name: str, step: str, of: Callable[[Row], float | None], units: Units, confidence: float
) -> Explanation:
    kept = []
    for value, error, rows in units:
        known = [float(x) for row in rows if (x := of(row)) is not None]
        if known:
            kept.append((value, error, sum(known) / len(known)))
    if len(kept) < LEAST_FOR_SLOPE:
        return Explanation(name, step, None, why=f"known of {counted(len(kept), 'data set')} only")
    slope = regress(*zip(*kept, strict=True), confidence)  # type: ignore[arg-type]
    return Explanation(name, step, slope, why="" if slope else "the same in all data sets")


def what_they_can_tell(datasets: int, tried: int, confidence: float) -> str:
    """How little so many data sets can tell of ``tried`` properties, in a sentence."""
    if datasets < LEAST_FOR_SLOPE:
        return (
            f"What explains the differences cannot be said of {counted(datasets, 'data set')}: a slope takes "
            f"{LEAST_FOR_SLOPE}, and {ENOUGH_FOR_SLOPE} are advised for each property."
        )
    least = least_correlation(datasets, confidence, max(tried, 1))
    return (
        f"{counted(datasets, 'data set')} do not tell far what explains the differences ({ENOUGH_FOR_SLOPE} are "
        f"advised for a single property, and {tried} were tried): even without noise, only a correlation of "
        f"{least:.2f} or more would show, a property that goes with another cannot be told from it, and data sets "
        "were not chosen at random. A slope here is a question for the next grid, not an answer."
    )
