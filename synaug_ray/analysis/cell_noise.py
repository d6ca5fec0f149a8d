"""How uncertain all cells of an analysis are: point values, standard errors, half widths, joint replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synaug_ray.analysis.paired_cells import PairedCells
from synaug_ray.laws import bootstrap
from synaug_ray.laws.results import Estimate


@dataclass(frozen=True, kw_only=True)
class CellUncertainty:
    """All Q cells, the real-only ones first, then the C mixed ones; errors and gains are fractions.

    ``values`` [Q]: errors of real-only cells, gains of mixed ones; ``error`` [Q] their standard errors,
    whose square is ``draw_variance`` + ``image_variance`` [Q]. ``pooled_error`` [Q] is ``error``
    estimated from all cells together, for the weights of fits. ``draws`` int [Q] says how many draws
    each cell rests on. The half widths of intervals, ``half`` [Q] pointwise and ``half_simultaneous``
    [C], are NaN where there is no interval. ``replicates`` is [B, Q], or None.
    """

    values: np.ndarray
    error: np.ndarray
    pooled_error: np.ndarray
    draw_variance: np.ndarray
    image_variance: np.ndarray
    draws: np.ndarray
    half: np.ndarray
    half_simultaneous: np.ndarray
    half_mixed_error: np.ndarray  # [C] pointwise, of the mixed cells' own errors
    quantile: float
    replicates: np.ndarray | None

    @property
    def has_intervals(self) -> bool:
        """Whether there is any interval at all."""
        return self.replicates is not None

    def mixed_error(self, mixed: int, value: float) -> Estimate:
        """A mixed cell's own error with its pointwise interval."""
        return _estimate(value, self.half_mixed_error[mixed])

    def estimate(self, cell: int) -> Estimate:
        """Value of one cell with its pointwise interval."""
        return _estimate(self.values[cell], self.half[cell])

    def simultaneous(self, cell: int, mixed: int) -> Estimate:
        """Gain of the mixed cell number ``mixed`` (cell number ``cell`` of all), simultaneous interval."""
        return _estimate(self.values[cell], self.half_simultaneous[mixed])


def _estimate(value: float, half: float) -> Estimate:
    if np.isnan(half):
        return Estimate(float(value))
    return Estimate(float(value), float(value - half), float(value + half))


def _mixed_error_half_widths(cells: PairedCells, group: np.ndarray, confidence: float) -> np.ndarray:
    mixed = [cells.mixed[i] for i in group]
    parts = bootstrap.components(
        np.stack([cell.errors for cell in mixed]),
        cells.image_weights,
        cells.strata,
        len(cells.draws) * len(cells.seeds),
    )
    errors = bootstrap.moderate(parts, np.log([cell.num_real for cell in mixed]))
    return bootstrap.half_widths(errors, confidence)


def measure(
    cells: PairedCells,
    *,
    confidence: float,
    simultaneous_confidence: float,
    replicates: int,
    rng: np.random.Generator,
) -> CellUncertainty:
    """The uncertainty of every cell. No intervals with ``replicates`` 0 or fewer than two draws."""
    values = np.stack([cell.errors for cell in cells.real] + [cell.gains for cell in cells.mixed])
    parts = bootstrap.components(values, cells.image_weights, cells.strata, len(cells.draws) * len(cells.seeds))
    reals = np.arange(len(cells.real))
    mixed = np.arange(len(cells.real), len(values))
    size = np.log([cell.num_real for cell in (*cells.real, *cells.mixed)])
    pooled_variance = np.full(len(values), np.nan)
    draw_variance, half = np.full(len(values), np.nan), np.full(len(values), np.nan)
    half_simultaneous, quantile = np.full(len(mixed), np.nan), np.nan
    half_mixed_error = np.full(len(mixed), np.nan)
    joint = bootstrap.replicate(parts, replicates, rng) if replicates and len(cells.draws) > 1 else None
    for group in (reals, mixed):
        group = group[parts.draws[group] > 1]
        if not len(group):
            continue
        own = parts.take(group)
        errors = bootstrap.moderate(own, size[group])
        draw_variance[group] = errors.draw_variance
        pooled_variance[group] = errors.pooled_variance
        if joint is None:
            continue
        half[group] = bootstrap.half_widths(errors, confidence)
        if group[0] >= len(reals):
            quantile = bootstrap.simultaneous_quantile(
                own, errors, size[group], simultaneous_confidence, replicates, rng
            )
            half_simultaneous[group - len(reals)] = quantile * errors.error
            half_mixed_error[group - len(reals)] = _mixed_error_half_widths(cells, group - len(reals), confidence)
    error = np.sqrt(draw_variance + parts.image_variance)
    return CellUncertainty(
        values=parts.estimates,
        error=error,
        pooled_error=np.sqrt(pooled_variance + parts.image_variance),
        draw_variance=draw_variance,
        image_variance=parts.image_variance,
        draws=parts.draws,
        half=half,
        half_simultaneous=half_simultaneous,
        half_mixed_error=half_mixed_error,
        quantile=quantile,
        replicates=joint,
    )
