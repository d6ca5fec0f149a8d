"""Whether a trained generator beats baselines that learn nothing, compared cell by cell where both ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from synaug_ray.analysis.cells.cell_differences import at, differences, mean, place
from synaug_ray.analysis.cells.cell_noise import alike, components
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells
from synaug_ray.analysis.generators import CONTROLS
from synaug_ray.analysis.questions.generator_results import OverBaseline
from synaug_ray.laws import simultaneous

BASELINES = {  # families that learn nothing, and what they make; the most usual first
    "augment": "classical augmentation of the real images",
    "mixup": "mixtures of two real images",
    "jitter": "plain jitter of the real images",
}


def unbeaten(
    cells: PairedCells,
    *,
    confidence: float,
    rng: np.random.Generator,
    replicates: int,
    looks: Sequence[simultaneous.Look],
) -> dict[str, tuple[str, ...]]:
    """For each trained generator, the baselines (in words) that it is not shown to beat in any cell where both ran.

    They are compared at the same classifier, protocol, real share and amount, with intervals that hold for all these
    cells and baselines at once. Empty if there are no intervals (with one draw, or ``replicates`` 0).
    """
    if cells.synthetic_draws < 2 or not replicates:
        return {}
    pairs, compared, values = [], [], []
    for cell, baseline in _pairs(cells):
        difference = cell.paired - baseline.paired
        if (~np.isnan(difference[:, 0])).sum() > 1:
            pairs.append((cell.study.generator, cells.kinds[baseline.study.generator].family))
            compared.append(cell)
            values.append(difference)
    if not values:
        return {}
    parts, likeness = components(cells, np.stack(values)), alike(cells, compared)
    errors = likeness.moderate(parts)
    critical = simultaneous.critical_p(parts, errors, likeness.block, (1 - confidence) / 2, looks, replicates, rng)
    beats = parts.estimates - simultaneous.quantiles(errors, critical) * errors.error > 0
    beaten = {pair for pair, beat in zip(pairs, beats, strict=True) if beat}
    left: dict[str, tuple[str, ...]] = {}
    for name, family in dict.fromkeys(pairs):
        if (name, family) not in beaten:
            left[name] = (*left.get(name, ()), BASELINES[family])
    return left


def over_baselines(cells: PairedCells, *, confidence: float, intervals: bool) -> tuple[OverBaseline, ...]:
    """By how much each trained generator gains more than each baseline, at every place where both were measured."""
    pairs = list(_pairs(cells))
    values = {i: (cell, cell.paired - baseline.paired) for i, (cell, baseline) in enumerate(pairs)}
    known = differences(cells, values, confidence=confidence, intervals=intervals)
    return tuple(
        OverBaseline(
            **at(cell),
            synthetic_multiple=cell.multiple,
            baseline=baseline.study.generator,
            family=cells.kinds[baseline.study.generator].family,
            gain=mean(cells, cell.gains),
            baseline_gain=mean(cells, baseline.gains),
            difference=known[i],
        )
        for i, (cell, baseline) in enumerate(pairs)
        if i in known
    )


def _pairs(cells: PairedCells) -> Iterator[tuple[MixedCell, MixedCell]]:
    """Each cell of a trained generator with each baseline at its place."""
    baselines: dict[tuple[object, ...], list[MixedCell]] = {}
    for cell in cells.mixed:
        if cells.kinds[cell.study.generator].family in BASELINES:
            baselines.setdefault(place(cell), []).append(cell)
    for cell in cells.mixed:
        if cells.kinds[cell.study.generator].family not in CONTROLS:
            yield from ((cell, baseline) for baseline in baselines.get(place(cell), ()))
