"""Corrects laws by the measurements: log errors by the discrepancy, real-equivalents by interpolation of measured ones.

Inside the measured range, equivalents are those of the cells, read off the real-only curve as measured; between cells,
the law's residuals are interpolated. Beyond that range, and where the curve was not measured, the law is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from synaug_ray.analysis.cells.measured_rates import Slopes
from synaug_ray.laws.averaging import WeightedLaw
from synaug_ray.laws.bootstrap import evenly
from synaug_ray.laws.discrepancy import Correction, Discrepancy, away_from_cells, correction, interpolation
from synaug_ray.laws.equivalence import grow
from synaug_ray.laws.joint import JointData, split

LEAST_STEEPNESS = 0.02  # least slope of the curve as a divisor, in e-folds of the error per e-fold of images


@dataclass(frozen=True)
class Anchor:
    """The cells of a study, their discrepancy, and their relative equivalents r as measured."""

    data: JointData
    discrepancy: Discrepancy
    r: np.ndarray  # [1, C]; not finite where the real-only curve was not measured
    samples: np.ndarray | None  # replicates of r, [B, C]
    slopes: Mapping[int, Slopes] = field(default_factory=dict)  # measured dr/ds by cell; not finite if the law is used

    def at(self, n: np.ndarray, s: np.ndarray) -> AnchoredPoints:
        """The corrections at points with ``n`` [G] real images and ``s`` [G] synthetic ones per real one."""
        far = self.discrepancy.mixed_rate * away_from_cells(self.data, n, s)
        steep = np.array(sorted(self.slopes), dtype=int)
        return AnchoredPoints(
            self,
            n,
            correction(self.discrepancy, self.data, n, s),
            interpolation(self.data, np.arange(len(self.data.s)), n, s, from_zero=True),
            interpolation(self.data, steep, n, s, from_zero=False),
            far,
        )


@dataclass(frozen=True)
class AnchoredPoints:
    """An anchor at G points; ``far`` [G] is the standard deviation of log errors beyond the range of the cells."""

    anchor: Anchor
    n: np.ndarray
    found: Correction
    between: np.ndarray
    between_slopes: np.ndarray
    far: np.ndarray

    def _deviates(self, rows: np.ndarray | None) -> np.ndarray:
        """t-distributed deviates of replicates, [b, 1], the same at each call; zero for the measurement itself."""
        if rows is None or self.anchor.samples is None:
            return np.zeros((1, 1))
        even = evenly(len(self.anchor.samples), np.random.default_rng(1))
        return stats.t.ppf(even, self.anchor.discrepancy.freedom)[rows, None]

    def of_error(self, residual: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
        """What to add to log errors, [b, G], given the residuals [b, k + C] of the measured points."""
        return residual @ self.found.weights.T + self._deviates(rows) * self.found.spread

    def of_equivalent(self, law: WeightedLaw, theta: np.ndarray, r: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
        """What to add to r, [b, G]."""
        data = self.anchor.data
        p, q = split(theta, law.curve, law.form)
        x = data.x[data.base]
        own = law.form.r(q, x, data.s)
        measured = self.anchor.r if rows is None or self.anchor.samples is None else self.anchor.samples[rows]
        missed = np.where(np.isfinite(measured), measured, own) - own
        grown = grow(self.n / data.n0, r)
        steps = [law.curve.log_error(p, grown * factor, data.chance) for factor in (0.99, 1.01)]
        steepness = np.maximum((steps[0] - steps[1]) / np.log(1.01 / 0.99), LEAST_STEEPNESS)
        return missed @ self.between.T - self._deviates(rows) * self.far * np.maximum(1 + r, 0.0) / steepness

    def of_slope(self, law: WeightedLaw, theta: np.ndarray, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """What to add to dr/ds, each [b, G], at the lower and at the upper end of the measured slope."""
        data, steep = self.anchor.data, sorted(self.anchor.slopes)
        if not steep:
            return np.zeros((1, 1)), np.zeros((1, 1))
        own = law.form.slope(split(theta, law.curve, law.form)[1], data.x[data.base][steep], data.s[steep])
        sides = []
        for side in ("low", "high"):
            found = [self.anchor.slopes[i] for i in steep]
            measured = np.array([[one.value for one in found]])
            if rows is not None and self.anchor.samples is not None:
                drawn = [getattr(one, side) for one in found]
                unknown = np.full(len(self.anchor.samples), np.nan)
                measured = np.stack([unknown if one is None else one for one in drawn], axis=1)[rows]
            sides.append((np.where(np.isfinite(measured), measured, own) - own) @ self.between_slopes.T)
        return sides[0], sides[1]
