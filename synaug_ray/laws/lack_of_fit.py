"""Tests whether the averaged laws describe the measurements; if not, they give no exchange rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from synaug_ray.laws.joint import JointData

REFUSED = 0.01  # significance level: the probability of refusing laws that are true


@dataclass(frozen=True)
class LackOfFit:
    """The result of the test."""

    overdispersion: float  # chi-square per degree of freedom
    worst: int  # index of the point, of k + C, with the largest residual
    probability: float  # of a misfit this large, as a whole or at one point, if the laws were true

    @property
    def refused(self) -> bool:
        """Whether the laws must not be used for exchange rates."""
        return self.probability < REFUSED


def lack_of_fit(data: JointData, residual: np.ndarray, free: int, freedom: float) -> LackOfFit:
    """Test the residuals of laws.

    Args:
        data: the points with their covariance.
        residual: points minus laws, [k + C].
        free: number of parameters of curve and law together.
        freedom: degrees of freedom of the estimated noise; infinite if the noise is known.
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
    # Bonferroni: two tests, the second of which is one of all points
    return LackOfFit(dispersion, worst, float(min(1.0, 2 * min(whole, len(residual) * single))))
