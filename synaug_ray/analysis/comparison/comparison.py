"""Several runs beside each other: which study, size and amount of each is compared, and the average over data sets.

Neither is chosen by its result. The size is the one asked for, or the largest with synthetic images; the amount the
one asked for, or the largest that most data sets have (of controls that lack it, the largest that they have). Studies
of one data set count as one, as in ``laws.meta_analysis.composite``, so that no data set counts more for having been
asked in more ways.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scipy.stats import norm

from synaug_ray.analysis.comparison.comparison_results import Average, Comparison, Group, Role, Row, RunFiles
from synaug_ray.analysis.comparison.comparison_rows import role_of, row_of, usable_sizes, without_numbers
from synaug_ray.analysis.comparison.explanations import explanations
from synaug_ray.common.text import counted
from synaug_ray.laws.meta_analysis import LEAST_STUDIES, composite, pool
from synaug_ray.laws.results import Estimate

NEAR = 2.0  # a measured size within this factor of the one asked for stands for it
ORDER = {role: i for i, role in enumerate(Role)}


def compare(
    runs: Sequence[RunFiles],
    *,
    num_real: int | None = None,
    multiple: float | None = None,
    only: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare runs.

    Args:
        num_real: the size asked for; None compares each study's largest.
        multiple: synthetic images per real one; None chooses.
        only: values of the fields of ``STUDY`` that rows must have.
    """
    wanted = only or {}
    chosen = []
    for run in runs:
        studies = [s for s in (run.laws or {}).get("studies") or () if all(str(s[k]) == v for k, v in wanted.items())]
        for study in studies:
            if sizes := usable_sizes(study):
                chosen.append((run, study, _size(sizes, num_real), sizes))
        if not any(run is one for one, *_ in chosen):
            chosen.append((run, None, None, ()))
    amount = multiple if multiple is not None else _common_amount(chosen)
    rows = [
        without_numbers(run)
        if study is None
        else row_of(run, study, size, amount if multiple is not None else _own(study, size, amount), num_real, sizes)
        for run, study, size, sizes in chosen
    ]
    confidence = max((row.confidence for row in rows), default=0.9)
    return Comparison(tuple(rows), _groups(rows, confidence), confidence, num_real, amount, multiple is not None)


def _size(sizes: Sequence[int], asked: int | None) -> int | None:
    if asked is None:
        return max(sizes)
    nearest = min(sizes, key=lambda n: abs(math.log(n / asked)))
    return nearest if max(nearest / asked, asked / nearest) <= NEAR else None


def _own(study: Mapping[str, Any], size: int | None, amount: float | None) -> float | None:
    """The amount; of controls that lack it the largest that they have, since their answer is known at any."""
    had = [float(c["synthetic_multiple"]) for c in study["cells"] if c["num_real"] == size and c["num_synthetic"]]
    lacks = amount is None or not any(math.isclose(one, amount) for one in had)
    return max(had) if role_of(study) is Role.CONTROL and had and lacks else amount


def _common_amount(chosen: Sequence[tuple]) -> float | None:
    """The amount that most runs have at their sizes, the largest of them; by learnt generators if there are any."""
    found: Counter[float] = Counter()
    learnt = [c for c in chosen if c[1] is not None and role_of(c[1]) in _LEARNT]
    for run in {id(c[0]): c[0] for c in learnt or chosen}.values():
        studies = [(study, size) for one, study, size, _ in learnt or chosen if one is run and study is not None]
        found.update(
            {float(c["synthetic_multiple"]) for study, size in studies for c in study["cells"] if c["num_real"] == size}
        )
    return max(found, key=lambda m: (found[m], m), default=None)


_LEARNT = (Role.CLOSED, Role.OPEN)


def _groups(rows: Sequence[Row], confidence: float) -> tuple[Group, ...]:
    by_key: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.role is not None:
            by_key.setdefault(row.group, []).append(row)
    found = [_group(key, members, confidence) for key, members in by_key.items()]
    return tuple(sorted(found, key=lambda g: (ORDER[g.role], -g.datasets, g.key)))


def _group(key: tuple[str, ...], rows: list[Row], confidence: float) -> Group:
    usable = [row for row in rows if row.why is None]
    role = rows[0].role or Role.CONTROL

    def average(
        of: Callable[[Row], Estimate], what: str, change: Callable[[float], float] = float, complete: bool = False
    ) -> Average:
        return _average(usable, of, what, confidence, change, complete)

    return Group(
        key,
        role,
        tuple(rows),
        len({row.unit for row in usable if error_of(row.gain, row.confidence)}),
        average(lambda row: row.gain, "a gain with an interval"),
        average(lambda row: row.log_ratio, "a gain with an interval"),
        average(lambda row: row.over_baseline, "a baseline at the same place"),
        average(lambda row: row.worth, "a known worth", complete=True),
        average(lambda row: row.c2, "an estimable c2", math.log, complete=True),
        explanations(by_unit(usable, lambda row: row.log_ratio), confidence) if role in _LEARNT else (),
    )


def _average(
    rows: Sequence[Row],
    of: Callable[[Row], Estimate],
    what: str,
    confidence: float,
    change: Callable[[float], float],
    complete: bool,
) -> Average:
    """The mean over data sets; with ``complete`` only if it leaves none out, since those left out are not like others.

    Worth is unknown beyond the measured sizes, and c2 where images help least: a mean of the others would be biased.
    """
    units = by_unit(rows, of, change)
    every = len({row.unit for row in rows})
    if complete and LEAST_STUDIES <= every != len(units):
        return Average(
            None,
            f"No mean: {len(units)} of {counted(every, 'data set')} have {what}; theirs would not be that of all.",
        )
    if len(units) < LEAST_STUDIES:
        return Average(None, f"No mean: {counted(len(units), 'data set')} with {what}, and it takes {LEAST_STUDIES}.")
    values, errors = zip(*(unit[:2] for unit in units), strict=True)
    return Average(pool(values, errors, confidence))


def by_unit(
    rows: Sequence[Row], of: Callable[[Row], Estimate], change: Callable[[float], float] = float
) -> list[tuple[float, float, list[Row]]]:
    """Value, standard error and rows of each data set that has any value with an interval, after ``change``."""
    found: dict[str, list[tuple[float, float, Row]]] = {}
    for row in rows:
        estimate = of(row)
        ends = [None if end is None else change(end) for end in (estimate.value, estimate.low, estimate.high)]
        changed = Estimate(*ends)
        error = error_of(changed, row.confidence)
        if changed.value is not None and error:
            found.setdefault(row.unit, []).append((changed.value, error, row))
    return [
        (*composite([value for value, *_ in parts], [error for _, error, _ in parts]), [row for *_, row in parts])
        for parts in found.values()
    ]


def error_of(estimate: Estimate, confidence: float) -> float | None:
    """The standard error of a normal estimate with this interval; None without both of its ends.

    Intervals from few draws have Student's t, so this is a little too large, and means lean to the safe side.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None or estimate.high <= estimate.low:
        return None
    return (estimate.high - estimate.low) / (2 * float(norm.ppf(0.5 + confidence / 2)))
