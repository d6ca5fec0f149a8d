"""The real-only curve averaged over forms, with its discrepancy: the line and band on the page.

The weights are means of two kinds. Akaike weights depend on the fit to all sizes. Stacking weights depend on one-step-
ahead predictions of the last sizes, inversely to their mean square. On the curves of LCDB, neither is best at all
distances (tests/benchmarks/laws/lcdb.md), and their mean is never far from the better one.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from synaug_ray.laws.averaging import widened
from synaug_ray.laws.bootstrap import evenly
from synaug_ray.laws.curves import CURVES_BY_NAME
from synaug_ray.laws.discrepancy import correction, estimate, step_residuals
from synaug_ray.laws.fitting import outward, refit
from synaug_ray.laws.joint import JointData, curve_model, whitened
from synaug_ray.laws.selection import Candidate, akaike_weights, overdispersion

LEAST_MISS = 0.02  # of log errors, per doubling: smaller differences between forms are due to chance


def curve_weights(data: JointData, candidates: dict[str, Candidate]) -> dict[str, float]:
    """Weights of the usable curves, summing to 1; if none is usable, the best curve has all the weight."""
    akaike = akaike_weights(candidates)
    if not akaike:
        return {min(candidates.values(), key=lambda c: (c.free, c.fit.cost)).name: 1.0}
    squares: dict[str, list[float]] = {}
    for missed, noise in step_residuals(data):
        for name, value in missed.items():
            squares.setdefault(name, []).append(max(value**2 - noise, 0.0))
    inverse = {
        name: 1 / (float(np.mean(found)) + LEAST_MISS**2)
        for name, found in squares.items()
        if name in candidates and candidates[name].usable
    }
    total = sum(inverse.values())
    if not total:
        return akaike
    return {name: (akaike.get(name, 0.0) + inverse.get(name, 0.0) / total) / 2 for name in sorted({*akaike, *inverse})}


def averaged_curve(
    data: JointData, candidates: dict[str, Candidate], replicates: np.ndarray | None, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Errors [G] at ``sizes``, and their replicates [B, G], given replicates [B, k] of the measured errors."""
    alone = data.subset(np.ones(len(data.sizes), dtype=bool), np.zeros(len(data.s), dtype=bool))
    weights = curve_weights(alone, candidates)
    k, x = len(alone.sizes), sizes / alone.n0

    def curve(name: str, theta: np.ndarray, at: np.ndarray) -> np.ndarray:
        form = CURVES_BY_NAME[name]
        return form.log_error(outward(theta, form.parameters), at, alone.chance)

    thetas = {name: candidates[name].fit.theta[None] for name in weights}
    at_sizes = sum(weight * curve(name, thetas[name], alone.x)[0] for name, weight in weights.items())
    residual = alone.target - at_sizes
    free = len(thetas[max(weights, key=lambda name: weights[name])][0])
    found = estimate(alone, residual, (free, 0), None)
    tie = correction(found, alone, sizes, np.zeros(len(sizes)))
    line = sum(weight * curve(name, thetas[name], x)[0] for name, weight in weights.items())
    point = np.exp(line + tie.weights @ residual)
    if replicates is None:
        return point, None
    count = len(replicates)
    rng = np.random.default_rng(0)
    even = evenly(count, rng)
    which = np.minimum(np.searchsorted(np.cumsum(list(weights.values())), even), len(weights) - 1)
    deviates = stats.t.ppf(rng.permutation(even), found.freedom)[:, None]
    targets = np.log(np.maximum(replicates, alone.least_error))
    drawn = np.empty((count, len(sizes)))
    factor = overdispersion(candidates.values())
    for i, name in enumerate(weights):
        rows = np.flatnonzero(which == i)
        if not len(rows):
            continue
        form, fitted = CURVES_BY_NAME[name], candidates[name].fit
        model, wanted, sigma = whitened(curve_model(form, alone), targets[rows], alone.whitener(slice(k)))
        theta, _ = refit(model, fitted, wanted, sigma, form.parameters)
        theta = widened(thetas[name], theta, form.parameters, factor)
        missed = targets[rows] - curve(name, theta, alone.x)
        drawn[rows] = curve(name, theta, x) + missed @ tie.weights.T + deviates[rows] * tie.spread
    return point, np.exp(drawn)
