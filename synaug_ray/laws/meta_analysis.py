"""Random-effects meta-analysis of a few studies: their mean, how much they differ, and what a new one would show.

y_i ~ N(mu + u_i, s_i^2) with u_i ~ N(0, tau^2). tau^2 is estimated by restricted maximum likelihood (Viechtbauer 2005).
The standard error of the mean is Hartung and Knapp's (2001), and never smaller than the usual one (the modification of
Roever, Knapp and Friede 2015, since data sets differ in precision).

The prediction interval for the true effect of a new study takes into account that few studies leave tau^2 itself
unknown: tau^2 is drawn from its confidence distribution, by Cochran's Q, which at the true tau^2 is chi-square
(Viechtbauer 2007; the idea of Nagashima, Noma and Furukawa 2019). The usual one, mu +- t(k - 2) sqrt(tau^2 + SE^2),
contained 80 to 82% of new effects instead of 90% for ten studies that differ about as much as their noise, this one 85
to 87% (``tests/benchmarks/laws/meta_coverage.py``; errors there are estimated from six draws).

statsmodels' ``combine_effects`` has neither REML nor prediction intervals, and would be a new dependency.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats
from scipy.optimize import brentq

from synaug_ray.laws.results import Estimate

LEAST_STUDIES = 3
ZOOMS = 5  # each makes the grid in which tau^2 is searched 12 times finer
STEPS = 200  # of the grid in which tau^2 is found for a value of Q
LEVELS = 500  # equally likely values of tau^2
LEAST_FOR_SLOPE = 4  # a line through three points leaves one degree of freedom
ENOUGH_FOR_SLOPE = 10  # studies for each explanation, by the Cochrane Handbook (10.11.4)


@dataclass(frozen=True)
class Pooled:
    """The mean of k studies, in the unit of their effects."""

    studies: int
    mean: Estimate  # with its confidence interval
    prediction: Estimate  # the mean with the interval that the true effect of a new study is expected in
    tau: Estimate  # standard deviation of the true effects, with the interval of its confidence distribution
    share: float  # I^2: of the variance of the observed effects, the share that is not noise
    heterogeneity_p: float  # of Cochran's Q: how often studies with one true effect would differ as much
    weights: tuple[float, ...]  # of the studies, summing to 1


@dataclass(frozen=True)
class Slope:
    """How the effects change with one property of the studies."""

    studies: int
    slope: Estimate  # per unit of the property
    p: float  # two-sided, by Student's t with k - 2 degrees of freedom
    explained: float | None  # R^2: share of tau^2 that goes away; None if tau^2 was 0 without it
    tau: float  # standard deviation of the true effects around the line


def restricted_tau2(y: np.ndarray, v: np.ndarray, design: np.ndarray) -> float:
    """tau^2 >= 0 that maximises the restricted likelihood.

    Args:
        y: effects [k].
        v: their variances [k].
        design: covariates [k, p], of full rank, p < k.
    """

    def loss(tau2: np.ndarray) -> np.ndarray:
        w = 1 / (v + tau2[:, None])
        information = np.einsum("kp,tk,kq->tpq", design, w, design)
        found = np.linalg.solve(information, ((w * y) @ design)[:, :, None])[:, :, 0]
        residual = y - found @ design.T
        return -np.log(w).sum(1) + np.linalg.slogdet(information)[1] + (w * residual**2).sum(1)

    scale = float(np.var(y)) + float(v.max())
    at = np.concatenate([[0.0], np.geomspace(1e-5, 50.0, 40)]) * scale  # all of it: there can be two maxima
    for _ in range(ZOOMS):
        best = int(np.argmin(loss(at)))
        low, high = at[max(best - 1, 0)], at[min(best + 1, len(at) - 1)]
        at = np.linspace(low, high, 25)
    return float(at[np.argmin(loss(at))])


def pool(effects: Sequence[float], errors: Sequence[float], confidence: float) -> Pooled | None:
    """The mean of studies with standard ``errors`` > 0; None if there are fewer than three.

    Raises:
        ValueError: if an effect is not finite, or an error is not finite and positive.
    """
    y, v = _checked(effects, errors)
    if len(y) < LEAST_STUDIES:
        return None
    tau2 = restricted_tau2(y, v, np.ones((len(y), 1)))
    w = 1 / (v + tau2)
    mean = float((w * y).sum() / w.sum())
    k = len(y)
    dispersion = float((w * (y - mean) ** 2).sum() / (k - 1))
    error = math.sqrt(max(dispersion, 1.0) / w.sum())
    half = float(stats.t.ppf(0.5 + confidence / 2, k - 1)) * error
    spread = _spread(y, v)
    fixed = 1 / v
    q = float((fixed * (y - (fixed * y).sum() / fixed.sum()) ** 2).sum())
    typical = (k - 1) * fixed.sum() / (fixed.sum() ** 2 - (fixed**2).sum())  # Higgins and Thompson's s^2
    return Pooled(
        k,
        Estimate.around(mean, half),
        Estimate(mean, *spread.new_study(confidence)),
        Estimate(math.sqrt(tau2), *spread.tau(confidence)),
        float(tau2 / (tau2 + typical)),
        float(stats.chi2.sf(q, k - 1)),
        tuple(float(x) for x in w / w.sum()),
    )


@functools.cache
def _values_of_q(freedom: int) -> np.ndarray:
    """Values of a chi-square variable with equal probabilities, ascending [LEVELS]."""
    return stats.chi2.ppf((np.arange(LEVELS) + 0.5) / LEVELS, freedom)


@dataclass(frozen=True)
class _Spread:
    """The confidence distribution of tau^2: equally likely values, and the mean and its variance at each [LEVELS]."""

    tau2: np.ndarray  # descending
    mean: np.ndarray
    variance: np.ndarray

    def tau(self, confidence: float) -> tuple[float, float]:
        low, high = np.quantile(np.sqrt(self.tau2), [0.5 - confidence / 2, 0.5 + confidence / 2])
        return float(low), float(high)

    def new_study(self, confidence: float) -> tuple[float, float]:
        """Quantiles of the true effect of a new study, a mixture of normal distributions."""
        sd = np.sqrt(self.variance + self.tau2)
        reach = float(np.abs(self.mean).max() + 40 * sd.max())

        def quantile(p: float) -> float:
            found: Any = brentq(lambda x: float(special.ndtr((x - self.mean) / sd).mean()) - p, -reach, reach)
            return float(found)

        return quantile(0.5 - confidence / 2), quantile(0.5 + confidence / 2)


def _spread(y: np.ndarray, v: np.ndarray) -> _Spread:
    k = len(y)
    drawn = _values_of_q(k - 1)
    most = k * float(((y - y.mean()) ** 2).sum() / drawn[0] + v.max())  # there Q is below all of them
    tau2 = np.concatenate([[0.0], np.geomspace(1e-6 * most, most, STEPS)])
    w = 1 / (v + tau2[:, None])
    mean = (w * y).sum(1) / w.sum(1)
    q = (w * (y - mean[:, None]) ** 2).sum(1)  # falls with tau^2
    chosen = np.interp(-drawn, -q, tau2)  # 0 where Q is smaller than drawn even without any tau^2
    return _Spread(chosen, np.interp(chosen, tau2, mean), np.interp(chosen, tau2, 1 / w.sum(1)))


def regress(
    effects: Sequence[float], errors: Sequence[float], property_of: Sequence[float], confidence: float
) -> Slope | None:
    """Meta-regression on one property (Knapp and Hartung 2003); None with fewer than four studies, or if all are alike.

    Raises:
        ValueError: as ``pool``.
    """
    y, v = _checked(effects, errors)
    x = np.asarray(property_of, dtype=float)
    if len(y) < LEAST_FOR_SLOPE or not np.isfinite(x).all() or np.ptp(x) <= 1e-9 * max(float(np.abs(x).max()), 1e-12):
        return None
    center, scale = x.mean(), x.std()
    design = np.stack([np.ones(len(y)), (x - center) / scale], axis=1)
    tau2 = restricted_tau2(y, v, design)
    w = 1 / (v + tau2)
    covariance = np.linalg.inv(design.T @ (w[:, None] * design))
    found = covariance @ design.T @ (w * y)
    freedom = len(y) - 2
    dispersion = float((w * (y - design @ found) ** 2).sum() / freedom)
    error = math.sqrt(max(dispersion, 1.0) * covariance[1, 1]) / scale
    slope = float(found[1]) / scale
    alone = restricted_tau2(y, v, design[:, :1])
    return Slope(
        len(y),
        Estimate.around(slope, float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error),
        float(2 * stats.t.sf(abs(slope) / error, freedom)),
        max(1 - tau2 / alone, 0.0) if alone > 0 else None,
        math.sqrt(tau2),
    )


def composite(effects: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """Several effects in one study as one: their mean, and its error if all their errors were common to them.

    That is the widest, with correlation 1, where it is not known (Borenstein et al. 2009, chapter 24).
    """
    return float(np.mean(effects)), float(np.mean(errors))


def holm(p: Sequence[float]) -> list[float]:
    """P-values that allow for all of them being looked at (Holm 1979), in the given order."""
    order = np.argsort(p)
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min((len(p) - rank) * p[i], 1.0))
        adjusted[i] = largest
    return adjusted


def least_correlation(studies: int, confidence: float, looks: int = 1) -> float:
    """The smallest correlation that ``studies`` precise studies can tell from none, with ``looks`` explanations tried.

    Args:
        studies: at least 4.
    """
    t = float(stats.t.ppf(1 - (1 - confidence) / (2 * looks), studies - 2))
    return t / math.sqrt(t**2 + studies - 2)


def _checked(effects: Sequence[float], errors: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    y, s = np.asarray(effects, dtype=float), np.asarray(errors, dtype=float)
    if y.shape != s.shape or not np.isfinite(y).all() or not np.isfinite(s).all() or (s <= 0).any():
        raise ValueError("effects have to be finite, and their errors finite and positive")
    return y, s**2
