"""The measured cells of one study, with real-equivalents m(n, s) that do not depend on any law.

A real-equivalent is read off the measured real-only curve: m such that E_real(n + m) = E(n, s).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats
from scipy.optimize import isotonic_regression

from synaug_ray.analysis.cells.cell_noise import CellUncertainty
from synaug_ray.analysis.cells.paired_cells import PairedCells
from synaug_ray.analysis.results import Cell, Censoring
from synaug_ray.laws.bootstrap import interval
from synaug_ray.laws.joint import JointData
from synaug_ray.laws.results import Estimate

LEAST_SIZES_OF_FALL = 3
FALL_LEVEL = 0.05


def smooth(log_size: np.ndarray, log_error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The decreasing curve that is closest to the real-only errors, as knots for interpolation.

    Sizes between which the error does not fall are pooled (isotonic regression) into one knot at the middle of their
    block, so that the curve is strictly decreasing and can be inverted. The smallest and the largest size keep knots of
    their own, 1e-9 away from their block, so that the measured range stays the same.
    """
    fitted = isotonic_regression(log_error, increasing=False)
    knots_x, knots_y = [], []
    for start, stop in zip(fitted.blocks[:-1], fitted.blocks[1:], strict=True):
        knots_x.append(float(log_size[start:stop].mean()))
        knots_y.append(float(fitted.x[start]))
    if knots_x[0] > log_size[0]:
        knots_x.insert(0, float(log_size[0]))
        knots_y.insert(0, knots_y[0] + 1e-9)
    if knots_x[-1] < log_size[-1]:
        knots_x.append(float(log_size[-1]))
        knots_y.append(knots_y[-1] - 1e-9)
    return np.array(knots_x), np.array(knots_y)


def equivalents(sizes: np.ndarray, errors: np.ndarray, base: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """The extra real images that each cell is worth, [C]: m such that E_real(n + m) = E_real(n) - gain.

    m is +inf above the measured range of the curve and -inf below it; it is negative if synthetic images hurt.

    Args:
        sizes: ascending, [k].
        errors: real-only, [k].
        base: n of the cells, [C].
        gains: paired, [C].
    """
    x, y, floor = _curve(sizes, errors)
    here = np.exp(np.interp(np.log(base), x, y))
    m = _inverse(x, y, np.log(np.maximum(here - gains, floor))) - base
    return np.where((np.abs(gains) < 1e-12) & np.isfinite(m), 0.0, m)


def real_images_for(sizes: np.ndarray, errors: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The real images alone that have the errors ``wanted``, [C].

    +inf: more than the measured range of the curve; -inf: fewer.

    Args:
        sizes: ascending, [k].
        errors: real-only, [k].
        wanted: fractions, [C].
    """
    x, y, floor = _curve(sizes, errors)
    return _inverse(x, y, np.log(np.maximum(wanted, floor)))


def _curve(sizes: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The knots of the smooth curve, and the smallest error that has a logarithm."""
    floor = max(float(errors[errors > 0].min(initial=1.0)) * 1e-3, 1e-9)
    return *smooth(np.log(sizes), np.log(np.maximum(errors, floor))), floor


def _inverse(x: np.ndarray, y: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The number of images at log errors ``wanted``; +-inf above and below the range of the knots."""
    tolerance = 2e-9
    n = np.exp(np.interp(-wanted, -y, x))
    return np.where(wanted < y[-1] - tolerance, np.inf, np.where(wanted > y[0] + tolerance, -np.inf, n))


def falls(cells: Sequence[Cell]) -> str:
    """A sentence if the error rises from the second largest amount to the largest; empty if that may be chance.

    Laws level off or continue as before, so none can say how far such a rise continues. The test is a one-sided t test
    of the rises of the log error over at least three sizes.
    """
    by_size: dict[int, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: cell.num_synthetic):
        if cell.error.value:  # without any wrong answer there is no log error
            by_size.setdefault(cell.num_real, []).append(cell)
    last = [of_size[-2:] for of_size in by_size.values() if len(of_size) > 1]
    if len(last) < LEAST_SIZES_OF_FALL:
        return ""
    rises = np.diff(np.log([[cell.error.value or np.nan for cell in pair] for pair in last]))[:, 0]
    chance: Any = stats.ttest_1samp(rises, 0, alternative="greater")
    if chance.pvalue > FALL_LEVEL:
        return ""
    fewer, most = (float(np.median([pair[k].synthetic_multiple for pair in last])) for k in (0, 1))
    return (
        f"from {fewer:g} to {most:g} synthetic images per real one the error rises, by {np.expm1(rises.mean()):.0%} on "
        f"average over {len(last)} sizes, so nothing is predicted for more of them"
    )


def equivalent_estimate(
    point: float, samples: np.ndarray | None, n: int, sizes: np.ndarray, confidence: float
) -> tuple[Estimate, Censoring]:
    """A cell's m with its interval; if it is censored, the value is None, and the bound is an end of the interval."""
    above, below = float(sizes[-1] - n), float(sizes[0] - n)
    censoring = Censoring.NONE
    if point == np.inf:
        censoring = Censoring.ABOVE
    elif point == -np.inf:
        censoring = Censoring.BELOW
    low, high = (None, None) if samples is None else interval(samples, confidence)
    if samples is not None and low is None and np.quantile(samples, (1 - confidence) / 2, method="lower") > 0:
        low = above
    if samples is not None and high is None and np.quantile(samples, (1 + confidence) / 2, method="higher") < 0:
        high = below
    if samples is None and censoring is Censoring.ABOVE:
        low = above
    if samples is None and censoring is Censoring.BELOW:
        high = below
    return Estimate(point if censoring is Censoring.NONE else None, low, high), censoring


def widened(
    equivalent: Estimate,
    gain: Estimate,
    simultaneous: Estimate,
    n: int,
    sizes: np.ndarray,
    errors: np.ndarray,
) -> Estimate:
    """A cell's m with an interval that corresponds to that of its simultaneous gain.

    The ends of the pointwise interval are converted to gains by the measured curve, moved away from the gain by as much
    as the simultaneous interval is wider, and converted back, so that the interval includes the curve's noise. It
    always contains the interval that follows from the simultaneous gain alone, so that both contain zero or neither
    does.

    Args:
        equivalent: m with its pointwise interval, from ``equivalent_estimate``.
        gain: the cell's gain with its pointwise interval.
        simultaneous: the same with its simultaneous interval.
        n: the cell's num_real.
        sizes: ascending num_real of the real-only curve, [k].
        errors: real-only errors, [k].
    """
    if gain.value is None or simultaneous.low is None or simultaneous.high is None:
        return Estimate(equivalent.value)
    if gain.low is None or gain.high is None or gain.high <= gain.low:
        return equivalent
    x, y, _ = _curve(sizes, errors)
    here = float(np.exp(np.interp(np.log(n), x, y)))
    ratio = (simultaneous.high - simultaneous.low) / (gain.high - gain.low)

    def worth(of: float) -> float:
        return float(equivalents(sizes, errors, np.array([float(n)]), np.array([of]))[0])

    def moved(own: float) -> float:
        as_gain = here - float(np.exp(np.interp(np.log(max(n + own, 1e-9)), x, y)))
        return worth(value + ratio * (as_gain - value))

    value = gain.value
    low = -np.inf if equivalent.low is None else min(moved(equivalent.low), worth(simultaneous.low))
    high = np.inf if equivalent.high is None else max(moved(equivalent.high), worth(simultaneous.high))
    low = max(low, 0.0) if simultaneous.low > 0 else low
    high = min(high, 0.0) if simultaneous.high < 0 else high
    low = float(sizes[-1] - n) if low == np.inf else low  # beyond the curve, it is at least the curve's end
    high = float(sizes[0] - n) if high == -np.inf else high
    return Estimate(equivalent.value, low if np.isfinite(low) else None, high if np.isfinite(high) else None)


def equivalents_of(
    data: JointData, replicates: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """m of the mixed cells, [C], and of joint replicates (errors [B, k], gains [B, C]), [B, C].

    None with a single size, since its curve cannot be inverted.
    """
    if len(data.sizes) < 2:
        return None
    base_n, samples = data.sizes[data.base], None
    if replicates is not None:
        samples = np.stack(
            [equivalents(data.sizes, np.maximum(e, 0), base_n, g) for e, g in zip(*replicates, strict=True)]
        )
    return equivalents(data.sizes, data.real, base_n, data.gains), samples


def measured_cells(
    cells: PairedCells,
    uncertainty: CellUncertainty,
    data: JointData,
    positions: np.ndarray,
    worth: tuple[np.ndarray, np.ndarray | None] | None,
    confidence: float,
    held_out: np.ndarray,
    predicted: np.ndarray | None,
) -> tuple[Cell, ...]:
    """The C mixed cells of one study as results.

    Args:
        data: the same cells as points of a fit.
        positions: int [C], their indices among all cells, real-only ones first.
        worth: the cells' ``equivalents_of``.
        held_out: bool [C].
        predicted: errors by the chosen law, [C]; None without a law.
    """
    point, samples = worth or (None, None)
    out = []
    for i, position in enumerate(positions):
        mixed = int(position) - len(cells.real)
        cell = cells.mixed[mixed]
        equivalent, censoring = Estimate(None), Censoring.NONE
        if point is not None:
            own = None if samples is None or uncertainty.draws[position] < 2 else samples[:, i]
            equivalent, censoring = equivalent_estimate(float(point[i]), own, cell.num_real, data.sizes, confidence)
        gain, simultaneous = uncertainty.estimate(position), uncertainty.simultaneous(position, mixed)
        joint = Estimate(None)
        if point is not None:
            joint = widened(equivalent, gain, simultaneous, cell.num_real, data.sizes, data.real)
        value = float(np.nanmean(cell.errors @ cells.image_weights))
        out.append(
            Cell(
                num_real=cell.num_real,
                num_synthetic=cell.num_synthetic,
                synthetic_multiple=cell.multiple,
                trials=cell.trials,
                error=uncertainty.mixed_error(mixed, value),
                gain=gain,
                gain_simultaneous=simultaneous,
                equivalent=equivalent,
                censoring=censoring,
                held_out=bool(held_out[i]),
                predicted_error=None if predicted is None else float(predicted[i]),
                equivalent_simultaneous=joint,
            )
        )
    return tuple(out)
