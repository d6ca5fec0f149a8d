"""The joint fit J1: E(n, s) = E_real(n (1 + r(n, s))), curve and equivalence law fitted together.

Residuals are those of logarithms. A real-only size contributes log E_real(n), a mixed cell the *paired* log ratio
log E(n, s) - log E_real(n). The misfit of the real-only curve at n cancels in that ratio, so it does not leak into r;
and pairing makes the ratio's noise smaller than the error's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synaug_ray.laws.curves import CurveForm
from synaug_ray.laws.equivalence import EquivalenceForm, Natural, grow
from synaug_ray.laws.fitting import Model, Parameter, outward

DISCREPANCY = 0.01  # laws are not expected to fit errors better than to 1%, so that one precise cell cannot dominate


@dataclass(frozen=True, kw_only=True)
class JointData:
    """The cells of one study as the points of a fit: k real-only sizes and C mixed cells."""

    sizes: np.ndarray  # num_real, ascending, [k]
    real: np.ndarray  # real-only errors (fractions), [k]
    real_error: np.ndarray  # their standard errors, [k]
    base: np.ndarray  # index into ``sizes`` of each mixed cell, [C]
    s: np.ndarray  # synthetic images per real one, [C]
    gains: np.ndarray  # paired differences of errors, [C]
    gain_error: np.ndarray  # their standard errors, [C]
    chance: float  # the error of guessing
    n0: float  # real images: the geometric mean of the sizes
    least_error: float  # half a wrong answer: logarithms of smaller errors are meaningless
    covariance: np.ndarray | None = None  # of errors and gains together, [k + C, k + C]; None if independent

    @property
    def x(self) -> np.ndarray:
        """n / n0 of the real-only sizes, [k]."""
        return self.sizes / self.n0

    def targets(self, real: np.ndarray, gains: np.ndarray) -> np.ndarray:
        """Points to fit, [..., k + C], from errors [..., k] and gains [..., C] (measured values or replicates)."""
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
        """Covariance of the points on the log scale, [k + C, k + C], including that of DISCREPANCY."""
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
        """The symmetric W with W C W = 1, C the covariance of ``points``: each residual remains that of one cell."""
        values, vectors = np.linalg.eigh(self.point_covariance[points, points])
        return (vectors / np.sqrt(values)) @ vectors.T

    def log_errors(self) -> np.ndarray:
        """Measured log errors of all cells, [k + C] (not ratios)."""
        points = self.target
        points[len(self.sizes) :] += points[self.base]
        return points

    def subset(self, sizes: np.ndarray, cells: np.ndarray) -> JointData:
        """Some sizes and cells (boolean masks) only; if a size is dropped, its cells must be dropped too."""
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
    """Model, target [..., N] and standard errors [N] of the equivalent fit with independent residuals of variance 1."""
    return lambda theta: model(theta) @ whitener, target @ whitener, np.ones(len(whitener))


def curve_model(curve: CurveForm, data: JointData) -> Model:
    """theta [B, P] -> log E_real at the sizes of ``data``, [B, k]."""
    return lambda theta: curve.log_error(outward(theta, curve.parameters), data.x, data.chance)


def joint_parameters(curve: CurveForm, form: EquivalenceForm) -> tuple[Parameter, ...]:
    """The parameters of the curve, followed by those of the law."""
    return curve.parameters + form.parameters


def split(theta: np.ndarray, curve: CurveForm, form: EquivalenceForm) -> tuple[Natural, Natural]:
    """theta [B, P] -> natural parameters of the curve and of the law, each [B, 1]."""
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
    """log E of all cells of ``data``, [B, k + C] (not ratios)."""
    points = joint_model(curve, form, data)(theta)
    points[:, len(data.sizes) :] += points[:, data.base]
    return points
