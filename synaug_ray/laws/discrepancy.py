"""Model discrepancy: a smooth deviation of the truth from all fitted laws, estimated from their misfit.

The form of a law is at best approximately right, and its bootstrap accounts for noise only. So a discrepancy is added
(Kennedy and O'Hagan 2001) to the log error of the real-only curve, and to the log ratio of a mixed cell to its
baseline. Inside the measured range it is a Gaussian process whose variance is the misfit that noise does not
explain. Without such misfit, predictions follow the laws; with a large one, they interpolate the measurements. Beyond
the range, its standard deviation grows in proportion to the distance in doublings. This rate is estimated by predicting
each of the last sizes (and the held-out cells) from the smaller ones.

Variance and rate have priors, since a study has few sizes. The rate's prior was set on half of the learning curves of
LCDB (Mohr et al. 2022), by tests/benchmarks/laws/lcdb.py, and evaluated on the other half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synaug_ray.laws.curves import CURVES_BY_NAME
from synaug_ray.laws.fitting import outward
from synaug_ray.laws.joint import JointData
from synaug_ray.laws.selection import LEAST_SIZES, HeldOutCells, fit_curves

REACH = 2.0  # doublings over which the discrepancy's correlation falls to 1/e
PRIOR_INSIDE = 0.015  # standard deviation of log errors: 1.5% of the error
PRIOR_RATE = 0.03  # standard deviation of log errors per doubling
PRIOR_FREEDOM = 3.0
HELD_OUT_FREEDOM = 4.0  # few, however many the cells: they share draws and the law's error
MOST_STEPS = 3


@dataclass(frozen=True)
class Discrepancy:
    """Standard deviations of the discrepancy, on the scale of log errors."""

    real: float  # of the curve, inside the measured range
    mixed: float  # of the log ratio at one synthetic image per real one, inside the measured range
    real_rate: float  # of the curve, per doubling beyond the measured range
    mixed_rate: float  # of the log ratio, per doubling beyond the measured range
    freedom: float  # degrees of freedom of their t quantile


def _near(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation [A, B] of points at ``a`` [A] and ``b`` [B], in doublings."""
    return np.exp(-np.abs(a[:, None] - b) / REACH)


def _grows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Covariance [A, B] of a discrepancy that is zero without synthetic images, with variance 1 at one per real one."""
    return np.minimum(a[:, None], b) * _near(a, b)


def _excess(residual: np.ndarray, whitener: np.ndarray, kernel: np.ndarray, free: int) -> float:
    """The standard deviation of a discrepancy with this ``kernel`` that explains the misfit in excess of noise."""
    freedom = len(residual) - free
    if freedom < 1:
        return PRIOR_INSIDE
    misfit = float(((whitener @ residual) ** 2).sum()) - freedom
    per_unit = float(np.trace(whitener @ kernel @ whitener)) * freedom / len(residual)
    variance = max(misfit / per_unit, 0.0)
    return float(np.sqrt((PRIOR_FREEDOM * PRIOR_INSIDE**2 + freedom * variance) / (PRIOR_FREEDOM + freedom)))


def step_residuals(data: JointData) -> list[tuple[dict[str, float], float]]:
    """For each of the last sizes, how far its log error is from the predictions of curves fitted to all smaller sizes.

    Returns residuals per doubling, by curve, each with its variance due to noise, which is that of a straight line
    through the logarithms.
    """
    k, errors, noise = len(data.sizes), data.target[: len(data.sizes)], data.sigma[: len(data.sizes)] ** 2
    doublings = np.log2(data.sizes)
    found = []
    for m in range(max(LEAST_SIZES, k - MOST_STEPS), k):
        before = data.subset(np.arange(k) < m, np.zeros(len(data.s), dtype=bool))
        ahead = data.x[m : m + 1]
        step = doublings[m] - doublings[m - 1]
        missed = {}
        for name, fitted in fit_curves(before).items():
            curve = CURVES_BY_NAME[name]
            said = curve.log_error(outward(fitted.fit.theta[None], curve.parameters), ahead, data.chance)[0, 0]
            missed[name] = float(errors[m] - said) / step
        away = doublings[:m] - doublings[:m].mean()
        leverage = 1 / m + (doublings[m] - doublings[:m].mean()) ** 2 / (away**2).sum()
        found.append((missed, float(noise[m] + leverage * noise[:m].mean()) / step**2))
    return found


def one_step_ahead(data: JointData) -> tuple[np.ndarray, np.ndarray]:
    """Residuals of the mean of all curves as in ``step_residuals``, and their variances due to noise, both [K]."""
    steps = step_residuals(data)
    return np.array([np.mean(list(missed.values())) for missed, _ in steps]), np.array([noise for _, noise in steps])


def rate(residuals: np.ndarray, noise: np.ndarray, *, most_freedom: float = np.inf) -> tuple[float, float]:
    """Standard deviation per doubling and its degrees of freedom, from residuals per doubling and noise variances."""
    freedom = min(float(len(residuals)), most_freedom)
    seen = float(np.maximum(residuals**2 - noise, 0.0).mean()) if len(residuals) else 0.0
    total = PRIOR_FREEDOM + freedom
    return float(np.sqrt((PRIOR_FREEDOM * PRIOR_RATE**2 + freedom * seen) / total)), total


def estimate(
    data: JointData,
    residual: np.ndarray,
    free: tuple[int, int],
    unseen: tuple[JointData, HeldOutCells, np.ndarray] | None,
) -> Discrepancy:
    """Estimate the discrepancy of laws from their residuals.

    Args:
        data: all cells.
        residual: points minus laws, [k + C]: log errors, then log ratios.
        free: numbers of parameters of the curve and of the law.
        unseen: the development cells, the held-out cells, and the log errors [k + C] predicted by laws that were fitted
            to the former alone.
    """
    k = len(data.sizes)
    u, w = np.log2(data.sizes), np.log2(1 + data.s)
    real = _excess(residual[:k], data.whitener(slice(k)), _near(u, u), free[0])
    kernel = _near(u[data.base], u[data.base]) * _grows(w, w)
    mixed = _excess(residual[k:], data.whitener(slice(k, None)), kernel, free[1]) if len(w) else PRIOR_INSIDE
    real_rate, freedom = rate(*one_step_ahead(data))
    mixed_rate = PRIOR_RATE
    if unseen is not None:
        seen, cells, predicted = unseen
        i = cells.index - k
        away = beyond(data.sizes[data.base][i], data.s[i], seen.sizes[seen.base], seen.s)
        off = predicted[cells.index] - cells.truth
        noise = 2 * np.diag(data.point_covariance)[cells.index]
        # predictions may be good in one direction and bad in the other, and one must not hide the other
        for direction in away:
            far = direction > 0.1
            step = away.sum(axis=0)[far]
            if far.any():
                found = rate(off[far] / step, noise[far] / step**2, most_freedom=HELD_OUT_FREEDOM)[0]
                mixed_rate = max(mixed_rate, found)
    return Discrepancy(real, mixed, real_rate, mixed_rate, freedom)


def beyond(n: np.ndarray, s: np.ndarray, sizes: np.ndarray, multiples: np.ndarray) -> np.ndarray:
    """By how many doublings points [G] are outside the measured sizes, and above the measured multiples, [2, G]."""
    if not len(sizes):
        return np.zeros((2, len(n)))
    u = np.log2(n)
    low, high = np.log2(sizes.min()), np.log2(sizes.max())
    most = multiples.max(initial=0.0)
    above = np.log2(np.maximum(s, 1e-9) / most) if most > 0 else np.zeros(len(s))
    return np.stack([np.maximum(np.maximum(low - u, u - high), 0.0), np.maximum(above, 0.0)])


def away_from_cells(data: JointData, n: np.ndarray, s: np.ndarray) -> np.ndarray:
    """By how many doublings points [G] are outside the range of the mixed cells; 0 without synthetic images."""
    return beyond(n, s, data.sizes[data.base], data.s).sum(axis=0) * (s > 0)


def interpolation(data: JointData, cells: np.ndarray, n: np.ndarray, s: np.ndarray, *, from_zero: bool) -> np.ndarray:
    """Weights [G, c] that interpolate a quantity, known at some mixed cells, at points [G].

    Args:
        data: the cells.
        cells: indices [c] of the cells for which the quantity is known.
        n: real images, [G].
        s: synthetic images per real one, [G].
        from_zero: whether the quantity is 0 without synthetic images.
    """
    w, at_w = np.log2(1 + data.s[cells]), np.log2(1 + s)
    base, at = np.log2(data.sizes)[data.base[cells]], np.log2(n)
    along = _grows if from_zero else _near
    kernel = _near(base, base) * along(w, w)
    return np.linalg.solve(kernel + 1e-9 * np.eye(len(w)), (_near(at, base) * along(at_w, w)).T).T


@dataclass(frozen=True)
class Correction:
    """What the discrepancy adds to log errors at G points: a mean, and a standard deviation."""

    weights: np.ndarray  # [G, k + C]; their product with the residuals of the measured points is the mean
    spread: np.ndarray  # the remaining standard deviation, [G]


def _kriging(
    kernel: np.ndarray, cross: np.ndarray, prior: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights [G, N] of N residuals, and the remaining variance [G] without their noise, which replicates contain."""
    weights = np.linalg.solve(kernel + noise, cross.T).T
    left = prior - 2 * (weights * cross).sum(axis=1) + ((weights @ kernel) * weights).sum(axis=1)
    return weights, np.maximum(left, 0.0)


def correction(found: Discrepancy, data: JointData, n: np.ndarray, s: np.ndarray) -> Correction:
    """The correction at points with ``n`` real images and ``s`` synthetic ones per real one, both [G]."""
    k = len(data.sizes)
    u, at = np.log2(data.sizes), np.log2(n)
    w, at_w = np.log2(1 + data.s), np.log2(1 + s)
    noise = data.point_covariance
    real, real_left = _kriging(
        found.real**2 * _near(u, u), found.real**2 * _near(at, u), np.full(len(n), found.real**2), noise[:k, :k]
    )
    scale, base = found.mixed**2, u[data.base]
    mixed, mixed_left = _kriging(
        scale * _near(base, base) * _grows(w, w), scale * _near(at, base) * _grows(at_w, w), scale * at_w, noise[k:, k:]
    )
    off_curve = beyond(n, np.zeros(len(n)), data.sizes, data.s)[0]
    mixed_variance = mixed_left + (found.mixed_rate * away_from_cells(data, n, s)) ** 2
    spread = np.sqrt(real_left + mixed_variance + (found.real_rate * off_curve) ** 2)
    return Correction(np.concatenate([real, mixed], axis=1), spread)
