"""How many synthetic images one more real image is worth, from a fitted law (replacement, not trade-off)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synaug_ray.laws.bootstrap import interval
from synaug_ray.laws.equivalence import EquivalenceForm, Natural
from synaug_ray.laws.results import Estimate, Exchange


def rates(
    form: EquivalenceForm, parameters: Natural, n: float, n0: float, s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Marginal ds/dr, average s/r and the limit in real images, each [B], at one working point.

    inf marks "not reachable": no further synthetic image (marginal), or not this amount (average), is
    worth a real one. The limit is inf where the law is unbounded.
    """
    x, amount = np.array([n / n0]), np.array([s])
    slope = form.slope(parameters, x, amount)[:, 0]
    r = form.r(parameters, x, amount)[:, 0]
    limit = np.broadcast_to(form.limit(parameters, x), r[:, None].shape)[:, 0] * n
    out_of_reach = (slope <= 0) | (r * n + 1 > limit)
    marginal = np.where(out_of_reach, np.inf, 1 / np.where(out_of_reach, 1.0, slope))
    average = np.where(r > 0, s / np.where(r > 0, r, 1.0), np.inf)
    return marginal, average, limit


@dataclass(frozen=True)
class WeightedLaw:
    """A law in the average: its weight, its parameters [1, 1], its share of the replicates [b, 1] or None."""

    form: EquivalenceForm
    weight: float
    point: Natural
    samples: Natural | None


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """Weighted median, of values that may be infinite."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())])


def _estimate(value: float, samples: list[np.ndarray], confidence: float) -> Estimate:
    low, high = interval(np.concatenate(samples), confidence) if samples else (None, None)
    return Estimate(value if np.isfinite(value) else None, low, high)


def exchange(laws: list[WeightedLaw], n: int, num_synthetic: int, n0: float, confidence: float) -> Exchange:
    """The exchange rate at n real and ``num_synthetic`` synthetic images, averaged over laws.

    The value is the median over laws by weight; the interval is that of their replicates together, so it
    holds the choice of the law too. An interval without an upper end includes "not reachable"; without a
    lower end too, nothing is known.
    """
    s = num_synthetic / n
    weights = np.array([law.weight for law in laws])
    points = np.array([[column[0] for column in rates(law.form, law.point, n, n0, s)] for law in laws])
    drawn = [rates(law.form, law.samples, n, n0, s) for law in laws if law.samples is not None]
    marginal, average, limit = (_median(points[:, i], weights) for i in range(3))
    reachable = bool(np.isfinite(marginal))
    bound = limit if np.isfinite(limit) else None
    notes = []
    if not reachable and bound is not None and bound >= 0.5:
        notes.append(f"not reachable: no amount replaces more than {bound:.0f} real images")
    elif not reachable:
        notes.append("not reachable: more synthetic images replace no further real image here")
    return Exchange(
        n,
        num_synthetic,
        _estimate(marginal, [d[0] for d in drawn], confidence),
        _estimate(average, [d[1] for d in drawn], confidence),
        reachable,
        bound,
        "; ".join(notes),
    )
