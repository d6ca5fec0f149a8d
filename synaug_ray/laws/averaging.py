"""Model averaging: the laws over which exchange rates and expected errors are averaged, with weights and replicates.

The real-only curve is as uncertain as the equivalence law fitted with it, and a small change of the curve
between the measured sizes changes all equivalents. So the laws with weight are also fitted with the runner-up
curve. Each replicate is assigned to one pair of curve and law, by the Akaike weights of the pairs on that
replicate, so that the intervals include the uncertainty of the choice (Buckland, Burnham and Augustin 1997).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synaug_ray.laws.bootstrap import evenly
from synaug_ray.laws.curves import CURVES_BY_NAME, CurveForm
from synaug_ray.laws.equivalence import BY_NAME, EquivalenceForm
from synaug_ray.laws.fitting import Parameter, bounds, refit
from synaug_ray.laws.joint import JointData, joint_model, joint_parameters, split, whitened
from synaug_ray.laws.results import FitStatus
from synaug_ray.laws.selection import Candidate, akaike_weights, fit_forms, overdispersion

LEAST_CURVE_WEIGHT = 0.1  # weight of the runner-up curve on the real-only sizes from which laws are fitted with it too
Replicates = tuple[np.ndarray, np.ndarray]  # errors [B, k] and gains [B, C]
Refit = tuple[np.ndarray, np.ndarray]  # theta [B, P] and cost [B]


@dataclass(frozen=True)
class WeightedLaw:
    """A law in the average: its weight, its theta [1, P], and theta [b, P] of the replicates assigned to it, or None.

    ``rows`` [b] are the indices of these replicates. ``residual`` [1, k + C] and ``residuals`` [b, k + C] are those of
    the measured points and of the replicates.
    """

    curve: CurveForm
    form: EquivalenceForm
    weight: float
    theta: np.ndarray
    thetas: np.ndarray | None
    residual: np.ndarray | None = None
    residuals: np.ndarray | None = None
    rows: np.ndarray | None = None

    def law(self, theta: np.ndarray) -> tuple[np.ndarray, ...]:
        """The natural parameters of r alone, each [B, 1]."""
        return split(theta, self.curve, self.form)[1]


def refit_law(data: JointData, curve: CurveForm, candidate: Candidate, replicates: Replicates | None) -> Refit | None:
    """One law fitted to every replicate; None without replicates, or if the law itself could not be fitted."""
    if replicates is None or candidate.fit.status is FitStatus.FAILED:
        return None
    form = BY_NAME[candidate.name]
    model, targets, sigma = whitened(joint_model(curve, form, data), data.targets(*replicates), data.whitener())
    return refit(model, candidate.fit, targets, sigma, joint_parameters(curve, form))


def _runner_up(curves: dict[str, Candidate], chosen: CurveForm) -> CurveForm | None:
    weights = akaike_weights(curves)
    others = {name: weight for name, weight in weights.items() if name != chosen.name}
    name = max(others, key=lambda name: others[name], default=None)
    return CURVES_BY_NAME[name] if name is not None and others[name] >= LEAST_CURVE_WEIGHT else None


def _drawn(pairs: list[Candidate], refits: list[Refit], factor: float) -> np.ndarray:
    """The pair to which each replicate is assigned, [B]; stratified with a fixed seed, and therefore deterministic."""
    scores = np.stack([2 * cost / factor + 2 * pair.free for pair, (_, cost) in zip(pairs, refits, strict=True)])
    share = np.exp(-(scores - scores.min(axis=0)) / 2)
    reached = np.cumsum(share / share.sum(axis=0), axis=0)
    even = evenly(scores.shape[1], np.random.default_rng(0))
    return np.minimum((reached < even).sum(axis=0), len(pairs) - 1)


def widened(theta: np.ndarray, thetas: np.ndarray, parameters: tuple[Parameter, ...], factor: float) -> np.ndarray:
    """Replicates, spread about the estimate by the square root of the overdispersion, and kept within the bounds."""
    low, high = bounds(parameters)
    return np.clip(theta + np.sqrt(factor) * (thetas - theta), low, high)


def average(
    data: JointData,
    curves: dict[str, Candidate],
    curve: CurveForm,
    candidates: dict[str, Candidate],
    known: dict[str, Refit],
    replicates: Replicates | None,
) -> list[WeightedLaw]:
    """Pairs of curve and law with their weights; empty if no law is usable.

    Args:
        curves: the real-only fits.
        curve: the chosen one.
        candidates: the laws fitted with the chosen curve.
        known: the refits to ``replicates`` of those candidates that have been refitted already.
        replicates: of errors and gains; None if only the point estimates are wanted.
    """
    pairs = {(curve.name, name): candidate for name, candidate in candidates.items()}
    kept = akaike_weights(candidates)
    other = _runner_up(curves, curve)
    if other is not None:
        forms = tuple(BY_NAME[name] for name in kept)
        found = fit_forms(data, other, curves[other.name].fit.theta, forms)
        pairs |= {(other.name, name): candidate for name, candidate in found.items()}
    weights = akaike_weights(pairs)
    laws = [(CURVES_BY_NAME[on], pairs[on, name], weight) for (on, name), weight in weights.items()]
    drawn = None
    refits: list[Refit] = []
    factor = overdispersion(pairs.values())
    if replicates is not None and laws:
        # averaged candidates are usable: none of them failed, and each has refits
        found = [
            (known.get(pair.name) if on is curve else None) or refit_law(data, on, pair, replicates)
            for on, pair, _ in laws
        ]
        refits = [refitted for refitted in found if refitted]
        drawn = _drawn([pair for _, pair, _ in laws], refits, factor)
    out = []
    for i, (on, pair, weight) in enumerate(laws):
        form, theta = BY_NAME[pair.name], pair.fit.theta[None]
        model = joint_model(on, form, data)
        thetas = residuals = rows = None
        if drawn is not None and replicates is not None:
            rows = np.flatnonzero(drawn == i)
            thetas = widened(theta, refits[i][0][rows], joint_parameters(on, form), factor)
            residuals = data.targets(replicates[0][rows], replicates[1][rows]) - model(thetas)
        out.append(WeightedLaw(on, form, weight, theta, thetas, data.target[None] - model(theta), residuals, rows))
    return out


def misfit(laws: list[WeightedLaw]) -> np.ndarray:
    """Residuals of the measured points from the average of the laws, [k + C]."""
    return sum((law.weight * law.residual[0] for law in laws if law.residual is not None), np.zeros(1))
