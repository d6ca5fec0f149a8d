"""Differences between cells at the same draws and test images, each with an interval of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from synaug_ray.analysis.cells.cell_noise import alike, components
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells
from synaug_ray.laws import bootstrap, moderation
from synaug_ray.laws.results import Estimate

Key = TypeVar("Key")


def at(cell: MixedCell) -> dict[str, Any]:
    """The fields of ``generator_results.AtCell``."""
    return {**cell.study._asdict(), "num_real": cell.num_real, "num_synthetic": cell.num_synthetic}


def place(cell: MixedCell) -> tuple[object, ...]:
    """What cells have in common whose images alone differ: classifier, protocol, real share, both numbers of images."""
    return (*cell.study._replace(generator=""), cell.num_real, cell.num_synthetic)


def mean(cells: PairedCells, values: np.ndarray) -> float:
    """The mean over draws and (weighted, where the error is) test images of ``values`` [draws, images]."""
    return float(np.nanmean(values @ cells.image_weights))


def differences(
    cells: PairedCells, values: Mapping[Key, tuple[MixedCell, np.ndarray]], *, confidence: float, intervals: bool
) -> dict[Key, Estimate]:
    """The mean of each difference with its interval; without those that have no draw in common.

    Args:
        values: the cell that is compared, and the difference of each draw and test image [draws, images].
    """
    values = {key: pair for key, pair in values.items() if not np.isnan(pair[1][:, 0]).all()}
    if not values:
        return {}
    parts = components(cells, np.stack([difference for _, difference in values.values()]))
    likeness = alike(cells, [cell for cell, _ in values.values()])
    half, several = np.full(len(values), np.nan), np.flatnonzero(parts.draws > 1)
    if len(several) and intervals:
        errors = likeness.take(several).moderate(parts.take(several))
        half[several] = moderation.half_widths(errors, confidence)
    return {key: Estimate.around(value, wide) for key, value, wide in zip(values, parts.estimates, half, strict=True)}


def uncertain(
    cells: PairedCells, values: np.ndarray, at: Sequence[tuple[Any, ...]]
) -> tuple[moderation.StandardErrors, np.ndarray]:
    """Moderated standard errors and means of ``values`` [Q, draws, images], pooled over the sizes of a classifier."""
    parts = bootstrap.components(values, cells.image_weights, cells.strata, values.shape[1], cells.groups)
    names = list(dict.fromkeys(classifier for classifier, _ in at))
    family = np.array([names.index(classifier) for classifier, _ in at])
    sizes = np.log([float(num_real) for _, num_real in at])
    return moderation.moderate(parts, sizes, family, np.arange(len(at))), parts.estimates
