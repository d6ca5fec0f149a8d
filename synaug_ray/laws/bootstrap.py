"""Intervals: a multiplier bootstrap over draws, crossed with test images, corrected for few draws.

The unit is the draw: a subset chain with its generators and classifier seeds, which all move
together when a draw is resampled (seeds are not resampled again inside a draw: with whole
clusters resampled that would count their variance twice, Davison and Hinkley 1997, section 3.8).
Test images are shared by all trials and resampled once for all of them.

Plain resampling of few draws covers too little: over 6 draws, 84% where it says 90%. Each
replicate therefore moves the cells by

    scale * sum_d xi_d (mean_d - mean) / sqrt(D (D - 1)),    xi_d ~ N(0, 1),    scale ~ sqrt(v / chi2_v),

v = D - 1 with each cell's own D, whose marginal is exactly the t interval of its draws, at every
confidence level. To this comes a Gaussian deviation for the test images. The image x draw interaction
is in both parts (the crossed bootstrap is conservative for that reason, Owen 2007, arXiv 0712.1111),
so it is taken out of the image part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True, kw_only=True)
class Components:
    """The variance of Q cell means by source.

    ``estimates`` [Q]; ``draws`` [Q] how many draws each rests on; ``draw_deviations`` [Q, D], whose
    squares sum to the variance between draws of the mean; ``image_covariance`` [Q, Q] of resampling
    images (main effect and interaction); ``interaction`` [Q, Q] the image x draw part of it. ``clusters``
    is the number of independent test images, or groups of them.
    """

    estimates: np.ndarray
    draws: np.ndarray
    draw_deviations: np.ndarray
    image_covariance: np.ndarray
    interaction: np.ndarray
    clusters: int

    def take(self, index: np.ndarray) -> Components:
        """The same for some of the means."""
        square = np.ix_(index, index)
        return Components(
            estimates=self.estimates[index],
            draws=self.draws[index],
            draw_deviations=self.draw_deviations[index],
            image_covariance=self.image_covariance[square],
            interaction=self.interaction[square],
            clusters=self.clusters,
        )

    @property
    def draw_variance(self) -> np.ndarray:
        """Variance of each mean due to draws, generators, seeds and image x draw noise, [Q]."""
        return (self.draw_deviations**2).sum(axis=1)

    @property
    def image_variance(self) -> np.ndarray:
        """Variance of each mean due to the choice of test images alone, [Q]."""
        return np.maximum(np.diag(self.image_covariance) - np.diag(self.interaction), 0.0)


def components(
    values: np.ndarray,
    image_weights: np.ndarray,
    strata: np.ndarray,
    trials: int,
    groups: np.ndarray | None = None,
) -> Components:
    """Split the variance of the means of ``values`` [Q, D, I] (NaN where a draw is missing) by source.

    ``image_weights`` [I] sums to 1; ``strata`` [I] are resampled within. ``trials`` is the number of
    trials of a cell: a cell without a single wrong answer gets the variance of one wrong answer
    among all of its trials. Images of one of ``groups`` [I] (a patient) are resampled together, whatever their
    strata; None takes each image for itself.
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

    classes = np.zeros((images, strata.max() + 1))
    classes[np.arange(images), strata] = 1.0
    sizes = classes.sum(axis=0)
    if groups is None:
        order, starts, clusters = None, None, images
        small_sample = np.sqrt(sizes / np.maximum(sizes - 1, 1))[strata]
    else:
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order][0] - 1))
        clusters = len(starts)
        small_sample = np.full(images, np.sqrt(clusters / max(clusters - 1, 1)))

    def centred(matrix: np.ndarray) -> np.ndarray:
        """The influence of each image, or of each group of them, on the means: [Q, clusters]."""
        inside = (matrix - ((matrix @ classes) / sizes)[:, strata]) * (weights * small_sample)
        return inside if order is None or starts is None else np.add.reduceat(inside[:, order], starts, axis=1)

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
        clusters=clusters,
    )


def root(covariance: np.ndarray) -> np.ndarray:
    """A square root of the positive part of a symmetric matrix."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def positive_part(covariance: np.ndarray, least: float = 0.0) -> np.ndarray:
    """A symmetric matrix with eigenvalues of at least ``least``: estimates from few draws may have smaller ones."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return (vectors * np.maximum(values, least)) @ vectors.T


def evenly(count: int, rng: np.random.Generator) -> np.ndarray:
    """Shares in (0, 1) [count], evenly spaced in random order: less noisy than uniform numbers."""
    return rng.permutation(np.linspace(0, 1, count + 2)[1:-1])


def replicate(parts: Components, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Joint replicates of the Q means, [replicates, Q]. A mean of one draw moves with the images only."""
    student = _t_scales(np.maximum(parts.draws - 1.0, 1.0), replicates, rng)
    xi = rng.standard_normal((replicates, parts.draw_deviations.shape[1]))
    draw = student * (xi @ parts.draw_deviations.T)
    image = rng.standard_normal((replicates, len(parts.estimates))) @ root(parts.image_covariance - parts.interaction).T
    return parts.estimates + draw + image


def _t_scales(freedom: np.ndarray, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """sqrt(v / chi2_v) with the degrees of freedom [Q] of each mean, [replicates, Q].

    All means have the same quantile of their own distribution, so that they stay as joint as with one scale for all.
    """
    most = float(freedom.max())
    drawn = rng.chisquare(most, replicates)
    scales = np.repeat(np.sqrt(most / drawn)[:, None], len(freedom), axis=1)
    for fewer in np.unique(freedom[freedom < most]):
        chi2 = 2 * special.gammaincinv(fewer / 2, special.gammainc(most / 2, drawn / 2))
        scales[:, freedom == fewer] = np.sqrt(fewer / chi2)[:, None]
    return scales


def interval(samples: np.ndarray, confidence: float) -> tuple[float | None, float | None]:
    """Percentile interval of replicates that may be infinite; an infinite end is None (open)."""
    samples = samples[~np.isnan(samples)]
    if not len(samples):
        return None, None
    tail = (1 - confidence) / 2
    low = float(np.quantile(samples, tail, method="lower"))
    high = float(np.quantile(samples, 1 - tail, method="higher"))
    return (low if np.isfinite(low) else None), (high if np.isfinite(high) else None)
