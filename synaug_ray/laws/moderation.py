"""Moderated standard errors: between-draw variances borrow strength from similar cells.

A cell's own variance is estimated from a few draws. It is shrunk towards the pooled variance of similar cells
(empirical Bayes, Smyth 2004), with four restrictions, without which dissimilar or dependent cells would count as
evidence:

- only cells of the same ``family`` are pooled (a GAN says nothing about the variability of a diffusion model);
- the cells of a ``block`` (the same pools of synthetic images) vary together, and count once;
- if variances differ by more than chance and size explain, no variance is taken to be smaller than their mean, since
  generators that fail occasionally leave most cells with a small one;
- with ``ENOUGH_DRAWS`` draws or more, no variance is smaller than the cell's own, and the pool's degrees of freedom
  count only as far as it agrees with the cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from synaug_ray.laws.bootstrap import Components

MOST_PRIOR_DRAWS = 2.0  # largest weight of the pooled variance, as a multiple of the cell's own draws
LEAST_SIZES_FOR_TREND = 3
UNEVEN_LEVEL = 0.05  # significance level of the test for blocks with different variances
UNEVEN_REPLICATES = 2_000
ENOUGH_DRAWS = 5  # from which a cell's own variance is a lower bound


@dataclass(frozen=True)
class StandardErrors:
    """Moderated variances of Q means; all NaN for a mean of fewer than two draws."""

    draw_variance: np.ndarray  # between draws, [Q]
    image_variance: np.ndarray  # due to test images, [Q]
    freedom: np.ndarray  # degrees of freedom of the t quantiles, [Q]
    pooled_variance: np.ndarray  # between draws, estimated from all cells together, without the cell's own draws, [Q]
    least: np.ndarray  # the mean below which no ``draw_variance`` is taken to be; 0 if they differ by chance alone, [Q]

    @property
    def error(self) -> np.ndarray:
        """Standard error of each mean, [Q]."""
        return np.sqrt(self.draw_variance + self.image_variance)

    @property
    def pooled_error(self) -> np.ndarray:
        """The same with the pooled variance, [Q], for fits, whose weights must not depend on the cells' own noise."""
        return np.sqrt(self.pooled_variance + self.image_variance)


def _trigamma_inverse(value: float) -> float:
    """x with trigamma(x) = value, by Newton's method (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = special.polygamma(1, x)
        x += trigamma * (1 - trigamma / value) / special.polygamma(2, x)
    return float(x)


def moderate(
    parts: Components,
    log_size: np.ndarray,
    family: np.ndarray | None = None,
    block: np.ndarray | None = None,
) -> StandardErrors:
    """Moderate the between-draw variances.

    What is pooled is the ratio of the between-draw variance to its known part, the image x draw noise, with a linear
    trend in ``log_size``. A cell's own estimate has a weight of D - 1, the pooled one at most ``MOST_PRIOR_DRAWS``
    times that. The ratio is at least 1, since the known part is always present.

    Args:
        log_size: log num_real, [Q].
        family: int [Q]; only cells of the same family are pooled. None pools all.
        block: int [Q]; cells of a block have the same generators. With None, each size is a block.
    """
    count = len(parts.estimates)
    family = np.zeros(count, dtype=int) if family is None else family
    block = np.unique(log_size, return_inverse=True)[1] if block is None else block
    freedom, variance, pooled, least = (np.full(count, np.nan) for _ in range(4))
    for one in np.unique(family):
        index = np.flatnonzero((family == one) & (parts.draws > 1))
        if len(index):
            variance[index], pooled[index], freedom[index], least[index] = _moderated(
                parts.take(index), log_size[index], np.unique(block[index], return_inverse=True)[1]
            )
    few = parts.clusters - 1.0  # degrees of freedom of the image variance: there are no more than groups of test images
    total = (variance + parts.image_variance) ** 2 / (variance**2 / freedom + parts.image_variance**2 / max(few, 1.0))
    return StandardErrors(variance, parts.image_variance, np.minimum(freedom, total), pooled, least)


def _moderated(
    parts: Components, log_size: np.ndarray, block: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Variances, pooled variances, degrees of freedom and least variances of one family, each [Q].

    Args:
        block: int [Q], numbered from 0.
    """
    blocks = int(block.max()) + 1
    known, freedom = np.diag(parts.interaction), parts.draws - 1.0
    ratio = np.maximum(parts.draw_variance / known, 1e-3)
    trend = len(np.unique(log_size)) >= LEAST_SIZES_FOR_TREND
    design = np.stack([np.ones(len(ratio)), log_size], axis=1)[:, : 2 if trend else 1]
    if len(ratio) <= design.shape[1] or blocks < 2:
        level = known * np.maximum(np.mean(ratio), 1.0)
        return known * np.maximum(ratio, 1.0), level, freedom, 0 * known
    log_ratio = np.log(ratio) - special.digamma(freedom / 2) + np.log(freedom / 2)
    coefficients, *_ = np.linalg.lstsq(design, log_ratio, rcond=None)
    expected = design @ coefficients
    excess = ((log_ratio - expected) ** 2).sum() / (len(ratio) - design.shape[1])
    excess -= float(special.polygamma(1, freedom / 2).mean())
    most = min(MOST_PRIOR_DRAWS, blocks - 1.0) * float(np.median(freedom))
    prior = min(2 * _trigamma_inverse(excess), most) if excess > 1e-6 else most
    pooled = np.exp(expected + special.digamma(prior / 2) - np.log(prior / 2))
    moderated = (prior * pooled + freedom * ratio) / (prior + freedom)
    enough = parts.draws >= ENOUGH_DRAWS
    believed = np.where(enough, np.maximum(moderated, ratio), moderated)
    agreeing = np.where(enough, np.minimum(np.maximum(pooled, 1.0) / np.maximum(ratio, 1.0), 1.0), 1.0)
    uneven = _uneven(log_ratio, design, block, float(np.median(freedom)))
    least = np.exp(expected) * uneven
    return (
        known * np.maximum(np.maximum(believed, least), 1.0),
        known * np.maximum(np.maximum(pooled, least), 1.0),
        freedom if uneven else freedom + prior * agreeing,
        known * least,
    )


def _uneven(log_ratio: np.ndarray, design: np.ndarray, block: np.ndarray, freedom: float) -> float:
    """The ratio of the mean variance to the typical one if blocks differ by more than chance; else 0.

    They differ if generators occasionally fail unnoticed: a block without such a draw has a small variance, although
    its mean is off by the average cost of failures. The test uses Bartlett's statistic of the blocks' variances,
    as if the cells of a block were identical; its null distribution is simulated.
    """
    count = np.bincount(block)
    rows = np.stack([np.bincount(block, column) for column in design.T], axis=1) / count[:, None]
    off_trend = np.eye(len(count)) - rows @ np.linalg.pinv(rows)

    def mean(logs: np.ndarray) -> np.ndarray:
        return np.exp(off_trend @ logs).mean(axis=0)

    observed = float(mean(np.bincount(block, log_ratio) / count))
    chance = np.log(np.random.default_rng(0).chisquare(freedom, (len(count), UNEVEN_REPLICATES)))
    return observed if (mean(chance) >= observed).mean() < UNEVEN_LEVEL else 0.0


def half_widths(errors: StandardErrors, confidence: float) -> np.ndarray:
    """Half-widths of two-sided pointwise intervals, [Q]."""
    return stats.t.ppf(0.5 + confidence / 2, errors.freedom) * errors.error
