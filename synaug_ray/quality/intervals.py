"""Estimates with intervals: shares, weighted means of shares, and other statistics by half-sampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

HALF_SAMPLES = 40  # replicates: enough for a standard deviation that is right within about a tenth


@dataclass(frozen=True)
class Interval:
    """A value and its two-sided confidence interval."""

    value: float
    low: float
    high: float


def share(count: float, total: float, confidence: float) -> Interval:
    """``count / total`` with Wilson's score interval (Wilson 1927, JASA 22, 209-212).

    Counts need not be integers: a weighted share has an effective total.
    """
    p, z = count / total, float(stats.norm.ppf((1 + confidence) / 2))
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return Interval(p, min(max(middle - half, 0.0), p), max(min(middle + half, 1.0), p))


def weighted_mean(shares: Sequence[Interval], weights: Sequence[float]) -> Interval:
    """Weighted mean of independent shares; its interval is by MOVER, the method of variance estimates recovery.

    MOVER adds the distances between values and limits in quadrature (Zou and Donner 2008, Statistics in Medicine 27,
    1693-1702). Weights are normalised by their sum.
    """
    w = np.asarray(weights, float) / float(np.sum(weights))
    value, low, high = (np.array([getattr(s, name) for s in shares]) for name in ("value", "low", "high"))
    mean = float(w @ value)
    return Interval(
        mean,
        mean - float(np.sqrt(((w * (value - low)) ** 2).sum())),
        mean + float(np.sqrt(((w * (high - value)) ** 2).sum())),
    )


def by_half_samples(
    statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]], size: int, seed: int, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Statistics of ``size`` units, with half-widths from half-samples drawn without replacement.

    A half-sample's statistic varies about the full sample's as much as that varies about the truth, since
    1/(N/2) - 1/N = 1/N (Politis, Romano and Wolf 1999, Subsampling, ch. 2). Nearest-neighbour statistics
    cannot be bootstrapped, because a repeated unit would be its own neighbour.

    Args:
        statistic: maps indices of units to statistics, float [Q].

    Returns:
        The statistics of all units [Q]; the half-samples' means [Q]; the half-widths of normal intervals [Q].
    """
    rng = np.random.default_rng(seed)
    whole = statistic(np.arange(size))
    halves = np.stack([statistic(np.sort(rng.permutation(size)[: size // 2])) for _ in range(HALF_SAMPLES)])
    return whole, halves.mean(0), stats.norm.ppf((1 + confidence) / 2) * halves.std(0, ddof=1)
