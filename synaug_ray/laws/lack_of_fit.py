"""Tests whether the averaged laws describe the measurements: otherwise no exchange rate is taken from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from synaug_ray.laws.joint import JointData

REFUSED = 0.01  # so rarely are laws refused that do hold


@dataclass(frozen=True)
class LackOfFit:
    """``overdispersion`` is chi-square per degree of freedom; ``worst`` the point [k + C] with the largest residual.

    ``probability`` is that of a misfit this large, as a whole or in one point, if the laws held.
    """

    overdispersion: float
    worst: int
    probability: float

    @property
    def refused(self) -> bool:
        """Whether the laws should not be used for rates."""
        return self.probability < REFUSED


def lack_of_fit(data: JointData, residual: np.ndarray, free: int, freedom: float) -> LackOfFit:
    """The test of ``residual`` [k + C], what laws with ``free`` parameters leave of the points.

    Args:
        data: the points with their covariance.
        residual: points minus laws.
        free: parameters of curve and law.
        freedom: degrees of freedom of the estimated noise. Infinite if it is known.
    """
    white = data.whitener() @ residual
    left = len(residual) - free
    worst = int(np.abs(white).argmax())
    if left < 1:
        return LackOfFit(1.0, worst, 1.0)
    dispersion = float((white**2).sum() / left)
    known = not np.isfinite(freedom)
    whole = stats.chi2.sf(dispersion * left, left) if known else stats.f.sf(dispersion, left, freedom)
    size = float(np.abs(white[worst]))
    single = 2 * (stats.norm.sf(size) if known else stats.t.sf(size, freedom))
    # two tests, the second of as many points: Bonferroni
    return LackOfFit(dispersion, worst, float(min(1.0, 2 * min(whole, len(residual) * single))))
