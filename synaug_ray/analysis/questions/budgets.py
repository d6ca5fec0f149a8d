"""Whether longer training of a generator would change the answer: gains of one recipe at several lengths of training.

Lengths are compared within a draw, cell by cell, so that effects of a subset, a seed or a test image on both cancel
before anything is resampled, as they do in gains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from synaug_ray.analysis.cells.cell_noise import alike, components
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells
from synaug_ray.analysis.generators import Made
from synaug_ray.analysis.questions.budget_text import curve_sentence
from synaug_ray.analysis.questions.generator_results import BudgetCell, BudgetCurve, Training
from synaug_ray.analysis.results import Verdict
from synaug_ray.laws import moderation, simultaneous
from synaug_ray.laws.results import Estimate

FOUR = 4.0  # times the training
NEARLY = 0.9  # of four times is enough: lengths are whole batches, and may end with the last pass
MORE_COPIES = 0.03  # increase of the share of near-copies from which a generator copies more
SIGMAS = 2.0  # standard errors that the increase must also exceed

Copies = Mapping[
    tuple[str, int], tuple[float, float, int]
]  # (generator, num_real) -> share, real images' share, images


@dataclass(frozen=True)
class _Amount:
    """The cells of one amount at all lengths, the shortest first."""

    cells: tuple[MixedCell, ...]
    lengths: tuple[int, ...]


def copies_of(quality: Any) -> Copies:
    """Each generator's share of near-copies at each size, over all checked draws, from the table of quality checks."""
    found: dict[tuple[str, int], list[tuple[float, float, int]]] = {}
    for row in [] if quality is None else quality.to_dict("records"):
        share, base = row.get("near_copies"), row.get("base_rate")
        if share is not None and share == share and base is not None and base == base:
            at = (str(row["generator"]), int(row["num_real"]))
            found.setdefault(at, []).append((float(share), float(base), int(row["num_images"])))
    pooled = {}
    for at, checks in found.items():
        images = sum(count for _, _, count in checks)
        pooled[at] = (*(sum(c[k] * c[2] for c in checks) / images for k in (0, 1)), images)
    return pooled


def budget_curves(
    cells: PairedCells,
    margins: Mapping[tuple[str, int], float],
    copies: Copies,
    *,
    confidence: float,
    replicates: int,
    rng: np.random.Generator,
    looks: Sequence[simultaneous.Look],
) -> tuple[BudgetCurve, ...]:
    """One curve for each study, size and recipe with several lengths.

    Args:
        margins: by classifier and num_real, the largest change that counts as none.
        copies: from ``copies_of``, for the word "copying".
        looks: at these data so far, including this one at the end.
    """
    groups = _groups(cells)
    if not groups:
        return ()
    amounts = [amount for of_study in groups.values() for amount in of_study]
    contrasts, owners = [], []
    for amount in amounts:
        contrasts += [_doubling(amount), *(_change(amount, i) for i in range(len(amount.cells)))]
        owners += [amount.cells[-1]] * (1 + len(amount.cells))
    gains = [cell.gains for amount in amounts for cell in amount.cells]
    owners += [cell for amount in amounts for cell in amount.cells]
    estimates = iter(
        _estimates(cells, [*contrasts, *gains], owners, len(contrasts), confidence, replicates, rng, looks)
    )
    measured: dict[int, tuple[Estimate, list[tuple[Estimate, Estimate]]]] = {}
    for i, amount in enumerate(amounts):
        doubling, _ = next(estimates)
        measured[i] = doubling, [next(estimates) for _ in amount.cells]
    told = [
        BudgetCell(
            num_synthetic=amount.cells[0].num_synthetic,
            synthetic_multiple=amount.cells[0].multiple,
            gains=tuple(next(estimates)[0] for _ in amount.cells),
            doubling=measured[i][0],
            changes=tuple(own for own, _ in measured[i][1]),
            changes_simultaneous=tuple(joint for _, joint in measured[i][1]),
        )
        for i, amount in enumerate(amounts)
    ]
    curves, at = [], 0
    for of_study in groups.values():
        mine, at = told[at : at + len(of_study)], at + len(of_study)
        curves.append(_curve(cells, of_study, tuple(mine), margins, copies))
    return tuple(curves)


def word_of(own: Sequence[Estimate], joint: Sequence[Estimate], margin: float, more_copies: bool) -> Training:
    """What four times the training does, judging by all amounts of one study and size.

    Args:
        own: changes of the gain, each with its own interval, for "settled": a claim about all amounts, each of which
            has to pass.
        joint: the same with intervals that hold for all cells at once, for claims that some amount changes.
        more_copies: whether quality checks show more near-copies after the longer training.
    """
    if any(e.low is None or e.high is None for e in (*own, *joint)):
        return Training.UNKNOWN
    settled = all(-margin < (e.low or 0.0) and (e.high or 0.0) < margin for e in own)
    if more_copies and all((e.high or 0.0) < margin for e in own):
        return Training.COPYING
    if settled:
        return Training.SETTLED
    if any((e.low or 0.0) > 0 for e in joint):
        return Training.RISING
    if any((e.high or 0.0) < 0 for e in joint):
        return Training.FALLING
    return Training.UNKNOWN


def of_verdict(
    curves: Sequence[BudgetCurve], verdict: Verdict, made: Mapping[tuple[str, int], Made]
) -> tuple[BudgetCurve | None, Training | None]:
    """The curve with a verdict's generator, and the word at its length; no word for generators that are not trained."""
    here = (verdict.classifier, verdict.protocol, verdict.real_share, verdict.num_real)
    for curve in curves:
        same = (curve.classifier, curve.protocol, curve.real_share, curve.num_real) == here
        if same and verdict.generator in curve.generators:
            return curve, curve.words[curve.generators.index(verdict.generator)]
    return None, Training.UNKNOWN if (verdict.generator, verdict.num_real) in made else None


def _groups(cells: PairedCells) -> dict[tuple[Any, ...], list[_Amount]]:
    """The amounts, by study without its generator, num_real and recipe; each has cells at two lengths or more."""
    found: dict[tuple[Any, ...], dict[int, dict[int, MixedCell]]] = {}
    for cell in cells.mixed:
        made = cells.makings.get((cell.study.generator, cell.num_real))
        if made is not None:
            recipe = made._replace(nimg=0, whole="")
            at = (cell.study.classifier, cell.study.protocol, cell.study.real_share, cell.num_real, recipe)
            found.setdefault(at, {}).setdefault(cell.num_synthetic, {})[made.nimg] = cell
    groups = {}
    for at, by_amount in found.items():
        lengths = {length for of_one in by_amount.values() for length in of_one}
        whole = [
            _Amount(tuple(c for _, c in sorted(of_one.items())), tuple(sorted(of_one)))
            for _, of_one in sorted(by_amount.items())
            if of_one.keys() == lengths  # without amounts that are not yet measured at all lengths
        ]
        if whole and len(lengths) > 1:
            groups[at] = whole
    return groups


def partners(lengths: Sequence[int], i: int) -> tuple[int, int]:
    """The lengths between which the change at length ``i`` is measured (``BudgetCurve``), as indices."""
    longer = [j for j in range(i + 1, len(lengths)) if lengths[j] >= NEARLY * FOUR * lengths[i]]
    if longer:
        return i, longer[0]
    last = len(lengths) - 1
    shorter = [k for k in range(last) if NEARLY * FOUR * lengths[k] <= lengths[last]]
    return (shorter[-1] if shorter else 0), last


def _change(amount: _Amount, i: int) -> np.ndarray:
    """The change of the gain with four times the training, [draws, images]."""
    low, high = partners(amount.lengths, i)
    times = np.log(amount.lengths[high] / amount.lengths[low]) / np.log(FOUR)
    return (amount.cells[high].paired - amount.cells[low].paired) / np.float32(times)


def _doubling(amount: _Amount) -> np.ndarray:
    """The least-squares slope of the gain over log2 of the length, [draws, images]."""
    x = np.log2(np.asarray(amount.lengths, dtype=float))
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    return sum(np.float32(w) * cell.paired for w, cell in zip(weights, amount.cells, strict=True))  # type: ignore[return-value]


def _estimates(
    cells: PairedCells,
    values: list[np.ndarray],
    owners: list[MixedCell],
    joint: int,
    confidence: float,
    replicates: int,
    rng: np.random.Generator,
    looks: Sequence[simultaneous.Look],
) -> list[tuple[Estimate, Estimate]]:
    """Each value with its own interval, and the first ``joint`` of them with one that holds for all of those."""
    parts, likeness = components(cells, np.stack(values)), alike(cells, owners)
    own, simultaneously = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for first in (True, False):  # changes and slopes have different variances, which are not pooled with each other
        group = np.arange(joint) if first else np.arange(joint, len(values))
        group = group[parts.draws[group] > 1]
        if not len(group) or not replicates:
            continue
        some, kin = parts.take(group), likeness.take(group)
        errors = kin.moderate(some)
        own[group] = moderation.half_widths(errors, confidence)
        if first:
            critical = simultaneous.critical_p(some, errors, kin.block, (1 - confidence) / 2, looks, replicates, rng)
            simultaneously[group] = simultaneous.quantiles(errors, critical) * errors.error
    return [
        (Estimate.around(value, half), Estimate.around(value, wide))
        for value, half, wide in zip(parts.estimates, own, simultaneously, strict=True)
    ]


def _curve(
    cells: PairedCells,
    amounts: list[_Amount],
    told: tuple[BudgetCell, ...],
    margins: Mapping[tuple[str, int], float],
    copies: Copies,
) -> BudgetCurve:
    first, lengths = amounts[0].cells[0], amounts[0].lengths
    names = tuple(cell.study.generator for cell in amounts[0].cells)
    n, classifier = first.num_real, first.study.classifier
    checks = [copies.get((name, n)) for name in names]
    words = []
    for i in range(len(lengths)):
        low, high = partners(lengths, i)
        more = _copies_more(checks[low], checks[high])
        of_length = ([c.changes[i] for c in told], [c.changes_simultaneous[i] for c in told])
        words.append(word_of(*of_length, margins[classifier, n], more))
    seconds = {g.num_real: g.generator_seconds for g in cells.generation.get(names[-1], ())}.get(n)
    curve = BudgetCurve(
        classifier=classifier,
        protocol=first.study.protocol,
        real_share=first.study.real_share,
        num_real=n,
        generators=names,
        lengths=lengths,
        cells=told,
        words=tuple(words),
        sentence="",
        near_copies=tuple(None if check is None else check[0] for check in checks),
        next_seconds=None if seconds is None else FOUR * seconds,
    )
    return replace(curve, sentence=curve_sentence(curve, margins[classifier, n], cells.synthetic_draws))


def _copies_more(short: tuple[float, float, int] | None, long: tuple[float, float, int] | None) -> bool:
    """Whether longer training is shown to make more near-copies, and a larger share than there is among real images."""
    if short is None or long is None:
        return False
    rise = long[0] - short[0]
    noise = np.sqrt(sum(share * (1 - share) / count for share, _, count in (short, long)))
    return rise > max(MORE_COPIES, SIGMAS * noise) and long[0] > long[1] + MORE_COPIES
