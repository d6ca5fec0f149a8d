"""Filters: which images of a pool to keep, given nothing but the Subset.

The same share of each class is kept, so that a filtered pool has the same class proportions. An image's
score depends on the image and the Subset alone, not on the rest of the pool; only herding looks at the images together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from synaug_ray.common.errors import TooFewKept
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.filter_recipe import FilterRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.quality.features import train
from synaug_ray.quality.fidelity import NEIGHBOURS
from synaug_ray.quality.label_classifiers import train_label_classifiers
from synaug_ray.quality.memorization import distance_ratio, threshold
from synaug_ray.quality.nearest import pixels, with_mirrored

# (a pool's first images, number needed) -> which of them, int64 [number]
Select = Callable[[ImageSet, int], NDArray[np.int64]]


def selector(
    recipe: FilterRecipe, subset: ImageSet, num_classes: int, seed: int, device: torch.device, mirrors: bool = False
) -> Select:
    """Fit a filter to a Subset, once for all of its pools; ``mirrors`` as in ``memorization``.

    The returned function keeps the pool's order, and raises TooFewKept if too few images remain.
    """
    if recipe.family == "copies":
        x, views = pixels(with_mirrored(subset) if mirrors else subset), 2 if mirrors else 1
        own = distance_ratio(x[: len(subset)], x, device, same=True, views=views)[0] if len(subset) > 1 else np.zeros(1)
        limit = threshold(own)

        def keep(pool: ImageSet) -> NDArray[np.int64]:
            return np.flatnonzero(distance_ratio(pixels(pool), x, device, views=views)[0] > limit)
    elif recipe.family == "mismatched":
        herd = herding(subset, num_classes, seed, device)

        def keep(pool: ImageSet) -> NDArray[np.int64]:
            return herd(pool, recipe.share)
    elif recipe.family == "threshold":
        own_label = confidence(subset, num_classes, seed, device)

        def keep(pool: ImageSet) -> NDArray[np.int64]:
            return _above(own_label(pool), -np.log(num_classes), pool.labels)
    else:
        score = SCORES[recipe.family](subset, num_classes, seed, device)

        def keep(pool: ImageSet) -> NDArray[np.int64]:
            return _best(score(pool), pool.labels, recipe.share)

    def select(pool: ImageSet, count: int) -> NDArray[np.int64]:
        kept = keep(pool)
        if len(kept) < count:
            raise TooFewKept(
                f"filter {recipe.name} keeps {len(kept):,} of {len(pool):,} images, and {count:,} are "
                f"needed: more than half of the generator's images are near-copies of its {len(subset):,} "
                "real images"
            )
        return kept[:count]

    return select


def confidence(
    subset: ImageSet, num_classes: int, seed: int, device: torch.device
) -> Callable[[ImageSet], NDArray[np.float64]]:
    """A score: the log-probability of each image's own label, float64 [N], by classifiers cross-fitted on the Subset.

    An image is classified by the classifier that has not seen its nearest Subset image, so that copies do not score
    well just because they are copies.
    """
    classifiers = train_label_classifiers(subset, num_classes, derive_seed("confidence", seed), device)
    return lambda pool: classifiers.log_probabilities(pool)[np.arange(len(pool)), pool.labels]


def hardness(
    subset: ImageSet, num_classes: int, seed: int, device: torch.device
) -> Callable[[ImageSet], NDArray[np.float64]]:
    """A score: the entropy (nats) of the classes of each image, by the classifiers of ``confidence``, float64 [N].

    That of images whose own label is less probable than a guess is negative: their label is likely to be wrong.
    """
    classifiers = train_label_classifiers(subset, num_classes, derive_seed("confidence", seed), device)

    def score(pool: ImageSet) -> NDArray[np.float64]:
        log_p = classifiers.log_probabilities(pool)
        own = log_p[np.arange(len(pool)), pool.labels]
        return np.where(own > -np.log(num_classes), -(np.exp(log_p) * log_p).sum(1), own)

    return score


def herding(
    subset: ImageSet, num_classes: int, seed: int, device: torch.device
) -> Callable[[ImageSet, float], NDArray[np.int64]]:
    """Returns (pool, share to drop) -> the images of each class that together are most like the real ones of it.

    Kernel herding (Chen, Welling and Smola, arXiv 1203.3472): one after another, the image that brings the kernel mean
    of those chosen nearest to that of the real images. The kernel is Gaussian in the feature space of a classifier of
    the Subset; its width is the median distance of real images.
    """
    space = train(subset, num_classes, derive_seed("realism", seed), device)
    real = space.features(subset).astype(np.float64)
    apart = cdist(real, real)[np.triu_indices(len(real), 1)]
    width = float(np.median(apart)) if len(apart) and np.median(apart) > 0 else 1.0

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.exp(-cdist(a, b, "sqeuclidean") / (2 * width**2))

    def keep(pool: ImageSet, drop: float) -> NDArray[np.int64]:
        found, synthetic = [], space.features(pool).astype(np.float64)
        for c in np.unique(pool.labels):
            mine = np.flatnonzero(pool.labels == c)
            wanted = kernel(synthetic[mine], real[subset.labels == c]).mean(1)
            taken, covered = np.zeros(len(mine), bool), np.zeros(len(mine))
            for count in range(1, 1 + len(mine) - int(drop * len(mine))):
                best = int(np.argmax(np.where(taken, -np.inf, wanted - covered / count)))
                taken[best] = True
                covered += kernel(synthetic[mine], synthetic[mine[best : best + 1]])[:, 0]
            found.append(mine[taken])
        return np.sort(np.concatenate(found))

    return keep


def realism(
    subset: ImageSet, num_classes: int, seed: int, device: torch.device
) -> Callable[[ImageSet], NDArray[np.float64]]:
    """The realism score of Kynkaanniemi et al. (arXiv 1904.06991, section 5), float64 [N]; >= 1 inside the manifold.

    It is the largest ratio of a real ball's radius to the image's distance from the ball's centre, in the feature space
    of a classifier of the Subset. As in the paper, the larger half of the balls is left out.
    """
    space = train(subset, num_classes, derive_seed("realism", seed), device)
    real = space.features(subset).astype(np.float64)
    k = min(NEIGHBOURS, len(subset) - 1)
    radius = np.partition(cdist(real, real), k, axis=1)[:, k]
    small = radius <= np.median(radius)

    def score(pool: ImageSet) -> NDArray[np.float64]:
        synthetic = space.features(pool).astype(np.float64)
        found = np.empty(len(pool))
        for start in range(0, len(pool), 1_000):
            distance = cdist(synthetic[start : start + 1_000], real[small])
            found[start : start + 1_000] = (radius[small] / np.maximum(distance, 1e-12)).max(1)
        return found

    return score


SCORES = {"unconfident": confidence, "outliers": realism, "easy": hardness}  # families that drop the lowest


def by_text(recipe: FilterRecipe, own_class: Callable[[ImageSet], NDArray[np.float64]], num_classes: int) -> Select:
    """The ``clip`` filter, for any Subset; ``own_class`` gives log-probabilities of images' own labels, as ``clip``."""
    limit = np.log(recipe.threshold or 1 / num_classes)

    def select(pool: ImageSet, count: int) -> NDArray[np.int64]:
        score = own_class(pool)
        if recipe.rule == "share":
            return _best(score, pool.labels, recipe.share)[:count]
        return _above(score, limit, pool.labels)[:count]

    return select


def _above(score: NDArray[np.float64], limit: float, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Half of each class: the first above ``limit`` in the pool's order, which is random; if too few, the best too."""
    return _best(np.where(score > limit, 1 - np.arange(len(score)) / len(score), score), labels, 0.5)


def _best(score: NDArray[np.float64], labels: NDArray[np.int64], drop: float) -> NDArray[np.int64]:
    keep = np.ones(len(labels), bool)
    for c in np.unique(labels):
        mine = np.flatnonzero(labels == c)
        keep[mine[np.argsort(score[mine], kind="stable")[: int(drop * len(mine))]]] = False
    return np.flatnonzero(keep)
