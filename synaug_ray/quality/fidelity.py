"""Realism and variety: precision, recall, density, coverage, Frechet and kernel distance of two sets of features.

All compare equal numbers of synthetic and real images, because all depend on the number. The feature space must not
have been trained on these real images, since a classifier's features of its own training images are distributed
differently.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.spatial.distance import cdist

from synaug_ray.quality.intervals import Interval, by_half_samples

NEIGHBOURS = 5  # k of Naeem et al., section 5
MOST = 1_000  # images of each kind: more take too much time for the little by which they narrow intervals
LEAST_NEIGHBOURS = 50  # images of each kind that the statistics of 5 neighbours need
LEAST_KERNEL = 50
LEAST_A_DIMENSION = 2.5  # images per dimension that the covariance in a Frechet distance needs


@dataclass(frozen=True)
class Fidelity:
    """Distances and overlaps of ``num_compared`` synthetic and as many real images; None if these are too few.

    For two sets from the same distribution, precision and recall are equal, density is 1, coverage is 1 - 2**-k (0.97),
    and ``frechet`` and ``kernel`` vary about 0.
    """

    num_compared: int
    precision: Interval | None  # share of synthetic images in the real manifold (Kynkaanniemi et al. 2019, eq. 1, 2)
    recall: Interval | None  # share of real images in the synthetic manifold
    density: Interval | None  # real balls that contain a synthetic image, divided by k (Naeem et al. 2020, eq. 3)
    coverage: Interval | None  # share of real images with a synthetic one in their ball (Naeem et al. 2020, eq. 4)
    frechet: Interval | None  # of Gaussians, in units of the real features' variance; extrapolated to N = infinity
    kernel: Interval | None  # squared MMD, cubic kernel, unbiased (Binkowski et al. 2018, eq. 4)
    too_few: tuple[str, ...]  # the measurements that are None, with the number of images of each kind that they need


def compare(
    real: NDArray[np.float32], synthetic: NDArray[np.float32], seed: int = 0, confidence: float = 0.9
) -> Fidelity:
    """Compare two sets of features, float [N, D] and [S, D], using equal numbers of both.

    Frechet distances have a bias of order 1/N; the value given is 2 F(N) - F(N/2), which removes that term
    (Chong and Forsyth, arXiv 1911.07023, extrapolate in the same way). For real versus real digits, about
    190 of each, the remaining bias is -0.013 of the variance on average over 16 draws.

    Sources: Kynkaanniemi et al., arXiv 1904.06991; Naeem et al., arXiv 2002.09797; Heusel et al.,
    arXiv 1706.08500; Binkowski et al., arXiv 1801.01401.
    """
    n = min(len(real), len(synthetic), MOST)
    rng = np.random.default_rng(seed)
    x, y = (_standard(f[np.sort(rng.permutation(len(f))[:n])], real) for f in (real, synthetic))
    found: dict[str, Interval | None] = dict.fromkeys(
        ("precision", "recall", "density", "coverage", "frechet", "kernel")
    )
    too_few = []
    if n >= LEAST_NEIGHBOURS:
        found |= _neighbourhoods(x, y, seed, confidence)
    else:
        too_few.append(f"precision, recall, density and coverage (from {LEAST_NEIGHBOURS})")
    needed = round(LEAST_A_DIMENSION * x.shape[1])
    if n >= needed:
        whole, halves, wide = by_half_samples(lambda i: np.array([frechet(x[i], y[i])]), n, seed, confidence)
        found["frechet"] = _around(2 * whole[0] - halves[0], wide[0])
    else:
        too_few.append(f"Frechet distance (from {needed})")
    if n >= LEAST_KERNEL:
        found["kernel"] = _kernel(x, y, seed, confidence)
    else:
        too_few.append(f"kernel distance (from {LEAST_KERNEL})")
    return Fidelity(n, **found, too_few=tuple(too_few))


def neighbourhoods(
    real: NDArray[np.float64], cross: NDArray[np.float64], synthetic: NDArray[np.float64], k: int = NEIGHBOURS
) -> NDArray[np.float64]:
    """Precision, recall, density and coverage, [4].

    Args:
        real: distances among real features [N, N].
        cross: distances from real to synthetic features [N, S].
        synthetic: distances among synthetic features [S, S].
        k: the radius of a ball is the distance from its centre to the k-th nearest neighbour of the same kind.
    """
    radius, other = (np.partition(d, k, axis=1)[:, k] for d in (real, synthetic))
    inside = cross <= radius[:, None]
    return np.array(
        [
            inside.any(0).mean(),
            (cross <= other[None, :]).any(1).mean(),
            inside.sum() / (k * cross.shape[1]),
            (cross.min(1) <= radius).mean(),
        ]
    )


def frechet(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Squared 2-Wasserstein distance of the Gaussians fitted to x [N, D] and y [S, D] (Dowson and Landau 1982)."""
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    values, vectors = eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(eigh(root @ b @ root, eigvals_only=True), 0)).sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * cross)


def kernel_distance(xx: NDArray[np.float64], xy: NDArray[np.float64], yy: NDArray[np.float64]) -> float:
    """Unbiased squared MMD from kernel matrices (Gretton et al. 2012, JMLR 13, eq. 3)."""
    n, m = len(xx), len(yy)
    return float((xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean())


def _standard(features: NDArray[np.float32], real: NDArray[np.float32]) -> NDArray[np.float64]:
    """Features centred at the real mean, in units of the root of the real features' total variance."""
    spread = float(np.sqrt(real.var(0).sum()))
    return (features.astype(np.float64) - real.mean(0, dtype=np.float64)) / (spread or 1.0)


def _neighbourhoods(
    x: NDArray[np.float64], y: NDArray[np.float64], seed: int, confidence: float
) -> dict[str, Interval | None]:
    among, cross, other = (np.asarray(cdist(a, b), np.float64) for a, b in ((x, x), (x, y), (y, y)))

    def at(i: NDArray[np.int64]) -> NDArray[np.float64]:
        pick = np.ix_(i, i)
        return neighbourhoods(among[pick], cross[pick], other[pick])

    whole, _, wide = by_half_samples(at, len(x), seed, confidence)
    ends = {"precision": 1.0, "recall": 1.0, "density": np.inf, "coverage": 1.0}
    return {name: _around(whole[q], wide[q], 0.0, end) for q, (name, end) in enumerate(ends.items())}


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64], seed: int, confidence: float) -> Interval:
    # features have a total variance of 1, but the paper's kernel (xy/D + 1)^3 assumes unit variance in each dimension
    xx, xy, yy = ((a @ b.T + 1) ** 3 for a, b in ((x, x), (x, y), (y, y)))

    def at(i: NDArray[np.int64]) -> NDArray[np.float64]:
        pick = np.ix_(i, i)
        return np.array([kernel_distance(xx[pick], xy[pick], yy[pick])])

    whole, _, wide = by_half_samples(at, len(x), seed, confidence)
    return _around(whole[0], wide[0])


def _around(value: float, half: float, least: float = -np.inf, most: float = np.inf) -> Interval:
    return Interval(float(value), float(max(value - half, least)), float(min(value + half, most)))
