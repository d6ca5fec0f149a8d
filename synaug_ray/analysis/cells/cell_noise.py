"""The uncertainty of all cells of an analysis: values, standard errors, half-widths, joint replicates."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from synaug_ray.analysis.cells.paired_cells import MixedCell, PairedCells
from synaug_ray.laws import bootstrap, moderation, simultaneous
from synaug_ray.laws.results import Estimate


@dataclass(frozen=True, kw_only=True)
class CellUncertainty:
    """All Q cells: first the real-only ones, then the C mixed ones. Half-widths are NaN if there is no interval."""

    values: np.ndarray  # errors of real-only cells, gains of mixed ones (fractions), [Q]
    error: np.ndarray  # their standard errors; their squares are ``draw_variance + image_variance``, [Q]
    pooled_error: np.ndarray  # the same estimated from all cells together, for the weights of fits, [Q]
    draw_variance: np.ndarray  # [Q]
    image_variance: np.ndarray  # [Q]
    draws: np.ndarray  # number of draws, int [Q]
    freedom: np.ndarray  # degrees of freedom of ``error``, [Q]
    half: np.ndarray  # half-widths of pointwise intervals, [Q]
    half_simultaneous: np.ndarray  # half-widths of simultaneous intervals, [C]
    half_mixed_error: np.ndarray  # half-widths of pointwise intervals of the mixed cells' own errors, [C]
    critical: float  # two-sided p-value of the simultaneous intervals
    replicates: np.ndarray | None  # [B, Q]
    parts: bootstrap.Components  # the sources of the variances

    @property
    def has_intervals(self) -> bool:
        """Whether any cell has an interval."""
        return self.replicates is not None

    def mixed_error(self, mixed: int, value: float) -> Estimate:
        """A mixed cell's own error with its pointwise interval."""
        return Estimate.around(value, self.half_mixed_error[mixed])

    def estimate(self, cell: int) -> Estimate:
        """A cell's value with its pointwise interval."""
        return Estimate.around(self.values[cell], self.half[cell])

    def simultaneous(self, cell: int, mixed: int) -> Estimate:
        """The gain of mixed cell number ``mixed`` (number ``cell`` of all cells) with its simultaneous interval."""
        return Estimate.around(self.values[cell], self.half_simultaneous[mixed])


def components(cells: PairedCells, values: np.ndarray) -> bootstrap.Components:
    """The variance of the means of ``values`` [Q, draws, images] by source."""
    trials = cells.synthetic_draws * len(cells.seeds)
    return bootstrap.components(values, cells.image_weights, cells.strata, trials, cells.groups)


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Which cells are similar: arguments of moderation and of the simultaneous intervals, each [Q]."""

    log_size: np.ndarray  # log num_real
    family: np.ndarray  # int; the variances of cells of a family are pooled
    block: np.ndarray  # int; cells of a block have the same generators

    def take(self, index: np.ndarray) -> Alike:
        """The values of the cells at ``index``."""
        return Alike(log_size=self.log_size[index], family=self.family[index], block=self.block[index])

    def moderate(self, parts: bootstrap.Components) -> moderation.StandardErrors:
        """The moderated standard errors of these cells."""
        return moderation.moderate(parts, self.log_size, self.family, self.block)


def _numbered(values: list[Hashable]) -> np.ndarray:
    numbers = {value: i for i, value in enumerate(dict.fromkeys(values))}
    return np.array([numbers[value] for value in values], dtype=int)


def alike(cells: PairedCells, mixed: Sequence[MixedCell]) -> Alike:
    """The similarity of mixed cells: families are those of generators, a block is a generator at one size."""
    return Alike(
        log_size=np.log([max(cell.num_real, 1) for cell in mixed]) if mixed else np.zeros(0),
        family=_numbered([cells.kinds[cell.study.generator].family for cell in mixed]),
        block=_numbered([(cell.study.classifier, cell.study.generator, cell.num_real) for cell in mixed]),
    )


def _alike_real(cells: PairedCells) -> Alike:
    return Alike(
        log_size=np.log([cell.num_real for cell in cells.real]),
        family=np.zeros(len(cells.real), dtype=int),
        block=_numbered([(cell.classifier, cell.num_real) for cell in cells.real]),
    )


def measure(
    cells: PairedCells,
    *,
    confidence: float,
    simultaneous_confidence: float,
    replicates: int,
    rng: np.random.Generator,
    looks: Sequence[simultaneous.Look],
) -> CellUncertainty:
    """The uncertainty of all cells. There are no intervals if ``replicates`` is 0, and none for a cell of one draw.

    Args:
        simultaneous_confidence: of the intervals that hold for all cells at once, and over all looks together.
        looks: at these data so far, including this one at the end.
    """
    values = np.stack([cell.errors for cell in cells.real] + [cell.gains for cell in cells.mixed])
    parts = components(cells, values)
    reals, mixed = np.arange(len(cells.real)), np.arange(len(cells.real), len(values))
    unknown = np.full(len(values), np.nan)
    draw_variance, pooled_variance, half, freedom = (unknown.copy() for _ in range(4))
    least, block = np.zeros(len(values)), np.zeros(len(values), dtype=int)
    critical = np.nan
    half_simultaneous, half_mixed_error = np.full(len(mixed), np.nan), np.full(len(mixed), np.nan)
    intervals = bool(replicates) and bool((parts.draws > 1).any())
    for group, likeness in ((reals, _alike_real(cells)), (mixed, alike(cells, cells.mixed))):
        several = parts.draws[group] > 1
        group, likeness = group[several], likeness.take(several)
        if not len(group):
            continue
        own = parts.take(group)
        errors = likeness.moderate(own)
        draw_variance[group], pooled_variance[group] = errors.draw_variance, errors.pooled_variance
        freedom[group], least[group], block[group] = errors.freedom, errors.least, likeness.block + 1 + block.max()
        if not intervals:
            continue
        half[group] = moderation.half_widths(errors, confidence)
        if group[0] >= len(reals):
            alpha = 1 - simultaneous_confidence
            critical = simultaneous.critical_p(own, errors, likeness.block, alpha, looks, replicates, rng)
            half_simultaneous[group - len(reals)] = simultaneous.quantiles(errors, critical) * errors.error
            of_errors = components(cells, np.stack([cells.mixed[i].errors for i in group - len(reals)]))
            half_mixed_error[group - len(reals)] = moderation.half_widths(likeness.moderate(of_errors), confidence)
    return CellUncertainty(
        values=parts.estimates,
        error=np.sqrt(draw_variance + parts.image_variance),
        pooled_error=np.sqrt(pooled_variance + parts.image_variance),
        draw_variance=draw_variance,
        image_variance=parts.image_variance,
        draws=parts.draws,
        freedom=freedom,
        half=half,
        half_simultaneous=half_simultaneous,
        half_mixed_error=half_mixed_error,
        critical=critical,
        replicates=_joint(parts, draw_variance, least, block, replicates, rng) if intervals else None,
        parts=parts,
    )


def _joint(
    parts: bootstrap.Components,
    draw_variance: np.ndarray,
    least: np.ndarray,
    block: np.ndarray,
    replicates: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Replicates of all cells, [replicates, Q].

    A cell of one draw varies like a typical draw of the other cells, since its own says nothing. If a cell's own draws
    vary less than ``least`` [Q], the missing variance is added, in common with the other cells of its block.
    """
    joint = bootstrap.replicate(parts, replicates, rng)
    rest = np.sqrt(np.maximum(least - parts.draw_variance, 0.0))
    if rest.any():
        joint += rest * rng.standard_normal((replicates, block.max() + 1))[:, block]
    lone = np.flatnonzero(parts.draws < 2)
    if len(lone):
        typical = float(np.nanmedian(draw_variance * parts.draws))
        joint[:, lone] += np.sqrt(typical) * rng.standard_normal((replicates, len(lone)))
    return joint
