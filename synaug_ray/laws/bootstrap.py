"""Intervals: a multiplier bootstrap over draws, crossed with test images, corrected for few draws.

The unit is the draw: a subset chain with its generators and classifier seeds, which all move
together when a draw is resampled (seeds are not resampled again inside a draw: with whole
clusters resampled that would count their variance twice, Davison and Hinkley 1997, section 3.8).
Test images are shared by all trials and resampled once for all of them.

Plain resampling of few draws covers too little: over 6 draws, 84% where it says 90%. Each
replicate therefore moves the cells by

    scale * sum_d xi_d (mean_d - mean) / sqrt(D (D - 1)),    xi_d ~ N(0, 1),    scale ~ sqrt(v / chi2_v),

v = D - 1, whose marginal is exactly the t interval of D draws, at every confidence level. To this
comes a Gaussian deviation for the test images. The image x draw interaction is in both parts (the
crossed bootstrap is conservative for that reason, Owen 2007, arXiv 0712.1111), so it is taken out
of the image part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

MOST_PRIOR_DRAWS = 2.0  # the pooled variance weighs at most as much as this many times the cell's own draws
LEAST_SIZES_FOR_TREND = 3


@dataclass(frozen=True, kw_only=True)
class Components:
    """The variance of Q cell means by source.

    ``estimates`` [Q]; ``draws`` [Q] how many draws each rests on; ``draw_deviations`` [Q, D], whose
    squares sum to the variance between draws of the mean; ``image_covariance`` [Q, Q] of resampling
    images (main effect and interaction); ``interaction`` [Q, Q] the image x draw part of it.
    """

    estimates: np.ndarray
    draws: np.ndarray
    draw_deviations: np.ndarray
    image_covariance: np.ndarray
    interaction: np.ndarray

    def take(self, index: np.ndarray) -> Components:
        """The same for some of the means."""
        square = np.ix_(index, index)
        return Components(
            estimates=self.estimates[index],
            draws=self.draws[index],
            draw_deviations=self.draw_deviations[index],
            image_covariance=self.image_covariance[square],
            interaction=self.interaction[square],
        )

    @property
    def draw_variance(self) -> np.ndarray:
        """Variance of each mean due to draws, generators, seeds and image x draw noise, [Q]."""
        return (self.draw_deviations**2).sum(axis=1)

    @property
    def image_variance(self) -> np.ndarray:
        """Variance of each mean due to the choice of test images alone, [Q]."""
        return np.maximum(np.diag(self.image_covariance) - np.diag(self.interaction), 0.0)


@dataclass(frozen=True)
class StandardErrors:
    """Moderated standard errors of Q means, with the degrees of freedom their t quantile takes.

    ``pooled_variance`` [Q] is what all cells together say of ``draw_variance``, without the cell's own draws.
    """

    draw_variance: np.ndarray
    image_variance: np.ndarray
    freedom: float
    pooled_variance: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Standard error of each mean, [Q]."""
        return np.sqrt(self.draw_variance + self.image_variance)

    @property
    def pooled_error(self) -> np.ndarray:
        """The same from the pooled variance, [Q]: weights of a fit must not follow the noise of their own cells."""
        return np.sqrt(self.pooled_variance + self.image_variance)


def components(values: np.ndarray, image_weights: np.ndarray, strata: np.ndarray, trials: int) -> Components:
    """Split the variance of the means of ``values`` [Q, D, I] (NaN where a draw is missing) by source.

    ``image_weights`` [I] sums to 1; ``strata`` [I] are resampled within. ``trials`` is the number of
    trials of a cell: a cell without a single wrong answer gets the variance of one wrong answer
    among all of its trials.
    """
    quantities, draws, images = values.shape
    weights = image_weights.astype(np.float64)
    present = ~np.isnan(values[:, :, 0])
    count = present.sum(axis=1)
    filled = np.where(present[:, :, None], values, 0).astype(np.float32)
    means = filled @ weights
    estimates = means.sum(axis=1) / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(count * (count - 1), 1))
    draw_deviations = np.where(present, means - estimates[:, None], 0.0) / spread[:, None]

    groups = np.zeros((images, strata.max() + 1))
    groups[np.arange(images), strata] = 1.0
    sizes = groups.sum(axis=0)
    small_sample = np.sqrt(sizes / np.maximum(sizes - 1, 1))[strata]

    def centred(matrix: np.ndarray) -> np.ndarray:
        inside = matrix - ((matrix @ groups) / sizes)[:, strata]
        return inside * (weights * small_sample)

    image_means = filled.sum(axis=1) / np.maximum(count, 1)[:, None]
    influence = centred(image_means)
    image_covariance = influence @ influence.T
    interaction = np.zeros((quantities, quantities))
    for d in range(draws):
        part = centred(np.where(present[:, d, None], filled[:, d] - image_means, 0.0)) / spread[:, None]
        interaction += part @ part.T
    floor = (weights.max() / max(trials, 1)) ** 2
    interaction[np.diag_indices(quantities)] = np.maximum(np.diag(interaction), floor)
    return Components(
        estimates=estimates,
        draws=count,
        draw_deviations=draw_deviations,
        image_covariance=image_covariance,
        interaction=interaction,
    )


def _trigamma_inverse(value: float) -> float:
    """x with trigamma(x) = value, by Newton's method (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = special.polygamma(1, x)
        x += trigamma * (1 - trigamma / value) / special.polygamma(2, x)
    return float(x)


def moderate(parts: Components, log_size: np.ndarray) -> StandardErrors:
    """Borrow strength across cells for the variance between draws (empirical Bayes, Smyth 2004).

    What is pooled is the ratio of the variance between draws to its known part, the image x draw
    noise, with a linear trend in ``log_size`` [Q] (log num_real). The own estimate counts D - 1, the
    pooled one at most ``MOST_PRIOR_DRAWS`` times that (cells of a draw are correlated, so their
    agreement overstates their evidence). The ratio is at least 1, since the known part is always present.
    """
    known = np.diag(parts.interaction)
    freedom = float(np.median(parts.draws) - 1)
    if freedom < 1:
        unknown = np.full(len(known), np.nan)
        return StandardErrors(unknown, parts.image_variance, np.nan, unknown)
    ratio = np.maximum(parts.draw_variance / known, 1e-3)
    log_ratio = np.log(ratio) - special.digamma(freedom / 2) + np.log(freedom / 2)
    trend = len(np.unique(log_size)) >= LEAST_SIZES_FOR_TREND
    design = np.stack([np.ones(len(ratio)), log_size], axis=1)[:, : 2 if trend else 1]
    if len(ratio) <= design.shape[1]:
        variance = np.maximum(parts.draw_variance, known)
        return StandardErrors(variance, parts.image_variance, freedom, variance)
    coefficients, *_ = np.linalg.lstsq(design, log_ratio, rcond=None)
    expected = design @ coefficients
    excess = ((log_ratio - expected) ** 2).sum() / (len(ratio) - design.shape[1])
    excess -= float(special.polygamma(1, freedom / 2))
    most = MOST_PRIOR_DRAWS * freedom
    prior = min(2 * _trigamma_inverse(excess), most) if excess > 1e-6 else most
    pooled = np.exp(expected + special.digamma(prior / 2) - np.log(prior / 2))
    moderated = (prior * pooled + freedom * ratio) / (prior + freedom)
    return StandardErrors(
        known * np.maximum(moderated, 1.0), parts.image_variance, prior + freedom, known * np.maximum(pooled, 1.0)
    )


def half_widths(errors: StandardErrors, confidence: float) -> np.ndarray:
    """Pointwise two-sided half widths, [Q]."""
    return stats.t.ppf(0.5 + confidence / 2, errors.freedom) * errors.error


def _root(covariance: np.ndarray) -> np.ndarray:
    """A square root of the positive part of a symmetric matrix."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def simultaneous_quantile(
    parts: Components,
    errors: StandardErrors,
    log_size: np.ndarray,
    confidence: float,
    replicates: int,
    rng: np.random.Generator,
) -> float:
    """The multiple of the standard error that holds for all Q means at once: quantile of max |t|.

    Multiplier bootstrap of the maximum (Chernozhukov, Chetverikov and Kato 2013, arXiv 1212.6906). The
    image x draw noise enters through the images, where it has full rank, and only what the draws add to
    it through the D - 1 directions that D draws span. These few directions would make the sizes look
    more alike than their generators are, so draws and the t scale are drawn anew for each size
    (``log_size`` [Q]): independence is the cautious side (Sidak 1967).
    """
    total = errors.draw_variance + errors.image_variance
    by_image = np.minimum((np.diag(parts.interaction) + errors.image_variance) / total, 1.0)
    scale = np.sqrt(np.maximum(np.diag(parts.image_covariance), 1e-30))
    correlation = parts.image_covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    deviation = np.sqrt(by_image) * (rng.standard_normal((replicates, len(total))) @ _root(correlation).T)
    length = np.maximum(np.sqrt(parts.draw_variance), 1e-30)
    directions = parts.draw_deviations / length[:, None] * np.sqrt(1 - by_image)[:, None]
    highest = np.zeros(replicates)
    for size in np.unique(log_size):
        same = log_size == size
        xi = rng.standard_normal((replicates, directions.shape[1]))
        student = np.sqrt(errors.freedom / rng.chisquare(errors.freedom, replicates))
        own = np.abs(deviation[:, same] + xi @ directions[same].T).max(axis=1) * student
        highest = np.maximum(highest, own)
    return float(np.quantile(highest, confidence))


def replicate(parts: Components, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Joint replicates of the Q means, [replicates, Q]. A mean of one draw moves with the images only."""
    freedom = max(float(parts.draws.max() - 1), 1.0)
    student = np.sqrt(freedom / rng.chisquare(freedom, replicates))
    xi = rng.standard_normal((replicates, parts.draw_deviations.shape[1]))
    draw = student[:, None] * (xi @ parts.draw_deviations.T)
    root = _root(parts.image_covariance - parts.interaction)
    image = rng.standard_normal((replicates, len(parts.estimates))) @ root.T
    return parts.estimates + draw + image


def interval(samples: np.ndarray, confidence: float) -> tuple[float | None, float | None]:
    """Percentile interval of replicates that may be infinite; an infinite end is None (open)."""
    samples = samples[~np.isnan(samples)]
    if not len(samples):
        return None, None
    tail = (1 - confidence) / 2
    low = float(np.quantile(samples, tail, method="lower"))
    high = float(np.quantile(samples, 1 - tail, method="higher"))
    return (low if np.isfinite(low) else None), (high if np.isfinite(high) else None)
