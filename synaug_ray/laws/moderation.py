"""Standard errors that borrow strength: variances between draws, pooled over the cells of one pool of evidence.

A cell's own variance rests on a few draws. It is moderated towards what its like say (empirical Bayes, Smyth 2004),
with four limits, without which unlike or dependent cells would pass for evidence:

- only cells of one ``family`` are pooled (a GAN says nothing of a diffusion model's luck);
- the cells of one ``block`` (one pool of synthetic images) move together and count once;
- where variances differ by more than chance and size, none is believed to be smaller than their mean, since generators
  that fail now and then leave most cells with a small one;
- from ``ENOUGH_DRAWS`` draws on no variance falls below the cell's own, and the pool's degrees of freedom count only as
  far as it agrees with the cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from synaug_ray.laws.bootstrap import Components

MOST_PRIOR_DRAWS = 2.0  # the pooled variance weighs at most as much as this many times the cell's own draws
LEAST_SIZES_FOR_TREND = 3
UNEVEN_LEVEL = 0.05  # of the test whether some blocks vary more than others
UNEVEN_REPLICATES = 2_000
ENOUGH_DRAWS = 5  # from here on a cell's own variance is believed


@dataclass(frozen=True)
class StandardErrors:
    """Moderated standard errors of Q means, with the degrees of freedom [Q] that their t quantiles take.

    ``pooled_variance`` [Q] is what all cells together say of ``draw_variance``, without the cell's own draws; ``least``
    [Q] is the mean below which no ``draw_variance`` is believed, 0 where variances differ by chance alone. All are
    NaN for a mean of fewer than two draws.
    """

    draw_variance: np.ndarray
    image_variance: np.ndarray
    freedom: np.ndarray
    pooled_variance: np.ndarray
    least: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Standard error of each mean, [Q]."""
        return np.sqrt(self.draw_variance + self.image_variance)

    @property
    def pooled_error(self) -> np.ndarray:
        """The same from the pooled variance, [Q]: weights of a fit must not follow the noise of their own cells."""
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
    """Borrow strength across cells for the variance between draws.

    What is pooled is the ratio of the variance between draws to its known part, the image x draw
    noise, with a linear trend in ``log_size`` [Q] (log num_real). The own estimate counts D - 1, the
    pooled one at most ``MOST_PRIOR_DRAWS`` times that. The ratio is at least 1, since the known part
    is always present.

    Args:
        family: int [Q], which cells may be pooled; None pools all.
        block: int [Q], which cells rest on the same generators; None takes each size for a block.
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
    few = parts.clusters - 1.0  # test images say no more of their own variance than there are groups of them
    total = (variance + parts.image_variance) ** 2 / (variance**2 / freedom + parts.image_variance**2 / max(few, 1.0))
    return StandardErrors(variance, parts.image_variance, np.minimum(freedom, total), pooled, least)


def _moderated(
    parts: Components, log_size: np.ndarray, block: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Variances, pooled ones, degrees of freedom and least variances [Q] of one family.

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
    """By how much a mean variance is above the typical one where blocks differ by more than chance; 0 where not.

    They differ where a generator now and then fails and nobody notices: a block without such a draw has a small
    variance of its own, and a mean that is off by what the failures of the others cost. Bartlett's statistic of the
    blocks' variances, as if the cells of a block said the same; its null distribution is simulated.
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
    """Pointwise two-sided half widths, [Q]."""
    return stats.t.ppf(0.5 + confidence / 2, errors.freedom) * errors.error
