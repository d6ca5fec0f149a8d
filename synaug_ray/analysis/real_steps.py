"""By how much the real-only error falls from each measured size to the next, draw by draw.

The Subsets of a draw are nested and test images are common, so a difference is known better than the two errors are.
"""

from __future__ import annotations

import numpy as np

from synaug_ray.analysis.cells.cell_differences import uncertain
from synaug_ray.analysis.cells.paired_cells import PairedCells, RealCell
from synaug_ray.analysis.results import RealStep
from synaug_ray.laws import moderation
from synaug_ray.laws.results import Estimate


def real_steps(cells: PairedCells, *, confidence: float, intervals: bool) -> tuple[RealStep, ...]:
    """One for each two neighbouring sizes of a classifier that have a draw in common."""
    curves: dict[str, list[RealCell]] = {}
    for cell in sorted(cells.real, key=lambda cell: cell.num_real):
        curves.setdefault(cell.classifier, []).append(cell)
    pairs = [pair for curve in curves.values() for pair in zip(curve, curve[1:], strict=False)]
    falls = [(low, high, low.errors - high.errors) for low, high in pairs]
    falls = [fall for fall in falls if not np.isnan(fall[2][:, 0]).all()]
    if not falls:
        return ()
    at = [(high.classifier, high.num_real) for _, high, _ in falls]
    errors, gains = uncertain(cells, np.stack([values for _, _, values in falls]), at)
    half = moderation.half_widths(errors, confidence) if intervals else np.full(len(falls), np.nan)
    return tuple(
        RealStep(low.classifier, low.num_real, high.num_real, Estimate.around(gain, wide))
        for (low, high, _), gain, wide in zip(falls, gains, half, strict=True)
    )
