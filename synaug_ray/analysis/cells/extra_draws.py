"""Gains with the help of real-only draws that have no synthetic images: they need no generator, and cost little.

A draw's gain is its real-only error less its error with synthetic images. Part of what it varies by is how lucky the
draw's real images and seeds are, which further real-only draws tell on average. So a mean gain is corrected by how much
the real-only errors of its own draws lie above those of all draws, times a slope. It is unbiased for any fixed slope:
a regression estimate in two-phase sampling (Cochran 1977, section 12.6), or a control variate whose mean is
estimated. Where synthetic images decide what a classifier learns, the slope is near 1 and most of the variance goes;
where errors with and without them rise and fall together, it is near 0, and nothing is gained or lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Over the degrees of freedom, what the variance that the slope leaves grows by: 1 since it is measured with one degree
# less, 1 for the slope's own error, and 1 since slopes are used that happen to look large.
SURE = 3.0
PAYS = 0.9  # the variance, relative to that without the correction, from which on it is used


class Pairs(NamedTuple):
    """One cell's draws."""

    num_real: int
    gains: np.ndarray  # [draws, images]; NaN for a draw without synthetic images
    real: np.ndarray  # real-only "wrong", [draws, images]; NaN for a draw without a trial

    @property
    def extra(self) -> bool:
        """Whether there are real-only draws without synthetic images."""
        return bool(0 < self.paired.sum() < self.measured.sum())

    @property
    def paired(self) -> np.ndarray:
        """The draws with synthetic images, bool [draws]."""
        return ~np.isnan(self.gains[:, 0])

    @property
    def measured(self) -> np.ndarray:
        """Those with real-only trials."""
        return ~np.isnan(self.real[:, 0])


class Slope(NamedTuple):
    """Of the gains of one study over the real-only errors of their draws."""

    value: float = 0.0  # 0 where a correction would not pay for the estimation of the slope
    grown: float = 1.0  # the factor that standard deviations of corrected gains grow by, since it is estimated


def slope_of(cells: Sequence[Pairs], weights: np.ndarray) -> Slope:
    """The common slope of the cells of one study.

    Args:
        weights: of the test images, [images], summing to 1.
    """
    together = of_gains = of_real = left = 0.0
    draws: dict[int, int] = {}
    for cell in cells:
        gain, real = cell.gains[cell.paired] @ weights, cell.real[cell.paired] @ weights
        gain, real = gain - gain.mean(), real - real.mean()
        together, of_gains, of_real = together + gain @ real, of_gains + gain @ gain, of_real + real @ real
        draws[cell.num_real] = max(draws.get(cell.num_real, 0), len(gain))
        if cell.extra:
            left = max(left, len(gain) / cell.measured.sum())
    freedom = sum(draws.values()) - len(draws)  # amounts at one size share their real-only trials
    if not left or freedom < 3 or of_real <= 0 or of_gains <= 0:
        return Slope()
    slope = float(np.clip(together / of_real, 0.0, 1.0))
    explained = (2 * slope * together - slope**2 * of_real) / of_gains
    grown = 1 + SURE / (freedom - 1)
    pays = (1 - explained) * grown + explained * left < PAYS
    return Slope(slope, float(np.sqrt(grown))) if pays else Slope()


def corrected(cell: Pairs, weights: np.ndarray, common: Slope) -> np.ndarray:
    """The gains of a cell's draws, corrected, [draws, images].

    Their mean is the corrected one. They spread so that its variance, computed as for any draws, is what it should be.

    Args:
        weights: of the test images, [images], summing to 1.
        common: of the cell's study.
    """
    if not common.value or not cell.extra:
        return cell.gains
    paired, measured = cell.paired, cell.measured
    own, every = cell.real[paired].mean(axis=0), cell.real[measured].mean(axis=0)
    rest, part = _split(cell, common)
    found = rest + _kept(rest @ weights, part @ weights, measured.sum()) * part
    # the growth is the same for all images: it is no noise of images, which is measured by itself
    wider = (common.grown - 1) * ((found - found.mean(axis=0)) @ weights)
    result = np.full_like(cell.gains, np.nan)
    result[paired] = found - common.value * (own - every) + wider[:, None]
    return result


def fixed_share(cell: Pairs, weights: np.ndarray, common: Slope) -> float:
    """The share of a corrected mean's variance that draws with synthetic images do not lower, but real-only ones do."""
    rest, part = (values @ weights for values in _split(cell, common))
    rest = rest - rest.mean()
    by_real = max(float(part @ part + 2 * rest @ part) / cell.measured.sum(), 0.0)
    by_draw = float(rest @ rest) / len(part)
    return by_real / (by_real + by_draw) if by_real else 0.0


def _split(cell: Pairs, common: Slope) -> tuple[np.ndarray, np.ndarray]:
    """The paired gains as what the slope leaves and what it explains (about 0), each [paired draws, images]."""
    real = cell.real[cell.paired]
    part = common.value * (real - real.mean(axis=0))
    return cell.gains[cell.paired] - part, part


def _kept(rest: np.ndarray, part: np.ndarray, every: int) -> float:
    """How much of ``part`` stays in the draws.

    With D draws that have synthetic images, of ``every`` D', the corrected mean is that of ``rest`` over the D and of
    ``part`` over the D', and its variance is var(rest) / D + (var(part) + 2 cov) / D'. That of the D values
    rest + k part is var(rest) / D + (k^2 var(part) + 2 k cov) / D; the two agree for this k.
    """
    rest = rest - rest.mean()
    variance, covariance, ratio = float(part @ part), float(rest @ part), len(part) / every
    if variance <= 0:
        return 0.0
    square = covariance**2 + variance * ratio * (variance + 2 * covariance)
    return (np.sqrt(square) - covariance) / variance if square >= 0 else 1.0
