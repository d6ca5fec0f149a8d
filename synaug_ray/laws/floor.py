"""The floor of a curve: the error that remains however many images there are, and how it is approached.

Two forms have a floor, the power law and M4 (``laws.curves``). Both are fitted to the measured errors and averaged by
their Akaike weights; each replicate of the errors belongs to one of the two, in proportion to these weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synaug_ray.laws.averaging import widened
from synaug_ray.laws.bootstrap import evenly
from synaug_ray.laws.curves import CURVES_BY_NAME, CurveForm
from synaug_ray.laws.fitting import fit, outward, refit
from synaug_ray.laws.joint import JointData, curve_model, whitened
from synaug_ray.laws.lack_of_fit import LackOfFit, lack_of_fit
from synaug_ray.laws.selection import Candidate, akaike_weights, overdispersion

FORMS = ("power law with floor", "M4")
LEAST_AMOUNTS = 4  # a floor is the third parameter, and a curve of three goes through any three points

Natural = tuple[np.ndarray, ...]  # b, c and E_inf of one form, each [R, 1]
Drawn = tuple[np.ndarray, np.ndarray]  # a value [...] of the measured errors, and its replicates [B, ...]


@dataclass(frozen=True)
class _Fitted:
    """One form: its weight, its parameters, and those of the replicates that belong to it."""

    form: CurveForm
    weight: float
    theta: np.ndarray  # [1, 3] on the scale of the search
    thetas: np.ndarray  # [b, 3]
    rows: np.ndarray  # which of all replicates, int [b]


@dataclass(frozen=True)
class FloorFit:
    """The forms with a floor, fitted to one curve of errors over amounts of images."""

    fitted: tuple[_Fitted, ...]
    n0: float
    chance: float
    lack: LackOfFit  # of the average
    count: int  # of replicates

    @property
    def form(self) -> str:
        """The name of the form with the largest weight."""
        return max(self.fitted, key=lambda one: one.weight).form.name

    def floor(self) -> Drawn:
        """E_inf, a fraction."""
        return self._average(lambda form, p: p[2][:, 0])

    def exponent(self) -> Drawn:
        """c: far above the floor, doubling the images divides what is above it by 2^c."""
        return self._average(lambda form, p: p[1][:, 0])

    def error(self, amounts: np.ndarray) -> Drawn:
        """The error at ``amounts`` [G], a fraction."""
        x = amounts[None] / self.n0
        return self._average(lambda form, p: form.error(p, x, self.chance))

    def log_amount_near_floor(self, margin: float) -> Drawn:
        """ln of the amount from which all further images together lower the error by less than ``margin``."""

        def amount(form: CurveForm, p: Natural) -> np.ndarray:
            b, c, floor = (value[:, 0] for value in p)
            # what is above the floor is b x^-c for the power law, and for M4 that times the distance from chance
            times = np.maximum(self.chance - floor - margin, 1e-12) if form.name == "M4" else 1.0
            return np.log(self.n0) + np.log(b * times / margin) / c

        return self._average(amount)

    def _average(self, value: Callable[[CurveForm, Natural], np.ndarray]) -> Drawn:
        point, drawn = 0.0, None
        for one in self.fitted:
            point = point + one.weight * value(one.form, outward(one.theta, one.form.parameters))[0]
            if len(one.rows):
                found = value(one.form, outward(one.thetas, one.form.parameters))
                drawn = np.empty((self.count, *found.shape[1:])) if drawn is None else drawn
                drawn[one.rows] = found
        return np.asarray(point), np.zeros(0) if drawn is None else drawn


def fit_floor(data: JointData, replicates: np.ndarray, freedom: float) -> FloorFit | None:
    """Fit the forms with a floor to the errors of ``data``, which has no mixed cells; None if none can be fitted.

    Args:
        data: ``LEAST_AMOUNTS`` or more amounts, in place of sizes.
        replicates: of the errors, [B, k].
        freedom: degrees of freedom of the estimated noise.
    """
    whitener = data.whitener()
    candidates = {}
    for name in FORMS:
        curve = CURVES_BY_NAME[name]
        found = fit(*whitened(curve_model(curve, data), data.target, whitener), curve.parameters)
        candidates[name] = Candidate(name, found, len(data.target))
    weights = akaike_weights(candidates)
    if not weights:
        return None
    factor = overdispersion(candidates.values())
    targets = np.log(np.maximum(replicates, data.least_error))
    even = evenly(len(replicates), np.random.default_rng(0))
    which = np.minimum(np.searchsorted(np.cumsum(list(weights.values())), even), len(weights) - 1)
    fitted, residual = [], -data.target
    for i, (name, weight) in enumerate(weights.items()):
        form, own, rows = CURVES_BY_NAME[name], candidates[name].fit, np.flatnonzero(which == i)
        theta, thetas = own.theta[None], np.zeros((0, len(own.theta)))
        if len(rows):
            model, wanted, sigma = whitened(curve_model(form, data), targets[rows], whitener)
            thetas = widened(theta, refit(model, own, wanted, sigma, form.parameters)[0], form.parameters, factor)
        fitted.append(_Fitted(form, weight, theta, thetas, rows))
        residual = residual + weight * curve_model(form, data)(theta)[0]
    lack = lack_of_fit(data, residual, len(fitted[0].theta[0]), freedom)
    return FloorFit(tuple(fitted), data.n0, data.chance, lack, len(replicates))
