"""Substitution: what synthetic images do *instead of* as many real ones, at a fixed number of images in all.

A cell of n real and s synthetic images is compared with n + s real ones alone, where the grid has that size too; one of
synthetic images alone (``synthetic-only``) with s real ones. Both are of one draw, whose subsets are nested: s of the
real images are exchanged for synthetic ones, which a closed-set generator makes of the other n.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from synaug_ray.analysis.cells.cell_noise import alike, components
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells
from synaug_ray.analysis.results import Study
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.config.protocols import SYNTHETIC_ONLY
from synaug_ray.laws import moderation
from synaug_ray.laws.results import Estimate

At = tuple[StudyKey, int, int]


def with_substitution(
    studies: Iterable[Study], cells: PairedCells, *, confidence: float, intervals: bool
) -> tuple[Study, ...]:
    """The same studies; each cell with ``instead``, where as many real images were measured alone."""
    known = _differences(cells, confidence, intervals)
    return tuple(
        replace(
            study,
            cells=tuple(
                replace(
                    cell,
                    instead=known.get((_key(study), cell.num_real, cell.num_synthetic)),
                )
                for cell in study.cells
            ),
        )
        for study in studies
    )


def _key(study: Study) -> StudyKey:
    return StudyKey(study.classifier, study.generator, study.protocol, study.real_share)


def _differences(cells: PairedCells, confidence: float, intervals: bool) -> dict[At, Estimate]:
    """The error of as many real images minus that of a cell, draw by draw, each with its own interval."""
    real = {(cell.classifier, cell.num_real): cell.errors for cell in cells.real}
    pairs: list[tuple[MixedCell, np.ndarray]] = []
    for cell in cells.mixed:
        total = cell.num_synthetic + (0 if cell.study.protocol == SYNTHETIC_ONLY else cell.num_real)
        alone = real.get((cell.study.classifier, total))
        if alone is not None and not np.isnan(alone[:, 0] - cell.errors[:, 0]).all():
            pairs.append((cell, alone - cell.errors))
    if not pairs:
        return {}
    parts = components(cells, np.stack([difference for _, difference in pairs]))
    half, several = np.full(len(pairs), np.nan), np.flatnonzero(parts.draws > 1)
    if len(several) and intervals:
        errors = alike(cells, [cell for cell, _ in pairs]).take(several).moderate(parts.take(several))
        half[several] = moderation.half_widths(errors, confidence)
    return {
        (cell.study, cell.num_real, cell.num_synthetic): Estimate.around(value, wide)
        for (cell, _), value, wide in zip(pairs, parts.estimates, half, strict=True)
    }
