"""Which images of a pool to keep, judged with the Subset alone: index functions, int64, in the pool's order.

Shares are taken within each class, so that a filtered pool keeps its class proportions. The scores
behind them (``confidence``, ``copy_ratio``, ``realism``) are of one image and the Subset, whatever
else the pool holds.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from synaug_ray.data.images import ImageSet
from synaug_ray.keys import derive_seed
from synaug_ray.quality.features import train
from synaug_ray.quality.fidelity import NEIGHBOURS
from synaug_ray.quality.label_fidelity import train_judges
from synaug_ray.quality.memorization import distance_ratio, threshold
from synaug_ray.quality.neighbours import pixels


def drop_unconfident(subset: ImageSet, pool: ImageSet, num_classes: int, share: float, seed: int,
                     device: torch.device) -> NDArray[np.int64]:
    """Drop the ``share`` of each class that least looks like it."""
    return _best(confidence(subset, pool, num_classes, seed, device), pool.labels, share)


def drop_copies(subset: ImageSet, pool: ImageSet, device: torch.device) -> NDArray[np.int64]:
    """Drop images closer to a Subset image than 99% of the Subset's own images are to their nearest other one."""
    x = pixels(subset)
    limit = threshold(distance_ratio(x, x, device, same=True)[0]) if len(subset) > 1 else 0.0
    return np.flatnonzero(copy_ratio(subset, pool, device) > limit)


def keep_overlapping(subset: ImageSet, pool: ImageSet, num_classes: int, share: float, seed: int,
                     device: torch.device) -> NDArray[np.int64]:
    """Keep the ``share`` of each class that lies deepest inside the real manifold."""
    return _best(realism(subset, pool, num_classes, seed, device), pool.labels, 1 - share)


def confidence(subset: ImageSet, pool: ImageSet, num_classes: int, seed: int,
               device: torch.device) -> NDArray[np.float64]:
    """Log-probability of each image's own label, float64 [N], by judges cross-fitted on the Subset.

    An image is judged by the classifier that has not seen its nearest Subset image, so a copy is not
    held for a good example.
    """
    judges = train_judges(subset, num_classes, derive_seed("confidence", seed), device)
    return judges.log_probabilities(pool)[np.arange(len(pool)), pool.labels]


def copy_ratio(subset: ImageSet, pool: ImageSet, device: torch.device) -> NDArray[np.float64]:
    """Pixel distance to the nearest Subset image over that to the next ones, float64 [N]; 0 is an exact copy."""
    return distance_ratio(pixels(pool), pixels(subset), device)[0]


def realism(subset: ImageSet, pool: ImageSet, num_classes: int, seed: int,
            device: torch.device) -> NDArray[np.float64]:
    """Realism score of Kynkaanniemi et al. (arXiv 1904.06991, section 5), float64 [N]: 1 and more is inside.

    The largest ratio of a real ball's radius to the image's distance from its centre, in the feature
    space of a classifier of the Subset; the larger half of the balls is left out, as there.
    """
    space = train(subset, num_classes, derive_seed("realism", seed), device)
    real, synthetic = (space.features(s).astype(np.float64) for s in (subset, pool))
    k = min(NEIGHBOURS, len(subset) - 1)
    radius = np.partition(cdist(real, real), k, axis=1)[:, k]
    small = radius <= np.median(radius)
    score = np.empty(len(pool))
    for start in range(0, len(pool), 1_000):
        distance = cdist(synthetic[start:start + 1_000], real[small])
        score[start:start + 1_000] = (radius[small] / np.maximum(distance, 1e-12)).max(1)
    return score


def _best(score: NDArray[np.float64], labels: NDArray[np.int64], drop: float) -> NDArray[np.int64]:
    keep = np.ones(len(labels), bool)
    for c in np.unique(labels):
        mine = np.flatnonzero(labels == c)
        keep[mine[np.argsort(score[mine], kind="stable")[:int(drop * len(mine))]]] = False
    return np.flatnonzero(keep)
