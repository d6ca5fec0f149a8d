"""Which curve and which equivalence law: chosen on development cells, judged on held-out ones.

Held out are the largest n, the largest s and their corner: where a user extrapolates to. The law
is chosen without them by QAIC (Burnham and Anderson 2002, section 2.5: AIC with the misfit of the
best law as overdispersion; the noise is known from draws and test images, so the correction for an
estimated noise, AICc, is only reported), then refitted on all cells. Exchange rates do not rest on
that one choice: few amounts often cannot tell two laws apart whose slopes differ by much, so they
are averaged over laws by their Akaike weights on all cells (ibid., section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synaug_ray.laws.bootstrap import interval
from synaug_ray.laws.curves import CURVES, CurveForm
from synaug_ray.laws.equivalence import BY_NAME, FORMS, EquivalenceForm
from synaug_ray.laws.fitting import Fit, fit, refit, starts_of
from synaug_ray.laws.joint import JointData, curve_model, joint_model, joint_parameters, predict_log_error
from synaug_ray.laws.results import FitStatus, HeldOut

LEAST_SIZES = 3  # below that a curve with two parameters has nothing left to be checked against
LEAST_DEVELOPMENT_SIZES = 3
LEAST_DEVELOPMENT_MULTIPLES = 2
TIE = 2.0  # difference of QAIC within which the form with fewer parameters is preferred
LEAST_WEIGHT = 0.02  # laws below this Akaike weight are left out of the average


@dataclass(frozen=True)
class Candidate:
    """One form fitted to ``points`` points."""

    name: str
    fit: Fit
    points: int

    @property
    def free(self) -> int:
        """Number of free parameters."""
        return len(self.fit.theta)

    @property
    def usable(self) -> bool:
        """Whether the fit stands and leaves a point over to be judged by."""
        return self.fit.status is not FitStatus.FAILED and self.points > self.free

    def aic(self, overdispersion: float = 1.0) -> float:
        """2 cost / overdispersion + 2 P."""
        return 2 * self.fit.cost / overdispersion + 2 * self.free

    @property
    def aicc(self) -> float | None:
        """AIC with the small-sample correction; None where no points are left for it."""
        left = self.points - self.free - 1
        return None if left <= 0 else self.aic() + 2 * self.free * (self.free + 1) / left


def _scores(candidates: list[Candidate]) -> dict[str, float]:
    """QAIC of the usable candidates."""
    usable = [c for c in candidates if c.usable]
    overdispersion = max(1.0, min((2 * c.fit.cost / (c.points - c.free) for c in usable), default=1.0))
    return {c.name: c.aic(overdispersion) for c in usable}


def choose(candidates: list[Candidate]) -> Candidate:
    """Among those within ``TIE`` of the lowest QAIC the fewest parameters, then the lowest QAIC."""
    scores = _scores(candidates)
    if not scores:
        return min(candidates, key=lambda c: (c.free, c.fit.cost))
    best = min(scores.values())
    return min(
        (c for c in candidates if c.name in scores and scores[c.name] <= best + TIE),
        key=lambda c: (c.free, scores[c.name]),
    )


def akaike_weights(candidates: list[Candidate]) -> dict[str, float]:
    """Weights that sum to 1, of the candidates that have at least ``LEAST_WEIGHT``."""
    scores = _scores(candidates)
    best = min(scores.values(), default=0.0)
    raw = {name: float(np.exp(-(score - best) / 2)) for name, score in scores.items()}
    kept = {name: weight for name, weight in raw.items() if weight >= LEAST_WEIGHT * sum(raw.values())}
    return {name: weight / sum(kept.values()) for name, weight in kept.items()}


def fit_curves(data: JointData) -> dict[str, Candidate]:
    """Every real-only form that has fewer parameters than there are sizes. Needs LEAST_SIZES sizes."""
    k = len(data.sizes)
    out = {}
    for curve in CURVES:
        if len(curve.parameters) < k:
            fitted = fit(curve_model(curve, data), data.target[:k], data.sigma[:k], curve.parameters)
            out[curve.name] = Candidate(curve.name, fitted, k)
    return out


def fit_forms(
    data: JointData, curve: CurveForm, curve_theta: np.ndarray, forms: tuple[EquivalenceForm, ...] = FORMS
) -> dict[str, Candidate]:
    """Every equivalence law jointly with the curve, started from the real-only fit of the curve."""
    out = {}
    for form in forms:
        starts = starts_of(form.parameters)
        starts = np.concatenate([np.repeat(curve_theta[None], len(starts), axis=0), starts], axis=1)
        fitted = fit(
            joint_model(curve, form, data),
            data.target,
            data.sigma,
            joint_parameters(curve, form),
            starts=starts,
        )
        out[form.name] = Candidate(form.name, fitted, len(data.target))
    return out


def development(data: JointData) -> tuple[np.ndarray, np.ndarray] | None:
    """Masks (sizes, cells) of what form selection may see, or None where too little would be left."""
    if not len(data.s):
        return None
    sizes = data.sizes < data.sizes[data.base].max()
    cells = (data.s < data.s.max()) & sizes[data.base]
    multiples = len(np.unique(np.round(data.s[cells], 3)))
    if sizes.sum() < LEAST_DEVELOPMENT_SIZES or multiples < LEAST_DEVELOPMENT_MULTIPLES:
        return None
    return sizes, cells


def _skill(residual: np.ndarray, reference: np.ndarray) -> float | None:
    square = float((reference**2).mean())
    return None if square <= 0 else 1 - float((residual**2).mean()) / square


def held_out(
    data: JointData,
    masks: tuple[np.ndarray, np.ndarray],
    candidates: dict[str, Candidate],
    curve: CurveForm,
    replicates: tuple[np.ndarray, np.ndarray] | None,
    confidence: float,
    chosen: str,
) -> dict[str, HeldOut]:
    """How each form, fitted to the development cells, predicted the held-out mixed cells.

    Skill is 1 - MSE / MSE of a reference on log errors: "synthetic images do nothing" (the same curve
    at r = 0) and F0. Coverage, for the chosen form, is the share of held-out cells for which the interval
    of (prediction - measurement) over joint replicates (errors [B, k], gains [B, C]) contains 0.
    """
    sizes, cells = masks
    unseen = np.flatnonzero(~cells) + len(data.sizes)
    truth = data.log_errors()[unseen]

    def residual(theta: np.ndarray, form: EquivalenceForm) -> np.ndarray:
        return predict_log_error(theta, curve, form, data)[:, unseen] - truth

    rate = residual(candidates["F0"].fit.theta[None], BY_NAME["F0"])[0]
    still = candidates["F0"].fit.theta.copy()
    still[-1] = 0.0
    nothing = residual(still[None], BY_NAME["F0"])[0]
    out = {}
    for name, candidate in candidates.items():
        own = residual(candidate.fit.theta[None], BY_NAME[name])[0]
        coverage = None
        if name == chosen and replicates is not None:
            form = BY_NAME[name]
            seen = data.subset(sizes, cells)
            real, gains = replicates
            thetas = refit(
                joint_model(curve, form, seen),
                candidate.fit,
                seen.targets(real[:, sizes], gains[:, cells]),
                seen.sigma,
                joint_parameters(curve, form),
            )
            points = data.targets(real, gains)
            points[:, len(data.sizes) :] += points[:, data.base]
            gap = predict_log_error(thetas, curve, form, data)[:, unseen] - points[:, unseen]
            ends = [interval(gap[:, j], confidence) for j in range(len(unseen))]
            coverage = float(
                np.mean([(low is None or low <= 0) and (high is None or high >= 0) for low, high in ends])
            )
        out[name] = HeldOut(
            cells=len(unseen),
            rmse_log_error=float(np.sqrt((own**2).mean())),
            skill_no_effect=_skill(own, nothing),
            skill_constant_rate=None if name == "F0" else _skill(own, rate),
            coverage=coverage,
        )
    return out
