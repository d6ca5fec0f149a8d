"""J2 and J3, joint laws without real-equivalents: alternatives to J1, evaluated on the same held-out cells.

Symbols: s = synthetic images / n; q = s / (1 + s), the share of synthetic images; x = n / n0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synaug_ray.laws.fitting import Fit, Model, Parameter, fit, outward
from synaug_ray.laws.joint import JointData
from synaug_ray.laws.results import BestWeight, Estimate, LawFit
from synaug_ray.laws.selection import Candidate, HeldOutCells

Natural = tuple[np.ndarray, ...]
_FLOOR = Parameter("E_inf", "error fraction", 1e-6, 0.9, (1e-3, 1e-2, 0.1), log=True)
_ERROR = Parameter("C0", "error fraction at n0 real images", 1e-6, 2.0, (0.01, 0.1, 0.4), log=True)
_EXPONENT = Parameter("alpha", "dimensionless", 0.01, 3.0, (0.2, 0.5, 1.0), log=True)

J2_PARAMETERS = (
    _FLOOR,
    _ERROR,
    _EXPONENT,
    Parameter("c1", "dimensionless", -5.0, 10.0, (0.0, 1.0)),
    Parameter("c2", "dimensionless", -10.0, 10.0, (0.0,)),
)
J2_FORMULA = "E = E_inf + C(q) (n (1 + s) / n0)^-alpha, C = C0 exp(c1 q + c2 q^2)"
J2_SOURCE = "after Hashimoto 2021 (ICML, Model Performance Scaling with Multiple Data Sources): one exponent for all q"

J3_REAL = (
    Parameter("R_inf", "error fraction", 1e-6, 0.9, (1e-3, 1e-2, 0.1), log=True),
    Parameter("A", "error fraction at n0 real images alone", 1e-6, 2.0, (0.01, 0.1, 0.4), log=True),
    Parameter("beta", "dimensionless", 0.01, 3.0, (0.2, 0.5, 1.0), log=True),
)
J3_SYNTHETIC = (
    Parameter("F", "error fraction of endless synthetic images, generator of n0", 1e-6, 0.98, (0.05, 0.3), log=True),
    Parameter("g", "dimensionless: falls with the generator's n", -1.0, 3.0, (0.0, 0.5)),
    Parameter("B", "error fraction at n0 synthetic images alone", 1e-6, 2.0, (0.01, 0.1, 0.4), log=True),
    Parameter("h", "dimensionless", 0.01, 3.0, (0.2, 0.5, 1.0), log=True),
)
J3_FORMULA = (
    "E = R_inf + w^2 (F x^-g - R_inf) + [w^2 (B (s x)^-h)^(1/beta) + (1 - w)^2 (A x^-beta)^(1/beta)]^beta, "
    "w the weight of synthetic images in the loss: their share of a batch, unless real_weight is given"
)
J3_SOURCE = (
    "after Jain, Montanari and Sasoglu 2024 (arXiv 2402.04376); here the generator's own n moves the floor. "
    "Fitted to real-only and synthetic-only cells alone, no mixture seen; takes the errors that the two kinds cause as "
    "independent, which they are not where the synthetic images were made from the same real ones"
)
WEIGHTS = np.linspace(0, 1, 1_001)  # of synthetic images, of which the best is sought
LEAST_SYNTHETIC_CELLS = 6  # at two or more sizes, since the curve has four parameters


def _j2(p: Natural, x: np.ndarray, s: np.ndarray) -> np.ndarray:
    floor, c0, alpha, c1, c2 = p
    q = s / (1 + s)
    return floor + c0 * np.exp(np.clip(c1 * q + c2 * q**2, -30, 30)) * (x * (1 + s)) ** -alpha


def _log_errors(error: Callable[[np.ndarray, np.ndarray], np.ndarray], data: JointData) -> np.ndarray:
    """log E at all points of ``data``, [B, k + C]."""
    x = np.concatenate([data.x, data.x[data.base]])
    s = np.concatenate([np.zeros(len(data.sizes)), data.s])
    return np.log(np.maximum(error(x, s), data.least_error))


def _j2_model(data: JointData) -> Model:
    """theta [B, 5] -> the points of ``data``: log errors of the sizes, log ratios of the cells."""

    def model(theta: np.ndarray) -> np.ndarray:
        p, k = outward(theta, J2_PARAMETERS), len(data.sizes)
        points = _log_errors(lambda x, s: _j2(p, x, s), data)
        points[:, k:] -= points[:, data.base]
        return points

    return model


def j2(data: JointData, seen: JointData, unseen: HeldOutCells | None) -> LawFit:
    """J2 fitted to all cells, and evaluated on the held-out ones after a fit to the ``seen`` ones alone."""

    def fitted(to: JointData) -> tuple[Fit, np.ndarray]:
        found = fit(_j2_model(to), to.target, to.sigma, J2_PARAMETERS)
        p = outward(found.theta[None], J2_PARAMETERS)
        return found, _log_errors(lambda x, s: _j2(p, x, s), data)[0]

    found, predicted = fitted(data)
    judged = unseen.judge(fitted(seen)[1]) if unseen is not None else None
    return LawFit(
        form="J2",
        formula=J2_FORMULA,
        source=J2_SOURCE,
        parameters={p.name: Estimate(float(p.outward(t))) for p, t in zip(J2_PARAMETERS, found.theta, strict=True)},
        units={p.name: p.unit for p in J2_PARAMETERS} | {"n0": f"{data.n0:.6g} real images"},
        status=found.status,
        share_of_starts=found.share_of_starts,
        rmse_log_error=float(np.sqrt(((predicted - data.log_errors()) ** 2).mean())),
        aicc=Candidate("J2", found, len(data.target)).aicc,
        held_out=judged,
    )


def _j3(p: Natural, x: np.ndarray, s: np.ndarray, w: np.ndarray) -> np.ndarray:
    floor, a, beta, f, g, b, h = p
    with np.errstate(over="ignore", invalid="ignore"):  # a fit that diverged predicts NaN
        synthetic, own = (b * np.maximum(s * x, 1e-12) ** -h) ** (1 / beta), (a * x**-beta) ** (1 / beta)
        return floor + w**2 * (f * x**-g - floor) + (w**2 * synthetic + (1 - w) ** 2 * own) ** beta


def _best_weights(p: Natural, data: JointData) -> tuple[BestWeight, ...]:
    """Of each mixed cell; ``worth`` solves E_real(n + worth) = E at the best weight.

    Where beta = h = 1 and g = 0, as for the mean of a Gaussian, m synthetic images are worth
    A n0 / (F - R_inf + B n0 / m) real ones, whatever n, and never more than A n0 / (F - R_inf).
    """
    floor, a, beta = (float(v[0, 0]) for v in p[:3])
    found = []
    for n, s in zip(data.sizes[data.base], data.s, strict=True):
        errors = _j3(p, np.array([n / data.n0]), np.array([s]), WEIGHTS)[0]
        if np.isnan(errors).all():
            return ()
        at = int(np.nanargmin(errors))
        least = float(errors[at])
        worth = data.n0 * ((least - floor) / a) ** (-1 / beta) - n if least > floor else np.inf
        known = max(float(worth), 0.0) if np.isfinite(worth) else None
        found.append(BestWeight(int(n), round(n * s), float(1 - WEIGHTS[at]), least, known))
    return tuple(found)


def j3(
    data: JointData,
    synthetic: JointData,
    real_weight: float | None,
    masks: tuple[np.ndarray, np.ndarray] | None,
    unseen: HeldOutCells | None,
) -> LawFit | None:
    """J3 for the mixed cells of ``data``; None if there are too few synthetic-only cells for its curve.

    Args:
        data: the mixed cells of a study.
        synthetic: the synthetic-only cells of the same generator and classifier.
        real_weight: of real images in the loss of a mixture; None if as the counts are.
        masks: the development cells; what they hold out of the mixtures is held out of both pure curves too.
        unseen: the held-out cells.
    """
    sizes, cells = np.ones(len(data.sizes), dtype=bool), np.ones(len(synthetic.s), dtype=bool)
    if masks is not None:
        sizes = masks[0]
        cells = sizes[synthetic.base] & (synthetic.s < data.s.max())
    if cells.sum() < LEAST_SYNTHETIC_CELLS or len(np.unique(synthetic.base[cells])) < 2 or sizes.sum() <= len(J3_REAL):
        return None
    x, k = data.x, len(data.sizes)
    errors = synthetic.log_errors()[k:][cells]
    sx, ss = x[synthetic.base[cells]], synthetic.s[cells]

    def real_model(theta: np.ndarray) -> np.ndarray:
        floor, a, beta = outward(theta, J3_REAL)
        return np.log(floor + a * x[sizes] ** -beta)

    def synthetic_model(theta: np.ndarray) -> np.ndarray:
        f, g, b, h = outward(theta, J3_SYNTHETIC)
        return np.log(f * sx**-g + b * (sx * ss) ** -h)

    real = fit(real_model, data.target[:k][sizes], data.sigma[:k][sizes], J3_REAL)
    pure = fit(synthetic_model, errors, synthetic.sigma[k:][cells], J3_SYNTHETIC)
    parameters, theta = (*J3_REAL, *J3_SYNTHETIC), np.concatenate([real.theta, pure.theta])
    p = outward(theta[None], parameters)

    def error(x: np.ndarray, s: np.ndarray) -> np.ndarray:
        return _j3(p, x, s, s / (1 + s) if real_weight is None else np.where(s > 0, 1 - real_weight, 0.0))

    predicted = _log_errors(error, data)[0]
    return LawFit(
        form="J3",
        formula=J3_FORMULA,
        source=J3_SOURCE,
        parameters={p.name: Estimate(float(p.outward(t))) for p, t in zip(parameters, theta, strict=True)},
        units={p.name: p.unit for p in parameters} | {"n0": f"{data.n0:.6g} real images"},
        status=pure.status,
        share_of_starts=min(real.share_of_starts, pure.share_of_starts),
        rmse_log_error=float(np.sqrt(((predicted - data.log_errors()) ** 2).mean())),
        aicc=None,
        held_out=None if unseen is None else unseen.judge(predicted),
        best=_best_weights(p, data),
    )
