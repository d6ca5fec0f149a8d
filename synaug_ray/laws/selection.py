"""Selection of the curve and the equivalence law: chosen on development cells, evaluated on held-out ones.

The cells with the largest n or the largest s are held out, since users extrapolate in these directions. The law is
chosen without them by QAIC (Burnham and Anderson 2002, section 2.5: AIC with the misfit of the best law as
overdispersion; the noise is known from draws and test images, so AICc, the correction for an estimated noise, is only
reported), and then refitted to all cells. Exchange rates do not depend on that choice alone: a few amounts often cannot
distinguish two laws with very different slopes, so rates are averaged over laws by their Akaike weights on all cells
(ibid., section 4.2).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from synaug_ray.laws.bootstrap import interval
from synaug_ray.laws.curves import CURVES, CurveForm
from synaug_ray.laws.equivalence import BY_NAME, FORMS, EquivalenceForm
from synaug_ray.laws.fitting import Fit, fit, refit, starts_of
from synaug_ray.laws.joint import JointData, curve_model, joint_model, joint_parameters, predict_log_error, whitened
from synaug_ray.laws.results import FitStatus, HeldOut

Key = TypeVar("Key", bound=Hashable)
LEAST_SIZES = 3  # with fewer sizes, a curve with two parameters cannot be checked
LEAST_DEVELOPMENT_SIZES = 3
LEAST_DEVELOPMENT_MULTIPLES = 2
TIE = 2.0  # difference in QAIC up to which the form with fewer parameters is preferred
LEAST_WEIGHT = 0.02  # laws with a smaller Akaike weight are left out of the average


@dataclass(frozen=True)
class Candidate:
    """A form fitted to ``points`` points."""

    name: str
    fit: Fit
    points: int

    @property
    def free(self) -> int:
        """Number of free parameters."""
        return len(self.fit.theta)

    @property
    def usable(self) -> bool:
        """Whether the fit succeeded and has fewer parameters than points."""
        return self.fit.status is not FitStatus.FAILED and self.points > self.free

    def aic(self, overdispersion: float = 1.0) -> float:
        """2 cost / overdispersion + 2 P."""
        return 2 * self.fit.cost / overdispersion + 2 * self.free

    @property
    def aicc(self) -> float | None:
        """AIC with the small-sample correction; None if there are too few points for it."""
        left = self.points - self.free - 1
        return None if left <= 0 else self.aic() + 2 * self.free * (self.free + 1) / left


def overdispersion(candidates: Iterable[Candidate]) -> float:
    """The misfit of the best usable candidate per degree of freedom, but at least 1."""
    return max(1.0, min((2 * c.fit.cost / (c.points - c.free) for c in candidates if c.usable), default=1.0))


def _scores(candidates: dict[Key, Candidate]) -> dict[Key, float]:
    """QAIC of the usable candidates."""
    factor = overdispersion(candidates.values())
    return {key: c.aic(factor) for key, c in candidates.items() if c.usable}


def choose(candidates: dict[Key, Candidate]) -> Candidate:
    """The candidate with the fewest parameters, then the lowest QAIC, of those within ``TIE`` of the lowest QAIC."""
    scores = _scores(candidates)
    if not scores:
        return min(candidates.values(), key=lambda c: (c.free, c.fit.cost))
    best = min(scores.values())
    tied = [key for key, score in scores.items() if score <= best + TIE]
    return candidates[min(tied, key=lambda key: (candidates[key].free, scores[key]))]


def akaike_weights(candidates: dict[Key, Candidate]) -> dict[Key, float]:
    """Akaike weights, normalised to sum to 1, of the candidates with at least ``LEAST_WEIGHT``."""
    scores = _scores(candidates)
    best = min(scores.values(), default=0.0)
    raw = {key: float(np.exp(-(score - best) / 2)) for key, score in scores.items()}
    kept = {key: weight for key, weight in raw.items() if weight >= LEAST_WEIGHT * sum(raw.values())}
    return {key: weight / sum(kept.values()) for key, weight in kept.items()}


def fit_curves(data: JointData) -> dict[str, Candidate]:
    """Fit every real-only form that has fewer parameters than there are sizes; at least LEAST_SIZES are needed."""
    k = len(data.sizes)
    whitener = data.whitener(slice(k))
    out = {}
    for curve in CURVES:
        if len(curve.parameters) < k and k >= curve.least_sizes:
            fitted = fit(*whitened(curve_model(curve, data), data.target[:k], whitener), curve.parameters)
            out[curve.name] = Candidate(curve.name, fitted, k)
    return out


def fit_forms(
    data: JointData, curve: CurveForm, curve_theta: np.ndarray, forms: tuple[EquivalenceForm, ...] = FORMS
) -> dict[str, Candidate]:
    """Fit every equivalence law jointly with the curve, starting at the real-only fit of the curve."""
    out = {}
    whitener = data.whitener()
    for form in forms:
        starts = starts_of(form.parameters)
        starts = np.concatenate([np.repeat(curve_theta[None], len(starts), axis=0), starts], axis=1)
        fitted = fit(
            *whitened(joint_model(curve, form, data), data.target, whitener),
            joint_parameters(curve, form),
            starts=starts,
        )
        out[form.name] = Candidate(form.name, fitted, len(data.target))
    return out


def development(data: JointData) -> tuple[np.ndarray, np.ndarray] | None:
    """Masks (sizes, cells) of what the selection of forms may see; None if too few cells would be left.

    Only mixed cells are held out: the real-only curve is known at all sizes, also when laws are extrapolated.
    """
    if not len(data.s):
        return None
    own = data.sizes[data.base]
    cells = (data.s < data.s.max()) & (own < own.max())
    sizes = len(np.unique(own[cells]))
    multiples = len(np.unique(np.round(data.s[cells], 3)))
    if sizes < LEAST_DEVELOPMENT_SIZES or multiples < LEAST_DEVELOPMENT_MULTIPLES:
        return None
    return np.ones(len(data.sizes), dtype=bool), cells


def _skill(residual: np.ndarray, reference: np.ndarray) -> float | None:
    square = float((reference**2).mean())
    return None if square <= 0 else 1 - float((residual**2).mean()) / square


@dataclass(frozen=True)
class HeldOutCells:
    """The held-out mixed cells, with the residuals of two reference predictions."""

    index: np.ndarray  # among all points
    truth: np.ndarray  # log errors
    nothing: np.ndarray  # residuals of "synthetic images do nothing" (F0's own curve at r = 0)
    rate: np.ndarray  # residuals of F0

    def judge(self, log_error: np.ndarray, *, coverage: float | None = None, is_rate: bool = False) -> HeldOut:
        """The accuracy of predicted log errors [k + C] at the held-out cells."""
        own = log_error[self.index] - self.truth
        return HeldOut(
            cells=len(self.index),
            rmse_log_error=float(np.sqrt((own**2).mean())),
            skill_no_effect=_skill(own, self.nothing),
            skill_constant_rate=None if is_rate else _skill(own, self.rate),
            coverage=coverage,
        )


def held_out_cells(
    data: JointData, masks: tuple[np.ndarray, np.ndarray], candidates: dict[str, Candidate], curve: CurveForm
) -> HeldOutCells:
    """The held-out cells, with both reference predictions fitted to the development cells."""
    index = np.flatnonzero(~masks[1]) + len(data.sizes)
    truth = data.log_errors()[index]
    rate = candidates["F0"].fit.theta[None]
    still = rate.copy()
    still[0, -1] = 0.0
    residuals = [predict_log_error(theta, curve, BY_NAME["F0"], data)[0, index] - truth for theta in (still, rate)]
    return HeldOutCells(index, truth, *residuals)


def judge_forms(
    data: JointData,
    masks: tuple[np.ndarray, np.ndarray],
    candidates: dict[str, Candidate],
    curve: CurveForm,
    replicates: tuple[np.ndarray, np.ndarray] | None,
    confidence: float,
    chosen: str,
) -> dict[str, HeldOut]:
    """The accuracy of each form, fitted to the development cells, at the held-out mixed cells.

    Skill is 1 - MSE / (MSE of a reference), of log errors; references are "synthetic images do nothing" (the same curve
    at r = 0) and F0. Coverage is given for the chosen form: the share of held-out cells for which the interval
    of (prediction - measurement) over joint replicates (errors [B, k], gains [B, C]) contains 0.
    """
    cells = held_out_cells(data, masks, candidates, curve)
    out = {}
    for name, candidate in candidates.items():
        coverage = None
        if name == chosen and replicates is not None:
            coverage = _coverage(data, masks, candidate, curve, replicates, confidence, cells.index)
        predicted = predict_log_error(candidate.fit.theta[None], curve, BY_NAME[name], data)[0]
        out[name] = cells.judge(predicted, coverage=coverage, is_rate=name == "F0")
    return out


def _coverage(
    data: JointData,
    masks: tuple[np.ndarray, np.ndarray],
    candidate: Candidate,
    curve: CurveForm,
    replicates: tuple[np.ndarray, np.ndarray],
    confidence: float,
    index: np.ndarray,
) -> float:
    (sizes, cells), (real, gains), form = masks, replicates, BY_NAME[candidate.name]
    seen = data.subset(sizes, cells)
    targets = seen.targets(real[:, sizes], gains[:, cells])
    model, targets, sigma = whitened(joint_model(curve, form, seen), targets, seen.whitener())
    thetas, _ = refit(
        model,
        candidate.fit,
        targets,
        sigma,
        joint_parameters(curve, form),
    )
    points = data.targets(real, gains)
    points[:, len(data.sizes) :] += points[:, data.base]
    gap = predict_log_error(thetas, curve, form, data)[:, index] - points[:, index]
    ends = [interval(column, confidence) for column in gap.T]
    return float(np.mean([(low is None or low <= 0) and (high is None or high >= 0) for low, high in ends]))
