"""The joint fit J1: E(n, s) = E_real(n (1 + r(n, s))), curve and equivalence law fitted together.

Residuals are on logarithms. A real-only size contributes log E_real(n). A mixed cell contributes
the *paired* log ratio log E(n, s) - log E_real(n): what the real-only curve misses at n cancels
there, so it does not leak into r, and pairing makes the ratio's noise smaller than the error's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synaug_ray.laws.curves import CurveForm
from synaug_ray.laws.equivalence import EquivalenceForm, Natural, grow
from synaug_ray.laws.fitting import Model, Parameter, outward

DISCREPANCY = 0.01  # no law is held to more than 1% of an error: keeps one precise cell from ruling the fit


@dataclass(frozen=True, kw_only=True)
class JointData:
    """Cells of one study as points of a fit.

    ``sizes`` [k] ascending num_real; ``real`` [k] their errors; ``base`` [C] index into ``sizes``;
    ``s`` [C]; ``gains`` [C] paired; standard errors of errors and gains beside them. ``least_error``
    is half a wrong answer: logarithms of smaller errors mean nothing. ``covariance`` [k + C, k + C] is that of
    errors and gains together; without it they count as independent.
    """

    sizes: np.ndarray
    real: np.ndarray
    real_error: np.ndarray
    base: np.ndarray
    s: np.ndarray
    gains: np.ndarray
    gain_error: np.ndarray
    chance: float
    n0: float
    least_error: float
    covariance: np.ndarray | None = None

    @property
    def x(self) -> np.ndarray:
        """n / n0 of the real-only sizes, [k]."""
        return self.sizes / self.n0

    def targets(self, real: np.ndarray, gains: np.ndarray) -> np.ndarray:
        """Points to fit, [..., k + C], from errors [..., k] and gains [..., C] (point or replicates)."""
        errors = np.maximum(real, self.least_error)
        mixed = np.maximum(errors[..., self.base] - gains, self.least_error)
        return np.concatenate([np.log(errors), np.log(mixed) - np.log(errors[..., self.base])], axis=-1)

    @property
    def target(self) -> np.ndarray:
        """The measured points, [k + C]."""
        return self.targets(self.real, self.gains)

    @property
    def sigma(self) -> np.ndarray:
        """Standard errors of the points on the log scale, [k + C]."""
        return np.sqrt(np.diag(self.point_covariance))

    @property
    def point_covariance(self) -> np.ndarray:
        """Covariance of the points on the log scale, [k + C, k + C], with what no law is held to."""
        errors = np.maximum(self.real, self.least_error)
        mixed = np.maximum(errors[self.base] - self.gains, self.least_error)
        if self.covariance is None:
            relative = np.concatenate([self.real_error / errors, self.gain_error / mixed])
            return np.diag(np.nan_to_num(relative, nan=0.1) ** 2 + DISCREPANCY**2)
        k = len(errors)
        slopes = np.diag(np.concatenate([1 / errors, -1 / mixed]))
        slopes[np.arange(k, len(slopes)), self.base] = 1 / mixed - 1 / errors[self.base]
        return slopes @ self.covariance @ slopes.T + DISCREPANCY**2 * np.eye(len(slopes))

    def whitener(self, points: slice = slice(None)) -> np.ndarray:
        """The symmetric W with W C W = 1, C the covariance of the ``points``: each residual stays with its cell."""
        values, vectors = np.linalg.eigh(self.point_covariance[points, points])
        return (vectors / np.sqrt(values)) @ vectors.T

    def log_errors(self) -> np.ndarray:
        """Measured log errors of all cells, [k + C] (not ratios)."""
        points = self.target
        points[len(self.sizes) :] += points[self.base]
        return points

    def subset(self, sizes: np.ndarray, cells: np.ndarray) -> JointData:
        """Only some sizes and cells (boolean masks); cells of dropped sizes must be dropped too."""
        position = np.cumsum(sizes) - 1
        kept = np.concatenate([sizes, cells])
        return replace(
            self,
            sizes=self.sizes[sizes],
            real=self.real[sizes],
            real_error=self.real_error[sizes],
            base=position[self.base[cells]],
            s=self.s[cells],
            gains=self.gains[cells],
            gain_error=self.gain_error[cells],
            covariance=None if self.covariance is None else self.covariance[np.ix_(kept, kept)],
        )


def whitened(model: Model, target: np.ndarray, whitener: np.ndarray) -> tuple[Model, np.ndarray, np.ndarray]:
    """Model, target [..., N] and standard errors [N] of a fit whose residuals are independent, of variance 1."""
    return lambda theta: model(theta) @ whitener, target @ whitener, np.ones(len(whitener))


def curve_model(curve: CurveForm, data: JointData) -> Model:
    """theta [B, P] -> log E_real at the sizes of ``data``, [B, k]."""
    return lambda theta: curve.log_error(outward(theta, curve.parameters), data.x, data.chance)


def joint_parameters(curve: CurveForm, form: EquivalenceForm) -> tuple[Parameter, ...]:
    """Parameters of the curve, then of the law."""
    return curve.parameters + form.parameters


def split(theta: np.ndarray, curve: CurveForm, form: EquivalenceForm) -> tuple[Natural, Natural]:
    """theta [B, P] -> natural parameters of curve and law, each [B, 1]."""
    natural = outward(theta, joint_parameters(curve, form))
    return natural[: len(curve.parameters)], natural[len(curve.parameters) :]


def joint_model(curve: CurveForm, form: EquivalenceForm, data: JointData) -> Model:
    """theta [B, P] -> the points of ``data``, [B, k + C]."""
    x, s = data.x, data.s
    base_x = x[data.base]

    def model(theta: np.ndarray) -> np.ndarray:
        p, q = split(theta, curve, form)
        real = curve.log_error(p, x, data.chance)
        mixed = curve.log_error(p, grow(base_x, form.r(q, base_x, s)), data.chance)
        return np.concatenate([real, mixed - real[:, data.base]], axis=1)

    return model


def predict_log_error(theta: np.ndarray, curve: CurveForm, form: EquivalenceForm, data: JointData) -> np.ndarray:
    """log E of every cell of ``data``, [B, k + C] (not ratios)."""
    points = joint_model(curve, form, data)(theta)
    points[:, len(data.sizes) :] += points[:, data.base]
    return points
