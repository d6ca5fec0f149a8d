"""What contrasts compare: gains in points, as shares of the real-only error, or as real images per synthetic one.

Each is linear in a draw's and a test image's part of the measured errors: of shares and real images, the tangent at the
means over all draws (the delta method).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synaug_ray.analysis.cells.cell_differences import mean
from synaug_ray.analysis.cells.measured_cells import equivalents
from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells, RealCell

STEP = 1e-4  # of the errors, in numerical derivatives


def gains(cells: PairedCells, cell: MixedCell) -> np.ndarray:
    """The gains of a cell, [draws, images]; NaN for a draw without a pair."""
    return cell.paired


def shares(cells: PairedCells, cell: MixedCell) -> np.ndarray:
    """1 - M / E (E: real-only error, M: that of the cell), [draws, images]; NaN where E is 0."""
    [real] = [r for r in _curve(cells, cell) if r.num_real == cell.num_real]
    e = np.where(np.isnan(cell.paired), np.nan, real.errors)
    m = e - cell.paired
    mean_e, mean_m = (mean(cells, x) for x in (e, m))
    if mean_e <= 0:
        return np.full_like(cell.paired, np.nan)
    return 1 - mean_m / mean_e - (m - mean_m) / mean_e + mean_m / mean_e**2 * (e - mean_e)


def real_images(cells: PairedCells, cell: MixedCell) -> np.ndarray:
    """The further real images that one synthetic image of a cell is worth, [draws, images].

    m(n, s) / s, read off the real-only curve of the cell's own classifier. NaN where the cell is worth more or fewer
    than the measured sizes can show, and where its real-only curve does not fall.
    """
    real = _curve(cells, cell)
    sizes = np.array([float(r.num_real) for r in real])
    errors, gain = np.array([mean(cells, r.errors) for r in real]), mean(cells, cell.paired)
    if len(sizes) < 2 or not cell.num_real:
        return np.full_like(cell.paired, np.nan)

    def worth(curve: np.ndarray, gain: float) -> float:
        base = np.array([float(cell.num_real)])
        return float(equivalents(sizes, curve, base, np.array([gain]))[0]) / cell.num_synthetic

    step = STEP * float(errors.mean())
    with np.errstate(invalid="ignore"):  # beyond the curve a worth is infinite, and the cell has none
        found = worth(errors, gain) + _slope(lambda d: worth(errors, gain + d), step) * (cell.paired - gain)
        for k, r in enumerate(real):
            slope = _slope(lambda d, k=k: worth(errors + d * (np.arange(len(sizes)) == k), gain), step)
            if slope:
                found = found + slope * (r.errors - errors[k])
    return found if np.isfinite(found).any() else np.full_like(cell.paired, np.nan)


def _curve(cells: PairedCells, cell: MixedCell) -> list[RealCell]:
    """The real-only cells of a cell's classifier, the smallest first."""
    own = [r for r in cells.real if r.classifier == cell.study.classifier]
    return sorted(own, key=lambda r: r.num_real)


def _slope(of: Callable[[float], float], step: float) -> float:
    return (of(step) - of(-step)) / (2 * step)
