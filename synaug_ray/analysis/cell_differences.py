"""Differences between cells at the same draws and test images, each with an interval of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from synaug_ray.analysis.cell_noise import alike, components
from synaug_ray.analysis.paired_cells import MixedCell, PairedCells
from synaug_ray.laws import moderation
from synaug_ray.laws.results import Estimate

Key = TypeVar("Key")


def place(cell: MixedCell) -> tuple[object, ...]:
    """What cells have in common whose images alone differ: classifier, protocol, real share, both numbers of images."""
    return (*cell.study._replace(generator=""), cell.num_real, cell.num_synthetic)


def mean_gain(cells: PairedCells, cell: MixedCell) -> float:
    """The gain of a cell, as a fraction of test images (weighted, where the error is)."""
    return float(np.nanmean(cell.gains @ cells.image_weights))


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
