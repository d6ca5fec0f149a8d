"""Does a gain carry over to a second test set (``data.test2``), such as another hospital's images?

The same trials are measured on both sets, so the two gains of a cell are paired by draw and seed; their images are not
the same, and vary independently. Verdicts on the second set follow the rules of the first, with intervals that hold for
all cells of that set at once, and so do the differences of the gains among themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from synaug_ray.analysis.cells.cell_noise import CellUncertainty, alike, measure
from synaug_ray.analysis.cells.combinations import Combinations
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells, pair_cells
from synaug_ray.analysis.questions.second_results import Carries, SecondCell, SecondReal, SecondTest, SecondVerdict
from synaug_ray.analysis.questions.second_text import headline, sentence
from synaug_ray.analysis.results import Outcome, Verdict
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.analysis.verdict import Margin, outcome_of
from synaug_ray.laws.results import Estimate
from synaug_ray.laws.simultaneous import Look

COLUMNS = {"test_error": "test2_error", "balanced_error": "balanced_test2_error", "test_nll": "test2_nll"}
Place = tuple[StudyKey, int, int]  # of a mixed cell: its study, num_real and num_synthetic


def second_test(
    measurements: pd.DataFrame,
    predictions: pd.DataFrame,
    cells: PairedCells,
    first: CellUncertainty,
    verdicts: Sequence[Verdict],
    *,
    name: str,
    margin: Callable[[float], Margin],
    confidence: float,
    simultaneous_confidence: float,
    replicates: int,
    rng: np.random.Generator,
    looks: Sequence[Look],
) -> SecondTest | None:
    """The results on the second test set; None if no trial has been measured on it.

    The balanced error is analysed where it is on the first set, or where the classes of this one are unbalanced.

    Args:
        measurements: one row per trial, with the columns ``test2_error`` and ``balanced_test2_error``.
        predictions: one row per trial that was measured on the second test set.
        cells, first: of the first test set.
        verdicts: on the first test set.
        name: of the second test set, for sentences.

    Raises:
        ValueError: if the tables are inconsistent.
    """
    done = measurements[(measurements["status"] == "done") & measurements["key"].isin(predictions["key"].tolist())]
    if 0 not in set(done["num_synthetic"]):
        return None
    table = measurements.drop(columns=[c for c in COLUMNS if c in measurements])
    table = table.rename(columns={second: one for one, second in COLUMNS.items()})
    balanced = True if cells.error == "balanced_error" else None
    theirs = pair_cells(table, predictions, num_classes=cells.num_classes, balanced=balanced)
    spent = dict(confidence=confidence, simultaneous_confidence=simultaneous_confidence)
    noise = measure(theirs, **spent, replicates=replicates, rng=rng, looks=looks)
    both = _both(cells, theirs)
    differences = _differences(cells, theirs, both).estimates(**spent, looks=looks, replicates=replicates, rng=rng)
    of_place = {_place(one): found.simultaneous for (one, _), found in zip(both, differences, strict=True)}
    found = {
        _place(cell): SecondCell(
            cell.num_real,
            cell.num_synthetic,
            cell.multiple,
            noise.mixed_error(i, _mean(cell.errors, theirs.image_weights)),
            noise.estimate(i + len(theirs.real)),
            noise.simultaneous(i + len(theirs.real), i),
            of_place[_place(cell)],
        )
        for i, cell in enumerate(theirs.mixed)
        if _place(cell) in of_place
    }
    errors = {(c.classifier, c.num_real): i for i, c in enumerate(theirs.real)}
    ours = {(c.classifier, c.num_real): i for i, c in enumerate(cells.real)}
    gains = {_place(c): first.simultaneous(i + len(cells.real), i) for i, c in enumerate(cells.mixed)}
    told = []
    for verdict in verdicts:
        key = StudyKey(*(getattr(verdict, name) for name in StudyKey._fields))
        of = [c for (study, n, _), c in found.items() if study == key and n == verdict.num_real]
        if of:
            at = float(noise.values[errors[verdict.classifier, verdict.num_real]])
            told.append(_verdict(verdict, of, gains, key, margin(at), name))
    real = tuple(SecondReal(*at, first.estimate(ours[at]), noise.estimate(i)) for at, i in errors.items() if at in ours)
    return SecondTest(
        name=name,
        error=COLUMNS[theirs.error],
        images=theirs.images,
        groups=None if theirs.groups is None else int(theirs.groups.max()) + 1,
        real=real,
        verdicts=tuple(told),
        headline=headline(told, name),
        warnings=tuple(f"On {name}: {warning}" for warning in theirs.warnings if warning not in cells.warnings),
    )


def _place(cell: MixedCell) -> Place:
    return cell.study, cell.num_real, cell.num_synthetic


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.nanmean(values @ weights))


def _both(cells: PairedCells, theirs: PairedCells) -> list[tuple[MixedCell, MixedCell]]:
    """Cells that were measured on both test sets."""
    ours = {_place(cell): cell for cell in cells.mixed}
    return [(ours[_place(cell)], cell) for cell in theirs.mixed if _place(cell) in ours]


def _differences(cells: PairedCells, theirs: PairedCells, both: Sequence[tuple[MixedCell, MixedCell]]) -> Combinations:
    """The gains on the second set minus those on the first, over the images of both."""
    draws = sorted({*cells.draws} & {*theirs.draws})
    rows = [[one.draws.index(d) for d in draws] for one in (cells, theirs)]
    values = [np.concatenate([-a.paired[rows[0]], b.paired[rows[1]]], axis=1) for a, b in both]
    for value in values:  # a draw that one of both lacks
        value[np.isnan(value).any(axis=1)] = np.nan
    likeness = alike(theirs, [b for _, b in both])
    groups = None
    if cells.groups is not None or theirs.groups is not None:
        one, other = (np.arange(c.images) if c.groups is None else c.groups for c in (cells, theirs))
        groups = np.concatenate([one, other + one.max() + 1])
    images = cells.images + theirs.images
    return Combinations(
        values=np.stack(values) if values else np.zeros((0, len(draws), images), np.float32),
        image_weights=np.concatenate([cells.image_weights, theirs.image_weights]),
        strata=np.concatenate([cells.strata, theirs.strata + cells.strata.max() + 1]),
        groups=groups,
        trials=min(cells.synthetic_draws, theirs.synthetic_draws) * len(cells.seeds),
        log_size=likeness.log_size,
        family=likeness.family,
        block=likeness.block,
    )


def _verdict(
    first: Verdict,
    cells: Sequence[SecondCell],
    gains: dict[Place, Estimate],
    key: StudyKey,
    margin: Margin,
    name: str,
) -> SecondVerdict:
    outcome = outcome_of([c.gain_simultaneous for c in cells], [c.gain for c in cells], margin.delta)
    if outcome is Outcome.NO_EFFECT and margin.wide:
        outcome = Outcome.UNDECIDED
    wanted = first.best_multiple
    cell = next((c for c in cells if c.synthetic_multiple == wanted), cells[0])
    found = SecondVerdict(
        *key,
        num_real=first.num_real,
        outcome=outcome,
        first_outcome=first.outcome,
        multiple=cell.synthetic_multiple,
        gain=cell.gain_simultaneous,
        first_gain=gains[key, cell.num_real, cell.num_synthetic],
        difference=cell.difference,
        carries=carries(first.outcome, cell, margin),
        sentence="",
        cells=tuple(cells),
    )
    return replace(found, sentence=sentence(found, margin.delta, name))


def carries(first: Outcome, cell: SecondCell, margin: Margin) -> Carries:
    """What becomes of an effect on the first test set at the amount of ``cell``."""
    if first not in (Outcome.HELPS, Outcome.HURTS):
        return Carries.NOTHING
    sign = 1 if first is Outcome.HELPS else -1
    low, high = _ends(cell.gain_simultaneous, sign)
    if low is None or high is None:
        return Carries.UNKNOWN
    if low > 0:
        smaller = _ends(cell.difference, sign)[1]
        return Carries.PARTLY if smaller is not None and smaller < 0 else Carries.FULLY
    none = outcome_of([cell.gain_simultaneous], [cell.gain], margin.delta) is Outcome.NO_EFFECT and not margin.wide
    return Carries.NOT if high < 0 or none else Carries.UNKNOWN


def _ends(estimate: Estimate, sign: int) -> tuple[float | None, float | None]:
    """The ends of an interval in the direction of an effect."""
    if sign > 0 or estimate.low is None or estimate.high is None:
        return estimate.low, estimate.high
    return -estimate.high, -estimate.low
